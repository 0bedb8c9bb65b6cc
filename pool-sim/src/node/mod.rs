//! The node: a chain behind a lock, block templates, JSON-RPC, and templates for pools of Stratum V2.

mod auth;
mod blocks;
mod methods;
mod mining;
mod rpc;
mod template;
pub mod templates;

pub use auth::{Auth, Cookie};
pub use rpc::{RpcError, RpcServer, serve};
pub use template::Template;

use crate::chain::{Accepted, BlockError, Chain, Params, bip34_script, coinbase_commitment};
use bitcoin::block::{Header, Version};
use bitcoin::{
    Amount, Block, BlockHash, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxMerkleNode, TxOut, Witness, absolute,
    transaction,
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::watch;

/// The best block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tip {
    /// Its height.
    pub height: u32,
    /// Its hash.
    pub hash: BlockHash,
}

/// A handle on a node; cheap to clone.
#[derive(Clone, Debug)]
pub struct Node {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    chain: Mutex<Chain>,
    tip: watch::Sender<Tip>,
}

impl Node {
    /// A node with an empty chain.
    pub fn new(params: Params) -> Node {
        let chain = Chain::new(params);
        let tip = watch::Sender::new(Tip { height: chain.height(), hash: chain.tip() });
        Node { inner: Arc::new(Inner { chain: Mutex::new(chain), tip }) }
    }

    /// Tells of each new best block.
    pub fn tip(&self) -> watch::Receiver<Tip> {
        self.inner.tip.subscribe()
    }

    /// What a block on the best one must be.
    pub fn template(&self) -> Template {
        Template::new(&self.chain(), now())
    }

    /// Takes a block in, as `submitblock` does: a coinbase that commits to witnesses but has none of its own gets the
    /// reserved value of 32 zeros.
    pub fn submit_block(&self, block: &Block) -> Result<Accepted, BlockError> {
        let mut chain = self.chain();
        let accepted = match with_reserved_value(block) {
            Some(whole) => chain.accept(&whole, now()),
            None => chain.accept(block, now()),
        };
        let tip = Tip { height: chain.height(), hash: chain.tip() };
        // Sent under the lock, so that tips are told in the order in which they came.
        self.inner.tip.send_if_modified(|told| std::mem::replace(told, tip) != tip);
        accepted
    }

    /// Mines `count` blocks that pay to `script`, at regtest's difficulty, and gives their hashes. Their times are now, or
    /// the earliest possible if that is later.
    pub fn generate(&self, count: u32, script: &ScriptBuf) -> Result<Vec<BlockHash>, BlockError> {
        (0..count).map(|_| self.mine(&self.template(), script)).collect()
    }

    /// Mines `count` blocks as [`Node::generate`] does, but dated ten minutes apart and the last one ten minutes ago:
    /// however many they are, the blocks after them need no time in the future.
    pub fn premine(&self, count: u32, script: &ScriptBuf) -> Result<Vec<BlockHash>, BlockError> {
        let now = now();
        let mine = |still_to_come: u32| {
            let mut template = self.template();
            let ago = still_to_come.saturating_add(1).saturating_mul(10 * 60);
            template.current_time = now.saturating_sub(ago).max(template.min_time);
            self.mine(&template, script)
        };
        (0..count).rev().map(mine).collect()
    }

    fn mine(&self, template: &Template, script: &ScriptBuf) -> Result<BlockHash, BlockError> {
        let mut block = template.block(script);
        let target = block.header.target();
        // Every second nonce wins on regtest.
        while !target.is_met_by(block.block_hash()) {
            block.header.nonce = block.header.nonce.wrapping_add(1);
        }
        self.submit_block(&block).map(|_| block.block_hash())
    }

    /// A block that is known, on whatever chain.
    pub fn block(&self, hash: &BlockHash) -> Option<Block> {
        self.chain().block(hash).cloned()
    }

    /// The best chain's block at a height.
    pub fn hash_at(&self, height: u32) -> Option<BlockHash> {
        self.chain().hash_at(height)
    }

    fn chain(&self) -> MutexGuard<'_, Chain> {
        // The chain undoes what it could not finish, so a panic elsewhere leaves it whole.
        self.inner.chain.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The block with the reserved value that its commitment implies, if it lacks it
/// (Bitcoin Core's `UpdateUncommittedBlockStructures`).
fn with_reserved_value(block: &Block) -> Option<Block> {
    let coinbase = block.txdata.first()?;
    if !coinbase.is_coinbase() || !coinbase.input[0].witness.is_empty() || coinbase_commitment(coinbase).is_none() {
        return None;
    }
    let mut whole = block.clone();
    whole.txdata[0].input[0].witness = Witness::from_slice(&[[0; 32]]);
    Some(whole)
}

/// Seconds since 1970.
fn now() -> u32 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    u32::try_from(since).unwrap_or(u32::MAX)
}

impl Template {
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
        let merkle_root = TxMerkleNode::from_raw_hash(coinbase.compute_txid().to_raw_hash());
        let header = Header {
            version: Version::from_consensus(self.version),
            prev_blockhash: self.previous_block_hash,
            merkle_root,
            time: self.current_time,
            bits: self.bits,
            nonce: 0,
        };
        Block { header, txdata: vec![coinbase] }
    }
}
