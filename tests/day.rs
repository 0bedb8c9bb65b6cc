//! A simulated day with a fault every minute: each share that was found has one fate, none is sent twice, and nothing grows.
//!
//! The clock is stopped and turned by hand; sockets, threads and the engine are real. Only the device is not, so that shares come when
//! they should.

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
use midstate::job::Share;
use midstate::miner::{Event, Stats};
use midstate::upstream;
use proptest::test_runner::{RngAlgorithm, TestRng};
use simulated::clock::{Activity, Clock};
use simulated::device::Due;
use simulated::miner::{Driven, run};
use simulated::pool::{Answers, Do, Pool};
use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Counts what is allocated and not freed yet.
struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: it is the system's allocator, with a counter that allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the promises that `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the promises that `System` asks for.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const HOURS: usize = 24;
/// Seconds from one share to the next.
const APART: u64 = 5;
/// There is room for so many shares from the beginning, so that what the test notes does not count as growth.
const ROOM: usize = 1 << 15;

/// What became of the shares, as the miner said.
struct Fates {
    known: HashSet<[u8; 8]>,
    accepted: u64,
    rejected: u64,
    lost: u64,
    stale: u64,
    resumed: usize,
    doubled: Vec<String>,
}

impl Fates {
    fn note(&mut self, event: &Event) {
        let mut ended = |shares: &[Share], count: fn(&mut Fates) -> &mut u64| {
            *count(self) += shares.len() as u64;
            for share in shares {
                if !self.known.insert(share.hash.0[..8].try_into().unwrap()) {
                    self.doubled.push(share.hash.to_string());
                }
            }
        };
        match event {
            Event::Upstream(upstream::Event::Answered { share, verdict: Ok(()), .. }) => {
                ended(std::slice::from_ref(share), |fates| &mut fates.accepted);
            }
            Event::Upstream(upstream::Event::Answered { share, verdict: Err(_), .. }) => {
                ended(std::slice::from_ref(share), |fates| &mut fates.rejected);
            }
            Event::Upstream(upstream::Event::Lost(shares)) => ended(shares, |fates| &mut fates.lost),
            Event::Stale(shares) => ended(shares, |fates| &mut fates.stale),
            Event::Upstream(upstream::Event::Connected { resumed: true, .. }) => self.resumed += 1,
            _ => {}
        }
    }
}

/// The whole of it: two pools, a miner with both in this order, and the clock.
struct Day {
    clock: Clock,
    first: Arc<Pool>,
    second: Arc<Pool>,
    due: Due,
    miner: Driven<Fates>,
}

impl Day {
    fn sources(&self, first: bool) {
        let mut sources = vec![pool(self.first.port).into(), pool(self.second.port).into()];
        if !first {
            sources.reverse();
        }
        self.miner.sources.send(sources).unwrap();
    }

    /// What goes wrong now, and for how many seconds; then [`Day::mend`] makes everything well.
    fn fault(&self, number: u64) -> u64 {
        let pool = &self.first;
        match number {
            0 => pool.order(Do::HangUp("")),
            1 => {
                pool.manners().away = true;
                pool.order(Do::HangUp(""));
                return 20;
            }
            // Left after 90 s.
            2 => pool.order(Do::FallSilent),
            3 => {
                pool.manners().answers = Answers::Never;
                return 25;
            }
            4 => {
                pool.forget_sessions();
                pool.order(Do::HangUp(""));
            }
            5 => pool.change_extranonce1(),
            6 => {
                let mut manners = pool.manners();
                manners.ease = 26 + (manners.ease + 1) % 4;
                drop(manners);
                pool.add_job(false);
            }
            7 => (0..20).for_each(|_| pool.order(Do::Send("\u{7f}{]\n".to_owned()))),
            8 => {
                pool.manners().answers = Answers::No;
                return 40;
            }
            9 => (0..1000).for_each(|_| pool.add_job(true)),
            10 => pool.order(Do::Send("{\"id\":null,\"method\":\"client.reconnect\",\"params\":[]}\n".to_owned())),
            11 => {
                let mask =
                    |mask| format!("{{\"id\":null,\"method\":\"mining.set_version_mask\",\"params\":[\"{mask}\"]}}\n");
                pool.order(Do::Send(mask("00000000")));
                pool.order(Do::Send(mask("1fffe000")));
            }
            12 => {
                pool.manners().answers = Answers::Late(20);
                return 45;
            }
            13 => {
                pool.manners().answers = Answers::Twice;
                return 10;
            }
            14 => pool.order(Do::HangUp("{\"id\":null,\"method\":\"mining.no")),
            15 => {
                pool.manners().refuses_user = true;
                pool.order(Do::HangUp(""));
                return 15;
            }
            16 => pool.add_job(true),
            17 => {
                for pool in [&self.first, &self.second] {
                    pool.manners().away = true;
                    pool.order(Do::HangUp(""));
                }
                return 20;
            }
            18 => {
                self.sources(false);
                return 30;
            }
            // Many at once.
            _ => {
                pool.manners().answers = Answers::Never;
                self.due.fetch_add(50, Ordering::Relaxed);
                return 10;
            }
        }
        1
    }

