//! Payouts: transactions of the pool's that pay balances out, and what is booked of them.
//!
//! A payout is made once and for all: it is kept with its transaction, byte for byte, before the node has it. So whatever happens
//! it is that transaction which is sent again, and as its inputs can be spent once only, nobody is paid twice.
//!
//! - It pays whoever's balance is the threshold at least, and whose name is an address: all of the balance, less a part of the fee.
//!   If the coins do not suffice, as the pool owes more than it has, whoever has most gets what the others leave.
//! - It spends the pool's oldest mature coins, as many as it takes; what is left over is the pool's again.
//! - Its fee is a satoshi a virtual byte. Those bear it whom it pays, in proportion to what they have ([`divide`]).
//!
//! | state | what is booked |
//! |---|---|
//! | sending | from balances to `sending`, before the node has it |
//! | paid, [`MATURITY`](super::MATURITY) blocks deep | from `sending` to `paid`, and the fee to `network_fees` |
//! | reversed, as an input is gone for as many blocks | from `sending` to balances |

use super::block::signed;
use super::divide::divide;
use super::{Account, LedgerError, Party, Transaction, User, Work};
use bitcoin::absolute::LockTime;
use bitcoin::address::NetworkUnchecked;
use bitcoin::consensus::serde::{Hex, With};
use bitcoin::{Address, Amount, Network, OutPoint, ScriptBuf, Sequence, TxIn, TxOut, Txid, Witness, transaction};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// The least threshold: no output of a usual address is dust from there on, in satoshis.
pub const LEAST_THRESHOLD: u64 = 546;
/// How many one transaction pays at most; the others' turn is next.
const MOST_PAID: usize = 100;
/// How many coins one transaction spends at most: after many halvings it takes many.
const MOST_SPENT: usize = 1_000;

/// What became of a payout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PayoutState {
    /// It waits for a block, or is in one that may still be lost.
    Sending,
    /// It is so deep that it counts as final.
    Paid,
    /// It can never be in a block, and the balances are as they were.
    Reversed,
}

/// A payout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayoutRecord {
    /// Its transaction's id.
    pub txid: Txid,
    /// Its transaction: the first outputs are those of `paid`, in order; one more is the pool's.
    #[serde(with = "With::<Hex>")]
    pub transaction: bitcoin::Transaction,
    /// When it was booked, in seconds since 1970.
    pub time: u64,
    /// What balances have less, in satoshis.
    pub owed: BTreeMap<User, u64>,
    /// What outputs have, in satoshis; what is less than that is the fee.
    pub paid: BTreeMap<User, u64>,
    /// What became of it.
    pub state: PayoutState,
}

/// Somebody who is to be paid.
#[derive(Clone, Debug)]
pub(super) struct Payee {
    pub(super) user: User,
    /// In satoshis.
    pub(super) amount: u64,
    pub(super) script: ScriptBuf,
}

/// The script of a user whose name is an address of the network.
pub(super) fn script_of(user: &str) -> Option<ScriptBuf> {
    let address: Address<NetworkUnchecked> = user.parse().ok()?;
    Some(address.require_network(Network::Regtest).ok()?.script_pubkey())
}

impl PayoutRecord {
    /// A payout to those of these who can be paid with these coins, the oldest of which come first. Anybody can spend them, and
    /// what is left over goes to `change`. `None` if nobody can be paid the threshold, in satoshis.
    pub(super) fn new(
        mut due: Vec<Payee>,
        threshold: u64,
        coins: &[(OutPoint, Amount)],
        change: &ScriptBuf,
        time: u64,
    ) -> Option<PayoutRecord> {
        due.sort_by_key(|payee| Reverse(payee.amount));
        due.truncate(MOST_PAID);
        let mut owed: BTreeMap<User, u64> = due.iter().map(|payee| (User::clone(&payee.user), payee.amount)).collect();
        let scripts: BTreeMap<User, ScriptBuf> = due.into_iter().map(|payee| (payee.user, payee.script)).collect();
        while let Some((most, balance)) = owed.iter().max_by_key(|(_, amount)| **amount) {
            let need: u64 = owed.values().sum();
            let Some((inputs, left)) = choose(coins, need, change) else {
                // So that as many as possible are paid, whoever has most has what the others leave, or waits.
                let funds: u64 = coins.iter().take(MOST_SPENT).map(|(_, value)| value.to_sat()).sum();
                let rest = funds.saturating_sub(need - balance);
                let amount = if rest < *balance { rest } else { balance.saturating_sub(dust(change)) };
                let most = User::clone(most);
                if amount >= threshold {
                    owed.insert(most, amount);
                } else {
                    owed.remove(&most);
                }
                continue;
            };
            let outputs = |paid: &BTreeMap<User, u64>| {
                let payees = paid.iter().map(|(user, amount)| output(*amount, &scripts[user]));
                payees.chain((left > 0).then(|| output(left, change))).collect::<Vec<_>>()
            };
            let mut transaction = spend(inputs, outputs(&owed));
            let works = owed.iter().map(|(user, amount)| (User::clone(user), Work::from_units((*amount).into())));
            let fees = divide(transaction.vsize() as u64, &works.collect()).unwrap_or_default();
            let less = |(user, amount): (&User, &u64)| {
                (User::clone(user), amount.saturating_sub(fees.get(user).copied().unwrap_or(0)))
            };
            let paid: BTreeMap<User, u64> = owed.iter().map(less).collect();
            let is_dust = |user: &User| paid[user] < dust(&scripts[user]);
            if owed.keys().any(is_dust) {
                owed.retain(|user, _| !is_dust(user));
                continue;
            }
            transaction.output = outputs(&paid);
            let txid = transaction.compute_txid();
            return Some(PayoutRecord { txid, transaction, time, owed, paid, state: PayoutState::Sending });
        }
        None
    }

