//! A layer of faults between a search and a device that works: each has to be noticed, nothing wrong may be reported, and
//! mining has to go on.

use super::device::{Dispatch, Found, Request};
use super::{Gpu, GpuError};
use crate::backend::scalar::Scalar;
use crate::backend::{Backend, Cancel};
use crate::engine::{Engine, Event};
use crate::sha256::Midstate;
use crate::testing::genesis;
use crate::work::{Candidate, NonceRange, Work};
use midstate_stratum::Target;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

/// What goes wrong with a dispatch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// The driver says that the device is lost, now and for each dispatch after.
    Lost,
    /// The dispatch never ends; after a time, which is short here, it is given up.
    Hung,
    /// A nonce is reported whose hash is another.
    Wrong,
    /// A nonce is reported that was not asked for.
    Elsewhere,
    /// A candidate is left out, of this dispatch and of all after it.
    Missing,
}

/// Decides what goes wrong with a dispatch, by its number since the first of all.
type Script = fn(usize) -> Option<Fault>;

/// Searches with the reference, in place of a device that works.
struct Faulty {
    script: Script,
    dispatches: Arc<AtomicUsize>,
    slots: Vec<Option<Result<Found, String>>>,
    lost: bool,
    missing: bool,
}

/// A backend on such a device; a new device works until the script says otherwise.
fn gpu(script: Script) -> Gpu {
    let dispatches = Arc::new(AtomicUsize::new(0));
    let open = move || -> Result<Box<dyn Dispatch>, GpuError> {
        let dispatches = Arc::clone(&dispatches);
        Ok(Box::new(Faulty { script, dispatches, slots: vec![None, None], lost: false, missing: false }))
    };
    Gpu::with("faulty".to_owned(), 2, (2, Duration::from_millis(5)), open).expect("it opens")
}

impl Dispatch for Faulty {
    fn largest(&self) -> u64 {
        // Small, so that there are many dispatches.
        1 << 10
    }

    fn submit(&mut self, slot: usize, request: &Request) {
        let number = self.dispatches.fetch_add(1, Ordering::Relaxed);
        let fault = (self.script)(number);
        self.lost |= fault == Some(Fault::Lost);
        self.missing |= fault == Some(Fault::Missing);
        let mut found = candidates(request);
        match fault {
            // The most likely lie: a winner with a bit flipped.
            Some(Fault::Wrong) => found.push((request.first, 0)),
            Some(Fault::Elsewhere) => found.push((request.first.wrapping_sub(1), 0)),
            _ => {}
        }
        if self.missing {
            found.pop();
        }
        self.slots[slot] = Some(match fault {
            _ if self.lost => Err("device lost (injected)".to_owned()),
            Some(Fault::Hung) => Err("timed out (injected)".to_owned()),
            _ => Ok(Found::Candidates(found)),
        });
    }

    fn wait(&mut self, slot: usize) -> Result<(Found, Option<Duration>), String> {
        Ok((self.slots[slot].take().expect("a slot is waited for once")?, None))
    }
}

/// What a device that works finds.
fn candidates(request: &Request) -> Vec<(u32, u32)> {
    let tail: Vec<u8> = request.schedule.tail.into_iter().flat_map(u32::to_be_bytes).collect();
    let tail = tail.try_into().expect("three words");
    let mut found = Vec::new();
    for (version, rounds) in (0..).zip(request.versions) {
        let midstate = Midstate(rounds.midstate);
        let nonces = (0..request.count).map(|place| request.first.wrapping_add(place));
        let wins = |nonce: &u32| midstate.hash(&tail, *nonce).top_word() <= request.limit;
        found.extend(nonces.filter(wins).map(|nonce| (nonce, version)));
    }
    found
}

/// One hash in 256 wins.
fn work(first: u32, nonces: u64) -> Work {
    let mut target = [0xff; 32];
    target[0] = 0;
    let versions = [0, 1, 2].map(|rolled| genesis().version() ^ rolled << 13);
    let range = NonceRange::new(first, nonces).expect("not too many");
    Work::with_versions(genesis(), versions, range, Target::from_be_bytes(target))
}

fn found_by(backend: &mut dyn Backend, work: &Work) -> Result<Vec<Candidate>, String> {
    let mut found = Vec::new();
    let result = backend.search(work, &Cancel::never(), &mut |candidate| found.push(candidate));
    found.sort_unstable();
    // Whether or not it failed: what was reported is right.
    let right = |candidate: &Candidate| work.target().is_met_by(&work.header(*candidate).expect("asked for").hash().0);
    assert!(found.iter().all(right));
    let hashes = result.map_err(|error| error.to_string())?;
    assert_eq!(hashes, work.hashes());
    Ok(found)
}

