//! What the chain keeps: blocks, what they spent, and the unspent outputs.
//!
//! Three tables that are only reached by key, so that a database can take the place of memory. The index of headers is
//! not here: it stays in memory, as Bitcoin Core's does.

use bitcoin::{Block, BlockHash, OutPoint, TxOut};
use std::collections::HashMap;

/// An unspent output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Coin {
    pub(super) output: TxOut,
    /// Of the block that made it.
    pub(super) height: u32,
    pub(super) coinbase: bool,
}

/// What a block spent.
#[derive(Debug, Default)]
pub(super) struct Undo {
    pub(super) spent: Vec<(OutPoint, Coin)>,
}

/// The tables.
#[derive(Debug, Default)]
pub(super) struct Store {
    blocks: HashMap<BlockHash, Block>,
    /// Of the blocks on the best chain.
    undo: HashMap<BlockHash, Undo>,
    coins: HashMap<OutPoint, Coin>,
}

impl Store {
    pub(super) fn block(&self, hash: &BlockHash) -> Option<&Block> {
        self.blocks.get(hash)
    }

    pub(super) fn put_block(&mut self, hash: BlockHash, block: Block) {
        self.blocks.insert(hash, block);
    }

    pub(super) fn put_undo(&mut self, hash: BlockHash, undo: Undo) {
        self.undo.insert(hash, undo);
    }

    pub(super) fn take_undo(&mut self, hash: &BlockHash) -> Option<Undo> {
        self.undo.remove(hash)
    }

    pub(super) fn coin(&self, point: &OutPoint) -> Option<&Coin> {
        self.coins.get(point)
    }

    pub(super) fn put_coin(&mut self, point: OutPoint, coin: Coin) {
        self.coins.insert(point, coin);
    }

    pub(super) fn take_coin(&mut self, point: &OutPoint) -> Option<Coin> {
        self.coins.remove(point)
    }

    pub(super) fn coins(&self) -> impl Iterator<Item = (&OutPoint, &Coin)> {
        self.coins.iter()
    }
}
