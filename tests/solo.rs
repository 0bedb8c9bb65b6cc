//! Alone on a node, from its first block on. The node is `pool-sim`'s here; `scripts/interop/solo` has Bitcoin Core in its place.
#![cfg(feature = "solo")]

use bitcoin::Amount;
use midstate::backend::{Kind, Selection, open};
use midstate::engine::Engine;
use midstate::miner::{Event, Miner};
use midstate::upstream::{self, Credentials, Login, Node, NodeError, Pool, SessionError, Source, spawn};
use midstate_stratum::Difficulty;
use pool_sim::node::Auth;
use pool_sim::pool::PoolConfig;
use pool_sim::{Config, Simulator, anyone_can_spend};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// No wait takes as long, unless something is broken.
const PATIENCE: Duration = Duration::from_secs(60);
const PAY_TO: &str = "bcrt1qrxcucnxg57q5lrq8qnhjm2yg8sac3v3jejqq9h";
const PASSWORD: &str = "correct horse";

/// A node without any block but the first, with a pool that nobody joins.
async fn simulator() -> Simulator {
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let pool = PoolConfig::new(listen, Difficulty::ONE, anyone_can_spend().script_pubkey());
    let rpc = Some((listen, Auth::password("alice", PASSWORD)));
    pool_sim::start(Config { rpc, templates: None, pool, premine: 0 }, |_| {}).await.unwrap()
}

fn node(simulator: &Simulator, password: &str, pay_to: &str) -> Node {
    Node {
        url: format!("http://{}", simulator.rpc_address().unwrap()).parse().unwrap(),
        login: Login::Password { user: "alice".to_owned(), password: password.to_owned() },
        pay_to: pay_to.parse().unwrap(),
        tag: b"/a tag/".to_vec(),
        quota: None,
        zmq: None,
    }
}

fn miner(sources: Vec<Source>) -> Miner {
    let backends = open(&Selection { threads: Some(1), ..Selection::of(Kind::Cpu) }).unwrap();
    let (found, from_engine) = mpsc::unbounded_channel();
    let engine = Engine::start(backends, move |event| drop(found.send(event))).unwrap();
    let (upstream, from_upstream) = spawn(sources);
    Miner::new(engine, from_engine, upstream, from_upstream)
}

/// Mines until something happens.
async fn until<T>(miner: &mut Miner, mut happens: impl FnMut(&upstream::Event) -> Option<T>) -> T {
    loop {
        let event = timeout(PATIENCE, miner.next()).await.expect("nothing was said");
        if let Event::Upstream(event) = &event
            && let Some(value) = happens(event)
        {
            return value;
        }
    }
}

async fn accepted(miner: &mut Miner, count: usize) {
    for _ in 0..count {
        until(miner, |event| match event {
            upstream::Event::Answered { verdict: Ok(()), .. } => Some(()),
            // Somebody else was a moment earlier.
            upstream::Event::Answered { verdict: Err(error), .. } if error.message.starts_with("inconclusive") => None,
            upstream::Event::Answered { verdict: Err(error), .. } => panic!("{error}"),
            _ => None,
        })
        .await;
    }
}

async fn error(miner: &mut Miner) -> String {
    until(miner, |event| match event {
        upstream::Event::Disconnected { error, .. } => Some(error.to_string()),
        _ => None,
    })
    .await
}

/// The first sixteen heights are written another way than the rest (BIP 34).
#[test]
fn blocks_from_the_first_on_pay_whom_they_should() {
    Runtime::new().unwrap().block_on(async {
        let simulator = simulator().await;
        let mut miner = miner(vec![Source::Node(node(&simulator, PASSWORD, PAY_TO))]);
        accepted(&mut miner, 40).await;
        let (stats, _) = miner.finish(PATIENCE).await;
        assert_eq!(stats.found, stats.accepted + stats.stale);
        assert_eq!((stats.rejected, stats.lost, stats.blocks), (0, 0, stats.accepted));

        let chain = simulator.node();
        let height = chain.tip().borrow().height;
        assert_eq!(u64::from(height), stats.accepted);
        let script = PAY_TO.parse::<bitcoin::Address<_>>().unwrap().assume_checked().script_pubkey();
        for height in 1..=height {
            let block = chain.block(&chain.hash_at(height).unwrap()).unwrap();
            assert!(block.check_merkle_root() && block.check_witness_commitment());
            let coinbase = &block.txdata[0];
            assert_eq!(coinbase.output[0].script_pubkey, script);
            let subsidy = 5_000_000_000 >> (height / 150);
            assert_eq!(coinbase.output[0].value, Amount::from_sat(subsidy));
            assert!(coinbase.input[0].script_sig.as_bytes().ends_with(b"/a tag/"));
        }
        simulator.stop().await;
    });
}

/// The node makes a block of its own: the next is on top of it, and nothing is rejected.
#[test]
fn a_new_tip_is_heard_of_at_once() {
    Runtime::new().unwrap().block_on(async {
        let simulator = simulator().await;
        let mut miner = miner(vec![Source::Node(node(&simulator, PASSWORD, PAY_TO))]);
        accepted(&mut miner, 3).await;
        for _ in 0..5 {
            simulator.node().generate(1, &anyone_can_spend().script_pubkey()).unwrap();
            accepted(&mut miner, 2).await;
        }
        drop(miner.finish(PATIENCE).await);
        simulator.stop().await;
    });
}

#[test]
fn what_a_node_refuses_is_named() {
    Runtime::new().unwrap().block_on(async {
        let simulator = simulator().await;
        let refused = async |node: Node| {
            let mut miner = miner(vec![Source::Node(node)]);
            error(&mut miner).await
        };
        let login = refused(node(&simulator, "wrong", PAY_TO)).await;
        assert!(login.contains("refused the login") && !login.contains("wrong"), "{login}");
        let network = refused(node(&simulator, PASSWORD, "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa")).await;
        assert!(network.contains("pay-to") && network.contains("regtest"), "{network}");
        let mut gone = node(&simulator, PASSWORD, PAY_TO);
        gone.login = Login::Cookie("/nonexistent/.cookie".into());
        let cookie = refused(gone).await;
        assert!(cookie.contains("/nonexistent/.cookie"), "{cookie}");
        // A pool is no node.
        let mut pool = node(&simulator, PASSWORD, PAY_TO);
        pool.url = format!("http://{}", simulator.pool_address()).parse().unwrap();
        let pool = refused(pool).await;
        assert!(pool.contains("cannot be asked") || pool.contains("no JSON-RPC") || pool.contains("answer"), "{pool}");
        simulator.stop().await;
    });
}

/// While the pool is not there, the miner mines for itself.
#[test]
fn a_node_may_take_a_pools_place() {
    Runtime::new().unwrap().block_on(async {
        let simulator = simulator().await;
        let nobody = "stratum+tcp://127.0.0.1:1".parse().unwrap();
        let pool = Pool::new(nobody, Credentials { user: "alice".to_owned(), password: "x".to_owned() });
        let mut miner = miner(vec![pool.into(), Source::Node(node(&simulator, PASSWORD, PAY_TO))]);
        until(&mut miner, |event| match event {
            upstream::Event::Disconnected { error: SessionError::Connect { .. }, .. } => Some(()),
            upstream::Event::Disconnected { error: SessionError::Node(NodeError::Http(what)), .. } => panic!("{what}"),
            _ => None,
        })
        .await;
        accepted(&mut miner, 5).await;
        simulator.stop().await;
    });
}
