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
    /// How its merkle roots come to be.
    pub root: Root,
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

/// How a job's merkle roots come to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Root {
    /// Of a coinbase, of which a part is the miner's: another root for each extranonce2.
    Coinbase(SplitCoinbase),
    /// The pool gives the one there is, in internal order; what it pays, nobody here knows.
    Given([u8; 32]),
}

/// A coinbase, but for what is rolled, and its way to the merkle root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SplitCoinbase {
    /// The coinbase transaction without its witness, up to the extranonces.
    pub coinbase1: Vec<u8>,
    /// What the pool puts between, so that no two miners have the same coinbase.
    pub extranonce1: Vec<u8>,
    /// How many bytes the miner puts after that: [`MAX_EXTRANONCE2_SIZE`] at most.
    pub extranonce2_size: usize,
    /// The rest of the coinbase.
    pub coinbase2: Vec<u8>,
    /// The hashes beside the coinbase's way to the merkle root, in internal order, lowest first.
    pub merkle_branches: Vec<[u8; 32]>,
}

/// A job that cannot be worked on.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum JobError {
    /// There is more room to roll than anybody can.
    #[error("extranonce2_size: {0}; expected {MAX_EXTRANONCE2_SIZE} at most")]
    Extranonce2Size(usize),
}

/// What a share must say of itself, beside the header: the tag of the stream's work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The job.
    pub job: Arc<Job>,
    /// The extranonce2 in the coinbase; empty where there is none.
    pub extranonce2: Vec<u8>,
}

impl Origin {
    /// The version bits that a header of this job chose, for a pool that leaves any to the miner.
    pub fn version_bits(&self, header: &Header) -> Option<u32> {
        (self.job.version_mask != 0).then_some(header.version() & self.job.version_mask)
    }
}

impl Job {
    /// The coinbase, where it is known.
    pub fn coinbase(&self) -> Option<&SplitCoinbase> {
        match &self.root {
            Root::Coinbase(coinbase) => Some(coinbase),
            Root::Given(_) => None,
        }
    }

    /// How many bytes of a coinbase are the miner's.
    pub fn extranonce2_size(&self) -> usize {
        self.coinbase().map_or(0, |coinbase| coinbase.extranonce2_size)
    }

