//! How the pool is set up: what holds for all of it, and what for each port.

use super::Pace;
use super::accounts::AccountsConfig;
use super::limits::Limits;
use crate::faults::Faults;
use bitcoin::{CompactTarget, ScriptBuf};
use midstate_stratum::Difficulty;
use midstate_stratum::v2::Authority;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;

/// How the pool is set up.
#[derive(Clone, Debug)]
pub struct PoolConfig {
    /// Where it listens, and how it treats who comes there.
    pub ports: Vec<Port>,
    /// Whom blocks pay, but for what their coinbases pay to miners.
    pub pay_to: ScriptBuf,
    /// A new job comes this often, if no new tip brings one.
    pub renotify: Duration,
    /// The version bits that miners may roll (BIP 320).
    pub version_mask: u32,
    /// The first session's extranonce1; each further one counts on.
    pub first_extranonce1: u32,
    /// For so long after a new tip, shares for the one before it are accepted. Zero accepts none.
    pub stale_grace: Duration,
    /// For so long after its connection ended, a session can be resumed.
    pub resume_within: Duration,
    /// A connection that said nothing for so long loses its session to one that asks for it.
    pub silent_after: Duration,
    /// What one connection and one address may take.
    pub limits: Limits,
    /// How miners are paid.
    pub accounts: AccountsConfig,
    /// The compact target that jobs claim, instead of the chain's. With a harder one, shares are no blocks.
    pub job_bits: Option<CompactTarget>,
    /// What goes wrong, if anything is to.
    pub faults: Option<Arc<Faults>>,
}

impl PoolConfig {
    /// The usual setup: one port, without variable difficulty.
    pub fn new(listen: SocketAddr, start_difficulty: Difficulty, pay_to: ScriptBuf) -> PoolConfig {
        PoolConfig::on(vec![Port::new(listen, start_difficulty)], pay_to)
    }

    /// The same, with a scenario: it says what sessions begin with, and whether shares can be blocks.
    #[must_use]
    pub fn with_faults(mut self, faults: &Arc<Faults>) -> PoolConfig {
        let settings = faults.scenario().pool;
        if let Some(start) = settings.difficulty.and_then(|value| Difficulty::new(value).ok()) {
            self.ports.iter_mut().for_each(|port| port.start = start);
        }
        // Mainnet's first.
        self.job_bits = (!settings.blocks).then(|| CompactTarget::from_consensus(0x1d00_ffff));
        self.faults = Some(Arc::clone(faults));
        self
    }

    /// The same, with these ports.
    pub fn on(ports: Vec<Port>, pay_to: ScriptBuf) -> PoolConfig {
        PoolConfig {
            ports,
            pay_to,
            renotify: Duration::from_secs(30),
            version_mask: 0x1fff_e000,
            first_extranonce1: 1,
            stale_grace: Duration::ZERO,
            resume_within: Duration::from_secs(600),
            // Miners leave a pool that is silent for 60 to 90 s. One that lost its way to the pool comes back then, while
            // the pool still believes in the old connection.
            silent_after: Duration::from_secs(60),
            limits: Limits::default(),
            accounts: AccountsConfig::default(),
            job_bits: None,
            faults: None,
        }
    }
}

/// A port, and how it treats who comes there.
#[derive(Clone, Debug, PartialEq)]
pub struct Port {
    /// Where it listens; port 0 takes any that is free.
    pub listen: SocketAddr,
    /// What a session begins with, brought within the limits.
    pub start: Difficulty,
    /// Whether that holds for good, whatever a miner wishes.
    pub fixed: bool,
    /// How many shares a minute variable difficulty aims at, if it is on.
    pub shares_per_minute: Option<f64>,
    /// How often variable difficulty looks.
    pub interval: Duration,
    /// No difficulty is below this.
    pub min: Option<Difficulty>,
    /// No difficulty is above this.
    pub max: Option<Difficulty>,
    /// What miners' passwords must contain, if anything. Stratum V2 has none.
    pub password: Option<String>,
    /// Who certifies the pool to its miners. With one, the port speaks Stratum V2; without, V1.
    pub authority: Option<Authority>,
}

