//! What is left of a session whose connection failed: a pool may know it again.

use crate::job::Share;
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

/// For so long a session can be resumed. After it a share on its last job is hardly worth the search: blocks come every ten minutes.
const KEPT: Duration = Duration::from_secs(60);
/// So many attempts to resume may end without an answer. Some pools hang up on what they do not know.
const ATTEMPTS: u32 = 2;

/// A session that may be resumed, and the shares that wait for it.
#[derive(Debug)]
pub(super) struct Kept {
    /// What the pool calls it.
    pub(super) name: String,
    extranonce1: Vec<u8>,
    extranonce2_size: usize,
    until: Instant,
    attempts: u32,
    /// Shares of its jobs that were never sent, the oldest first. The miner brakes long before they are many.
    pub(super) held: VecDeque<Share>,
}

impl Kept {
    /// Of a session that ended just now, with what its jobs were made of.
    pub(super) fn new(name: String, (extranonce1, extranonce2_size): (Vec<u8>, usize)) -> Kept {
        let until = Instant::now() + KEPT;
        Kept { name, extranonce1, extranonce2_size, until, attempts: 0, held: VecDeque::new() }
    }

    /// When it is too late.
    pub(super) fn until(&self) -> Instant {
        self.until
    }

    /// Whether a session with this extranonce1 and this size of extranonce2 is the same for a share: only then is its coinbase what
    /// the pool puts together.
    pub(super) fn is(&self, (extranonce1, extranonce2_size): (&[u8], usize)) -> bool {
        (&*self.extranonce1, self.extranonce2_size) == (extranonce1, extranonce2_size)
    }

    /// Whether a share is of one of its jobs.
    pub(super) fn owns(&self, share: &Share) -> bool {
        let job = &share.origin.job;
        self.is((&job.extranonce1, job.extranonce2_size))
    }

    /// Notes an attempt that had no answer, and says whether there should be another.
    pub(super) fn may_be_tried_again(&mut self) -> bool {
        self.attempts += 1;
        self.attempts < ATTEMPTS
    }
}
