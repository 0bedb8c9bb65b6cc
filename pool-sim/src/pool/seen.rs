//! Which shares came before.

use super::accounts::Headers;
use bitcoin::BlockHash;
use bitcoin::hashes::Hash;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

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
    jobs: Mutex<Jobs>,
}

type Jobs = HashMap<String, HashMap<Half, Packed>>;

/// The lower half of a header's hash: two that agree in it cost 2^64 hashes, and the second is refused.
type Half = [u8; 16];

fn half(header: BlockHash) -> Half {
    std::array::from_fn(|at| header.as_byte_array()[at])
}

/// An earlier share in sixteen bytes: there may be millions.
#[derive(Clone, Copy, Debug)]
struct Packed {
    /// Its number, and in the lowest bit whether it was accepted.
    number: u64,
    /// Milliseconds since 1970.
    time: u64,
}

impl Packed {
    fn new(Earlier { number, accepted, time }: Earlier) -> Packed {
        let time = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
        Packed { number: number << 1 | u64::from(accepted), time }
    }

    fn unpack(self) -> Earlier {
        let time = UNIX_EPOCH + Duration::from_millis(self.time);
        Earlier { number: self.number >> 1, accepted: self.number & 1 == 1, time }
    }
}

impl Memory {
    pub(super) fn new(before: Box<dyn Headers>) -> Memory {
        Memory { before, jobs: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Jobs> {
        // A panic cannot leave it half-written.
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen for Memory {
    fn find(&self, job: &str, header: BlockHash) -> Option<Earlier> {
        let earlier = self.lock().get(job).and_then(|headers| headers.get(&half(header)).copied());
        // The store has no shares but accepted ones.
        let stored = || self.before.find(header).map(|(number, time)| Earlier { number, accepted: true, time });
        earlier.map(Packed::unpack).or_else(stored)
    }

    fn note(&self, job: &str, header: BlockHash, share: Earlier) -> Option<Earlier> {
        match self.lock().entry(job.to_owned()).or_default().entry(half(header)) {
            Entry::Occupied(earlier) => Some(earlier.get().unpack()),
            Entry::Vacant(free) => {
                free.insert(Packed::new(share));
                None
            }
        }
    }

    fn refuse(&self, job: &str, header: BlockHash) {
        if let Some(share) = self.lock().get_mut(job).and_then(|headers| headers.get_mut(&half(header))) {
            share.number &= !1;
        }
    }

    fn forget(&self, job: &str) {
        self.lock().remove(job);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_packed_is_as_it_was_to_the_millisecond(number in 0..u64::MAX >> 1, accepted: bool, millis in 0..1u64 << 42) {
            let earlier = Earlier { number, accepted, time: UNIX_EPOCH + Duration::from_millis(millis) };
            prop_assert_eq!(Packed::new(earlier).unpack(), earlier);
        }
    }
}
