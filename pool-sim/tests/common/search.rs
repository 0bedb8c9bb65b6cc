//! A share of a job, searched for with the `bitcoin` crate and hand-written hex: nothing here uses our message types.

use bitcoin::block::{Header, Version};
use bitcoin::hashes::{Hash, sha256d};
use bitcoin::hex::{DisplayHex, FromHex};
use bitcoin::{BlockHash, CompactTarget, TxMerkleNode};
use midstate_stratum::Difficulty;
use serde_json::{Value, json};

/// What a miner chooses of a header, and what it is to reach.
pub(crate) struct Choice<'a> {
    pub(crate) extranonce1: &'a str,
    pub(crate) extranonce2: String,
    pub(crate) version_bits: u32,
    /// Instead of the job's.
    pub(crate) time: Option<u32>,
    pub(crate) difficulty: f64,
}

/// The parameters of `mining.submit` for the first nonce that does, by those of `mining.notify`.
pub(crate) fn search(job: &Value, choice: Choice<'_>) -> Value {
    let Choice { extranonce1, extranonce2, version_bits, time, difficulty } = choice;
    let text = |at: usize| job[at].as_str().unwrap();
    let word = |at: usize| u32::from_str_radix(text(at), 16).unwrap();
    let bytes = |digits: &str| Vec::<u8>::from_hex(digits).unwrap();
    let mut root = sha256d::Hash::hash(&bytes(&[text(2), extranonce1, &extranonce2, text(3)].concat()));
    for branch in job[4].as_array().unwrap() {
        root = sha256d::Hash::hash(&[&root[..], &bytes(branch.as_str().unwrap())].concat());
    }
    let mut previous = bytes(text(1));
    previous.chunks_mut(4).for_each(<[u8]>::reverse);
    let target = Difficulty::new(difficulty).unwrap().to_target();
    let mut header = Header {
        version: Version::from_consensus((word(5) | version_bits).cast_signed()),
        prev_blockhash: BlockHash::from_slice(&previous).unwrap(),
        merkle_root: TxMerkleNode::from_raw_hash(root),
        time: time.unwrap_or(word(7)),
        bits: CompactTarget::from_consensus(word(6)),
        nonce: 0,
    };
    while !target.is_met_by(header.block_hash().as_byte_array()) {
        header.nonce += 1;
    }
    let hex = |word: u32| word.to_be_bytes().to_lower_hex_string();
    json!(["alice", text(0), extranonce2, hex(header.time), hex(header.nonce), hex(version_bits)])
}
