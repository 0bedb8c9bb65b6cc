//! Promises, measured: a new tip reaches every thread of the CPU backend, a share that is found reaches the pool, and a
//! cancelled search returns. And what it costs to be given new work twenty times a second.
//!
//! Not criterion's business, since the worst case counts. `cargo bench` measures 100 times, or as often as it is told; `cargo test`,
//! which runs benches too, three times.
//!
//!     cargo bench -p midstate --bench latency -- [ROUNDS]

mod common;
#[path = "../tests/common/scripted.rs"]
mod scripted;

use bitcoin::hashes::Hash;
use common::{fastest_cpu, usable_backends, work};
use midstate::backend::cpu::Cpu;
use midstate::backend::registry::usable_threads;
use midstate::backend::{Backend, Cancel, Identity, SearchError};
use midstate::engine::Engine;
use midstate::miner::Miner;
#[cfg(feature = "v2")]
use midstate::upstream::ChannelKind;
use midstate::upstream::{self, Credentials, Pool, PoolUrl};
use midstate::work::{Candidate, Work};
use midstate_stratum::Difficulty;
use midstate_stratum::v2::Authority;
use pool_sim::pool::{PoolConfig, Port};
use pool_sim::{Config, Simulator, anyone_can_spend};
use serde_json::json;
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

fn main() {
    let bench = std::env::args().any(|argument| argument == "--bench");
    let asked = std::env::args().find_map(|argument| argument.parse().ok());
    let rounds = asked.unwrap_or(if bench { 100 } else { 3 });
    println!("{:<42} {:>9} {:>9}   of {rounds}", "", "median", "worst");
    let threads = usable_threads();
    let kernel = fastest_cpu().identity().kernel;
    for (protocol, join) in PROTOCOLS {
        say(&format!("tip to search, {protocol}, cpu/{kernel} x {threads}"), new_tips(*join, threads, rounds));
    }
    say(&format!("share found to pool, cpu x {threads}"), shares(threads, rounds));
    for mut backend in usable_backends() {
        let times = (0..rounds).map(|round| cancel(backend.as_mut(), round)).collect();
        say(&format!("cancel to return, {}", backend.identity()), times);
    }
    let (turns, turn) = if bench { (5, Duration::from_secs(1)) } else { (1, Duration::from_millis(100)) };
    for backend in usable_backends() {
        switching(backend, turns, turn);
    }
}

/// What joins the simulator's pool.
type Join = fn(&Simulator) -> Pool;

/// The protocols that new tips are measured in.
const PROTOCOLS: &[(&str, Join)] = &[
    ("V1", |simulator| pool(PoolUrl::tcp(Ipv4Addr::LOCALHOST.to_string(), simulator.pool_address().port()))),
    #[cfg(feature = "v2")]
    ("V2 extended", |simulator| v2(simulator, ChannelKind::Extended)),
    #[cfg(feature = "v2")]
    ("V2 standard", |simulator| v2(simulator, ChannelKind::Standard)),
];

fn pool(url: PoolUrl) -> Pool {
    Pool::new(url, Credentials { user: "bench".to_owned(), password: "x".to_owned() })
}

#[cfg(feature = "v2")]
fn v2(simulator: &Simulator, sv2_channel: ChannelKind) -> Pool {
    let url = format!("stratum2+tcp://{}/{}", simulator.pool_addresses()[1], authority().key());
    Pool { sv2_channel, ..pool(url.parse().expect("a URL")) }
}

fn authority() -> Authority {
    Authority::new([7; 32]).expect("a secret key")
}

/// How often work is replaced, where it is.
const SWITCH_EVERY: Duration = Duration::from_millis(50);

/// Hashes with new work twenty times a second, against those with one work for the whole time, in turns.
fn switching(backend: Box<dyn Backend>, turns: usize, turn: Duration) {
    let name = backend.identity().to_string();
    let engine = Engine::start(vec![backend], |_| {}).expect("a thread for the engine");
    let replace = || engine.set_source(Box::new(std::iter::repeat_with(|| (work(1 << 32), ()))));
    let hashes = || engine.stats()[0].hashes;
    let rate = |every: Duration| {
        // The hashes of a slice are counted at its end; replacing the work ends it.
        replace();
        let (started, before) = (Instant::now(), hashes());
        while started.elapsed() < turn {
            sleep(every);
            replace();
        }
        sleep(Duration::from_millis(60));
        let time = started.elapsed();
        (hashes() - before) as f64 / time.as_secs_f64()
    };
    rate(turn);
    let mut ratios: Vec<f64> = (0..turns).map(|_| rate(SWITCH_EVERY) / rate(turn)).collect();
    ratios.sort_unstable_by(f64::total_cmp);
    println!("hashes at 20 jobs a second to those at one, {name}: {:.1} %", 100.0 * ratios[turns / 2]);
}

fn say(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let ms = |time: Option<&Duration>| time.map_or(f64::NAN, |time| time.as_secs_f64() * 1000.0);
    println!("{what:<42} {:>6.2} ms {:>6.2} ms", ms(times.get(times.len() / 2)), ms(times.last()));
}

/// A pause of about so many milliseconds that does not keep step with anything.
fn pause(ms: u64, round: u32) {
    sleep(Duration::from_micros(1000 * ms + u64::from(round) * 1370 % 10_000));
}

