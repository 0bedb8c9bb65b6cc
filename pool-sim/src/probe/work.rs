//! Searches for shares, with the `bitcoin` crate's hashing.

use bitcoin::hashes::{Hash, HashEngine, sha256};
use bitcoin::{BlockHash, Target};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

/// So many hashes are done between two looks at the clock.
const BATCH: u32 = 4096;
/// Fewer hashes than this are not worth a second thread.
const SMALL: f64 = 200_000.0;
/// Hashes of difficulty 1, on average.
const PER_DIFFICULTY: f64 = 4_294_967_296.0;

/// What a hash has to be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// At least as difficult as this, or less if it is to be a `low` one.
    pub(super) difficulty: f64,
    pub(super) low: bool,
    /// Not a block of this target.
    pub(super) no_block: Option<Target>,
}

impl Wanted {
    /// How many hashes it takes on average.
    pub(super) fn hashes(&self) -> f64 {
        if self.low { 2.0 } else { (self.difficulty * PER_DIFFICULTY).max(1.0) }
    }

    /// A number that the hash's highest eight bytes do not exceed if it is difficult enough; a little too great, as the
    /// exact comparison follows.
    fn limit(&self) -> u64 {
        (f64::from(0xffff_u32) * 65536.0 / self.difficulty * 1.000_001 + 1.0) as u64
    }

    fn is_met_by(&self, hash: BlockHash, limit: u64) -> bool {
        let bytes = hash.as_byte_array();
        let [.., a, b, c, d, e, f, g, h] = *bytes;
        let mut enough = u64::from_le_bytes([a, b, c, d, e, f, g, h]) <= limit;
        if enough {
            // A share on the edge would be a question of rounding, and is no good example of either kind.
            let reached = Target::from_le_bytes(*bytes).difficulty_float();
            let edge = (reached / self.difficulty - 1.0).abs() < 1e-6;
            if edge {
                return false;
            }
            enough = reached > self.difficulty;
        }
        enough != self.low && !self.no_block.is_some_and(|target| target.is_met_by(hash))
    }
}

/// The difficulty of a target.
pub(super) fn difficulty(target: Target) -> f64 {
    target.difficulty_float()
}

/// A nonce that makes the hash what is wanted, if there is one within `most` hashes and until then; and how many hashes
/// were done.
pub(super) fn search(
    header: &[u8; 80],
    wanted: &Wanted,
    threads: usize,
    most: u64,
    until: Instant,
) -> (Option<u32>, u64) {
    let threads = if wanted.hashes() < SMALL { 1 } else { threads.max(1) };
    let mut first = sha256::Hash::engine();
    first.input(&header[..64]);
    let limit = wanted.limit();
    let (found, done, over) = (Mutex::new(None), AtomicU64::new(0), AtomicBool::new(false));
    let scan = |start: u32| {
        let mut nonce = start;
        let mut tail = [0; 16];
        tail[..12].copy_from_slice(&header[64..76]);
        while !over.load(Ordering::Relaxed) {
            for _ in 0..BATCH {
                tail[12..].copy_from_slice(&nonce.to_le_bytes());
                let mut engine = first.clone();
                engine.input(&tail);
                let once = sha256::Hash::from_engine(engine);
                let hash = BlockHash::from_byte_array(sha256::Hash::hash(once.as_byte_array()).to_byte_array());
                if wanted.is_met_by(hash, limit) {
                    over.store(true, Ordering::Relaxed);
                    if let Ok(mut found) = found.lock() {
                        *found = Some(nonce);
                    }
                    break;
                }
                // A whole round through the nonces would begin anew; `most` ends it before.
                nonce = nonce.wrapping_add(threads as u32);
            }
            if done.fetch_add(u64::from(BATCH), Ordering::Relaxed) + u64::from(BATCH) >= most || Instant::now() >= until
            {
                over.store(true, Ordering::Relaxed);
            }
        }
    };
    std::thread::scope(|scope| {
        for thread in 1..threads {
            let scan = &scan;
            scope.spawn(move || scan(thread as u32));
        }
        scan(0);
    });
    (found.into_inner().unwrap_or_default(), done.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitcoin::block::Header;
    use bitcoin::consensus::deserialize;
    use std::time::Duration;

    #[test]
    fn finds_what_the_header_type_agrees_with() {
        let header = [7; 80];
        let regtest = Target::from_compact(bitcoin::CompactTarget::from_consensus(0x207f_ffff));
        let until = Instant::now() + Duration::from_secs(60);
        for (difficulty, low, no_block) in
            [(1e-5, false, None), (1e-12, false, Some(regtest)), (1e-3, true, Some(regtest))]
        {
            let wanted = Wanted { difficulty, low, no_block };
            let (nonce, _) = search(&header, &wanted, 2, 1 << 30, until);
            let mut bytes = header;
            bytes[76..].copy_from_slice(&nonce.unwrap().to_le_bytes());
            let hash = deserialize::<Header>(&bytes).unwrap().block_hash();
            let reached = Target::from_le_bytes(hash.to_byte_array()).difficulty_float();
            assert_eq!(reached < difficulty, low, "{reached}");
            assert!(no_block.is_none() || !regtest.is_met_by(hash));
        }
        let never = Wanted { difficulty: 1e9, low: false, no_block: None };
        assert_eq!(search(&header, &never, 1, 10_000, until), (None, 3 * u64::from(BATCH)));
    }
}
