//! The one thing in which a pool on a node and a proxy differ: where jobs come from, and where shares go that are more than an
//! answer's worth.

use super::local::Local;
use super::upstream::Upstream;
use super::{Origin, PoolJob, Refusal};
use std::time::Duration;

/// Where jobs come from.
pub(super) enum Source {
    /// A node: shares that are blocks go there.
    Node(Box<Local>),
    /// Another pool, whose miner this one is: shares that it pays for go there.
    Upstream(Upstream),
}

impl Source {
    pub(super) fn local(&self) -> Option<&Local> {
        match self {
            Source::Node(local) => Some(local),
            Source::Upstream(_) => None,
        }
    }

    pub(super) fn upstream(&self) -> Option<&Upstream> {
        match self {
            Source::Node(_) => None,
            Source::Upstream(upstream) => Some(upstream),
        }
    }

    /// How late a job's shares are, zero if they are not, or why they come too late.
    pub(super) fn lateness(&self, job: &PoolJob) -> Result<Duration, Refusal> {
        match (self, &job.origin) {
            (Source::Node(local), _) => local.lateness(job),
            (Source::Upstream(upstream), Origin::Upstream(of)) => {
                upstream.refusal(job, of).map_or(Ok(Duration::ZERO), Err)
            }
            // A scenario's own, for as long as it is remembered.
            (Source::Upstream(_), _) => Ok(Duration::ZERO),
        }
    }

    /// When jobs became stale last.
    pub(super) fn since(&self) -> Duration {
        match self {
            Source::Node(local) => local.tips.look().since(),
            Source::Upstream(upstream) => upstream.void_since(),
        }
    }
}
