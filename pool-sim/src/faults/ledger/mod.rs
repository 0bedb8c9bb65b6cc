//! What was due to each share and what was said of it, and what each miner did wrong.

mod judge;

use super::Check;
use super::gate::{Line, Owner};
use super::scenario::Expect;
use super::verdict::{Finding, Verdict};
use crate::pool::ShareRecord;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

/// How many shares are remembered with what was said of them.
const SHARES: usize = 10_000;
/// How many jobs are remembered of each connection.
const JOBS: usize = 2000;
/// How many findings of each check are told in full.
const TOLD: u64 = 5;
/// So many connections within a second are too many.
const HURRY: usize = 8;
/// How many shares the verdict shows that were told otherwise.
const SHOWN: usize = 100;

/// A share.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    number: u64,
    session: u64,
    /// What is due to it: nothing for acceptance, or the code of the refusal and its word.
    due: Option<(i64, &'static str)>,
    /// What the miner was told, if anything.
    said: Option<Said>,
}

/// What a miner was told of a share.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Said {
    /// The truth.
    Truth,
    /// A no with this code, whatever was due.
    No(i64),
    /// What it cannot make sense of.
    Garbled,
}

#[derive(Debug)]
pub(super) struct Ledger {
    began: Instant,
    miners: HashMap<u64, Miner>,
    /// Connections that ended and did not come back yet.
    gone: VecDeque<(u64, Instant)>,
    /// When the last connections came.
    came: VecDeque<Instant>,
    /// Since when the pool can be reached.
    reachable: Instant,
    connections: u64,
    shares: u64,
    due: u64,
    told_otherwise: u64,
    entries: VecDeque<Entry>,
    faults: u64,
    last_fault: Option<Instant>,
    last_good: Option<Instant>,
    /// Ids of jobs that any connection was told of.
    known: HashSet<String>,
    counts: HashMap<Check, u64>,
    findings: Vec<Finding>,
}

/// A connection.
#[derive(Debug, Default)]
struct Miner {
    /// The difficulty that it was told last, and all before.
    told: Vec<f64>,
    jobs: HashMap<String, Told>,
    order: VecDeque<String>,
    count: u64,
    /// The last job that voids those before: its place, its id and when it was sent.
    void: Option<(u64, String, Instant)>,
    /// Whether a line that it needs to know what is right did not reach it as it was.
    harmed: bool,
    asks_extranonce: bool,
    /// Calls that it has not answered, by id: what, and since when.
    asked: HashMap<String, (&'static str, Instant)>,
    answered: HashSet<String>,
}

/// A job that a connection was told of.
#[derive(Debug)]
struct Told {
    place: u64,
    difficulty: Option<f64>,
}

impl Entry {
    pub(super) fn to_json(&self) -> Value {
        let due = self.due.map_or_else(|| json!("accepted"), |(code, word)| json!({"code": code, "refusal": word}));
        let said = match self.said {
            None => Value::Null,
            Some(Said::Truth) => json!("truth"),
            Some(Said::No(code)) => json!({"code": code}),
            Some(Said::Garbled) => json!("garbled"),
        };
        json!({"number": self.number, "session": self.session, "due": due, "said": said})
    }
}

impl Ledger {
    pub(super) fn new(now: Instant) -> Ledger {
        Ledger {
            began: now,
            miners: HashMap::new(),
            gone: VecDeque::new(),
            came: VecDeque::new(),
            reachable: now,
            connections: 0,
            shares: 0,
            due: 0,
            told_otherwise: 0,
            entries: VecDeque::new(),
            faults: 0,
            last_fault: None,
            last_good: None,
            known: HashSet::new(),
            counts: HashMap::new(),
            findings: Vec::new(),
        }
    }

