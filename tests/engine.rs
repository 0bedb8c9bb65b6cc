//! The engine's promises: every header once, every hash counted, every candidate re-hashed, new work at once.

use midstate::backend::{Backend, Cancel, Identity, Kind, SearchError, Selection, open};
use midstate::engine::{Engine, Event};
use midstate::sha256::Header;
use midstate::work::{Candidate, NonceRange, Work};
use midstate_stratum::Target;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

fn header() -> Header {
    Header(*include_bytes!("data/header-000000.bin"))
}

/// Notes what it is asked to search, takes a moment, and reports what it is told to.
struct Fake {
    identity: Identity,
    asked: Arc<Mutex<Vec<(Header, NonceRange)>>>,
    report: Vec<Candidate>,
    fails: Arc<AtomicU64>,
}

impl Backend for Fake {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn search(&mut self, work: &Work, cancel: &Cancel, found: &mut dyn FnMut(Candidate)) -> Result<u64, SearchError> {
        if self.fails.load(Ordering::Relaxed) > 0 {
            self.fails.fetch_sub(1, Ordering::Relaxed);
            return Err(SearchError { backend: "fake".to_owned(), what: "the device fell off the bus".to_owned() });
        }
        let first = Candidate { version: 0, nonce: work.range().first() };
        self.asked.lock().unwrap().push((work.header(first).unwrap().with_nonce(0), work.range()));
        for candidate in self.report.drain(..) {
            found(candidate);
        }
        std::thread::sleep(Duration::from_millis(1));
        Ok(if cancel.is_cancelled() { 0 } else { work.hashes() })
    }
}

type Asked = Arc<Mutex<Vec<(Header, NonceRange)>>>;

fn fakes(count: usize, report: &[Candidate], fails: u64) -> (Vec<Box<dyn Backend>>, Asked) {
    let asked = Asked::default();
    let fails = Arc::new(AtomicU64::new(fails));
    let fake = |_| {
        let identity = Identity { backend: "fake", kernel: "fake", device: String::new() };
        let (asked, fails) = (Arc::clone(&asked), Arc::clone(&fails));
        Box::new(Fake { identity, asked, report: report.to_vec(), fails }) as _
    };
    ((0..count).map(fake).collect(), asked)
}

