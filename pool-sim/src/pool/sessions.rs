//! Who has which extranonce1, and which sessions can be resumed.
//!
//! A session is an extranonce1 and a difficulty, under an id that nobody can guess. Its connection has it for itself. When that
//! ends, the session is kept for a while for whoever knows the id, so that shares found meanwhile are not lost.
//!
//! No session is given to two living connections: their miners would search the same headers. A connection that is still open
//! but said nothing for long counts as dead, and loses its session: who knows the id is most likely the same miner, whose
//! network failed without a word, and who noticed only by the silence. If it lived nevertheless, its connection ends, and it
//! joins anew as after any other.

use super::EXTRANONCE1_SIZE;
use bitcoin::BlockHash;
use bitcoin::hashes::{Hash, HashEngine, Hmac, HmacEngine, sha256};
use bitcoin::hex::DisplayHex;
use midstate_stratum::Difficulty;
use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// How many ended sessions are kept at most: the oldest goes first.
const KEPT: usize = 10_000;

pub(super) struct Sessions {
    first: u32,
    resume_within: Duration,
    silent_after: Duration,
    secret: [u8; 32],
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// How many ids there were so far.
    count: u64,
    /// How far the places are counted, on from the first extranonce1.
    reached: u64,
    living: HashMap<String, Arc<Living>>,
    /// Oldest first.
    ended: VecDeque<Ended>,
    /// Extranonces of both.
    used: HashSet<u32>,
}

struct Living {
    extranonce1: u32,
    last: Mutex<Last>,
    taken: Notify,
}

/// What happened last in a session.
#[derive(Clone, Copy)]
pub(super) struct Last {
    /// When its miner said something.
    pub(super) heard: Instant,
    /// What went to it, be it that it arrived or not.
    pub(super) sent: Option<Sent>,
}

/// The last job that went to a session.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sent {
    pub(super) difficulty: Difficulty,
    pub(super) previous_block_hash: BlockHash,
}

struct Ended {
    id: String,
    extranonce1: u32,
    last: Last,
    at: Instant,
}

/// A session that is one connection's until this is dropped.
pub(super) struct Claim<'a> {
    id: String,
    living: Arc<Living>,
    /// Of the connection that had it before, if it was resumed.
    before: Option<Last>,
    /// Whether it can be resumed.
    is_kept: bool,
    from: &'a Sessions,
}

