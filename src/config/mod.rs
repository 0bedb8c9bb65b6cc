//! The configuration file: what it may say, read from TOML.
//!
//! It needs nothing of the command line, so it stands in the library, where fuzzing reaches it. What flags and the environment
//! say is laid over it by the program; so every setting is optional here, and `None` leaves it to what is asked next.
//!
//! Reading is `serde`'s work, and the errors are made for people: each names the line, the setting, what came and what was
//! expected. The file may hold passwords, so no error ever quotes a line of it, and none says what a password is.

mod error;
mod lines;
mod secret;
mod value;

pub use error::ConfigError;
pub use lines::{Lines, Table};
pub use secret::Secret;
pub use value::{Dispatch, DispatchError, SourceUrl};

use crate::backend::{Kind, Throttle};
use crate::upstream::Fingerprint;
#[cfg(feature = "payout")]
use crate::upstream::Payout;
#[cfg(feature = "solo")]
use crate::upstream::ZmqUrl;
#[cfg(feature = "v2")]
use crate::upstream::{ChannelCount, ChannelKind, NominalHashrate};
#[cfg(feature = "solo")]
use bitcoin::{Address, address::NetworkUnchecked};
use midstate_stratum::Difficulty;
use serde::Deserialize;
use std::num::NonZeroU32;
use std::path::PathBuf;

/// A file to begin with: every setting with its meaning and its default, commented out, and one pool to fill in.
pub const TEMPLATE: &str = include_str!("template.toml");

/// What a file says.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The pools and nodes, in order: the first that is well is mined on. `[[pool]]`.
    #[serde(rename = "pool")]
    pub pools: Vec<PoolConfig>,
    /// For each pool what that does not say itself; neither `url` nor `quota`.
    pub defaults: PoolConfig,
    /// What is searched with.
    pub backends: BackendConfig,
    /// A file to which each share's fate is written.
    pub share_log: Option<PathBuf>,
    /// Whether one JSON object a line is printed.
    pub json: Option<bool>,
    /// Whether one share of each job is sent at most.
    pub single_submit: Option<bool>,
    /// Where each job's search begins, so that runs can be repeated.
    #[serde(deserialize_with = "value::seed")]
    pub seed: Option<u64>,
}

