//! What was given out already, of each block to be.

use super::{Job, JobError, JobStream};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

/// So many blocks to be are known: more than come in an hour, where a pool has new transactions every thirty seconds.
const KNOWN: usize = 256;

/// How far the search of each block to be has come, whatever the jobs are called that it came in.
///
/// A pool may send the same again, say for another difficulty, or after a fault; a miner with several sources comes back to the
/// job that it left; and one that paused goes on. None of them may begin anew.
#[derive(Debug, Default)]
pub struct Searched {
    /// The one that was begun last is the last.
    known: VecDeque<(Subject, Progress)>,
    /// Where each search begins: see [`JobStream`].
    start: u128,
}

/// What jobs have in common whose headers may be the same. Version and ntime are not in it: they are for [`Place`].
#[derive(Debug, PartialEq, Eq)]
struct Subject {
    previous_block_hash: [u8; 32],
    /// With an extranonce2 of zeros.
    merkle_root: [u8; 32],
    extranonce2_size: usize,
    nbits: u32,
}

/// How far a search has come: shared by the streams of jobs with one subject. `None` before its first work.
pub(super) type Progress = Arc<Mutex<Option<Place>>>;

/// The next work to be given out, or what comes after it: of all that comes before it in the order of a stream, everything was given
/// out or never will be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// Wider than a header's, for what comes after the last second.
    pub(super) ntime: u64,
    pub(super) extranonce2: u128,
    /// The version and the mask that `next_version` counts under.
    pub(super) versions: (u32, u32),
    /// The bits to be spread over the mask; in steps of 1 from 0.
    pub(super) next_version: u64,
}

impl Searched {
    /// Nothing yet, and each job's search will begin at this extranonce2, and at the version whose rolled bits are this number's lowest.
    pub fn from_seed(seed: u64) -> Searched {
        Searched { start: seed.into(), ..Searched::default() }
    }

    /// A job's stream, from where the search of the same block to be has come to. With `versions_per_work` versions in each work
    /// where the mask allows it.
    ///
    /// # Errors
    /// The job cannot be worked on.
    pub fn stream(&mut self, job: Arc<Job>, versions_per_work: usize) -> Result<JobStream, JobError> {
        // Refused before anything is made of its size.
        job.check()?;
        let subject = Subject {
            previous_block_hash: job.previous_block_hash,
            merkle_root: job.merkle_root(&vec![0; job.extranonce2_size()]),
            extranonce2_size: job.extranonce2_size(),
            nbits: job.nbits,
        };
        let known = self.known.iter().position(|(known, _)| *known == subject);
        let progress = known.and_then(|known| self.known.remove(known)).map_or_else(Progress::default, |known| known.1);
        self.known.push_back((subject, Arc::clone(&progress)));
        if self.known.len() > KNOWN {
            self.known.pop_front();
        }
        Ok(JobStream::from(job, versions_per_work, progress, self.start))
    }
}

impl Place {
    /// A job's first work.
    pub(super) fn first(job: &Job) -> Place {
        Place { ntime: job.ntime.into(), extranonce2: 0, versions: (job.version, job.version_mask), next_version: 0 }
    }

    /// The first work of a job from here on; `None` where it has none.
    pub(super) fn of(self, job: &Job) -> Option<Place> {
        let mut place = self;
        if place.ntime < job.ntime.into() {
            return Some(Place::first(job));
        }
        if place.versions != (job.version, job.version_mask) {
            // Which versions were given out cannot be told by counting any more.
            if place.next_version > 0 {
                place.roll_extranonce2(job);
            }
            place.versions = (job.version, job.version_mask);
        }
        let last = job.ntime.saturating_add(job.ntime_roll);
        (place.ntime <= last.into()).then_some(place)
    }

    /// Goes on to the next extranonce2, of the next second where all were used; where there is none, to the next second.
    pub(super) fn roll_extranonce2(&mut self, job: &Job) {
        self.next_version = 0;
        if self.extranonce2 == last_extranonce2(job.extranonce2_size()) {
            (self.extranonce2, self.ntime) = (0, self.ntime + 1);
        } else {
            self.extranonce2 += 1;
        }
    }
}

