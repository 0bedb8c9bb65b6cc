//! `pool-sim proxy --upstream URL`: many miners on one connection to another pool.

use super::faults::{FaultArgs, ended};
use super::ports::{HARDEST, PortArgs};
use super::{Cli, CliError, code, describe, io_error, miners_password, no_scenario, say, seconds, signals};
use clap::error::ErrorKind;
use clap::{Args, CommandFactory};
use pool_sim::faults::Faults;
use pool_sim::pool::{Pool, PoolEvent, Port, ProxyConfig, UpstreamConfig, UpstreamCounts, UpstreamUrl};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Puts many miners on one connection to a pool (Stratum V1), each with a part of its extranonce and a difficulty of its own
#[derive(Args)]
#[command(after_help = "\
Examples:
  pool-sim proxy --upstream stratum+tcp://pool.example:3333 --user ADDRESS.rig --listen 0.0.0.0:3334
  pool-sim proxy --upstream stratum+tcp://127.0.0.1:3333 --user alice --listen 127.0.0.1:3334 --vardiff 20 --json
  pool-sim proxy --upstream stratum+tcp://127.0.0.1:3333 --user alice --listen 127.0.0.1:3334 --scenario slow-drip

The upstream's extranonce2 is divided: half of it, up to four bytes, tells miners apart, and the rest is theirs. Miners' shares are \
judged here by their own difficulty, which is never above the upstream's; those that the upstream pays for go to it, under --user, and \
are answered by its word, within 10 s. While it is away, miners keep their connections, and such shares wait for so long; \
then all shares are refused until it is back. A miner that did not ask to hear of another extranonce1 is hung up on where \
the upstream changes it.

With --scenario and --control, faults are done between the proxy and its miners. What the pool does to the chain (tip) it cannot do; \
blocks that are withheld are not handed on.

The password is read from POOL_SIM_PROXY_PASSWORD or --password-file, and is \"x\" without them.

With --json, one object a line; each has an \"event\": those of a pool (`pool-sim --help`), but for block, reward and unbooked, and \
upstream_connected (url, resumed, extranonce1, extranonce2_size, version_mask), upstream_job (id, upstream_id, difficulty), \
upstream_difficulty, upstream_extranonce, upstream_mask, upstream_share (number of the share, upstream_id of its job, verdict: accepted, \
refused or lost, code, reason, seconds), upstream_message (text), upstream_unreadable (error), upstream_lost (reason, retry_seconds), \
and at the end summary: accepted, refused (by word), upstream (connections, jobs, handed_on, accepted, refused by code, lost).

Exit codes: 0 stopped by Ctrl-C, or at a scenario's end with a clean verdict; 1 failed; 2 arguments or a scenario that make no sense; \
3 a miner did something wrong.")]
pub(super) struct ProxyArgs {
    /// The pool whose miner the proxy is, as stratum+tcp://HOST:PORT
    #[arg(long, value_name = "URL")]
    upstream: UpstreamUrl,
    /// The user that all shares are for there
    #[arg(long, value_name = "USER")]
    user: String,
    /// A file whose first line is the user's password there
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    #[command(flatten)]
    ports: PortArgs,
    /// For so long after its connection ended, a miner can go on with its session
    #[arg(long, value_name = "SECONDS", default_value = "600", value_parser = seconds)]
    resume_within: Duration,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    faults: FaultArgs,
}

/// What miners were told of their shares.
#[derive(Default)]
struct Tally {
    accepted: u64,
    refused: BTreeMap<&'static str, u64>,
}

impl Tally {
    fn count(&mut self, event: &PoolEvent) {
        if let PoolEvent::Share(record) = event {
            match &record.verdict {
                Ok(()) => self.accepted += 1,
                Err(refusal) => *self.refused.entry(refusal.kind().1).or_default() += 1,
            }
        }
    }

    fn to_json(&self, upstream: &UpstreamCounts) -> Value {
        json!({
            "event": "summary", "accepted": self.accepted, "refused": self.refused, "upstream": upstream.to_json(),
        })
    }
}

pub(super) fn main(arguments: &ProxyArgs) -> ExitCode {
    let wrong = |error: String| Cli::command().error(ErrorKind::ValueValidation, error).exit();
    let ports = match arguments.ports.ports(HARDEST) {
        Ok(ports) => ports,
        Err(error) => wrong(format!("--listen: {error}")),
    };
    if let Err(error) = arguments.faults.check() {
        wrong(error);
    }
    let faults = match arguments.faults.load() {
        Ok(faults) => faults,
        Err(error) => return no_scenario(&error),
    };
    let runtime = tokio::runtime::Runtime::new().map_err(io_error("start"));
    code(runtime.and_then(|runtime| runtime.block_on(serve_until_stopped(arguments, ports, faults))))
}

async fn serve_until_stopped(
    arguments: &ProxyArgs,
    ports: Vec<Port>,
    faults: Option<Arc<Faults>>,
) -> Result<ExitCode, CliError> {
    // Before anything is told, so that no signal is lost.
    let interrupted = signals().map_err(io_error("listen to signals"))?;
    let (url, user) = (arguments.upstream.clone(), arguments.user.clone());
    let password = miners_password(arguments.password_file.as_deref(), "POOL_SIM_PROXY_PASSWORD")?;
    let upstream = UpstreamConfig { url, user, password };
    let config = ProxyConfig {
        resume_within: arguments.resume_within,
        limits: arguments.ports.limits(),
        ..ProxyConfig::new(upstream, ports)
    };
    let config = match &faults {
        Some(faults) => config.with_faults(faults),
        None => config,
    };
    let json = arguments.json;
    let control = arguments.faults.listen(faults.as_ref()).await?;
    let tally = Arc::new(Mutex::new(Tally::default()));
    let counted = Arc::clone(&tally);
    // A panic cannot leave a count half-written.
    let on_event = move |event| {
        counted.lock().unwrap_or_else(PoisonError::into_inner).count(&event);
        say(json, &describe(&event));
    };
    let pool = Pool::proxy(config, on_event).await?;
    say(
        json,
        &json!({
            "event": "ready",
            "listen": pool.address().to_string(),
            "ports": pool.addresses().iter().map(ToString::to_string).collect::<Vec<_>>(),
            "upstream": arguments.upstream.to_string(),
            "control": control.as_ref().map(|control| control.address().to_string()),
        }),
    );
    tokio::select! {
        () = interrupted => {}
        () = ended(faults.as_ref()) => {}
    }
    // Before the proxy hangs up on the miners.
    let verdict = faults.map(|faults| faults.verdict());
    let counts = pool.upstream().unwrap_or_default();
    drop(pool);
    let summary = tally.lock().unwrap_or_else(PoisonError::into_inner).to_json(&counts);
    say(json, &summary);
    match verdict {
        Some(verdict) => arguments.faults.conclude(json, &verdict),
        None => Ok(ExitCode::SUCCESS),
    }
}
