//! Where a session's lines go out, and what becomes of them there.

use super::harm;
use super::ledger::Said;
use super::rule::{Fault, Kind, Rule};
use super::{Class, Counts, Faults, Played};
use std::time::{Duration, Instant};
use tokio::sync::broadcast;
use tokio::time::sleep_until;

/// A line that is out of order goes out after this at the latest.
const REORDERED_WITHIN: Duration = Duration::from_secs(1);

/// What a line is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Line {
    /// A job.
    Notify {
        /// Its id.
        job: String,
        /// Whether it voids the older ones.
        clean: bool,
    },
    /// A difficulty for the next job.
    Difficulty(f64),
    /// The answer to the share of that number.
    Answer(u64),
    /// The reply to another call.
    Reply(Kind),
    /// A call that wants an answer.
    Asks {
        /// The method.
        what: &'static str,
        /// The call's id.
        id: u64,
    },
    /// Any other call.
    Call,
}

impl Line {
    fn kind(&self) -> Kind {
        match self {
            Line::Notify { .. } => Kind::Notify,
            Line::Difficulty(_) => Kind::Difficulty,
            Line::Answer(_) => Kind::Answer,
            Line::Reply(kind) => *kind,
            Line::Asks { .. } | Line::Call => Kind::Call,
        }
    }
}

/// Whose extranonce1 makes a refused share right. On easy targets chance may: one in so many as a share takes hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// The connection's own, before it changed.
    Itself,
    /// Another session's.
    Another,
}

/// What is to be written.
#[derive(Debug)]
pub(crate) struct Write {
    pub(crate) bytes: Vec<u8>,
    /// Bytes a second, if it is slow.
    pub(crate) drip: Option<u32>,
}

/// What happens to a session.
#[derive(Debug)]
pub(crate) enum Incident {
    /// A deed is done to it.
    Deed(Fault),
    /// Lines that were held back are due.
    Due,
}

#[derive(Debug)]
struct Held {
    due: Instant,
    /// Whether it goes out after the next line at the latest.
    after_next: bool,
    line: Line,
    passage: Passage,
}

/// A line on its way.
#[derive(Clone, Debug)]
struct Passage {
    bytes: Vec<u8>,
    copies: usize,
    drip: Option<u32>,
    /// What it says of a share, if it is an answer.
    said: Said,
    is_readable: bool,
}

/// A session's way out.
#[derive(Debug)]
pub(crate) struct Gate<'a> {
    faults: &'a Faults,
    session: u64,
    deeds: broadcast::Receiver<Fault>,
    held: Vec<Held>,
    mute_until: Option<Instant>,
}

impl<'a> Gate<'a> {
    pub(super) fn new(faults: &'a Faults, session: u64, deeds: broadcast::Receiver<Fault>) -> Gate<'a> {
        Gate { faults, session, deeds, held: Vec::new(), mute_until: None }
    }

    /// Who decides.
    pub(crate) fn faults(&self) -> &'a Faults {
        self.faults
    }

    /// Nothing is said for so long.
    pub(crate) fn mute(&mut self, lasting: Duration) {
        self.mute_until = self.mute_until.max(Some(Instant::now() + lasting));
    }

    /// What is to be written in place of this line, which ends in a newline.
    pub(crate) fn pass(&mut self, line: Line, text: String) -> Vec<Write> {
        let now = Instant::now();
        let mut bytes = text.into_bytes();
        bytes.pop();
        let mut passage = Passage { bytes, copies: 1, drip: None, said: Said::Truth, is_readable: true };
        let counts = self.faults.count(&line);
        let (mut hold, mut after_next) = (None, false);
        for played in self.faults.played(Class::Lines) {
            if !self.faults.befalls(&played, Some(line.kind()), counts, now) {
                continue;
            }
            self.faults.ledger().fault(now, None);
            match played.rule.what {
                Fault::Drop => {
                    self.faults.ledger().harmed(self.session, &line, false);
                    return self.after();
                }
                Fault::Delay { by } => hold = Some(now + by.0),
                Fault::Reorder => (hold, after_next) = (Some(now + REORDERED_WITHIN), true),
                _ => self.harm(&played, &mut passage),
            }
        }
        if let Some(due) = hold {
            self.held.push(Held { due, after_next, line, passage });
            return Vec::new();
        }
        let mut writes = self.deliver(&line, passage, now);
        writes.extend(self.after());
        writes
    }

