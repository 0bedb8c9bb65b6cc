//! Arguments for where miners connect, and how they are treated there.

use super::expected;
use clap::Args;
use midstate_stratum::Difficulty;
use pool_sim::pool::{Limits, Port, PortError, PortText, parse_difficulty, parse_interval, parse_rate};
use std::time::Duration;

/// What miners begin with, if nobody says.
pub(super) const START: &str = "0.01";
/// What those of a proxy begin with: more than any upstream asks for, so that the upstream's holds.
pub(super) const HARDEST: &str = "1e60";

#[derive(Args)]
pub(super) struct PortArgs {
    /// Where miners connect, and how they are treated there; may be given several times
    #[arg(long, value_name = "ADDRESS[,SETTING…]", default_value = "127.0.0.1:3333", value_parser = PortText::parse)]
    listen: Vec<PortText>,
    /// What miners begin with; may be below 1 [default: 0.01, or the upstream's in a proxy]
    #[arg(long, value_name = "D", value_parser = difficulty)]
    start_difficulty: Option<Difficulty>,
    /// Variable difficulty: how many shares a minute each miner should find, or off
    #[arg(long, value_name = "SHARES", default_value = "off", value_parser = rate)]
    vardiff: Rate,
    /// Difficulty is never below this
    #[arg(long, value_name = "D", value_parser = difficulty)]
    min_difficulty: Option<Difficulty>,
    /// Difficulty is never above this
    #[arg(long, value_name = "D", value_parser = difficulty)]
    max_difficulty: Option<Difficulty>,
    /// How often variable difficulty looks
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = interval)]
    retarget_interval: Duration,
    /// What miners' passwords must contain, if anything
    #[arg(long, env = "POOL_SIM_PASSWORD", hide_env_values = true, value_name = "TEXT")]
    password: Option<String>,
    /// How many connections one address may have (of IPv6, one network of 64 bits)
    #[arg(long, value_name = "N", default_value_t = Limits::default().connections, value_parser = clap::value_parser!(u32).range(1..))]
    max_connections: u32,
    /// How many lines, or messages of V2, are read from one connection a second; the rest waits
    #[arg(long, value_name = "N", default_value_t = Limits::default().lines, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    max_lines: u32,
}

/// Shares a minute, if variable difficulty is on.
#[derive(Clone, Copy)]
struct Rate(Option<f64>);

fn rate(text: &str) -> Result<Rate, String> {
    parse_rate(text).map(Rate).map_err(expected)
}

fn difficulty(text: &str) -> Result<Difficulty, String> {
    parse_difficulty(text).map_err(expected)
}

fn interval(text: &str) -> Result<Duration, String> {
    parse_interval(text).map_err(expected)
}

impl PortArgs {
    /// What one connection and one address may take.
    pub(super) fn limits(&self) -> Limits {
        Limits { connections: self.max_connections, lines: self.max_lines }
    }

    /// The ports: each what all have in common, but for what it says itself.
    pub(super) fn ports(&self, start: &str) -> Result<Vec<Port>, PortError> {
        self.over(&self.listen, start)
    }

    /// The same for others than those of --listen.
    pub(super) fn over(&self, ports: &[PortText], start: &str) -> Result<Vec<Port>, PortError> {
        let start = parse_difficulty(start).unwrap_or(Difficulty::ONE);
        // Its address is never used.
        let common = Port {
            shares_per_minute: self.vardiff.0,
            interval: self.retarget_interval,
            min: self.min_difficulty,
            max: self.max_difficulty,
            password: self.password.clone(),
            ..Port::new(([127, 0, 0, 1], 0).into(), self.start_difficulty.unwrap_or(start))
        };
        ports.iter().map(|port| port.clone().over(&common)).collect()
    }
}
