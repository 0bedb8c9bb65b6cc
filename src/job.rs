//! A pool's job as an endless stream of [`Work`].
//!
//! A header has 2^32 nonces, which a fast device empties in under a second, so the stream must never end and never be
//! slow. What changes from header to header, cheapest first:
//!
//! 1. the version's bits that the pool leaves to the miner (BIP 310): only the midstate changes;
//! 2. extranonce2: the coinbase changes, and with it the merkle root;
//! 3. ntime, one second at a time, as far as the pool allows; then extranonce2 begins again.
//!
//! Each combination comes once, so no header is ever searched twice.

use crate::sha256::{Hash, Header, sha256d};
use crate::work::{NonceRange, Work};
use midstate_stratum::Target;
use std::sync::Arc;
use thiserror::Error;

/// The longest extranonce2 that is rolled: pools are seen with 2 to 16 bytes.
pub const MAX_EXTRANONCE2_SIZE: usize = 16;

/// A block to be, but for what the miner chooses. Byte strings are as they are hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// The pool's name for it: any string.
    pub id: String,
    /// The block to build on, in internal order.
    pub previous_block_hash: [u8; 32],
    /// The coinbase transaction without its witness, up to the extranonces.
    pub coinbase1: Vec<u8>,
    /// What the pool puts between, so that no two miners have the same coinbase.
    pub extranonce1: Vec<u8>,
    /// How many bytes the miner puts after that: 1 to [`MAX_EXTRANONCE2_SIZE`].
    pub extranonce2_size: usize,
    /// The rest of the coinbase.
    pub coinbase2: Vec<u8>,
    /// The hashes beside the coinbase's way to the merkle root, in internal order, lowest first.
    pub merkle_branches: Vec<[u8; 32]>,
    /// The version, with the pool's bits where the mask has ones.
    pub version: u32,
    /// Which version bits the miner may choose (BIP 320: `0x1fffe000`). 0 for none.
    pub version_mask: u32,
    /// The block's compact target.
    pub nbits: u32,
    /// The earliest time, in seconds since 1970.
    pub ntime: u32,
    /// How many seconds later than that a header may be.
    pub ntime_roll: u32,
    /// What a share must meet.
    pub target: Target,
    /// In which of the upstream's sessions it came: there its shares go. Each session has another number, above 0.
    pub session: u64,
}

/// A job that cannot be worked on.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum JobError {
    /// There is no room to roll, or more than anybody can.
    #[error("extranonce2_size: {0}; expected 1 to {MAX_EXTRANONCE2_SIZE}")]
    Extranonce2Size(usize),
}

/// What a share must say of itself, beside the header: the tag of the stream's work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The job.
    pub job: Arc<Job>,
    /// The extranonce2 in the coinbase.
    pub extranonce2: Vec<u8>,
}

impl Origin {
    /// The version bits that a header of this job chose, for a pool that leaves any to the miner.
    pub fn version_bits(&self, header: &Header) -> Option<u32> {
        (self.job.version_mask != 0).then_some(header.version() & self.job.version_mask)
    }
}

impl Job {
    /// The merkle root with this extranonce2, in internal order.
    pub fn merkle_root(&self, extranonce2: &[u8]) -> [u8; 32] {
        let coinbase = [&self.coinbase1, &self.extranonce1, extranonce2, &self.coinbase2].concat();
        self.merkle_branches.iter().fold(sha256d(&coinbase), |left, right| sha256d(&[left.0, *right].concat())).0
    }

    /// The header with these choices, and nonce 0.
    pub fn header(&self, merkle_root: &[u8; 32], ntime: u32) -> Header {
        let mut header = [0; 80];
        header[..4].copy_from_slice(&self.version.to_le_bytes());
        header[4..36].copy_from_slice(&self.previous_block_hash);
        header[36..68].copy_from_slice(merkle_root);
        header[68..72].copy_from_slice(&ntime.to_le_bytes());
        header[72..76].copy_from_slice(&self.nbits.to_le_bytes());
        Header(header)
    }
}

/// All work of a job. The stream ends only when every header was given, which no machine lives to see where
/// extranonce2 has four bytes or more.
#[derive(Clone, Debug)]
pub struct JobStream {
    job: Arc<Job>,
    /// How many versions each work carries.
    versions_per_work: usize,
    /// The bits to be spread over the mask, for the next work; in steps of 1 from 0.
    next_version: u64,
    versions: u64,
    extranonce2: u128,
    /// The extranonce2 that the ntime began with: once it comes round again, a second has passed.
    first_extranonce2: u128,
    ntime: u32,
    merkle_root: [u8; 32],
    ended: bool,
}

impl JobStream {
    /// The stream of a job, with `versions_per_work` versions in each work where the mask allows it.
    ///
    /// `first_extranonce2` is where to begin, cut to the job's size: a client that sees a job again, say after a change
    /// of difficulty, begins where nobody searched yet.
    pub fn new(job: Arc<Job>, versions_per_work: usize, first_extranonce2: u128) -> Result<JobStream, JobError> {
        if !(1..=MAX_EXTRANONCE2_SIZE).contains(&job.extranonce2_size) {
            return Err(JobError::Extranonce2Size(job.extranonce2_size));
        }
        let versions = 1 << job.version_mask.count_ones();
        let ntime = job.ntime;
        let first = first_extranonce2 & extranonce2_mask(job.extranonce2_size);
        let mut stream = JobStream {
            job,
            versions_per_work: versions_per_work.max(1),
            next_version: 0,
            versions,
            extranonce2: first,
            first_extranonce2: first,
            ntime,
            merkle_root: [0; 32],
            ended: false,
        };
        stream.merkle_root = stream.job.merkle_root(&stream.extranonce2_bytes());
        Ok(stream)
    }

