//! What is left of a session whose connection failed: a pool may know it again.

use crate::job::Share;
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

/// For so long a session can be resumed. After it a share on its last job is hardly worth the search: blocks come every ten minutes.
const KEPT: Duration = Duration::from_secs(60);

/// A session that may be resumed, and the shares that wait for it.
#[derive(Debug)]
pub(super) struct Kept {
    /// What the upstream calls it.
    pub(super) number: u64,
    /// What the pool calls it.
    name: String,
    extranonce1: Vec<u8>,
    extranonce2_size: usize,
    until: Instant,
    asked_for: bool,
    /// Shares of its jobs that were never sent, the oldest first. The miner brakes long before they are many.
    pub(super) held: VecDeque<Share>,
}

impl Kept {
    /// Of a session that ended just now, with what its jobs were made of.
    pub(super) fn new(number: u64, name: String, (extranonce1, extranonce2_size): (Vec<u8>, usize)) -> Kept {
        let until = Instant::now() + KEPT;
        Kept { number, name, extranonce1, extranonce2_size, until, asked_for: true, held: VecDeque::new() }
    }

    /// When it is too late.
    pub(super) fn until(&self) -> Instant {
        self.until
    }

    /// Whether a session with this extranonce1 and this size of extranonce2 is the same for its shares: only then is their coinbase
    /// what the pool puts together.
    pub(super) fn is(&self, (extranonce1, extranonce2_size): (&[u8], usize)) -> bool {
        (&*self.extranonce1, self.extranonce2_size) == (extranonce1, extranonce2_size)
    }

    /// Whether a share is of one of its jobs.
    pub(super) fn owns(&self, share: &Share) -> bool {
        share.origin.job.session == self.number
    }

    /// What to ask the pool for.
    pub(super) fn asked_for(&self) -> Option<&str> {
        self.asked_for.then_some(&self.name)
    }

    /// Notes that the pool gave no answer. Some hang up on a session that they do not know, so the next attempt does not ask for it; and
    /// some are not there at all, so the one after it does.
    pub(super) fn unanswered(&mut self) {
        self.asked_for = !self.asked_for;
    }
}
