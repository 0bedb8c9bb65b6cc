//! The command line of `pool-sim`.

use bitcoin::address::{Address, NetworkUnchecked};
use bitcoin::{Network, ScriptBuf};
use clap::Parser;
use midstate_stratum::{Difficulty, DifficultyError};
use pool_sim::node::{Auth, Cookie};
use pool_sim::pool::{PoolConfig, PoolEvent};
use pool_sim::{Config, StartError};
use serde_json::{Value, json};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use thiserror::Error;

/// A mining pool (Stratum V1) and a regtest node (JSON-RPC) in one process, for testing miners.
#[derive(Parser)]
#[command(
    version,
    after_help = "\
Examples:
  pool-sim
  pool-sim --listen 127.0.0.1:3333 --rpc 127.0.0.1:18443 --rpc-user alice --rpc-password-file secret
  pool-sim --start-difficulty 0.01 --pay-to bcrt1q… --json

The chain begins anew at each start and is kept in memory. Without --rpc-user, calls need the cookie in
DATA_DIR/regtest/.cookie, as with Bitcoin Core.

With --json, one object a line; each has an \"event\": ready, joined, left, job, share, block, unreadable, stopped.

Exit codes: 0 stopped by Ctrl-C or the method `stop`, 1 failed, 2 arguments that make no sense."
)]
struct Cli {
    /// Where miners connect
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3333")]
    listen: SocketAddr,
    /// Where JSON-RPC is served
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:18443")]
    rpc: SocketAddr,
    /// The user for JSON-RPC, instead of a cookie
    #[arg(long, value_name = "NAME", requires = "rpc_secret", value_parser = parse_user)]
    rpc_user: Option<String>,
    /// The password for JSON-RPC; better in the environment or a file, since others can read command lines
    #[arg(
        long,
        env = "POOL_SIM_RPC_PASSWORD",
        hide_env_values = true,
        value_name = "TEXT",
        group = "rpc_secret",
        requires = "rpc_user"
    )]
    rpc_password: Option<String>,
    /// A file whose first line is the password for JSON-RPC
    #[arg(long, value_name = "FILE", group = "rpc_secret", requires = "rpc_user")]
    rpc_password_file: Option<PathBuf>,
    /// Where the cookie is kept
    #[arg(long, value_name = "DIR", default_value = "pool-sim-data")]
    data_dir: PathBuf,
    /// What miners begin with; may be below 1
    #[arg(long, value_name = "D", default_value = "0.01", value_parser = parse_difficulty)]
    start_difficulty: Difficulty,
    /// The regtest address that blocks pay [default: one that anybody can spend from]
    #[arg(long, value_name = "ADDRESS", value_parser = parse_address)]
    pay_to: Option<ScriptBuf>,
    /// How many blocks are mined at the start: many miners and pools get the first 16 heights wrong
    #[arg(long, value_name = "N", default_value_t = 16)]
    premine: u32,
    /// What miners' passwords must contain, if anything
    #[arg(long, env = "POOL_SIM_PASSWORD", hide_env_values = true, value_name = "TEXT")]
    password: Option<String>,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

fn parse_difficulty(text: &str) -> Result<Difficulty, DifficultyError> {
    let value = text.parse().map_err(|_| DifficultyError(text.to_owned()))?;
    Difficulty::new(value)
}

fn parse_user(text: &str) -> Result<String, &'static str> {
    // HTTP's basic authorization ends the name there.
    if text.contains(':') { Err("must not contain ':'") } else { Ok(text.to_owned()) }
}

fn parse_address(text: &str) -> Result<ScriptBuf, String> {
    let address: Address<NetworkUnchecked> = text.parse().map_err(|error| format!("not an address: {error}"))?;
    let address = address.require_network(Network::Regtest).map_err(|_| "not a regtest address; expected bcrt1…")?;
    Ok(address.script_pubkey())
}

