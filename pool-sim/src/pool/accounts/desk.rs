//! The accounts of a pool that runs: the books, and the journal that their changes go to.

use super::{
    Account, BlockRecord, Books, Entry, File, Found, Headers, Journal, LedgerError, NoHeaders, Parts, Party, Saved,
    SchemeKind, StoreError, StoredShare, Terms, User, Weights, Work, Written,
};
use crate::node::{Node, Template};
use crate::pool::{Origin, PoolJob, ShareRecord};
use bitcoin::address::NetworkUnchecked;
use bitcoin::{Address, Amount, Network, ScriptBuf, TxOut};
use std::cmp::Reverse;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::UNIX_EPOCH;
use thiserror::Error;

/// How many miners a coinbase pays at most. All of a job's coinbase goes to every miner with every job.
const MOST_PAID: usize = 100;

/// How miners get what they earned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payout {
    /// They do not: the pool has the blocks, and the ledger says what it owes.
    None,
    /// By the block itself. Who has what is settled when its job is made. An account whose name is no address of the network, whose
    /// part is dust as Bitcoin Core's relay has it, or who is not among the hundred with most has a balance instead.
    Coinbase,
}

/// How the accounts are set up.
#[derive(Clone, Debug)]
pub struct AccountsConfig {
    /// How shares are paid for.
    pub terms: Terms,
    /// How miners get what they earned.
    pub payout: Payout,
    /// Where it is all kept; in memory, if nowhere.
    pub store: Option<PathBuf>,
}

impl Default for AccountsConfig {
    /// PPLNS over twice a block's work, without a fee, in memory; nothing is paid out. The reserve may owe 1,000 coins.
    fn default() -> AccountsConfig {
        let terms = Terms { scheme: SchemeKind::Pplns { window: 2 }, fee: 0, reserve_limit: 100_000_000_000 };
        AccountsConfig { terms, payout: Payout::None, store: None }
    }
}

/// Why accounts do not open.
#[derive(Debug, Error)]
pub enum AccountsError {
    /// More than everything.
    #[error("fee: {0} parts per million; expected 1000000 at most")]
    Fee(u32),
    /// Nobody knows who will find a block when its job is made for all.
    #[error("payout: coinbase; expected none with the scheme solo, as all miners have the same coinbase")]
    SoloCoinbase,
    /// The store does not open.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is in the store cannot be.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Whom a job's coinbase pays.
#[derive(Clone, Debug)]
pub(in crate::pool) struct Pay {
    pub(in crate::pool) outputs: Vec<TxOut>,
    pub(in crate::pool) weights: Weights,
    /// Who has what, if the coinbase settles that.
    pub(in crate::pool) parts: Option<Arc<Parts>>,
}

/// What a share changed.
#[derive(Debug, Default)]
pub(in crate::pool) struct Entered {
    /// If something is to be kept.
    pub(in crate::pool) written: Option<Written>,
    /// If it was a block: what it is worth to whom.
    pub(in crate::pool) block: Option<BlockRecord>,
    /// If something cannot be booked: why.
    pub(in crate::pool) error: Option<LedgerError>,
}

pub(in crate::pool) struct Desk {
    books: Mutex<Books>,
    /// `None` if there is no store: the books know all that there is to know until the pool's end.
    journal: Option<Journal>,
    payout: Payout,
}

/// The books, for whoever has them for now.
pub(in crate::pool) struct Open<'a> {
    books: MutexGuard<'a, Books>,
    desk: &'a Desk,
}

impl Desk {
    /// Opens the accounts, with the headers that came before.
    pub(in crate::pool) fn open(config: &AccountsConfig) -> Result<(Desk, Box<dyn Headers>), AccountsError> {
        let AccountsConfig { terms, payout, store } = config;
        if terms.fee > 1_000_000 {
            return Err(AccountsError::Fee(terms.fee));
        }
        if *payout == Payout::Coinbase && terms.scheme == SchemeKind::Solo {
            return Err(AccountsError::SoloCoinbase);
        }
        let store = store.as_ref().map(|path| File::create(path)).transpose()?;
        let (saved, headers) = match &store {
            Some(store) => (store.load()?, Box::new(store.clone()) as Box<dyn Headers>),
            None => (Saved::default(), Box::new(NoHeaders) as _),
        };
        let books = Mutex::new(Books::new(*terms, saved)?);
        let journal = store.map(|store| Journal::new(Box::new(store)));
        Ok((Desk { books, journal, payout: *payout }, headers))
    }

    /// Takes the books. Changes are handed to the journal in the order in which they are made.
    pub(in crate::pool) fn lock(&self) -> Open<'_> {
        // A panic cannot leave them half-written: a transaction is checked before it changes anything.
        Open { books: self.books.lock().unwrap_or_else(PoisonError::into_inner), desk: self }
    }
}