impl Port {
    /// Of Stratum V1. Difficulty stays as it is unless a miner wishes another; no password.
    pub fn new(listen: SocketAddr, start: Difficulty) -> Port {
        Port {
            listen,
            start,
            fixed: false,
            shares_per_minute: None,
            interval: Duration::from_secs(10),
            min: None,
            max: None,
            password: None,
            authority: None,
        }
    }

    /// What variable difficulty aims at, if it is on.
    pub(super) fn pace(&self) -> Option<Pace> {
        let Port { interval, min, max, .. } = *self;
        self.shares_per_minute.filter(|_| !self.fixed).map(|shares_per_minute| Pace {
            shares_per_minute,
            interval,
            min,
            max,
        })
    }
}

/// A setting of a port that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{field}: {value:?}; expected {expected}")]
pub struct PortError {
    /// Which.
    pub field: &'static str,
    /// What was given.
    pub value: String,
    /// What should have been.
    pub expected: String,
}

impl PortError {
    fn new(field: &'static str, value: impl fmt::Display, expected: impl Into<String>) -> PortError {
        PortError { field, value: value.to_string(), expected: expected.into() }
    }
}

/// A port as a text: `ADDRESS:PORT[,start=D][,fixed=D][,vardiff=N|off][,min=D][,max=D][,interval=S][,password=TEXT]`. What it
/// does not say is said by [`PortText::over`]'s argument.
#[derive(Clone, Debug, PartialEq)]
pub struct PortText {
    listen: SocketAddr,
    settings: Vec<Setting>,
}

#[derive(Clone, Debug, PartialEq)]
enum Setting {
    Start(Difficulty),
    Fixed(Difficulty),
    Vardiff(Option<f64>),
    Min(Difficulty),
    Max(Difficulty),
    Interval(Duration),
    Password(String),
}

impl PortText {
    /// Reads a text.
    pub fn parse(text: &str) -> Result<PortText, PortError> {
        let mut parts = text.split(',');
        let address = parts.next().unwrap_or_default();
        let listen = address.parse().map_err(|_| PortError::new("address", address, "ADDRESS:PORT"))?;
        Ok(PortText { listen, settings: parts.map(Setting::parse).collect::<Result<_, _>>()? })
    }

    /// The port: `defaults`, but for what the text says.
    pub fn over(self, defaults: &Port) -> Result<Port, PortError> {
        let mut port = Port { listen: self.listen, ..defaults.clone() };
        for setting in self.settings {
            match setting {
                Setting::Start(start) => (port.start, port.fixed) = (start, false),
                Setting::Fixed(fixed) => (port.start, port.fixed) = (fixed, true),
                Setting::Vardiff(rate) => port.shares_per_minute = rate,
                Setting::Min(min) => port.min = Some(min),
                Setting::Max(max) => port.max = Some(max),
                Setting::Interval(interval) => port.interval = interval,
                Setting::Password(password) => port.password = Some(password),
            }
        }
        match (port.min, port.max) {
            (Some(min), Some(max)) if min > max => {
                Err(PortError::new("min", min, format!("at most max, which is {max}")))
            }
            _ => Ok(port),
        }
    }
}

impl Setting {
    fn parse(text: &str) -> Result<Setting, PortError> {
        let expected = "start=, fixed=, vardiff=, min=, max=, interval= or password=";
        let (name, value) = text.split_once('=').ok_or_else(|| PortError::new("setting", text, expected))?;
        let difficulty = |field| parse_difficulty(value).map_err(|expected| PortError::new(field, value, expected));
        Ok(match name {
            "start" => Setting::Start(difficulty("start")?),
            "fixed" => Setting::Fixed(difficulty("fixed")?),
            "vardiff" => {
                Setting::Vardiff(parse_rate(value).map_err(|expected| PortError::new("vardiff", value, expected))?)
            }
            "min" => Setting::Min(difficulty("min")?),
            "max" => Setting::Max(difficulty("max")?),
            "interval" => {
                let interval = parse_interval(value).map_err(|expected| PortError::new("interval", value, expected))?;
                Setting::Interval(interval)
            }
            "password" if !value.is_empty() => Setting::Password(value.to_owned()),
            "password" => return Err(PortError::new("password", value, "a text")),
            _ => return Err(PortError::new("setting", text, expected)),
        })
    }
}

