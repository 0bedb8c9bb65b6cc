//! What a check is, and what it may say.

use super::Probe;
use super::wire::WireError;
use std::time::Duration;

/// Checks of one kind.
pub struct Topic {
    /// One word, with which its checks' ids begin.
    pub name: &'static str,
    /// For the report.
    pub title: &'static str,
    /// Its checks, in the order in which they are made.
    pub checks: &'static [Check],
}

/// One rule, and how to see whether a pool keeps it.
pub struct Check {
    /// `topic.name`.
    pub id: &'static str,
    /// What a pool that keeps the rule does.
    pub title: &'static str,
    /// Where the rule comes from.
    pub source: &'static str,
    /// Whether it takes a minute or more.
    pub slow: bool,
    /// It is given up after this.
    pub limit: Duration,
    pub(super) run: fn(&Probe) -> Outcome,
}

impl Check {
    pub(super) const fn new(
        id: &'static str,
        title: &'static str,
        source: &'static str,
        run: fn(&Probe) -> Outcome,
    ) -> Check {
        Check { id, title, source, slow: false, limit: Duration::from_secs(15), run }
    }

    pub(super) const fn slow(self, seconds: u64) -> Check {
        Check { slow: true, limit: Duration::from_secs(seconds), ..self }
    }
}

/// What was seen where the rule was kept, or why that cannot be said.
pub(super) type Outcome = Result<String, Stop>;

/// Why a check ended before it passed.
#[derive(Debug)]
pub(super) enum Stop {
    Failed(String),
    Unsupported(String),
    Skipped(String),
}

impl From<WireError> for Stop {
    fn from(error: WireError) -> Stop {
        Stop::Failed(error.to_string())
    }
}

/// Fails unless something holds.
pub(super) fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), Stop> {
    if holds { Ok(()) } else { Err(Stop::Failed(otherwise())) }
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The pool keeps the rule; what was seen.
    Passed(String),
    /// It does not; what was seen, and what was expected.
    Failed(String),
    /// The pool says that it does not have what the rule is about.
    Unsupported(String),
    /// It could not be tried; why.
    Skipped(String),
}

impl Verdict {
    /// One word: `passed`, `failed`, `unsupported` or `skipped`.
    pub fn word(&self) -> &'static str {
        match self {
            Verdict::Passed(_) => "passed",
            Verdict::Failed(_) => "failed",
            Verdict::Unsupported(_) => "unsupported",
            Verdict::Skipped(_) => "skipped",
        }
    }

    pub(super) fn map(self, change: impl FnOnce(String) -> String) -> Verdict {
        match self {
            Verdict::Passed(text) => Verdict::Passed(change(text)),
            Verdict::Failed(text) => Verdict::Failed(change(text)),
            Verdict::Unsupported(text) => Verdict::Unsupported(change(text)),
            Verdict::Skipped(text) => Verdict::Skipped(change(text)),
        }
    }

    /// What was seen, or why not.
    pub fn text(&self) -> &str {
        match self {
            Verdict::Passed(text) | Verdict::Failed(text) | Verdict::Unsupported(text) | Verdict::Skipped(text) => text,
        }
    }
}

impl From<Outcome> for Verdict {
    fn from(outcome: Outcome) -> Verdict {
        match outcome {
            Ok(text) => Verdict::Passed(text),
            Err(Stop::Failed(text)) => Verdict::Failed(text),
            Err(Stop::Unsupported(text)) => Verdict::Unsupported(text),
            Err(Stop::Skipped(text)) => Verdict::Skipped(text),
        }
    }
}
