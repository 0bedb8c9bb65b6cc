//! Which value each setting of `mine` has, and whence: flags before the environment, that before the file, that before defaults.
//!
//! What is in force and what is explained come out of the same place, so `config check` cannot tell another story than `mine`.

mod file;
mod pool;

pub(super) use file::standard_place;

use super::backends::{BackendArgs, GpuArgs};
use super::settings::{SettingArgs, environment, flag};
use clap::ArgMatches;
use clap::parser::ValueSource;
use file::File;
use midstate::backend::{Kind, OpenError, Throttle};
use midstate::config::{BackendConfig, ConfigError, PoolConfig, Secret, Table};
#[cfg(feature = "payout")]
use midstate::upstream::Payout;
#[cfg(feature = "v2")]
use midstate::upstream::V2Error;
use midstate::upstream::{Source, TrustError};
use pool::OfPool;
use serde_json::{Value, json};
use std::fmt::{self, Display};
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// What is sent where no password is asked for: pools want some word.
pub(super) const NO_PASSWORD: &str = "x";

/// Everything that is in force.
pub(super) struct Settings {
    /// The pools and nodes, in order.
    pub sources: Vec<Source>,
    pub backends: BackendArgs,
    pub throttle: Option<Throttle>,
    pub share_log: Option<PathBuf>,
    pub json: bool,
    pub single_submit: bool,
    pub seed: Option<u64>,
    /// The file that was read.
    pub file: Option<PathBuf>,
    /// Each setting with its value and whence it comes.
    pub explained: Vec<Explained>,
    /// What is in force, and had better not be so.
    pub warnings: Vec<String>,
    /// What must not be shown.
    pub passwords: Vec<Secret>,
}

/// A setting, and why it is as it is.
#[derive(Clone, Debug)]
pub(super) struct Explained {
    pub table: Table,
    pub setting: &'static str,
    /// As a file would say it; a password's is hidden. `null` where there is none.
    pub value: Value,
    pub origin: Origin,
    /// What the value stands for: a password, or what a file holds. Only to be compared.
    behind: Option<Secret>,
}

/// Whence a value comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Default,
    /// The line of the file.
    File(Option<usize>),
    Environment(String),
    Flag(String),
}

impl Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File(Some(line)) => write!(f, "file, line {line}"),
            Origin::File(None) => f.write_str("file"),
            Origin::Environment(name) => write!(f, "environment, {name}"),
            Origin::Flag(name) => write!(f, "flag, {name}"),
        }
    }
}

impl Explained {
    /// Its name, with its table.
    pub(super) fn name(&self) -> String {
        format!("{}{}", self.table, self.setting)
    }

    /// Whether it says the same as another, whencesoever.
    pub(super) fn same(&self, other: &Explained) -> bool {
        self.value == other.value && self.behind == other.behind
    }
}