fn wait_until(what: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !what() {
        assert!(Instant::now() < end, "waited in vain");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn slices_cover_all_nonces_once_and_hashes_are_counted() {
    let (backends, asked) = fakes(3, &[], 0);
    let (events, heard) = mpsc::channel();
    let mut engine = Engine::start(backends, move |event: Event<u32>| drop(events.send(event))).unwrap();
    let range = NonceRange::new(0xffff_0000, 3_000_000).unwrap();
    let works: Vec<_> = (0..4).map(|i| (Work::new(header().with_version(i), range, Target::MAX), i)).collect();
    engine.set_source(Box::new(works.into_iter()));
    // One thread is told, once.
    assert!(matches!(heard.recv().unwrap(), Event::Exhausted));
    let total = |engine: &Engine<u32>| engine.stats().iter().map(|worker| worker.hashes).sum::<u64>();
    wait_until(|| total(&engine) >= 12_000_000);
    engine.stop();
    assert!(heard.try_recv().is_err());
    assert_eq!(total(&engine), 12_000_000);
    let asked = asked.lock().unwrap();
    for version in 0..4 {
        let mut ranges: Vec<_> = asked.iter().filter(|(h, _)| h.version() == version).map(|(_, r)| *r).collect();
        ranges.sort_by_key(|range| range.first().wrapping_sub(0xffff_0000));
        let mut next = 0xffff_0000u32;
        for range in &ranges {
            assert_eq!(range.first(), next);
            next = next.wrapping_add(range.len() as u32);
        }
        assert_eq!(ranges.iter().map(NonceRange::len).sum::<u64>(), 3_000_000);
    }
}

/// Until the shorter ones end.
#[test]
fn several_streams_are_searched_in_turns() {
    let (backends, asked) = fakes(1, &[], 0);
    let (events, heard) = mpsc::channel();
    let mut engine = Engine::start(backends, move |event: Event<()>| drop(events.send(event))).unwrap();
    let works = |version: u32, count| {
        let range = NonceRange::new(0, 1024).unwrap();
        let work = Work::new(header().with_version(version), range, Target::MAX);
        Box::new(std::iter::repeat_n((work, ()), count)) as _
    };
    engine.set_sources(vec![works(0, 2), works(1, 4), works(2, 1)]);
    assert!(matches!(heard.recv().unwrap(), Event::Exhausted));
    engine.stop();
    assert!(heard.try_recv().is_err());
    let versions: Vec<_> = asked.lock().unwrap().iter().map(|(header, _)| header.version()).collect();
    assert_eq!(versions, [0, 1, 2, 0, 1, 1, 1]);
}

#[test]
fn a_wrong_candidate_is_a_hardware_error_and_goes_no_further() {
    let nonce = header().nonce();
    let report = [
        Candidate { version: 0, nonce: nonce.wrapping_add(1) },
        Candidate { version: 7, nonce },
        Candidate { version: 0, nonce },
    ];
    let (backends, _) = fakes(1, &report, 0);
    let (events, heard) = mpsc::channel();
    let mut engine = Engine::start(backends, move |event| drop(events.send(event))).unwrap();
    let range = NonceRange::around(nonce, 5);
    engine.set_source(Box::new(std::iter::once((Work::new(header(), range, Target::DIFFICULTY_1), "tag"))));
    assert!(matches!(heard.recv().unwrap(), Event::HardwareError { worker: 0, candidate } if candidate.nonce != nonce));
    assert!(matches!(heard.recv().unwrap(), Event::HardwareError { worker: 0, candidate } if candidate.version == 7));
    match heard.recv().unwrap() {
        Event::Found { worker: 0, tag: "tag", header: found, hash } => {
            assert_eq!(found, header());
            assert_eq!(hash, header().hash());
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(heard.recv().unwrap(), Event::Exhausted));
    engine.stop();
    assert!(heard.try_recv().is_err());
    assert_eq!(engine.stats()[0].hardware_errors, 2);
}

#[test]
fn a_device_that_fails_is_tried_again() {
    let (backends, asked) = fakes(1, &[], 1);
    let (events, heard) = mpsc::channel();
    let engine = Engine::start(backends, move |event| drop(events.send(event))).unwrap();
    engine.set_source(Box::new(std::iter::repeat((Work::new(header(), NonceRange::ALL, Target::MAX), ()))));
    let failed = heard.recv().unwrap();
    assert!(matches!(&failed, Event::Failed { worker: 0, error, .. } if error.to_string().contains("off the bus")));
    wait_until(|| !asked.lock().unwrap().is_empty());
}

#[test]
fn new_work_replaces_the_old_on_every_backend() {
    let kinds = if cfg!(feature = "gpu") { vec![Kind::Cpu, Kind::Gpu] } else { vec![Kind::Cpu] };
    let backends: Vec<_> = kinds.into_iter().flat_map(|kind| open(&Selection::of(kind)).unwrap()).collect();
    let workers = backends.len();
    let (events, heard) = mpsc::channel();
    let engine = Engine::start(backends, move |event| drop(events.send(event))).unwrap();
    // About one hash in 65,536 tells which work is searched.
    let mut target = [0xff; 32];
    target[..2].fill(0);
    let target = Target::from_be_bytes(target);
    for job in 0..20u32 {
        let source = (0..).map(move |i| {
            let work = Work::new(header().with_version(job << 16 | i), NonceRange::ALL, target);
            (work, job)
        });
        engine.set_source(Box::new(source));
        // Once each backend found something in the new work, only that is searched.
        let mut seen = vec![false; workers];
        let end = Instant::now() + Duration::from_secs(20);
        while seen.contains(&false) {
            match heard.recv_timeout(end - Instant::now()).unwrap() {
                Event::Found { worker, tag, .. } if tag == job => seen[worker] = true,
                Event::Found { tag, .. } => assert!(tag < job),
                other => panic!("{other:?}"),
            }
        }
        engine.pause();
    }
}
