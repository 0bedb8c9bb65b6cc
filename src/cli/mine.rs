//! `midstate mine`: joins a pool, or mines alone on a node.

use super::CliError;
use super::backends::BackendArgs;
use super::report::{JSON_HELP, Reporter, bip34_height};
use super::share_log::{self, ShareLog};
#[cfg(feature = "solo")]
use bitcoin::{Address, address::NetworkUnchecked};
use clap::builder::NonEmptyStringValueParser;
use midstate::backend::{Backend, Identity};
use midstate::engine::Engine;
use midstate::job::Share;
use midstate::miner::{Event, Miner};
#[cfg(feature = "payout")]
use midstate::upstream::Payout;
use midstate::upstream::{self, Credentials, Fingerprint, Pool, PoolUrl, Source, Trust, TrustError, UrlError};
#[cfg(feature = "solo")]
use midstate::upstream::{Login, MAX_TAG, Node, NodeUrl, ZmqUrl};
use midstate_stratum::Difficulty;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;
use thiserror::Error;
use tokio::sync::mpsc;

/// How long answers are waited for at the end.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);

/// Join a mining pool, or mine alone on a node
#[derive(clap::Args)]
#[command(after_help = format!("\
Examples:
  midstate mine --url stratum+tcp://127.0.0.1:3333 --user alice
  MIDSTATE_PASSWORD=d=1024 midstate mine --url stratum+tcp://pool.example:3333 --user bc1q….rig1 --backend cpu --backend gpu
  midstate mine --url stratum+tcp://127.0.0.1:3333 --user alice --json --seconds 60
  midstate mine --url stratum+ssl://pool.example:443 --url stratum+tcp://backup.example:3333 --user alice
  midstate mine --url http://127.0.0.1:18443 --rpc-cookie ~/.bitcoin/regtest/.cookie --pay-to bcrt1q…
  midstate mine --url http://127.0.0.1:8332 --rpc-cookie ~/.bitcoin/.cookie --pay-to bc1q… --zmq tcp://127.0.0.1:28332
  midstate mine --url stratum+tcp://poolexample.onion:3333 --user alice --socks5 127.0.0.1:9050
  midstate mine --url stratum+tcp://solo.example:3333 --user bc1q… --verify-payout bc1q…:98%

Runs until Ctrl-C, and reconnects by itself. {JSON_HELP}

{}", share_log::HELP))]
pub(super) struct Args {
    /// The pool: stratum+tcp://HOST:PORT, or stratum+ssl://HOST:PORT for TLS. Or a node: http://HOST:PORT. Given several times, those
    /// after the first take its place while it fails
    #[arg(long = "url", value_name = "URL", required = true)]
    urls: Vec<SourceUrl>,
    /// The user, or user.worker; often a Bitcoin address. Once for all, or once for each URL
    #[arg(long = "user", value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    users: Vec<String>,
    /// For a node, whom its blocks pay: an address of its network
    #[cfg(feature = "solo")]
    #[arg(long, value_name = "ADDRESS")]
    pay_to: Option<Address<NetworkUnchecked>>,
    /// For a node, the file with its cookie, in place of user and password
    #[cfg(feature = "solo")]
    #[arg(long, value_name = "FILE")]
    rpc_cookie: Option<PathBuf>,
    /// For a node, what else stands in the coinbase of blocks
    #[cfg(feature = "solo")]
    #[arg(long, value_name = "TEXT", default_value = "/midstate/", value_parser = parse_tag)]
    tag: String,
    /// For a node, where it announces new tips (-zmqpubhashblock of Bitcoin Core): tcp://HOST:PORT. Long poll goes on beside it. Once for
    /// each URL of a node
    #[cfg(feature = "solo")]
    #[arg(long, value_name = "URL")]
    zmq: Vec<ZmqUrl>,
    /// The password; better in the environment or a file, since others can read command lines
    #[arg(long, env = "MIDSTATE_PASSWORD", hide_env_values = true, value_name = "TEXT", default_value = "x")]
    password: String,
    /// A file whose first line is the password
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// For TLS, the fingerprint of the pool's certificate: its SHA-256, in hex; nothing else of it is looked at
    #[arg(long, value_name = "HEX", conflicts_with = "tls_ca")]
    tls_fingerprint: Option<Fingerprint>,
    /// For TLS, a PEM file of the authorities that may vouch for the pool [default: the system's]
    #[arg(long, value_name = "FILE")]
    tls_ca: Option<PathBuf>,
    /// A SOCKS5 proxy, such as Tor's; it looks the pool's name up
    #[arg(long, value_name = "HOST:PORT")]
    socks5: Option<String>,
    /// A difficulty of shares to ask the pool for
    #[arg(long, value_name = "D", value_parser = parse_difficulty)]
    suggest_difficulty: Option<Difficulty>,
    /// A difficulty to ask the pool never to go below (BIP 310)
    #[arg(long, value_name = "D", value_parser = parse_difficulty)]
    minimum_difficulty: Option<Difficulty>,
    /// Whom the coinbase of each pool's jobs must pay, and how much of it at least [default: any amount]. A pool is left, and the
    /// next one joined, where its job pays less, its height or reward cannot be, or it builds on an old tip. Alone on a node, the whole
    /// of --pay-to is always checked
    #[cfg(feature = "payout")]
    #[arg(long, value_name = "ADDRESS[:MIN%]")]
    verify_payout: Option<Payout>,
    /// Without --verify-payout, where the user's name is an address: leave a pool whose jobs do not pay it, which otherwise is a warning
    #[cfg(feature = "payout")]
    #[arg(long)]
    strict: bool,
    /// A file to which each share's fate is written, a line of JSON each
    #[arg(long, value_name = "FILE")]
    share_log: Option<PathBuf>,
    #[command(flatten)]
    backends: BackendArgs,
    /// Stop after so long
    #[arg(long, value_name = "S")]
    seconds: Option<u32>,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

fn parse_difficulty(text: &str) -> Result<Difficulty, MineError> {
    let difficulty = text.parse().ok().and_then(|difficulty| Difficulty::new(difficulty).ok());
    difficulty.ok_or_else(|| MineError::Difficulty(text.to_owned()))
}

/// What `--url` takes.
#[derive(Clone, Debug)]
enum SourceUrl {
    Pool(PoolUrl),
    #[cfg(feature = "solo")]
    Node(NodeUrl),
}

impl FromStr for SourceUrl {
    type Err = UrlError;

