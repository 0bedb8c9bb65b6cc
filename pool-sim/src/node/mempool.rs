//! The mempool: transactions that wait for a block.
//!
//! A transaction comes in if a block could have it next: its inputs are unspent in the chain, or made by another that waits; they
//! are mature and worth what its outputs claim; it is final. What the chain does not judge in blocks, it does not judge here:
//! scripts, signatures and relative lock times (BIP 68). So it takes a transaction that Bitcoin Core refuses, and a block with it
//! is one that only this chain accepts.
//!
//! There is no policy beside that: no least fee, no dust, no standard scripts. None takes another's place, whatever it pays, and
//! when the mempool is full, it is full. Blocks take them in the order in which they came.

use crate::chain::{BlockError, Chain, Coin, MAX_SIGOPS_COST, MAX_WEIGHT};
use bitcoin::{Amount, OutPoint, Transaction, TxOut, Txid, Wtxid};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use thiserror::Error;

/// The most that all together may weigh: five blocks.
pub(super) const MOST_WEIGHT: u64 = 5 * MAX_WEIGHT;
/// How many there may be: after each block all are looked at again.
const MOST: usize = 5_000;
/// The most that one may weigh (`MAX_STANDARD_TX_WEIGHT`).
const MOST_WEIGHT_OF_ONE: u64 = 400_000;
/// The most that the signature operations of one may cost (`MAX_STANDARD_TX_SIGOPS_COST`).
const MOST_SIGOPS_OF_ONE: usize = MAX_SIGOPS_COST / 5;

/// What a template leaves to the header and to the coinbase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    /// In weight units (BIP 141).
    pub(super) weight: u64,
    /// What its signature operations may cost.
    pub(super) sigops_cost: usize,
}

impl Default for Room {
    /// The coinbase may pay a hundred miners; an output to a public key's hash costs four.
    fn default() -> Room {
        Room { weight: 40_000, sigops_cost: 800 }
    }
}

/// A transaction that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pooled {
    /// The transaction, with its witnesses.
    pub transaction: Arc<Transaction>,
    /// Its id.
    pub txid: Txid,
    /// Its id with witnesses.
    pub wtxid: Wtxid,
    /// What it pays to the block's miner.
    pub fee: Amount,
    /// What its signature operations cost (BIP 141).
    pub sigops_cost: usize,
    /// What it weighs, in weight units (BIP 141).
    pub weight: u64,
    /// When it came, in seconds since 1970.
    pub time: u32,
    /// The chain's height then.
    pub height: u32,
}

/// Why a transaction does not come in. It displays as Bitcoin Core's `sendrawtransaction` says it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MempoolError {
    /// A block with it would break a rule.
    #[error("{0}")]
    Rule(BlockError),
    /// It is no coinbase's place.
    #[error("coinbase")]
    Coinbase,
    /// It may not be in the next block yet.
    #[error("non-final")]
    NotFinal,
    /// A block has it already.
    #[error("Transaction outputs already in utxo set")]
    InChain,
    /// It pays more than its sender means to.
    #[error("Fee exceeds maximum configured by user (e.g. -maxtxfee, maxfeerate)")]
    Fee {
        /// What it pays.
        fee: Amount,
        /// What it may pay.
        most: Amount,
    },
    /// Another that waits spends one of its inputs.
    #[error("txn-mempool-conflict")]
    Conflict {
        /// Which input.
        input: OutPoint,
        /// The other one.
        with: Txid,
    },
    /// It would take too much of a block.
    #[error("tx-size")]
    Weight {
        /// What it weighs, in weight units.
        weight: u64,
    },
    /// Its signature operations would take too much of a block.
    #[error("bad-txns-too-many-sigops")]
    SigOps {
        /// What they cost.
        cost: usize,
    },
    /// No place is left.
    #[error("mempool full")]
    Full {
        /// How many wait.
        count: usize,
        /// What they weigh, in weight units.
        weight: u64,
    },
}

impl From<BlockError> for MempoolError {
    fn from(error: BlockError) -> MempoolError {
        match error {
            BlockError::NotFinal => MempoolError::NotFinal,
            other => MempoolError::Rule(other),
        }
    }
}

/// The transactions that wait.
#[derive(Debug, Default)]
pub(super) struct Mempool {
    /// In the order in which they came: none spends what a later one makes.
    order: Vec<Arc<Pooled>>,
    by_txid: HashMap<Txid, Arc<Pooled>>,
    /// Which of them spends an output.
    spent: HashMap<OutPoint, Txid>,
    /// What they make, for those after them to spend.
    made: HashMap<OutPoint, Coin>,
    weight: u64,
    updates: u64,
}

impl Mempool {
    /// All of them, in the order in which they came.
    pub(super) fn all(&self) -> &[Arc<Pooled>] {
        &self.order
    }

