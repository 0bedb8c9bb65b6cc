//! The chain: which blocks are valid, and which chain of them is the best.
//!
//! Rules are Bitcoin Core's, with its words for refusals. What is not checked: scripts and signatures, signature
//! operations, and relative lock times (BIP 68). A block that this chain accepts may break those.

mod error;
mod params;
mod rules;
mod utxo;

pub use error::BlockError;
pub use params::Params;
pub use rules::{bip34_script, coinbase_commitment};

use bitcoin::pow::Work;
use bitcoin::{Block, BlockHash};
use std::collections::{BTreeMap, HashMap};
use utxo::{Undo, UtxoSet};

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

/// A block in the index.
#[derive(Debug)]
struct Entry {
    block: Block,
    height: u32,
    /// Of the whole chain up to here.
    work: Work,
    /// Whether it, or a block below it, turned out to break a rule.
    invalid: bool,
    /// How to take it back, while it is connected.
    undo: Option<Undo>,
}

/// All blocks, in memory, and the best chain of them.
#[derive(Debug)]
pub struct Chain {
    params: Params,
    entries: HashMap<BlockHash, Entry>,
    /// The best chain, by height.
    active: Vec<BlockHash>,
    utxos: UtxoSet,
}

impl Chain {
    /// A chain that has its first block only.
    pub fn new(params: Params) -> Chain {
        let genesis = bitcoin::constants::genesis_block(params.network);
        let hash = genesis.block_hash();
        let work = genesis.header.work();
        // The first block's output cannot be spent, so there is nothing to connect.
        let entry = Entry { block: genesis, height: 0, work, invalid: false, undo: Some(Undo::default()) };
        Chain { params, entries: HashMap::from([(hash, entry)]), active: vec![hash], utxos: UtxoSet::default() }
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

    /// A block that is known, on whatever chain.
    pub fn block(&self, hash: &BlockHash) -> Option<&Block> {
        self.entries.get(hash).map(|entry| &entry.block)
    }

    /// The height of a block that is known, on whatever chain.
    pub fn height_of(&self, hash: &BlockHash) -> Option<u32> {
        self.entries.get(hash).map(|entry| entry.height)
    }

    /// The work of the chain up to a block.
    pub fn work_of(&self, hash: &BlockHash) -> Option<Work> {
        self.entries.get(hash).map(|entry| entry.work)
    }

    /// Whether a block is on the best chain.
    pub fn is_active(&self, hash: &BlockHash) -> bool {
        self.height_of(hash).is_some_and(|height| self.hash_at(height) == Some(*hash))
    }

    /// The median of a block's time and the ten before it (BIP 113).
    pub fn median_time_past(&self, hash: &BlockHash) -> u32 {
        let mut times: Vec<u32> = self.ancestry(*hash).take(11).map(|(_, entry)| entry.block.header.time).collect();
        times.sort_unstable();
        times.get(times.len() / 2).copied().unwrap_or(0)
    }

    /// A block and all before it.
    fn ancestry(&self, from: BlockHash) -> impl Iterator<Item = (BlockHash, &Entry)> {
        let mut next = Some(from);
        std::iter::from_fn(move || {
            let hash = next?;
            let entry = self.entries.get(&hash)?;
            next = (entry.height > 0).then_some(entry.block.header.prev_blockhash);
            Some((hash, entry))
        })
    }

    /// Checks a block against all rules that do not need what it spends, as if its proof of work were `proved`.
    ///
    /// `now` is the time, in seconds since 1970.
    pub fn check(&self, block: &Block, now: u32, proved: bool) -> Result<(), BlockError> {
        let header = &block.header;
        if proved {
            rules::check_proof_of_work(header, &self.params)?;
        }
        let previous = self
            .entries
            .get(&header.prev_blockhash)
            .ok_or(BlockError::PreviousNotFound { previous: header.prev_blockhash })?;
        if previous.invalid {
            return Err(BlockError::PreviousInvalid { previous: header.prev_blockhash });
        }
        let median_time = self.median_time_past(&header.prev_blockhash);
        rules::check_header(header, &self.params, median_time, now)?;
        rules::check_block(block)?;
        rules::check_in_context(block, previous.height + 1, median_time)
    }

    /// Checks a block that would be the next, without its proof of work (BIP 23's proposal).
    pub fn check_proposal(&self, block: &Block, now: u32) -> Result<(), BlockError> {
        if block.header.prev_blockhash != self.tip() {
            return Err(BlockError::NotOnTip { previous: block.header.prev_blockhash });
        }
        self.check(block, now, false)?;
        self.utxos.clone().connect(block, self.height() + 1, &self.params).map(|_| ())
    }

    /// Takes a block in, and makes its chain the best if it has more work.
    ///
    /// `now` is the time, in seconds since 1970.
    pub fn accept(&mut self, block: &Block, now: u32) -> Result<Accepted, BlockError> {
        let hash = block.block_hash();
        match self.entries.get(&hash) {
            Some(known) if known.invalid => return Err(BlockError::DuplicateInvalid),
            Some(_) => return Ok(Accepted::Duplicate),
            None => {}
        }
        self.check(block, now, true)?;
        let previous = &self.entries[&block.header.prev_blockhash];
        let (height, work) = (previous.height + 1, previous.work + block.header.work());
        self.entries.insert(hash, Entry { block: block.clone(), height, work, invalid: false, undo: None });
        if work <= self.entries[&self.tip()].work {
            return Ok(Accepted::SideChain);
        }
        self.activate(hash).map(|()| Accepted::Tip)
    }

    /// Makes the chain that ends in `hash` the best. If one of its blocks breaks a rule, the old chain stays.
    fn activate(&mut self, hash: BlockHash) -> Result<(), BlockError> {
        let mut branch: Vec<BlockHash> =
            self.ancestry(hash).map(|(hash, _)| hash).take_while(|hash| !self.is_active(hash)).collect();
        branch.reverse();
        let fork = self.entries[&branch[0]].height as usize;
        let old = self.active.split_off(fork);
        for hash in old.iter().rev() {
            self.disconnect(*hash);
        }
        for (i, &hash) in branch.iter().enumerate() {
            if let Err(error) = self.connect(hash) {
                self.invalidate(branch[i]);
                for hash in self.active.split_off(fork).iter().rev() {
                    self.disconnect(*hash);
                }
                for hash in old {
                    self.connect(hash).expect("a block that was connected connects again on the same chain");
                }
                return Err(error);
            }
        }
        Ok(())
    }

    /// Marks a block, and all that build on it.
    fn invalidate(&mut self, bad: BlockHash) {
        let builds_on_it = |hash: &BlockHash| self.ancestry(*hash).any(|(ancestor, _)| ancestor == bad);
        let void: Vec<BlockHash> = self.entries.keys().copied().filter(builds_on_it).collect();
        for hash in void {
            if let Some(entry) = self.entries.get_mut(&hash) {
                entry.invalid = true;
            }
        }
    }

    fn connect(&mut self, hash: BlockHash) -> Result<(), BlockError> {
        let entry = self.entries.get_mut(&hash).expect("only blocks of the index are connected");
        entry.undo = Some(self.utxos.connect(&entry.block, entry.height, &self.params)?);
        self.active.push(hash);
        Ok(())
    }

    fn disconnect(&mut self, hash: BlockHash) {
        let entry = self.entries.get_mut(&hash).expect("only blocks of the index are disconnected");
        if let Some(undo) = entry.undo.take() {
            self.utxos.disconnect(&entry.block, undo);
        }
    }

    /// The unspent outputs, in order: for comparing chains.
    pub fn unspent(&self) -> BTreeMap<bitcoin::OutPoint, bitcoin::TxOut> {
        self.utxos.iter().map(|(point, output)| (*point, output.clone())).collect()
    }
}
