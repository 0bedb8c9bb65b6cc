//! A template as a Stratum job, and a share of it as a block.

use super::accounts::{Parts, Pay, Weights};
use super::{EXTRANONCE1_SIZE, EXTRANONCE2_SIZE};
use crate::faults::JobChange;
use crate::node::Template;
use bitcoin::block::{Header, Version};
use bitcoin::consensus::{deserialize, serialize};
use bitcoin::hashes::Hash;
use bitcoin::{Block, BlockHash, CompactTarget, ScriptBuf, Transaction, TxMerkleNode, WPubkeyHash, Witness};
use midstate_stratum::message::{Notify, Submit};
use std::sync::Arc;

/// What the coinbase says beside the height; a number follows that no other job has.
const TAG: &[u8] = b"/pool-sim/";

/// A job: what a miner needs, and what makes a block of its share.
#[derive(Clone, Debug)]
pub struct PoolJob {
    /// The pool's name for it.
    pub id: String,
    /// The height of the block that it would be.
    pub height: u32,
    /// The block that it builds on.
    pub previous_block_hash: BlockHash,
    /// Whether it voids the older ones.
    pub clean: bool,
    /// The coinbase without witness, up to extranonce1 and from after extranonce2 on.
    coinbase: [Vec<u8>; 2],
    version: i32,
    bits: CompactTarget,
    pub(super) time: u32,
    /// What its shares are weighed against.
    pub(super) weights: Weights,
    /// Who has what of it, if its coinbase settles that.
    pub(super) parts: Option<Arc<Parts>>,
}

/// A share whose coinbase or header cannot be put together. The pool's own coinbase is at fault, not the miner.
#[derive(Debug)]
pub(super) struct Unbuildable;

impl PoolJob {
    /// The pool's job of that number.
    pub(super) fn new(number: u32, template: &Template, pay: Pay, clean: bool) -> PoolJob {
        let placeholder = [0; EXTRANONCE1_SIZE + EXTRANONCE2_SIZE];
        let number_bytes = number.to_be_bytes();
        let tag_size = TAG.len() + number_bytes.len();
        let extra = [&[placeholder.len() as u8][..], &placeholder, &[tag_size as u8], TAG, &number_bytes].concat();
        let mut coinbase = template.coinbase_to(&extra, pay.outputs);
        // On the wire it has no witness: miners hash it for its txid.
        coinbase.input[0].witness = Witness::new();
        let bytes = serialize(&coinbase);
        // Version, count of inputs, null outpoint, length of the script; then the height's push.
        let height_size = coinbase.input[0].script_sig.len() - extra.len();
        let start = 4 + 1 + 36 + 1 + height_size + 1;
        let halves = [bytes[..start].to_vec(), bytes[start + placeholder.len()..].to_vec()];
        PoolJob {
            id: format!("{number:x}"),
            height: template.height,
            previous_block_hash: template.previous_block_hash,
            clean,
            coinbase: halves,
            version: template.version,
            bits: template.bits,
            time: template.current_time,
            weights: pay.weights,
            parts: pay.parts,
        }
    }

    /// The same job under another number: a miner that begins with the same extranonce2 again finds other shares.
    pub(super) fn again(&self, number: u32) -> PoolJob {
        let mut again = PoolJob { id: format!("{number:x}"), clean: false, ..self.clone() };
        // The second half begins with the push of the tag and the number.
        let at = 1 + TAG.len();
        again.coinbase[1][at..at + 4].copy_from_slice(&number.to_be_bytes());
        again
    }

    /// What a scenario makes of it.
    pub(super) fn changed(mut self, change: JobChange) -> PoolJob {
        let time = i64::from(self.time) + change.ahead;
        self.time = time.clamp(0, u32::MAX.into()) as u32;
        let [coinbase1, coinbase2] = &self.coinbase;
        let gap = [0; EXTRANONCE1_SIZE + EXTRANONCE2_SIZE];
        if change.pays_stranger
            && let Ok(mut coinbase) = deserialize::<Transaction>(&[&coinbase1[..], &gap, coinbase2].concat())
        {
            // A hash of a public key that nobody has.
            coinbase.output[0].script_pubkey = ScriptBuf::new_p2wpkh(&WPubkeyHash::all_zeros());
            self.coinbase[1] = serialize(&coinbase).split_off(coinbase1.len() + gap.len());
        }
        self
    }

    pub(super) fn notify(&self) -> Notify {
        let [coinbase1, coinbase2] = self.coinbase.clone();
        Notify {
            job_id: self.id.clone(),
            previous_block_hash: self.previous_block_hash.to_byte_array(),
            coinbase1,
            coinbase2,
            // The coinbase is the only transaction.
            merkle_branches: Vec::new(),
            version: self.version.cast_unsigned(),
            nbits: self.bits.to_consensus(),
            ntime: self.time,
            clean_jobs: self.clean,
        }
    }

    /// The block that a share claims to be. Version bits that the share gives take the mask's places.
    pub(super) fn block(&self, submit: &Submit, extranonce1: &[u8], mask: u32) -> Result<Block, Unbuildable> {
        let [coinbase1, coinbase2] = &self.coinbase;
        let bytes = [coinbase1, extranonce1, &submit.extranonce2, coinbase2].concat();
        let mut coinbase: Transaction = deserialize(&bytes).map_err(|_| Unbuildable)?;
        let merkle_root = TxMerkleNode::from_raw_hash(coinbase.compute_txid().to_raw_hash());
        // The reserved value that the commitment was made with (BIP 141).
        coinbase.input[0].witness = Witness::from_slice(&[[0; 32]]);
        let version = self.version.cast_unsigned();
        let version = submit.version_bits.map_or(version, |bits| (version & !mask) | (bits & mask));
        let header = Header {
            version: Version::from_consensus(version.cast_signed()),
            prev_blockhash: self.previous_block_hash,
            merkle_root,
            time: submit.ntime,
            bits: self.bits,
            nonce: submit.nonce,
        };
        Ok(Block { header, txdata: vec![coinbase] })
    }
}
