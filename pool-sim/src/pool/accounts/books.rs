//! The bookkeeper: what a share or a block changes. Without a clock, files or tasks.

use super::block::{BlockRecord, BlockState, MATURITY, Parts, signed};
use super::divide::{divide, fee};
use super::payout::{Payee, PayoutRecord, PayoutState, script_of};
use super::scheme::{Share, WHOLE, Weights};
use super::work::mul_div;
use super::{Account, Figures, Ledger, LedgerError, Party, Scheme, SchemeKind, Transaction, User, Work};
use bitcoin::{Amount, BlockHash, OutPoint, ScriptBuf, Txid};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The terms of the accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// How shares are paid for.
    pub scheme: SchemeKind,
    /// The pool's fee, in parts per million.
    pub fee: u32,
    /// How far below zero the reserve may be, in satoshis. What shares earn beyond that is not booked: they are accepted and
    /// counted, and the sum is shown as unpaid.
    pub reserve_limit: u64,
}

/// What is to be stored. Later ones of the same key take the place of earlier ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A share counts.
    Share(Share),
    /// A transaction was booked, as that number.
    Booked(u64, Transaction),
    /// An account has so many satoshis.
    Balance(Account, i64),
    /// A figure is this.
    Figure(String, u128),
    /// A block is new, or its state is; the pool's blocks have numbers from 0 on.
    Block(u64, BlockRecord),
    /// A payout is new, or its state is; payouts have numbers from 0 on.
    Payout(u64, PayoutRecord),
}

/// Where a payout is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The best chain's block at that height has it.
    Block(u32),
    /// Nowhere yet, but a block may have it.
    Waiting,
    /// Nowhere, and no block may have it, as what it spends is not there.
    Gone,
}

/// A block that is found.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its hash.
    pub hash: BlockHash,
    /// Its height.
    pub height: u32,
    /// When, in seconds since 1970.
    pub time: u64,
    /// By whom.
    pub finder: User,
    /// What it took, and what its coinbase has.
    pub weights: Weights,
    /// Who has what, if its coinbase settled that.
    pub parts: Option<Parts>,
    /// Whether it is on the best chain.
    pub is_active: bool,
}

/// What the books began with.
#[derive(Clone, Debug, Default)]
pub struct Saved {
    /// Shares that a block may still ask for, the newest last.
    pub shares: Vec<Share>,
    /// Blocks, in the order in which they were found.
    pub blocks: Vec<BlockRecord>,
    /// Payouts, in the order in which they were made.
    pub payouts: Vec<PayoutRecord>,
    /// What the accounts have, in satoshis.
    pub balances: Vec<(Account, i64)>,
    /// The figures.
    pub figures: Figures,
}

/// The books of a pool.
#[derive(Debug)]
pub struct Books {
    terms: Terms,
    scheme: Box<dyn Scheme>,
    ledger: Ledger,
    /// Those that a block may still ask for.
    shares: Vec<Share>,
    /// When there are so many, the old ones are forgotten.
    too_many: usize,
    blocks: Vec<BlockRecord>,
    /// Which of them may still change.
    open: BTreeSet<usize>,
    payouts: Vec<PayoutRecord>,
    /// Of payouts that no block may have: the height at which that was found first.
    gone: HashMap<Txid, u32>,
    figures: Figures,
    changes: Vec<Change>,
}

/// Less is not worth the forgetting.
const FEW_SHARES: usize = 1024;

impl Books {
    /// Books that go on where others ended.
    pub fn new(terms: Terms, saved: Saved) -> Result<Books, LedgerError> {
        let mut ledger = Ledger::new(u64::MAX);
        ledger.post(&Transaction::new("saved", saved.balances)?)?;
        ledger.set_reserve_limit(terms.reserve_limit);
        let mut open = BTreeSet::new();
        open.extend((0..saved.blocks.len()).filter(|at| saved.blocks[*at].state != BlockState::Mature));
        Ok(Books {
            terms,
            scheme: terms.scheme.scheme(),
            ledger,
            shares: saved.shares,
            too_many: FEW_SHARES,
            blocks: saved.blocks,
            open,
            payouts: saved.payouts,
            gone: HashMap::new(),
            figures: saved.figures,
            changes: Vec::new(),
        })
    }

    /// What every account has.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The pool's blocks, in the order in which they were found.
    pub fn blocks(&self) -> &[BlockRecord] {
        &self.blocks
    }

    /// The payouts, in the order in which they were made.
    pub fn payouts(&self) -> &[PayoutRecord] {
        &self.payouts
    }

    /// The figures.
    pub fn figures(&self) -> &Figures {
        &self.figures
    }

