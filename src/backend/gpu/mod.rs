//! Graphics processors, through wgpu: Vulkan, Metal or DX12.
//!
//! A search is a row of dispatches, `SLOTS` of them in flight, so that the device has the next one when it ends one.
//! Each takes about `DISPATCH`: long beside what it costs to send one, and short enough that all in flight end within
//! the 50 ms that a cancelled search has. The device writes out only nonces whose hash's most significant word may meet
//! the target; the host checks those in full. Where there are more than fit, as with targets that most hashes meet, the
//! dispatch is searched again in halves, and nothing is lost.

mod adapters;
mod device;
mod shader;

pub use adapters::{Adapter, GpuError, adapters};
pub use shader::source;

use super::{Backend, Cancel, Identity, SearchError};
use crate::sha256::{Midstate, Rounds, Schedule};
use crate::work::{Candidate, NonceRange, Work};
use device::{Device, Found, Request, Slot};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Dispatches in flight.
const SLOTS: usize = 3;
/// How long one should take.
const DISPATCH: Duration = Duration::from_millis(5);
/// The first dispatch, before the device's speed is known; also the smallest that is worth sending.
const FIRST_DISPATCH: u64 = 1 << 14;

/// A graphics processor.
pub struct Gpu {
    identity: Identity,
    device: Device,
    slots: Vec<Slot>,
    /// Nonces in the next dispatch.
    nonces: u64,
}

/// A dispatch on its way.
struct Flight {
    slot: usize,
    index: wgpu::SubmissionIndex,
    range: NonceRange,
    version: usize,
}

impl Gpu {
    /// Opens an adapter: the first whose name contains `adapter`, or the one with that number in [`adapters`], or the
    /// best.
    pub fn open(adapter: Option<&str>) -> Result<Gpu, GpuError> {
        let device = Device::open(adapter)?;
        let identity = Identity { backend: "gpu", kernel: "wgsl", device: device.name.clone() };
        let slots = (0..SLOTS).map(|_| device.slot()).collect();
        Ok(Gpu { identity, device, slots, nonces: FIRST_DISPATCH })
    }

    fn error(&self, what: String) -> SearchError {
        SearchError { backend: self.identity.to_string(), what }
    }

    /// Searches nonces that had more candidates than fit: in halves, until they fit.
    fn search_again(
        &self,
        schedule: &Schedule,
        rounds: &Rounds,
        limit: u32,
        mut range: NonceRange,
    ) -> Result<Vec<u32>, String> {
        let mut nonces = Vec::new();
        let second_half = range.len() / 2;
        let first = range.take_front(range.len() - second_half);
        for half in [first, range] {
            let request = Request { schedule, rounds, first: half.first(), count: half.len() as u32, limit };
            let index = self.device.submit(&self.slots[0], &request);
            match self.device.wait(&self.slots[0], index)? {
                Found::Nonces(found) => nonces.extend(found),
                Found::TooMany => nonces.extend(self.search_again(schedule, rounds, limit, half)?),
            }
        }
        Ok(nonces)
    }
}

impl Backend for Gpu {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn search(&mut self, work: &Work, cancel: &Cancel, found: &mut dyn FnMut(Candidate)) -> Result<u64, SearchError> {
        let midstates: Vec<Midstate> = work.midstates().copied().collect();
        let tail = work.tail();
        let schedule = Schedule::new(&tail);
        let rounds: Vec<Rounds> = midstates.iter().map(|midstate| schedule.rounds(midstate)).collect();
        let limit = work.target().top_word();

        // What is still to be sent: a range under each version.
        let mut rest: VecDeque<(usize, NonceRange)> = (0..midstates.len()).map(|v| (v, work.range())).collect();
        let mut flying: VecDeque<Flight> = VecDeque::new();
        let mut free: Vec<usize> = (0..self.slots.len()).collect();
        // Dispatches whose candidates did not fit wait until the slots are free.
        let mut overflowed: Vec<Flight> = Vec::new();
        let mut hashes = 0;
        let mut last_end = Instant::now();

        loop {
            while let (Some(&slot), Some((version, range)), false) =
                (free.last(), rest.front_mut(), cancel.is_cancelled())
            {
                let version = *version;
                let part = range.take_front(self.nonces);
                if range.is_empty() {
                    rest.pop_front();
                }
                if part.is_empty() {
                    continue;
                }
                let (schedule, rounds) = (&schedule, &rounds[version]);
                let request = Request { schedule, rounds, first: part.first(), count: part.len() as u32, limit };
                let index = self.device.submit(&self.slots[slot], &request);
                free.pop();
                flying.push_back(Flight { slot, index, range: part, version });
            }
            let Some(flight) = flying.pop_front() else { break };
            let result = self.device.wait(&self.slots[flight.slot], flight.index.clone());
            free.push(flight.slot);
            let flight_nonces = flight.range.len();
            match result.map_err(|what| self.error(what))? {
                Found::Nonces(nonces) => {
                    report(work, &midstates, &tail, flight.version, nonces, found);
                    hashes += flight_nonces;
                }
                Found::TooMany => overflowed.push(flight),
            }
            let now = Instant::now();
            self.nonces = next_size(flight_nonces, now - last_end).min(self.device.largest_dispatch);
            last_end = now;
        }
        for flight in overflowed {
            let again = self.search_again(&schedule, &rounds[flight.version], limit, flight.range);
            let nonces = again.map_err(|what| self.error(what))?;
            report(work, &midstates, &tail, flight.version, nonces, found);
            hashes += flight.range.len();
        }
        Ok(hashes)
    }
}

/// Checks candidates in full, and reports those that meet the target.
fn report(
    work: &Work,
    midstates: &[Midstate],
    tail: &[u8; 12],
    version: usize,
    nonces: Vec<u32>,
    found: &mut dyn FnMut(Candidate),
) {
    for nonce in nonces {
        if work.target().is_met_by(&midstates[version].hash(tail, nonce).0) {
            found(Candidate { version, nonce });
        }
    }
}

/// The size of a dispatch that should take [`DISPATCH`], if one of `nonces` took `time`; at most twice as large.
fn next_size(nonces: u64, time: Duration) -> u64 {
    let ideal = nonces as f64 * DISPATCH.as_secs_f64() / time.as_secs_f64().max(1e-6);
    (ideal as u64).clamp(FIRST_DISPATCH, (nonces * 2).max(FIRST_DISPATCH))
}
