//! Double entry: money is never made, only moved.

use super::User;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// Whose money it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Party {
    /// A miner's.
    User(User),
    /// The pool's fee.
    Fee,
    /// The pool's reserve: it has the blocks that belong to nobody else, and bears the risk of schemes that pay for shares.
    Reserve,
}

/// An account. As a text: `chain`, `sending`, `paid`, `network_fees`, `immature:…` or `balance:…` with `fee`, `reserve` or
/// `user:NAME`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Account {
    /// Where blocks' rewards come from: minus what the pool ever had from the chain.
    Chain,
    /// What is on its way to miners: payouts that are not final, with their fees.
    Sending,
    /// What miners had, in coinbases and by payouts.
    Paid,
    /// What payouts had to pay for their places in blocks.
    NetworkFees,
    /// What will be somebody's when its block is 100 blocks deep.
    Immature(Party),
    /// What is somebody's, and was not paid yet.
    Balance(Party),
}

/// A text that names no account.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "account: {0:?}; expected chain, sending, paid, network_fees, or immature: or balance: with fee, reserve or user:NAME"
)]
pub struct AccountError(pub String);

/// Why something cannot be booked.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LedgerError {
    /// What goes out is not what comes in.
    #[error("transaction {memo:?}: its entries sum to {sum}; expected 0")]
    Unbalanced {
        /// What it is about.
        memo: String,
        /// In satoshis.
        sum: i128,
    },
    /// An account would have less than it may.
    #[error("account {account}: {balance} satoshis after {memo:?}; expected {least} at least")]
    Short {
        /// Which.
        account: Account,
        /// What it would have, in satoshis.
        balance: i128,
        /// What it must have, in satoshis.
        least: i64,
        /// What was to be booked.
        memo: String,
    },
    /// More than there ever will be.
    #[error("account {account}: {balance} satoshis after {memo:?}; expected what fits 64 bits")]
    TooMuch {
        /// Which.
        account: Account,
        /// What it would have, in satoshis.
        balance: i128,
        /// What was to be booked.
        memo: String,
    },
}

/// Entries that sum to zero.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transaction {
    /// What it is about.
    pub memo: String,
    entries: BTreeMap<Account, i64>,
}

impl Transaction {
    /// Checks that the entries sum to zero. Those of the same account are added up, in satoshis.
    pub fn new(
        memo: impl Into<String>,
        entries: impl IntoIterator<Item = (Account, i64)>,
    ) -> Result<Transaction, LedgerError> {
        let memo = memo.into();
        let mut sums: BTreeMap<Account, i64> = BTreeMap::new();
        for (account, amount) in entries {
            let balance = i128::from(sums.get(&account).copied().unwrap_or(0)) + i128::from(amount);
            let Ok(sum) = i64::try_from(balance) else { return Err(LedgerError::TooMuch { account, balance, memo }) };
            sums.insert(account, sum);
        }
        sums.retain(|_, amount| *amount != 0);
        let transaction = Transaction { memo, entries: sums };
        transaction.check().map(|()| transaction)
    }

    /// Whether it sums to zero; for one that was read from somewhere.
    pub fn check(&self) -> Result<(), LedgerError> {
        match self.entries.values().map(|amount| i128::from(*amount)).sum() {
            0 => Ok(()),
            sum => Err(LedgerError::Unbalanced { memo: self.memo.clone(), sum }),
        }
    }

    /// What undoes it.
    #[must_use]
    pub fn reversed(&self, memo: impl Into<String>) -> Transaction {
        let entries = self.entries.iter().map(|(account, amount)| (account.clone(), -amount)).collect();
        Transaction { memo: memo.into(), entries }
    }

    /// What each account has more or less after it, in satoshis.
    pub fn entries(&self) -> impl Iterator<Item = (&Account, i64)> {
        self.entries.iter().map(|(account, amount)| (account, *amount))
    }

    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// What every account has. The sum is zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Those that have something, in satoshis.
    balances: BTreeMap<Account, i64>,
    /// The reserve may be so far below zero.
    reserve_limit: u64,
}

impl Ledger {
    /// An empty one, whose reserve may be so many satoshis below zero.
    pub fn new(reserve_limit: u64) -> Ledger {
        Ledger { balances: BTreeMap::new(), reserve_limit }
    }

    /// From now on the reserve may be so many satoshis below zero.
    pub(super) fn set_reserve_limit(&mut self, limit: u64) {
        self.reserve_limit = limit;
    }

    /// What an account has, in satoshis.
    pub fn balance(&self, account: &Account) -> i64 {
        self.balances.get(account).copied().unwrap_or(0)
    }

    /// The accounts that have something, or owe it.
    pub fn balances(&self) -> impl Iterator<Item = (&Account, i64)> {
        self.balances.iter().map(|(account, amount)| (account, *amount))
    }

