//! Graphics processors, through wgpu: Vulkan, Metal or DX12.
//!
//! A search is a row of dispatches, some of them in flight, so that the device has the next one when it ends one. Each takes
//! about as long as is asked for: long beside what it costs to send one, and short enough that all in flight end within the
//! 50 ms that a cancelled search has. The device writes out only nonces whose hash's most significant word may meet the
//! target; the host checks those in full. Where there are more than fit, as with targets that most hashes meet, the dispatch
//! is searched again in halves, and nothing is lost.
//!
//! # Trouble
//!
//! A device may be lost, hang, or compute wrongly. What it reports is checked: a nonce that was not asked for, or whose hash has
//! not the word that the shader tests, is none that the search reports. What it leaves out cannot be seen there; so every
//! few seconds it is asked something whose answer is known. After any failure the search ends with an error, and the next one
//! opens the device anew. The engine waits before that, longer each time, and others go on.

mod adapters;
mod cache;
mod device;
#[cfg(test)]
mod faults;
mod known;
mod shader;
mod tuning;

pub use adapters::{Adapter, GpuError, adapters};
pub use shader::{Dialect, Form};

use super::{Backend, Cancel, GpuOptions, Identity, SearchError};
use crate::sha256::{Midstate, Rounds, Schedule};
use crate::work::{Candidate, NonceRange, Work};
use device::{Device, Dispatch, Found, Request};
use known::Known;
use std::collections::VecDeque;
use std::ops::Range;
use std::thread;
use std::time::{Duration, Instant};
use tuning::Tuning;

/// The first dispatch, in hashes, before the device's speed is known; also the smallest that is worth sending.
const FIRST_DISPATCH: u64 = 1 << 14;
/// How often a device is asked something whose answer is known.
const CHECK_EVERY: Duration = Duration::from_secs(10);

/// A graphics processor.
pub struct Gpu {
    identity: Identity,
    /// How many versions a dispatch takes at once, or one.
    versions: usize,
    /// How many dispatches are in flight, and how long each should take.
    slots: usize,
    dispatch: Duration,
    open: Box<dyn FnMut() -> Result<Box<dyn Dispatch>, GpuError> + Send>,
    /// None after a failure, until it is opened anew.
    device: Option<Box<dyn Dispatch>>,
    known: Known,
    check_every: Duration,
    checked: Instant,
    /// Hashes in the next dispatch.
    hashes: u64,
}

/// A dispatch on its way.
#[derive(Clone)]
struct Flight {
    slot: usize,
    range: NonceRange,
    versions: Range<usize>,
}

impl Flight {
    fn hashes(&self) -> u64 {
        self.range.len() * self.versions.len() as u64
    }
}

/// What a search is of, ready for the device.
struct Task<'a> {
    work: &'a Work,
    midstates: Vec<&'a Midstate>,
    schedule: Schedule,
    rounds: Vec<Rounds>,
    limit: u32,
}

impl Gpu {
    /// Opens the adapters that the options ask for.
    pub fn open(options: &GpuOptions) -> Result<Vec<Gpu>, GpuError> {
        let open = |(place, adapter, handle): (usize, Adapter, wgpu::Adapter)| {
            let tuning = Tuning::choose(&adapter, &handle, options)?;
            // A program that plays a device shares its processor with others, and may be late: short dispatches leave room.
            let (slots, dispatch) = if adapter.software { (3, 5) } else { (2, 20) };
            let fits = |asked: &Option<String>| asked.as_ref().is_none_or(|asked| adapter.is_called(place, asked));
            let asked = options.dispatch.iter().rev().find(|(asked, _)| fits(asked));
            let dispatch = asked.map_or(Duration::from_millis(dispatch), |(_, dispatch)| *dispatch);
            let name = adapter.name.clone();
            let open = move || -> Result<Box<dyn Dispatch>, GpuError> {
                Ok(Box::new(Device::open(&adapter, &handle, Dialect::of(&adapter.driver), tuning, slots)?))
            };
            Gpu::with(name, tuning.versions, (slots, dispatch), open)
        };
        adapters::choose(&options.adapters)?.into_iter().map(open).collect()
    }

    /// A device that is opened by `open`, now and after each failure.
    fn with(
        name: String,
        versions: u32,
        (slots, dispatch): (usize, Duration),
        open: impl FnMut() -> Result<Box<dyn Dispatch>, GpuError> + Send + 'static,
    ) -> Result<Gpu, GpuError> {
        let mut gpu = Gpu {
            identity: Identity { backend: "gpu", kernel: "wgsl", device: name },
            versions: versions as usize,
            slots,
            dispatch,
            open: Box::new(open),
            device: None,
            known: Known::new(versions),
            check_every: CHECK_EVERY,
            checked: Instant::now(),
            hashes: FIRST_DISPATCH,
        };
        gpu.device = Some((gpu.open)()?);
        Ok(gpu)
    }

    /// Opens the device anew if it failed, and tests it if that is due.
    fn make_ready(&mut self) -> Result<(), String> {
        if self.device.is_some() && self.checked.elapsed() < self.check_every {
            return Ok(());
        }
        let device = match &mut self.device {
            Some(device) => device,
            None => self.device.insert((self.open)().map_err(|error| error.to_string())?),
        };
        self.known.check(device.as_mut())?;
        self.checked = Instant::now();
        Ok(())
    }

