//! Several pools at once, each with its part of the shares. The clock is turned by hand; pools and device are simulated.

mod common {
    pub(crate) mod joined;
    pub(crate) mod scripted;
}
mod simulated {
    pub(crate) mod clock;
    pub(crate) mod device;
    pub(crate) mod pool;
}

use common::joined::pool;
use midstate::engine::Engine;
use midstate::miner::{Event, Miner, Stats};
use midstate::upstream::{self, Source, spawn};
use simulated::clock::{Activity, Clock};
use simulated::device::{Device, Due};
use simulated::pool::{Do, Pool};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

struct Rig {
    clock: Clock,
    pools: Vec<Arc<Pool>>,
    due: Due,
    sources: mpsc::UnboundedSender<Vec<Source>>,
    driven: JoinHandle<(Stats, u64)>,
}

fn source(pool_there: &Pool, quota: u32) -> Source {
    Source::Pool(upstream::Pool { quota: NonZeroU32::new(quota), ..pool(pool_there.port) })
}

impl Rig {
    /// A miner with these quotas, each at a pool of its own; 0 is none.
    async fn with(quotas: &[u32]) -> Rig {
        let (activity, due) = (Activity::default(), Due::default());
        let clock = Clock::stop(&activity);
        let mut pools = Vec::new();
        for number in 1..=quotas.len() {
            pools.push(Pool::new(&activity, (number as u32) << 16, 1 << 12).listen().await);
        }
        let (found, from_engine) = mpsc::unbounded_channel();
        let counted = Arc::clone(&activity);
        let engine = Engine::start(vec![Device::boxed(&due)], move |event| {
            counted.fetch_add(1, Ordering::Relaxed);
            let _ = found.send(event);
        });
        let sources = pools.iter().zip(quotas).map(|(pool, quota)| source(pool, *quota)).collect();
        let (upstream, from_upstream) = spawn(sources);
        let miner = Miner::new(engine.unwrap(), from_engine, upstream, from_upstream);
        let (sources, wanted) = mpsc::unbounded_channel();
        let driven = tokio::spawn(drive(miner, activity, wanted));
        Rig { clock, pools, due, sources, driven }
    }

    /// Lets minutes pass with a share a second. How many each pool took of them.
    async fn minutes(&self, minutes: u64) -> Vec<usize> {
        let before = self.accepted();
        for _ in 0..60 * minutes {
            self.due.fetch_add(1, Ordering::Relaxed);
            self.clock.pass(Duration::from_secs(1)).await;
        }
        self.accepted().iter().zip(before).map(|(after, before)| after - before).collect()
    }

    fn accepted(&self) -> Vec<usize> {
        self.pools.iter().map(|pool| pool.ledger.lock().unwrap().accepted).collect()
    }

    /// The miner's sums close, and no pool had a share that is not its own.
    async fn finish(self) {
        drop(self.sources);
        while !self.driven.is_finished() {
            self.clock.pass(Duration::from_secs(1)).await;
        }
        let (stats, lost) = self.driven.await.unwrap();
        assert_eq!((stats.found, stats.lost), (stats.accepted + stats.rejected + stats.stale + stats.lost, lost));
        assert_eq!((stats.rejected, stats.in_flight), (0, 0));
        // Pools that went away took some with them.
        assert!(stats.lost + stats.stale <= 20, "{stats:?}");
        for pool in &self.pools {
            let ledger = pool.ledger.lock().unwrap();
            assert_eq!((ledger.doubled, ledger.wrong.len(), ledger.stale), (0, 0, 0));
        }
    }
}

async fn drive(
    mut miner: Miner,
    activity: Activity,
    mut sources: mpsc::UnboundedReceiver<Vec<Source>>,
) -> (Stats, u64) {
    let mut lost = 0;
    let mut note = |event: &Event| {
        if let Event::Upstream(upstream::Event::Lost(shares)) = event {
            lost += shares.len() as u64;
        }
    };
    loop {
        tokio::select! {
            event = miner.next() => {
                if !matches!(event, Event::Stats(_)) {
                    activity.fetch_add(1, Ordering::Relaxed);
                }
                note(&event);
            }
            wanted = sources.recv() => match wanted {
                Some(wanted) => miner.set_sources(wanted),
                None => break,
            },
        }
    }
    let (stats, said) = miner.finish(Duration::from_secs(10)).await;
    for event in &said {
        note(event);
    }
    (stats, lost)
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(test);
    runtime.shutdown_background();
}

/// Each pool's part, in percent.
#[track_caller]
fn assert_parts(shares: &[usize], parts: &[usize]) {
    let all: usize = shares.iter().sum();
    for (share, part) in shares.iter().zip(parts) {
        assert!((share * 100).abs_diff(part * all) <= 2 * all, "{shares:?} are not {parts:?}");
    }
}

#[test]
fn each_pool_has_its_part_and_those_without_one_wait() {
    run(async {
        let rig = Rig::with(&[70, 30, 0]).await;
        rig.minutes(1).await;
        assert_parts(&rig.minutes(20).await, &[70, 30, 0]);
        // While one is away, the other has all.
        rig.pools[0].manners().away = true;
        rig.pools[0].order(Do::HangUp(""));
        rig.minutes(1).await;
        assert_parts(&rig.minutes(10).await, &[0, 100, 0]);
        // While both are, the one without a quota has it.
        rig.pools[1].manners().away = true;
        rig.pools[1].order(Do::HangUp(""));
        rig.minutes(1).await;
        assert_parts(&rig.minutes(10).await, &[0, 0, 100]);
        // Those that come back have their parts, and not what they missed.
        for pool in &rig.pools {
            pool.manners().away = false;
        }
        rig.minutes(1).await;
        assert_parts(&rig.minutes(20).await, &[70, 30, 0]);
        rig.finish().await;
    });
}

#[test]
fn quotas_and_sources_change_while_the_sessions_go_on() {
    run(async {
        let rig = Rig::with(&[1, 1, 2]).await;
        rig.minutes(1).await;
        assert_parts(&rig.minutes(20).await, &[25, 25, 50]);
        let [first, second, third] = [0, 1, 2].map(|pool| &*rig.pools[pool]);
        rig.sources.send(vec![source(first, 3), source(second, 1), source(third, 1)]).unwrap();
        rig.minutes(1).await;
        assert_parts(&rig.minutes(20).await, &[60, 20, 20]);
        rig.sources.send(vec![source(second, 1), source(third, 0)]).unwrap();
        rig.minutes(1).await;
        assert_parts(&rig.minutes(10).await, &[0, 100, 0]);
        rig.finish().await;
    });
}