    /// What changed since this was asked last.
    pub fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// Counts a share, and books what it earns at once. The number is its record's.
    ///
    /// An error is the reserve's limit; the share counts nevertheless.
    pub fn share(&mut self, number: u64, user: &User, work: Work, weights: Weights) -> Result<(), LedgerError> {
        let Weights { network, .. } = weights;
        let share = Share {
            count: self.figures.get(Figures::SHARES) as u64 + 1,
            user: User::clone(user),
            work: work.min(network),
        };
        self.set(Figures::NUMBER, number.into());
        self.set(Figures::SHARES, share.count.into());
        self.set(Figures::WORK, self.figures.get(Figures::WORK) + share.work.units());
        self.set(Figures::EFFORT, self.figures.get(Figures::EFFORT) + share.work.units());
        let chance = mul_div(WHOLE, share.work.units(), network.units()).0;
        self.set(Figures::EXPECTED, self.figures.get(Figures::EXPECTED).saturating_add(chance));
        let earned = self.scheme.pays(share.work, weights);
        self.changes.push(Change::Share(share.clone()));
        self.shares.push(share);
        if self.shares.len() >= self.too_many {
            self.forget_shares(network);
        }
        if earned > 0 { self.earn(user, earned) } else { Ok(()) }
    }

    /// Books what a share earned, in 2^-64 satoshis: what is whole of it. The rest waits for the user's next share.
    fn earn(&mut self, user: &User, earned: u128) -> Result<(), LedgerError> {
        let fee = mul_div(earned, self.terms.fee.into(), 1_000_000).0;
        let owner = Figures::fraction_of(user);
        let [whole, whole_fee] = [(owner.as_str(), earned - fee), (Figures::FEE, fee)].map(|(name, parts)| {
            let whole = self.figures.carry(name, parts);
            self.changes.push(Change::Figure(name.to_owned(), self.figures.get(name)));
            signed(whole)
        });
        let user = Account::Balance(Party::User(User::clone(user)));
        let reserve = Account::Balance(Party::Reserve);
        let entries =
            [(user, whole), (Account::Balance(Party::Fee), whole_fee), (reserve, -whole.saturating_add(whole_fee))];
        let booked = Transaction::new("share", entries).and_then(|transaction| self.post(transaction));
        if booked.is_err() {
            self.set(Figures::UNPAID, self.figures.get(Figures::UNPAID) + u128::from(whole.unsigned_abs()));
        }
        booked
    }

    /// Who has what of a block that would be found now. Without a finder, a scheme that asks for one leaves it to the pool.
    pub fn parts(&self, weights: Weights, finder: Option<&User>) -> Parts {
        let Weights { network, reward, .. } = weights;
        let works =
            self.scheme.divides(&self.shares, self.round(|state| state != BlockState::Orphaned), network, finder);
        let fee = fee(reward, self.terms.fee);
        let balance = |party, amount| (Account::Balance(party), amount);
        let mut owed: BTreeMap<_, _> = match divide(reward - fee, &works) {
            Some(parts) => {
                let users = parts.into_iter().map(|(user, amount)| balance(Party::User(user), amount));
                users.chain([balance(Party::Fee, fee)]).collect()
            }
            None => BTreeMap::from([balance(Party::Reserve, reward)]),
        };
        owed.retain(|_, amount| *amount > 0);
        Parts { count: self.figures.get(Figures::SHARES) as u64, owed, paid: BTreeMap::new() }
    }

    /// Books a block. One that is not on the best chain is only remembered. Whether it was not known yet.
    pub fn block(&mut self, found: Found) -> Result<bool, LedgerError> {
        if self.blocks.iter().any(|block| block.hash == found.hash) {
            return Ok(false);
        }
        let Found { hash, height, time, finder, weights, parts, is_active } = found;
        let record = BlockRecord {
            parts: parts.unwrap_or_else(|| self.parts(weights, Some(&finder))),
            effort: Work::from_units(self.figures.get(Figures::EFFORT)),
            network: weights.network,
            reward: weights.reward,
            state: if is_active { BlockState::Immature } else { BlockState::Orphaned },
            hash,
            height,
            time,
            finder,
        };
        if is_active {
            self.post(record.found()?)?;
        }
        self.set(Figures::EFFORT, 0);
        self.open.insert(self.blocks.len());
        self.changes.push(Change::Block(self.blocks.len() as u64, record.clone()));
        self.blocks.push(record);
        Ok(true)
    }

    /// Books what a new best chain does to the pool's blocks: `hash_at` knows its block at each height up to `tip`. Gives the
    /// blocks whose state is new.
    pub fn settle(
        &mut self,
        tip: u32,
        hash_at: impl Fn(u32) -> Option<BlockHash>,
    ) -> Result<Vec<BlockRecord>, LedgerError> {
        let mut changed = Vec::new();
        for at in self.open.iter().copied().collect::<Vec<_>>() {
            let BlockRecord { hash, height, state: old, .. } = self.blocks[at];
            let is_active = hash_at(height) == Some(hash);
            let is_final = tip >= height.saturating_add(MATURITY);
            if is_final {
                self.open.remove(&at);
            }
            let state = match (is_active, is_final) {
                (false, _) => BlockState::Orphaned,
                (true, false) => BlockState::Immature,
                (true, true) => BlockState::Mature,
            };
            if state != old {
                self.turn(at, state)?;
                changed.push(self.blocks[at].clone());
            }
        }
        Ok(changed)
    }

