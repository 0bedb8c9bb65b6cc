//! What a proxy tells of its upstream.

use midstate_stratum::Difficulty;
use midstate_stratum::message::RpcError;
use std::time::Duration;

/// What happens between a proxy and its upstream.
#[derive(Clone, Debug)]
pub enum UpstreamEvent {
    /// It takes the proxy as its miner.
    Connected {
        /// Where it is.
        url: String,
        /// Whether it goes on with the session that there was before.
        resumed: bool,
        /// What it puts before extranonce2.
        extranonce1: Vec<u8>,
        /// How many bytes extranonce2 has.
        extranonce2_size: usize,
        /// The version bits that may be rolled.
        mask: u32,
    },
    /// It has a new job.
    Job {
        /// The proxy's name for it.
        id: String,
        /// The upstream's.
        upstream_id: String,
        /// What the upstream pays for.
        difficulty: Difficulty,
    },
    /// It has another difficulty, for the job that follows.
    Difficulty(Difficulty),
    /// It has another extranonce1, for the job that follows.
    Extranonce {
        /// Which.
        extranonce1: Vec<u8>,
        /// How many bytes extranonce2 has.
        extranonce2_size: usize,
    },
    /// Other version bits may be rolled.
    VersionMask(u32),
    /// A share was handed on, and this is its word.
    Share {
        /// The proxy's number of the share.
        number: u64,
        /// The upstream's name for its job.
        upstream_id: String,
        /// Its word.
        verdict: UpstreamVerdict,
        /// How long that took.
        after: Duration,
    },
    /// It says something to people.
    Message(String),
    /// It sent what cannot be read, or what is not done. The connection goes on.
    Unreadable(String),
    /// Its connection ended, or did not begin.
    Lost {
        /// Why.
        reason: String,
        /// When the next attempt is due.
        retry: Duration,
    },
}

/// An upstream's word on a share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpstreamVerdict {
    /// It is accepted.
    Accepted,
    /// It is not.
    Refused(RpcError),
    /// The connection ended before.
    Lost,
}
