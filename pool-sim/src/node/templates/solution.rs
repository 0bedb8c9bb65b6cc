//! From a solution to a block.

use crate::node::Template;
use bitcoin::block::{Header, Version};
use bitcoin::consensus;
use bitcoin::hashes::{Hash, sha256d};
use bitcoin::{Block, BlockHash, Transaction, TxMerkleNode};
use std::iter;
use template_distribution_sv2::SubmitSolutionOwned;
use thiserror::Error;

/// What a pool found, and the block that it makes.
#[derive(Debug)]
pub struct Solution {
    /// What it solves.
    pub template_id: u64,
    /// The header's hash, where there is a header.
    pub hash: Option<BlockHash>,
    /// The block, for the chain to judge; or why there is none.
    pub block: Result<Box<Block>, SolutionError>,
}

/// Why a solution makes no block.
#[derive(Debug, Error)]
pub enum SolutionError {
    /// There was no such template, or that is too long ago.
    #[error("template_id of no template that is remembered")]
    UnknownTemplate,
    /// No transaction.
    #[error("coinbase_tx: {0}; expected a whole transaction, with its witness")]
    Coinbase(consensus::encode::Error),
    /// No proof of work.
    #[error("high-hash")]
    HighHash,
}

impl Solution {
    /// The block of a solution of this template. What costs least is looked at first: a block is put together only for a header that has
    /// its proof of work.
    pub(super) fn of(submitted: SubmitSolutionOwned, template: &Template) -> Solution {
        let SubmitSolutionOwned { template_id, version, header_timestamp, header_nonce, coinbase_tx } = submitted;
        let coinbase: Transaction = match consensus::deserialize(coinbase_tx.as_bytes()) {
            Ok(coinbase) => coinbase,
            Err(error) => return Solution { template_id, hash: None, block: Err(SolutionError::Coinbase(error)) },
        };
        let header = Header {
            version: Version::from_consensus(version.cast_signed()),
            prev_blockhash: template.previous_block_hash,
            merkle_root: merkle_root(&coinbase, &template.merkle_branch()),
            time: header_timestamp,
            bits: template.bits,
            nonce: header_nonce,
        };
        let hash = header.block_hash();
        let block = if header.target().is_met_by(hash) {
            let transactions = template.transactions.iter().map(|pooled| Transaction::clone(&pooled.transaction));
            Ok(Box::new(Block { header, txdata: iter::once(coinbase).chain(transactions).collect() }))
        } else {
            Err(SolutionError::HighHash)
        };
        Solution { template_id, hash: Some(hash), block }
    }
}

fn merkle_root(coinbase: &Transaction, branch: &[[u8; 32]]) -> TxMerkleNode {
    let leaf = coinbase.compute_txid().to_byte_array();
    let join = |left: [u8; 32], right: &[u8; 32]| sha256d::Hash::hash(&[left, *right].concat()).to_byte_array();
    TxMerkleNode::from_byte_array(branch.iter().fold(leaf, join))
}