    fn extranonce2_bytes(&self) -> Vec<u8> {
        self.extranonce2.to_le_bytes()[..self.job.extranonce2_size].to_vec()
    }

    fn roll_extranonce2(&mut self) {
        let mask = extranonce2_mask(self.job.extranonce2_size);
        self.extranonce2 = self.extranonce2.wrapping_add(1) & mask;
        if self.extranonce2 == self.first_extranonce2 {
            // All of them were used with this time.
            match self.ntime.checked_add(1) {
                Some(ntime) if ntime - self.job.ntime <= self.job.ntime_roll => self.ntime = ntime,
                _ => self.ended = true,
            }
        }
        self.merkle_root = self.job.merkle_root(&self.extranonce2_bytes());
    }
}

impl Iterator for JobStream {
    type Item = (Work, Origin);

    fn next(&mut self) -> Option<(Work, Origin)> {
        if self.ended {
            return None;
        }
        let Job { version, version_mask, .. } = *self.job;
        let last = (self.next_version + self.versions_per_work as u64).min(self.versions);
        // The pool's own bits come first: counting is from them on, so unrolled work is the job as it was sent.
        let versions = (self.next_version..last).map(|i| version ^ spread(i as u32, version_mask));
        let header = self.job.header(&self.merkle_root, self.ntime);
        let work = Work::with_versions(header, versions, NonceRange::ALL, self.job.target);
        let origin = Origin { job: Arc::clone(&self.job), extranonce2: self.extranonce2_bytes() };
        self.next_version = last;
        if last == self.versions {
            self.next_version = 0;
            self.roll_extranonce2();
        }
        Some((work, origin))
    }
}

fn extranonce2_mask(size: usize) -> u128 {
    u128::MAX >> (128 - 8 * size as u32)
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

/// What a share is, on its way from the engine to the pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// The job and the extranonce2.
    pub origin: Origin,
    /// The whole header.
    pub header: Header,
    /// Its hash.
    pub hash: Hash,
    /// Which of the engine's backends found it, by index.
    pub worker: usize,
}

impl Share {
    /// Whether it meets its own header's target.
    pub fn is_block(&self) -> bool {
        Target::from_compact(self.header.nbits()).is_ok_and(|target| target.is_met_by(&self.hash.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn job() -> Job {
        Job {
            id: "1".to_owned(),
            previous_block_hash: [7; 32],
            coinbase1: vec![1, 2, 3],
            extranonce1: vec![4, 5],
            extranonce2_size: 1,
            coinbase2: vec![6],
            merkle_branches: vec![[8; 32]],
            version: 0x2000_0000,
            version_mask: 0x0000_6000,
            nbits: 0x207f_ffff,
            ntime: 1_700_000_000,
            ntime_roll: 2,
            target: Target::DIFFICULTY_1,
            session: 0,
        }
    }

    /// Every header of a work, with nonce 0.
    fn headers(work: &Work) -> Vec<Header> {
        (0..work.midstates().len())
            .filter_map(|version| work.header(crate::work::Candidate { version, nonce: 0 }))
            .collect()
    }

    #[test]
    fn every_header_comes_once_in_the_order_version_extranonce2_ntime() {
        for versions_per_work in [1, 3, 4, 100] {
            let stream = JobStream::new(Arc::new(job()), versions_per_work, 0xfe).unwrap();
            let all: Vec<_> = stream
                .flat_map(|(work, origin)| headers(&work).into_iter().map(move |h| (h, origin.clone())))
                .collect();
            assert_eq!(all.len(), 4 * 256 * 3);
            assert_eq!(all.iter().map(|(h, _)| h).collect::<HashSet<_>>().len(), all.len());
            assert_eq!(all[0].0.version(), 0x2000_0000);
            assert_eq!(all[1].0.version(), 0x2000_2000);
            assert_eq!(all[3].1.version_bits(&all[3].0), Some(0x6000));
            assert_eq!([all[0].1.extranonce2[0], all[4].1.extranonce2[0]], [0xfe, 0xff]);
            assert_eq!(all[8].1.extranonce2[0], 0);
            assert_eq!([all[1023].0.ntime(), all[1024].0.ntime()], [1_700_000_000, 1_700_000_001]);
        }
    }

    #[test]
    fn sizes_that_cannot_be_rolled_are_refused() {
        for size in [0, 17, usize::MAX] {
            let job = Arc::new(Job { extranonce2_size: size, ..job() });
            assert_eq!(JobStream::new(job, 1, 0).unwrap_err(), JobError::Extranonce2Size(size));
        }
        for size in [1, 2, 3, 8, 16] {
            let job = Arc::new(Job { extranonce2_size: size, ..job() });
            let (_, origin) = JobStream::new(job, 1, u128::MAX).unwrap().next().unwrap();
            assert_eq!(origin.extranonce2, vec![0xff; size]);
        }
    }

    #[test]
    fn without_a_mask_the_version_is_the_jobs() {
        let stream = JobStream::new(Arc::new(Job { version_mask: 0, ..job() }), 4, 0).unwrap();
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