    /// Searches with a device that is ready.
    fn search_with_device(
        &mut self,
        task: &Task,
        cancel: &Cancel,
        found: &mut dyn FnMut(Candidate),
    ) -> Result<u64, String> {
        self.make_ready()?;
        let Some(device) = self.device.as_deref_mut() else { return Err("it is not open".to_owned()) };

        // What is still to be sent: a range under each group of versions, and under each version that is left over.
        let groups = task.rounds.len() / self.versions;
        let whole = (0..groups).map(|group| group * self.versions..(group + 1) * self.versions);
        let single = (groups * self.versions..task.rounds.len()).map(|version| version..version + 1);
        let mut rest: VecDeque<_> = whole.chain(single).map(|versions| (versions, task.work.range())).collect();
        let mut flying: VecDeque<Flight> = VecDeque::new();
        let mut free: Vec<usize> = (0..self.slots).collect();
        // Dispatches whose candidates did not fit wait until the slots are free.
        let mut overflowed: Vec<Flight> = Vec::new();
        let mut hashes = 0;
        let mut last_end = Instant::now();

        loop {
            while let (Some(&slot), Some((versions, range)), false) =
                (free.last(), rest.front_mut(), cancel.is_cancelled())
            {
                let nonces = (self.hashes / versions.len() as u64).clamp(1, device.largest());
                let flight = Flight { slot, range: range.take_front(nonces), versions: versions.clone() };
                if range.is_empty() {
                    rest.pop_front();
                }
                if flight.range.is_empty() {
                    continue;
                }
                device.submit(slot, &task.request(&flight.versions, flight.range));
                free.pop();
                flying.push_back(flight);
            }
            let Some(flight) = flying.pop_front() else { break };
            let (outcome, time) = device.wait(flight.slot)?;
            match outcome {
                Found::Candidates(candidates) => {
                    task.report(&flight.versions, flight.range, &candidates, found)?;
                    hashes += flight.hashes();
                }
                Found::TooMany => overflowed.push(flight.clone()),
            }
            free.push(flight.slot);
            let now = Instant::now();
            // The device's own clock knows nothing of how late this thread was woken.
            self.hashes = next_size(flight.hashes(), time.unwrap_or(now - last_end), self.dispatch);
            last_end = now;
        }
        for flight in overflowed {
            search_again(device, task, &flight.versions, flight.range, found)?;
            hashes += flight.hashes();
        }
        Ok(hashes)
    }
}

impl Backend for Gpu {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn versions(&self) -> usize {
        self.versions
    }

    fn search(&mut self, work: &Work, cancel: &Cancel, found: &mut dyn FnMut(Candidate)) -> Result<u64, SearchError> {
        let result = self.search_with_device(&Task::new(work), cancel, found);
        result.map_err(|what| {
            if let Some(device) = self.device.take() {
                // A driver may wait for a device that hangs for as long as it hangs.
                thread::spawn(move || drop(device));
            }
            SearchError { backend: self.identity.to_string(), what }
        })
    }
}

impl<'a> Task<'a> {
    fn new(work: &'a Work) -> Task<'a> {
        let midstates: Vec<&Midstate> = work.midstates().collect();
        let schedule = Schedule::new(&work.tail());
        let rounds = midstates.iter().map(|midstate| schedule.rounds(midstate)).collect();
        Task { work, midstates, schedule, rounds, limit: work.target().top_word() }
    }

    fn request(&self, versions: &Range<usize>, range: NonceRange) -> Request<'_> {
        let (schedule, versions) = (&self.schedule, &self.rounds[versions.clone()]);
        Request { schedule, versions, first: range.first(), count: range.len() as u32, limit: self.limit }
    }

    /// Checks candidates of a dispatch in full, and reports those that meet the target.
    ///
    /// # Errors
    /// One of them cannot have come from a device that works.
    fn report(
        &self,
        versions: &Range<usize>,
        range: NonceRange,
        candidates: &[(u32, u32)],
        found: &mut dyn FnMut(Candidate),
    ) -> Result<(), String> {
        let tail = self.work.tail();
        for &(nonce, place) in candidates {
            let version = versions.start + place as usize;
            if !versions.contains(&version) || u64::from(nonce.wrapping_sub(range.first())) >= range.len() {
                return Err(format!("it reported nonce {nonce:#010x} of version {place}, which was not asked for"));
            }
            let hash = self.midstates[version].hash(&tail, nonce);
            if hash.top_word() > self.limit {
                return Err(format!("it reported nonce {nonce:#010x}, whose hash is {hash}: a wrong answer"));
            }
            if self.work.target().is_met_by(&hash.0) {
                found(Candidate { version, nonce });
            }
        }
        Ok(())
    }
}

/// Searches nonces that had more candidates than fit: in halves, until they fit.
fn search_again(
    device: &mut dyn Dispatch,
    task: &Task,
    versions: &Range<usize>,
    mut range: NonceRange,
    found: &mut dyn FnMut(Candidate),
) -> Result<(), String> {
    let second_half = range.len() / 2;
    let first = range.take_front(range.len() - second_half);
    for half in [first, range].into_iter().filter(|half| !half.is_empty()) {
        device.submit(0, &task.request(versions, half));
        match device.wait(0)?.0 {
            Found::Candidates(candidates) => task.report(versions, half, &candidates, found)?,
            Found::TooMany if range.len() <= 1 => return Err("a single nonce overflowed".to_owned()),
            Found::TooMany => search_again(device, task, versions, half, found)?,
        }
    }
    Ok(())
}

/// The size of a dispatch that should take `wanted`, if one of `hashes` took `time`; at most twice as large.
fn next_size(hashes: u64, time: Duration, wanted: Duration) -> u64 {
    let ideal = hashes as f64 * wanted.as_secs_f64() / time.as_secs_f64().max(1e-6);
    (ideal as u64).clamp(FIRST_DISPATCH, (hashes * 2).max(FIRST_DISPATCH))
}
