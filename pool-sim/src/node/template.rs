//! What a block on the best one must be.

use crate::chain::Chain;
use bitcoin::hashes::Hash;
use bitcoin::{Amount, Block, BlockHash, CompactTarget, ScriptBuf, WitnessMerkleNode};

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
            witness_commitment: ScriptBuf::from_bytes(script),
        }
    }
}
