//! Our own pool, as the probe sees it.

use midstate_stratum::Difficulty;
use pool_sim::Config;
use pool_sim::pool::PoolConfig;
use pool_sim::probe::{Options, Report, run};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::runtime::Runtime;

/// A pool on a chain of 16 blocks. Dropped in this order.
pub(crate) struct Pool {
    simulator: pool_sim::Simulator,
    _runtime: Runtime,
}

impl Pool {
    /// A share takes some 43,000 hashes, unless a miner asks for easier ones.
    pub(crate) fn start() -> Pool {
        let runtime = Runtime::new().unwrap();
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let pay_to = pool_sim::anyone_can_spend().script_pubkey();
        let pool = PoolConfig::new(listen, Difficulty::new(1e-5).unwrap(), pay_to);
        let config = Config { rpc: None, templates: None, pool, premine: 16 };
        let simulator = runtime.block_on(pool_sim::start(config, |_| {})).unwrap();
        Pool { simulator, _runtime: runtime }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.simulator.pool_address()
    }
}

/// Patient, as other tests run beside this one.
pub(crate) fn options(address: SocketAddr) -> Options {
    Options { patience: Duration::from_secs(20), ..Options::new(format!("stratum+tcp://{address}"), "probe.1") }
}

pub(crate) fn probe(options: &Options) -> Report {
    run(options, |_| {}).unwrap()
}

/// What is not passed, and why that is right.
const EXPLAINED: &[(&str, &str)] = &[("limits.unauthorized", "slow"), ("timing.renotify", "slow")];

#[test]
fn our_pool_keeps_every_rule() {
    let pool = Pool::start();
    let report = probe(&options(pool.address()));
    assert!(report.findings.len() >= 60);
    let left = report.findings.iter().filter(|finding| finding.verdict.word() != "passed");
    let left: Vec<_> = left.map(|finding| finding.check.id).collect();
    let explained: Vec<_> = EXPLAINED.iter().map(|(id, _)| *id).collect();
    let unexplained: Vec<_> = left.iter().filter(|id| !explained.contains(id)).collect();
    assert!(unexplained.is_empty() && left.len() == explained.len(), "{left:?}\n{report}");
}
