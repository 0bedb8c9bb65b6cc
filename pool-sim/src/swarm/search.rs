//! Finds shares: a few threads for all miners, at no more hashes a second than allowed.

use bitcoin::hashes::{Hash, HashEngine, sha256, sha256d};
use midstate_stratum::message::Notify;
use midstate_stratum::{CompactError, Difficulty, Target};
use std::io;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// So many hashes are made before a thread looks whether they are still wanted: a millisecond's work or less.
const SLICE: u64 = 2048;

/// What a share should be beside a share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Want {
    /// No block: on regtest every second hash is one, and each would be a new tip.
    NoBlock,
    /// A block.
    Block,
    /// Whatever comes.
    Any,
}

/// A job for one extranonce: what the nonces of its header are tried on.
#[derive(Clone, Debug)]
pub(super) struct Work {
    pub(super) job_id: String,
    pub(super) extranonce2: Vec<u8>,
    pub(super) ntime: u32,
    pub(super) version: u32,
    /// Of the header's first 64 bytes.
    midstate: sha256::Midstate,
    /// The header's last bytes without the nonce.
    tail: [u8; 12],
    share: Target,
    block: Target,
}

impl Work {
    /// Makes the header of a job, and its first half's hash.
    pub(super) fn new(
        job: Notify,
        extranonce1: &[u8],
        extranonce2: &[u8],
        difficulty: Difficulty,
    ) -> Result<Work, CompactError> {
        let block = Target::from_compact(job.nbits)?;
        let coinbase = [&job.coinbase1, extranonce1, extranonce2, &job.coinbase2].concat();
        let mut root = sha256d::Hash::hash(&coinbase).to_byte_array();
        for branch in &job.merkle_branches {
            root = sha256d::Hash::hash(&[root, *branch].concat()).to_byte_array();
        }
        let start = [&job.version.to_le_bytes()[..], &job.previous_block_hash, &root[..28]].concat();
        let mut engine = sha256::HashEngine::default();
        engine.input(&start);
        let mut tail = [0; 12];
        tail[..4].copy_from_slice(&root[28..]);
        tail[4..8].copy_from_slice(&job.ntime.to_le_bytes());
        tail[8..].copy_from_slice(&job.nbits.to_le_bytes());
        Ok(Work {
            job_id: job.job_id,
            extranonce2: extranonce2.to_vec(),
            ntime: job.ntime,
            version: job.version,
            midstate: engine.midstate(),
            tail,
            share: difficulty.to_target(),
            block,
        })
    }

    /// The mean number of hashes, if there can be one.
    pub(super) fn hashes(&self, want: Want) -> Option<f64> {
        let part = |target: Target| (65535.0 * 2f64.powi(-48) / target.difficulty()).min(1.0);
        let (share, block) = (part(self.share), part(self.block));
        let part = match want {
            Want::NoBlock => share - block,
            Want::Block => share.min(block),
            Want::Any => share,
        };
        (part > 0.0).then(|| 1.0 / part)
    }

    fn is_found(&self, nonce: u32, want: Want) -> bool {
        let mut engine = sha256::HashEngine::from_midstate(self.midstate, 64);
        engine.input(&self.tail);
        engine.input(&nonce.to_le_bytes());
        let hash = sha256::Hash::from_engine(engine).hash_again().to_byte_array();
        self.share.is_met_by(&hash)
            && match want {
                Want::NoBlock => !self.block.is_met_by(&hash),
                Want::Block => self.block.is_met_by(&hash),
                Want::Any => true,
            }
    }
}

struct Request {
    work: Arc<Work>,
    from: u32,
    want: Want,
    reply: oneshot::Sender<u32>,
}

/// The threads. They end when this is dropped.
pub(super) struct Search {
    requests: mpsc::Sender<Request>,
}

impl Search {
    pub(super) fn start(threads: usize, max_hashes_per_second: f64) -> io::Result<Search> {
        let (requests, receiver) = mpsc::channel();
        let receiver = Arc::new(Mutex::new(receiver));
        let budget = Arc::new(Budget { a_hash: 1.0 / max_hashes_per_second, next: Mutex::new(Instant::now()) });
        for _ in 0..threads.max(1) {
            let (receiver, budget) = (Arc::clone(&receiver), Arc::clone(&budget));
            thread::Builder::new().name("search".to_owned()).spawn(move || serve(&receiver, &budget))?;
        }
        Ok(Search { requests })
    }

    /// Tries nonces from one on. If what is returned is dropped, so is the search. It fails where no nonce is left.
    pub(super) fn find(&self, work: Arc<Work>, from: u32, want: Want) -> oneshot::Receiver<u32> {
        let (reply, found) = oneshot::channel();
        // The threads live as long as this; and a lost request's reply fails.
        let _ = self.requests.send(Request { work, from, want, reply });
        found
    }
}

fn serve(requests: &Mutex<mpsc::Receiver<Request>>, budget: &Budget) {
    loop {
        let request = requests.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(request) = request else { return };
        if let Some(nonce) = search(&request, budget) {
            // The miner may have another job by now.
            let _ = request.reply.send(nonce);
        }
    }
}

