//! Which shares came before.

use bitcoin::BlockHash;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// A share that came before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Earlier {
    /// Its number.
    pub(super) number: u64,
    /// Whether it was accepted.
    pub(super) accepted: bool,
    /// When it came; by the calendar, so that it has a meaning after a restart.
    pub(super) time: SystemTime,
}

/// Knows the headers of shares, from whatever connection. A header belongs to one job, as each has a coinbase of its own, and to
/// one session, as extranonce1 is in it too.
pub(super) trait Seen: Send + Sync {
    /// The share of this job that had this header, if any.
    fn find(&self, job: &str, header: BlockHash) -> Option<Earlier>;
    /// Notes a share, unless another had its header: then it says which.
    fn note(&self, job: &str, header: BlockHash, share: Earlier) -> Option<Earlier>;
    /// No share of this job will be accepted any more.
    fn forget(&self, job: &str);
}

/// As long as the pool runs.
#[derive(Debug, Default)]
pub(super) struct Memory {
    jobs: Mutex<HashMap<String, HashMap<BlockHash, Earlier>>>,
}

impl Memory {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, HashMap<BlockHash, Earlier>>> {
        // A panic cannot leave it half-written.
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen for Memory {
    fn find(&self, job: &str, header: BlockHash) -> Option<Earlier> {
        self.lock().get(job)?.get(&header).copied()
    }

    fn note(&self, job: &str, header: BlockHash, share: Earlier) -> Option<Earlier> {
        match self.lock().entry(job.to_owned()).or_default().entry(header) {
            Entry::Occupied(earlier) => Some(*earlier.get()),
            Entry::Vacant(free) => {
                free.insert(share);
                None
            }
        }
    }

    fn forget(&self, job: &str) {
        self.lock().remove(job);
    }
}