/// Reads a difficulty, or says what was expected.
pub fn parse_difficulty(text: &str) -> Result<Difficulty, &'static str> {
    let value = text.parse().map_err(|_| "a number above 0 and below 2.7e67")?;
    Difficulty::new(value).map_err(|_| "a number above 0 and below 2.7e67")
}

/// Reads how many shares a minute are wanted, or `off`; or says what was expected.
pub fn parse_rate(text: &str) -> Result<Option<f64>, &'static str> {
    match text.parse() {
        _ if text == "off" => Ok(None),
        Ok(rate) if (0.1..=6000.0).contains(&rate) => Ok(Some(rate)),
        _ => Err("shares a minute from 0.1 to 6000, or off"),
    }
}

/// Reads how often variable difficulty looks, in seconds; or says what was expected.
pub fn parse_interval(text: &str) -> Result<Duration, &'static str> {
    match text.parse() {
        Ok(seconds) if (1.0..=3600.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("seconds from 1 to 3600"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn defaults() -> Port {
        Port::new("127.0.0.1:1".parse().unwrap(), Difficulty::ONE)
    }

    #[test]
    fn a_port_is_the_defaults_but_for_what_is_said() {
        let port = |text: &str| PortText::parse(text).unwrap().over(&defaults()).unwrap();
        let listen = "[::1]:3333".parse().unwrap();
        assert_eq!(port("[::1]:3333"), Port { listen, ..defaults() });
        let difficulty = |value: f64| Difficulty::new(value).unwrap();
        let all = Port {
            listen,
            start: difficulty(0.5),
            fixed: false,
            shares_per_minute: Some(20.0),
            interval: Duration::from_secs(5),
            min: Some(difficulty(1e-3)),
            max: Some(difficulty(1e6)),
            password: Some("a=b".to_owned()),
            authority: None,
        };
        assert_eq!(port("[::1]:3333,start=0.5,vardiff=20,min=1e-3,max=1e6,interval=5,password=a=b"), all);
        let fixed = port("[::1]:3333,vardiff=20,fixed=1024");
        assert!(fixed.fixed && fixed.start == difficulty(1024.0) && fixed.pace().is_none());
        assert_eq!(port("[::1]:3333,vardiff=off").shares_per_minute, None);
    }

    #[test]
    fn settings_that_cannot_be_are_named() {
        for (text, field) in [
            ("here", "address"),
            ("", "address"),
            ("127.0.0.1:1,", "setting"),
            ("127.0.0.1:1,speed=1", "setting"),
            ("127.0.0.1:1,start=0", "start"),
            ("127.0.0.1:1,fixed=x", "fixed"),
            ("127.0.0.1:1,vardiff=0", "vardiff"),
            ("127.0.0.1:1,vardiff=NaN", "vardiff"),
            ("127.0.0.1:1,min=-1", "min"),
            ("127.0.0.1:1,max=inf", "max"),
            ("127.0.0.1:1,interval=0", "interval"),
            ("127.0.0.1:1,password=", "password"),
            ("127.0.0.1:1,min=2,max=1", "min"),
        ] {
            let error = PortText::parse(text).and_then(|port| port.over(&defaults())).unwrap_err();
            assert_eq!(error.field, field, "{text}");
            assert!(error.to_string().contains("expected"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".*", setting in "[a-z]{0,8}=?[0-9a-z.,=-]{0,20}") {
            let _ = PortText::parse(&text);
            let _ = PortText::parse(&format!("127.0.0.1:1,{setting}")).and_then(|port| port.over(&defaults()));
        }
    }
}
