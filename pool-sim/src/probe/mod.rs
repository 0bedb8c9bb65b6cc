//! Joins a pool as a miner does, and checks its conduct against the rules that it should keep.
//!
//! [`TOPICS`] is the table of checks; [`run`] makes them one after the other, each on connections of its own, and gives
//! a [`Report`]. A check has a limit of time, and so has the whole: a pool that says nothing cannot hold it up.

mod check;
mod checks;
mod job;
mod reply;
mod report;
mod session;
mod wire;
mod work;

pub use check::{Check, Topic, Verdict};
pub use checks::TOPICS;
pub use report::{Finding, Report};

use check::Stop;
use std::cell::{Cell, RefCell};
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::{Duration, Instant};
use thiserror::Error;
use wire::{Log, Wire, WireError};

/// Checks that are not slow take no longer than this, all together.
const TOTAL: Duration = Duration::from_secs(105);

/// What to probe, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// `stratum+tcp://HOST:PORT`, or `HOST:PORT`.
    pub url: String,
    /// The user to authorize.
    pub user: String,
    /// Their password.
    pub password: String,
    /// Checks that take a minute are made too.
    pub slow: bool,
    /// How many hashes may be spent on shares.
    pub max_hashes: u64,
    /// How many threads search for them.
    pub threads: usize,
    /// How long an answer is waited for.
    pub patience: Duration,
    /// The checks to make, by id or topic; empty for all.
    pub only: Vec<String>,
}

impl Options {
    /// The usual way to probe a pool.
    pub fn new(url: impl Into<String>, user: impl Into<String>) -> Options {
        Options {
            url: url.into(),
            user: user.into(),
            password: "x".to_owned(),
            slow: false,
            max_hashes: 300_000_000,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            patience: Duration::from_secs(3),
            only: Vec::new(),
        }
    }
}

/// Why nothing was probed.
#[derive(Debug, Error)]
pub enum ProbeError {
    /// Not the address of a pool.
    #[error("url: {0:?}; expected stratum+tcp://HOST:PORT")]
    Url(String),
    /// The name has no address.
    #[error("cannot resolve {host}: {source}")]
    Resolve {
        /// The name.
        host: String,
        /// What the system says.
        source: io::Error,
    },
    /// None of its addresses takes connections.
    #[error("cannot connect to {address}: {source}")]
    Connect {
        /// The last that was tried.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// No check is called that.
    #[error("only: {0:?}; expected a check's id or a topic (see --list)")]
    Unknown(String),
}

/// What checks share.
pub(crate) struct Probe {
    options: Options,
    address: SocketAddr,
    log: Log,
    /// When the check that is being made has to end.
    deadline: Cell<Instant>,
    /// Why nobody can join, once that is known: so that it is waited for once.
    cannot_join: RefCell<Option<String>>,
    hashes_left: Cell<u64>,
    /// The next extranonce2: no two shares of a probe are alike unless they are meant to.
    extranonce2: Cell<u64>,
}

impl Probe {
    fn connect(&self) -> Result<Wire, WireError> {
        Wire::connect(self.address, self.options.patience, self.deadline.get(), &self.log)
    }

    /// How long a job is waited for after authorizing.
    fn first_job_within(&self) -> Duration {
        self.options.patience.max(Duration::from_secs(5))
    }

    /// A worker beside the user's.
    fn second_worker(&self) -> String {
        let user = &self.options.user;
        format!("{}.probe2", user.split_once('.').map_or(user.as_str(), |(account, _)| account))
    }

    /// Passes only if a stranger is still served.
    fn still_serves(&self) -> Result<(), Stop> {
        let failed = |error| Stop::Failed(format!("afterwards nobody else is served: {error}"));
        let reply = self.connect().and_then(|mut wire| wire.call("mining.subscribe", &serde_json::json!(["probe"])));
        reply.map(drop).map_err(failed)
    }
}

/// Makes the checks. `on_finding` is told how many there will be, and each finding as it comes.
pub fn run(options: &Options, mut on_check: impl FnMut(Progress)) -> Result<Report, ProbeError> {
    let chosen = choose(&options.only)?;
    let address = resolve(&options.url, options.patience)?;
    let begin = Instant::now();
    let probe = Probe {
        options: options.clone(),
        address,
        log: Log::new(&options.password),
        deadline: Cell::new(begin),
        cannot_join: RefCell::default(),
        hashes_left: Cell::new(options.max_hashes),
        extranonce2: Cell::new(1),
    };
    let mut findings = Vec::new();
    for (at, check) in chosen.iter().enumerate() {
        on_check(Progress::Begins { check, at, of: chosen.len() });
        let start = Instant::now();
        let verdict = if check.slow && !options.slow {
            Verdict::Skipped("takes a minute or more; --slow makes it".to_owned())
        } else if !check.slow && begin.elapsed() >= TOTAL {
            Verdict::Skipped(format!("the probe's {} s are used up", TOTAL.as_secs()))
        } else {
            let end = if check.slow { start + check.limit } else { (start + check.limit).min(begin + TOTAL) };
            probe.deadline.set(end);
            Verdict::from((check.run)(&probe)).map(|text| probe.log.veil(&text))
        };
        let finding = Finding { check, verdict, took: start.elapsed(), seen: probe.log.take() };
        on_check(Progress::Ended(&finding));
        findings.push(finding);
    }
    Ok(Report { url: options.url.clone(), findings, took: begin.elapsed() })
}

/// How far a probe is.
#[derive(Clone, Copy)]
pub enum Progress<'a> {
    /// A check begins.
    Begins {
        /// Which.
        check: &'static Check,
        /// Its place, from 0.
        at: usize,
        /// How many there are.
        of: usize,
    },
    /// A check ended.
    Ended(&'a Finding),
}

/// Those that are asked for; the slow ones last.
fn choose(only: &[String]) -> Result<Vec<&'static Check>, ProbeError> {
    let is_meant = |topic: &Topic, check: &Check, name: &String| topic.name == name || check.id == name;
    let all = || TOPICS.iter().flat_map(|topic| topic.checks.iter().map(move |check| (topic, check)));
    if let Some(unknown) = only.iter().find(|name| !all().any(|(topic, check)| is_meant(topic, check, name))) {
        return Err(ProbeError::Unknown(unknown.clone()));
    }
    let wanted = all().filter(|(topic, check)| only.is_empty() || only.iter().any(|name| is_meant(topic, check, name)));
    let mut chosen: Vec<_> = wanted.map(|(_, check)| check).collect();
    chosen.sort_by_key(|check| check.slow);
    Ok(chosen)
}

/// The first of the name's addresses that takes a connection.
fn resolve(url: &str, patience: Duration) -> Result<SocketAddr, ProbeError> {
    let host = match url.split_once("://") {
        Some(("stratum+tcp" | "stratum" | "tcp", host)) => host,
        Some(_) => return Err(ProbeError::Url(url.to_owned())),
        None => url,
    };
    let host = host.trim_end_matches('/');
    if !host.rsplit_once(':').is_some_and(|(name, port)| !name.is_empty() && port.parse::<u16>().is_ok()) {
        return Err(ProbeError::Url(url.to_owned()));
    }
    let unresolved = |source| ProbeError::Resolve { host: host.to_owned(), source };
    let mut error = unresolved(io::Error::new(io::ErrorKind::NotFound, "no address"));
    for address in host.to_socket_addrs().map_err(unresolved)? {
        match std::net::TcpStream::connect_timeout(&address, patience) {
            Ok(_) => return Ok(address),
            Err(source) => error = ProbeError::Connect { address, source },
        }
    }
    Err(error)
}
