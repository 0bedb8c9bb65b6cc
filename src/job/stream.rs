//! A job's work, one header after the other.

use super::searched::{Place, Progress};
use super::{Job, JobError, Origin};
use crate::work::{NonceRange, Work};
use std::sync::{Arc, PoisonError};

/// All work of a job. The stream ends only when every header was given, which no machine lives to see where
/// extranonce2 has four bytes or more. Its clones go on where it stands.
#[derive(Clone, Debug)]
pub struct JobStream {
    job: Arc<Job>,
    /// How many versions each work carries.
    versions_per_work: u64,
    progress: Progress,
    /// What the counted extranonce2s and versions are turned by.
    start: u128,
    /// The last extranonce2, and its merkle root.
    merkle_root: Option<(u128, [u8; 32])>,
}

impl JobStream {
    /// The stream of a job from its beginning, with `versions_per_work` versions in each work where the mask allows it.
    ///
    /// # Errors
    /// The job cannot be worked on.
    pub fn new(job: Arc<Job>, versions_per_work: usize) -> Result<JobStream, JobError> {
        job.check()?;
        Ok(JobStream::from(job, versions_per_work, Progress::default(), 0))
    }

    /// The stream of a job that can be worked on, from where the search has come to. Its extranonce2s and versions have those bits
    /// the other way that are set in `start`: still each comes once.
    pub(super) fn from(job: Arc<Job>, versions_per_work: usize, progress: Progress, start: u128) -> JobStream {
        JobStream { job, versions_per_work: versions_per_work.max(1) as u64, progress, start, merkle_root: None }
    }

    /// Whether every header was given.
    pub fn has_ended(&self) -> bool {
        let place = *self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        place.is_some_and(|place| place.of(&self.job).is_none())
    }

    /// The next work's place. The progress is then beyond it.
    fn advance(&self) -> Option<(Place, std::ops::Range<u64>)> {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        let place = progress.map_or(Some(Place::first(&self.job)), |place| place.of(&self.job))?;
        let versions = 1 << self.job.version_mask.count_ones();
        let last = (place.next_version + self.versions_per_work).min(versions);
        let mut next = Place { next_version: last, ..place };
        if last == versions {
            next.roll_extranonce2(&self.job);
        }
        *progress = Some(next);
        Some((place, place.next_version..last))
    }

    fn merkle_root(&mut self, extranonce2: u128, bytes: &[u8]) -> [u8; 32] {
        match self.merkle_root {
            Some((known, root)) if known == extranonce2 => root,
            _ => self.merkle_root.insert((extranonce2, self.job.merkle_root(bytes))).1,
        }
    }
}

impl Iterator for JobStream {
    type Item = (Work, Origin);

    fn next(&mut self) -> Option<(Work, Origin)> {
        let (Place { ntime, extranonce2: number, .. }, versions) = self.advance()?;
        let extranonce2 = (number ^ self.start).to_le_bytes()[..self.job.extranonce2_size()].to_vec();
        let merkle_root = self.merkle_root(number, &extranonce2);
        let Job { version, version_mask, .. } = *self.job;
        // The pool's own bits come first: counting is from them on, so without a start unrolled work is the job as it was sent.
        let start = self.start as u32;
        let versions = versions.map(|i| version ^ spread(i as u32 ^ start, version_mask));
        // No place is beyond the last second that a header can have.
        let header = self.job.header(&merkle_root, ntime as u32);
        let work = Work::with_versions(header, versions, NonceRange::ALL, self.job.target);
        Some((work, Origin { job: Arc::clone(&self.job), extranonce2 }))
    }
}