    const FAULTS: u64 = 20;

    fn mend(&self, number: u64) {
        for pool in [&self.first, &self.second] {
            let was_silent = std::mem::take(&mut pool.manners().answers) == Answers::Never;
            pool.manners().away = false;
            pool.manners().refuses_user = false;
            if was_silent {
                // What was not answered never will be.
                pool.order(Do::HangUp(""));
            }
        }
        if number == 18 {
            self.sources(true);
        }
    }

    /// A minute of two shares each ten seconds, with a fault at its beginning.
    async fn minute(&self, number: u64) {
        let mended = self.fault(number);
        let mut second = 0_u64;
        while second < 60 {
            // What needs a close look happens within ten seconds of a change.
            let step = if second % 30 < 10 || second.abs_diff(mended) < 10 { 1 } else { APART };
            for _ in 0..2 {
                self.clock.pass(Duration::from_millis(500 * step)).await;
            }
            if (second / APART) != (second + step) / APART {
                self.due.fetch_add(1, Ordering::Relaxed);
            }
            if (second..second + step).contains(&mended) {
                self.mend(number);
            }
            second += step;
        }
    }
}

async fn day() {
    let (activity, due) = (Activity::default(), Due::default());
    let clock = Clock::stop(&activity);
    let before = LIVE.load(Ordering::Relaxed);
    let [first, second] = [1 << 16, 2 << 16].map(|extranonce1| Pool::new(&activity, extranonce1, ROOM));
    let known = HashSet::with_capacity(ROOM);
    let notes = LIVE.load(Ordering::Relaxed) - before;
    let [first, second] = [first.listen().await, second.listen().await];
    let sources = vec![pool(first.port).into(), pool(second.port).into()];
    let fates = Fates { known, accepted: 0, rejected: 0, lost: 0, stale: 0, resumed: 0, doubled: Vec::new() };
    let miner = Driven::start(sources, &due, &activity, fates, Fates::note);
    let day = Day { clock, first, second, due, miner };

    let mut random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut live = Vec::new();
    for _ in 0..HOURS {
        for minute in 0..60 {
            // Each at least once an hour; the last minutes are quiet, so that hours can be compared.
            let fault = if minute < Day::FAULTS { minute } else { rand_below(&mut random, Day::FAULTS) };
            day.minute(if minute < 57 { fault } else { 13 }).await;
        }
        live.push(LIVE.load(Ordering::Relaxed) - notes);
    }

    let Day { clock, first, second, miner, .. } = day;
    let (stats, fates) = miner.finish(&clock).await;
    let Stats { found, accepted, rejected, stale, lost, in_flight, .. } = stats;
    println!(
        "{found} found, {accepted} accepted, {rejected} rejected, {stale} stale, {lost} lost; {} sessions resumed",
        fates.resumed
    );
    println!("live bytes at the end of each hour: {live:?}");
    assert_eq!((found, in_flight), (accepted + rejected + stale + lost, 0));
    assert_eq!((fates.accepted, fates.rejected, fates.stale, fates.lost), (accepted, rejected, stale, lost));
    assert_eq!(fates.doubled, [""; 0]);
    assert_eq!(fates.known.len() as u64, found);
    let mut judged = [0; 3];
    for pool in [&first, &second] {
        let ledger = pool.ledger.lock().unwrap();
        assert_eq!(ledger.doubled, 0);
        assert_eq!(ledger.wrong, [""; 0]);
        for (sum, count) in judged.iter_mut().zip([ledger.accepted, ledger.rejected, ledger.stale]) {
            *sum += count as u64;
        }
    }
    println!("the pools took {}, rejected {}, and found {} stale", judged[0], judged[1], judged[2]);
    // What a pool took and the miner does not know to be taken, it calls lost.
    assert!((accepted..=accepted + lost).contains(&judged[0]));
    assert!((rejected..=rejected + lost).contains(&(judged[1] + judged[2])));
    // The day has 17,280 shares, but for the time in which there is nothing to work on.
    assert!(found > 17_000 && accepted > found / 2, "{found}, {accepted}");
    assert!(fates.resumed > 100);
    // Buffers come and go by a few kilobytes from hour to hour. In the first hours they grow to what the faults need.
    let six = |from: usize| live[from..from + 6].iter().sum::<usize>();
    assert!(six(HOURS - 6) * 100 <= six(6) * 105, "{live:?}");
}

fn rand_below(random: &mut TestRng, limit: u64) -> u64 {
    use proptest::prelude::Rng;
    random.next_u64() % limit
}

#[test]
fn a_day_with_a_fault_every_minute() {
    run(day());
}
