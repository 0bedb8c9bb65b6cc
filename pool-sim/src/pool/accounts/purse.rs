//! The pool's coins as its node knows them, and payouts that spend them.

use super::{BlockRecord, BlockState, Books, LedgerError, PayoutRecord, PayoutState, Place};
use crate::chain::BlockError;
use crate::node::{MempoolError, Node};
use bitcoin::{Amount, OutPoint, ScriptBuf};
use std::collections::HashSet;
use std::time::{SystemTime, UNIX_EPOCH};

/// What became of payouts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PaidOut {
    /// Those whose state is new.
    pub settled: Vec<PayoutRecord>,
    /// One that is new. It may be sent as soon as it is kept.
    pub made: Option<PayoutRecord>,
}

/// Books what became of payouts: each is given to the node again until a block has it. Then, if there is a threshold, in satoshis,
/// books a new one to those who are due. `pay_to` is what the pool's blocks pay to, which anybody can spend.
pub fn pay_out(
    books: &mut Books,
    node: &Node,
    threshold: Option<u64>,
    pay_to: &ScriptBuf,
) -> Result<PaidOut, LedgerError> {
    let tip = node.tip().borrow().height;
    let settled = books.settle_payouts(tip, |payout| place(node, payout))?;
    let made = match threshold.filter(|threshold| !books.due(*threshold).is_empty()) {
        Some(threshold) => {
            let coins = coins(books, node, pay_to);
            let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
            books.pay_out(threshold, &coins, pay_to, time)?.cloned()
        }
        None => None,
    };
    Ok(PaidOut { settled, made })
}

fn place(node: &Node, payout: &PayoutRecord) -> Place {
    match node.height_of(&payout.txid) {
        Some(height) => Place::Block(height),
        None => match node.send_transaction(payout.transaction.clone(), None) {
            Err(MempoolError::Rule(BlockError::MissingInput { .. })) => Place::Gone,
            _ => Place::Waiting,
        },
    }
}

/// The coins that are final and that nothing spends, the oldest first: what mature blocks left to the pool, and what is left over of
/// payouts.
fn coins(books: &Books, node: &Node, pay_to: &ScriptBuf) -> Vec<(OutPoint, Amount)> {
    let spending = books.payouts().iter().filter(|payout| payout.state != PayoutState::Reversed);
    let spent: HashSet<_> = spending.flat_map(PayoutRecord::inputs).collect();
    // What a coinbase pays to miners comes after what it leaves to the pool, if it leaves anything.
    let has_left = |block: &&BlockRecord| {
        block.state == BlockState::Mature && block.parts.paid.values().sum::<u64>() < block.reward
    };
    let blocks = books.blocks().iter().filter(has_left);
    let coinbases = blocks.filter_map(|block| Some(OutPoint::new(node.coinbase_of(&block.hash)?, 0)));
    let paid = books.payouts().iter().filter(|payout| payout.state == PayoutState::Paid);
    let points = coinbases.chain(paid.filter_map(PayoutRecord::change)).filter(|point| !spent.contains(point));
    let mut coins: Vec<_> = points
        .filter_map(|point| Some((point, node.coin(&point)?)))
        .filter(|(_, coin)| coin.output.script_pubkey == *pay_to)
        .collect();
    coins.sort_by_key(|(point, coin)| (coin.height, *point));
    coins.into_iter().map(|(point, coin)| (point, coin.output.value)).collect()
}