    /// What it pays for its place in a block, in satoshis.
    pub fn fee(&self) -> u64 {
        let [owed, paid] = [&self.owed, &self.paid].map(|amounts| amounts.values().sum::<u64>());
        owed.saturating_sub(paid)
    }

    /// What it spends.
    pub fn inputs(&self) -> impl Iterator<Item = OutPoint> {
        self.transaction.input.iter().map(|input| input.previous_output)
    }

    /// What of it is the pool's.
    pub(super) fn change(&self) -> Option<OutPoint> {
        let vout = self.paid.len();
        self.transaction.output.get(vout).map(|_| OutPoint::new(self.txid, vout as u32))
    }

    /// What is booked when it is made.
    pub(super) fn sent(&self) -> Result<Transaction, LedgerError> {
        let balances = self.owed.iter().map(|(user, amount)| {
            let balance = Account::Balance(Party::User(User::clone(user)));
            (balance, -signed(*amount))
        });
        let sending = (Account::Sending, signed(self.owed.values().sum()));
        Transaction::new(format!("payout {}", self.txid), balances.chain([sending]))
    }

    /// What is booked when it is final.
    pub(super) fn arrived(&self) -> Result<Transaction, LedgerError> {
        let sending = (Account::Sending, -signed(self.owed.values().sum()));
        let paid = (Account::Paid, signed(self.paid.values().sum()));
        let fee = (Account::NetworkFees, signed(self.fee()));
        Transaction::new(format!("paid {}", self.txid), [sending, paid, fee])
    }

    /// What is booked when it can never be in a block.
    pub(super) fn reversed(&self) -> Result<Transaction, LedgerError> {
        Ok(self.sent()?.reversed(format!("reversed {}", self.txid)))
    }
}

/// What an output must have so that Bitcoin Core relays it, in satoshis.
fn dust(script: &ScriptBuf) -> u64 {
    script.minimal_non_dust().to_sat()
}

/// The oldest coins that are worth what is needed, and what is left over then: nothing, or no dust.
fn choose<'a>(
    coins: &'a [(OutPoint, Amount)],
    need: u64,
    change: &ScriptBuf,
) -> Option<(&'a [(OutPoint, Amount)], u64)> {
    let mut sum = 0;
    for (at, (_, value)) in coins.iter().enumerate().take(MOST_SPENT) {
        sum += value.to_sat();
        if sum == need || sum >= need + dust(change) {
            return Some((&coins[..=at], sum - need));
        }
    }
    None
}

fn output(value: u64, script: &ScriptBuf) -> TxOut {
    TxOut { value: Amount::from_sat(value), script_pubkey: script.clone() }
}

