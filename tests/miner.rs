//! The miner with a real engine, on a pool that judges with the `bitcoin` crate: its shares are good, each goes out once,
//! and it finds its way back by itself.

mod common {
    pub(crate) mod regtest;
    pub(crate) mod scripted;
}

use common::regtest::Regtest;
use common::scripted::{self, job, listener};
use midstate::backend::{Kind, Selection, open};
use midstate::engine::Engine;
use midstate::miner::{Event, Miner, Stats};
use midstate::sha256::Hash;
use midstate::upstream::{self, Credentials, Pool, spawn};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// No wait takes as long, unless something is broken.
const PATIENCE: Duration = Duration::from_secs(30);
/// A share takes some 86,000 hashes.
const DIFFICULTY: f64 = 2e-5;

/// A miner on one thread, and what became of its shares.
struct Rig {
    miner: Miner,
    runtime: Runtime,
    accepted: usize,
    /// Rejected for jobs that the pool forgot when it was restarted, as it gives the same extranonce1 again.
    forgotten: usize,
    lost: usize,
    sessions: usize,
    /// The jobs of which there was no more.
    exhausted: Vec<String>,
    hashes: HashSet<Hash>,
}

impl Rig {
    fn of(url: &str) -> Rig {
        Rig::with(url, None)
    }

    /// With this kernel; without a name, the quickest.
    fn with(url: &str, kernel: Option<String>) -> Rig {
        let runtime = Runtime::new().unwrap();
        let inside = runtime.enter();
        let backends = open(&Selection { threads: Some(1), kernel, ..Selection::of(Kind::Cpu) }).unwrap();
        let (found, from_engine) = mpsc::unbounded_channel();
        let engine = Engine::start(backends, move |event| drop(found.send(event))).unwrap();
        let credentials = Credentials { user: "alice".to_owned(), password: "x".to_owned() };
        let (upstream, from_upstream) = spawn(vec![Pool::new(url.parse().unwrap(), credentials).into()]);
        let miner = Miner::new(engine, from_engine, upstream, from_upstream);
        drop(inside);
        Rig {
            miner,
            runtime,
            accepted: 0,
            forgotten: 0,
            lost: 0,
            sessions: 0,
            exhausted: Vec::new(),
            hashes: HashSet::new(),
        }
    }

    fn finish(self) -> (Stats, Vec<Event>) {
        self.runtime.block_on(self.miner.finish(Duration::from_secs(10)))
    }

    fn mine_until(&mut self, done: impl Fn(&Rig) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !done(self) {
            assert!(Instant::now() < end, "waited in vain");
            match self.runtime.block_on(async { timeout(PATIENCE, self.miner.next()).await }).unwrap() {
                Event::Upstream(upstream::Event::Connected { .. }) => self.sessions += 1,
                Event::Upstream(upstream::Event::Answered { share, verdict, .. }) => {
                    assert!(self.hashes.insert(share.hash), "twice: {}", share.hash);
                    match verdict {
                        Ok(()) => self.accepted += 1,
                        Err(error) if error.code == 21 && self.sessions > 1 => self.forgotten += 1,
                        Err(error) => panic!("{error}"),
                    }
                }
                Event::Upstream(upstream::Event::Lost(shares)) => {
                    self.lost += shares.len();
                    for share in shares {
                        assert!(self.hashes.insert(share.hash), "twice: {}", share.hash);
                    }
                }
                Event::Upstream(upstream::Event::Unreadable(error)) => panic!("{error}"),
                Event::Engine(event) => panic!("{event:?}"),
                Event::BadJob { error, .. } => panic!("{error}"),
                Event::Exhausted { id } => self.exhausted.push(id),
                Event::Upstream(_) | Event::Stale(_) | Event::Stats(_) => {}
            }
        }
    }
}