    pub(super) fn get(&self, txid: &Txid) -> Option<&Arc<Pooled>> {
        self.by_txid.get(txid)
    }

    /// The one that spends an output.
    pub(super) fn spender(&self, point: &OutPoint) -> Option<Txid> {
        self.spent.get(point).copied()
    }

    /// How often it changed.
    pub(super) fn updates(&self) -> u64 {
        self.updates
    }

    /// Takes a transaction in, at a time in seconds since 1970, if its fee is not above `max_fee`. One that waits already goes on
    /// to wait.
    pub(super) fn add(
        &mut self,
        chain: &Chain,
        transaction: Arc<Transaction>,
        max_fee: Option<Amount>,
        time: u32,
    ) -> Result<Txid, MempoolError> {
        self.admit(chain, transaction, max_fee, (time, chain.height()))
    }

    fn admit(
        &mut self,
        chain: &Chain,
        transaction: Arc<Transaction>,
        max_fee: Option<Amount>,
        (time, height): (u32, u32),
    ) -> Result<Txid, MempoolError> {
        let txid = transaction.compute_txid();
        if self.by_txid.contains_key(&txid) {
            return Ok(txid);
        }
        let outputs = || (0..transaction.output.len() as u32).map(|vout| OutPoint::new(txid, vout));
        if outputs().any(|output| chain.coin(&output).is_some()) {
            return Err(MempoolError::InChain);
        }
        if transaction.is_coinbase() {
            return Err(MempoolError::Coinbase);
        }
        let weight = transaction.weight().to_wu();
        if weight > MOST_WEIGHT_OF_ONE {
            return Err(MempoolError::Weight { weight });
        }
        let inputs = || transaction.input.iter().map(|input| input.previous_output);
        if let Some((input, with)) = inputs().find_map(|input| Some((input, self.spender(&input)?))) {
            return Err(MempoolError::Conflict { input, with });
        }
        let (fee, sigops_cost) = chain.check_next(&transaction, |point| self.made.get(point))?;
        if let Some(most) = max_fee.filter(|most| fee > *most) {
            return Err(MempoolError::Fee { fee, most });
        }
        if sigops_cost > MOST_SIGOPS_OF_ONE {
            return Err(MempoolError::SigOps { cost: sigops_cost });
        }
        if self.order.len() >= MOST || self.weight + weight > MOST_WEIGHT {
            return Err(MempoolError::Full { count: self.order.len(), weight: self.weight });
        }
        self.spent.extend(inputs().map(|input| (input, txid)));
        // In the next block, most likely; what is no coinbase's needs not be deep to be spent.
        let coin = |output: &TxOut| Coin { output: output.clone(), height: chain.height() + 1, coinbase: false };
        let made = outputs().zip(&transaction.output).filter(|(_, output)| !output.script_pubkey.is_op_return());
        self.made.extend(made.map(|(point, output)| (point, coin(output))));
        let wtxid = transaction.compute_wtxid();
        let pooled = Arc::new(Pooled { transaction, txid, wtxid, fee, sigops_cost, weight, time, height });
        self.by_txid.insert(txid, Arc::clone(&pooled));
        self.order.push(pooled);
        self.weight += weight;
        self.updates += 1;
        Ok(txid)
    }

    /// Looks at all of them again, as the best chain is another. Those that its blocks have are out, and so are those that spend
    /// what these spend; those of blocks that it lost, `returned`, are in again, before all others, as far as they fit.
    pub(super) fn follow(&mut self, chain: &Chain, returned: Vec<Transaction>, time: u32) {
        let before = std::mem::take(self);
        self.updates = before.updates;
        for transaction in returned {
            // A coinbase, or what the new chain has, or cannot have.
            let _ = self.add(chain, Arc::new(transaction), None, time);
        }
        for Pooled { transaction, time, height, .. } in before.order.iter().map(|pooled| &**pooled) {
            let _ = self.admit(chain, Arc::clone(transaction), None, (*time, *height));
        }
        self.updates = before.updates + u64::from(self.order != before.order);
    }

    /// Those for a block, in an order that a block may have.
    pub(super) fn choose(&self, room: Room) -> Vec<Arc<Pooled>> {
        let Room { mut weight, mut sigops_cost } = room;
        let mut left = HashSet::new();
        let has_place = |pooled: &&Arc<Pooled>| {
            let needs_left = pooled.transaction.input.iter().any(|input| left.contains(&input.previous_output.txid));
            let is_full = weight + pooled.weight > MAX_WEIGHT || sigops_cost + pooled.sigops_cost > MAX_SIGOPS_COST;
            if needs_left || is_full {
                left.insert(pooled.txid);
                return false;
            }
            weight += pooled.weight;
            sigops_cost += pooled.sigops_cost;
            true
        };
        self.order.iter().filter(has_place).cloned().collect()
    }
}
