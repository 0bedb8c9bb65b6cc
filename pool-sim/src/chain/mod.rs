//! The chain: which blocks are valid, and which chain of them is the best.
//!
//! Rules are Bitcoin Core's, in its order and with its words for refusals. What is not checked: scripts and signatures,
//! and relative lock times (BIP 68). A block that this chain accepts may break those.

mod coins;
mod error;
mod index;
mod params;
mod rules;
mod store;
#[cfg(test)]
mod tests;

pub use coins::MAX_SIGOPS_COST;
pub use error::BlockError;
pub use params::Params;
pub use rules::{MAX_WEIGHT, bip34_script, coinbase_commitment};
pub use store::Coin;

use bitcoin::block::Header;
use bitcoin::pow::Work;
use bitcoin::{Amount, Block, BlockHash, OutPoint, Transaction, TxOut, Txid};
use index::{Index, Validity};
use std::collections::BTreeMap;
use store::Store;

/// What became of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It is the new tip.
    Tip,
    /// It is valid as far as can be known, but the best chain is another.
    SideChain,
    /// It was there already.
    Duplicate,
}

/// All blocks, and the best chain of them.
#[derive(Debug)]
pub struct Chain {
    params: Params,
    index: Index,
    store: Store,
    /// The best chain, by height.
    active: Vec<BlockHash>,
}

impl Chain {
    /// A chain that has its first block only.
    pub fn new(params: Params) -> Chain {
        let genesis = bitcoin::constants::genesis_block(params.network);
        let hash = genesis.block_hash();
        let index = Index::new(genesis.header);
        let mut store = Store::default();
        // The first block's output cannot be spent, so there is nothing to connect.
        store.put_block(hash, genesis);
        Chain { params, index, store, active: vec![hash] }
    }

    /// The rules in force.
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// The best block.
    pub fn tip(&self) -> BlockHash {
        // The first block is always there.
        self.active[self.active.len() - 1]
    }

    /// The best block's height.
    pub fn height(&self) -> u32 {
        self.active.len() as u32 - 1
    }

    /// The best chain's block at a height.
    pub fn hash_at(&self, height: u32) -> Option<BlockHash> {
        self.active.get(height as usize).copied()
    }

    /// A block that was taken in, on whatever chain.
    pub fn block(&self, hash: &BlockHash) -> Option<&Block> {
        self.store.block(hash)
    }

    /// The height of a block that is known, on whatever chain.
    pub fn height_of(&self, hash: &BlockHash) -> Option<u32> {
        self.index.get(hash).map(|entry| entry.height)
    }

    /// The work of the chain up to a block.
    pub fn work_of(&self, hash: &BlockHash) -> Option<Work> {
        self.index.get(hash).map(|entry| entry.work)
    }

    /// Whether a block is on the best chain.
    pub fn is_active(&self, hash: &BlockHash) -> bool {
        self.height_of(hash).is_some_and(|height| self.hash_at(height) == Some(*hash))
    }

    /// The median of a block's time and the ten before it, in seconds since 1970 (BIP 113); 0 if the block is not known.
    pub fn median_time_past(&self, hash: &BlockHash) -> u32 {
        self.index.median_time_past(hash)
    }

    /// The unspent outputs, in order: for comparing chains.
    pub fn unspent(&self) -> BTreeMap<OutPoint, TxOut> {
        self.store.coins().map(|(point, coin)| (*point, coin.output.clone())).collect()
    }

    /// An output of the best chain that is not spent on it.
    pub fn coin(&self, point: &OutPoint) -> Option<&Coin> {
        self.store.coin(point)
    }

    /// The best chain's block that has a transaction. The first block's is not known, as it cannot be spent.
    pub fn block_of(&self, txid: &Txid) -> Option<BlockHash> {
        self.store.place(txid)
    }

