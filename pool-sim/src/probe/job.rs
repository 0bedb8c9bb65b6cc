//! A job as it stands on the wire, taken apart with the `bitcoin` crate.

use bitcoin::consensus::deserialize;
use bitcoin::hashes::{Hash, sha256d};
use bitcoin::hex::FromHex;
use bitcoin::{Target, Transaction};
use serde_json::Value;

/// The parameters of `mining.notify`.
#[derive(Clone, Debug)]
pub(super) struct Job {
    /// As it came: it has to be sent back like that.
    pub(super) id: Value,
    /// The previous block's hash, in internal order.
    pub(super) previous: [u8; 32],
    pub(super) coinbase1: Vec<u8>,
    pub(super) coinbase2: Vec<u8>,
    /// In internal order, lowest first.
    pub(super) branches: Vec<[u8; 32]>,
    pub(super) version: u32,
    pub(super) bits: u32,
    pub(super) time: u32,
    pub(super) clean: bool,
}

impl Job {
    /// Reads the nine parameters; an error names the one that is wrong.
    pub(super) fn read(params: &Value) -> Result<Job, String> {
        let text = |at: usize, name: &str| {
            params[at].as_str().ok_or_else(|| format!("{name}: {}; expected a string", params[at]))
        };
        let bytes = |at: usize, name: &str| {
            Vec::<u8>::from_hex(text(at, name)?).map_err(|error| format!("{name}: {}: {error}", params[at]))
        };
        let word = |at: usize, name: &str| {
            <[u8; 4]>::from_hex(text(at, name)?)
                .map(u32::from_be_bytes)
                .map_err(|_| format!("{name}: {}; expected 8 hex digits", params[at]))
        };
        let hash = |value: &Value, name: &str| {
            let read = value.as_str().and_then(|text| <[u8; 32]>::from_hex(text).ok());
            read.ok_or_else(|| format!("{name}: {value}; expected 64 hex digits"))
        };
        let mut previous = hash(&params[1], "prevhash")?;
        previous.chunks_exact_mut(4).for_each(<[u8]>::reverse);
        let branches =
            params[4].as_array().ok_or_else(|| format!("merkle branches: {}; expected an array", params[4]))?;
        Ok(Job {
            id: params[0].clone(),
            previous,
            coinbase1: bytes(2, "coinbase1")?,
            coinbase2: bytes(3, "coinbase2")?,
            branches: branches.iter().map(|branch| hash(branch, "merkle branch")).collect::<Result<_, _>>()?,
            version: word(5, "version")?,
            bits: word(6, "nbits")?,
            time: word(7, "ntime")?,
            clean: params[8].as_bool().ok_or_else(|| format!("clean_jobs: {}; expected true or false", params[8]))?,
        })
    }

    /// The coinbase's bytes, without witness.
    pub(super) fn coinbase_bytes(&self, extranonce1: &[u8], extranonce2: &[u8]) -> Vec<u8> {
        [&self.coinbase1, extranonce1, extranonce2, &self.coinbase2].concat()
    }

    /// The coinbase, which has an input at least.
    pub(super) fn coinbase(&self, extranonce1: &[u8], extranonce2: &[u8]) -> Result<Transaction, String> {
        let read: Transaction = deserialize(&self.coinbase_bytes(extranonce1, extranonce2))
            .map_err(|error| format!("the coinbase is no transaction: {error}"))?;
        if read.input.is_empty() { Err("the coinbase has no input".to_owned()) } else { Ok(read) }
    }

    /// The header with nonce zero.
    pub(super) fn header(&self, coinbase: &[u8], version: u32, time: u32) -> [u8; 80] {
        let mut root = sha256d::Hash::hash(coinbase);
        for branch in &self.branches {
            root = sha256d::Hash::hash(&[root.as_byte_array(), &branch[..]].concat());
        }
        let mut header = [0; 80];
        header[..4].copy_from_slice(&version.to_le_bytes());
        header[4..36].copy_from_slice(&self.previous);
        header[36..68].copy_from_slice(root.as_byte_array());
        header[68..72].copy_from_slice(&time.to_le_bytes());
        header[72..76].copy_from_slice(&self.bits.to_le_bytes());
        header
    }

    /// What a hash must not exceed to be a block.
    pub(super) fn target(&self) -> Target {
        Target::from_compact(bitcoin::CompactTarget::from_consensus(self.bits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    /// The example of the protocol's first documentation, for testnet's block 25,096.
    fn example() -> Value {
        json!([
            "bf",
            "4d16b6f85af6e2198f44ae2a6de67f78487ae5611b77c6c0440b921e00000000",
            "01000000010000000000000000000000000000000000000000000000000000000000000000ffffffff20020862062f503253482f04b8864e5008",
            "072f736c7573682f000000000100f2052a010000001976a914d23fcdf86f7e756a64a7a9688ef9903327048ed988ac00000000",
            [],
            "00000002",
            "1c2ac4af",
            "504e86b9",
            false
        ])
    }

    #[test]
    fn the_first_documentation_is_read() {
        let job = Job::read(&example()).unwrap();
        assert_eq!(
            (job.previous[0], job.version, job.bits, job.time, job.clean),
            (0xf8, 2, 0x1c2a_c4af, 0x504e_86b9, false)
        );
        assert!(job.coinbase(&[8, 0, 0, 2], &[0; 4]).unwrap().is_coinbase());
    }

    #[test]
    fn a_coinbase_without_inputs_is_named() {
        // BIP 144's marker and flag, no inputs, no outputs.
        let job = Job {
            coinbase1: vec![2, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0],
            coinbase2: vec![],
            ..Job::read(&example()).unwrap()
        };
        assert!(job.coinbase(&[], &[]).unwrap_err().contains("coinbase"));
    }

    proptest! {
        #[test]
        fn nothing_that_a_pool_sends_panics(at in 0usize..9, text in "([0-9a-f]{0,70}|.*)", number: i64, bytes: Vec<u8>) {
            for value in [json!(text), json!(number), json!([text]), Value::Null, json!({"a": number})] {
                let mut params = example();
                params[at] = value.clone();
                if let Ok(job) = Job::read(&params) {
                    let _ = job.coinbase(&bytes, &bytes);
                    let _ = job.target();
                }
                let _ = Job::read(&value);
            }
        }
    }
}