    /// Books a block's new state.
    fn turn(&mut self, at: usize, state: BlockState) -> Result<(), LedgerError> {
        let block = &self.blocks[at];
        let steps = match (block.state, state) {
            (BlockState::Orphaned, BlockState::Immature) => vec![block.found()?],
            (BlockState::Orphaned, BlockState::Mature) => vec![block.found()?, block.matured()?],
            (BlockState::Immature, BlockState::Mature) => vec![block.matured()?],
            (BlockState::Immature, BlockState::Orphaned) => {
                vec![block.found()?.reversed(format!("orphaned {}", block.hash))]
            }
            // What is mature is not open any more.
            _ => Vec::new(),
        };
        for step in steps {
            self.post(step)?;
        }
        self.blocks[at].state = state;
        self.changes.push(Change::Block(at as u64, self.blocks[at].clone()));
        Ok(())
    }

    /// Those whose balance is the threshold at least, in satoshis, and whose name is an address.
    pub(super) fn due(&self, threshold: u64) -> Vec<Payee> {
        let payee = |(account, balance): (&Account, i64)| {
            let Account::Balance(Party::User(user)) = account else { return None };
            let amount = u64::try_from(balance).ok().filter(|amount| *amount >= threshold)?;
            Some(Payee { user: User::clone(user), amount, script: script_of(user)? })
        };
        self.ledger.balances().filter_map(payee).collect()
    }

    /// Makes a payout to whoever is due, with these coins, which anybody can spend, the oldest first, at a time in seconds since
    /// 1970; what is left over goes to `change`. It is booked, and must be kept before it is sent. `None` if nobody can be paid.
    pub fn pay_out(
        &mut self,
        threshold: u64,
        coins: &[(OutPoint, Amount)],
        change: &ScriptBuf,
        time: u64,
    ) -> Result<Option<&PayoutRecord>, LedgerError> {
        let Some(payout) = PayoutRecord::new(self.due(threshold), threshold, coins, change, time) else {
            return Ok(None);
        };
        self.post(payout.sent()?)?;
        self.changes.push(Change::Payout(self.payouts.len() as u64, payout.clone()));
        self.payouts.push(payout);
        Ok(self.payouts.last())
    }

    /// Books what a new best chain does to payouts: where each is that is neither paid nor reversed. Gives those whose state is new.
    pub fn settle_payouts(
        &mut self,
        tip: u32,
        place: impl Fn(&PayoutRecord) -> Place,
    ) -> Result<Vec<PayoutRecord>, LedgerError> {
        let mut changed = Vec::new();
        for at in 0..self.payouts.len() {
            let payout = &self.payouts[at];
            if payout.state != PayoutState::Sending {
                continue;
            }
            let place = place(payout);
            let since = match place {
                Place::Block(height) => height,
                Place::Waiting => tip,
                Place::Gone => *self.gone.entry(payout.txid).or_insert(tip),
            };
            if place != Place::Gone {
                self.gone.remove(&payout.txid);
            }
            if tip < since.saturating_add(MATURITY) {
                continue;
            }
            let (state, booked) = match place {
                Place::Gone => (PayoutState::Reversed, payout.reversed()?),
                _ => (PayoutState::Paid, payout.arrived()?),
            };
            self.post(booked)?;
            self.payouts[at].state = state;
            self.changes.push(Change::Payout(at as u64, self.payouts[at].clone()));
            changed.push(self.payouts[at].clone());
        }
        Ok(changed)
    }

    /// The count of the first share after the last block in such a state.
    fn round(&self, counts: impl Fn(BlockState) -> bool) -> u64 {
        let ends = self.blocks.iter().filter(|block| counts(block.state)).map(|block| block.parts.count);
        ends.max().unwrap_or(0) + 1
    }

    fn forget_shares(&mut self, network: Work) {
        let forgotten = self.scheme.forgets(&self.shares, self.round(|state| state == BlockState::Mature), network);
        self.shares.drain(..forgotten);
        self.too_many = self.shares.len() * 2 + FEW_SHARES;
        let oldest = self.shares.first().map_or(self.figures.get(Figures::SHARES) + 1, |share| share.count.into());
        self.set(Figures::OLDEST, oldest);
    }

    fn set(&mut self, name: &str, value: u128) {
        self.figures.set(name, value);
        self.changes.push(Change::Figure(name.to_owned(), value));
    }

    fn post(&mut self, transaction: Transaction) -> Result<(), LedgerError> {
        self.ledger.post(&transaction)?;
        if !transaction.is_empty() {
            for (account, _) in transaction.entries() {
                self.changes.push(Change::Balance(account.clone(), self.ledger.balance(account)));
            }
            let number = self.figures.get(Figures::TRANSACTIONS) + 1;
            self.set(Figures::TRANSACTIONS, number);
            self.changes.push(Change::Booked(number as u64, transaction));
        }
        Ok(())
    }
}
