//! Whether a store's accounts are right, by adding up all that was ever booked.

use super::file::{File, HEADERS, LEDGER, RECORDS, SHARES};
use super::{Saved, StoreError};
use crate::pool::accounts::{Account, BlockState, Figures, LedgerError, Transaction};
use bitcoin::BlockHash;
use redb::{ReadableDatabase, ReadableTableMetadata};
use std::collections::BTreeMap;
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
        for transaction in self.all::<Transaction>(LEDGER, "transaction")? {
            faults.extend(transaction.check().err().map(Fault::from));
            for (account, amount) in transaction.entries() {
                *booked.entry(account.clone()).or_default() += i128::from(amount);
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
