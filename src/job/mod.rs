//! A pool's job as an endless stream of [`Work`](crate::work::Work).
//!
//! A header has 2^32 nonces, which a fast device empties in under a second, so the stream must never end and never be
//! slow. What changes from header to header, cheapest first:
//!
//! 1. the version's bits that the pool leaves to the miner (BIP 310): only the midstate changes;
//! 2. extranonce2: the coinbase changes, and with it the merkle root;
//! 3. ntime, one second at a time, as far as the pool allows; then extranonce2 begins again.
//!
//! Each combination comes once, so no header is ever searched twice: not in a job, nor in one that says the same under another name.

mod height;
mod searched;
mod stream;

pub(crate) use height::bip34_height;
pub use searched::Searched;
pub use stream::JobStream;

use crate::sha256::{Hash, Header, sha256d};
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
    /// On which of the session's channels it came, and its shares go; `None` where the protocol has no channels.
    pub channel: Option<u32>,
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
    /// Whether it can be worked on.
    fn check(&self) -> Result<(), JobError> {
        match self.extranonce2_size() {
            ..=MAX_EXTRANONCE2_SIZE => Ok(()),
            other => Err(JobError::Extranonce2Size(other)),
        }
    }

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

    /// The block's height, if there is a coinbase that says it before the extranonces (BIP 34).
    pub fn height(&self) -> Option<u32> {
        // The input's script follows the transaction's version (4 bytes), its count of inputs (1), the null outpoint (36) and
        // the script's length (1, as a script has at most 100 bytes).
        bip34_height(self.coinbase()?.coinbase1.get(42..)?)
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
