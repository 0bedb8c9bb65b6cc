//! A regtest pool in this process, whose word on every share is noted.

#![allow(dead_code, reason = "each test takes what it needs")]

use midstate_stratum::Difficulty;
use midstate_stratum::message::Reject;
use pool_sim::chain::Params;
use pool_sim::node::Node;
use pool_sim::pool::{Pool, PoolConfig, PoolEvent, Refusal};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::runtime::Runtime;

/// A pool on a chain. Dropped in this order: the pool needs the runtime.
pub(crate) struct Regtest {
    pool: Pool,
    node: Node,
    config: PoolConfig,
    verdicts: Verdicts,
    runtime: Runtime,
}

type Verdicts = Arc<Mutex<Vec<Result<(), Refusal>>>>;

impl Regtest {
    /// A pool on a new chain, for shares of this difficulty: blocks, unless it is below regtest's 4.7e-10.
    pub(crate) fn start(difficulty: f64, password: Option<&str>) -> Regtest {
        let node = Node::new(Params::regtest());
        let pay_to = pool_sim::anyone_can_spend().script_pubkey();
        node.premine(16, &pay_to).unwrap();
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut config = PoolConfig::new(listen, Difficulty::new(difficulty).unwrap(), pay_to);
        config.ports[0].password = password.map(str::to_owned);
        Regtest::open(node, config, Verdicts::default())
    }

    /// Hangs up on everybody, and opens anew: the same port, chain and extranonces, but no memory of any share.
    pub(crate) fn restart(self) -> Regtest {
        let Regtest { pool, node, mut config, verdicts, runtime } = self;
        config.ports[0].listen = pool.address();
        drop((pool, runtime));
        Regtest::open(node, config, verdicts)
    }

    fn open(node: Node, config: PoolConfig, verdicts: Verdicts) -> Regtest {
        let runtime = Runtime::new().unwrap();
        let noted = Arc::clone(&verdicts);
        let note = move |event| {
            if let PoolEvent::Share(record) = event {
                noted.lock().unwrap().push(record.verdict);
            }
        };
        let pool = runtime.block_on(Pool::start(node.clone(), config.clone(), note)).unwrap();
        Regtest { pool, node, config, verdicts, runtime }
    }

    pub(crate) fn url(&self) -> String {
        format!("stratum+tcp://{}", self.pool.address())
    }

    /// How many shares were accepted, before restarts too. None may have been refused, but for jobs that a restart forgot.
    pub(crate) fn accepted(&self) -> usize {
        let verdicts = self.verdicts.lock().unwrap();
        let refused_rightly = |refusal: &Refusal| refusal.kind().0 == Reject::JobNotFound;
        assert!(verdicts.iter().all(|verdict| verdict.as_ref().err().is_none_or(refused_rightly)), "{verdicts:?}");
        verdicts.iter().filter(|verdict| verdict.is_ok()).count()
    }
}