/// What is said of a pool or a node.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PoolConfig {
    /// Where it is.
    #[serde(deserialize_with = "value::text")]
    pub url: Option<SourceUrl>,
    /// The user, or `user.worker`; not empty.
    #[serde(deserialize_with = "value::not_empty")]
    pub user: Option<String>,
    /// The password.
    pub password: Option<Secret>,
    /// A file whose first line is the password.
    pub password_file: Option<PathBuf>,
    /// For TLS, the fingerprint of the pool's certificate.
    #[serde(deserialize_with = "value::text")]
    pub tls_fingerprint: Option<Fingerprint>,
    /// For TLS, a PEM file of the authorities that may vouch for the pool.
    pub tls_ca: Option<PathBuf>,
    /// For Stratum V2, whether a pool is joined whose URL has no authority's key.
    #[cfg(feature = "v2")]
    pub sv2_insecure: Option<bool>,
    /// For Stratum V2, which kind of channel is opened.
    #[cfg(feature = "v2")]
    #[serde(deserialize_with = "value::text")]
    pub sv2_channel: Option<ChannelKind>,
    /// For Stratum V2, how many channels are opened.
    #[cfg(feature = "v2")]
    #[serde(deserialize_with = "value::channels")]
    pub channels: Option<ChannelCount>,
    /// For Stratum V2, what the pool is told of the speed of each channel.
    #[cfg(feature = "v2")]
    #[serde(deserialize_with = "value::text")]
    pub nominal_hashrate: Option<NominalHashrate>,
    /// For Stratum V2, who made the device, as the pool is told; 255 bytes at most, as each of the three that follow.
    #[cfg(feature = "v2")]
    #[serde(deserialize_with = "value::short")]
    pub device_vendor: Option<String>,
    /// What it is.
    #[cfg(feature = "v2")]
    #[serde(deserialize_with = "value::short")]
    pub device_hardware: Option<String>,
    /// What runs on it.
    #[cfg(feature = "v2")]
    #[serde(deserialize_with = "value::short")]
    pub device_firmware: Option<String>,
    /// Which of its kind it is.
    #[cfg(feature = "v2")]
    #[serde(deserialize_with = "value::short")]
    pub device_id: Option<String>,
    /// Whether each message is printed, both ways.
    pub trace_messages: Option<bool>,
    /// A SOCKS5 proxy, as `HOST:PORT`.
    pub socks5: Option<String>,
    /// A difficulty of shares to ask for.
    #[serde(deserialize_with = "value::difficulty")]
    pub suggest_difficulty: Option<Difficulty>,
    /// A difficulty to ask never to go below.
    #[serde(deserialize_with = "value::difficulty")]
    pub minimum_difficulty: Option<Difficulty>,
    /// Whom the coinbase of its jobs must pay.
    #[cfg(feature = "payout")]
    #[serde(deserialize_with = "value::text")]
    pub verify_payout: Option<Payout>,
    /// Whether that is asked where the user's name is an address.
    #[cfg(feature = "payout")]
    pub strict: Option<bool>,
    /// For a node, the file with its cookie.
    #[cfg(feature = "solo")]
    pub rpc_cookie: Option<PathBuf>,
    /// For a node, whom its blocks pay.
    #[cfg(feature = "solo")]
    #[serde(deserialize_with = "value::address")]
    pub pay_to: Option<Address<NetworkUnchecked>>,
    /// For a node, what else stands in the coinbase of blocks.
    #[cfg(feature = "solo")]
    #[serde(deserialize_with = "value::tag")]
    pub tag: Option<String>,
    /// For a node, where it announces new tips.
    #[cfg(feature = "solo")]
    #[serde(deserialize_with = "value::text")]
    pub zmq: Option<ZmqUrl>,
    /// Its share of the work, beside the other pools' that have one; above 0.
    #[serde(deserialize_with = "value::quota")]
    pub quota: Option<NonZeroU32>,
}

/// What is said of what is searched with.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BackendConfig {
    /// The kinds of backend.
    #[serde(deserialize_with = "value::texts")]
    pub backend: Option<Vec<Kind>>,
    /// The CPU kernel, by its name.
    #[serde(deserialize_with = "value::kernel")]
    pub kernel: Option<String>,
    /// Threads for the CPU; above 0.
    #[serde(deserialize_with = "value::threads")]
    pub threads: Option<u16>,
    /// The part of the time in which processors search.
    #[serde(deserialize_with = "value::text")]
    pub throttle: Option<Throttle>,
    /// GPUs: numbers, parts of names, or PCI addresses.
    pub adapter: Option<Vec<String>>,
    /// Invocations in a workgroup.
    #[serde(deserialize_with = "value::workgroup")]
    pub gpu_workgroup: Option<u32>,
    /// Versions of a header that an invocation hashes.
    #[serde(deserialize_with = "value::versions")]
    pub gpu_versions: Option<u32>,
    /// Nonces that an invocation hashes.
    #[serde(deserialize_with = "value::nonces")]
    pub gpu_nonces: Option<u32>,
    /// How long a dispatch takes, for all GPUs or for one.
    #[serde(deserialize_with = "value::texts")]
    pub gpu_dispatch: Option<Vec<Dispatch>>,
    /// Whether to measure anew.
    pub gpu_tune: Option<bool>,
}

impl Config {
    /// Reads a file's text, and on which line each setting stands.
    pub fn read(text: &str) -> Result<(Config, Lines), ConfigError> {
        let lines = Lines::of(text).map_err(|error| ConfigError::syntax(text, &error))?;
        let config: Config = toml::from_str(text).map_err(|error| ConfigError::told(text, &error, &lines))?;
        config.check(&lines)?;
        Ok((config, lines))
    }