/// Why there is nothing to be mined on.
#[derive(Debug, Error)]
pub(super) enum SettingsError {
    #[error("configuration {path:?}: {source}")]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("configuration {path:?}, {source}")]
    Config { path: PathBuf, source: ConfigError },
    #[error("url: no pool; expected --url URL, MIDSTATE_URL, or a [[pool]] in {}", file.as_ref().map_or_else(
        || "a configuration file (midstate config init)".to_owned(), |file| file.display().to_string()))]
    NoUrl { file: Option<PathBuf> },
    #[error("{first} and {second} are both given; expected one of the two")]
    Both { first: String, second: String },
    #[cfg(feature = "payout")]
    #[error(
        "strict: no user of {0:?} is an address; expected --user ADDRESS or ADDRESS.worker, or --verify-payout ADDRESS"
    )]
    Strict(Vec<String>),
    #[error("user: none for {0}; expected --user NAME, MIDSTATE_USER, or `user` in the configuration file")]
    NoUser(String),
    #[cfg(feature = "solo")]
    #[error(
        "{0}: no login; expected --rpc-cookie FILE, or --user NAME and a password; or the same in the configuration file"
    )]
    NoLogin(String),
    #[cfg(feature = "solo")]
    #[error("{0}: nobody to pay; expected --pay-to ADDRESS, or `pay_to` in the configuration file")]
    NoPayTo(String),
    #[error("{setting}: {given} for {urls} URLs; expected one for all, or one for each")]
    Count { setting: &'static str, urls: usize, given: usize },
    #[error(transparent)]
    Trust(#[from] TrustError),
    #[cfg(feature = "v2")]
    #[error("verify-payout: on a standard channel nobody sees whom a job pays; expected --sv2-channel extended")]
    Unverifiable,
    #[cfg(feature = "v2")]
    #[error(transparent)]
    V2(#[from] V2Error),
    #[error("password file {path:?}: {source}")]
    PasswordFile { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Backends(#[from] OpenError),
}

impl Settings {
    /// Reads the file anew, and lays flags and environment over it. `json` is what they say of that.
    pub(super) fn read(
        args: &SettingArgs,
        matches: &ArgMatches,
        json: Option<bool>,
    ) -> Result<Settings, SettingsError> {
        let file = File::find(args.config.as_deref())?;
        let in_file = file.as_ref().map(|file| &file.config);
        let mut resolver = Resolver { matches, file: file.as_ref(), explained: Vec::new(), passwords: Vec::new() };
        let sources = resolver.sources(args)?;
        let backends =
            resolver.backends(&args.backends, &in_file.map(|file| file.backends.clone()).unwrap_or_default());
        backends.check()?;
        let in_backends = in_file.and_then(|file| file.backends.throttle);
        let throttle = resolver.one(Table::Backends, "throttle", args.throttle, in_backends, text);
        let of_file = in_file.and_then(|file| file.share_log.clone());
        let share_log = resolver.one(Table::Top, "share_log", args.share_log.clone(), of_file, path);
        let json = resolver.flag(Table::Top, "json", json, in_file.and_then(|file| file.json));
        let of_file = in_file.and_then(|file| file.single_submit);
        let single_submit = resolver.flag(Table::Top, "single_submit", args.single_submit, of_file);
        let of_file = in_file.and_then(|file| file.seed);
        let seed = resolver.one(Table::Top, "seed", args.seed, of_file, |seed| json!(seed));
        let Resolver { explained, passwords, .. } = resolver;
        let warnings = file.as_ref().and_then(File::warning).into_iter().collect();
        let file = file.map(|file| file.path);
        Ok(Settings {
            sources,
            backends,
            throttle,
            share_log,
            json,
            single_submit,
            seed,
            file,
            explained,
            warnings,
            passwords,
        })
    }
}

/// What says something of a pool, and what it says.
struct Layer {
    from: From,
    says: PoolConfig,
}

#[derive(Clone, Copy)]
enum From {
    Flags,
    Environment,
    File(Table),
}

struct Resolver<'a> {
    matches: &'a ArgMatches,
    file: Option<&'a File>,
    explained: Vec<Explained>,
    passwords: Vec<Secret>,
}

impl Resolver<'_> {
    fn origin(&self, from: From, setting: &str) -> Origin {
        match from {
            From::Flags => Origin::Flag(flag(setting)),
            From::Environment => Origin::Environment(environment(setting)),
            From::File(table) => Origin::File(self.file.and_then(|file| file.lines.line(table, setting))),
        }
    }

    /// Whether flags or the environment say what this setting is.
    fn given(&self, setting: &str) -> Option<From> {
        match self.matches.value_source(setting) {
            Some(ValueSource::CommandLine) => Some(From::Flags),
            Some(ValueSource::EnvVariable) => Some(From::Environment),
            _ => None,
        }
    }

    fn explain(&mut self, table: Table, setting: &'static str, value: Value, origin: Origin) {
        self.explained.push(Explained { table, setting, value, origin, behind: None });
    }

    /// Notes what stands behind the setting that was explained last.
    fn behind(&mut self, what: Secret) {
        if let Some(explained) = self.explained.last_mut() {
            explained.behind = Some(what);
        }
    }

    /// A setting that is not of a pool.
    fn one<T>(
        &mut self,
        table: Table,
        setting: &'static str,
        given: Option<T>,
        in_file: Option<T>,
        show: impl Fn(&T) -> Value,
    ) -> Option<T> {
        let given = self.given(setting).zip(given);
        let (value, origin) = match (given, in_file) {
            (Some((from, value)), _) => (Some(value), self.origin(from, setting)),
            (None, Some(value)) => (Some(value), self.origin(From::File(table), setting)),
            (None, None) => (None, Origin::Default),
        };
        self.explain(table, setting, value.as_ref().map_or(Value::Null, show), origin);
        value
    }

    /// The same, where the default is no.
    fn flag(&mut self, table: Table, setting: &'static str, given: Option<bool>, in_file: Option<bool>) -> bool {
        let value = self.one(table, setting, given, in_file, |value| json!(value)).unwrap_or_default();
        if let Some(explained) = self.explained.last_mut() {
            explained.value = json!(value);
        }
        value
    }

    fn backends(&mut self, args: &BackendArgs, file: &BackendConfig) -> BackendArgs {
        let some = |list: &[String]| (!list.is_empty()).then(|| list.to_vec());
        let table = Table::Backends;
        let given = (!args.backends.is_empty()).then(|| args.backends.clone());
        let backends = self.one(table, "backend", given, file.backend.clone(), |kinds| texts(kinds));
        let backends = backends.unwrap_or_default();
        if let Some(explained) = self.explained.last_mut().filter(|explained| explained.value.is_null()) {
            explained.value = texts(&[Kind::Cpu]);
        }
        let kernel = self.one(table, "kernel", args.kernel.clone(), file.kernel.clone(), |name| json!(name));
        let threads = self.one(table, "threads", args.threads, file.threads, |number| json!(number));
        let adapters = self.one(table, "adapter", some(&args.adapters), file.adapter.clone(), |names| json!(names));
        let gpu = &args.gpu;
        let dispatch = (!gpu.dispatch.is_empty()).then(|| gpu.dispatch.clone());
        let number = |number: &u32| json!(number);
        BackendArgs {
            backends,
            kernel,
            adapters: adapters.unwrap_or_default(),
            threads,
            gpu: GpuArgs {
                workgroup: self.one(table, "gpu_workgroup", gpu.workgroup, file.gpu_workgroup, number),
                versions: self.one(table, "gpu_versions", gpu.versions, file.gpu_versions, number),
                nonces: self.one(table, "gpu_nonces", gpu.nonces, file.gpu_nonces, number),
                dispatch: self
                    .one(table, "gpu_dispatch", dispatch, file.gpu_dispatch.clone(), |times| texts(times))
                    .unwrap_or_default(),
                tune: Some(self.flag(table, "gpu_tune", gpu.tune, file.gpu_tune)),
            },
        }
    }

    /// The pools and nodes: those of flags or the environment, or else those of the file.
    fn sources(&mut self, args: &SettingArgs) -> Result<Vec<Source>, SettingsError> {
        let in_file = self.file.map_or(&[][..], |file| &file.config.pools[..]);
        let urls = if args.url.is_empty() { in_file.len() } else { args.url.len() };
        if urls == 0 {
            return Err(SettingsError::NoUrl { file: self.file.map(|file| file.path.clone()) });
        }
        for (setting, given) in [("user", args.user.len()), ("quota", args.quota.len())] {
            if given > 1 && given != urls {
                return Err(SettingsError::Count { setting, urls, given });
            }
        }
        let mut sources = Vec::new();
        for pool in 0..urls {
            let layer = |from, source| Layer { from, says: args.layer(self.matches, source, pool) };
            let mut layers =
                vec![layer(From::Flags, ValueSource::CommandLine), layer(From::Environment, ValueSource::EnvVariable)];
            if let Some(says) = in_file.get(pool).filter(|_| args.url.is_empty()) {
                layers.push(Layer { from: From::File(Table::Pool(pool)), says: says.clone() });
            }
            if let Some(file) = self.file {
                layers.push(Layer { from: From::File(Table::Defaults), says: file.config.defaults.clone() });
            }
            // Each of the URLs is said by one of the layers.
            sources.extend(OfPool { resolver: self, pool, layers: &layers }.source()?);
        }
        #[cfg(feature = "payout")]
        check_strict(&sources)?;
        Ok(sources)
    }
}

/// A slip in an address would else leave it unchecked, without a word.
#[cfg(feature = "payout")]
fn check_strict(sources: &[Source]) -> Result<(), SettingsError> {
    let strict = sources.iter().filter_map(|source| match source {
        Source::Pool(pool) => (pool.strict && pool.verify_payout.is_none()).then(|| pool.credentials.user.clone()),
        #[cfg(feature = "solo")]
        Source::Node(_) => None,
    });
    let users: Vec<String> = strict.collect();
    if users.is_empty() || users.iter().any(|user| Payout::to_user(user).is_some()) {
        return Ok(());
    }
    Err(SettingsError::Strict(users))
}

fn text(value: &impl Display) -> Value {
    json!(value.to_string())
}

fn texts<T: Display>(values: &[T]) -> Value {
    json!(values.iter().map(ToString::to_string).collect::<Vec<_>>())
}

fn path(path: &impl AsRef<Path>) -> Value {
    json!(path.as_ref().display().to_string())
}