#[test]
fn shares_are_accepted_and_none_goes_out_twice_over_a_restart_of_the_pool() {
    let pool = Regtest::start(DIFFICULTY, None);
    let mut rig = Rig::of(&pool.url());
    rig.mine_until(|rig| rig.accepted >= 10);

    // The miner works while its pool goes away, so a share may be on its way.
    let restarting = std::thread::spawn(|| pool.restart());
    rig.mine_until(|rig| rig.sessions == 2);
    let before = rig.accepted;
    rig.mine_until(|rig| rig.accepted >= before + 10);

    // What the pool took, the miner knows of, but for what it calls lost.
    let pool = restarting.join().unwrap();
    let (accepted, forgotten, lost) = (rig.accepted, rig.forgotten, rig.lost);
    let (stats, said) = rig.finish();
    let late = |wanted: fn(&upstream::Event) -> usize| -> usize {
        said.iter().map(|event| if let Event::Upstream(event) = event { wanted(event) } else { 0 }).sum()
    };
    let accepted = accepted + late(|event| matches!(event, upstream::Event::Answered { .. }).into());
    let lost = lost + late(|event| if let upstream::Event::Lost(shares) = event { shares.len() } else { 0 });
    assert_eq!((stats.accepted, stats.lost), (accepted as u64, lost as u64));
    assert_eq!(stats.found, stats.accepted + stats.rejected + stats.stale + stats.lost);
    assert_eq!((stats.rejected, stats.hardware_errors()), (forgotten as u64, 0));
    assert_eq!(stats.blocks, stats.accepted);
    assert!(stats.hashes() > 0);
    let taken = pool.accepted();
    assert!((accepted..=accepted + lost + 1).contains(&taken), "{taken}: {accepted}, {lost}");
}

#[test]
fn a_pool_goes_on_when_a_miner_vanishes() {
    let pool = Regtest::start(DIFFICULTY, None);
    for _ in 0..2 {
        let mut rig = Rig::of(&pool.url());
        rig.mine_until(|rig| rig.accepted >= 3);
        drop(rig);
    }
    assert!(pool.accepted() >= 6);
}

/// Nearly every hash is a share: they come by the million in a second, and no answer comes.
#[test]
fn a_difficulty_that_is_far_too_low_does_not_fill_the_memory() {
    let (listener, port) = listener();
    let mut rig = Rig::of(&scripted::url(port));
    let (judged, judge) = std::sync::mpsc::channel();
    let pool = std::thread::spawn(move || {
        let mut pool = scripted::Pool::welcome(&listener);
        pool.call("mining.set_difficulty", &json!([1e-9]));
        pool.call("mining.notify", &job("easy"));
        // It reads, and answers at the end only.
        let mut submits = Vec::new();
        while judge.try_recv().is_err() {
            submits.push(pool.expect("mining.submit"));
            if submits.len() == 1000 {
                judge.recv().unwrap();
                break;
            }
        }
        for submit in &submits {
            pool.answer(submit, &json!(true));
        }
        while let Some(call) = pool.read() {
            if pool.try_send(json!({"id": call["id"], "result": true, "error": null}).to_string()).is_err() {
                break;
            }
        }
    });
    let end = Instant::now() + Duration::from_secs(2);
    rig.mine_until(|_| Instant::now() > end);
    let braked = rig.miner.stats();
    assert!((1000..100_000).contains(&braked.found), "{braked:?}");
    // Once they are answered, the search goes on.
    judged.send(()).unwrap();
    rig.mine_until(|rig| rig.accepted > braked.found as usize);
    let (stats, _) = rig.finish();
    assert_eq!(stats.found, stats.accepted + stats.rejected + stats.stale + stats.lost);
    pool.join().unwrap();
}

/// Each share is a block, and the pool takes them and never gives another job: it may know better. The first is waited for, and
/// then the search goes on as before it.
#[test]
fn a_pool_that_takes_a_block_and_gives_no_new_job_is_mined_for_after_a_while() {
    let (listener, port) = listener();
    let mut rig = Rig::of(&scripted::url(port));
    let pool = std::thread::spawn(move || {
        let mut pool = scripted::Pool::welcome(&listener);
        pool.call("mining.set_difficulty", &json!([DIFFICULTY]));
        let mut easy = job("easy");
        easy[6] = json!("207fffff");
        pool.call("mining.notify", &easy);
        let mut times = Vec::new();
        while let Some(submit) = pool.read() {
            times.push(Instant::now());
            pool.answer(&submit, &json!(true));
        }
        times
    });
    rig.mine_until(|rig| rig.accepted >= 100);
    let (stats, _) = rig.finish();
    assert_eq!(stats.found, stats.accepted + stats.rejected + stats.stale + stats.lost);
    let times = pool.join().unwrap();
    // Two seconds, but for what the first was slower on its way.
    assert!(times[1] - times[0] >= Duration::from_secs(1), "{:?}", times[1] - times[0]);
    // Had each been waited for, they would have taken minutes.
    assert!(times[99] - times[1] < Duration::from_secs(10), "{:?}", times[99] - times[1]);
}

