//! What is said of a miner in the end: for people, as JSON and as XML for `JUnit`'s readers.

use super::Check;
use super::ledger::Entry;
use quick_xml::Writer;
use quick_xml::events::BytesText;
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
        let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
        let broken = self.counts.len().to_string();
        let seconds = format!("{:.3}", self.ran.as_secs_f64());
        writer
            .create_element("testsuite")
            .with_attribute(("name", self.scenario.as_str()))
            .with_attribute(("tests", Check::ALL.len().to_string().as_str()))
            .with_attribute(("failures", broken.as_str()))
            .with_attribute(("time", seconds.as_str()))
            .write_inner_content(|writer| {
                for check in Check::ALL {
                    let case = writer
                        .create_element("testcase")
                        .with_attribute(("classname", self.scenario.as_str()))
                        .with_attribute(("name", check.name()));
                    let found: Vec<_> = self.findings.iter().filter(|finding| finding.check == check).collect();
                    if found.is_empty() {
                        case.write_empty()?;
                        continue;
                    }
                    let what: Vec<_> = found.iter().map(|finding| printable(&finding.what)).collect();
                    case.write_inner_content(|writer| {
                        let failure = writer.create_element("failure").with_attribute(("message", check.advice()));
                        failure.write_text_content(BytesText::new(&what.join("\n")))?;
                        Ok(())
                    })?;
                }
                Ok(())
            })?;
        let xml = String::from_utf8(writer.into_inner()).map_err(io::Error::other)?;
        Ok(format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{xml}\n"))
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

/// XML has no control characters, not even escaped.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use quick_xml::Reader;
    use quick_xml::events::Event;

    #[test]
    fn junit_is_xml_whatever_a_miner_said() {
        let what = "user \"<&>\u{1b}]]>\"".to_owned();
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
        let mut reader = Reader::from_str(&xml);
        let mut cases = 0;
        loop {
            match reader.read_event().unwrap() {
                Event::Eof => break,
                Event::Start(tag) | Event::Empty(tag) if tag.name().as_ref() == "testcase" => cases += 1,
                _ => {}
            }
        }
        assert_eq!(cases, Check::ALL.len());
        assert!(xml.contains("failures=\"1\"") && !xml.contains('\u{1b}'), "{xml}");
        assert!(verdict.to_text().contains("one JSON object a line"));
        assert_eq!(verdict.to_json()["counts"], json!({"lines": 1}));
    }
}
