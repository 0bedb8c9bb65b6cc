//! `midstate mine`: joins a pool, or mines alone on a node.

use super::CliError;
use super::reload::Reload;
use super::report::{JSON_HELP, Reporter};
use super::resolve::Settings;
use super::settings::SettingArgs;
use super::share_log::{self, ShareLog};
use super::words::Words;
use clap::ArgMatches;
use midstate::backend::{Backend, Identity};
use midstate::engine::Engine;
use midstate::job::Share;
use midstate::miner::{Event, Miner};
use midstate::upstream::{self, Source};
use std::io;
use std::path::PathBuf;
use std::time::Duration;
use thiserror::Error;
use tokio::sync::mpsc;

/// How long answers are waited for at the end.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);

/// Join a mining pool, or mine alone on a node
#[derive(clap::Args)]
#[command(after_help = format!("\
Examples:
  midstate config init; midstate mine
  midstate mine --url stratum+tcp://127.0.0.1:3333 --user alice
  MIDSTATE_PASSWORD=d=1024 midstate mine --url stratum+tcp://pool.example:3333 --user bc1q….rig1 --backend cpu --backend gpu
  midstate mine --url stratum+tcp://127.0.0.1:3333 --user alice --json --seconds 60
  midstate mine --url stratum+ssl://pool.example:443 --url stratum+tcp://backup.example:3333 --user alice
  midstate mine --url stratum+tcp://a.example:3333 --quota 70 --url stratum+tcp://b.example:3333 --quota 30 --user alice
  midstate mine --url http://127.0.0.1:18443 --rpc-cookie ~/.bitcoin/regtest/.cookie --pay-to bcrt1q…
  midstate mine --url http://127.0.0.1:8332 --rpc-cookie ~/.bitcoin/.cookie --pay-to bc1q… --zmq tcp://127.0.0.1:28332
  midstate mine --url stratum+tcp://poolexample.onion:3333 --user alice --socks5 127.0.0.1:9050
  midstate mine --url stratum2+tcp://127.0.0.1:34254/KEY --user alice --single-submit --device-id rig7 --trace-messages
  midstate mine --url stratum2+tcp://127.0.0.1:34254/KEY --user alice --channels 8 --seed 7 --threads 1
  midstate mine --url stratum+tcp://solo.example:3333 --user bc1q… --verify-payout bc1q…:98%

Flags come before environment variables, those before the configuration file, that before defaults. In the environment, several
URLs, backends or dispatches are separated by commas. `midstate config check` says what is in force, and whence. On SIGHUP the
file is read again: pools change at once, and what needs a new start is named.

Runs until Ctrl-C, and reconnects by itself. {JSON_HELP}

{}", share_log::HELP))]
pub(super) struct Args {
    #[command(flatten)]
    settings: SettingArgs,
    /// Stop after so long
    #[arg(long, value_name = "S")]
    seconds: Option<u32>,
}

#[derive(Debug, Error)]
pub(super) enum MineError {
    #[error("share log {path:?}: {source}")]
    ShareLog { path: PathBuf, source: io::Error },
    #[error("cannot start: {0}")]
    Start(io::Error),
}

impl MineError {
    pub(super) fn is_usage(&self) -> bool {
        !matches!(self, MineError::Start(_))
    }
}

pub(super) fn run(args: &Args, matches: &ArgMatches) -> Result<(), CliError> {
    let settings = Settings::read(&args.settings, matches, args.settings.json)?;
    let backends = settings.backends.open()?;
    let backends = match settings.throttle {
        Some(throttle) => throttle.hold(backends),
        None => backends,
    };
    let workers: Vec<Identity> = backends.iter().map(|backend| backend.identity().clone()).collect();
    let words = Words::hiding(&settings.passwords);
    let mut log = match &settings.share_log {
        Some(path) => {
            let opened = ShareLog::open(path, workers.clone(), words.clone());
            Some(opened.map_err(|source| MineError::ShareLog { path: path.clone(), source })?)
        }
        None => None,
    };
    let mut reporter = Reporter::new(settings.json, workers).hiding(words);
    if let Some(file) = &settings.file {
        reporter.configuration(Some(file), None)?;
    }
    settings.warnings.iter().try_for_each(|warning| reporter.warning(None, warning))?;
    let (sources, single_submit, seed) = (settings.sources.clone(), settings.single_submit, settings.seed);
    let mut reload = Reload::new(&args.settings, matches, settings);
    let runtime = tokio::runtime::Runtime::new().map_err(MineError::Start)?;
    runtime.block_on(async {
        let mut miner = start(backends, sources).map_err(MineError::Start)?;
        if single_submit {
            miner = miner.with_one_share_a_job();
        }
        if let Some(seed) = seed {
            miner = miner.with_seed(seed);
        }
        let limit = args.seconds.map_or(Duration::MAX, |seconds| Duration::from_secs(seconds.into()));
        let mut end = std::pin::pin!(interrupted(limit));
        let mut hangups = Hangups::new().map_err(MineError::Start)?;
        loop {
            tokio::select! {
                event = miner.next() => {
                    say(&mut reporter, &mut log, &event)?;
                    if let Some(share) = accepted_block(&event) {
                        let job = &share.origin.job;
                        let previous = midstate::sha256::Hash(job.previous_block_hash).to_string();
                        reporter.block(&share.hash.to_string(), job.height(), &previous)?;
                    }
                }
                () = hangups.next() => {
                    if let Some(sources) = reload.again(&mut reporter)? {
                        miner.set_sources(sources);
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

/// Hang-ups, which ask that the configuration is read again; where the system has no such signal, none come.
struct Hangups {
    #[cfg(unix)]
    signal: tokio::signal::unix::Signal,
}

impl Hangups {
    /// From now on, a hang-up does not end the program.
    #[cfg_attr(not(unix), expect(clippy::unnecessary_wraps, reason = "on Unix it can fail"))]
    fn new() -> io::Result<Hangups> {
        Ok(Hangups {
            #[cfg(unix)]
            signal: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) {
        #[cfg(unix)]
        if self.signal.recv().await.is_some() {
            return;
        }
        std::future::pending::<()>().await;
    }
}
