//! What the engine costs beside the search itself, and how long new work takes to reach a thread.

mod common;

use common::{HEADER, fastest_cpu, work};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use midstate::backend::cpu::Cpu;
use midstate::backend::{Backend, Cancel, Identity, SearchError};
use midstate::engine::Engine;
use midstate::work::{Candidate, NonceRange, Work};
use midstate_stratum::Target;
use std::sync::mpsc::{self, Sender};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Nonces in one of criterion's iterations.
const NONCES: u64 = 1 << 18;

/// The same kernel on one thread, called directly and by the engine.
fn hashrate(c: &mut Criterion) {
    let mut group = c.benchmark_group("hashrate");
    // Samples of about a second: several of the engine's slices.
    group.sample_size(10).measurement_time(Duration::from_secs(10)).throughput(Throughput::Elements(NONCES));
    let mut bare = fastest_cpu();
    group.bench_function("bare", |b| {
        b.iter_custom(|iterations| {
            let started = Instant::now();
            bare.search(&work(iterations * NONCES), &Cancel::never(), &mut |_| {}).expect("a CPU does not fail");
            started.elapsed()
        });
    });
    let engine = start(fastest_cpu());
    group.bench_function("engine", |b| {
        b.iter_custom(|iterations| time_to_the_end(&engine, [work(iterations * NONCES)].into_iter()));
    });
    group.finish();
}

/// A slice of the engine's, on a backend that is done at once: what is left is what the engine spends on it.
fn slice(c: &mut Criterion) {
    let engine = start(Idle(Identity { backend: "idle", kernel: "none", device: String::new() }));
    // The slices of so fast a backend are whole headers.
    let header = work(1 << 32);
    c.bench_function("slice", |b| {
        b.iter_custom(|iterations| time_to_the_end(&engine, std::iter::repeat_n(header.clone(), iterations as usize)));
    });
}

/// From [`Engine::set_source`] to the first search of the new work.
fn replacement(c: &mut Criterion) {
    let mut group = c.benchmark_group("replacement");
    group.sample_size(10).measurement_time(Duration::from_secs(2));
    let (seen, first_searches) = mpsc::channel();
    let engine = start(Probe { cpu: fastest_cpu(), seen, version: None });
    let mut version = 0;
    group.bench_function(fastest_cpu().identity().kernel, |b| {
        b.iter_custom(|iterations| {
            let mut replace = || {
                version += 1;
                let work = Work::new(HEADER.with_version(version), NonceRange::ALL, Target::from_be_bytes([0; 32]));
                // Not always at the same moment between two looks at the cancel token.
                sleep(Duration::from_micros(2000 + u64::from(version) * 137 % 1000));
                let replaced = Instant::now();
                engine.set_source(Box::new(std::iter::repeat((work, ()))));
                first_searches.recv().expect("the engine runs").duration_since(replaced)
            };
            (0..iterations).map(|_| replace()).sum()
        });
    });
    group.finish();
}

fn start(backend: impl Backend + 'static) -> Engine<()> {
    Engine::start(vec![Box::new(backend)], |_| {}).expect("a thread for the engine")
}

/// How long the engine takes for all of this.
fn time_to_the_end(engine: &Engine<()>, mut works: impl Iterator<Item = Work> + Send + 'static) -> Duration {
    let (done, end) = mpsc::sync_channel(1);
    // A single backend asks for more exactly when it has searched all there was.
    let source = std::iter::from_fn(move || {
        let work = works.next();
        if work.is_none() {
            let _ = done.try_send(Instant::now());
        }
        Some((work?, ()))
    });
    let started = Instant::now();
    engine.set_source(Box::new(source));
    end.recv().expect("the engine runs").duration_since(started)
}

/// Says that it searched, and did not.
struct Idle(Identity);

impl Backend for Idle {
    fn identity(&self) -> &Identity {
        &self.0
    }

    fn search(&mut self, work: &Work, _: &Cancel, _: &mut dyn FnMut(Candidate)) -> Result<u64, SearchError> {
        Ok(work.hashes())
    }
}

/// Says when it is first asked to search under another version.
struct Probe {
    cpu: Cpu,
    seen: Sender<Instant>,
    version: Option<u32>,
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
        let version = work.header(Candidate { version: 0, nonce: work.range().first() }).map(|header| header.version());
        if self.version != version {
            self.version = version;
            let _ = self.seen.send(asked);
        }
        self.cpu.search(work, cancel, found)
    }
}

criterion_group!(benches, hashrate, slice, replacement);
criterion_main!(benches);
