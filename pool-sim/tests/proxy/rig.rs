//! A pool, proxies on it, and what they say.

use midstate_stratum::Difficulty;
use pool_sim::chain::Params;
use pool_sim::faults::{Faults, Scenario};
use pool_sim::node::Node;
use pool_sim::pool::{
    Pool, PoolConfig, PoolEvent, Port, ProxyConfig, Refusal, UpstreamConfig, UpstreamCounts, UpstreamEvent,
};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// How many hashes a share takes.
pub(super) fn hashes(number: f64) -> Difficulty {
    Difficulty::new(number / 2f64.powi(32)).unwrap()
}

/// What a pool or a proxy said.
#[derive(Default)]
pub(super) struct Said {
    pub(super) accepted: u64,
    pub(super) refused: Vec<Refusal>,
    /// Connections' ends.
    pub(super) left: Vec<String>,
    /// Why an upstream was lost.
    pub(super) lost: Vec<String>,
    /// Whether each connection to an upstream resumed a session.
    pub(super) connected: Vec<bool>,
    pub(super) messages: Vec<String>,
    pub(super) blocks: u64,
}

/// A pool or a proxy.
pub(super) struct Rig {
    pub(super) pool: Pool,
    pub(super) faults: Arc<Faults>,
    said: Arc<Mutex<Said>>,
}

fn listener() -> (Arc<Mutex<Said>>, impl Fn(PoolEvent) + Send + Sync + 'static) {
    let said = Arc::new(Mutex::new(Said::default()));
    let noted = Arc::clone(&said);
    let on_event = move |event| {
        let mut said = noted.lock().unwrap();
        match event {
            PoolEvent::Share(record) => match record.verdict {
                Ok(()) => said.accepted += 1,
                Err(refusal) => said.refused.push(refusal),
            },
            PoolEvent::Left { reason, .. } => said.left.push(reason),
            PoolEvent::Block { .. } => said.blocks += 1,
            PoolEvent::Upstream(UpstreamEvent::Lost { reason, .. }) => said.lost.push(reason),
            PoolEvent::Upstream(UpstreamEvent::Connected { resumed, .. }) => said.connected.push(resumed),
            PoolEvent::Upstream(UpstreamEvent::Message(text)) => said.messages.push(text),
            _ => {}
        }
    };
    (said, on_event)
}

fn anywhere() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

impl Rig {
    /// A pool on a new chain, whose shares are no blocks.
    pub(super) async fn pool(difficulty: Difficulty) -> Rig {
        Rig::pool_at(anywhere(), difficulty, |config| {
            config.job_bits = Some(bitcoin::CompactTarget::from_consensus(0x1d00_ffff));
        })
        .await
    }

    pub(super) async fn pool_at(
        listen: SocketAddr,
        difficulty: Difficulty,
        change: impl FnOnce(&mut PoolConfig),
    ) -> Rig {
        let node = Node::new(Params::regtest());
        let pay_to = pool_sim::anyone_can_spend().script_pubkey();
        node.premine(16, &pay_to).unwrap();
        let (faults, (said, on_event)) = (Arc::new(Faults::new(Scenario::empty())), listener());
        let mut config = PoolConfig::new(listen, difficulty, pay_to).with_faults(&faults);
        change(&mut config);
        let pool = Pool::start(node, config, on_event).await.unwrap();
        Rig { pool, faults, said }
    }

    /// A proxy on a pool or a proxy, whose port begins with that difficulty.
    pub(super) async fn proxy(upstream: &Rig, difficulty: Difficulty) -> Rig {
        Rig::proxy_with(upstream.pool.address(), Port::new(anywhere(), difficulty)).await
    }

    pub(super) async fn proxy_with(upstream: SocketAddr, port: Port) -> Rig {
        Rig::playing(Scenario::empty(), upstream, port).await
    }

    /// A proxy that does to its miners what a scenario says.
    pub(super) async fn playing(scenario: Scenario, upstream: SocketAddr, port: Port) -> Rig {
        let (faults, (said, on_event)) = (Arc::new(Faults::new(scenario)), listener());
        let upstream = UpstreamConfig {
            url: upstream.to_string().parse().unwrap(),
            user: "proxy".to_owned(),
            password: "x".to_owned(),
        };
        let config = ProxyConfig::new(upstream, vec![port]).with_faults(&faults);
        Rig { pool: Pool::proxy(config, on_event).await.unwrap(), faults, said }
    }

    pub(super) fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap()
    }

    pub(super) fn counts(&self) -> UpstreamCounts {
        self.pool.upstream().unwrap()
    }

    /// Has a fault done now, as a rule's `what` is written.
    pub(super) fn fault(&self, what: &serde_json::Value) {
        let rule = serde_json::json!({"what": what, "when": {"at": "0s"}});
        self.faults.add(serde_json::from_value(rule).unwrap()).unwrap();
    }
}

/// Waits until something is so.
pub(super) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Downstream's counts and the upstream's, of a proxy and what is behind it, once all shares have their word.
pub(super) async fn sums_close(proxy: &Rig, upstream: &Rig) {
    let settled = |counts: &UpstreamCounts| counts.accepted + counts.all_refused() + counts.lost == counts.handed_on;
    until("all shares have the upstream's word", || settled(&proxy.counts())).await;
    let counts = proxy.counts();
    let (said, judged) = (proxy.said(), upstream.said());
    let kinds = |refused: &[Refusal]| {
        let mut kinds = BTreeMap::new();
        for refusal in refused {
            *kinds.entry(refusal.kind().1).or_insert(0u64) += 1;
        }
        kinds
    };
    let (here, there) = (kinds(&said.refused), kinds(&judged.refused));
    // What was lost on the way there or back may have been judged or not.
    let sums = format!("{counts:?}; here: {} and {here:?}, there: {} and {there:?}", said.accepted, judged.accepted);
    assert!((counts.accepted..=counts.accepted + counts.lost).contains(&judged.accepted), "{sums}");
    let refused = judged.refused.len() as u64;
    assert!((counts.all_refused()..=counts.all_refused() + counts.lost).contains(&refused), "{sums}");
    assert!(said.accepted >= counts.accepted, "{sums}");
    assert_eq!(here.get("upstream").copied().unwrap_or(0), counts.all_refused(), "{sums}");
    for kind in ["duplicate", "low-difficulty", "version-bits", "extranonce2", "unknown-job", "ntime"] {
        assert!(!here.contains_key(kind) && !there.contains_key(kind), "{sums}; {:?}", said.refused);
    }
}
