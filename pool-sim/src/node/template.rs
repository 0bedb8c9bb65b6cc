//! What a block on the best one must be.

use super::mempool::{Mempool, Pooled, Room};
use crate::chain::{Chain, bip34_script};
use bitcoin::block::{Header, Version};
use bitcoin::hashes::{Hash, sha256d};
use bitcoin::{
    Amount, Block, BlockHash, CompactTarget, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxMerkleNode, TxOut,
    Witness, WitnessMerkleNode, absolute, merkle_tree, transaction,
};
use std::sync::Arc;

/// A block to be: its height, what it builds on, its transactions, and what its coinbase may claim.
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
    /// The block's transactions after the coinbase, in order: as many as the mempool has and fit.
    pub transactions: Arc<[Arc<Pooled>]>,
    /// The whole script of the coinbase's witness commitment, for a reserved value of zeros (BIP 141).
    pub witness_commitment: ScriptBuf,
    /// How often the mempool had changed.
    pub mempool_updates: u64,
}

impl Template {
    pub(super) fn new(chain: &Chain, mempool: &Mempool, room: Room, now: u32) -> Template {
        let height = chain.height() + 1;
        let min_time = chain.median_time_past(&chain.tip()) + 1;
        let transactions = mempool.choose(room);
        let fees: Amount = transactions.iter().map(|pooled| pooled.fee).sum();
        // The coinbase's own place in the witness merkle tree is zeros.
        let wtxids = transactions.iter().map(|pooled| pooled.wtxid.to_raw_hash());
        let root = merkle_tree::calculate_root([sha256d::Hash::all_zeros()].into_iter().chain(wtxids));
        let root = root.map_or_else(WitnessMerkleNode::all_zeros, WitnessMerkleNode::from_raw_hash);
        let commitment = Block::compute_witness_commitment(&root, &[0; 32]);
        let mut script = vec![0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed];
        script.extend_from_slice(commitment.as_byte_array());
        Template {
            height,
            previous_block_hash: chain.tip(),
            version: 0x2000_0000,
            bits: chain.params().bits,
            min_time,
            current_time: now.max(min_time),
            coinbase_value: chain.params().subsidy(height) + fees,
            subsidy: chain.params().subsidy(height),
            transactions: transactions.into(),
            witness_commitment: ScriptBuf::from_bytes(script),
            mempool_updates: mempool.updates(),
        }
    }

    /// The hashes beside the coinbase's way to the merkle root, the lowest first, in internal order.
    pub fn merkle_branch(&self) -> Vec<[u8; 32]> {
        let mut branch = Vec::new();
        // A level without its first node, which depends on the coinbase.
        let mut level: Vec<_> = self.transactions.iter().map(|pooled| pooled.txid.to_raw_hash()).collect();
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

    /// The coinbase: its input's script begins with the height and goes on with `extra`; it pays to `script` and commits
    /// to the witnesses. With its own witness.
    pub fn coinbase(&self, extra: &[u8], script: &ScriptBuf) -> Transaction {
        self.coinbase_to(extra, vec![TxOut { value: self.coinbase_value, script_pubkey: script.clone() }])
    }

    /// The same, with these outputs before the commitment.
    pub fn coinbase_to(&self, extra: &[u8], mut outputs: Vec<TxOut>) -> Transaction {
        let mut script_sig = bip34_script(self.height).into_bytes();
        script_sig.extend_from_slice(extra);
        let input = TxIn {
            previous_output: OutPoint::null(),
            script_sig: ScriptBuf::from_bytes(script_sig),
            sequence: Sequence::MAX,
            witness: Witness::from_slice(&[[0; 32]]),
        };
        outputs.push(TxOut { value: Amount::ZERO, script_pubkey: self.witness_commitment.clone() });
        Transaction {
            version: transaction::Version::TWO,
            lock_time: absolute::LockTime::ZERO,
            input: vec![input],
            output: outputs,
        }
    }

    /// A block without proof of work that pays to `script`.
    pub fn block(&self, script: &ScriptBuf) -> Block {
        // The input's script needs two bytes at least, and the first heights take one.
        let coinbase = self.coinbase(&[0], script);
        let transactions = self.transactions.iter().map(|pooled| Transaction::clone(&pooled.transaction));
        let txdata: Vec<_> = [coinbase].into_iter().chain(transactions).collect();
        let txids = txdata.iter().map(|tx| tx.compute_txid().to_raw_hash());
        let merkle_root = merkle_tree::calculate_root(txids).unwrap_or_else(sha256d::Hash::all_zeros);
        let header = Header {
            version: Version::from_consensus(self.version),
            prev_blockhash: self.previous_block_hash,
            merkle_root: TxMerkleNode::from_raw_hash(merkle_root),
            time: self.current_time,
            bits: self.bits,
            nonce: 0,
        };
        Block { header, txdata }
    }
}