impl Open<'_> {
    /// The figure of that name.
    pub(in crate::pool) fn figure(&self, name: &str) -> u128 {
        self.books.figures().get(name)
    }

    /// Counts a share if it is accepted, and books its block if the node has it.
    pub(in crate::pool) fn share(&mut self, record: &ShareRecord, job: &PoolJob, node: &Node) -> Entered {
        let mut entered = Entered::default();
        let Some(judged) = &record.judged else { return entered };
        let Origin::Node { weights, parts, .. } = &job.origin else { return entered };
        let (weights, user) = (*weights, owner(&record.user));
        let header = judged.hash;
        let is_accepted = record.verdict.is_ok();
        if is_accepted {
            // A block above the share's target proves no more than a block's work.
            let work = if judged.meets_target { Work::of(judged.target) } else { weights.network };
            entered.error = self.books.share(record.number, &user, work, weights).err();
        }
        if judged.block.is_some() && node.block(&header).is_some() {
            let found = Found {
                hash: header,
                height: judged.height,
                time: record.time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
                finder: user,
                weights,
                parts: parts.as_deref().cloned(),
                is_active: node.hash_at(judged.height) == Some(header),
            };
            match self.books.block(found) {
                Ok(is_new) => entered.block = self.books.blocks().last().filter(|_| is_new).cloned(),
                Err(error) => entered.error = Some(error),
            }
        }
        let changes = self.books.take_changes();
        if let Some(journal) = &self.desk.journal
            && !changes.is_empty()
        {
            let stored = || StoredShare {
                header,
                number: record.number,
                time: record.time,
                record: record.to_json().to_string(),
            };
            let entry = Entry { changes, share: is_accepted.then(stored) };
            entered.written = Some(journal.enter(entry));
        }
        entered
    }

    /// Books what the node's best chain does to the pool's blocks, and gives those whose state is new.
    pub(in crate::pool) fn settle(&mut self, node: &Node) -> Result<Vec<BlockRecord>, LedgerError> {
        let tip = node.tip().borrow().height;
        let settled = self.books.settle(tip, |height| node.hash_at(height));
        let changes = self.books.take_changes();
        if let Some(journal) = &self.desk.journal
            && !changes.is_empty()
        {
            // Nobody waits for it: should it be lost, the next start settles it again.
            drop(journal.enter(Entry { changes, share: None }));
        }
        settled
    }

    /// Whom a coinbase pays that is made now. What is nobody's goes to `pool`.
    pub(in crate::pool) fn pay(&self, template: &Template, pool: &ScriptBuf) -> Pay {
        let reward = template.coinbase_value.to_sat();
        let network =
            midstate_stratum::Target::from_be_bytes(bitcoin::Target::from_compact(template.bits).to_be_bytes());
        let weights = Weights { network: Work::of(network), subsidy: template.subsidy.to_sat(), reward };
        let mut outputs = Vec::new();
        let parts = match self.desk.payout {
            Payout::None => None,
            Payout::Coinbase => {
                let mut parts = self.books.parts(weights, None);
                for (user, amount, script) in payable(&parts) {
                    outputs.push(TxOut { value: Amount::from_sat(amount), script_pubkey: script });
                    parts.paid.insert(user, amount);
                }
                Some(Arc::new(parts))
            }
        };
        let paid: u64 = outputs.iter().map(|output| output.value.to_sat()).sum();
        if paid < reward || outputs.is_empty() {
            let value = Amount::from_sat(reward - paid);
            outputs.insert(0, TxOut { value, script_pubkey: pool.clone() });
        }
        Pay { outputs, weights, parts }
    }
}

/// Whose account a user's work is for: what is before the first dot.
fn owner(user: &str) -> User {
    user.split_once('.').map_or(user, |(owner, _)| owner).into()
}

/// Those whom a coinbase can pay, who has most first.
fn payable(parts: &Parts) -> Vec<(User, u64, ScriptBuf)> {
    let mut payable: Vec<_> = parts
        .owed
        .iter()
        .filter_map(|(account, amount)| {
            let Account::Balance(Party::User(user)) = account else { return None };
            let address: Address<NetworkUnchecked> = user.parse().ok()?;
            let script = address.require_network(Network::Regtest).ok()?.script_pubkey();
            (*amount >= script.minimal_non_dust().to_sat()).then(|| (User::clone(user), *amount, script))
        })
        .collect();
    payable.sort_by_key(|(_, amount, _)| Reverse(*amount));
    payable.truncate(MOST_PAID);
    payable
}