    fn from_str(url: &str) -> Result<SourceUrl, UrlError> {
        #[cfg(feature = "solo")]
        if url.starts_with("http://") {
            return url.parse().map(SourceUrl::Node);
        }
        url.parse().map(SourceUrl::Pool)
    }
}

#[cfg(feature = "solo")]
fn parse_tag(text: &str) -> Result<String, MineError> {
    if text.len() > MAX_TAG { Err(MineError::Tag(text.len())) } else { Ok(text.to_owned()) }
}

impl Args {
    /// The pools and nodes, in order.
    fn sources(&self, password: &str) -> Result<Vec<Source>, MineError> {
        let (urls, users) = (self.urls.len(), self.users.len());
        if users > 1 && users != urls {
            return Err(MineError::Users { urls, users });
        }
        let trust = match (&self.tls_fingerprint, &self.tls_ca) {
            (Some(fingerprint), _) => Trust::Fingerprint(*fingerprint),
            (None, Some(path)) => Trust::authorities(path)?,
            (None, None) => Trust::System,
        };
        #[cfg(feature = "solo")]
        let mut zmq = {
            let (nodes, given) =
                (self.urls.iter().filter(|url| matches!(url, SourceUrl::Node(_))).count(), self.zmq.len());
            if given > 0 && given != nodes {
                return Err(MineError::Zmq { nodes, given });
            }
            self.zmq.iter().cloned()
        };
        let source = |(url, user): (&SourceUrl, Option<&String>)| match url {
            SourceUrl::Pool(url) => {
                let user = user.ok_or_else(|| MineError::NoUser(url.to_string()))?.clone();
                Ok(Source::Pool(Pool {
                    trust: trust.clone(),
                    socks5: self.socks5.clone(),
                    suggest_difficulty: self.suggest_difficulty,
                    minimum_difficulty: self.minimum_difficulty,
                    #[cfg(feature = "payout")]
                    verify_payout: self.verify_payout.clone(),
                    #[cfg(feature = "payout")]
                    strict: self.strict,
                    ..Pool::new(url.clone(), Credentials { user, password: password.to_owned() })
                }))
            }
            #[cfg(feature = "solo")]
            SourceUrl::Node(url) => {
                let login = match (&self.rpc_cookie, user) {
                    (Some(path), _) => Login::Cookie(path.clone()),
                    (None, Some(user)) => Login::Password { user: user.clone(), password: password.to_owned() },
                    (None, None) => return Err(MineError::NoLogin(url.to_string())),
                };
                let pay_to = self.pay_to.clone().ok_or_else(|| MineError::NoPayTo(url.to_string()))?;
                let (url, tag) = (url.clone(), self.tag.clone().into_bytes());
                Ok(Source::Node(Node { url, login, pay_to, tag, zmq: zmq.next() }))
            }
        };
        // A slip in the address would else leave it unchecked, without a word.
        #[cfg(feature = "payout")]
        if self.strict && self.verify_payout.is_none() && !self.users.iter().any(|user| Payout::to_user(user).is_some())
        {
            return Err(MineError::Strict(self.users.clone()));
        }
        let users = self.users.iter().map(Some).cycle();
        // Without any user, none for each.
        let users = users.chain(std::iter::repeat(None));
        self.urls.iter().zip(users).map(source).collect()
    }
}

#[derive(Debug, Error)]
pub(super) enum MineError {
    #[cfg(feature = "payout")]
    #[error(
        "strict: no user of {0:?} is an address; expected --user ADDRESS or ADDRESS.worker, or --verify-payout ADDRESS"
    )]
    Strict(Vec<String>),
    #[error("user: none for {0}; expected --user NAME")]
    NoUser(String),
    #[cfg(feature = "solo")]
    #[error("{0}: no login; expected --rpc-cookie FILE, or --user NAME and a password")]
    NoLogin(String),
    #[cfg(feature = "solo")]
    #[error("{0}: nobody to pay; expected --pay-to ADDRESS")]
    NoPayTo(String),
    #[cfg(feature = "solo")]
    #[error("{0} bytes; expected {MAX_TAG} at most")]
    Tag(usize),
    #[cfg(feature = "solo")]
    #[error("zmq: {given} for {nodes} URLs of nodes; expected one for each, or none")]
    Zmq { nodes: usize, given: usize },
    #[error("user: {users} for {urls} URLs; expected one for all, or one for each")]
    Users { urls: usize, users: usize },
    #[error("{0:?}; expected a number above 0")]
    Difficulty(String),
    #[error(transparent)]
    Trust(#[from] TrustError),
    #[error("share log {path:?}: {source}")]
    ShareLog { path: PathBuf, source: io::Error },
    #[error("password file {path:?}: {source}")]
    PasswordFile { path: PathBuf, source: io::Error },
    #[error("cannot start: {0}")]
    Start(io::Error),
}