/// The same work under one name after the other, with few bytes for the miner and nothing else to roll: of each the miner gets a
/// share, none of which it had before, as long as there is something to search; then it says so, and waits for something else.
#[test]
fn a_job_that_comes_again_and_again_is_searched_once() {
    for (size, times, exhausted) in [(1, 257, vec!["256"]), (2, 300, vec![])] {
        let (listener, port) = listener();
        let mut rig = Rig::of(&scripted::url(port));
        let (said, hears) = std::sync::mpsc::channel();
        let pool = std::thread::spawn(move || {
            let mut pool = scripted::Pool::welcome(&listener);
            pool.call("mining.set_version_mask", &json!(["00000000"]));
            pool.call("mining.set_extranonce", &json!(["f000000f", size]));
            pool.call("mining.set_difficulty", &json!([1e-6]));
            let mut notify = job("");
            // No later second can be.
            notify[7] = json!("ffffffff");
            for number in 0..times {
                notify[0] = json!(number.to_string());
                pool.call("mining.notify", &notify);
                if number < 1 << (8 * size) {
                    accept_until(&mut pool, &notify[0]);
                }
            }
            hears.recv().unwrap();
            notify[0] = json!("other");
            notify[1] = json!("0b".repeat(32));
            pool.call("mining.notify", &notify);
            accept_until(&mut pool, &notify[0]);
        });
        rig.mine_until(|rig| rig.exhausted.len() == exhausted.len());
        said.send(()).unwrap();
        rig.mine_until(|_| pool.is_finished());
        pool.join().unwrap();
        assert_eq!(rig.exhausted, exhausted);
        assert!(rig.accepted >= times.min(256), "{}", rig.accepted);
    }
}

/// Nearly every hash is a share: of each job one is sent, and nothing is searched until the next.
#[test]
fn where_that_is_asked_for_each_job_has_one_share() {
    let (listener, port) = listener();
    let mut rig = Rig::of(&scripted::url(port));
    rig.miner = rig.miner.with_one_share_a_job();
    let pool = std::thread::spawn(move || {
        let mut pool = scripted::Pool::welcome(&listener);
        pool.call("mining.set_difficulty", &json!([1e-9]));
        for number in 0..10 {
            let mut notify = job(&number.to_string());
            pool.call("mining.notify", &notify);
            // Another would come before that of the next job.
            let submit = pool.expect("mining.submit");
            assert_eq!(submit["params"][1], notify[0]);
            pool.answer(&submit, &json!(true));
            std::thread::sleep(Duration::from_millis(50));
            // The same again, as some pools do.
            notify[8] = json!(false);
            pool.call("mining.notify", &notify);
            std::thread::sleep(Duration::from_millis(50));
        }
        pool
    });
    rig.mine_until(|_| pool.is_finished());
    let hashes = rig.miner.stats().hashes();
    let wait = Instant::now() + Duration::from_millis(200);
    rig.mine_until(|_| Instant::now() > wait);
    assert_eq!(rig.miner.stats().hashes(), hashes);
    let (stats, _) = rig.finish();
    assert_eq!((stats.found, stats.accepted), (10, 10));
    drop(pool.join().unwrap());
}

/// On one thread, whatever the kernel.
#[test]
fn a_seed_says_which_shares_are_found_and_in_which_order() {
    let shares = |seed: u64, kernel: Option<&str>| {
        let (listener, port) = listener();
        let mut rig = Rig::with(&scripted::url(port), kernel.map(str::to_owned));
        rig.miner = rig.miner.with_seed(seed);
        let pool = std::thread::spawn(move || {
            let mut pool = scripted::Pool::welcome(&listener);
            pool.call("mining.set_difficulty", &json!([DIFFICULTY]));
            pool.call("mining.notify", &job("1"));
            for _ in 0..30 {
                let submit = pool.expect("mining.submit");
                pool.answer(&submit, &json!(true));
            }
            pool
        });
        rig.mine_until(|_| pool.is_finished());
        pool.join().unwrap().submits
    };
    let one = shares(7, Some("portable"));
    assert_eq!((&one[0][2], &one[0][5]), (&json!("07000000"), &json!("0000e000")));
    assert_eq!(one, shares(7, None));
    assert_ne!(one, shares(8, Some("portable")));
}

/// Accepts shares, up to the first of this job.
fn accept_until(pool: &mut scripted::Pool, job: &Value) {
    loop {
        let submit = pool.expect("mining.submit");
        pool.answer(&submit, &json!(true));
        if submit["params"][1] == *job {
            break;
        }
    }
}
