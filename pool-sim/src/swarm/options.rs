//! What a swarm is to do, and the texts that say so.

use super::Attack;
use clap::ValueEnum;
use std::time::Duration;
use thiserror::Error;

/// What a swarm is to do.
#[derive(Clone)]
pub struct Options {
    /// The pool, as `stratum+tcp://HOST:PORT`, or `stratum2+tcp://HOST:PORT/KEY` with its authority's key.
    pub url: String,
    /// How many miners.
    pub miners: usize,
    /// They come within this.
    pub ramp: Duration,
    /// How they are spread over it.
    pub arrival: Arrival,
    /// The mean time between a miner's shares.
    pub interval: Duration,
    /// How the hashrate is spread over the miners.
    pub hashrate: Hashrate,
    /// How long it goes on after the ramp.
    pub lasts: Duration,
    /// Which part of the miners leaves each second, from 0 to 1; they come back after a second or so.
    pub churn: f64,
    /// Users are this and the miner's number.
    pub user_prefix: String,
    /// The password of all.
    pub password: String,
    /// Whether shares may be blocks.
    pub blocks: bool,
    /// So often a share is a block on purpose, for a new tip.
    pub tip_every: Option<Duration>,
    /// How long an answer is waited for.
    pub patience: Duration,
    /// How many threads search for shares.
    pub threads: usize,
    /// All of them together hash no faster.
    pub max_hashes_per_second: f64,
    /// The pool's process, where it runs on this host.
    pub pool_pid: Option<u32>,
    /// Which part of connections and shares may fail, from 0 to 1.
    pub max_error_rate: f64,
    /// Attackers, and how many of each kind. They come in the middle of the time after the ramp.
    pub attackers: Vec<(Attack, usize)>,
    /// What the arrivals, intervals and nonces are drawn from.
    pub seed: u64,
}

impl Options {
    /// So many miners within a second, a share each every three seconds, for ten seconds.
    pub fn new(url: impl Into<String>, miners: usize) -> Options {
        Options {
            url: url.into(),
            miners,
            ramp: Duration::from_secs(1),
            arrival: Arrival::Even,
            interval: Duration::from_secs(3),
            hashrate: Hashrate::Equal,
            lasts: Duration::from_secs(10),
            churn: 0.0,
            user_prefix: "swarm.".to_owned(),
            password: "x".to_owned(),
            blocks: false,
            tip_every: None,
            patience: Duration::from_secs(10),
            threads: 1,
            max_hashes_per_second: 1e6,
            pool_pid: None,
            max_error_rate: 0.001,
            attackers: Vec::new(),
            seed: 1,
        }
    }
}

impl Options {
    /// When attackers come, after the start.
    pub(super) fn attacked_after(&self) -> Duration {
        self.ramp + self.lasts / 2
    }
}

/// How arrivals are spread over the ramp.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Arrival {
    /// One after the other, at equal distances
    Even,
    /// Each at a moment of its own, whatever the others do
    Poisson,
    /// In ten crowds
    Burst,
}

/// How the hashrate is spread over the miners.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Hashrate {
    /// All have the same
    Equal,
    /// A fifth of them has four fifths of it
    Pareto,
}

/// A text that is no such quantity.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{text:?}; expected {expected}")]
pub struct TextError {
    text: String,
    expected: &'static str,
}

pub(super) fn error(text: &str, expected: &'static str) -> TextError {
    TextError { text: text.to_owned(), expected }
}

/// Reads a time of up to a week, such as `500ms`, `60s`, `2m`, `1h`; seconds where no unit is given.
pub fn parse_span(text: &str) -> Result<Duration, TextError> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let span = seconds.or_else(|| humantime::parse_duration(text).ok());
    span.filter(|span| *span <= Duration::from_secs(604_800))
        .ok_or_else(|| error(text, "a time such as 500ms, 60s, 2m or 1h, a week at most"))
}

/// Reads a miner's shares in a time, such as `1/3s` or `20/1m`, as the mean time between two: from 1 ms on.
pub fn parse_rate(text: &str) -> Result<Duration, TextError> {
    let wrong = || error(text, "shares in a time, such as 1/3s, at most 1000/1s");
    let (shares, span) = text.split_once('/').ok_or_else(wrong)?;
    // `1/s` reads well too.
    let span =
        if span.starts_with(|first: char| first.is_ascii_digit()) { span.to_owned() } else { format!("1{span}") };
    let span = parse_span(&span).map_err(|_| wrong())?;
    let shares: f64 = shares.parse().ok().filter(|shares| (1e-3..=1e6).contains(shares)).ok_or_else(wrong)?;
    Some(span.div_f64(shares)).filter(|interval| *interval >= Duration::from_millis(1)).ok_or_else(wrong)
}

/// Reads a part of the whole, such as `1%` or `0.01`, as a number from 0 to 1.
pub fn parse_share(text: &str) -> Result<f64, TextError> {
    let (number, of) = text.strip_suffix('%').map_or((text, 1.0), |number| (number, 100.0));
    let part = number.parse().ok().map(|number: f64| number / of).filter(|part| (0.0..=1.0).contains(part));
    part.ok_or_else(|| error(text, "a part such as 1% or 0.01, at most all"))
}

/// Reads which part leaves in a second, such as `1%/s`, as a number from 0 to 1.
pub fn parse_churn(text: &str) -> Result<f64, TextError> {
    let wrong = |_| error(text, "a part in a time, such as 1%/s or 5%/1m");
    let (part, span) = text.split_once('/').unwrap_or((text, "s"));
    let part = parse_share(part).map_err(wrong)?;
    let span =
        if span.starts_with(|first: char| first.is_ascii_digit()) { span.to_owned() } else { format!("1{span}") };
    let seconds = parse_span(&span).map_err(wrong)?.as_secs_f64();
    if seconds < 1.0 { Err(error(text, "a part in a second or more")) } else { Ok(part / seconds) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts() {
        let ms = Duration::from_millis;
        assert_eq!(parse_span("500ms"), Ok(ms(500)));
        assert_eq!(parse_span("60s"), Ok(ms(60_000)));
        assert_eq!(parse_span("2m"), Ok(ms(120_000)));
        assert_eq!(parse_span("1.5"), Ok(ms(1500)));
        assert_eq!(parse_rate("1/3s"), Ok(ms(3000)));
        assert_eq!(parse_rate("20/m"), Ok(ms(3000)));
        assert_eq!(parse_rate("10/s"), Ok(ms(100)));
        assert_eq!(parse_share("1%"), Ok(0.01));
        assert_eq!(parse_churn("1%/s"), Ok(0.01));
        assert_eq!(parse_churn("60%/1m"), Ok(0.01));
        assert_eq!(parse_churn("0"), Ok(0.0));
    }

    #[test]
    fn texts_that_are_none_say_what_was_expected() {
        for error in [
            parse_span("-1s").unwrap_err(),
            parse_span("inf").unwrap_err(),
            parse_span("s").unwrap_err(),
            parse_rate("3s").unwrap_err(),
            parse_rate("0/3s").unwrap_err(),
            parse_rate("10000/1s").unwrap_err(),
            parse_share("101%").unwrap_err(),
            parse_share("NaN").unwrap_err(),
            parse_churn("1%/0s").unwrap_err(),
            parse_churn("1%/x").unwrap_err(),
        ] {
            assert!(error.to_string().contains("expected"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[-+0-9a-z./%é]{0,12}") {
            let _ = (parse_span(&text), parse_rate(&text), parse_share(&text), parse_churn(&text));
        }
    }
}