    /// What a transaction would pay as its fee in the next block, and what its signature operations would cost, if it keeps the
    /// rules that blocks are checked by. `made` has what other transactions make before it.
    pub fn check_next<'a>(
        &'a self,
        tx: &Transaction,
        made: impl Fn(&OutPoint) -> Option<&'a Coin>,
    ) -> Result<(Amount, usize), BlockError> {
        rules::check_transaction(tx)?;
        if tx.is_coinbase() {
            return Err(BlockError::CoinbaseMultiple);
        }
        let height = self.height() + 1;
        if !rules::is_final(tx, height, self.median_time_past(&self.tip())) {
            return Err(BlockError::NotFinal);
        }
        let coin = |point: &OutPoint| self.coin(point).or_else(|| made(point));
        let fee = coins::fee(tx, height, coin)?;
        Ok((fee, tx.total_sigop_cost(|point| coin(point).map(|coin| coin.output.clone()))))
    }

    /// Takes a block in, and makes its chain the best if it has more work (`ProcessNewBlock`).
    ///
    /// `now` is the time, in seconds since 1970.
    pub fn accept(&mut self, block: &Block, now: u32) -> Result<Accepted, BlockError> {
        rules::check_proof_of_work(&block.header, &self.params)?;
        rules::check_block(block)?;
        let hash = block.block_hash();
        match self.index.get(&hash).map(|entry| entry.validity) {
            Some(Validity::Invalid) => return Err(BlockError::DuplicateInvalid),
            Some(_) => return Ok(Accepted::Duplicate),
            None => {}
        }
        self.check_header(&block.header, now)?;
        if let Err(error) = self.check_in_context(block) {
            // Another block with the same header may have the right witnesses; else the header is spent.
            if !error.is_about_witnesses() {
                self.index.insert(block.header, Validity::Invalid);
            }
            return Err(error);
        }
        self.store.put_block(hash, block.clone());
        let best = self.work_of(&self.tip());
        let work = self.index.insert(block.header, Validity::Unchecked).map(|entry| entry.work);
        if work <= best {
            return Ok(Accepted::SideChain);
        }
        self.activate(hash).map(|()| Accepted::Tip)
    }

    /// Checks a block that would be the next, without its proof of work (BIP 23's proposal; `TestBlockValidity`).
    ///
    /// `now` is the time, in seconds since 1970. The chain is left as it was.
    pub fn check_proposal(&mut self, block: &Block, now: u32) -> Result<(), BlockError> {
        match self.index.get(&block.block_hash()).map(|entry| entry.validity) {
            Some(Validity::Valid) => return Err(BlockError::Duplicate),
            Some(Validity::Invalid) => return Err(BlockError::DuplicateInvalid),
            Some(Validity::Unchecked) => return Err(BlockError::DuplicateInconclusive),
            None => {}
        }
        if block.header.prev_blockhash != self.tip() {
            return Err(BlockError::NotOnTip { previous: block.header.prev_blockhash });
        }
        self.check_header(&block.header, now)?;
        rules::check_block(block)?;
        self.check_in_context(block)?;
        let height = self.height() + 1;
        let undo = coins::connect(&mut self.store, block, height, &self.params)?;
        coins::disconnect(&mut self.store, block, undo);
        Ok(())
    }

    fn check_header(&self, header: &Header, now: u32) -> Result<(), BlockError> {
        let previous = header.prev_blockhash;
        let parent = self.index.get(&previous).ok_or(BlockError::PreviousNotFound { previous })?;
        if parent.validity == Validity::Invalid {
            return Err(BlockError::PreviousInvalid { previous });
        }
        rules::check_header(header, &self.params, parent.height + 1, self.median_time_past(&previous), now)
    }

    fn check_in_context(&self, block: &Block) -> Result<(), BlockError> {
        let previous = block.header.prev_blockhash;
        let height = self.height_of(&previous).map_or(0, |height| height + 1);
        rules::check_in_context(block, &self.params, height, self.median_time_past(&previous))
    }

    /// Makes the chain that ends in `hash` the best. If one of its blocks breaks a rule, the old chain stays.
    fn activate(&mut self, hash: BlockHash) -> Result<(), BlockError> {
        let mut branch: Vec<BlockHash> =
            self.index.ancestry(hash).map(|(hash, _)| hash).take_while(|hash| !self.is_active(hash)).collect();
        branch.reverse();
        let Some(fork) = branch.first().and_then(|lowest| self.height_of(lowest)) else { return Ok(()) };
        let fork = fork as usize;
        let old = self.active.split_off(fork);
        for hash in old.iter().rev() {
            self.disconnect(hash);
        }
        for bad in branch {
            if let Err(error) = self.connect(bad) {
                self.index.invalidate(&bad);
                for hash in self.active.split_off(fork).iter().rev() {
                    self.disconnect(hash);
                }
                for hash in old {
                    self.connect(hash).expect("a block that was connected connects again on the same chain");
                }
                return Err(error);
            }
        }
        Ok(())
    }

    fn connect(&mut self, hash: BlockHash) -> Result<(), BlockError> {
        let height = self.active.len() as u32;
        let block = self.store.block(&hash).expect("every block that may be valid is kept").clone();
        let undo = coins::connect(&mut self.store, &block, height, &self.params)?;
        self.store.put_undo(hash, undo);
        for tx in &block.txdata {
            self.store.put_place(tx.compute_txid(), hash);
        }
        self.index.mark_valid(&hash);
        self.active.push(hash);
        Ok(())
    }

    fn disconnect(&mut self, hash: &BlockHash) {
        let Some(undo) = self.store.take_undo(hash) else { return };
        let block = self.store.block(hash).expect("every block that may be valid is kept").clone();
        coins::disconnect(&mut self.store, &block, undo);
        for tx in &block.txdata {
            self.store.take_place(&tx.compute_txid());
        }
    }
}