    /// Checks what one setting asks of another.
    fn check(&self, lines: &Lines) -> Result<(), ConfigError> {
        let wrong = |table, setting, what: &str| Err(ConfigError::value(lines, table, setting, what));
        let pools = self.pools.iter().enumerate().map(|(i, pool)| (Table::Pool(i), pool));
        for (table, pool) in pools.chain([(Table::Defaults, &self.defaults)]) {
            if pool.password.is_some() && pool.password_file.is_some() {
                return wrong(table, "password_file", "there is a `password` beside it; expected one of the two");
            }
            if pool.tls_fingerprint.is_some() && pool.tls_ca.is_some() {
                return wrong(table, "tls_ca", "there is a `tls_fingerprint` beside it; expected one of the two");
            }
            match table {
                Table::Defaults if pool.url.is_some() => return wrong(table, "url", "expected in a [[pool]] only"),
                Table::Defaults if pool.quota.is_some() => return wrong(table, "quota", "expected in a [[pool]] only"),
                Table::Pool(_) if pool.url.is_none() => {
                    return wrong(table, "url", "none; expected url = \"stratum+tcp://HOST:PORT\" or another");
                }
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is wrong with a text.
    fn error(text: &str) -> String {
        Config::read(text).expect_err(text).to_string()
    }

    #[test]
    fn errors_name_line_setting_value_and_what_was_expected() {
        let pool = "[[pool]]\nurl = \"stratum+tcp://h:1\"\n";
        for (text, words) in [
            ("[[pool]]\nurl = 5\n", &["line 2: pool 1: url: ", "`5`", "expected a string"][..]),
            ("[[pool]]\nurl = \"ftp://x\"", &["line 2: pool 1: url: ", "\"ftp://x\"", "expected stratum+tcp://"]),
            ("[[pool]]\nurl = \"tcp://me:horse@h:1\"", &["line 2: pool 1: url: ", "…@h:1"]),
            ("\n[[pool]]\nuser = \"a\"", &["line 2: pool 1: url: none; expected"]),
            ("[[pool]]\nusr = 5\n", &["line 2: pool 1: \"usr\": no such setting; expected \"user\""]),
            ("[[pools]]\nuser = \"a\"\n", &["line 1: \"pools\": no such setting; expected \"pool\""]),
            (
                "zzz = 1",
                &[
                    "line 1: \"zzz\": no such setting; expected one of pool, defaults, backends, share_log, json, single_submit, seed",
                ],
            ),
            ("[pool]\nurl = \"stratum+tcp://h:1\"", &["line 1: pool: ", "map", "expected a sequence"]),
            ("[defaults]\nurl = \"stratum+tcp://h:1\"", &["line 2: defaults: url: expected in a [[pool]] only"]),
            ("[defaults]\n\nquota = 1", &["line 3: defaults: quota: expected in a [[pool]] only"]),
            ("[backends]\nthreads = 0", &["line 2: backends: threads: 0; expected a whole number from 1 to 65535"]),
            ("[backends]\nthreads = \"x\"", &["line 2: backends: threads: ", "\"x\""]),
            (
                "[backends]\nbackend = [\"cpu\",\n\"abacus\"]",
                &["line 2: backends: backend: ", "\"abacus\"", "scalar, cpu or gpu"],
            ),
            ("[backends]\nkernel = \"mmx\"", &["line 2: backends: kernel: ", "\"mmx\"", "expected one of sha-ni"]),
            ("[backends]\ngpu_versions = 3", &["line 2: backends: gpu_versions: 3; expected one of 1, 2, 4, 8"]),
            ("[backends]\ngpu_dispatch = [\"60\"]", &["line 2: backends: gpu_dispatch: \"60\"; expected 1 to 50"]),
            (&format!("{pool}quota = 0"), &["line 3: pool 1: quota: 0; expected a whole number from 1"]),
            (&format!("{pool}user = \"\""), &["line 3: pool 1: user: \"\"; expected"]),
            (&format!("{pool}suggest_difficulty = -1"), &["line 3: pool 1: suggest_difficulty: ", "-1", "above 0"]),
            (
                &format!("{pool}password = \"horse\"\npassword_file = \"f\""),
                &["line 4: pool 1: password_file: ", "one of the two"],
            ),
            ("[[pool]]\nurl = \"x", &["line 2: "]),
        ] {
            let said = error(text);
            assert!(words.iter().all(|word| said.contains(word)) && !said.contains("horse"), "{text}\n{said}");
        }
    }

    #[cfg(not(feature = "solo"))]
    #[test]
    fn what_is_not_in_this_build_is_not_passed_over() {
        let said = error("[[pool]]\nurl = \"stratum+tcp://h:1\"\npay_to = \"x\"");
        assert!(said.contains("line 3: pool 1: \"pay_to\"") && said.contains("feature `solo`"), "{said}");
    }

    #[test]
    fn no_error_says_a_password() {
        for line in [
            "password = 8675309",
            "password = 86.75309",
            "password = [\"8675309\"]",
            "password = { x = \"8675309\" }",
            "password.x = \"8675309\"",
            "password = 8675309x",
            "password = \"8675309",
            "password = '8675309' x",
            "password = \"8675309\"\npassword = \"8675309\"",
            "password = \"8675309\"\nuser = 5",
            "passwort = \"8675309\"",
            "password \"8675309\"",
            "password : 8675309",
        ] {
            for table in ["", "[[pool]]\n", "[defaults]\n", "[backends]\n", "[defaults]\nuser = \"a\"\n"] {
                let said = error(&format!("{table}{line}"));
                assert!(!said.contains("8675309") && said.starts_with("line "), "{table}{line}: {said}");
            }
        }
        let (config, _) = Config::read("[defaults]\npassword = \"horse\"").unwrap();
        assert_eq!(config.defaults.password.as_ref().map(Secret::reveal), Some("horse"));
        assert!(!format!("{config:?}").contains("horse"));
    }

    #[test]
    fn lines_are_those_of_the_file() {
        let text = "json = true\n[[pool]]\nurl = \"stratum+tcp://h:1\"\n\n[[pool]]\nurl = \"stratum+tcp://h:2\"\nuser = \"b\"\n[backends]\nthreads = 2";
        let (config, lines) = Config::read(text).unwrap();
        assert_eq!((config.pools.len(), config.json, config.backends.threads), (2, Some(true), Some(2)));
        for (table, setting, line) in [
            (Table::Top, "json", Some(1)),
            (Table::Pool(0), "url", Some(3)),
            (Table::Pool(1), "url", Some(6)),
            (Table::Pool(1), "user", Some(7)),
            (Table::Pool(0), "user", None),
            (Table::Backends, "threads", Some(9)),
        ] {
            assert_eq!(lines.line(table, setting), line, "{table}{setting}");
        }
    }

    /// What is commented out there is no example only: it is read.
    #[cfg(feature = "solo")]
    #[test]
    fn the_file_to_begin_with_has_every_setting_that_there_is() {
        let (config, _) = Config::read(TEMPLATE).unwrap();
        assert!(config.pools.len() == 1 && config.defaults == PoolConfig::default(), "{config:?}");
        // Each setting, uncommented on its own, in its table.
        for table in [Table::Top, Table::Pool(0), Table::Backends] {
            for setting in error::names(table) {
                let commented = format!("#{setting} = ");
                let uncommented =
                    |line: &str| line.strip_prefix(&commented).map(|value| format!("{setting} = {value}\n"));
                let written = TEMPLATE
                    .lines()
                    .find(|line| line.starts_with(&format!("{setting} = ")))
                    .map(|line| format!("{line}\n"));
                let tables = ["pool", "defaults", "backends"].contains(setting);
                assert!(tables || written.is_some() || TEMPLATE.contains(&commented), "{setting} is not there");
                let Some(line) = TEMPLATE.lines().find_map(uncommented).or(written) else { continue };
                let text = match table {
                    Table::Pool(_) if *setting == "url" => format!("[[pool]]\n{line}"),
                    Table::Pool(_) => format!("[[pool]]\nurl = \"stratum+tcp://h:1\"\n{line}"),
                    Table::Backends => format!("[backends]\n{line}"),
                    Table::Top | Table::Defaults => line,
                };
                Config::read(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
            }
        }
    }
}
