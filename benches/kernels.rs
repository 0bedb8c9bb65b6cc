//! Cycles a hash of every kernel on one thread, beside the scalar reference and the `sha2` crate.
//!
//! Contestants take turns, one turn each a round, so that a machine that slows down slows all of them; the clock is
//! measured beside each turn by a chain of additions, which no processor does faster than one a cycle. What is printed
//! are medians over the rounds, and the least. The ratio to `sha2` is taken within each round before its median.
//!
//!     cargo bench -p midstate --bench kernels -- [ROUNDS]

mod common;

use common::{HEADER, work};
use midstate::backend::cpu::{Cpu, Kernel, measure};
use midstate::backend::scalar::Scalar;
use midstate::backend::{Backend, Cancel};
use midstate::work::{NonceRange, Work};
use midstate_stratum::Target;
use sha2::{Digest, Sha256};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Rounds, if none are asked for.
const ROUNDS: usize = 41;
/// How long a turn takes.
const TURN: Duration = Duration::from_millis(25);
/// Additions in a chain that measures the clock.
const CHAIN: u32 = 1 << 20;

/// Searches so many nonces, and says how many hashes that were.
type Search = Box<dyn FnMut(u64) -> u64>;

struct Contestant {
    name: String,
    versions: usize,
    search: Search,
    /// Nonces in a turn.
    nonces: u64,
    /// Cycles a hash, turn by turn.
    cycles: Vec<f64>,
    /// Hashes a second, turn by turn.
    speeds: Vec<f64>,
}

fn main() {
    // `cargo test` runs benches too, without this argument, and only wants to know that they work.
    let bench = std::env::args().any(|argument| argument == "--bench");
    let asked = std::env::args().find_map(|argument| argument.parse().ok());
    let rounds = if bench { asked.unwrap_or(ROUNDS).max(1) } else { 1 };
    let turn = if bench { TURN } else { Duration::from_micros(100) };

    let mut contestants = contestants();
    for contestant in &mut contestants {
        contestant.warm_up(turn);
    }
    let mut clocks = Vec::new();
    for _ in 0..rounds {
        for contestant in &mut contestants {
            clocks.push(contestant.turn());
        }
    }

    println!("{rounds} rounds, one thread, clock {:.2} GHz", median(&clocks) / 1e9);
    println!("{:<12} {:>8} {:>10} {:>10} {:>9} {:>9}", "kernel", "versions", "cycles", "least", "MH/s", "to sha2");
    let (yardstick, rest) = contestants.split_first().expect("the first is sha2");
    for contestant in std::iter::once(yardstick).chain(rest) {
        let ratios = yardstick.cycles.iter().zip(&contestant.cycles).map(|(sha2, own)| sha2 / own);
        println!(
            "{:<12} {:>8} {:>10.1} {:>10.1} {:>9.2} {:>8.2}x",
            contestant.name,
            contestant.versions,
            median(&contestant.cycles),
            contestant.cycles.iter().copied().fold(f64::INFINITY, f64::min),
            median(&contestant.speeds) / 1e6,
            median(&ratios.collect::<Vec<_>>()),
        );
    }
}

/// The `sha2` crate first, the reference, then each kernel on one version and on as many as suit it.
fn contestants() -> Vec<Contestant> {
    let mut scalar = Scalar::new();
    let mut contestants = vec![
        Contestant::new("sha2 crate", 1, Box::new(search_with_sha2)),
        Contestant::new("reference", 1, Box::new(move |nonces| search(&mut scalar, &work(nonces)))),
    ];
    for measured in measure(Kernel::usable()) {
        let mut forms = vec![1, measured.best.0];
        forms.dedup();
        for versions in forms {
            let mut cpu = Cpu::new(measured.kernel, versions);
            // Versions under BIP320's mask, as a pool lets a miner roll them.
            let rolled = move |nonces| {
                let versions = (0..versions as u32).map(|rolled| HEADER.version() ^ rolled << 13);
                let range = NonceRange::new(0, nonces).expect("fewer than 2^32");
                Work::with_versions(HEADER, versions, range, Target::from_be_bytes([0; 32]))
            };
            let search: Search = Box::new(move |nonces| search(&mut cpu, &rolled(nonces)));
            contestants.push(Contestant::new(measured.kernel.name(), versions, search));
        }
    }
    contestants
}

fn search(backend: &mut dyn Backend, work: &Work) -> u64 {
    backend.search(work, &Cancel::never(), &mut |_| {}).expect("the processor's forms never fail")
}

/// The crate, used plainly: a whole header twice over.
fn search_with_sha2(nonces: u64) -> u64 {
    for nonce in 0..nonces as u32 {
        black_box(Sha256::digest(Sha256::digest(HEADER.with_nonce(nonce).0)));
    }
    nonces
}

impl Contestant {
    fn new(name: &str, versions: usize, search: Search) -> Contestant {
        Contestant { name: name.to_owned(), versions, search, nonces: 128, cycles: Vec::new(), speeds: Vec::new() }
    }

    /// Finds out how many nonces a turn should have.
    fn warm_up(&mut self, turn: Duration) {
        loop {
            let started = Instant::now();
            (self.search)(self.nonces);
            if started.elapsed() >= turn {
                return;
            }
            self.nonces *= 2;
        }
    }

    /// A turn; returns the clock beside it, in Hz.
    fn turn(&mut self) -> f64 {
        let before = clock();
        let started = Instant::now();
        let hashes = (self.search)(self.nonces) as f64;
        let time = started.elapsed().as_secs_f64();
        // Whatever disturbs a chain makes the clock seem slower than it is.
        let clock = before.max(clock());
        self.cycles.push(time * clock / hashes);
        self.speeds.push(hashes / time);
        clock
    }
}

/// The processor's clock, in Hz: additions a second, each of which needs the one before.
fn clock() -> f64 {
    let started = Instant::now();
    let mut sum = black_box(1_u64);
    for _ in 0..CHAIN / 64 {
        sum = sixty_four_additions(sum);
    }
    black_box(sum);
    f64::from(CHAIN) / started.elapsed().as_secs_f64()
}

/// A number doubled 64 times. Doubling a register has no immediate operand that a processor could add up ahead.
fn sixty_four_additions(mut sum: u64) -> u64 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: additions in a register touch neither memory nor the stack.
    unsafe {
        std::arch::asm!(".rept 64", "add {0}, {0}", ".endr", inout(reg) sum, options(pure, nomem, nostack));
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: additions in a register touch neither memory nor the stack.
    unsafe {
        std::arch::asm!(".rept 64", "add {0}, {0}, {0}", ".endr", inout(reg) sum, options(pure, nomem, nostack));
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    for _ in 0..64 {
        sum = black_box(sum.wrapping_add(sum));
    }
    sum
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}