/// The low bits of `count`, put one by one where `mask` has ones.
fn spread(mut count: u32, mut mask: u32) -> u32 {
    let mut spread = 0;
    while mask != 0 {
        let lowest = mask & mask.wrapping_neg();
        if count & 1 == 1 {
            spread |= lowest;
        }
        count >>= 1;
        mask ^= lowest;
    }
    spread
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::job::{Root, SplitCoinbase};
    use crate::sha256::Header;
    use midstate_stratum::Target;
    use proptest::prelude::*;
    use std::collections::HashSet;

    pub(in crate::job) fn job() -> Job {
        Job {
            id: "1".to_owned(),
            previous_block_hash: [7; 32],
            root: rolling(1),
            version: 0x2000_0000,
            version_mask: 0x0000_6000,
            nbits: 0x207f_ffff,
            ntime: 1_700_000_000,
            ntime_roll: 2,
            target: Target::DIFFICULTY_1,
            session: 0,
            channel: None,
        }
    }

    /// With so many bytes of extranonce2.
    pub(in crate::job) fn rolling(extranonce2_size: usize) -> Root {
        Root::Coinbase(SplitCoinbase {
            coinbase1: vec![1, 2, 3],
            extranonce1: vec![4, 5],
            extranonce2_size,
            coinbase2: vec![6],
            merkle_branches: vec![[8; 32]],
        })
    }

    /// Every header of a work, with nonce 0.
    pub(in crate::job) fn headers(work: &Work) -> Vec<Header> {
        (0..work.midstates().len())
            .filter_map(|version| work.header(crate::work::Candidate { version, nonce: 0 }))
            .collect()
    }

    #[test]
    fn every_header_comes_once_in_the_order_version_extranonce2_ntime() {
        for versions_per_work in [1, 3, 4, 100] {
            let stream = JobStream::new(Arc::new(job()), versions_per_work).unwrap();
            let works = stream.clone();
            assert!(!stream.has_ended());
            let all: Vec<_> =
                works.flat_map(|(work, origin)| headers(&work).into_iter().map(move |h| (h, origin.clone()))).collect();
            assert!(stream.has_ended());
            assert_eq!(all.len(), 4 * 256 * 3);
            assert_eq!(all.iter().map(|(h, _)| h).collect::<HashSet<_>>().len(), all.len());
            assert_eq!(all[0].0.version(), 0x2000_0000);
            assert_eq!(all[1].0.version(), 0x2000_2000);
            assert_eq!(all[3].1.version_bits(&all[3].0), Some(0x6000));
            assert_eq!([all[0].1.extranonce2[0], all[4].1.extranonce2[0]], [0, 1]);
            assert_eq!(all[1023].1.extranonce2[0], 0xff);
            assert_eq!([all[1023].0.ntime(), all[1024].0.ntime()], [1_700_000_000, 1_700_000_001]);
        }
    }

    #[test]
    fn where_there_is_no_extranonce2_each_second_has_the_versions() {
        for (root, merkle_root) in [(Root::Given([3; 32]), [3; 32]), (rolling(0), job().merkle_root(&[]))] {
            let job = Job { root, ..job() };
            let stream = JobStream::new(Arc::new(job.clone()), 2).unwrap();
            let all: Vec<_> = stream
                .flat_map(|(work, origin)| {
                    assert!(origin.extranonce2.is_empty());
                    headers(&work)
                })
                .collect();
            assert_eq!(all.iter().collect::<HashSet<_>>().len(), 4 * 3);
            assert!(all.iter().all(|header| header.0[36..68] == merkle_root));
            assert_eq!([all[3].ntime(), all[4].ntime()], [1_700_000_000, 1_700_000_001]);
            // Without versions there is one header a second.
            let fixed = Arc::new(Job { version_mask: 0, ..job });
            assert_eq!(JobStream::new(fixed, 4).unwrap().count(), 3);
        }
    }

    #[test]
    fn no_second_comes_after_the_last() {
        let job = Job { ntime: u32::MAX - 1, ntime_roll: 600, ..job() };
        let times: HashSet<_> = JobStream::new(Arc::new(job), 4)
            .unwrap()
            .flat_map(|(work, _)| headers(&work))
            .map(|header| header.ntime())
            .collect();
        assert_eq!(times, HashSet::from([u32::MAX - 1, u32::MAX]));
    }

    #[test]
    fn without_a_mask_the_version_is_the_jobs() {
        let stream = JobStream::new(Arc::new(Job { version_mask: 0, ..job() }), 4).unwrap();
        for (work, origin) in stream.take(10) {
            assert_eq!(headers(&work).len(), 1);
            assert_eq!(headers(&work)[0].version(), 0x2000_0000);
            assert_eq!(origin.version_bits(&headers(&work)[0]), None);
        }
    }

    proptest! {
        #[test]
        fn spreading_stays_in_the_mask_and_is_one_to_one(mask: u32, a in 0u32..1000, b in 0u32..1000) {
            let values = 1u64 << mask.count_ones();
            prop_assume!(u64::from(a) < values && u64::from(b) < values);
            prop_assert_eq!(spread(a, mask) & !mask, 0);
            prop_assert_eq!(spread(a, mask) == spread(b, mask), a == b);
        }
    }
}
