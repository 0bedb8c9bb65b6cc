//! What is said of a miner in the end: for people, as JSON and as XML for `JUnit`'s readers.

use super::Check;
use super::ledger::Entry;
use crate::junit::{self, Case, Outcome, Suite};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io;
use std::time::Duration;

/// Something that a miner did wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What it broke.
    pub check: Check,
    /// Its connection, counted from 1, if it was one.
    pub session: Option<u64>,
    /// When, from the first connection on.
    pub at: Duration,
    /// What happened, with the numbers.
    pub what: String,
}

/// What a scenario says of a miner.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The scenario's name.
    pub scenario: String,
    /// How long it ran.
    pub ran: Duration,
    /// What was found: of each check no more than a few.
    pub findings: Vec<Finding>,
    /// How often each check was broken.
    pub counts: Vec<(Check, u64)>,
    /// How many faults befell the miner.
    pub faults: u64,
    /// How many connections there were.
    pub connections: u64,
    /// How many shares came.
    pub shares: u64,
    /// How many of them were truly to be accepted.
    pub due: u64,
    /// How many were told something else than what was due to them, or nothing.
    pub told_otherwise: u64,
    /// Of these the last: what was due, and what was said.
    pub(super) entries: Vec<Entry>,
}

impl Verdict {
    /// Whether nothing was found.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    /// As one object.
    pub fn to_json(&self) -> Value {
        let findings: Vec<_> = self.findings.iter().map(Finding::to_json).collect();
        let counts: serde_json::Map<_, _> =
            self.counts.iter().map(|(check, count)| (check.name().to_owned(), json!(count))).collect();
        let shares: Vec<_> = self.entries.iter().map(Entry::to_json).collect();
        json!({
            "event": "verdict",
            "scenario": self.scenario,
            "clean": self.is_clean(),
            "seconds": self.ran.as_secs_f64(),
            "connections": self.connections,
            "faults": self.faults,
            "shares": self.shares,
            "due": self.due,
            "told_otherwise": self.told_otherwise,
            "counts": counts,
            "findings": findings,
            "ledger": shares,
        })
    }

    /// For people: a line, and two for each finding.
    pub fn to_text(&self) -> String {
        let Verdict { scenario, faults, connections, shares, due, told_otherwise, .. } = self;
        let word = if self.is_clean() { "clean" } else { "faulty" };
        let mut text = format!(
            "verdict: {scenario}: {word}; {faults} faults, {connections} connections, {shares} shares, {due} of them due, \
             {told_otherwise} told otherwise\n"
        );
        for Finding { check, session, at, what } in &self.findings {
            let session = session.map_or_else(String::new, |session| format!("session {session}, "));
            // A text takes all that is written to it.
            let _ = writeln!(text, "  {}: {session}{:.1} s: {what}", check.name(), at.as_secs_f64());
            let _ = writeln!(text, "    {}", check.advice());
        }
        text
    }

    /// As XML for `JUnit`'s readers: a test case for each check.
    pub fn to_junit(&self) -> io::Result<String> {
        let case = |check: Check| {
            let found: Vec<_> = self.findings.iter().filter(|finding| finding.check == check).collect();
            let texts: Vec<_> = found.iter().map(|finding| finding.what.as_str()).collect();
            let failed = || Outcome::Failed { message: check.advice().to_owned(), text: texts.join("\n") };
            let outcome = if found.is_empty() { Outcome::Passed } else { failed() };
            Case { class: self.scenario.clone(), name: check.name().to_owned(), outcome }
        };
        let cases = Check::ALL.into_iter().map(case).collect();
        junit::write(&[Suite { name: self.scenario.clone(), seconds: self.ran.as_secs_f64(), cases }])
    }
}

impl Finding {
    fn to_json(&self) -> Value {
        json!({
            "check": self.check.name(),
            "session": self.session,
            "at": self.at.as_secs_f64(),
            "what": self.what,
            "advice": self.check.advice(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_in_words_json_and_xml() {
        let what = "user \"x\"".to_owned();
        let finding = Finding { check: Check::Lines, session: Some(1), at: Duration::ZERO, what };
        let verdict = Verdict {
            scenario: "a<b\"".to_owned(),
            ran: Duration::from_secs(1),
            findings: vec![finding],
            counts: vec![(Check::Lines, 1)],
            faults: 0,
            connections: 1,
            shares: 0,
            due: 0,
            told_otherwise: 0,
            entries: vec![],
        };
        let xml = verdict.to_junit().unwrap();
        assert_eq!(xml.matches("<testcase").count(), Check::ALL.len());
        assert!(xml.contains("failures=\"1\""), "{xml}");
        assert!(verdict.to_text().contains("one JSON object a line"));
        assert_eq!(verdict.to_json()["counts"], json!({"lines": 1}));
    }
}