/// A transaction that spends coins of [`crate::anyone_can_spend`]: the witness is the script `OP_TRUE` itself.
fn spend(coins: &[(OutPoint, Amount)], output: Vec<TxOut>) -> bitcoin::Transaction {
    let input = |(previous_output, _): &(OutPoint, Amount)| TxIn {
        previous_output: *previous_output,
        script_sig: ScriptBuf::new(),
        sequence: Sequence::MAX,
        witness: Witness::from_slice(&[[0x51]]),
    };
    let (version, lock_time) = (transaction::Version::TWO, LockTime::ZERO);
    bitcoin::Transaction { version, lock_time, input: coins.iter().map(input).collect(), output }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitcoin::hashes::Hash;

    const ADDRESSES: [&str; 3] = [
        "bcrt1qrxcucnxg57q5lrq8qnhjm2yg8sac3v3jejqq9h",
        "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080",
        "2N3oefVeg6stiTb5Kh3ozCSkaqmx91FDbsm",
    ];

    fn payout(amounts: &[u64], coins: &[u64]) -> Option<PayoutRecord> {
        payout_above(LEAST_THRESHOLD, amounts, coins)
    }

    fn payout_above(threshold: u64, amounts: &[u64], coins: &[u64]) -> Option<PayoutRecord> {
        let payee = |(user, amount): (&str, &u64)| Payee {
            user: user.into(),
            amount: *amount,
            script: script_of(user).unwrap(),
        };
        let coin = |(vout, value): (u32, &u64)| (OutPoint::new(Txid::all_zeros(), vout), Amount::from_sat(*value));
        let change = crate::anyone_can_spend().script_pubkey();
        let coins: Vec<_> = (0..).zip(coins).map(coin).collect();
        let due = ADDRESSES.into_iter().zip(amounts).map(payee).collect();
        let payout = PayoutRecord::new(due, threshold, &coins, &change, 7)?;
        // What goes in comes out: to somebody, as the fee, or back.
        let spent: u64 = coins[..payout.transaction.input.len()].iter().map(|(_, value)| value.to_sat()).sum();
        let made: u64 = payout.transaction.output.iter().map(|output| output.value.to_sat()).sum();
        assert_eq!((spent - made, payout.transaction.vsize() as u64), (payout.fee(), payout.fee()));
        let scripts = payout.paid.iter().map(|(user, amount)| output(*amount, &script_of(user).unwrap()));
        assert_eq!(scripts.collect::<Vec<_>>(), payout.transaction.output[..payout.paid.len()]);
        let change_is = payout.change().map(|point| &payout.transaction.output[point.vout as usize].script_pubkey);
        assert!(change_is.is_none_or(|script| *script == change));
        let [sent, arrived, reversed] = [payout.sent(), payout.arrived(), payout.reversed()].map(Result::unwrap);
        assert!(sent.check().is_ok() && arrived.check().is_ok() && reversed.check().is_ok());
        let kept = serde_json::to_vec(&payout).unwrap();
        assert_eq!(serde_json::from_slice::<PayoutRecord>(&kept).unwrap(), payout);
        Some(payout)
    }

    fn shape(payout: Option<PayoutRecord>) -> Option<(usize, Vec<u64>)> {
        payout.map(|payout| {
            let made = payout.transaction.output.iter().map(|output| output.value.to_sat());
            (payout.transaction.input.len(), made.collect())
        })
    }

    #[test]
    fn those_who_are_paid_bear_the_fee_in_proportion() {
        // 10.5 + 1 × (41 + 1) bytes of input, outputs of 31, 31, 32, and 43.
        let payout = payout(&[10_000, 20_000, 30_000], &[100_000]).unwrap();
        assert_eq!(payout.fee(), 190);
        let order = [&ADDRESSES[2], &ADDRESSES[0], &ADDRESSES[1]].map(|user| payout.paid[*user]);
        assert_eq!(order, [29_905, 9_968, 19_937]);
        assert_eq!(payout.transaction.output[3].value.to_sat(), 40_000);
    }

    #[test]
    fn coins_are_spent_in_order_and_leave_no_dust() {
        let made = |payout: Option<PayoutRecord>| payout.map(|payout| shape(Some(payout)).unwrap());
        assert_eq!(made(payout(&[10_000], &[10_000, 5])).unwrap().0, 1);
        // 329 would be dust, 330 is none.
        assert_eq!(made(payout(&[10_000], &[10_329, 1])).map(|(inputs, outputs)| (inputs, outputs[1])), Some((2, 330)));
        assert_eq!(made(payout(&[10_000], &[10_330, 1])).map(|(inputs, outputs)| (inputs, outputs[1])), Some((1, 330)));
        assert_eq!(made(payout(&[10_000], &[10_329])).map(|(inputs, outputs)| (inputs, outputs[1])), Some((1, 659)));
        assert_eq!(made(payout(&[10_000], &[])), None);
        assert_eq!(made(payout(&[], &[10_000])), None);
    }

    #[test]
    fn whoever_cannot_be_paid_waits() {
        let owed = |payout: PayoutRecord| [0, 1, 2].map(|at: usize| payout.owed.get(ADDRESSES[at]).copied());
        // Less the fee, 540 is dust for the third.
        let amounts = [1_000_000, 20_000, 540];
        assert_eq!(owed(payout(&amounts, &[100_000]).unwrap()), [Some(79_460), Some(20_000), None]);
        assert_eq!(owed(payout_above(80_000, &amounts, &[100_000]).unwrap()), [None, Some(20_000), None]);
        assert_eq!(owed(payout(&amounts, &[10_000]).unwrap()), [None, Some(9_460), None]);
        assert_eq!(payout(&amounts, &[500]), None);
    }
}
