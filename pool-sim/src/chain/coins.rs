//! Rules about coins: what a block may spend and claim. Scripts are not run.

use super::store::{Coin, Store, Undo};
use super::{BlockError, Params};
use bitcoin::{Amount, Block, OutPoint, Transaction};

/// How many blocks must lie on a coinbase before it is spent, itself counted.
const COINBASE_MATURITY: u32 = 100;
/// The most that a block's signature operations may cost (BIP 141).
pub const MAX_SIGOPS_COST: usize = 80_000;

/// Spends and creates what a block does (`ConnectBlock`), and says how to take it back. A block that breaks a rule
/// changes nothing.
pub(super) fn connect(store: &mut Store, block: &Block, height: u32, params: &Params) -> Result<Undo, BlockError> {
    // First of all (BIP 30), since taking a block back removes what it made.
    if let Some(output) = outputs(block).find(|output| store.coin(output).is_some()) {
        return Err(BlockError::OutputExists { output });
    }
    let mut undo = Undo::default();
    match try_connect(store, block, height, params, &mut undo) {
        Ok(()) => Ok(undo),
        Err(error) => {
            disconnect(store, block, undo);
            Err(error)
        }
    }
}

/// Takes a block back that was connected last.
pub(super) fn disconnect(store: &mut Store, block: &Block, undo: Undo) {
    // First what was spent, then away with what was created: an output may be both.
    for (point, coin) in undo.spent {
        store.put_coin(point, coin);
    }
    for output in outputs(block) {
        store.take_coin(&output);
    }
}

fn try_connect(
    store: &mut Store,
    block: &Block,
    height: u32,
    params: &Params,
    undo: &mut Undo,
) -> Result<(), BlockError> {
    let mut fees = Amount::ZERO;
    let mut sigops_cost = 0;
    for tx in &block.txdata {
        let cost = tx.total_sigop_cost(|point| store.coin(point).map(|coin| coin.output.clone()));
        if !tx.is_coinbase() {
            let paid = spend(store, tx, height, undo)?;
            fees = fees.checked_add(paid).ok_or(BlockError::OutputsTooLarge)?;
        }
        sigops_cost += cost;
        if sigops_cost > MAX_SIGOPS_COST {
            return Err(BlockError::SigOps { cost: sigops_cost });
        }
        create(store, tx, height);
    }
    let allowed = params.subsidy(height).checked_add(fees).ok_or(BlockError::OutputsTooLarge)?;
    let claimed = block.txdata.first().map_or(Amount::ZERO, total_output);
    if claimed > allowed {
        return Err(BlockError::CoinbaseAmount { claimed, allowed });
    }
    Ok(())
}

/// Takes a transaction's inputs, and gives its fee.
fn spend(store: &mut Store, tx: &Transaction, height: u32, undo: &mut Undo) -> Result<Amount, BlockError> {
    let fee = fee(tx, height, |point| store.coin(point))?;
    for input in tx.input.iter().map(|input| input.previous_output) {
        let coin = store.take_coin(&input).ok_or(BlockError::MissingInput { input })?;
        undo.spent.push((input, coin));
    }
    Ok(fee)
}

/// A transaction's fee in a block at this height, if it may spend these coins (`CheckTxInputs`).
pub(super) fn fee<'a>(
    tx: &Transaction,
    height: u32,
    coin: impl Fn(&OutPoint) -> Option<&'a Coin>,
) -> Result<Amount, BlockError> {
    let inputs = || tx.input.iter().map(|input| input.previous_output);
    if let Some(input) = inputs().find(|input| coin(input).is_none()) {
        return Err(BlockError::MissingInput { input });
    }
    let mut total = Amount::ZERO;
    for (input, coin) in inputs().filter_map(|input| Some((input, coin(&input)?))) {
        let depth = height - coin.height;
        if coin.coinbase && depth < COINBASE_MATURITY {
            return Err(BlockError::PrematureSpend { input, depth });
        }
        total = total.checked_add(coin.output.value).ok_or(BlockError::OutputsTooLarge)?;
    }
    total.checked_sub(total_output(tx)).ok_or(BlockError::OutputsExceedInputs)
}

fn create(store: &mut Store, tx: &Transaction, height: u32) {
    let txid = tx.compute_txid();
    for (vout, output) in tx.output.iter().enumerate() {
        // What begins with OP_RETURN can never be spent.
        if !output.script_pubkey.is_op_return() {
            let coin = Coin { output: output.clone(), height, coinbase: tx.is_coinbase() };
            store.put_coin(OutPoint::new(txid, vout as u32), coin);
        }
    }
}

/// Where a block's outputs are found.
fn outputs(block: &Block) -> impl Iterator<Item = OutPoint> {
    block.txdata.iter().flat_map(|tx| {
        let txid = tx.compute_txid();
        (0..tx.output.len() as u32).map(move |vout| OutPoint::new(txid, vout))
    })
}

/// The sum of a transaction's outputs, which `CheckTransaction` found to be possible.
fn total_output(tx: &Transaction) -> Amount {
    tx.output.iter().map(|output| output.value).sum()
}
