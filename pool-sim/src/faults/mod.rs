//! Misbehaviour on command: what a pool may do to its miners, and what of it they cannot bear.
//!
//! ```text
//! scenario ──▶ Faults ──deeds──▶ sessions ──lines──▶ Gate ──▶ miner
//!                 ▲                                   │
//!              control                             ledger ──▶ verdict
//! ```
//!
//! - [`Scenario`]: rules as a TOML file says them, or one of those that are [`built in`](builtin());
//! - [`Control`]: rules as they come, line by line, while the pool runs;
//! - the gate: each line to a miner passes there, and is dropped, held back or rewritten;
//! - the ledger: what was due to each share, what was said of it, and what its miner did wrong;
//! - [`Verdict`]: that, for people and programs.
//!
//! The pool judges shares as ever: it knows of the faults that concern it, such as another difficulty.

mod builtin;
mod check;
mod control;
mod gate;
mod harm;
mod ledger;
mod rule;
mod scenario;
mod span;
mod verdict;

pub use builtin::{builtin, text as builtin_text};
pub use check::Check;
pub use control::{Control, ControlAddress, ControlError};
pub(crate) use gate::{Gate, Incident, Line, Owner, Write};
pub use rule::{Fault, Form, Garbage, Kind, MaskMethod, Rule, When};
pub use scenario::{Expect, Scenario, ScenarioError, Settings};
pub use span::Span;
pub use verdict::{Finding, Verdict};

use crate::pool::{EXTRANONCE1_SIZE, ShareRecord};
use ledger::Ledger;
use rule::Class;
use serde::Serialize;
use serde_json::Value;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{broadcast, watch};

/// How many extranonces are tried to find out what is wrong with a share.
const TRIED: usize = 4;
/// How many rules are played at once at most.
const MOST_RULES: usize = 1000;
/// How many deeds a session may be behind.
const BEHIND: usize = 64;
/// Calls of the pool's that want an answer have ids from here on.
const FIRST_ID: u64 = 4_000_000_000;

/// A scenario that is being played, and what is added to it.
#[derive(Debug)]
pub struct Faults {
    scenario: Scenario,
    /// When the first connection came.
    began: watch::Sender<Option<Instant>>,
    state: Mutex<State>,
    ledger: Mutex<Ledger>,
    deeds: broadcast::Sender<Fault>,
    /// Until when nobody can connect.
    shut: watch::Sender<Option<Instant>>,
    ids: AtomicU64,
}

#[derive(Debug)]
struct State {
    counts: Counts,
    rules: Vec<Arc<Played>>,
    /// How many rules there were, with those that are gone.
    numbered: u64,
    /// The last that jobs were sent under, newest first.
    extranonces: Vec<[u8; EXTRANONCE1_SIZE]>,
}

/// A rule that is played.
#[derive(Debug)]
struct Played {
    /// Counted from 0. Chance depends on it.
    number: u64,
    rule: Rule,
    /// When it was added, if that was later than the rest, and what was counted until then: its times and numbers go on from there.
    added: Option<(Instant, Counts)>,
    /// How often it struck and how often it might have.
    used: Mutex<[u64; 2]>,
}

/// A rule, as it is told.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlayedRule {
    /// Counted from 1 over all that there were.
    pub rule: u64,
    /// What.
    pub fault: Fault,
    /// When.
    pub when: When,
    /// How often it struck.
    pub struck: u64,
}

impl Played {
    fn used(&self) -> MutexGuard<'_, [u64; 2]> {
        // A panic cannot leave it half-written.
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn struck(&self) -> u64 {
        self.used()[0]
    }
}

/// How many jobs were sent and how many shares were answered.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    jobs: u64,
    shares: u64,
}

/// What becomes of a job.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct JobChange {
    /// By how many seconds its time is off.
    pub(crate) ahead: i64,
    /// Whether it pays a stranger.
    pub(crate) pays_stranger: bool,
}

impl State {
    fn add(&mut self, rule: Rule, added: Option<(Instant, Counts)>) -> u64 {
        let number = self.numbered;
        self.numbered += 1;
        self.rules.push(Arc::new(Played { number, rule, added, used: Mutex::default() }));
        number
    }
}

