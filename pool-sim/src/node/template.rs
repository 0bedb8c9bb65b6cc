//! What a block on the best one must be.

use crate::chain::Chain;
use bitcoin::hashes::{Hash, sha256d};
use bitcoin::{Amount, Block, BlockHash, CompactTarget, ScriptBuf, Transaction, WitnessMerkleNode};
use std::sync::Arc;

/// A block to be: its height, what it builds on, and what its coinbase may claim. It has no transactions but the
/// coinbase, as the node keeps none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// The block's height.
    pub height: u32,
    /// The best block.
    pub previous_block_hash: BlockHash,
    /// The version: BIP 9's top bits.
    pub version: i32,
    /// The compact target.
    pub bits: CompactTarget,
    /// The earliest time.
    pub min_time: u32,
    /// The time now, or the earliest possible if that is later.
    pub current_time: u32,
    /// What the coinbase may claim: the subsidy and the fees.
    pub coinbase_value: Amount,
    /// What of that is new.
    pub subsidy: Amount,
    /// The block's transactions after the coinbase, in order.
    pub transactions: Arc<[Arc<Transaction>]>,
    /// The whole script of the coinbase's witness commitment, for a reserved value of zeros (BIP 141).
    pub witness_commitment: ScriptBuf,
}

impl Template {
    pub(super) fn new(chain: &Chain, now: u32) -> Template {
        let height = chain.height() + 1;
        let min_time = chain.median_time_past(&chain.tip()) + 1;
        // The coinbase's own place in the witness merkle tree is zeros, and nothing is beside it.
        let commitment = Block::compute_witness_commitment(&WitnessMerkleNode::all_zeros(), &[0; 32]);
        let mut script = vec![0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed];
        script.extend_from_slice(commitment.as_byte_array());
        Template {
            height,
            previous_block_hash: chain.tip(),
            version: 0x2000_0000,
            bits: chain.params().bits,
            min_time,
            current_time: now.max(min_time),
            coinbase_value: chain.params().subsidy(height),
            subsidy: chain.params().subsidy(height),
            transactions: Arc::default(),
            witness_commitment: ScriptBuf::from_bytes(script),
        }
    }
    /// The hashes beside the coinbase's way to the merkle root, the lowest first, in internal order.
    pub fn merkle_branch(&self) -> Vec<[u8; 32]> {
        let mut branch = Vec::new();
        // A level without its first node, which depends on the coinbase.
        let mut level: Vec<_> = self.transactions.iter().map(|tx| tx.compute_txid().to_raw_hash()).collect();
        while let Some((beside, others)) = level.split_first() {
            branch.push(beside.to_byte_array());
            let join = |pair: &[sha256d::Hash]| {
                let (left, right) = (pair[0], pair[pair.len() - 1]);
                sha256d::Hash::hash(&[left.to_byte_array(), right.to_byte_array()].concat())
            };
            level = others.chunks(2).map(join).collect();
        }
        branch
    }
}