impl Sessions {
    /// The first session's extranonce1 is this, and each further one counts on.
    pub(super) fn new(first: u32, resume_within: Duration, silent_after: Duration) -> io::Result<Sessions> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret)?;
        Ok(Sessions { first, resume_within, silent_after, secret, state: Mutex::default() })
    }

    /// The session of that id, if there is one to be had; else a new one. There are so many places, and `is_living` says of one
    /// whether a job of it can still be answered: its miner may be searching there. `None` if no place is free.
    pub(super) fn take(
        &self,
        asked: Option<&str>,
        now: Instant,
        places: u64,
        is_living: impl Fn([u8; EXTRANONCE1_SIZE]) -> bool,
    ) -> Option<Claim<'_>> {
        let mut state = self.state();
        state.forget(self.resume_within, now);
        let found = asked.and_then(|id| {
            let (extranonce1, last) = state.resume(id, self.silent_after, now, places)?;
            Some((id.to_owned(), extranonce1, Some(last)))
        });
        let (id, extranonce1, before) = if let Some(found) = found {
            found
        } else {
            let extranonce1 = state.free(self.first, places, |place| is_living(place.to_be_bytes()))?;
            (state.invent(self), extranonce1, None)
        };
        let last = Mutex::new(Last { heard: now, sent: before.and_then(|last| last.sent) });
        let living = Arc::new(Living { extranonce1, last, taken: Notify::new() });
        state.used.insert(extranonce1);
        state.living.insert(id.clone(), Arc::clone(&living));
        Some(Claim { id, living, before, is_kept: true, from: self })
    }

    /// Forgets those that ended, and those that live cannot be resumed either.
    pub(super) fn forget_all(&self) {
        let mut state = self.state();
        let State { living, ended, used, .. } = &mut *state;
        for gone in ended.drain(..) {
            used.remove(&gone.extranonce1);
        }
        living.clear();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic cannot leave it half-written.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn forget(&mut self, resume_within: Duration, now: Instant) {
        while let Some(oldest) = self.ended.front()
            && (self.ended.len() > KEPT || now.saturating_duration_since(oldest.at) > resume_within)
        {
            self.used.remove(&oldest.extranonce1);
            self.ended.pop_front();
        }
    }

    /// Its extranonce1 and what happened last in it, if it can be had.
    fn resume(&mut self, id: &str, silent_after: Duration, now: Instant, places: u64) -> Option<(u32, Last)> {
        let fits = |extranonce1: u32| u64::from(extranonce1) < places;
        if let Some(at) = self.ended.iter().position(|ended| ended.id == id && fits(ended.extranonce1)) {
            return self.ended.remove(at).map(|ended| (ended.extranonce1, ended.last));
        }
        let living = self.living.get(id)?;
        let last = *living.last();
        if now.saturating_duration_since(last.heard) < silent_after || !fits(living.extranonce1) {
            return None;
        }
        living.taken.notify_one();
        Some((living.extranonce1, last))
    }

    /// A place that nobody has, and where nobody can still be searching. If there is none, an ended session's that cannot be of use
    /// any more.
    fn free(&mut self, first: u32, places: u64, is_living: impl Fn(u32) -> bool) -> Option<u32> {
        for _ in 0..places {
            let place = ((u64::from(first) + self.reached) % places) as u32;
            self.reached += 1;
            if !self.used.contains(&place) && !is_living(place) {
                return Some(place);
            }
        }
        let is_useless = |ended: &Ended| u64::from(ended.extranonce1) < places && !is_living(ended.extranonce1);
        let at = self.ended.iter().position(is_useless)?;
        self.ended.remove(at).map(|ended| ended.extranonce1)
    }

    /// An id that nobody has.
    fn invent(&mut self, sessions: &Sessions) -> String {
        let mut engine = HmacEngine::<sha256::Hash>::new(&sessions.secret);
        engine.input(&self.count.to_be_bytes());
        self.count += 1;
        Hmac::from_engine(engine).to_byte_array()[..16].to_lower_hex_string()
    }
}

impl Living {
    fn last(&self) -> MutexGuard<'_, Last> {
        // A panic cannot leave it half-written.
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Claim<'_> {
    pub(super) fn extranonce1(&self) -> [u8; EXTRANONCE1_SIZE] {
        self.living.extranonce1.to_be_bytes()
    }

    /// The name under which the session can be resumed.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Whether it is a session that was there before.
    pub(super) fn is_resumed(&self) -> bool {
        self.before.is_some()
    }

    /// What happened last on its connection before this one, if it had one.
    pub(super) fn before(&self) -> Option<Last> {
        self.before
    }

    /// Notes that the miner said something.
    pub(super) fn heard(&self) {
        self.living.last().heard = Instant::now();
    }

    /// Notes what it resumes with.
    pub(super) fn keep(&self, sent: Sent) {
        self.living.last().sent = Some(sent);
    }

    /// It ends for good with its connection.
    pub(super) fn forget_at_end(&mut self) {
        self.is_kept = false;
    }