impl Counts {
    /// What was counted since.
    fn since(self, before: Counts) -> Counts {
        Counts { jobs: self.jobs.saturating_sub(before.jobs), shares: self.shares.saturating_sub(before.shares) }
    }
}

impl Faults {
    /// Begins with the first connection.
    pub fn new(scenario: Scenario) -> Faults {
        let mut state = State { counts: Counts::default(), rules: Vec::new(), numbered: 0, extranonces: vec![] };
        for rule in &scenario.rules {
            state.add(rule.clone(), None);
        }
        Faults {
            began: watch::Sender::new(None),
            state: Mutex::new(state),
            ledger: Mutex::new(Ledger::new(Instant::now())),
            deeds: broadcast::Sender::new(BEHIND),
            shut: watch::Sender::new(None),
            ids: AtomicU64::new(FIRST_ID),
            scenario,
        }
    }

    /// What is played.
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// What is to be said of the miners, as of now.
    pub fn verdict(&self) -> Verdict {
        self.ledger().verdict(&self.scenario.name, &self.scenario.expect, Instant::now())
    }

    /// Waits until the scenario's end.
    pub async fn ended(&self) {
        let mut began = self.began.subscribe();
        let at = began.wait_for(Option::is_some).await.ok().and_then(|began| *began);
        match at {
            Some(at) => tokio::time::sleep_until((at + self.scenario.end.0).into()).await,
            None => std::future::pending().await,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic cannot leave it half-written.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        // The same.
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seed(&self) -> u64 {
        self.scenario.seed
    }

    fn played(&self, class: Class) -> Vec<Arc<Played>> {
        let state = self.state();
        state.rules.iter().filter(|played| played.rule.what.class() == class).map(Arc::clone).collect()
    }

    /// Adds a rule to those that are played, from now on. Its number, or how many there are, which are too many.
    pub fn add(&self, rule: Rule) -> Result<u64, usize> {
        let mut state = self.state();
        let number = state.rules.len();
        if number >= MOST_RULES {
            return Err(number);
        }
        let counts = state.counts;
        Ok(state.add(rule, Some((Instant::now(), counts))) + 1)
    }

    /// What is played now.
    pub fn rules(&self) -> Vec<PlayedRule> {
        let told = |played: &Arc<Played>| {
            let Rule { when, what } = played.rule.clone();
            PlayedRule { rule: played.number + 1, fault: what, when, struck: played.struck() }
        };
        self.state().rules.iter().map(told).collect()
    }

    /// Ends all rules: how many there were. What they did already stays.
    pub fn clear(&self) -> usize {
        std::mem::take(&mut self.state().rules).len()
    }

    /// A miner's connection begins.
    pub(crate) fn join(&self, session: u64) -> Gate<'_> {
        let now = Instant::now();
        self.began.send_if_modified(|began| began.is_none() && began.replace(now).is_none());
        self.ledger().joined(session, now);
        Gate::new(self, session, self.deeds.subscribe())
    }

    pub(crate) fn left(&self, session: u64) {
        self.ledger().left(session, Instant::now());
    }

    /// A job is sent under this.
    pub(crate) fn sent_under(&self, extranonce1: [u8; EXTRANONCE1_SIZE]) {
        let mut state = self.state();
        if state.extranonces.first() != Some(&extranonce1) {
            state.extranonces.insert(0, extranonce1);
            state.extranonces.truncate(TRIED);
        }
    }

    /// What jobs were sent under last, for any session.
    pub(crate) fn extranonces(&self) -> Vec<[u8; EXTRANONCE1_SIZE]> {
        self.state().extranonces.clone()
    }

    /// A share was judged, and when it came; if it is right under another extranonce1, whose that is.
    pub(crate) fn share(&self, record: &ShareRecord, owner: Option<Owner>, came: Instant) {
        self.ledger().share(record, owner, &self.scenario.expect, came);
    }

    pub(crate) fn asks_extranonce(&self, session: u64) {
        self.ledger().asks_extranonce(session);
    }

    pub(crate) fn answered(&self, session: u64, id: &Value) {
        self.ledger().answered(session, id, Instant::now());
    }

    pub(crate) fn unreadable(&self, session: u64, error: &str) {
        self.ledger().unreadable(session, error, Instant::now());
    }

    pub(crate) fn followed(&self, host: &str) {
        self.ledger().followed(host, Instant::now());
    }

    /// An id for a call of the pool's.
    pub(crate) fn id(&self) -> u64 {
        self.ids.fetch_add(1, Ordering::Relaxed)
    }

    /// Counts a line that goes out.
    fn count(&self, line: &Line) -> Counts {
        let mut state = self.state();
        match line {
            Line::Notify { .. } => state.counts.jobs += 1,
            Line::Answer(_) => state.counts.shares += 1,
            _ => {}
        }
        state.counts
    }

    /// Whether a rule strikes now: with a line of that kind, or by itself.
    fn befalls(&self, played: &Played, kind: Option<Kind>, counts: Counts, now: Instant) -> bool {
        let Some(began) = *self.began.borrow() else { return false };
        let rule = &played.rule;
        let (began, counts) = match played.added {
            Some((at, before)) => (began.max(at), counts.since(before)),
            None => (began, counts),
        };
        let since = now.saturating_duration_since(began);
        let when = &rule.when;
        let lines = when.lines.as_deref().or(rule.what.usual_lines());
        if kind.is_some_and(|kind| !rule.what.fits(kind) || lines.is_some_and(|lines| !lines.contains(&kind)))
            || when.from.is_some_and(|from| since < from.0)
            || when.until.is_some_and(|until| since >= until.0)
        {
            return false;
        }
        let mut counted = played.used();
        let [used, chances] = *counted;
        if when.times.is_some_and(|times| used >= times) || !counts.is_moment(rule, kind, used, since) {
            return false;
        }
        counted[1] += 1;
        let strikes =
            when.probability.is_none_or(|likely| harm::likelihood(self.seed(), played.number, chances) < likely);
        // The moment of a deed passes, whether it is done or not.
        if strikes || kind.is_none() {
            counted[0] += 1;
        }
        strikes
    }

    /// The deeds that are to be done now.
    pub(crate) fn deeds(&self) -> Vec<Fault> {
        let now = Instant::now();
        let counts = self.state().counts;
        let deeds = self.played(Class::Deed).into_iter().filter(|played| self.befalls(played, None, counts, now));
        deeds.map(|played| played.rule.what.clone()).collect()
    }

    /// Does a deed to all sessions, and notes that.
    pub(crate) fn tell(&self, deed: Fault) {
        let lasting = match &deed {
            Fault::Silent { lasting } | Fault::Refuse { lasting } | Fault::Restart { lasting, .. } => Some(lasting.0),
            _ => None,
        };
        self.ledger().fault(Instant::now(), lasting);
        // There may be no session.
        let _ = self.deeds.send(deed);
    }

    /// What befalls the next job, if anything.
    pub(crate) fn job(&self) -> Option<JobChange> {
        let now = Instant::now();
        let mut counts = self.state().counts;
        counts.jobs += 1;
        let mut change = JobChange::default();
        for played in self.played(Class::Jobs) {
            match played.rule.what {
                Fault::Clock { ahead } if self.befalls(&played, Some(Kind::Notify), counts, now) => {
                    change.ahead += ahead;
                }
                Fault::PayStranger if self.befalls(&played, Some(Kind::Notify), counts, now) => {
                    change.pays_stranger = true;
                }
                _ => continue,
            }
            self.ledger().fault(now, None);
        }
        (change != JobChange::default()).then_some(change)
    }

    /// Whether a block that comes now does not reach the node.
    pub(crate) fn withholds(&self) -> bool {
        let (now, counts) = (Instant::now(), self.state().counts);
        let withholds = self
            .played(Class::Jobs)
            .iter()
            .any(|played| played.rule.what == Fault::WithholdBlocks && self.befalls(played, None, counts, now));
        if withholds {
            self.ledger().fault(now, None);
        }
        withholds
    }

    /// Nobody can connect for so long.
    pub(crate) fn shut(&self, lasting: Duration) {
        self.shut.send_replace(Some(Instant::now() + lasting));
    }

    /// Waits until nobody can connect: until when.
    pub(crate) async fn is_shut(&self) -> Instant {
        let mut shut = self.shut.subscribe();
        let is_now = |until: &Option<Instant>| until.is_some_and(|until| until > Instant::now());
        match shut.wait_for(is_now).await.ok().and_then(|until| *until) {
            Some(until) => until,
            None => std::future::pending().await,
        }
    }
}