fn expected(work: &Work) -> Vec<Candidate> {
    found_by(&mut Scalar::new(), work).expect("the reference never fails")
}

#[test]
fn a_device_may_be_lost_a_hundred_times() {
    // At moments that look random: one dispatch in seven.
    let mut gpu = gpu(|number| (number.wrapping_mul(0x9e37_79b9) >> 7).is_multiple_of(7).then_some(Fault::Lost));
    let (mut lost, mut slices) = (0, 0);
    while lost < 100 {
        let work = work(slices * 1500, 1500);
        match found_by(&mut gpu, &work) {
            Ok(found) => assert_eq!(found, expected(&work)),
            Err(error) => {
                assert!(error.contains("lost"), "{error}");
                lost += 1;
                continue;
            }
        }
        slices += 1;
    }
    assert!(slices > 20, "mining went on: {slices}");
}

#[test]
fn every_fault_is_noticed_and_nothing_wrong_is_reported() {
    const FAULT_AT: usize = 12;
    let scripts: [(Script, &str); 4] = [
        (|number| (number == FAULT_AT).then_some(Fault::Lost), "lost"),
        (|number| (number == FAULT_AT).then_some(Fault::Hung), "timed out"),
        (|number| (number == FAULT_AT).then_some(Fault::Wrong), "wrong answer"),
        (|number| (number == FAULT_AT).then_some(Fault::Elsewhere), "not asked for"),
    ];
    for (script, word) in scripts {
        let mut gpu = gpu(script);
        let work = work(u32::MAX - 100, 10_000);
        let error = found_by(&mut gpu, &work).unwrap_err();
        assert!(error.contains(word) && error.contains("faulty"), "{error}");
        // The device is opened anew, and works.
        assert_eq!(found_by(&mut gpu, &work).unwrap(), expected(&work));
    }
}

#[test]
fn what_a_device_leaves_out_is_noticed_at_the_next_check() {
    let mut gpu = gpu(|number| (number == 12).then_some(Fault::Missing));
    let work = work(0, 10_000);
    // It cannot be seen in what is reported.
    assert!(found_by(&mut gpu, &work).unwrap().len() < expected(&work).len());
    gpu.check_every = Duration::ZERO;
    let error = found_by(&mut gpu, &work).unwrap_err();
    assert!(error.contains("missing"), "{error}");
    assert_eq!(found_by(&mut gpu, &work).unwrap(), expected(&work));
}

#[test]
fn a_device_that_does_not_open_again_is_asked_again() {
    let mut gpu = gpu(|number| (number == 12).then_some(Fault::Lost));
    let works = std::mem::replace(&mut gpu.open, Box::new(|| Err(GpuError::None)));
    let work = work(0, 10_000);
    assert!(found_by(&mut gpu, &work).unwrap_err().contains("lost"));
    for _ in 0..3 {
        assert!(found_by(&mut gpu, &work).unwrap_err().contains("none was found"));
    }
    gpu.open = works;
    assert_eq!(found_by(&mut gpu, &work).unwrap(), expected(&work));
}

/// The engine waits before it asks again; meanwhile others go on, and then both do.
#[test]
fn the_engine_mines_on() {
    let gpu = gpu(|number| (number == 40).then_some(Fault::Lost));
    let (events, from_engine) = channel();
    let backends: Vec<Box<dyn Backend>> = vec![Box::new(gpu), Box::new(Scalar::new())];
    let engine = Engine::start(backends, move |event| {
        let _ = events.send(event);
    })
    .unwrap();
    engine.set_source(Box::new(std::iter::repeat_with(|| (work(0, 1 << 32), ()))));

    let (mut failed, mut by_other, mut again) = (false, 0, 0);
    let end = Instant::now() + Duration::from_secs(60);
    while again < 10 {
        assert!(Instant::now() < end, "failed: {failed}, {by_other} by the other, {again} by it again");
        match from_engine.recv_timeout(Duration::from_secs(60)).unwrap() {
            Event::Found { worker: 0, .. } => again += usize::from(failed),
            Event::Found { .. } => by_other += usize::from(failed && again == 0),
            Event::Failed { worker, error, .. } => {
                assert!(worker == 0 && error.to_string().contains("lost"));
                failed = true;
            }
            Event::HardwareError { .. } | Event::Exhausted => panic!("nothing wrong leaves the backend"),
        }
    }
    assert!(by_other > 0);
    let stats = engine.stats();
    assert_eq!([stats[0].failures, stats[1].failures], [1, 0]);
    assert!(stats.iter().all(|worker| worker.hardware_errors == 0));
}
