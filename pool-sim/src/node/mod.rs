//! The node: a chain and a mempool behind a lock, block templates, JSON-RPC, and templates for pools of Stratum V2.

mod auth;
mod blocks;
mod mempool;
mod methods;
mod mining;
mod rpc;
mod template;
pub mod templates;
mod transactions;

pub use auth::{Auth, Cookie};
pub use mempool::{MempoolError, Pooled};
pub use rpc::{RpcError, RpcServer, serve};
pub use template::Template;

use crate::chain::{Accepted, BlockError, Chain, Coin, Params, coinbase_commitment};
use bitcoin::{Amount, Block, BlockHash, OutPoint, ScriptBuf, Transaction, Txid, Witness};
use mempool::{Mempool, Room};
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
    state: Mutex<State>,
    tip: watch::Sender<Tip>,
}

#[derive(Debug)]
struct State {
    chain: Chain,
    mempool: Mempool,
}

impl Node {
    /// A node with an empty chain.
    pub fn new(params: Params) -> Node {
        let chain = Chain::new(params);
        let tip = watch::Sender::new(Tip { height: chain.height(), hash: chain.tip() });
        let state = Mutex::new(State { chain, mempool: Mempool::default() });
        Node { inner: Arc::new(Inner { state, tip }) }
    }

    /// Tells of each new best block.
    pub fn tip(&self) -> watch::Receiver<Tip> {
        self.inner.tip.subscribe()
    }

    /// What a block on the best one must be.
    pub fn template(&self) -> Template {
        self.template_with(Room::default())
    }

    /// The same, with this room for the coinbase.
    fn template_with(&self, room: Room) -> Template {
        let state = self.state();
        Template::new(&state.chain, &state.mempool, room, now())
    }

    /// Takes a block in, as `submitblock` does: a coinbase that commits to witnesses but has none of its own gets the
    /// reserved value of 32 zeros.
    pub fn submit_block(&self, block: &Block) -> Result<Accepted, BlockError> {
        let State { chain, mempool } = &mut *self.state();
        let before = chain.tip();
        let accepted = match with_reserved_value(block) {
            Some(whole) => chain.accept(&whole, now()),
            None => chain.accept(block, now()),
        };
        if chain.tip() != before {
            mempool.follow(chain, left_behind(chain, before), now());
        }
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

    /// Takes a transaction into the mempool, from where templates have it, if its fee is not above `max_fee`. One that is there
    /// already stays.
    pub fn send_transaction(&self, transaction: Transaction, max_fee: Option<Amount>) -> Result<Txid, MempoolError> {
        let State { chain, mempool } = &mut *self.state();
        mempool.add(chain, Arc::new(transaction), max_fee, now())
    }

    /// The transactions that wait for a block, in the order in which they came.
    pub fn mempool(&self) -> Vec<Arc<Pooled>> {
        self.state().mempool.all().to_vec()
    }

    /// A block that is known, on whatever chain.
    pub fn block(&self, hash: &BlockHash) -> Option<Block> {
        self.state().chain.block(hash).cloned()
    }

    /// The best chain's block at a height.
    pub fn hash_at(&self, height: u32) -> Option<BlockHash> {
        self.state().chain.hash_at(height)
    }

    /// The height of the best chain's block that has a transaction.
    pub fn height_of(&self, txid: &Txid) -> Option<u32> {
        let chain = &self.state().chain;
        chain.height_of(&chain.block_of(txid)?)
    }

    /// The id of a block's coinbase, on whatever chain.
    pub fn coinbase_of(&self, hash: &BlockHash) -> Option<Txid> {
        self.state().chain.block(hash).map(|block| block.txdata[0].compute_txid())
    }

    /// An output of the best chain that is spent neither on it nor in the mempool.
    pub fn coin(&self, point: &OutPoint) -> Option<Coin> {
        let State { chain, mempool } = &*self.state();
        chain.coin(point).filter(|_| mempool.spender(point).is_none()).cloned()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The chain undoes what it could not finish, so a panic elsewhere leaves it whole.
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The transactions of the blocks that led to one that was the best, and that the best chain has no more, the lowest first.
fn left_behind(chain: &Chain, tip: BlockHash) -> Vec<Transaction> {
    let mut next = tip;
    let mut blocks = Vec::new();
    while let Some(block) = chain.block(&next).filter(|_| !chain.is_active(&next)) {
        next = block.header.prev_blockhash;
        blocks.push(block);
    }
    blocks.iter().rev().flat_map(|block| block.txdata.iter().cloned()).collect()
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
