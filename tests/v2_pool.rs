//! Our miner on our pool's port of Stratum V2: blocks on each kind of channel, and miners of V1 beside it.
#![cfg(feature = "v2")]

use bitcoin::CompactTarget;
use midstate::backend::{Kind, Selection, open};
use midstate::engine::Engine;
use midstate::miner::{Event, Miner, Stats};
use midstate::upstream::{self, ChannelKind, Credentials, spawn};
use midstate_stratum::Difficulty;
use midstate_stratum::v2::Authority;
use pool_sim::chain::Params;
use pool_sim::node::Node;
use pool_sim::pool::{Pool, PoolConfig, PoolEvent, Port};
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::timeout;

/// No wait takes as long, unless something is broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// The accepted and the refused shares of each user, by the pool's word.
type Counts = Arc<Mutex<HashMap<String, [u64; 2]>>>;

/// A pool at height 16 with a port of V1 and one of V2.
struct Regtest {
    pool: Pool,
    node: Node,
    authority: Authority,
    counts: Counts,
}

async fn regtest(difficulty: f64, change: impl FnOnce(&mut PoolConfig)) -> Regtest {
    let node = Node::new(Params::regtest());
    let pay_to = pool_sim::anyone_can_spend().script_pubkey();
    node.premine(16, &pay_to).unwrap();
    let authority = Authority::new([7; 32]).unwrap();
    let v1 = Port::new(SocketAddr::from(([127, 0, 0, 1], 0)), Difficulty::new(difficulty).unwrap());
    let v2 = Port { authority: Some(authority.clone()), ..v1.clone() };
    let mut config = PoolConfig::on(vec![v1, v2], pay_to);
    change(&mut config);
    let counts = Counts::default();
    let noted = Arc::clone(&counts);
    let note = move |event| {
        if let PoolEvent::Share(record) = event {
            let mut counts = noted.lock().unwrap();
            counts.entry(record.user.clone()).or_default()[usize::from(record.verdict.is_err())] += 1;
        }
    };
    let pool = Pool::start(node.clone(), config, note).await.unwrap();
    Regtest { pool, node, authority, counts }
}

impl Regtest {
    /// The pool as a miner has it that speaks V1, or V2 on a channel of this kind.
    fn url(&self, user: &str, channel: Option<ChannelKind>) -> upstream::Pool {
        let [v1, v2] = self.pool.addresses() else { panic!("there are two ports") };
        let url = match channel {
            None => format!("stratum+tcp://{v1}"),
            Some(_) => format!("stratum2+tcp://{v2}/{}", self.authority.key()),
        };
        let credentials = Credentials { user: user.to_owned(), password: "x".to_owned() };
        let mut pool = upstream::Pool::new(url.parse().unwrap(), credentials);
        pool.sv2_channel = channel.unwrap_or_default();
        pool
    }
}

/// Mines until so many shares are accepted.
async fn mine(pool: upstream::Pool, shares: u64) -> Stats {
    mine_on_channels(pool, shares, |miner| miner).await.0
}

/// The same, and how many of them were of each channel.
async fn mine_on_channels(
    pool: upstream::Pool,
    shares: u64,
    prepared: fn(Miner) -> Miner,
) -> (Stats, BTreeMap<u32, u64>) {
    let mut channels = BTreeMap::new();
    let backends = open(&Selection { threads: Some(1), ..Selection::of(Kind::Cpu) }).unwrap();
    let (found, from_engine) = tokio::sync::mpsc::unbounded_channel();
    let engine = Engine::start(backends, move |event| drop(found.send(event))).unwrap();
    let (handle, events) = spawn(vec![pool.into()]);
    let mut miner = prepared(Miner::new(engine, from_engine, handle, events));
    while miner.stats().accepted < shares {
        match timeout(PATIENCE, miner.next()).await.expect("nothing was said") {
            Event::Upstream(upstream::Event::Disconnected { error, .. }) => panic!("{error}"),
            Event::Upstream(upstream::Event::Answered { share, verdict: Ok(()), .. }) => {
                *channels.entry(share.origin.job.channel.unwrap_or_default()).or_default() += 1;
            }
            _ => {}
        }
    }
    (miner.finish(PATIENCE).await.0, channels)
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_are_found_on_each_kind_of_channel() {
    for channel in [ChannelKind::Extended, ChannelKind::Standard] {
        // Every share is a block, and voids the jobs before it.
        let regtest = regtest(1e-4, |_| {}).await;
        let stats = mine(regtest.url("alice", Some(channel)), 20).await;
        assert_eq!((stats.lost, stats.hardware_errors()), (0, 0));
        assert_eq!(u64::from(regtest.node.tip().borrow().height), 16 + stats.accepted, "{channel}");
        assert_eq!(regtest.counts.lock().unwrap()["alice"], [stats.accepted, stats.rejected], "{channel}");
    }
}

/// Shares of each come in, none twice and none to another's account; and where each is a block, all go on together.
#[tokio::test(flavor = "multi_thread")]
async fn several_channels_share_a_connection() {
    for channel in [ChannelKind::Extended, ChannelKind::Standard] {
        let several = |regtest: &Regtest| {
            let mut pool = regtest.url("alice", Some(channel));
            pool.channels = "5".parse().unwrap();
            pool
        };
        let easy = regtest(1e-4, |config| config.job_bits = Some(CompactTarget::from_consensus(0x1d00_ffff))).await;
        let (stats, of_channels) = mine_on_channels(several(&easy), 250, |miner| miner).await;
        assert_eq!((stats.rejected, stats.lost), (0, 0), "{channel}: {of_channels:?}");
        assert_eq!(easy.counts.lock().unwrap()["alice"], [stats.accepted, 0], "{channel}");
        assert!(of_channels.len() == 5 && of_channels.values().all(|shares| *shares > 5), "{channel}: {of_channels:?}");

        let (_, of_channels) = mine_on_channels(several(&easy), 5, Miner::with_one_share_a_job).await;
        assert_eq!(of_channels.into_values().collect::<Vec<_>>(), [1; 5], "{channel}");

        let blocks = regtest(1e-4, |_| {}).await;
        let (stats, of_channels) = mine_on_channels(several(&blocks), 20, |miner| miner).await;
        assert_eq!((stats.rejected, stats.lost), (0, 0), "{channel}: {of_channels:?}");
        assert_eq!(u64::from(blocks.node.tip().borrow().height), 16 + stats.accepted, "{channel}: {of_channels:?}");
    }
}

/// One pool, one judge: whatever its miners speak, it knows of each what that knows itself.
#[tokio::test(flavor = "multi_thread")]
async fn miners_of_both_protocols_share_a_pool() {
    let regtest = regtest(1e-3, |config| {
        // No share is a block, so that none is stale.
        config.job_bits = Some(CompactTarget::from_consensus(0x1d00_ffff));
        config.ports.iter_mut().for_each(|port| port.shares_per_minute = Some(600.0));
    })
    .await;
    let all = [("one", None), ("two", Some(ChannelKind::Extended)), ("three", Some(ChannelKind::Standard))];
    let mining = all.map(|(user, channel)| tokio::spawn(mine(regtest.url(user, channel), 100)));
    for ((user, _), mined) in all.into_iter().zip(mining) {
        let stats = mined.await.unwrap();
        assert_eq!((stats.rejected, stats.lost, stats.hardware_errors()), (0, 0, 0), "{user}");
        assert_eq!(regtest.counts.lock().unwrap()[user], [stats.accepted, 0], "{user}");
    }
}
