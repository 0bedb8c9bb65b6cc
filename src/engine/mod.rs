//! Threads that keep backends busy: they take slices of nonces from one feed, and what they find is re-hashed with the
//! reference before anybody hears of it.
//!
//! Each [`Backend`] gets a thread. A thread takes a slice of about `SLICE` at its own measured speed, so a GPU and a
//! CPU work side by side on one header without ever meeting. New work moves an epoch on; that cancels all searches at
//! once, and each thread comes back for a slice of the new.

mod feed;
mod hashrate;
mod once;

pub use feed::Source;
pub use hashrate::{Hashrate, Meter};
pub use once::{Searched, search_once};

use crate::backend::{Backend, Identity, SearchError};
use crate::sha256::{Hash, Header};
use crate::work::{Candidate, Work};
use feed::{Feed, Taken};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// How long a slice should take: long beside what taking one costs, short beside the hashrate's windows.
const SLICE: Duration = Duration::from_millis(200);
/// The first slice, in hashes, before a backend's speed is known.
const FIRST_SLICE: u64 = 1 << 15;
/// How long a backend that failed waits before it tries again: doubled each time, up to the limit.
const RETRY: Duration = Duration::from_secs(1);
const RETRY_LIMIT: Duration = Duration::from_secs(60);

/// What the engine says, from one of its threads. `T` is what the work was tagged with.
#[derive(Debug)]
pub enum Event<T> {
    /// A hash that meets the work's target, checked with the reference.
    Found {
        /// Which of the engine's backends, by index.
        worker: usize,
        /// The work's tag.
        tag: T,
        /// The whole header.
        header: Header,
        /// Its hash.
        hash: Hash,
    },
    /// A backend reported what the reference does not confirm. It goes no further than this.
    HardwareError {
        /// Which of the engine's backends, by index.
        worker: usize,
        /// What it reported.
        candidate: Candidate,
    },
    /// A backend's device failed. It will be tried again.
    Failed {
        /// Which of the engine's backends, by index.
        worker: usize,
        /// What the device said.
        error: SearchError,
        /// When it is tried again.
        retry: Duration,
    },
    /// The sources gave all that they had. Some of it may still be searched; then the engine waits.
    Exhausted,
}

/// Searches a stream of work on several backends at once. Dropped, it stops them.
pub struct Engine<T> {
    shared: Arc<Shared<T>>,
    threads: Vec<JoinHandle<Box<dyn Backend>>>,
    meters: Mutex<Vec<Meter>>,
}

struct Shared<T> {
    epoch: Arc<AtomicU64>,
    feed: Feed<T>,
    workers: Vec<Worker>,
    on_event: Box<dyn Fn(Event<T>) + Send + Sync>,
}

/// A backend's counters.
struct Worker {
    identity: Identity,
    versions: usize,
    hashes: AtomicU64,
    hardware_errors: AtomicU64,
    failures: AtomicU64,
}

/// The counters of one backend.
#[derive(Clone, Debug)]
pub struct WorkerStats {
    /// Its names.
    pub identity: Identity,
    /// Hashes done since the start, exactly.
    pub hashes: u64,
    /// Candidates that the reference did not confirm.
    pub hardware_errors: u64,
    /// How often its device failed, and was tried again.
    pub failures: u64,
    /// Speed over several windows.
    pub hashrate: Hashrate,
}