#[derive(Debug, Error)]
enum CliError {
    #[error("cannot {what}: {source}")]
    Io { what: String, source: io::Error },
    #[error("the JSON-RPC password is empty")]
    EmptyPassword,
    #[error(transparent)]
    Start(#[from] StartError),
}

fn io_error(what: impl Into<String>) -> impl FnOnce(io::Error) -> CliError {
    |source| CliError::Io { what: what.into(), source }
}

pub(crate) fn run() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Runtime::new().map_err(io_error("start"));
    match runtime.and_then(|runtime| runtime.block_on(serve_until_stopped(cli))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve_until_stopped(cli: Cli) -> Result<(), CliError> {
    // Before anything is told, so that no signal is lost.
    let interrupted = signals().map_err(io_error("listen to signals"))?;
    let password = credentials(&cli)?;
    let auth = match &password {
        Some(auth) => auth.clone(),
        None => Auth::random().map_err(io_error("make a cookie"))?,
    };
    let pay_to = cli.pay_to.unwrap_or_else(|| pool_sim::anyone_can_spend().script_pubkey());
    let pool = PoolConfig { password: cli.password, ..PoolConfig::new(cli.listen, cli.start_difficulty, pay_to) };
    let config = Config { rpc: Some((cli.rpc, auth.clone())), pool, premine: cli.premine };
    let json = cli.json;
    let simulator = pool_sim::start(config, move |event| say(json, &describe(&event))).await?;
    // Its file lives until the end of this function.
    let cookie = if password.is_none() {
        let written = Cookie::write(&cli.data_dir, auth);
        Some(written.map_err(io_error(format!("write a cookie in {}", cli.data_dir.display())))?)
    } else {
        None
    };

    let ready = json!({
        "event": "ready",
        "listen": simulator.pool_address().to_string(),
        "rpc": simulator.rpc_address().map(|address| address.to_string()),
        "cookie": cookie.as_ref().map(|cookie| cookie.path().display().to_string()),
        "height": cli.premine,
    });
    say(json, &ready);
    tokio::select! {
        () = simulator.stop_requested() => {}
        () = interrupted => {}
    }
    let tips = simulator.node().tip();
    simulator.stop().await;
    let tip = *tips.borrow();
    say(json, &json!({"event": "stopped", "height": tip.height, "tip": tip.hash}));
    Ok(())
}

/// The user and the password, if they were given.
fn credentials(cli: &Cli) -> Result<Option<Auth>, CliError> {
    let password = match &cli.rpc_password_file {
        None => cli.rpc_password.clone(),
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(io_error(format!("read {}", path.display())))?;
            Some(text.lines().next().unwrap_or_default().to_owned())
        }
    };
    match cli.rpc_user.as_ref().zip(password) {
        Some((_, password)) if password.is_empty() => Err(CliError::EmptyPassword),
        given => Ok(given.map(|(user, password)| Auth::password(user, &password))),
    }
}

/// Ends when the program is asked to: by Ctrl-C or, on Unix, SIGTERM.
#[cfg(unix)]
fn signals() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

#[cfg(windows)]
fn signals() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = tokio::signal::windows::ctrl_c()?;
    Ok(async move {
        let _ = interrupt.recv().await;
    })
}

fn describe(event: &PoolEvent) -> Value {
    match event {
        PoolEvent::Joined { session, peer } => json!({"event": "joined", "session": session, "peer": peer.to_string()}),
        PoolEvent::Left { session, reason } => json!({"event": "left", "session": session, "reason": reason}),
        PoolEvent::Job { id, height, clean } => json!({"event": "job", "id": id, "height": height, "clean": clean}),
        PoolEvent::Share { session, user, job, verdict } => json!({
            "event": "share", "session": session, "user": user, "job": job, "accepted": verdict.is_ok(),
            "code": verdict.as_ref().err().map(|error| error.code),
            "reason": verdict.as_ref().err().map(|error| &error.message),
        }),
        PoolEvent::Block { hash, height, refused } => {
            json!({"event": "block", "hash": hash, "height": height, "accepted": refused.is_none(), "reason": refused})
        }
        PoolEvent::Unreadable { session, error } => json!({"event": "unreadable", "session": session, "error": error}),
    }
}

/// Prints an event as it is, or as `event: key value, …`.
fn say(json: bool, event: &Value) {
    let mut line = event.to_string();
    if !json && let Value::Object(object) = event {
        let show = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let fields = object.iter().filter(|(key, value)| *key != "event" && !value.is_null());
        let fields: Vec<_> = fields.map(|(key, value)| format!("{key} {}", show(value))).collect();
        line = format!("{}: {}", object.get("event").map(show).unwrap_or_default(), fields.join(", "));
    }
    // A reader that went away must not end the pool.
    let _ = writeln!(io::stdout().lock(), "{line}");
}
