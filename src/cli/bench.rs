//! `midstate bench`: hashrate of each backend and kernel, side by side, with the `sha2` crate as the yardstick.
//!
//! The contestants take turns in short rounds, so that a machine that slows down slows all of them. Each round searches
//! nonces around that of a real header with its real target: it must report that nonce, no other, and the right count.

use super::CliError;
use super::backends::BackendArgs;
use super::power;
use super::report::hashrate;
use midstate::backend::{self, Backend, Cancel, Identity, Kind, OpenError, SearchError, Selection, devices};
use midstate::engine::search_once;
use midstate::sha256::Header;
use midstate::work::{NonceRange, Work};
use midstate_stratum::Target;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::collections::HashSet;
use std::io::{IsTerminal, Write, stderr, stdout};
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};
use thiserror::Error;

/// Headers of 64 blocks between 822,528 and 824,544. At their difficulty of 6.7e13 and more, no second nonce in 2^32
/// meets the target by chance.
const HEADERS: &[u8] = include_bytes!("bench-headers.bin");
/// How long a contestant's turn takes.
const ROUND: Duration = Duration::from_millis(250);

/// Measure the hashrate of each backend and kernel, with the sha2 crate as the yardstick
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  midstate bench                                  everything that is usable here
  midstate bench --backend cpu --kernel avx2 --threads 1 --seconds 10
  midstate bench --backend gpu --report           a table to paste where others can compare
  midstate bench --json | jq '.results[] | {kernel, hashes_per_second}'

