//! `midstate local`: a regtest node, a pool and the miner in one process.

use super::CliError;
use super::backends::BackendArgs;
use super::mine::{PATIENCE, interrupted, start};
use super::report::{JSON_HELP, Reporter};
use bitcoin::hashes::{Hash, sha256};
use bitcoin::{Network, ScriptBuf, WPubkeyHash};
use midstate::backend::Backend;
use midstate::engine::Engine;
use midstate::sha256::Header;
use midstate::upstream::{Credentials, Pool, PoolUrl};
use midstate::work::{NonceRange, Work};
use midstate_stratum::{Difficulty, Target};
use pool_sim::node::{Auth, Node};
use pool_sim::pool::PoolConfig;
use pool_sim::{Config, StartError};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;
use thiserror::Error;

/// Run a regtest node, a pool and this miner in one process
#[derive(clap::Args)]
#[command(after_help = format!("\
Examples:
  midstate local                                     until Ctrl-C
  midstate local --blocks 20 --backend cpu --backend gpu
  midstate local --blocks 5 --json | jq 'select(.event == \"block\")'

The chain is in memory and begins anew. On regtest every share is a block, as no share is easier than regtest's blocks;
the difficulty is set after a short probe so that one comes about every second. {JSON_HELP}"))]
pub(super) struct Args {
    /// Stop after so many blocks
    #[arg(long, value_name = "N")]
    blocks: Option<u32>,
    #[command(flatten)]
    backends: BackendArgs,
    /// Chooses the address that is paid, and extranonce1: two runs then differ in time only
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
    /// Blocks mined before the miner starts
    #[arg(long, value_name = "N", default_value_t = 16)]
    premine: u32,
    /// Where the pool listens
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Serve the node's JSON-RPC here too, for user and password `midstate`
    #[arg(long, value_name = "ADDRESS")]
    rpc: Option<SocketAddr>,
    /// Write each block of the chain, in hex, a line each, from height 1 on
    #[arg(long, value_name = "FILE")]
    save_blocks: Option<PathBuf>,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Error)]
