//! The command line of `pool-sim`.

mod accounts;
mod control;
mod events;
mod faults;
mod ports;
mod probe;
mod proxy;
mod sv2;
mod swarm;

use accounts::{AccountsArgs, PayArgs};
use bitcoin::address::{Address, NetworkUnchecked};
use bitcoin::{Network, ScriptBuf};
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};
use events::{describe, say};
use faults::{FaultArgs, ended};
use pool_sim::authority::AuthorityFileError;
use pool_sim::faults::{Faults, ScenarioError};
use pool_sim::node::{Auth, Cookie};
use pool_sim::pool::accounts::StoreError;
use pool_sim::pool::{PoolConfig, PoolError, Port};
use pool_sim::probe::ProbeError;
use pool_sim::swarm::SwarmError;
use pool_sim::{Config, StartError};
use ports::{PortArgs, START};
use serde_json::json;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use sv2::Sv2Args;
use thiserror::Error;

/// A mining pool (Stratum V1 and V2) and a regtest node (JSON-RPC) in one process, for testing miners.
#[derive(Parser)]
#[command(
    version,
    args_conflicts_with_subcommands = true,
    after_help = format!("\
Examples:
  pool-sim
  pool-sim swarm stratum+tcp://127.0.0.1:3333 --miners 5000
  pool-sim --listen 127.0.0.1:3333 --rpc 127.0.0.1:18443 --rpc-user alice --rpc-password-file secret
  pool-sim --start-difficulty 0.01 --pay-to bcrt1q… --json
  pool-sim --scheme pplns:2 --fee 10000 --store pool.redb --payout coinbase
  pool-sim --store pool.redb --payout transactions --payout-threshold 5000000
  pool-sim --vardiff 20 --listen 0.0.0.0:3333 --listen 0.0.0.0:3334,fixed=1024,password=big
  pool-sim probe stratum+tcp://127.0.0.1:3333
  pool-sim --scenario restart-forgets --junit verdict.xml
  pool-sim --control 127.0.0.1:3300
  pool-sim --listen-v2 127.0.0.1:34254 --vardiff 20
  pool-sim --listen-templates 127.0.0.1:8442 --premine 16
  pool-sim proxy --upstream stratum+tcp://pool.example:3333 --user ADDRESS.rig --listen 0.0.0.0:3334

--listen may be followed by settings that differ for its port: ,start=D ,fixed=D ,vardiff=N or off ,min=D ,max=D ,interval=S \
,password=TEXT. What of these there is first is a session's difficulty: the port's fixed one; d=… in the miner's password; what \
the miner suggested; what --vardiff found; what the session had when it was left; the start. It holds from the next job on, and a \
share is judged by what its job was sent with.

With --payout transactions, whoever's balance is --payout-threshold at least is paid all of it by a transaction that spends the \
pool's mature coinbases, oldest first. Those it pays bear its fee, a satoshi a virtual byte, in proportion. The ledger has it as sending \
before the node has it, and as paid when it is 100 blocks deep; when an input is gone for 100 blocks, as with the chain at a new start, \
the balances have it back, and wait for other coins.

--listen-v2 is another wire to the same pool: jobs, judgement and accounts are the same, and a channel's user is what V1's is. At \
the start it is said as v2, a list of URLs to paste, stratum2+tcp://ADDRESS/KEY; the key stays what it is as long as its secret is \
kept. A channel's difficulty is the port's fixed one; or where it varies, what is right for the channel's hashrate and later what was \
found; or the start; and none is easier than the channel's maximum target.

The chain begins anew at each start and is kept in memory: blocks that a store has from before, and that were not yet 100 blocks \
deep, are orphaned by that. Without --rpc-user, calls need the cookie in \
DATA_DIR/regtest/.cookie, as with Bitcoin Core.

{}

{}

Exit codes: 0 stopped by Ctrl-C or the method `stop`, or at a scenario's end with a clean verdict; 1 failed; 2 arguments or a \
scenario that make no sense; 3 the miner did something wrong.", events::HELP, faults::HELP),
    args_conflicts_with_subcommands = true
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    ports: PortArgs,
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
    /// For so long after a new tip, shares for the one before it are accepted
    #[arg(long, value_name = "SECONDS", default_value = "0", value_parser = seconds)]
    stale_grace: Duration,
    /// For so long after its connection ended, a miner can go on with its session
    #[arg(long, value_name = "SECONDS", default_value = "600", value_parser = seconds)]
    resume_within: Duration,
    /// The regtest address that blocks pay [default: one that anybody can spend from]
    #[arg(long, value_name = "ADDRESS", value_parser = parse_address)]
    pay_to: Option<ScriptBuf>,
    /// How many blocks are mined at the start: many miners and pools get the first 16 heights wrong
    #[arg(long, value_name = "N", default_value_t = 16)]
    premine: u32,
    #[command(flatten)]
    pay: PayArgs,
    #[command(flatten)]
    sv2: Sv2Args,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    faults: FaultArgs,
}

