//! Pools that stay on a block from which the chain has gone on. The clock is turned by hand; pools and device are simulated.

mod common {
    pub(crate) mod joined;
    pub(crate) mod scripted;
}
mod simulated {
    pub(crate) mod clock;
    pub(crate) mod device;
    pub(crate) mod miner;
    pub(crate) mod pool;
    #[cfg(feature = "v2")]
    pub(crate) mod v2;
}

use common::joined::pool;
use midstate::miner::Event;
use midstate::upstream::{self, SessionError, Source};
use simulated::clock::{Activity, Clock};
use simulated::device::Due;
use simulated::miner::{Driven, run};
use simulated::pool::Pool;
use std::num::NonZeroU32;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What the miner said, in words, of the pool of this number.
type Said = Arc<Mutex<Vec<(usize, &'static str)>>>;

/// What an event says of a session or a tip, and of which pool.
fn of_tips(event: &Event) -> Option<(&str, &'static str)> {
    let Event::Upstream(event) = event else { return None };
    match event {
        upstream::Event::Connected { url, .. } => Some((url, "connected")),
        upstream::Event::OldTip { url, .. } => Some((url, "outdated")),
        upstream::Event::Disconnected { url, error: SessionError::OldTip(_), .. } => Some((url, "left")),
        upstream::Event::Disconnected { url, error: SessionError::Better { .. }, .. } => {
            Some((url, "left for a better"))
        }
        upstream::Event::Disconnected { error, .. } => panic!("{error}"),
        _ => None,
    }
}

struct Rig {
    clock: Clock,
    pools: Vec<Arc<Pool>>,
    due: Due,
    said: Said,
    miner: Driven<Said>,
}

impl Rig {
    /// A miner with so many pools, all on tip 1; in order, or with equal quotas.
    async fn with(number: usize, quota: Option<NonZeroU32>) -> Rig {
        let (activity, due) = (Activity::default(), Due::default());
        let clock = Clock::stop(&activity);
        let mut pools = Vec::new();
        for number in 1..=number {
            pools.push(Pool::new(&activity, (number as u32) << 16, 1 << 12).listen().await);
        }
        let sources = pools.iter().map(|there| Source::Pool(upstream::Pool { quota, ..pool(there.port) })).collect();
        let ports: Vec<_> = pools.iter().map(|pool| pool.port).collect();
        let said = Said::default();
        let miner = Driven::start(sources, &due, &activity, Arc::clone(&said), move |said, event| {
            let Some((url, what)) = of_tips(event) else { return };
            let place = ports.iter().position(|port| url.ends_with(&port.to_string())).unwrap();
            said.lock().unwrap().push((place, what));
        });
        Rig { clock, pools, due, said, miner }
    }

    /// Lets so many seconds pass, with a share in each and a job from each pool in each half a minute.
    async fn seconds(&self, seconds: u64) {
        for second in 0..seconds {
            if second % 30 == 29 {
                self.pools.iter().for_each(|pool| pool.add_job(false));
            }
            self.due.fetch_add(1, Ordering::Relaxed);
            self.clock.pass(Duration::from_secs(1)).await;
        }
    }

    /// What was said since it was asked for.
    fn said(&self) -> Vec<(usize, &'static str)> {
        std::mem::take(&mut self.said.lock().unwrap())
    }

    fn accepted(&self, place: usize) -> usize {
        self.pools[place].ledger.lock().unwrap().accepted
    }

    async fn finish(self) {
        let (stats, _) = self.miner.finish(&self.clock).await;
        assert_eq!(stats.found, stats.accepted + stats.rejected + stats.stale + stats.lost);
    }
}

#[test]
fn a_pool_on_an_old_tip_gives_way_to_the_next_and_comes_back_with_a_new_one() {
    run(async {
        let rig = Rig::with(2, None).await;
        rig.seconds(5).await;
        assert_eq!(rig.said(), [(0, "connected")]);
        // It goes back for less than a minute, as a reorganisation may.
        for tip in [2, 1] {
            rig.pools[0].build_on(tip, true);
            rig.pools[1].build_on(2, true);
            rig.seconds(50).await;
        }
        rig.pools[0].build_on(2, true);
        rig.seconds(20).await;
        assert_eq!(rig.said(), []);
        // And for more.
        rig.pools[0].build_on(1, true);
        rig.seconds(50).await;
        assert_eq!(rig.said(), []);
        rig.seconds(30).await;
        assert_eq!(rig.said(), [(0, "outdated"), (0, "left"), (1, "connected")]);
        let accepted = rig.accepted(1);
        rig.seconds(100).await;
        assert!(rig.said().is_empty() && rig.accepted(1) >= accepted + 90);

        rig.pools[0].build_on(3, true);
        rig.seconds(10).await;
        assert_eq!(rig.said(), [(1, "left for a better"), (0, "connected")]);
        // What one left is old for the other.
        rig.seconds(100).await;
        assert_eq!(rig.said(), []);
        rig.finish().await;
    });
}

#[test]
fn without_another_on_a_newer_tip_a_pool_is_kept_with_a_warning() {
    for number in [1, 2] {
        run(async {
            let rig = Rig::with(number, None).await;
            rig.seconds(5).await;
            for tip in [2, 1] {
                rig.pools.iter().for_each(|pool| pool.build_on(tip, true));
                rig.seconds(30).await;
            }
            rig.seconds(120).await;
            assert_eq!(rig.said(), [(0, "connected"), (0, "outdated")]);
            let accepted = rig.accepted(0);
            rig.seconds(30).await;
            assert!(rig.accepted(0) >= accepted + 28);
            // Once it was well, it is told again.
            for tip in [3, 1] {
                rig.pools.iter().for_each(|pool| pool.build_on(tip, true));
                rig.seconds(90).await;
            }
            assert_eq!(rig.said(), [(0, "outdated")]);
            rig.finish().await;
        });
    }
}

#[test]
fn of_several_with_quotas_one_on_an_old_tip_has_no_part() {
    run(async {
        let rig = Rig::with(2, NonZeroU32::new(1)).await;
        rig.seconds(5).await;
        // The first does not hear of the new block.
        rig.pools[1].build_on(2, true);
        rig.seconds(100).await;
        let mut said = rig.said();
        said.sort_unstable();
        assert_eq!(said, [(0, "connected"), (0, "outdated"), (1, "connected")]);
        let accepted = rig.accepted(0);
        rig.seconds(60).await;
        assert_eq!(rig.accepted(0), accepted);
        rig.pools[0].build_on(2, true);
        rig.seconds(60).await;
        assert!(rig.accepted(0) >= accepted + 20, "{}", rig.accepted(0) - accepted);
        assert_eq!(rig.said(), []);
        rig.finish().await;
    });
}

#[cfg(feature = "v2")]
#[test]
fn a_pool_of_v2_on_an_old_tip_gives_way_too() {
    run(async {
        let (activity, due) = (Activity::default(), Due::default());
        let clock = Clock::stop(&activity);
        let first = simulated::v2::V2::listen(&activity).await;
        let second = Pool::new(&activity, 0, 1 << 12).listen().await;
        let mut of_v2 = pool(first.port);
        of_v2.url = format!("stratum2+tcp://127.0.0.1:{}/{}", first.port, first.authority.key()).parse().unwrap();
        let sources = vec![Source::Pool(of_v2), Source::Pool(pool(second.port))];
        let said = Said::default();
        let miner = Driven::start(sources, &due, &activity, Arc::clone(&said), |said, event| {
            let Some((url, what)) = of_tips(event) else { return };
            said.lock().unwrap().push((usize::from(!url.starts_with("stratum2")), what));
        });
        let seconds = async |seconds| {
            for _ in 0..seconds {
                due.fetch_add(1, Ordering::Relaxed);
                clock.pass(Duration::from_secs(1)).await;
            }
            std::mem::take(&mut *said.lock().unwrap())
        };
        assert_eq!(seconds(5).await, [(0, "connected")]);
        assert!(first.accepted.load(Ordering::Relaxed) > 0);
        // Back on the block from which it went on.
        for tip in [2, 1] {
            first.build_on(tip);
            assert_eq!(seconds(10).await, []);
        }
        second.build_on(9, true);
        assert_eq!(seconds(80).await, [(0, "outdated"), (0, "left"), (1, "connected")]);
        first.build_on(3);
        assert_eq!(seconds(20).await, [(1, "left for a better"), (0, "connected")]);
        let (stats, _) = miner.finish(&clock).await;
        assert_eq!(stats.found, stats.accepted + stats.rejected + stats.stale + stats.lost);
    });
}
