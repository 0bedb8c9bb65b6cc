//! The pool's built-in scenarios against this miner, over real sockets: nothing may be found of it.
//!
//! The device is slow on purpose, so that all scenarios fit on one machine at once.

mod common {
    pub(crate) mod joined;
    pub(crate) mod scripted;
}

use common::joined::pool;
use midstate::backend::{Backend, Cancel, Identity, SearchError};
use midstate::engine::Engine;
use midstate::miner::Miner;
use midstate::upstream::spawn;
use midstate::work::{Candidate, Work};
use midstate_stratum::Difficulty;
use pool_sim::faults::{Faults, Scenario, Verdict, builtin};
use pool_sim::pool::PoolConfig;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// How long it rests after each share.
const REST: Duration = Duration::from_millis(50);
/// How many hashes it does between short rests.
const BURST: u64 = 10_000;

/// Hashes with the plain reference, slowly.
struct Device(Identity);

impl Device {
    fn boxed() -> Box<dyn Backend> {
        Box::new(Device(Identity { backend: "simulated", kernel: "none", device: String::new() }))
    }
}

impl Backend for Device {
    fn identity(&self) -> &Identity {
        &self.0
    }

    fn search(&mut self, work: &Work, cancel: &Cancel, found: &mut dyn FnMut(Candidate)) -> Result<u64, SearchError> {
        let mut hashes = 0;
        for nonce in work.range().iter() {
            if cancel.is_cancelled() {
                break;
            }
            hashes += 1;
            let candidate = Candidate { version: 0, nonce };
            if work.header(candidate).is_some_and(|header| work.target().is_met_by(&header.hash().0)) {
                found(candidate);
                std::thread::sleep(REST);
            } else if hashes % BURST == 0 {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        Ok(hashes)
    }
}

async fn play(text: &str) -> Verdict {
    let faults = Arc::new(Faults::new(Scenario::parse("built in", text).unwrap()));
    let pay_to = pool_sim::anyone_can_spend().script_pubkey();
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let config = PoolConfig::new(listen, Difficulty::ONE, pay_to).with_faults(&faults);
    let simulator = pool_sim::start(pool_sim::Config { rpc: None, templates: None, pool: config, premine: 16 }, |_| {})
        .await
        .unwrap();
    let (found, from_engine) = mpsc::unbounded_channel();
    let engine = Engine::start(vec![Device::boxed()], move |event| drop(found.send(event))).unwrap();
    let (upstream, from_upstream) = spawn(vec![pool(simulator.pool_address().port()).into()]);
    let mut miner = Miner::new(engine, from_engine, upstream, from_upstream);
    let ended = faults.ended();
    tokio::pin!(ended);
    loop {
        tokio::select! {
            () = &mut ended => break,
            _ = miner.next() => {}
        }
    }
    let verdict = faults.verdict();
    miner.finish(Duration::from_secs(5)).await;
    simulator.stop().await;
    verdict
}

/// All at once: most of the time they wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_scenario_leaves_this_miner_clean() {
    // One alone, by its name, for who looks for a fault.
    let only = std::env::var("SCENARIO").ok();
    let chosen = builtin().filter(|(name, _)| only.as_deref().is_none_or(|only| only == *name));
    let running: Vec<_> = chosen.map(|(name, text)| (name, tokio::spawn(play(text)))).collect();
    let mut failures = Vec::new();
    for (name, verdict) in running {
        let verdict = verdict.await.unwrap();
        println!("{}", verdict.to_text().lines().next().unwrap_or_default());
        assert!(verdict.faults > 0, "{name}: nothing befell the miner");
        assert!(verdict.due > 0 || name == "no-job-ever", "{name}: no share came");
        if !verdict.is_clean() {
            failures.push(verdict.to_text());
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
