//! Whether a store's accounts are right, by adding up all that was ever booked.

use super::file::{File, HEADERS, LEDGER, RECORDS, SHARES};
use super::{Saved, StoreError};
use crate::pool::accounts::payout::script_of;
use crate::pool::accounts::{Account, BlockState, Figures, LedgerError, PayoutRecord, PayoutState, Transaction};
use bitcoin::{BlockHash, OutPoint, Txid};
use redb::{ReadableDatabase, ReadableTableMetadata};
use std::collections::{BTreeMap, HashMap, HashSet};
use thiserror::Error;

/// Something in a store that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// A transaction makes or loses money.
    #[error(transparent)]
    Transaction(#[from] LedgerError),
    /// A balance is not what was booked.
    #[error("account {account}: {stored} satoshis; expected {booked}, as was booked")]
    Balance {
        /// Whose.
        account: Account,
        /// What is stored.
        stored: i128,
        /// The sum of what was booked.
        booked: i128,
    },
    /// Somebody has less than nothing.
    #[error("account {account}: {balance} satoshis; expected 0 at least")]
    Negative {
        /// Who.
        account: Account,
        /// What it has.
        balance: i128,
    },
    /// A block's parts are not its reward.
    #[error("block {hash}: its parts sum to {sum} satoshis; expected {reward}, its reward")]
    Block {
        /// Which.
        hash: BlockHash,
        /// The sum.
        sum: u128,
        /// The reward.
        reward: u64,
    },
    /// What is immature is not what immature blocks have.
    #[error("immature accounts have {found} satoshis; expected {expected}, as immature blocks have")]
    Immature {
        /// What they have.
        found: i128,
        /// What the blocks have.
        expected: i128,
    },
    /// A payout's outputs are not what its users are said to have.
    #[error(
        "payout {txid}: its outputs are not what it paid; expected {paid} satoshis to {payees}, each at their address"
    )]
    Outputs {
        /// Which.
        txid: Txid,
        /// What it is said to have paid, in satoshis.
        paid: u64,
        /// To how many.
        payees: usize,
    },
    /// A payout is not in the ledger as it should be.
    #[error("payout {txid}: {memo:?} is booked {found} times as it should be; expected {expected}")]
    Booked {
        /// Which.
        txid: Txid,
        /// The transaction in the ledger.
        memo: String,
        /// How often it is there.
        found: usize,
        /// How often it must be there.
        expected: usize,
    },
    /// Two payouts spend the same, of which none is reversed: one of them can never be in a block.
    #[error("payout {txid}: it spends {input}, as another one does; expected that each spends its own")]
    SpentTwice {
        /// The later one.
        txid: Txid,
        /// Which input.
        input: OutPoint,
    },
    /// What an account has is not what blocks and payouts say.
    #[error("account {account}: {found} satoshis; expected {expected}, as blocks and payouts say")]
    Payouts {
        /// Which.
        account: Account,
        /// What it has.
        found: i128,
        /// What it must have.
        expected: i128,
    },
    /// A share is missing or there twice.
    #[error("{table}: {found}; expected {expected}, as many as shares were counted")]
    Count {
        /// In which table.
        table: &'static str,
        /// How many there are.
        found: u64,
        /// How many there must be.
        expected: u64,
    },
}

/// What a store has, and what is wrong with it.
#[derive(Clone, Debug)]
pub struct Audit {
    /// Blocks, balances, figures.
    pub saved: Saved,
    /// What is wrong; nothing, if all is well.
    pub faults: Vec<Fault>,
}

