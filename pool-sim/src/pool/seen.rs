//! Which shares came before.

use super::accounts::Headers;
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
/// one session, as extranonce1 is in it too. Jobs that repeat an upstream's count as one: their family.
pub(super) trait Seen: Send + Sync {
    /// The share of this job that had this header, if any.
    fn find(&self, job: &str, header: BlockHash) -> Option<Earlier>;
    /// Notes a share, unless another had its header: then it says which.
    fn note(&self, job: &str, header: BlockHash, share: Earlier) -> Option<Earlier>;
    /// A share that was noted as accepted is not: its upstream refused it.
    fn refuse(&self, job: &str, header: BlockHash);
    /// No share of this job will be accepted any more.
    fn forget(&self, job: &str);
}

/// Remembers as long as the pool runs, and asks the store for what came before.
#[derive(Debug)]
pub(super) struct Memory {
    before: Box<dyn Headers>,
    jobs: Mutex<HashMap<String, HashMap<BlockHash, Earlier>>>,
}

impl Memory {
    pub(super) fn new(before: Box<dyn Headers>) -> Memory {
        Memory { before, jobs: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, HashMap<BlockHash, Earlier>>> {
        // A panic cannot leave it half-written.
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen for Memory {
    fn find(&self, job: &str, header: BlockHash) -> Option<Earlier> {
        let earlier = self.lock().get(job).and_then(|headers| headers.get(&header).copied());
        // The store has no shares but accepted ones.
        let stored = || self.before.find(header).map(|(number, time)| Earlier { number, accepted: true, time });
        earlier.or_else(stored)
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

    fn refuse(&self, job: &str, header: BlockHash) {
        if let Some(share) = self.lock().get_mut(job).and_then(|headers| headers.get_mut(&header)) {
            share.accepted = false;
        }
    }

    fn forget(&self, job: &str) {
        self.lock().remove(job);
    }
}
