//! A scenario: a TOML file that says what goes wrong when, and what a miner must do nevertheless.

use super::rule::{Class, Fault, Rule};
use super::{Span, builtin};
use midstate_stratum::codec::MAX_LINE;
use serde::Deserialize;
use std::path::Path;
use std::time::Duration;
use std::{fs, io};
use thiserror::Error;

/// What goes wrong, and what is expected of a miner.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// What it is for, in a sentence.
    pub about: String,
    /// Chance begins with it.
    #[serde(default)]
    pub seed: u64,
    /// When the verdict is given, from the first connection on.
    pub end: Span,
    /// How the pool is set up.
    #[serde(default)]
    pub pool: Settings,
    /// What is expected.
    #[serde(default)]
    pub expect: Expect,
    /// What goes wrong, in order: of several faults that befall one line, each takes what the one before left of it.
    #[serde(default, rename = "rule")]
    pub rules: Vec<Rule>,
}

/// How the pool is set up in a scenario.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// What sessions begin with, instead of the command line's.
    pub difficulty: Option<f64>,
    /// Whether a share can be a block. On regtest nearly each would be; without it jobs claim mainnet's first target.
    pub blocks: bool,
}

/// What is expected of a miner. What is not named here holds always.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    /// A share that the pool takes comes after the last fault, within this. Not judged if the end comes before.
    pub shares_within: Span,
    /// Whether that is expected at all.
    pub shares: bool,
    /// After its connection ended, or since the pool can be reached again, a miner is back within this.
    pub back_within: Span,
    /// Shares of a job may come for so long after a job that voids it.
    pub grace: Span,
    /// A call of the pool's is answered within this.
    pub answer_within: Span,
}

impl Default for Expect {
    fn default() -> Expect {
        Expect {
            shares_within: Span::seconds(10),
            shares: true,
            back_within: Span::seconds(10),
            grace: Span::seconds(2),
            answer_within: Span::seconds(5),
        }
    }
}

/// Why there is no scenario.
#[derive(Debug, Error)]
pub enum ScenarioError {
    /// Neither a file nor a name that is known.
    #[error(
        "scenario {name:?}: {source}, and none that is built in has that name; `pool-sim scenario list` shows those"
    )]
    Read {
        /// What was asked for.
        name: String,
        /// Why it cannot be read as a file.
        source: io::Error,
    },
    /// It is no scenario. The message has the line, and the field.
    #[error("scenario {name}: {source}")]
    Parse {
        /// Which.
        name: String,
        /// What is wrong, and where.
        source: Box<toml::de::Error>,
    },
    /// A rule that makes no sense.
    #[error("scenario {name}: rule {rule}: {field}: {value}; expected {expected}")]
    Rule {
        /// Which.
        name: String,
        /// The rule, counted from 1.
        rule: usize,
        /// The field.
        field: &'static str,
        /// What it has.
        value: String,
        /// What it should have.
        expected: &'static str,
    },
}

impl Scenario {
    /// Nothing goes wrong, the pool is as ever, and no end: to begin with where faults are commanded.
    pub fn empty() -> Scenario {
        Scenario {
            name: "live".to_owned(),
            about: "faults as they are commanded".to_owned(),
            seed: 0,
            end: Span::LONGEST,
            pool: Settings { difficulty: None, blocks: true },
            expect: Expect::default(),
            rules: Vec::new(),
        }
    }

    /// The scenario of a file, or the one that is built in under that name.
    pub fn load(name: &str) -> Result<Scenario, ScenarioError> {
        if let Some(text) = builtin::text(name) {
            return Scenario::parse(name, text);
        }
        let text = fs::read_to_string(Path::new(name))
            .map_err(|source| ScenarioError::Read { name: name.to_owned(), source })?;
        Scenario::parse(name, &text)
    }

    /// Reads a scenario; `name` is what errors call it.
    pub fn parse(name: &str, text: &str) -> Result<Scenario, ScenarioError> {
        let scenario: Scenario = toml::from_str(text)
            .map_err(|source| ScenarioError::Parse { name: name.to_owned(), source: Box::new(source) })?;
        for (at, rule) in scenario.rules.iter().enumerate() {
            rule.check().map_err(|(field, value, expected)| ScenarioError::Rule {
                name: name.to_owned(),
                rule: at + 1,
                field,
                value,
                expected,
            })?;
        }
        if scenario.pool.difficulty.is_some_and(|value| midstate_stratum::Difficulty::new(value).is_err()) {
            let value = format!("{:?}", scenario.pool.difficulty);
            let (name, expected) = (name.to_owned(), "a number above 0 and below 2.7e67");
            return Err(ScenarioError::Rule { name, rule: 0, field: "pool.difficulty", value, expected });
        }
        Ok(scenario)
    }
}