impl File {
    /// Checks everything. Takes as long as reading the whole ledger.
    pub fn audit(&self) -> Result<Audit, StoreError> {
        let saved = self.load()?;
        let mut faults = Vec::new();
        let mut booked = BTreeMap::<Account, i128>::new();
        let mut of_payouts = HashMap::<_, Vec<_>>::new();
        for transaction in self.all::<Transaction>(LEDGER, "transaction")? {
            faults.extend(transaction.check().err().map(Fault::from));
            for (account, amount) in transaction.entries() {
                *booked.entry(account.clone()).or_default() += i128::from(amount);
            }
            if transaction.entries().any(|(account, _)| *account == Account::Sending) {
                of_payouts.entry(transaction.memo.clone()).or_default().push(transaction);
            }
        }
        let stored: BTreeMap<_, i128> =
            saved.balances.iter().map(|(account, amount)| (account.clone(), i128::from(*amount))).collect();
        for account in booked.keys().chain(stored.keys().filter(|account| !booked.contains_key(*account))) {
            let [stored, booked] = [&stored, &booked].map(|sums| sums.get(account).copied().unwrap_or(0));
            if stored != booked {
                faults.push(Fault::Balance { account: account.clone(), stored, booked });
            }
            if booked < 0 && account.is_never_negative() {
                faults.push(Fault::Negative { account: account.clone(), balance: booked });
            }
        }
        let mut expected = 0;
        for block in &saved.blocks {
            let sum = block.parts.owed.values().copied().map(u128::from).sum();
            if sum != u128::from(block.reward) {
                faults.push(Fault::Block { hash: block.hash, sum, reward: block.reward });
            }
            if block.state == BlockState::Immature {
                expected += i128::from(block.reward);
            }
        }
        let found = booked.iter().filter(|(account, _)| matches!(account, Account::Immature(_))).map(|(_, sum)| sum);
        let found = found.sum();
        if found != expected {
            faults.push(Fault::Immature { found, expected });
        }
        faults.extend(payout_faults(&saved.payouts, &of_payouts));
        let mature = saved.blocks.iter().filter(|block| block.state == BlockState::Mature);
        let by_coinbase = mature.flat_map(|block| block.parts.paid.values()).sum::<u64>();
        let sum = |state, amount: fn(&PayoutRecord) -> u64| {
            saved.payouts.iter().filter(|payout| payout.state == state).map(amount).sum::<u64>()
        };
        for (account, expected) in [
            (Account::Sending, sum(PayoutState::Sending, |payout| payout.owed.values().sum())),
            (Account::Paid, by_coinbase + sum(PayoutState::Paid, |payout| payout.paid.values().sum())),
            (Account::NetworkFees, sum(PayoutState::Paid, PayoutRecord::fee)),
        ] {
            let (found, expected) = (booked.get(&account).copied().unwrap_or(0), i128::from(expected));
            if found != expected {
                faults.push(Fault::Payouts { account, found, expected });
            }
        }
        faults.extend(self.miscounted(saved.figures.get(Figures::SHARES) as u64)?);
        Ok(Audit { saved, faults })
    }

    /// Counts have no gap, as each table has as many shares as the last one's count; each has a header of its own.
    fn miscounted(&self, expected: u64) -> Result<Vec<Fault>, StoreError> {
        let transaction = self.database.begin_read()?;
        let last = self.shares(expected)?.len() as u64;
        let lengths = [
            ("shares", transaction.open_table(SHARES)?.len()?),
            ("records", transaction.open_table(RECORDS)?.len()?),
            ("headers", transaction.open_table(HEADERS)?.len()?),
        ];
        let mut faults: Vec<_> = lengths
            .into_iter()
            .filter(|(_, found)| *found != expected)
            .map(|(table, found)| Fault::Count { table, found, expected })
            .collect();
        if last > 1 || (last == 0 && expected > 0) {
            faults.push(Fault::Count { table: "shares after the last", found: last, expected: 1 });
        }
        Ok(faults)
    }
}

/// What is wrong with payouts, beside the ledger's transactions that are about them, by memo.
fn payout_faults(payouts: &[PayoutRecord], ledger: &HashMap<String, Vec<Transaction>>) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut spent = HashSet::new();
    // A payout that was reversed may be made again, all the same.
    let mut times = HashMap::<Txid, [usize; 3]>::new();
    for PayoutRecord { txid, state, .. } in payouts {
        let [sent, paid, reversed] = times.entry(*txid).or_default();
        *sent += 1;
        *paid += usize::from(*state == PayoutState::Paid);
        *reversed += usize::from(*state == PayoutState::Reversed);
    }
    for payout in payouts {
        let PayoutRecord { txid, transaction, paid, state, .. } = payout;
        let outputs =
            transaction.output.iter().map(|output| (Some(output.script_pubkey.clone()), output.value.to_sat()));
        let expected = paid.iter().map(|(user, amount)| (script_of(user), *amount));
        if transaction.compute_txid() != *txid || !outputs.take(paid.len()).eq(expected) {
            faults.push(Fault::Outputs { txid: *txid, paid: paid.values().sum(), payees: paid.len() });
        }
        if *state != PayoutState::Reversed {
            let twice = payout.inputs().filter(|input| !spent.insert(*input));
            faults.extend(twice.map(|input| Fault::SpentTwice { txid: *txid, input }));
        }
        for (booking, expected) in [payout.sent(), payout.arrived(), payout.reversed()].into_iter().zip(times[txid]) {
            match booking {
                Ok(booking) => {
                    let found =
                        ledger.get(&booking.memo).map_or(0, |of| of.iter().filter(|of| **of == booking).count());
                    if found != expected {
                        faults.push(Fault::Booked { txid: *txid, memo: booking.memo, found, expected });
                    }
                }
                Err(error) => faults.push(error.into()),
            }
        }
    }
    faults
}
