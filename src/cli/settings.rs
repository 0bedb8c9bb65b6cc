//! The settings of `mine` as flags and environment variables. What a file says comes below them (`resolve.rs`).

use super::backends::BackendArgs;
#[cfg(feature = "solo")]
use bitcoin::{Address, address::NetworkUnchecked};
use clap::builder::{BoolishValueParser, NonEmptyStringValueParser};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};
use midstate::backend::Throttle;
use midstate::config::{PoolConfig, Secret, SourceUrl};
use midstate::upstream::Fingerprint;
#[cfg(feature = "payout")]
use midstate::upstream::Payout;
#[cfg(feature = "v2")]
use midstate::upstream::{ChannelCount, ChannelKind, Device, NominalHashrate};
#[cfg(feature = "solo")]
use midstate::upstream::{MAX_TAG, ZmqUrl};
use midstate_stratum::Difficulty;
use std::num::NonZeroU32;
use std::path::PathBuf;
use thiserror::Error;

/// What `mine` mines on and with. Each name of a field is that of the setting in a file.
#[derive(clap::Args, Debug)]
pub(super) struct SettingArgs {
    /// The configuration file [default: config.toml in ~/.config/midstate or what the system has for that, where it is there]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The pool: stratum+tcp://HOST:PORT, or stratum+ssl://HOST:PORT for TLS, or stratum2+tcp://HOST:PORT/KEY for Stratum V2. Or a
    /// node: http://HOST:PORT. Given several times, those
    /// after the first take its place while it fails. The pools of the configuration file are then passed over
    #[arg(long, value_name = "URL", value_delimiter = ',')]
    pub url: Vec<SourceUrl>,
    /// The user, or user.worker; often a Bitcoin address. Once for all, or once for each URL
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub user: Vec<String>,
    /// Its part of the time, beside those of the other URLs: a whole number, once for all, or once for each URL. With 0 it waits until none
    /// of those that have one gives jobs [default: none, so that the first URL that is well has all]
    #[arg(long, value_name = "N", value_delimiter = ',')]
    pub quota: Vec<u32>,
    /// For a node, whom its blocks pay: an address of its network
    #[cfg(feature = "solo")]
    #[arg(long, value_name = "ADDRESS")]
    pub pay_to: Option<Address<NetworkUnchecked>>,
    /// For a node, the file with its cookie, in place of user and password
    #[cfg(feature = "solo")]
    #[arg(long, value_name = "FILE")]
    pub rpc_cookie: Option<PathBuf>,
    /// For a node, what else stands in the coinbase of blocks [default: /midstate/]
    #[cfg(feature = "solo")]
    #[arg(long, value_name = "TEXT", value_parser = parse_tag)]
    pub tag: Option<String>,
    /// For a node, where it announces new tips (-zmqpubhashblock of Bitcoin Core): tcp://HOST:PORT. Long poll goes on beside it
    #[cfg(feature = "solo")]
    #[arg(long, value_name = "URL")]
    pub zmq: Option<ZmqUrl>,
    /// The password; better in the environment or a file, since others can read command lines [default: x]
    #[arg(long, value_name = "TEXT")]
    pub password: Option<Secret>,
    /// A file whose first line is the password
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// For TLS, the fingerprint of the pool's certificate: its SHA-256, in hex; nothing else of it is looked at
    #[arg(long, value_name = "HEX")]
    pub tls_fingerprint: Option<Fingerprint>,
    /// For TLS, a PEM file of the authorities that may vouch for the pool [default: the system's]
    #[arg(long, value_name = "FILE")]
    pub tls_ca: Option<PathBuf>,
    /// For Stratum V2, join a pool though its URL has no authority's key. Anybody in between may then be the pool, and take all shares
    #[cfg(feature = "v2")]
    #[arg(long, value_name = "YES", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true,
        value_parser = BoolishValueParser::new())]
    pub sv2_insecure: Option<bool>,
    /// For Stratum V2, which kind of channel is opened: extended or standard. On a standard one the pool gives a merkle root in place of
    /// a coinbase, so that nobody sees whom it pays [default: extended]
    #[cfg(feature = "v2")]
    #[arg(long, value_name = "KIND")]
    pub sv2_channel: Option<ChannelKind>,
    /// For Stratum V2, how many channels are opened on one connection, 1 to 128. They are searched in turns, and each has its part of the
    /// hashrate [default: 1]
    #[cfg(feature = "v2")]
    #[arg(long, value_name = "N")]
    pub channels: Option<ChannelCount>,
    /// For Stratum V2, the hashrate of each channel that the pool is told, by which it chooses the difficulty: hashes a second such as 5e9, or a factor such
    /// as x2 for so many times what is measured [default: its part of what is measured]
    #[cfg(feature = "v2")]
    #[arg(long, value_name = "H/S|xN")]
    pub nominal_hashrate: Option<NominalHashrate>,
    /// For Stratum V2, who made the device, as the pool is told [default: midstate]
    #[cfg(feature = "v2")]
    #[arg(long, value_name = "TEXT", value_parser = parse_short)]
    pub device_vendor: Option<String>,
    /// For Stratum V2, what hardware the pool is told that it is [default: nothing]
    #[cfg(feature = "v2")]
    #[arg(long, value_name = "TEXT", value_parser = parse_short)]
    pub device_hardware: Option<String>,
    /// For Stratum V2, what firmware the pool is told that runs on it [default: the version]
    #[cfg(feature = "v2")]
    #[arg(long, value_name = "TEXT", value_parser = parse_short)]
    pub device_firmware: Option<String>,
    /// For Stratum V2, which of its kind the pool is told that the device is; where pools write it down, they know the device again
    /// [default: nothing]
    #[cfg(feature = "v2")]
    #[arg(long, value_name = "TEXT", value_parser = parse_short)]
    pub device_id: Option<String>,
    /// Print each message to and from pools to the standard error: the lines of Stratum V1, the decoded messages of V2; passwords are hidden
    #[arg(long, value_name = "YES", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true,
        value_parser = BoolishValueParser::new())]
    pub trace_messages: Option<bool>,
    /// A SOCKS5 proxy, such as Tor's; it looks the pool's name up
    #[arg(long, value_name = "HOST:PORT")]
    pub socks5: Option<String>,
    /// A difficulty of shares to ask the pool for
    #[arg(long, value_name = "D", value_parser = parse_difficulty)]
    pub suggest_difficulty: Option<Difficulty>,
    /// A difficulty to ask the pool never to go below (BIP 310)
    #[arg(long, value_name = "D", value_parser = parse_difficulty)]
    pub minimum_difficulty: Option<Difficulty>,
    /// Whom the coinbase of each pool's jobs must pay, and how much of it at least [default: any amount]. A pool is left, and the
    /// next one joined, where its job pays less, its height or reward cannot be, or it builds on an old tip. Alone on a node, the whole
    /// of --pay-to is always checked
    #[cfg(feature = "payout")]
    #[arg(long, value_name = "ADDRESS[:MIN%]")]
    pub verify_payout: Option<Payout>,
    /// Without --verify-payout, where the user's name is an address: leave a pool whose jobs do not pay it, which otherwise is a warning
    #[cfg(feature = "payout")]
    #[arg(long, value_name = "YES", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true,
        value_parser = BoolishValueParser::new())]
    pub strict: Option<bool>,
    /// A file to which each share's fate is written, a line of JSON each
    #[arg(long, value_name = "FILE")]
    pub share_log: Option<PathBuf>,
    #[command(flatten)]
    pub backends: BackendArgs,
    /// The part of the time in which CPU threads search; the rest of it they rest [default: 100%]
    #[arg(long, value_name = "PERCENT")]
    pub throttle: Option<Throttle>,
    /// Send one share of each job at most, and search no further until the next job
    #[arg(long, value_name = "YES", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true,
        value_parser = BoolishValueParser::new())]
    pub single_submit: Option<bool>,
    /// Begin each job's search at extranonce2 N and the version bits N, and go on version by version: with --threads 1 the same
    /// jobs give the same shares in the same order, on every machine
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Print one JSON object a line
    #[arg(long, value_name = "YES", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true,
        value_parser = BoolishValueParser::new())]
    pub json: Option<bool>,
}

