//! A dispatch whose answer is known: what a device has to pass before it searches, and again every few seconds.

use super::device::{Dispatch, Found, Request};
use crate::backend::self_test::HEADERS;
use crate::sha256::{Header, Midstate, Rounds, Schedule};

/// Nonces of the dispatch, around the header's own.
const COUNT: u32 = 1 << 12;
/// One hash in 64 has a most significant word that is not above this: every lane and workgroup is asked for some.
const LIMIT: u32 = u32::MAX >> 6;

/// The question, and the reference's answer.
pub(super) struct Known {
    schedule: Schedule,
    versions: Vec<Rounds>,
    first: u32,
    /// Nonces, each with the index of its version, in order.
    candidates: Vec<(u32, u32)>,
}

impl Known {
    /// For devices that take so many versions at once.
    pub(super) fn new(versions: u32) -> Known {
        let [header, _] = HEADERS;
        let tail = header.tail();
        let schedule = Schedule::new(&tail);
        let rolled = (0..versions).map(|rolled| header.with_version(header.version() ^ rolled << 13));
        let midstates: Vec<Midstate> = rolled.map(|header: Header| header.midstate()).collect();
        let first = header.nonce().wrapping_sub(COUNT / 2);
        let mut candidates = Vec::new();
        for (version, midstate) in (0..).zip(&midstates) {
            let nonces = (0..COUNT).map(|place| first.wrapping_add(place));
            let wins = |nonce: &u32| midstate.hash(&tail, *nonce).top_word() <= LIMIT;
            candidates.extend(nonces.filter(wins).map(|nonce| (nonce, version)));
        }
        candidates.sort_unstable();
        Known { schedule, versions: midstates.iter().map(|m| schedule.rounds(m)).collect(), first, candidates }
    }

    /// Asks the device.
    pub(super) fn check(&self, device: &mut dyn Dispatch) -> Result<(), String> {
        let Known { schedule, versions, first, .. } = self;
        let request = Request { schedule, versions, first: *first, count: COUNT, limit: LIMIT };
        device.submit(0, &request);
        let (Found::Candidates(mut found), _) = device.wait(0)? else {
            return Err("a dispatch with a known answer overflowed".to_owned());
        };
        found.sort_unstable();
        if found == self.candidates {
            return Ok(());
        }
        let missing = self.candidates.iter().filter(|candidate| !found.contains(candidate)).count();
        let wrong = found.len() + missing - self.candidates.len();
        Err(format!("a dispatch with a known answer went wrong: {missing} candidates were missing, {wrong} invented"))
    }
}