    /// Ends when another connection has the session.
    pub(super) async fn taken(&self) {
        self.living.taken.notified().await;
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let mut state = self.from.state();
        // Not if another connection has it.
        if state.living.get(&self.id).is_some_and(|living| Arc::ptr_eq(living, &self.living)) {
            state.living.remove(&self.id);
            let (id, extranonce1) = (std::mem::take(&mut self.id), self.living.extranonce1);
            if !self.is_kept {
                state.used.remove(&extranonce1);
                return;
            }
            let last = *self.living.last();
            state.ended.push_back(Ended { id, extranonce1, last, at: Instant::now() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static SENT: std::sync::LazyLock<Sent> =
        std::sync::LazyLock::new(|| Sent { difficulty: Difficulty::ONE, previous_block_hash: BlockHash::all_zeros() });

    fn sessions(first_extranonce1: u32) -> Sessions {
        Sessions::new(first_extranonce1, Duration::from_secs(600), Duration::from_secs(60)).unwrap()
    }

    fn take<'a>(sessions: &'a Sessions, asked: Option<&str>, now: Instant) -> Claim<'a> {
        sessions.take(asked, now, 1 << 32, |_| false).unwrap()
    }

    #[test]
    fn a_place_is_given_again_only_when_no_job_of_it_lives() {
        let sessions = sessions(0);
        let now = Instant::now();
        let claims: Vec<_> = (0..256).map(|_| sessions.take(None, now, 256, |_| false).unwrap()).collect();
        let places: HashSet<_> = claims.iter().map(Claim::extranonce1).collect();
        assert_eq!((places.len(), places.contains(&[0, 0, 0, 255])), (256, true));
        assert!(sessions.take(None, now, 256, |_| false).is_none());
        let (gone, kept) = (claims[7].extranonce1(), claims[8].id().to_owned());
        drop(claims);
        // All ended and could be resumed. One has no use any more.
        assert!(sessions.take(None, now, 256, |_| true).is_none());
        assert_eq!(sessions.take(None, now, 256, |place| place != gone).unwrap().extranonce1(), gone);
        assert!(sessions.take(Some(&kept), now, 256, |_| true).unwrap().is_resumed());
        // Later all are forgotten, and those whose jobs are void are free.
        let later = now + Duration::from_secs(601);
        assert_eq!(sessions.take(None, later, 256, |place| place[3] != 9).unwrap().extranonce1(), [0, 0, 0, 9]);
        // Where there are fewer places, not all sessions can be resumed.
        assert!(!sessions.take(Some(&kept), later, 4, |_| false).unwrap().is_resumed());
    }

    #[test]
    fn one_connection_at_a_time() {
        let sessions = sessions(u32::MAX);
        let now = Instant::now();
        let first = take(&sessions, None, now);
        assert_eq!(first.extranonce1(), [0xff; 4]);
        let second = take(&sessions, None, now);
        assert_eq!(second.extranonce1(), [0; 4]);
        assert_ne!(first.id(), second.id());
        let id = first.id().to_owned();
        // Taken, never given, and no id at all.
        let forged = "0".repeat(32);
        for (asked, expected) in [(id.as_str(), 1), (forged.as_str(), 2), ("ž", 3)] {
            let claim = take(&sessions, Some(asked), now);
            assert_eq!((claim.living.extranonce1, claim.is_resumed()), (expected, false));
            assert_ne!(claim.id(), asked);
        }
        first.keep(*SENT);
        drop(first);
        let resumed = take(&sessions, Some(&id), now);
        assert_eq!((resumed.extranonce1(), resumed.id()), ([0xff; 4], id.as_str()));
        assert_eq!((resumed.is_resumed(), resumed.before().and_then(|last| last.sent)), (true, Some(*SENT)));
    }

    #[test]
    fn one_that_ends_for_good_leaves_its_place() {
        let sessions = sessions(7);
        let mut gone = take(&sessions, None, Instant::now());
        gone.forget_at_end();
        let id = gone.id().to_owned();
        drop(gone);
        assert!(sessions.state().used.is_empty());
        assert!(!take(&sessions, Some(&id), Instant::now()).is_resumed());
    }

    #[test]
    fn what_ended_long_ago_is_forgotten() {
        let sessions = sessions(7);
        let first = take(&sessions, None, Instant::now());
        let id = first.id().to_owned();
        drop(first);
        let late = Instant::now() + Duration::from_secs(601);
        let other = take(&sessions, Some(&id), late);
        assert_eq!((other.extranonce1(), other.is_resumed()), ([0, 0, 0, 8], false));
        assert_eq!(sessions.state().used.len(), 1);
    }

    #[test]
    fn a_silent_connection_loses_its_session_and_does_not_take_it_along_when_it_ends() {
        let sessions = sessions(7);
        let silent = take(&sessions, None, Instant::now());
        let id = silent.id().to_owned();
        silent.keep(*SENT);
        let minute_later = Instant::now() + Duration::from_secs(61);
        let new = take(&sessions, Some(&id), minute_later);
        assert_eq!((new.extranonce1(), new.before().and_then(|last| last.sent)), ([0, 0, 0, 7], Some(*SENT)));
        wait_until_taken(&silent);
        drop(silent);
        // It lives on.
        assert_eq!(take(&sessions, Some(&id), minute_later).extranonce1(), [0, 0, 0, 8]);
        assert_eq!(sessions.state().ended.len(), 1);
    }

    fn wait_until_taken(claim: &Claim) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(claim.taken());
    }
}