/// A value that cannot be.
#[derive(Debug, Error)]
enum ValueError {
    #[cfg(feature = "solo")]
    #[error("{0} bytes; expected {MAX_TAG} at most")]
    Tag(usize),
    #[cfg(feature = "v2")]
    #[error("{0} bytes; expected {most} at most", most = Device::LONGEST)]
    Long(usize),
    #[error("{0:?}; expected a number above 0")]
    Difficulty(String),
}

fn parse_difficulty(text: &str) -> Result<Difficulty, ValueError> {
    let difficulty = text.parse().ok().and_then(|difficulty| Difficulty::new(difficulty).ok());
    difficulty.ok_or_else(|| ValueError::Difficulty(text.to_owned()))
}

#[cfg(feature = "v2")]
fn parse_short(text: &str) -> Result<String, ValueError> {
    if text.len() > Device::LONGEST { Err(ValueError::Long(text.len())) } else { Ok(text.to_owned()) }
}

#[cfg(feature = "solo")]
fn parse_tag(text: &str) -> Result<String, ValueError> {
    if text.len() > MAX_TAG { Err(ValueError::Tag(text.len())) } else { Ok(text.to_owned()) }
}

/// Gives each flag of a command its twin in the environment. None shows its value in help: one is a password.
pub(super) fn with_environment(command: Command) -> Command {
    let twin = |arg: Arg| match arg.get_long().map(environment) {
        Some(name) => arg.env(name).hide_env_values(true),
        None => arg,
    };
    command.mut_args(twin)
}