    fn harm(&self, played: &Played, passage: &mut Passage) {
        let rewritten = match &played.rule.what {
            Fault::Duplicate => {
                passage.copies += 1;
                return;
            }
            Fault::Drip { bytes_per_second } => {
                passage.drip = Some(*bytes_per_second);
                return;
            }
            Fault::Truncate { keep } => {
                passage.is_readable = *keep >= passage.bytes.len();
                passage.bytes.truncate(*keep);
                return;
            }
            Fault::Corrupt { bytes } => {
                passage.is_readable = *bytes == 0;
                harm::corrupt(&mut passage.bytes, *bytes, self.faults.seed(), played.struck());
                return;
            }
            Fault::WrongId => {
                passage.is_readable = false;
                harm::wrong_id(&passage.bytes)
            }
            Fault::Reject { code, form } => {
                passage.said = Said::No(*code);
                harm::reject(&passage.bytes, *code, *form)
            }
            Fault::StringIds => harm::string_id(&passage.bytes),
            _ => None,
        };
        // What an earlier rule made unreadable stays so.
        if let Some(bytes) = rewritten {
            passage.bytes = bytes;
        }
    }

    fn deliver(&self, line: &Line, mut passage: Passage, now: Instant) -> Vec<Write> {
        if self.mute_until.is_some_and(|until| now < until) {
            self.faults.ledger().harmed(self.session, line, false);
            return Vec::new();
        }
        let mut ledger = self.faults.ledger();
        if passage.is_readable {
            ledger.delivered(self.session, line, passage.said, now);
        } else {
            ledger.harmed(self.session, line, true);
        }
        drop(ledger);
        passage.bytes.push(b'\n');
        vec![Write { bytes: passage.bytes.repeat(passage.copies), drip: passage.drip }]
    }

    /// What waited for the line that was just sent.
    fn after(&mut self) -> Vec<Write> {
        self.take(|held| held.after_next)
    }

    /// What is due now.
    pub(crate) fn due(&mut self) -> Vec<Write> {
        let now = Instant::now();
        self.take(|held| held.due <= now)
    }

    fn take(&mut self, is_taken: impl Fn(&Held) -> bool) -> Vec<Write> {
        let now = Instant::now();
        let (taken, kept) = std::mem::take(&mut self.held).into_iter().partition(is_taken);
        self.held = kept;
        let taken: Vec<Held> = taken;
        taken.into_iter().flat_map(|held| self.deliver(&held.line, held.passage, now)).collect()
    }

    /// What happens next. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Incident {
        let due = self.held.iter().map(|held| held.due).min();
        loop {
            tokio::select! {
                deed = self.deeds.recv() => match deed {
                    Ok(deed) => return Incident::Deed(deed),
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
                },
                () = sleep_until(due.unwrap_or_else(Instant::now).into()), if due.is_some() => return Incident::Due,
            }
        }
    }
}

impl Counts {
    /// Whether a rule's own moment has come, with so many uses of it before.
    pub(super) fn is_moment(self, rule: &Rule, kind: Option<Kind>, used: u64, since: Duration) -> bool {
        let when = &rule.when;
        let once = |is_now: bool, before: bool| is_now || (before && used < when.times.unwrap_or(1));
        if let Some(at) = when.at {
            return since >= at.0 && used < when.times.unwrap_or(1);
        }
        if let Some(every) = when.every {
            return u128::from(used) < since.as_nanos() / every.0.as_nanos();
        }
        if let Some(job) = when.job {
            return once(
                kind == Some(Kind::Notify) && self.jobs == job,
                kind != Some(Kind::Notify) && self.jobs >= job,
            );
        }
        if let Some(share) = when.share {
            let is_answer = kind == Some(Kind::Answer);
            return once(is_answer && self.shares == share, !is_answer && self.shares >= share);
        }
        true
    }
}