/// What else the program does; without a command it is a pool.
#[derive(Subcommand)]
enum Command {
    Probe(probe::ProbeArgs),
    Swarm(Box<swarm::SwarmArgs>),
    Accounts(AccountsArgs),
    Control(control::ControlArgs),
    Proxy(Box<proxy::ProxyArgs>),
    /// Shows the scenarios that are built in
    Scenario {
        #[command(subcommand)]
        what: faults::Show,
    },
}

fn expected(what: &str) -> String {
    format!("expected {what}")
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds) if (0.0..=1e6).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err(expected("seconds from 0 to 1000000")),
    }
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
    #[error(transparent)]
    Pool(#[from] PoolError),
    #[error(transparent)]
    Authority(#[from] AuthorityFileError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Probe(#[from] ProbeError),
    #[error(transparent)]
    Swarm(#[from] SwarmError),
    #[error("the accounts do not add up")]
    Faults,
}

fn io_error(what: impl Into<String>) -> impl FnOnce(io::Error) -> CliError {
    |source| CliError::Io { what: what.into(), source }
}

pub(crate) fn run() -> ExitCode {
    let cli = Cli::parse();
    match &cli.command {
        Some(Command::Probe(arguments)) => return probe::main(arguments),
        Some(Command::Swarm(arguments)) => return swarm::main(arguments),
        Some(Command::Accounts(arguments)) => return code(show_accounts(arguments)),
        Some(Command::Control(arguments)) => return code(arguments.run()),
        Some(Command::Proxy(arguments)) => return proxy::main(arguments),
        Some(Command::Scenario { what }) => {
            return what.run().map_or_else(|error| no_scenario(&error), |()| ExitCode::SUCCESS);
        }
        None => {}
    }
    let ports = match cli.ports.ports(START) {
        Ok(ports) => ports,
        Err(error) => Cli::command().error(ErrorKind::ValueValidation, format!("--listen: {error}")).exit(),
    };
    let v2 = match cli.sv2.ports(&cli.ports, START) {
        Ok(ports) => ports,
        Err(error) => Cli::command().error(ErrorKind::ValueValidation, format!("--listen-v2: {error}")).exit(),
    };
    if let Err(error) = cli.pay.check(cli.pay_to.as_deref()) {
        Cli::command().error(ErrorKind::ArgumentConflict, error).exit();
    }
    if let Err(error) = cli.faults.check() {
        Cli::command().error(ErrorKind::ValueValidation, error).exit();
    }
    let faults = match cli.faults.load() {
        Ok(faults) => faults,
        Err(error) => return no_scenario(&error),
    };
    let runtime = tokio::runtime::Runtime::new().map_err(io_error("start"));
    code(runtime.and_then(|runtime| runtime.block_on(serve_until_stopped(cli, [ports, v2], faults))))
}

fn show_accounts(accounts: &AccountsArgs) -> Result<ExitCode, CliError> {
    let (shown, is_well) = accounts.run()?;
    writeln!(io::stdout().lock(), "{shown}").map_err(io_error("print"))?;
    if is_well { Ok(ExitCode::SUCCESS) } else { Err(CliError::Faults) }
}

fn code(result: Result<ExitCode, CliError>) -> ExitCode {
    match result {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn no_scenario(error: &ScenarioError) -> ExitCode {
    let _ = writeln!(io::stderr(), "error: {error}");
    ExitCode::from(2)
}

async fn serve_until_stopped(
    cli: Cli,
    [v1, v2]: [Vec<Port>; 2],
    faults: Option<Arc<Faults>>,
) -> Result<ExitCode, CliError> {
    // Before anything is told, so that no signal is lost.
    let interrupted = signals().map_err(io_error("listen to signals"))?;
    let password = credentials(&cli)?;
    let auth = match &password {
        Some(auth) => auth.clone(),
        None => Auth::random().map_err(io_error("make a cookie"))?,
    };
    let pay_to = cli.pay_to.clone().unwrap_or_else(|| pool_sim::anyone_can_spend().script_pubkey());
    let authority = cli.sv2.authority(&cli.data_dir)?;
    let first_v2 = v1.len();
    let v2 = v2.into_iter().map(|port| Port { authority: authority.clone(), ..port });
    let ports = v1.into_iter().chain(v2).collect();
    let pool = PoolConfig {
        stale_grace: cli.stale_grace,
        resume_within: cli.resume_within,
        limits: cli.ports.limits(),
        accounts: cli.pay.config(),
        ..PoolConfig::on(ports, pay_to)
    };
    let pool = match &faults {
        Some(faults) => pool.with_faults(faults),
        None => pool,
    };
    let templates = cli.sv2.templates(authority.as_ref());
    let config = Config { rpc: Some((cli.rpc, auth.clone())), templates, pool, premine: cli.premine };
    let json = cli.json;
    let control = cli.faults.listen(faults.as_ref()).await?;
    let simulator = pool_sim::start(config, move |event| say(json, &describe(&event))).await?;
    // Its file lives until the end of this function.
    let cookie = if password.is_none() {
        let written = Cookie::write(&cli.data_dir, auth);
        Some(written.map_err(io_error(format!("write a cookie in {}", cli.data_dir.display())))?)
    } else {
        None
    };

    let (v1, v2) = simulator.pool_addresses().split_at(first_v2);
    let ready = json!({
        "event": "ready",
        "listen": simulator.pool_address().to_string(),
        "ports": v1.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "v2": authority
            .iter()
            .flat_map(|authority| v2.iter().map(|address| sv2::url(*address, authority)))
            .collect::<Vec<_>>(),
        "rpc": simulator.rpc_address().map(|address| address.to_string()),
        "templates": simulator.templates().map(|server| server.address().to_string()),
        "templates_authority": simulator.templates().map(|server| server.authority().to_string()),
        "cookie": cookie.as_ref().map(|cookie| cookie.path().display().to_string()),
        "height": cli.premine,
        "control": control.as_ref().map(|control| control.address().to_string()),
    });
    say(json, &ready);
    tokio::select! {
        () = simulator.stop_requested() => {}
        () = interrupted => {}
        () = ended(faults.as_ref()) => {}
    }
    // Before the pool hangs up on the miners.
    let verdict = faults.map(|faults| faults.verdict());
    let tips = simulator.node().tip();
    simulator.stop().await;
    let tip = *tips.borrow();
    say(json, &json!({"event": "stopped", "height": tip.height, "tip": tip.hash}));
    match verdict {
        Some(verdict) => cli.faults.conclude(json, &verdict),
        None => Ok(ExitCode::SUCCESS),
    }
}

/// The user and the password, if they were given.
fn credentials(cli: &Cli) -> Result<Option<Auth>, CliError> {
    let password = match &cli.rpc_password_file {
        None => cli.rpc_password.clone(),
        Some(path) => Some(first_line(path)?),
    };
    match cli.rpc_user.as_ref().zip(password) {
        Some((_, password)) if password.is_empty() => Err(CliError::EmptyPassword),
        given => Ok(given.map(|(user, password)| Auth::password(user, &password))),
    }
}

/// A miner's password: a file's first line, or the variable's value, or `x`, which pools without passwords expect.
fn miners_password(file: Option<&Path>, variable: &str) -> Result<String, CliError> {
    match file {
        Some(path) => first_line(path),
        None => Ok(std::env::var(variable).unwrap_or_else(|_| "x".to_owned())),
    }
}

fn first_line(path: &Path) -> Result<String, CliError> {
    let text = std::fs::read_to_string(path).map_err(io_error(format!("read {}", path.display())))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
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