    pub(super) fn joined(&mut self, session: u64, now: Instant) {
        if self.connections == 0 {
            (self.began, self.reachable) = (now, now);
        }
        self.connections += 1;
        self.gone.pop_front();
        self.miners.insert(session, Miner::default());
        self.came.push_back(now);
        while self.came.front().is_some_and(|came| now.duration_since(*came) > Duration::from_secs(1)) {
            self.came.pop_front();
        }
        if self.came.len() > HURRY {
            let number = self.came.len();
            self.came.clear();
            self.find(Check::Patience, Some(session), now, format!("{number} connections within a second"));
        }
    }

    pub(super) fn left(&mut self, session: u64, now: Instant) {
        self.miners.remove(&session);
        self.gone.push_back((session, now));
    }

    /// A fault befell it. Until the pool can be reached again, nobody needs to be back.
    pub(super) fn fault(&mut self, now: Instant, lasting: Option<Duration>) {
        self.faults += 1;
        let over = now + lasting.unwrap_or_default();
        self.last_fault = self.last_fault.max(Some(over));
        if lasting.is_some() {
            self.reachable = self.reachable.max(over);
        }
    }

    pub(super) fn asks_extranonce(&mut self, session: u64) {
        if let Some(miner) = self.miners.get_mut(&session) {
            miner.asks_extranonce = true;
        }
    }

    /// A line reached a miner as it was.
    pub(super) fn delivered(&mut self, session: u64, line: &Line, said: Said, now: Instant) {
        let Some(miner) = self.miners.get_mut(&session) else { return };
        match line {
            Line::Difficulty(difficulty) => miner.told.push(*difficulty),
            Line::Notify { job, clean } => {
                miner.count += 1;
                let place = miner.count;
                if *clean {
                    miner.void = Some((place, job.clone(), now));
                }
                let told = Told { place, difficulty: miner.told.last().copied() };
                if miner.jobs.insert(job.clone(), told).is_none() {
                    miner.order.push_back(job.clone());
                }
                if miner.order.len() > JOBS
                    && let Some(oldest) = miner.order.pop_front()
                {
                    miner.jobs.remove(&oldest);
                }
                self.known.insert(job.clone());
            }
            Line::Answer(number) => self.said(*number, said),
            Line::Asks { what, id } => {
                miner.asked.insert(id.to_string(), (what, now));
            }
            Line::Reply(_) | Line::Call => {}
        }
    }

    /// A line reached a miner otherwise, or not at all.
    pub(super) fn harmed(&mut self, session: u64, line: &Line, is_sent: bool) {
        match line {
            Line::Answer(number) if is_sent => self.said(*number, Said::Garbled),
            // What is not there is no reason for a mistake: it knows what it was told before.
            _ if is_sent => {
                if let Some(miner) = self.miners.get_mut(&session) {
                    miner.harmed = true;
                }
            }
            _ => {}
        }
    }

    fn said(&mut self, number: u64, said: Said) {
        if let Some(entry) = self.entries.iter_mut().rev().find(|entry| entry.number == number) {
            let is_first = entry.said.is_none();
            entry.said = Some(said);
            let is_true = match said {
                Said::Truth => true,
                Said::No(code) => entry.due.is_some_and(|(due, _)| due == code),
                Said::Garbled => false,
            };
            if is_first && is_true {
                self.told_otherwise = self.told_otherwise.saturating_sub(1);
            }
        }
    }

    /// A share was judged; if it is right under another extranonce1, whose that is.
    pub(super) fn share(&mut self, record: &ShareRecord, owner: Option<Owner>, expect: &Expect, now: Instant) {
        self.shares += 1;
        // Until it was said.
        self.told_otherwise += 1;
        match &record.verdict {
            Ok(()) => {
                self.due += 1;
                self.last_good = Some(now);
            }
            Err(_) if self.miners.contains_key(&record.session) => {}
            Err(_) => return,
        }
        let found = self.judge(record, owner, expect, now);
        let due = record.verdict.as_ref().err().map(|refusal| (refusal.kind().0.code(), refusal.kind().1));
        self.entries.push_back(Entry { number: record.number, session: record.session, due, said: None });
        if self.entries.len() > SHARES {
            self.entries.pop_front();
        }
        for (check, what) in found {
            let what = format!("share no. {}: {what}", record.number);
            self.find(check, Some(record.session), now, what);
        }
    }