impl<T: Clone + Send + 'static> Engine<T> {
    /// Starts a thread for each backend; they wait for work. `on_event` is called on those threads: keep it short.
    ///
    /// # Errors
    /// The operating system gave no thread.
    pub fn start(
        backends: Vec<Box<dyn Backend>>,
        on_event: impl Fn(Event<T>) + Send + Sync + 'static,
    ) -> std::io::Result<Engine<T>> {
        let worker = |backend: &dyn Backend| Worker {
            identity: backend.identity().clone(),
            versions: backend.versions(),
            hashes: AtomicU64::new(0),
            hardware_errors: AtomicU64::new(0),
            failures: AtomicU64::new(0),
        };
        let shared = Arc::new(Shared {
            epoch: Arc::default(),
            feed: Feed::default(),
            workers: backends.iter().map(|backend| worker(backend.as_ref())).collect(),
            on_event: Box::new(on_event),
        });
        let meters = Mutex::new(backends.iter().map(|_| Meter::new(Instant::now())).collect());
        // Made first, so that threads already started are stopped if a later one cannot be.
        let mut engine = Engine { shared, threads: Vec::new(), meters };
        for (index, backend) in backends.into_iter().enumerate() {
            let shared = Arc::clone(&engine.shared);
            let name = format!("{}-{index}", backend.identity().backend);
            engine.threads.push(Builder::new().name(name).spawn(move || shared.run(index, backend))?);
        }
        Ok(engine)
    }

    /// How many versions each work should have where a job leaves any to the miner: what suits the backend that likes the
    /// most, as the others do not mind.
    pub fn versions(&self) -> usize {
        self.shared.workers.iter().map(|worker| worker.versions).max().unwrap_or(1)
    }

    /// Replaces the work: searches under way are cancelled, and `source` is begun.
    pub fn set_source(&self, source: Source<T>) {
        self.set_sources(vec![source]);
    }

    /// Replaces the work by several streams, of which slices are searched in turns, beginning with the first. Without any, the threads
    /// wait.
    pub fn set_sources(&self, sources: Vec<Source<T>>) {
        self.shared.replace(sources);
    }

    /// Takes the work away: the threads wait.
    pub fn pause(&self) {
        self.set_sources(Vec::new());
    }

    /// The counters of each backend, and their speed up to now. Call it about once a second for smooth windows.
    pub fn stats(&self) -> Vec<WorkerStats> {
        let now = Instant::now();
        let mut meters = lock(&self.meters);
        let workers = self.shared.workers.iter().zip(meters.iter_mut());
        workers
            .map(|(worker, meter)| {
                let hashes = worker.hashes.load(Ordering::Relaxed);
                meter.record(now, hashes);
                WorkerStats {
                    identity: worker.identity.clone(),
                    hashes,
                    hardware_errors: worker.hardware_errors.load(Ordering::Relaxed),
                    failures: worker.failures.load(Ordering::Relaxed),
                    hashrate: meter.hashrate(),
                }
            })
            .collect()
    }
}

impl<T> Engine<T> {
    /// Cancels all searches, waits for the threads, and gives their backends back. The counters are final afterwards.
    pub fn stop(&mut self) -> Vec<Box<dyn Backend>> {
        self.shared.feed.stop();
        self.shared.epoch.fetch_add(1, Ordering::Release);
        // A thread that panicked has printed why, and its backend is gone.
        self.threads.drain(..).filter_map(|thread| thread.join().ok()).collect()
    }
}

impl<T> Drop for Engine<T> {
    fn drop(&mut self) {
        self.stop();
    }
}

impl<T: Clone> Shared<T> {
    fn replace(&self, sources: Vec<Source<T>>) {
        self.feed.replace(sources, || {
            self.epoch.fetch_add(1, Ordering::Release);
        });
    }

    /// A backend's thread.
    fn run(&self, index: usize, mut backend: Box<dyn Backend>) -> Box<dyn Backend> {
        backend.enter_thread();
        let mut slice = FIRST_SLICE;
        let mut retry = RETRY;
        while let Some(taken) = self.feed.take(slice, &self.epoch) {
            let Taken::Slice(work, tag, cancel) = taken else {
                (self.on_event)(Event::Exhausted);
                continue;
            };
            let started = Instant::now();
            let result = backend.search(&work, &cancel, &mut |candidate| self.check(index, &work, &tag, candidate));
            match result {
                Ok(hashes) => {
                    self.workers[index].hashes.fetch_add(hashes, Ordering::Relaxed);
                    retry = RETRY;
                    if !cancel.is_cancelled() {
                        slice = next_slice(slice, started.elapsed());
                    }
                }
                Err(error) => {
                    self.workers[index].failures.fetch_add(1, Ordering::Relaxed);
                    (self.on_event)(Event::Failed { worker: index, error, retry });
                    self.feed.sleep(retry);
                    retry = (retry * 2).min(RETRY_LIMIT);
                }
            }
        }
        backend
    }

    fn check(&self, worker: usize, work: &Work, tag: &T, candidate: Candidate) {
        let confirmed = work
            .header(candidate)
            .map(|header| (header, header.hash()))
            .filter(|(_, hash)| work.target().is_met_by(&hash.0));
        if let Some((header, hash)) = confirmed {
            (self.on_event)(Event::Found { worker, tag: tag.clone(), header, hash });
        } else {
            self.workers[worker].hardware_errors.fetch_add(1, Ordering::Relaxed);
            (self.on_event)(Event::HardwareError { worker, candidate });
        }
    }
}

/// A slice, in hashes, that should take [`SLICE`], if `slice` took `time`; at most eight times longer than the last.
fn next_slice(slice: u64, time: Duration) -> u64 {
    let ideal = slice as f64 * SLICE.as_secs_f64() / time.as_secs_f64().max(1e-6);
    (ideal as u64).clamp(1 << 10, slice.saturating_mul(8)).min(1 << 40)
}

/// The mutexes here guard plain data that a panic cannot leave half-made.
fn lock<D>(mutex: &Mutex<D>) -> MutexGuard<'_, D> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