pub(super) enum LocalError {
    #[error("cannot {what}: {source}")]
    Start { what: &'static str, source: io::Error },
    #[error(transparent)]
    Simulator(StartError),
    #[error("cannot write {path:?}: {source}")]
    Save { path: PathBuf, source: io::Error },
}

fn cannot(what: &'static str) -> impl FnOnce(io::Error) -> LocalError {
    move |source| LocalError::Start { what, source }
}

/// How long the hashrate is probed for.
const PROBE: Duration = Duration::from_millis(500);
/// How often a share should come, in seconds.
const SHARE_EVERY: f64 = 1.0;

pub(super) fn run(args: &Args) -> Result<(), CliError> {
    let backends = args.backends.open()?;
    let mut reporter = Reporter::new(args.json, backends.iter().map(|b| b.identity().clone()).collect());
    let (backends, hashrate) = probe(backends).map_err(cannot("start the engine"))?;
    let difficulty = share_difficulty(hashrate);
    reporter.note(&format!(
        "{} to begin with: shares of difficulty {difficulty} about every second",
        super::report::hashrate(hashrate)
    ))?;

    let runtime = tokio::runtime::Runtime::new().map_err(cannot("start"))?;
    runtime.block_on(async {
        let pay_to = address(args.seed);
        let pool = PoolConfig {
            first_extranonce1: args.seed as u32,
            ..PoolConfig::new(args.listen, difficulty, pay_to.script_pubkey())
        };
        let rpc = args.rpc.map(|listen| (listen, Auth::password("midstate", "midstate")));
        let simulator = pool_sim::start(Config { rpc, templates: None, pool, premine: args.premine }, |_| {});
        let simulator = simulator.await.map_err(LocalError::Simulator)?;
        let node = simulator.node();
        if let Some(address) = simulator.rpc_address() {
            reporter.note(&format!("node: http://{address}"))?;
        }
        let port = simulator.pool_address().port();
        reporter.note(&format!("pool: stratum+tcp://127.0.0.1:{port}, paying {pay_to}"))?;

        let url = PoolUrl::tcp(Ipv4Addr::LOCALHOST.to_string(), port);
        let credentials = Credentials { user: pay_to.to_string(), password: "x".to_owned() };
        let mut miner = start(backends, vec![Pool::new(url, credentials).into()]).map_err(cannot("start the miner"))?;
        let mut tips = node.tip();
        let mut height = args.premine;
        let mut end = std::pin::pin!(interrupted(Duration::MAX));
        let last = args.blocks.map_or(u32::MAX, |blocks| args.premine.saturating_add(blocks));
        // The last block's share is to be answered before the end.
        while height < last || miner.stats().in_flight > 0 {
            tokio::select! {
                biased;
                () = &mut end => break,
                _ = tips.changed() => {
                    let tip = *tips.borrow_and_update();
                    // A watch shows the newest only: blocks in between are told of too.
                    for at in height + 1..=tip.height {
                        if let Some(block) = node.hash_at(at).and_then(|hash| node.block(&hash)) {
                            let (hash, previous) = (block.block_hash(), block.header.prev_blockhash);
                            reporter.block(&hash.to_string(), Some(at), &previous.to_string())?;
                        }
                    }
                    height = tip.height;
                    if height >= last {
                        miner.pause();
                    }
                }
                event = miner.next() => reporter.event(&event)?,
            }
        }
        let (stats, said) = miner.finish(PATIENCE).await;
        said.iter().try_for_each(|event| reporter.event(event))?;
        let tip = *node.tip().borrow();
        if let Some(path) = &args.save_blocks {
            save(node, path).map_err(|source| LocalError::Save { path: path.clone(), source })?;
        }
        reporter.summary(&stats, Some((u64::from(tip.height - args.premine), tip.height, tip.hash.to_string())))?;
        simulator.stop().await;
        Ok(())
    })
}

/// What the backends do together, and the backends.
fn probe(backends: Vec<Box<dyn Backend>>) -> io::Result<(Vec<Box<dyn Backend>>, f64)> {
    // An impossible target: nothing is found, and all is searched.
    let work = Work::new(Header([0; 80]), NonceRange::ALL, Target::from_be_bytes([0; 32]));
    let mut engine = Engine::start(backends, |_| {})?;
    engine.set_source(Box::new(std::iter::repeat((work, ()))));
    // Half the time to warm up, half to measure.
    std::thread::sleep(PROBE / 2);
    let hashes = |engine: &Engine<()>| engine.stats().iter().map(|worker| worker.hashes).sum::<u64>();
    let before = hashes(&engine);
    let started = std::time::Instant::now();
    std::thread::sleep(PROBE / 2);
    engine.pause();
    let searched = hashes(&engine) - before;
    let hashrate = searched as f64 / started.elapsed().as_secs_f64();
    Ok((engine.stop(), hashrate))
}

/// A difficulty whose shares come every [`SHARE_EVERY`] at this hashrate.
fn share_difficulty(hashrate: f64) -> Difficulty {
    let hashes = (hashrate * SHARE_EVERY).max(1.0);
    // Difficulty d takes d × 2^48 / 65535 hashes on average. Rounded to three digits, to be pleasant to read.
    let rounded = format!("{:.2e}", hashes * 65535.0 / 2f64.powi(48)).parse();
    rounded.ok().and_then(|value| Difficulty::new(value).ok()).unwrap_or(Difficulty::ONE)
}

/// A regtest address that nobody has the key of.
fn address(seed: u64) -> bitcoin::Address {
    let digest = sha256::Hash::hash(format!("midstate local {seed}").as_bytes());
    let mut hash = [0; 20];
    hash.copy_from_slice(&digest.as_byte_array()[..20]);
    let script = ScriptBuf::new_p2wpkh(&WPubkeyHash::from_byte_array(hash));
    // The script was made as one that has an address.
    bitcoin::Address::from_script(&script, Network::Regtest).unwrap_or_else(|_| pool_sim::anyone_can_spend())
}

fn save(node: &Node, path: &Path) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    for height in 1.. {
        let Some(block) = node.hash_at(height).and_then(|hash| node.block(&hash)) else { break };
        writeln!(file, "{}", bitcoin::consensus::encode::serialize_hex(&block))?;
    }
    file.flush()
}
