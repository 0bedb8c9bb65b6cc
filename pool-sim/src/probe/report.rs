//! What a probe found, for people and programs.

use super::TOPICS;
use super::check::{Check, Topic, Verdict};
use crate::junit::{self, Case, Outcome, Suite};
use serde_json::{Value, json};
use std::fmt::{self, Write};
use std::io;
use std::time::Duration;

/// What came of one check.
#[derive(Clone)]
pub struct Finding {
    /// The check.
    pub check: &'static Check,
    /// What came of it.
    pub verdict: Verdict,
    /// How long it took.
    pub took: Duration,
    /// The lines that went (`>`) and came (`<`), cut to a readable length.
    pub seen: Vec<String>,
}

impl Finding {
    /// An object with the event `check`.
    pub fn to_json(&self) -> Value {
        let topic = self.check.id.split('.').next();
        json!({"event": "check", "id": self.check.id, "topic": topic, "title": self.check.title, "source": self.check.source,
               "verdict": self.verdict.word(), "detail": self.verdict.text(), "seconds": self.took.as_secs_f64(), "seen": self.seen})
    }

    fn to_case(&self) -> Case {
        let outcome = match &self.verdict {
            Verdict::Passed(_) => Outcome::Passed,
            Verdict::Failed(message) => {
                let text = format!("rule: {}\n{}", self.check.source, self.seen.join("\n"));
                Outcome::Failed { message: message.clone(), text }
            }
            Verdict::Unsupported(why) => Outcome::Skipped(format!("unsupported: {why}")),
            Verdict::Skipped(why) => Outcome::Skipped(why.clone()),
        };
        Case { class: self.check.id.to_owned(), name: self.check.title.to_owned(), outcome }
    }
}

/// What came of all of them.
pub struct Report {
    /// The pool.
    pub url: String,
    /// One for each check that was asked for.
    pub findings: Vec<Finding>,
    /// How long it took.
    pub took: Duration,
}

impl Report {
    /// How many checks ended in a verdict, by its word.
    pub fn count(&self, word: &str) -> usize {
        self.findings.iter().filter(|finding| finding.verdict.word() == word).count()
    }

    /// An object with the event `summary`.
    pub fn summary(&self) -> Value {
        json!({"event": "summary", "url": self.url, "checks": self.findings.len(), "passed": self.count("passed"),
               "failed": self.count("failed"), "unsupported": self.count("unsupported"), "skipped": self.count("skipped"),
               "seconds": self.took.as_secs_f64()})
    }

    /// As a file for CI systems: `JUnit`'s XML, one suite for each topic.
    pub fn to_junit(&self) -> io::Result<String> {
        let suites = self.by_topic().map(|(topic, findings)| Suite {
            name: topic.title.to_owned(),
            seconds: findings.iter().map(|finding| finding.took.as_secs_f64()).sum(),
            cases: findings.into_iter().map(Finding::to_case).collect(),
        });
        junit::write(&suites.collect::<Vec<_>>())
    }

    /// Each topic with its findings; topics of which nothing was asked are left out.
    pub(super) fn by_topic(&self) -> impl Iterator<Item = (&'static Topic, Vec<&Finding>)> {
        TOPICS.iter().filter_map(|topic| {
            let of = |finding: &&Finding| topic.checks.iter().any(|check| check.id == finding.check.id);
            let findings: Vec<_> = self.findings.iter().filter(of).collect();
            (!findings.is_empty()).then_some((topic, findings))
        })
    }
}

impl fmt::Display for Report {
    /// The findings by topic; what failed with its rule and what was said.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.url)?;
        for (topic, findings) in self.by_topic() {
            let passed = findings.iter().filter(|finding| finding.verdict.word() == "passed").count();
            writeln!(f, "\n{} ({passed} of {} passed)", topic.title, findings.len())?;
            for finding in findings {
                let mut text = String::new();
                write!(text, "{}", finding.verdict.text().escape_debug())?;
                let text = text.replace("\\\"", "\"").replace("\\'", "'");
                writeln!(f, "  {:<11} {:<27} {}", finding.verdict.word(), finding.check.id, finding.check.title)?;
                writeln!(f, "{:41}{text}", "")?;
                if finding.verdict.word() == "failed" {
                    writeln!(f, "{:41}rule: {}", "", finding.check.source)?;
                    for line in &finding.seen {
                        writeln!(f, "{:43}{line}", "")?;
                    }
                }
            }
        }
        let count = |word| self.count(word);
        writeln!(
            f,
            "\n{} checks in {:.1} s: {} passed, {} failed, {} unsupported, {} skipped",
            self.findings.len(),
            self.took.as_secs_f64(),
            count("passed"),
            count("failed"),
            count("unsupported"),
            count("skipped")
        )
    }
}