/// The greatest extranonce2 of so many bytes.
fn last_extranonce2(size: usize) -> u128 {
    u128::MAX.checked_shr(128 - 8 * size as u32).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::stream::tests::{headers, job, rolling};
    use crate::job::{Root, SplitCoinbase};
    use std::collections::HashSet;

    /// The first headers of a job's stream.
    fn begun(searched: &mut Searched, job: &Job, works: usize) -> Vec<crate::sha256::Header> {
        let stream = searched.stream(Arc::new(job.clone()), 1).unwrap();
        stream.take(works).flat_map(|(work, _)| headers(&work)).collect()
    }

    /// A job that comes again and again, each time under another name and somehow changed, is begun nowhere twice.
    #[test]
    fn the_same_in_other_jobs_goes_on_until_there_is_no_more() {
        for size in [0, 1, 2] {
            let job = Job { root: rolling(size), version_mask: 0, ntime_roll: 0, ..job() };
            let (mut searched, mut seen) = (Searched::default(), HashSet::new());
            let all = 1 << (8 * size);
            for number in 0..all {
                let again = Job { id: number.to_string(), session: number, ..job.clone() };
                let headers = begun(&mut searched, &again, 1);
                assert!(headers.len() == 1 && seen.insert(headers[0]), "{number} of {size} bytes");
            }
            assert!(begun(&mut searched, &job, 1).is_empty());
            // A later second has them all again, and a second that passed is not gone back to.
            let later = Job { ntime: job.ntime + 1, ..job.clone() };
            assert!(seen.insert(begun(&mut searched, &later, 1)[0]));
            assert!(begun(&mut searched, &job, 1).is_empty());
            let wider = Job { ntime_roll: 5, ..job.clone() };
            assert!(seen.insert(begun(&mut searched, &wider, 1)[0]));
        }
    }

    #[test]
    fn other_masks_and_versions_begin_at_another_extranonce2() {
        let (mut searched, mut seen) = (Searched::default(), HashSet::new());
        for (version, version_mask) in [
            (0x2000_0000, 0x6000),
            (0x2000_0000, 0),
            (0x2000_2000, 0x6000),
            (0x2000_0000, 0x6000),
            (0x2000_0000, 0xe000),
        ] {
            for header in begun(&mut searched, &Job { version, version_mask, ..job() }, 3) {
                assert!(seen.insert(header), "{version:08x}, {version_mask:08x}");
            }
        }
    }

    #[test]
    fn other_blocks_begin_at_their_beginning_and_few_are_known() {
        let mut searched = Searched::default();
        let first = job();
        let begin = |searched: &mut Searched, job: &Job| {
            searched.stream(Arc::new(job.clone()), 4).unwrap().next().unwrap().1.extranonce2[0]
        };
        assert_eq!(begin(&mut searched, &first), 0);
        for number in 0..KNOWN as u32 {
            let coinbase2 = number.to_le_bytes().to_vec();
            let coinbase = SplitCoinbase { coinbase2, ..first.coinbase().unwrap().clone() };
            let other = Job { root: Root::Coinbase(coinbase), ..job() };
            assert_eq!(begin(&mut searched, &other), 0);
            // What is used stays known.
            assert_eq!(u32::from(begin(&mut searched, &first)), (number + 1) % 256);
        }
        assert_eq!(searched.known.len(), KNOWN);
    }

    /// A pool's own root that comes again is searched from the version on that was not given out yet.
    #[test]
    fn where_there_is_no_extranonce2_the_versions_go_on() {
        for root in [Root::Given([3; 32]), rolling(0)] {
            let job = Job { root, ntime_roll: 0, ..job() };
            let mut searched = Searched::default();
            let versions = [0, 1, 2, 3, 4].map(|number: usize| {
                let again = Job { id: number.to_string(), ..job.clone() };
                begun(&mut searched, &again, 1).first().map(crate::sha256::Header::version)
            });
            assert_eq!(versions, [Some(0x2000_0000), Some(0x2000_2000), Some(0x2000_4000), Some(0x2000_6000), None]);
        }
    }

    #[test]
    fn sizes_that_cannot_be_rolled_are_refused() {
        for size in [17, usize::MAX] {
            let job = Arc::new(Job { root: rolling(size), ..job() });
            assert_eq!(Searched::default().stream(job, 1).unwrap_err(), JobError::Extranonce2Size(size));
        }
        for size in [0, 1, 2, 3, 8, 16] {
            let job = Arc::new(Job { root: rolling(size), ..job() });
            let (_, origin) = Searched::default().stream(job, 1).unwrap().next().unwrap();
            assert_eq!(origin.extranonce2, vec![0; size]);
            let all = std::array::from_fn(|i| if i < size { 0xff } else { 0 });
            assert_eq!(last_extranonce2(size), u128::from_le_bytes(all));
        }
    }
}
