//! A block of the pool's, and what it is worth to whom.

use super::{Account, LedgerError, Party, Transaction, User, Work};
use bitcoin::BlockHash;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// So many blocks must be on top of a coinbase before it can be spent: Bitcoin's rule, as Bitcoin Core's wallet counts.
pub const MATURITY: u32 = 100;

/// What became of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BlockState {
    /// It is on the best chain, but may still be lost.
    Immature,
    /// It is so deep that it counts as final.
    Mature,
    /// It is not on the best chain. It may come back.
    Orphaned,
}

/// Who has what of a block: settled when its job is made, if its coinbase pays, else when it is found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parts {
    /// The last share that was counted.
    pub count: u64,
    /// In satoshis; they sum to the reward.
    pub owed: BTreeMap<Account, u64>,
    /// What the coinbase itself pays of that, in satoshis.
    pub paid: BTreeMap<User, u64>,
}

/// A block of the pool's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockRecord {
    /// Its hash.
    pub hash: BlockHash,
    /// Its height.
    pub height: u32,
    /// When it was found, in seconds since 1970.
    pub time: u64,
    /// Who found it.
    pub finder: User,
    /// All that its coinbase has, in satoshis.
    pub reward: u64,
    /// The work that a block took.
    pub network: Work,
    /// The work that the pool did since its block before.
    pub effort: Work,
    /// Who has what.
    pub parts: Parts,
    /// What became of it.
    pub state: BlockState,
}

impl BlockRecord {
    /// How lucky it was: the work that a block takes on average by the work that it took; for people.
    pub fn luck(&self) -> f64 {
        self.network.hashes() / self.effort.hashes()
    }

    /// What is booked when it is on the best chain.
    pub(super) fn found(&self) -> Result<Transaction, LedgerError> {
        let immature = self.parts.owed.iter().map(|(account, amount)| (immature(account), signed(*amount)));
        let reward = (Account::Chain, -signed(self.reward));
        Transaction::new(format!("block {}", self.hash), immature.chain([reward]))
    }

    /// What is booked when it is final.
    pub(super) fn matured(&self) -> Result<Transaction, LedgerError> {
        let owed =
            self.parts.owed.iter().flat_map(|(account, amount)| {
                [(immature(account), -signed(*amount)), (account.clone(), signed(*amount))]
            });
        let paid = self.parts.paid.iter().flat_map(|(user, amount)| {
            let balance = Account::Balance(Party::User(User::clone(user)));
            [(balance, -signed(*amount)), (Account::Paid, signed(*amount))]
        });
        Transaction::new(format!("matured {}", self.hash), owed.chain(paid))
    }
}

fn immature(account: &Account) -> Account {
    match account {
        Account::Balance(party) => Account::Immature(party.clone()),
        other => other.clone(),
    }
}

/// Satoshis as an entry. There are 2.1e15 of them: what does not fit is refused by the sum.
pub(super) fn signed(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}