fn search(Request { work, from, want, reply }: &Request, budget: &Budget) -> Option<u32> {
    let mut tried = 0u64;
    while tried < 1 << 32 && !reply.is_closed() {
        budget.wait();
        let found = (tried..tried + SLICE).find(|n| work.is_found(from.wrapping_add(*n as u32), *want));
        budget.spend(found.map_or(SLICE, |n| n + 1 - tried));
        if let Some(n) = found {
            return Some(from.wrapping_add(n as u32));
        }
        tried += SLICE;
    }
    None
}

/// How many hashes all threads may make.
struct Budget {
    /// Seconds.
    a_hash: f64,
    /// When the next may be made.
    next: Mutex<Instant>,
}

impl Budget {
    fn wait(&self) {
        let next = *self.next.lock().unwrap_or_else(PoisonError::into_inner);
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }

    fn spend(&self, hashes: u64) {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        // What was not used is lost.
        *next = (*next).max(Instant::now()) + Duration::from_secs_f64(hashes as f64 * self.a_hash);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitcoin::block::Header;
    use bitcoin::consensus::deserialize;
    use proptest::prelude::*;

    fn job(nbits: u32, branches: Vec<[u8; 32]>) -> Notify {
        Notify {
            job_id: "1".to_owned(),
            previous_block_hash: [7; 32],
            coinbase1: vec![1; 40],
            coinbase2: vec![2; 60],
            merkle_branches: branches,
            version: 0x2000_0000,
            nbits,
            ntime: 0x6500_0000,
            clean_jobs: true,
        }
    }

    /// The header as the `bitcoin` crate reads and hashes it, from its parts.
    fn header(job: &Notify, extranonce: [&[u8]; 2], nonce: u32) -> Header {
        let coinbase = [&job.coinbase1, extranonce[0], extranonce[1], &job.coinbase2].concat();
        let hash = |bytes: &[u8]| sha256d::Hash::hash(bytes).to_byte_array();
        let root = job.merkle_branches.iter().fold(hash(&coinbase), |root, branch| hash(&[root, *branch].concat()));
        let words = [job.ntime, job.nbits, nonce].map(u32::to_le_bytes).concat();
        deserialize(&[&job.version.to_le_bytes()[..], &job.previous_block_hash, &root, &words].concat()).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn what_is_found_is_what_was_wanted(
            extranonce1 in proptest::collection::vec(any::<u8>(), 0..8),
            extranonce2 in proptest::collection::vec(any::<u8>(), 1..8),
            branches in proptest::collection::vec(any::<[u8; 32]>(), 0..4),
            from: u32,
            hard: bool,
        ) {
            // On regtest half of all hashes are blocks; below, none but one in 2^32 is.
            let (nbits, exponent) = if hard { (0x1d00_ffff, -26) } else { (0x207f_ffff, -40) };
            let difficulty = Difficulty::new(2f64.powi(exponent)).unwrap();
            let job = job(nbits, branches);
            let work = Arc::new(Work::new(job.clone(), &extranonce1, &extranonce2, difficulty).unwrap());
            let search = Search::start(2, 1e12).unwrap();
            for want in [Want::NoBlock, Want::Any, Want::Block] {
                if hard && want == Want::Block { continue }
                let nonce = search.find(Arc::clone(&work), from, want).blocking_recv().unwrap();
                let header = header(&job, [&extranonce1, &extranonce2], nonce);
                let (hash, is_block) = (header.block_hash(), header.target().is_met_by(header.block_hash()));
                prop_assert!(difficulty.to_target().is_met_by(&hash.to_byte_array()));
                match want {
                    Want::NoBlock => prop_assert!(!is_block),
                    Want::Block => prop_assert!(is_block),
                    Want::Any => {}
                }
            }
        }
    }

    #[test]
    fn the_mean_number_of_hashes() {
        let work = |nbits, exponent: i32| {
            let difficulty = Difficulty::new(2f64.powi(exponent)).unwrap();
            Work::new(job(nbits, vec![]), &[0; 4], &[0; 8], difficulty).unwrap()
        };
        let about = |found: Option<f64>, expected: f64| (found.unwrap() / expected - 1.0).abs() < 0.001;
        assert!(about(work(0x1d00_ffff, -24).hashes(Want::NoBlock), 256.0));
        assert!(about(work(0x207f_ffff, -40).hashes(Want::NoBlock), 2.0));
        assert!(about(work(0x207f_ffff, -40).hashes(Want::Block), 2.0));
        assert_eq!(work(0x207f_ffff, -24).hashes(Want::NoBlock), None);
        assert!(about(work(0x207f_ffff, -24).hashes(Want::Any), 256.0));
    }

    #[test]
    fn no_more_hashes_than_allowed() {
        let begun = Instant::now();
        let budget = Budget { a_hash: 1e-4, next: Mutex::new(begun) };
        for _ in 0..10 {
            budget.wait();
            budget.spend(100);
        }
        assert!(begun.elapsed() >= Duration::from_millis(90));
    }
}