/// From just before the node mines a block to the moment when the last thread is asked to search on it: through the
/// node, the pool, a TCP connection, the upstream, the miner and the engine.
fn new_tips(join: Join, threads: usize, rounds: u32) -> Vec<Duration> {
    let (seen, searches) = channel();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let simulator = runtime.block_on(async {
        let simulator = simulator().await;
        let probe = |_| Box::new(Probe { cpu: fastest_cpu(), seen: seen.clone(), tip: [0; 32] }) as Box<dyn Backend>;
        mine((0..threads).map(probe).collect(), join(&simulator));
        simulator
    });
    let tip = simulator.node().tip().borrow().hash.to_byte_array();
    all_search_on(tip, threads, &searches);
    let script = anyone_can_spend().script_pubkey();
    let measure = |round| {
        pause(50, round);
        let before = Instant::now();
        let mined = simulator.node().generate(1, &script).expect("the node takes its own block");
        all_search_on(mined[0].to_byte_array(), threads, &searches).duration_since(before)
    };
    (0..rounds).map(measure).collect()
}

/// A node and a pool, of V1 and V2, with shares so hard that none is found: only the node makes blocks.
async fn simulator() -> Simulator {
    let difficulty = Difficulty::new(1e6).expect("a difficulty");
    let v1 = Port::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), difficulty);
    let v2 = Port { authority: Some(authority()), ..v1.clone() };
    let pool = PoolConfig {
        renotify: Duration::from_secs(3600),
        ..PoolConfig::on(vec![v1, v2], anyone_can_spend().script_pubkey())
    };
    pool_sim::start(Config { rpc: None, templates: None, pool, premine: 16 }, |_| {}).await.expect("a free port")
}

/// Mines at this pool until the runtime ends.
fn mine(backends: Vec<Box<dyn Backend>>, pool: Pool) {
    let (to_miner, from_engine) = tokio::sync::mpsc::unbounded_channel();
    let engine = Engine::start(backends, move |event| {
        let _ = to_miner.send(event);
    });
    let (upstream, from_upstream) = upstream::spawn(vec![pool.into()]);
    let mut miner = Miner::new(engine.expect("threads for the engine"), from_engine, upstream, from_upstream);
    tokio::spawn(async move {
        loop {
            miner.next().await;
        }
    });
}

/// From the moment when a backend says that it has found a share to when the pool has read its line.
fn shares(threads: usize, rounds: u32) -> Vec<Duration> {
    let (found, finds) = channel();
    let (listener, port) = scripted::listener();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let _inside = runtime.enter();
    let finder = |_| Box::new(Finder { cpu: fastest_cpu(), found: found.clone() }) as _;
    mine((0..threads).map(finder).collect(), pool(PoolUrl::tcp(Ipv4Addr::LOCALHOST.to_string(), port)));
    let mut pool = scripted::Pool::welcome(&listener);
    pool.call("mining.set_difficulty", &json!([2e-4]));
    pool.call("mining.notify", &scripted::job("1"));
    let mut found = HashMap::new();
    let mut read = || {
        let submit = pool.expect("mining.submit");
        let read = Instant::now();
        pool.answer(&submit, &json!(true));
        found.extend(finds.try_iter());
        let nonce = submit["params"][4].as_str().and_then(|nonce| u32::from_str_radix(nonce, 16).ok());
        read.duration_since(found[&nonce.expect("a nonce")])
    };
    (0..rounds).map(|_| read()).collect()
}

/// Says what it finds, and when.
struct Finder {
    cpu: Cpu,
    found: Sender<(u32, Instant)>,
}

impl Backend for Finder {
    fn identity(&self) -> &Identity {
        self.cpu.identity()
    }

    fn versions(&self) -> usize {
        self.cpu.versions()
    }

    fn search(&mut self, work: &Work, cancel: &Cancel, found: &mut dyn FnMut(Candidate)) -> Result<u64, SearchError> {
        self.cpu.search(work, cancel, &mut |candidate| {
            let _ = self.found.send((candidate.nonce, Instant::now()));
            found(candidate);
        })
    }
}

/// Waits until every thread searches on this block; when the last one began.
fn all_search_on(tip: [u8; 32], threads: usize, searches: &Receiver<([u8; 32], Instant)>) -> Instant {
    let next = || searches.recv_timeout(Duration::from_secs(10)).expect("the miner hears of a new block");
    let on_tip = std::iter::repeat_with(next).filter(|(previous, _)| *previous == tip).take(threads);
    on_tip.map(|(_, asked)| asked).max().expect("there is a thread")
}

/// Says when it is first asked to search on another previous block.
struct Probe {
    cpu: Cpu,
    seen: Sender<([u8; 32], Instant)>,
    tip: [u8; 32],
}

impl Backend for Probe {
    fn identity(&self) -> &Identity {
        self.cpu.identity()
    }

    fn versions(&self) -> usize {
        self.cpu.versions()
    }

    fn search(&mut self, work: &Work, cancel: &Cancel, found: &mut dyn FnMut(Candidate)) -> Result<u64, SearchError> {
        let asked = Instant::now();
        let header = work.header(Candidate { version: 0, nonce: work.range().first() }).expect("work has a header");
        let tip = std::array::from_fn(|i| header.0[4 + i]);
        if self.tip != tip {
            self.tip = tip;
            let _ = self.seen.send((tip, asked));
        }
        self.cpu.search(work, cancel, found)
    }
}

/// How long a search under way takes to return once it is cancelled.
fn cancel(backend: &mut dyn Backend, round: u32) -> Duration {
    let epoch = Arc::new(AtomicU64::new(0));
    let token = Cancel::on_change_of(&epoch);
    scope(|scope| {
        let search = scope.spawn(move || {
            backend.search(&work(1 << 32), &token, &mut |_| {}).expect("the device works");
            Instant::now()
        });
        pause(20, round);
        let cancelled = Instant::now();
        epoch.fetch_add(1, Ordering::Release);
        search.join().expect("the search returns").saturating_duration_since(cancelled)
    })
}