Every round searches around the nonce of a real block; a missed or invented nonce, or a wrong count of hashes, makes the
exit code 1. With --json, one object: {\"results\":[{\"backend\",\"kernel\",\"device\",\"threads\",\"versions\",\"hashes\",
\"seconds\",\"hashes_per_second\",\"last_to_first\",\"ratio_to_sha2\",
\"hashes_per_joule\",\"verified\"}]}. `versions` is how many versions of a header share
a schedule; `last_to_first` compares the last quarter of the time with the first: below 1 the machine has slowed down.
`hashes_per_joule` is null where the device's power cannot be read.")]
pub(super) struct Args {
    #[command(flatten)]
    backends: BackendArgs,
    /// How long to measure each
    #[arg(long, value_name = "S", default_value_t = 3.0, value_parser = parse_seconds)]
    seconds: f64,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Print a table in Markdown, with what others need to know of this machine
    #[arg(long, conflicts_with = "json")]
    report: bool,
}

fn parse_seconds(text: &str) -> Result<f64, BenchError> {
    let seconds = text.parse().ok().filter(|seconds: &f64| seconds.is_finite() && *seconds > 0.0);
    seconds.ok_or_else(|| BenchError::Seconds(text.to_owned()))
}

#[derive(Debug, Error)]
pub(super) enum BenchError {
    #[error("seconds: {0:?}; expected a number above 0")]
    Seconds(String),
    #[error("{0} gave wrong answers; its figures count for nothing")]
    Wrong(String),
}

#[derive(Serialize)]
struct Report {
    results: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    backend: &'static str,
    kernel: &'static str,
    device: String,
    threads: usize,
    versions: usize,
    hashes: u64,
    seconds: f64,
    hashes_per_second: f64,
    last_to_first: f64,
    ratio_to_sha2: f64,
    hashes_per_joule: Option<f64>,
    verified: bool,
    #[serde(skip)]
    driver: String,
}

/// Something to measure, and what was measured so far.
struct Contestant {
    identity: Identity,
    /// Of a GPU: its driver, and where it is.
    driver: String,
    pci: String,
    threads: usize,
    /// How many versions are searched at once.
    versions: usize,
    searcher: Searcher,
    /// The next round's nonces.
    nonces: u64,
    rounds: usize,
    hashes: u64,
    time: Duration,
    /// Hashes a second, round by round.
    rates: Vec<f64>,
    /// What it drew in the rounds in which that could be read, in joules, and the hashes of those.
    energy: f64,
    hashes_of_energy: u64,
    verified: bool,
}

enum Searcher {
    /// Shared by the contestants that differ in their versions alone: they take turns.
    Backends(Rc<RefCell<Vec<Box<dyn Backend>>>>),
    /// The yardstick: whole headers through the `sha2` crate.
    Sha2,
}

pub(super) fn run(args: &Args) -> Result<(), CliError> {
    let headers: Vec<Header> = HEADERS.as_chunks::<80>().0.iter().map(|bytes| Header(*bytes)).collect();
    let mut contestants = contestants(&args.backends)?;
    // A round that does not count, which finds out how many nonces a round should have.
    for contestant in &mut contestants {
        contestant.round(&headers, false)?;
    }
    let progress = !args.json && stderr().is_terminal();
    let end = Duration::from_secs_f64(args.seconds);
    while contestants.iter().any(|contestant| contestant.time < end) {
        for contestant in contestants.iter_mut().filter(|contestant| contestant.time < end) {
            contestant.round(&headers, true)?;
        }
        if progress {
            let done = contestants.iter().map(|contestant| contestant.time.min(end).as_secs_f64()).sum::<f64>();
            write!(stderr(), "\r{:3.0} %", 100.0 * done / (args.seconds * contestants.len() as f64))?;
        }
    }
    if progress {
        write!(stderr(), "\r      \r")?;
    }

    let rate = |contestant: &Contestant| contestant.hashes as f64 / contestant.time.as_secs_f64();
    let yardstick = contestants.first().map_or(f64::NAN, rate);
    let row = |contestant: &Contestant| Row {
        backend: contestant.identity.backend,
        kernel: contestant.identity.kernel,
        device: contestant.identity.device.clone(),
        threads: contestant.threads,
        versions: contestant.versions,
        hashes: contestant.hashes,
        seconds: contestant.time.as_secs_f64(),
        hashes_per_second: rate(contestant),
        last_to_first: last_to_first(&contestant.rates),
        ratio_to_sha2: rate(contestant) / yardstick,
        hashes_per_joule: (contestant.energy > 0.0).then(|| contestant.hashes_of_energy as f64 / contestant.energy),
        verified: contestant.verified,
        driver: contestant.driver.clone(),
    };
    let report = Report { results: contestants.iter().map(row).collect() };
    match (args.json, args.report) {
        (true, _) => print_json(&report)?,
        (_, true) => print_markdown(&report)?,
        _ => print(&report)?,
    }
    match contestants.iter().find(|contestant| !contestant.verified) {
        Some(wrong) => Err(BenchError::Wrong(wrong.identity.to_string()).into()),
        None => Ok(()),
    }
}

/// What was asked for, or everything usable; the yardstick first.
fn contestants(args: &BackendArgs) -> Result<Vec<Contestant>, CliError> {
    args.check()?;
    let everything = args.backends.is_empty() && args.kernel.is_none();
    // Listing measures the processor's kernels, which takes its time: only where the list is read.
    let all = if everything || args.backends.contains(&Kind::Gpu) { devices() } else { Vec::new() };
    let selections: Vec<Selection> = if everything {
        // A kernel is listed once for each kind of cores, and opened once on all of them; adapters are opened together.
        let mut seen = HashSet::new();
        let usable = all.iter().filter(|device| device.unusable.is_none());
        let names = usable.map(|device| (device.identity.backend, device.identity.kernel));
        let of_device = |(backend, kernel): (&'static str, &'static str)| {
            let kind: Kind = backend.parse()?;
            let kernel = (kind == Kind::Cpu).then(|| kernel.to_owned());
            Ok::<_, OpenError>(Selection { kernel, ..args.selection(kind) })
        };
        let mut selections = Vec::new();
        for name in names.filter(|name| seen.insert(*name)) {
            selections.push(of_device(name)?);
        }
        selections
    } else if args.backends.is_empty() {
        vec![args.selection(Kind::Cpu)]
    } else {
        args.backends.iter().map(|kind| args.selection(*kind)).collect()
    };

    let threads = args.threads.map_or_else(backend::registry::usable_threads, usize::from);
    let yardstick = Identity { backend: "sha2", kernel: "crate", device: String::new() };
    let mut contestants = vec![Contestant::new(yardstick, threads, 1, Searcher::Sha2)];
    for selection in selections {
        let mut opened = backend::open(&selection)?;
        // Threads of a kernel are measured together, graphics processors one by one.
        while !opened.is_empty() {
            let rest = if selection.kind == Kind::Gpu { opened.split_off(1) } else { Vec::new() };
            let (identity, threads, best) = (opened[0].identity().clone(), opened.len(), opened[0].versions());
            let together = Rc::new(RefCell::new(opened));
            // On one version too, as where a pool leaves none to roll.
            let mut forms = vec![1, best];
            forms.dedup();
            let device = all.iter().find(|device| device.identity == identity && identity.backend == "gpu");
            for versions in forms {
                let searcher = Searcher::Backends(Rc::clone(&together));
                let mut contestant = Contestant::new(identity.clone(), threads, versions, searcher);
                if let Some(device) = device {
                    contestant.driver.clone_from(&device.driver);
                    contestant.pci.clone_from(&device.pci);
                }
                contestants.push(contestant);
            }
            opened = rest;
        }
    }
    Ok(contestants)
}

impl Contestant {
    fn new(identity: Identity, threads: usize, versions: usize, searcher: Searcher) -> Contestant {
        Contestant {
            identity,
            driver: String::new(),
            pci: String::new(),
            threads,
            versions,
            searcher,
            nonces: 1 << 16,
            rounds: 0,
            hashes: 0,
            time: Duration::ZERO,
            rates: Vec::new(),
            energy: 0.0,
            hashes_of_energy: 0,
            verified: true,
        }
    }

    /// Searches around the next header's nonce, which lies at a different place of the range each time.
    fn round(&mut self, headers: &[Header], counts: bool) -> Result<(), SearchError> {
        let header = headers[self.rounds % headers.len()];
        let before = self.nonces * (self.rounds as u64 * 37 % 100) / 100;
        let range = NonceRange::new(header.nonce().wrapping_sub(before as u32), self.nonces);
        let range = range.unwrap_or(NonceRange::ALL);
        let target = Target::from_compact(header.nbits()).unwrap_or(Target::DIFFICULTY_1);
        // Its own version first; as rolled, no other has a winner.
        let versions = (0..self.versions as u32).map(|rolled| header.version() ^ rolled << 13);
        let work = Work::with_versions(header, versions, range, target);

        let searcher = &mut self.searcher;
        let started = Instant::now();
        let (searched, watts) = power::while_running(&self.pci, || searcher.search(&work, self.threads));
        let time = started.elapsed();
        let (nonces, hashes) = searched?;

        self.verified &= nonces == [header.nonce()] && hashes == work.hashes();
        self.rounds += 1;
        if counts {
            self.hashes += hashes;
            self.time += time;
            self.rates.push(hashes as f64 / time.as_secs_f64());
            if let Some(watts) = watts {
                self.energy += watts * time.as_secs_f64();
                self.hashes_of_energy += hashes;
            }
        }
        let ideal = range.len() as f64 * ROUND.as_secs_f64() / time.as_secs_f64().max(1e-6);
        self.nonces = (ideal as u64).clamp(1 << 8, 1 << 32);
        Ok(())
    }
}

impl Searcher {
    fn search(&mut self, work: &Work, threads: usize) -> Result<(Vec<u32>, u64), SearchError> {
        match self {
            Searcher::Backends(backends) => {
                let searched = search_once(&mut backends.borrow_mut(), work, &Cancel::never())?;
                Ok((searched.candidates.iter().map(|candidate| candidate.nonce).collect(), searched.hashes))
            }
            Searcher::Sha2 => Ok(search_with_sha2(work, threads)),
        }
    }
}

fn search_with_sha2(work: &Work, threads: usize) -> (Vec<u32>, u64) {
    let mut rest = work.range();
    let part = rest.len().div_ceil(threads as u64);
    let parts: Vec<NonceRange> = (0..threads).map(|_| rest.take_front(part)).collect();
    let nonces = thread::scope(|scope| {
        let search = |range: NonceRange| {
            let header = work.header(midstate::work::Candidate { version: 0, nonce: work.range().first() });
            let mut bytes = header.map_or([0; 80], |header| header.0);
            let wins = move |nonce: &u32| {
                bytes[76..].copy_from_slice(&nonce.to_le_bytes());
                work.target().is_met_by(&Sha256::digest(Sha256::digest(bytes)).into())
            };
            range.iter().filter(wins).collect::<Vec<_>>()
        };
        let threads: Vec<_> = parts.into_iter().map(|range| scope.spawn(move || search(range))).collect();
        let results = threads.into_iter().map(|thread| thread.join().unwrap_or_default());
        results.flatten().collect()
    });
    (nonces, work.range().len())
}

/// The median of the last quarter to that of the first.
fn last_to_first(rates: &[f64]) -> f64 {
    let quarter = rates.len().div_ceil(4);
    let median = |rates: &[f64]| {
        let mut sorted = rates.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
    };
    median(&rates[rates.len() - quarter..]) / median(&rates[..quarter])
}

fn print_json(report: &Report) -> Result<(), CliError> {
    let mut out = stdout().lock();
    serde_json::to_writer(&mut out, report).map_err(std::io::Error::from)?;
    Ok(writeln!(out)?)
}

fn print_markdown(report: &Report) -> Result<(), CliError> {
    let mut out = stdout().lock();
    let (version, system, arch) = (env!("CARGO_PKG_VERSION"), std::env::consts::OS, std::env::consts::ARCH);
    writeln!(out, "midstate {version}, {system} on {arch}\n")?;
    writeln!(
        out,
        "| device | driver | kernel | threads | versions | hashrate | to sha2 | hashes a joule | verified |"
    )?;
    writeln!(out, "|---|---|---|---:|---:|---:|---:|---:|---|")?;
    for row in &report.results {
        let device = if row.device.is_empty() { row.backend } else { &row.device };
        let driver = if row.driver.is_empty() { "–" } else { &row.driver };
        let joule = row.hashes_per_joule.map_or("–".to_owned(), |hashes| format!("{:.2} MH/J", hashes / 1e6));
        let (rate, verified) = (hashrate(row.hashes_per_second), if row.verified { "yes" } else { "NO" });
        let Row { kernel, threads, versions, ratio_to_sha2, .. } = row;
        writeln!(
            out,
            "| {device} | {driver} | {kernel} | {threads} | {versions} | {rate} | {ratio_to_sha2:.2} | {joule} | {verified} |"
        )?;
    }
    Ok(())
}

fn print(report: &Report) -> Result<(), CliError> {
    let mut out = stdout().lock();
    writeln!(
        out,
        "{:<8} {:<10} {:>7} {:>8} {:>12} {:>9} {:>10}  verified",
        "backend", "kernel", "threads", "versions", "hashrate", "to sha2", "last/first"
    )?;
    for row in &report.results {
        writeln!(
            out,
            "{:<8} {:<10} {:>7} {:>8} {:>12} {:>8.2}x {:>10.3}  {}{}",
            row.backend,
            row.kernel,
            row.threads,
            row.versions,
            hashrate(row.hashes_per_second),
            row.ratio_to_sha2,
            row.last_to_first,
            if row.verified { "yes" } else { "NO" },
            if row.device.is_empty() { String::new() } else { format!("  {}", row.device) },
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use midstate::backend::scalar::Scalar;
    use midstate::work::Candidate;

    #[test]
    fn the_headers_are_real_and_hard() {
        let headers: Vec<Header> = HEADERS.as_chunks::<80>().0.iter().map(|bytes| Header(*bytes)).collect();
        assert_eq!(headers.len(), 64);
        for header in headers {
            let target = Target::from_compact(header.nbits()).unwrap();
            assert!(target.is_met_by(&header.hash().0), "{header}");
            assert_eq!(target.top_word(), 0);
        }
    }

    #[test]
    fn a_sag_shows() {
        assert!((last_to_first(&[4.0, 9.0, 4.0, 4.0, 3.0, 3.0, 2.0, 0.1, 2.0]) - 0.5).abs() < 1e-9);
        assert!((last_to_first(&[7.0]) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_backend_that_misses_or_miscounts_is_not_verified() {
        /// Searches properly, then spoils one answer.
        struct Liar(Scalar, u64);
        impl Backend for Liar {
            fn identity(&self) -> &Identity {
                self.0.identity()
            }
            fn search(
                &mut self,
                work: &Work,
                cancel: &Cancel,
                found: &mut dyn FnMut(Candidate),
            ) -> Result<u64, SearchError> {
                let hashes = self.0.search(work, cancel, &mut |candidate| {
                    if self.1 == 0 {
                        found(candidate);
                    }
                })?;
                Ok(hashes - self.1 / 2)
            }
        }
        let headers: Vec<Header> = HEADERS.as_chunks::<80>().0.iter().map(|bytes| Header(*bytes)).collect();
        for (lie, verified) in [(0, true), (1, false), (2, false)] {
            let liar = Liar(Scalar::new(), lie);
            let identity = liar.identity().clone();
            let mut contestant =
                Contestant::new(identity, 1, 1, Searcher::Backends(Rc::new(RefCell::new(vec![Box::new(liar)]))));
            contestant.round(&headers, true).unwrap();
            assert_eq!(contestant.verified, verified);
        }
    }
}