/// The environment variable that says the same as a flag or a setting of this name.
pub(super) fn environment(name: &str) -> String {
    format!("MIDSTATE_{}", name.replace('-', "_").to_uppercase())
}

/// The flag of a setting.
pub(super) fn flag(setting: &str) -> String {
    format!("--{}", setting.replace('_', "-"))
}

impl SettingArgs {
    /// What flags alone, or the environment alone, say of the pool of this index.
    pub(super) fn layer(&self, matches: &ArgMatches, from: ValueSource, pool: usize) -> PoolConfig {
        let of = |setting: &str| matches.value_source(setting) == Some(from);
        PoolConfig {
            url: self.url.get(pool).filter(|_| of("url")).cloned(),
            user: self.user.get(pool).or(self.user.first()).filter(|_| of("user")).cloned(),
            password: self.password.clone().filter(|_| of("password")),
            password_file: self.password_file.clone().filter(|_| of("password_file")),
            tls_fingerprint: self.tls_fingerprint.filter(|_| of("tls_fingerprint")),
            tls_ca: self.tls_ca.clone().filter(|_| of("tls_ca")),
            #[cfg(feature = "v2")]
            sv2_insecure: self.sv2_insecure.filter(|_| of("sv2_insecure")),
            #[cfg(feature = "v2")]
            sv2_channel: self.sv2_channel.filter(|_| of("sv2_channel")),
            #[cfg(feature = "v2")]
            channels: self.channels.filter(|_| of("channels")),
            #[cfg(feature = "v2")]
            nominal_hashrate: self.nominal_hashrate.filter(|_| of("nominal_hashrate")),
            #[cfg(feature = "v2")]
            device_vendor: self.device_vendor.clone().filter(|_| of("device_vendor")),
            #[cfg(feature = "v2")]
            device_hardware: self.device_hardware.clone().filter(|_| of("device_hardware")),
            #[cfg(feature = "v2")]
            device_firmware: self.device_firmware.clone().filter(|_| of("device_firmware")),
            #[cfg(feature = "v2")]
            device_id: self.device_id.clone().filter(|_| of("device_id")),
            trace_messages: self.trace_messages.filter(|_| of("trace_messages")),
            socks5: self.socks5.clone().filter(|_| of("socks5")),
            suggest_difficulty: self.suggest_difficulty.filter(|_| of("suggest_difficulty")),
            minimum_difficulty: self.minimum_difficulty.filter(|_| of("minimum_difficulty")),
            #[cfg(feature = "payout")]
            verify_payout: self.verify_payout.clone().filter(|_| of("verify_payout")),
            #[cfg(feature = "payout")]
            strict: self.strict.filter(|_| of("strict")),
            #[cfg(feature = "solo")]
            rpc_cookie: self.rpc_cookie.clone().filter(|_| of("rpc_cookie")),
            #[cfg(feature = "solo")]
            pay_to: self.pay_to.clone().filter(|_| of("pay_to")),
            #[cfg(feature = "solo")]
            tag: self.tag.clone().filter(|_| of("tag")),
            #[cfg(feature = "solo")]
            zmq: self.zmq.clone().filter(|_| of("zmq")),
            quota: self
                .quota
                .get(pool)
                .or(self.quota.first())
                .filter(|_| of("quota"))
                .and_then(|q| NonZeroU32::new(*q)),
        }
    }
}
