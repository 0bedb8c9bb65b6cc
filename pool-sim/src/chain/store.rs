//! What the chain keeps: blocks, what they spent, where transactions are, and the unspent outputs.
//!
//! Four tables that are only reached by key, so that a database can take the place of memory. The index of headers is
//! not here: it stays in memory, as Bitcoin Core's does.

use bitcoin::{Block, BlockHash, OutPoint, TxOut, Txid};
use std::collections::HashMap;

/// An unspent output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coin {
    /// What it is worth, and who may spend it.
    pub output: TxOut,
    /// The height of the block that made it.
    pub height: u32,
    /// Whether that block's coinbase did.
    pub coinbase: bool,
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
    /// In which block of the best chain a transaction is.
    places: HashMap<Txid, BlockHash>,
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

    pub(super) fn place(&self, txid: &Txid) -> Option<BlockHash> {
        self.places.get(txid).copied()
    }

    pub(super) fn put_place(&mut self, txid: Txid, hash: BlockHash) {
        self.places.insert(txid, hash);
    }

    pub(super) fn take_place(&mut self, txid: &Txid) {
        self.places.remove(txid);
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