impl Rule {
    /// The field that makes no sense, its value, and what was expected.
    pub(super) fn check(&self) -> Result<(), (&'static str, String, &'static str)> {
        let Rule { when, what } = self;
        let class = what.class();
        let triggers = [when.at.is_some(), when.every.is_some(), when.job.is_some(), when.share.is_some()];
        let number = triggers.iter().filter(|is_given| **is_given).count();
        if number > 1 {
            return Err(("when", format!("{number} of at, every, job, share"), "one of them"));
        }
        if class == Class::Deed && number == 0 {
            return Err(("when", "nothing".to_owned(), "at, every, job or share, for a deed"));
        }
        if when.every.is_some_and(|Span(every)| every < Duration::from_millis(20)) {
            return Err(("when.every", format!("{:?}", when.every.map(|every| every.0)), "20ms at least"));
        }
        if when.job == Some(0) || when.share == Some(0) {
            return Err(("when", "0".to_owned(), "numbers from 1 on"));
        }
        if let Some(probability) = when.probability.filter(|probability| !(0.0..=1.0).contains(probability)) {
            return Err(("when.probability", probability.to_string(), "0 to 1"));
        }
        if let Some(lines) = &when.lines {
            if class != Class::Lines {
                return Err(("when.lines", format!("{lines:?}"), "none: the fault is not one of lines"));
            }
            if !lines.iter().all(|kind| what.fits(*kind)) {
                return Err(("when.lines", format!("{lines:?}"), "replies and answers only"));
            }
        }
        match what {
            Fault::Reject { code, .. } if !(20..=25).contains(code) => {
                Err(("reject.code", code.to_string(), "20 to 25"))
            }
            Fault::Difficulty { factor } if !(factor.is_finite() && *factor > 0.0) => {
                Err(("difficulty.factor", factor.to_string(), "a number above 0"))
            }
            Fault::Jobs { count, .. } if !(1..=1000).contains(count) => {
                Err(("jobs.count", count.to_string(), "1 to 1000"))
            }
            Fault::Corrupt { bytes } if *bytes > MAX_LINE => {
                Err(("corrupt.bytes", bytes.to_string(), "at most a line's 131072"))
            }
            Fault::Drip { bytes_per_second: 0 } => Err(("drip.bytes_per_second", "0".to_owned(), "1 at least")),
            Fault::Mask { mask, .. } if u32::from_str_radix(mask, 16).is_err() => {
                Err(("mask.mask", mask.clone(), "eight hex digits"))
            }
            Fault::Clock { ahead } if ahead.unsigned_abs() > 1 << 31 => {
                Err(("clock.ahead", ahead.to_string(), "seconds below 2^31"))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "name = \"x\"\nabout = \"y\"\nend = \"3s\"\n";

    fn error(rest: &str) -> String {
        Scenario::parse("x.toml", &format!("{HEAD}{rest}")).unwrap_err().to_string()
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (rest, words) in [
            ("[[rule]]\nwhen = { att = \"1s\" }\nwhat = \"drop\"", ["line 5", "att"]),
            ("[[rule]]\nwhat = \"dorp\"", ["line 5", "dorp"]),
            ("[[rule]]\nwhat = { delay = { by = \"soon\" } }", ["line 5", "soon"]),
            ("[[rule]]\nwhat = { delay = { of = \"1s\" } }", ["line 5", "of"]),
            ("[[rule]]\nwhat = \"close\"", ["rule 1", "at, every, job or share"]),
            ("[[rule]]\nwhen = { at = \"1s\", job = 1 }\nwhat = \"close\"", ["rule 1", "one of them"]),
            ("[[rule]]\nwhat = { reject = { code = 30 } }", ["reject.code: 30", "20 to 25"]),
            ("[[rule]]\nwhen = { probability = 2 }\nwhat = \"drop\"", ["when.probability: 2", "0 to 1"]),
            ("[[rule]]\nwhen = { lines = [\"notify\"] }\nwhat = \"wrong_id\"", ["when.lines", "replies"]),
            ("seeds = 1", ["line 4", "seeds"]),
            ("[pool]\ndifficulty = 0.0", ["pool.difficulty", "above 0"]),
        ] {
            let error = error(rest);
            assert!(words.iter().all(|word| error.contains(word)), "{rest}: {error}");
        }
        let missing = Scenario::load("/no/such").unwrap_err().to_string();
        assert!(missing.contains("/no/such") && missing.contains("scenario list"), "{missing}");
    }
}