impl MineError {
    pub(super) fn is_usage(&self) -> bool {
        !matches!(self, MineError::Start(_))
    }
}

pub(super) fn run(args: &Args) -> Result<(), CliError> {
    let password = match &args.password_file {
        None => args.password.clone(),
        Some(path) => {
            let read = std::fs::read_to_string(path);
            let text = read.map_err(|source| MineError::PasswordFile { path: path.clone(), source })?;
            text.lines().next().unwrap_or_default().to_owned()
        }
    };
    let sources = args.sources(&password)?;
    let backends = args.backends.open()?;
    let workers: Vec<Identity> = backends.iter().map(|backend| backend.identity().clone()).collect();
    let mut log = match &args.share_log {
        Some(path) => {
            let opened = ShareLog::open(path, workers.clone());
            Some(opened.map_err(|source| MineError::ShareLog { path: path.clone(), source })?)
        }
        None => None,
    };
    let mut reporter = Reporter::new(args.json, workers);
    let runtime = tokio::runtime::Runtime::new().map_err(MineError::Start)?;
    runtime.block_on(async {
        let mut miner = start(backends, sources).map_err(MineError::Start)?;
        let limit = args.seconds.map_or(Duration::MAX, |seconds| Duration::from_secs(seconds.into()));
        let mut end = std::pin::pin!(interrupted(limit));
        loop {
            tokio::select! {
                event = miner.next() => {
                    say(&mut reporter, &mut log, &event)?;
                    if let Some(share) = accepted_block(&event) {
                        let job = &share.origin.job;
                        let previous = midstate::sha256::Hash(job.previous_block_hash).to_string();
                        reporter.block(&share.hash.to_string(), bip34_height(&job.coinbase1), &previous)?;
                    }
                }
                () = &mut end => break,
            }
        }
        let (stats, said) = miner.finish(PATIENCE).await;
        said.iter().try_for_each(|event| say(&mut reporter, &mut log, event))?;
        reporter.summary(&stats, None)?;
        Ok(())
    })
}

/// Says what happened, and notes the fate of shares. A log that cannot be written is no reason to stop mining.
fn say(reporter: &mut Reporter, log: &mut Option<ShareLog>, event: &Event) -> io::Result<()> {
    reporter.event(event)?;
    match log.as_mut().map(|log| log.event(event)) {
        Some(Err(error)) => reporter.error(&format!("share log: {error}; a share is not noted there")),
        _ => Ok(()),
    }
}

/// The share that an event tells of, if the pool accepted it and it is a block.
fn accepted_block(event: &Event) -> Option<&Share> {
    match event {
        Event::Upstream(upstream::Event::Answered { share, verdict: Ok(()), .. }) if share.is_block() => Some(share),
        _ => None,
    }
}

/// Starts an engine and an upstream, and joins them.
pub(super) fn start(backends: Vec<Box<dyn Backend>>, sources: Vec<Source>) -> io::Result<Miner> {
    let (to_miner, from_engine) = mpsc::unbounded_channel();
    let engine = Engine::start(backends, move |event| {
        // Nobody listens only when the miner is going away.
        let _ = to_miner.send(event);
    })?;
    let (upstream, from_upstream) = upstream::spawn(sources);
    Ok(Miner::new(engine, from_engine, upstream, from_upstream))
}

/// Waits for Ctrl-C, for a request to terminate, or for the time to run out.
pub(super) async fn interrupted(limit: Duration) {
    #[cfg(unix)]
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => signal.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminated = std::future::pending::<()>();
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminated => {}
        () = tokio::time::sleep(limit) => {}
    }
}
