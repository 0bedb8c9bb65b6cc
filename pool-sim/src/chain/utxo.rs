//! Which outputs are unspent, and rules about spending them.

use super::{BlockError, Params};
use bitcoin::{Amount, Block, OutPoint, Transaction, TxOut};
use std::collections::HashMap;

/// How many blocks must lie on a coinbase before it is spent, itself counted.
const COINBASE_MATURITY: u32 = 100;

/// An unspent output.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Coin {
    output: TxOut,
    height: u32,
    coinbase: bool,
}

/// All unspent outputs.
#[derive(Clone, Debug, Default)]
pub(super) struct UtxoSet {
    coins: HashMap<OutPoint, Coin>,
}

/// What a block spent.
#[derive(Debug, Default)]
pub(super) struct Undo {
    spent: Vec<(OutPoint, Coin)>,
}

impl UtxoSet {
    /// Spends and creates what a block does (`ConnectBlock`). A block that breaks a rule changes nothing.
    pub(super) fn connect(&mut self, block: &Block, height: u32, params: &Params) -> Result<Undo, BlockError> {
        let mut undo = Undo::default();
        match self.try_connect(block, height, params, &mut undo) {
            Ok(()) => Ok(undo),
            Err(error) => {
                self.disconnect(block, undo);
                Err(error)
            }
        }
    }

    fn try_connect(&mut self, block: &Block, height: u32, params: &Params, undo: &mut Undo) -> Result<(), BlockError> {
        let mut fees = Amount::ZERO;
        for tx in &block.txdata {
            if !tx.is_coinbase() {
                let paid = self.spend(tx, height, undo)?;
                fees = fees.checked_add(paid).ok_or(BlockError::OutputsTooLarge)?;
            }
            self.create(tx, height);
        }
        let allowed = params.subsidy(height) + fees;
        let claimed = block.txdata.first().map_or(Amount::ZERO, total_output);
        if claimed > allowed {
            return Err(BlockError::CoinbaseAmount { claimed, allowed });
        }
        Ok(())
    }

    /// Takes a transaction's inputs, and gives its fee (`CheckTxInputs`).
    fn spend(&mut self, tx: &Transaction, height: u32, undo: &mut Undo) -> Result<Amount, BlockError> {
        let mut total = Amount::ZERO;
        for input in &tx.input {
            let input = input.previous_output;
            let coin = self.coins.get(&input).ok_or(BlockError::MissingInput { input })?;
            let depth = height - coin.height;
            if coin.coinbase && depth < COINBASE_MATURITY {
                return Err(BlockError::PrematureSpend { input, depth });
            }
            total = total.checked_add(coin.output.value).ok_or(BlockError::OutputsTooLarge)?;
            if let Some(coin) = self.coins.remove(&input) {
                undo.spent.push((input, coin));
            }
        }
        total.checked_sub(total_output(tx)).ok_or(BlockError::OutputsExceedInputs)
    }

    fn create(&mut self, tx: &Transaction, height: u32) {
        let txid = tx.compute_txid();
        for (vout, output) in tx.output.iter().enumerate() {
            // What begins with OP_RETURN can never be spent.
            if !output.script_pubkey.is_op_return() {
                let coin = Coin { output: output.clone(), height, coinbase: tx.is_coinbase() };
                self.coins.insert(OutPoint::new(txid, vout as u32), coin);
            }
        }
    }

    /// Takes a block back that was connected last.
    pub(super) fn disconnect(&mut self, block: &Block, undo: Undo) {
        // First what was spent, then away with what was created: an output may be both.
        self.coins.extend(undo.spent);
        for tx in &block.txdata {
            let txid = tx.compute_txid();
            for vout in 0..tx.output.len() as u32 {
                self.coins.remove(&OutPoint::new(txid, vout));
            }
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&OutPoint, &TxOut)> {
        self.coins.iter().map(|(point, coin)| (point, &coin.output))
    }
}

/// The sum of a transaction's outputs, which `CheckTransaction` found to be possible.
fn total_output(tx: &Transaction) -> Amount {
    tx.output.iter().map(|output| output.value).sum()
}
