//! Several pools at once, each with its part of the shares. The clock is turned by hand; pools and device are simulated.

mod common {
    pub(crate) mod joined;
    pub(crate) mod scripted;
}
mod simulated {
    pub(crate) mod clock;
    pub(crate) mod device;
    pub(crate) mod miner;
    pub(crate) mod pool;
}

use common::joined::pool;
use midstate::miner::Event;
use midstate::upstream::{self, Source};
use simulated::clock::{Activity, Clock};
use simulated::device::Due;
use simulated::miner::{Driven, run};
use simulated::pool::{Do, Pool};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

struct Rig {
    clock: Clock,
    pools: Vec<Arc<Pool>>,
    due: Due,
    /// It notes how many shares are lost.
    miner: Driven<u64>,
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
        let sources = pools.iter().zip(quotas).map(|(pool, quota)| source(pool, *quota)).collect();
        let miner = Driven::start(sources, &due, &activity, 0, |lost, event| {
            if let Event::Upstream(upstream::Event::Lost(shares)) = event {
                *lost += shares.len() as u64;
            }
        });
        Rig { clock, pools, due, miner }
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
        let (stats, lost) = self.miner.finish(&self.clock).await;
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
        rig.miner.sources.send(vec![source(first, 3), source(second, 1), source(third, 1)]).unwrap();
        rig.minutes(1).await;
        assert_parts(&rig.minutes(20).await, &[60, 20, 20]);
        rig.miner.sources.send(vec![source(second, 1), source(third, 0)]).unwrap();
        rig.minutes(1).await;
        assert_parts(&rig.minutes(10).await, &[0, 100, 0]);
        rig.finish().await;
    });
}