    /// A miner answered a call of the pool's.
    pub(super) fn answered(&mut self, session: u64, id: &Value, now: Instant) {
        let Some(miner) = self.miners.get_mut(&session) else { return };
        let id = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
        if miner.asked.remove(&id).is_some() {
            miner.answered.insert(id);
        } else if miner.answered.contains(&id) {
            self.find(Check::AnswersOnce, Some(session), now, format!("the call with id {id} was answered once more"));
        }
    }

    pub(super) fn unreadable(&mut self, session: u64, error: &str, now: Instant) {
        self.find(Check::Lines, Some(session), now, error.to_owned());
    }

    pub(super) fn followed(&mut self, host: &str, now: Instant) {
        self.find(Check::Domain, None, now, format!("it followed client.reconnect to {host:?}"));
    }

    fn find(&mut self, check: Check, session: Option<u64>, now: Instant, what: String) {
        let count = self.counts.entry(check).or_default();
        *count += 1;
        if *count <= TOLD {
            self.findings.push(Finding { check, session, at: now.duration_since(self.began), what });
        }
    }

    /// The verdict as of now: what was found, and what did not happen though it should have.
    pub(super) fn verdict(&mut self, scenario: &str, expect: &Expect, now: Instant) -> Verdict {
        let (findings, counts) = (self.findings.clone(), self.counts.clone());
        self.find_absent(expect, now);
        let otherwise = self.entries.iter().rev().filter(|entry| entry.said != Some(Said::Truth));
        let mut entries: Vec<_> = otherwise.take(SHOWN).cloned().collect();
        entries.reverse();
        let told = std::mem::replace(&mut self.findings, findings);
        let mut all = std::mem::replace(&mut self.counts, counts);
        Verdict {
            scenario: scenario.to_owned(),
            ran: now.duration_since(self.began),
            findings: told,
            counts: Check::ALL.into_iter().filter_map(|check| Some((check, all.remove(&check)?))).collect(),
            faults: self.faults,
            connections: self.connections,
            shares: self.shares,
            due: self.due,
            told_otherwise: self.told_otherwise,
            entries,
        }
    }

    fn find_absent(&mut self, expect: &Expect, now: Instant) {
        if self.connections == 0 {
            return self.find(Check::Came, None, now, "nobody connected".to_owned());
        }
        let late: Vec<_> = self
            .gone
            .iter()
            .map(|(session, at)| (*session, now.saturating_duration_since(self.reachable.max(*at))))
            .filter(|(_, away)| *away > expect.back_within.0)
            .collect();
        for (session, away) in late {
            let what = format!("it did not come back for {:.1} s", away.as_secs_f64());
            self.find(Check::ComesBack, Some(session), now, what);
        }
        let since = self.last_fault.unwrap_or(self.began);
        let idle = now.saturating_duration_since(since);
        if expect.shares && idle > expect.shares_within.0 && self.last_good.is_none_or(|good| good < since) {
            let what =
                format!("no share that is to be accepted came for {:.1} s after the last fault", idle.as_secs_f64());
            self.find(Check::Mines, None, now, what);
        }
        let unanswered: Vec<_> = self
            .miners
            .iter()
            .flat_map(|(session, miner)| miner.asked.values().map(|(what, since)| (*session, *what, *since)))
            .filter(|(_, _, since)| now.duration_since(*since) > expect.answer_within.0)
            .collect();
        for (session, what, since) in unanswered {
            let waited = now.duration_since(since).as_secs_f64();
            self.find(Check::Answers, Some(session), now, format!("{what} had no answer for {waited:.1} s"));
        }
    }
}