    /// Books a transaction, or nothing of it.
    pub fn post(&mut self, transaction: &Transaction) -> Result<(), LedgerError> {
        transaction.check()?;
        for (account, amount) in transaction.entries() {
            let balance = i128::from(self.balance(account)) + i128::from(amount);
            let least = self.least(account);
            let (account, memo) = (|| account.clone(), || transaction.memo.clone());
            if i64::try_from(balance).is_err() {
                return Err(LedgerError::TooMuch { account: account(), balance, memo: memo() });
            }
            // What comes in is never too little, even if the limit was greater once.
            if amount < 0 && balance < i128::from(least) {
                return Err(LedgerError::Short { account: account(), balance, least, memo: memo() });
            }
        }
        for (account, amount) in transaction.entries() {
            let balance = self.balance(account) + amount;
            if balance == 0 {
                self.balances.remove(account);
            } else {
                self.balances.insert(account.clone(), balance);
            }
        }
        Ok(())
    }

    fn least(&self, account: &Account) -> i64 {
        match account {
            Account::Balance(Party::Reserve) => i64::try_from(self.reserve_limit).map_or(i64::MIN, |limit| -limit),
            _ if account.is_never_negative() => 0,
            _ => i64::MIN,
        }
    }
}

impl Account {
    /// Whether it can have no less than nothing.
    pub fn is_never_negative(&self) -> bool {
        !matches!(self, Account::Chain | Account::Balance(Party::Reserve))
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, party) = match self {
            Account::Chain => return f.write_str("chain"),
            Account::Sending => return f.write_str("sending"),
            Account::Paid => return f.write_str("paid"),
            Account::NetworkFees => return f.write_str("network_fees"),
            Account::Immature(party) => ("immature", party),
            Account::Balance(party) => ("balance", party),
        };
        match party {
            Party::User(user) => write!(f, "{kind}:user:{user}"),
            Party::Fee => write!(f, "{kind}:fee"),
            Party::Reserve => write!(f, "{kind}:reserve"),
        }
    }
}

impl FromStr for Account {
    type Err = AccountError;

    fn from_str(text: &str) -> Result<Account, AccountError> {
        let unknown = || AccountError(text.to_owned());
        let party = |party: &str| match party {
            "fee" => Ok(Party::Fee),
            "reserve" => Ok(Party::Reserve),
            _ => party.strip_prefix("user:").map(|user| Party::User(user.into())).ok_or_else(unknown),
        };
        match text.split_once(':') {
            None if text == "chain" => Ok(Account::Chain),
            None if text == "sending" => Ok(Account::Sending),
            None if text == "paid" => Ok(Account::Paid),
            None if text == "network_fees" => Ok(Account::NetworkFees),
            Some(("immature", whose)) => party(whose).map(Account::Immature),
            Some(("balance", whose)) => party(whose).map(Account::Balance),
            _ => Err(unknown()),
        }
    }
}

impl TryFrom<String> for Account {
    type Error = AccountError;

    fn try_from(text: String) -> Result<Account, AccountError> {
        text.parse()
    }
}

impl From<Account> for String {
    fn from(account: Account) -> String {
        account.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> Account {
        Account::Balance(Party::User(name.into()))
    }

    #[test]
    fn accounts_are_read_as_they_are_shown() {
        let parties = || [Party::Fee, Party::Reserve, Party::User("fee".into()), Party::User("a:user:ž".into())];
        let owned = parties().map(Account::Immature).into_iter().chain(parties().map(Account::Balance));
        for account in owned.chain([Account::Chain, Account::Sending, Account::Paid, Account::NetworkFees]) {
            assert_eq!(account.to_string().parse(), Ok(account));
        }
        for text in ["", "Chain", "balance", "balance:alice", "debt:fee"] {
            assert!(text.parse::<Account>().unwrap_err().to_string().contains(&format!("{text:?}")));
        }
    }

    #[test]
    fn what_does_not_sum_to_zero_or_is_not_there_is_not_booked() {
        let error = Transaction::new("gift", [(user("a"), 5)]).unwrap_err();
        assert_eq!(error, LedgerError::Unbalanced { memo: "gift".into(), sum: 5 });
        let mut ledger = Ledger::new(10);
        let reserve = Account::Balance(Party::Reserve);
        let pay = |amount: i64| Transaction::new("share", [(reserve.clone(), -amount), (user("a"), amount)]).unwrap();
        ledger.post(&pay(10)).unwrap();
        let before = ledger.clone();
        let error = ledger.post(&pay(1)).unwrap_err().to_string();
        assert_eq!(error, "account balance:reserve: -11 satoshis after \"share\"; expected -10 at least");
        let overdraw = Transaction::new("out", [(user("a"), -11), (Account::Paid, 11)]).unwrap();
        assert!(matches!(ledger.post(&overdraw), Err(LedgerError::Short { least: 0, .. })));
        let huge = Transaction::new("mint", [(Account::Chain, -i64::MAX), (user("a"), i64::MAX)]).unwrap();
        assert!(matches!(ledger.post(&huge), Err(LedgerError::TooMuch { .. })));
        assert_eq!(ledger, before);
        ledger.post(&pay(10).reversed("undo")).unwrap();
        assert_eq!(ledger, Ledger::new(10));
    }
}