    /// The merkle root with this extranonce2, in internal order.
    pub fn merkle_root(&self, extranonce2: &[u8]) -> [u8; 32] {
        match &self.root {
            Root::Coinbase(coinbase) => {
                let hash = sha256d(&coinbase.with(extranonce2));
                let branches = coinbase.merkle_branches.iter();
                branches.fold(hash, |left, right| sha256d(&[left.0, *right].concat())).0
            }
            Root::Given(root) => *root,
        }
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

impl SplitCoinbase {
    /// The whole transaction, without its witness.
    pub fn with(&self, extranonce2: &[u8]) -> Vec<u8> {
        [&self.coinbase1, &self.extranonce1, extranonce2, &self.coinbase2].concat()
    }
}

/// All work of a job. The stream ends only when every header was given, which no machine lives to see where
/// extranonce2 has four bytes or more.
#[derive(Clone, Debug)]
pub struct JobStream {
    job: Arc<Job>,
    /// How many versions each work carries.
    versions_per_work: usize,
    /// How many versions the next work comes after.
    next_version: u64,
    versions: u64,
    /// The bits to be spread over the mask in the first version; in steps of 1 from there, and round.
    first_version: u64,
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
    /// `before` is how many streams there were before: a client that sees a job again, say after a change of difficulty, begins where
    /// nobody searched yet. Streams begin far from each other, at another extranonce2, or where there is none at another version.
    pub fn new(job: Arc<Job>, versions_per_work: usize, before: u128) -> Result<JobStream, JobError> {
        let size = job.extranonce2_size();
        if size > MAX_EXTRANONCE2_SIZE {
            return Err(JobError::Extranonce2Size(size));
        }
        let bits = job.version_mask.count_ones();
        let versions = 1 << bits;
        let first_version = match (size, bits) {
            // Half of all, a quarter, three quarters and so on.
            (0, 1..) => u64::from((before as u32).reverse_bits() >> (32 - bits)),
            _ => 0,
        };
        let ntime = job.ntime;
        let first = (before << (4 * size)) & extranonce2_mask(size);
        let mut stream = JobStream {
            job,
            versions_per_work: versions_per_work.max(1),
            next_version: 0,
            versions,
            first_version,
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
        self.extranonce2.to_le_bytes()[..self.job.extranonce2_size()].to_vec()
    }

    fn roll_extranonce2(&mut self) {
        let mask = extranonce2_mask(self.job.extranonce2_size());
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
        let round = self.versions - 1;
        let versions = (self.next_version..last).map(|i| (self.first_version + i) & round);
        let versions = versions.map(|bits| version ^ spread(bits as u32, version_mask));
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
    u128::MAX.checked_shr(128 - 8 * size as u32).unwrap_or(0)
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
            root: rolling(1),
            version: 0x2000_0000,
            version_mask: 0x0000_6000,
            nbits: 0x207f_ffff,
            ntime: 1_700_000_000,
            ntime_roll: 2,
            target: Target::DIFFICULTY_1,
            session: 0,
        }
    }

    /// With so many bytes of extranonce2.
    fn rolling(extranonce2_size: usize) -> Root {
        Root::Coinbase(SplitCoinbase {
            coinbase1: vec![1, 2, 3],
            extranonce1: vec![4, 5],
            extranonce2_size,
            coinbase2: vec![6],
            merkle_branches: vec![[8; 32]],
        })
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
            let stream = JobStream::new(Arc::new(job()), versions_per_work, 0xf).unwrap();
            let all: Vec<_> = stream
                .flat_map(|(work, origin)| headers(&work).into_iter().map(move |h| (h, origin.clone())))
                .collect();
            assert_eq!(all.len(), 4 * 256 * 3);
            assert_eq!(all.iter().map(|(h, _)| h).collect::<HashSet<_>>().len(), all.len());
            assert_eq!(all[0].0.version(), 0x2000_0000);
            assert_eq!(all[1].0.version(), 0x2000_2000);
            assert_eq!(all[3].1.version_bits(&all[3].0), Some(0x6000));
            assert_eq!([all[0].1.extranonce2[0], all[4].1.extranonce2[0]], [0xf0, 0xf1]);
            assert_eq!(all[16 * 4].1.extranonce2[0], 0);
            assert_eq!([all[1023].0.ntime(), all[1024].0.ntime()], [1_700_000_000, 1_700_000_001]);
        }
    }

    #[test]
    fn where_there_is_no_extranonce2_streams_begin_at_different_versions() {
        for (root, roots) in [(Root::Given([3; 32]), [3; 32]), (rolling(0), job().merkle_root(&[]))] {
            let job = Arc::new(Job { root, ..job() });
            let stream = |before| JobStream::new(Arc::clone(&job), 2, before).unwrap();
            for before in 0..5 {
                let all: Vec<_> = stream(before).flat_map(|(work, _)| headers(&work)).collect();
                assert_eq!(all.iter().collect::<HashSet<_>>().len(), 4 * 3);
                assert!(all.iter().all(|header| header.0[36..68] == roots));
                assert_eq!([all[3].ntime(), all[4].ntime()], [1_700_000_000, 1_700_000_001]);
            }
            let first = [0, 1, 2, 3].map(|before| headers(&stream(before).next().unwrap().0)[0].version());
            assert_eq!(first, [0x2000_0000, 0x2000_4000, 0x2000_2000, 0x2000_6000]);
            let (_, origin) = stream(1).next().unwrap();
            assert!(origin.extranonce2.is_empty());
            // Without versions there is one header a second.
            let fixed = Arc::new(Job { version_mask: 0, ..Job::clone(&job) });
            assert_eq!(JobStream::new(fixed, 4, 7).unwrap().count(), 3);
        }
    }

    #[test]
    fn sizes_that_cannot_be_rolled_are_refused() {
        for size in [17, usize::MAX] {
            let job = Arc::new(Job { root: rolling(size), ..job() });
            assert_eq!(JobStream::new(job, 1, 0).unwrap_err(), JobError::Extranonce2Size(size));
        }
        for size in [1, 2, 3, 8, 16] {
            let job = Arc::new(Job { root: rolling(size), ..job() });
            let (_, origin) = JobStream::new(job, 1, 0).unwrap().next().unwrap();
            assert_eq!(origin.extranonce2, vec![0; size]);
            assert_eq!(
                extranonce2_mask(size),
                u128::from_le_bytes(std::array::from_fn(|i| if i < size { 0xff } else { 0 }))
            );
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
