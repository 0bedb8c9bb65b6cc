//! One session after the other, until the handle is dropped: with the first pool that can be joined.
//!
//! Each pool that failed has a pause of its own, which grows. The first in order whose pause is over is tried next. While a
//! session with a later one stands, those before it are tried beside it, each when its pause is over, up to the point
//! where they give a job: then the session is left for the better pool.

use super::connection::connect;
use super::pauses::Pauses;
use super::session::{Session, SessionError};
use super::{Event, Handle, Pool, PoolUrl};
use crate::job::Share;
use std::future::pending;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{sleep_until, timeout, timeout_at};

/// How long a pool may take from being asked to its first job, when it is tried beside another.
const TRIAL: Duration = Duration::from_secs(20);

/// Starts a task that keeps a session with the first of these pools that can be joined, and says what happens to `events`.
pub fn spawn(pools: Vec<Pool>, events: UnboundedSender<Event>) -> Handle {
    let (shares, from_miner) = unbounded_channel();
    let candidates = pools.into_iter().map(Candidate::new).collect();
    tokio::spawn(run(candidates, events, from_miner));
    Handle { shares }
}

/// A pool, and when it may be tried.
struct Candidate {
    pool: Pool,
    /// Its own address, or where it sent the miner.
    url: PoolUrl,
    pauses: Pauses,
    ready: Instant,
}

impl Candidate {
    fn new(pool: Pool) -> Candidate {
        let url = pool.url.clone();
        Candidate { pool, url, pauses: Pauses::new(), ready: Instant::now() }
    }

    /// Notes that a session ended, or a trial failed.
    fn ended(&mut self, error: &SessionError, now: Instant) {
        let pause = self.pauses.next();
        // Where a redirection leads nowhere, the pool's own address is tried again.
        let (url, pause) = match error {
            SessionError::Reconnect { to, wait } => (to.clone(), pause.max(*wait)),
            _ => (self.pool.url.clone(), pause),
        };
        self.url = url;
        self.ready = now + pause;
    }

    /// Whether it can be joined and gives a job.
    async fn is_well(&self) -> bool {
        let (events, mut said) = unbounded_channel();
        let (_handle, mut no_shares) = unbounded_channel();
        let trial = async {
            let connection = connect(&self.pool, &self.url).await.ok()?;
            let mut session = Session::new(connection, &self.pool, &self.url, &events);
            let job = async {
                while !matches!(said.recv().await?, Event::Job { .. }) {}
                Some(())
            };
            tokio::select! {
                _ = session.run(&mut no_shares) => None,
                job = job => job,
            }
        };
        timeout(TRIAL, trial).await.ok().flatten().is_some()
    }
}

async fn run(mut candidates: Vec<Candidate>, events: UnboundedSender<Event>, mut shares: UnboundedReceiver<Share>) {
    loop {
        // The first in order of those whose pause is over; else the one whose pause ends first.
        let now = Instant::now();
        let ready = candidates.iter().position(|candidate| candidate.ready <= now);
        let soonest = || (0..candidates.len()).min_by_key(|place| candidates[*place].ready);
        let Some(place) = ready.or_else(soonest) else { return };
        while let Ok(share) = timeout_at(candidates[place].ready.into(), shares.recv()).await {
            // It was on its way when the session ended, or the miner is going away.
            let Some(share) = share else { return };
            let _ = events.send(Event::Lost(vec![share]));
        }
        let (before, rest) = candidates.split_at_mut(place);
        let Some(error) = session(before, &mut rest[0], &events, &mut shares).await else { return };
        let url = rest[0].url.clone();
        let now = Instant::now();
        rest[0].ended(&error, now);
        let next = candidates.iter().map(|candidate| candidate.ready).min();
        let retry = next.map_or(Duration::ZERO, |next| next.saturating_duration_since(now));
        if events.send(Event::Disconnected { url, error, retry }).is_err() {
            return;
        }
    }
}

/// One session, left early if one of the candidates before this is well again. `None` where the miner dropped its handle.
async fn session(
    before: &mut [Candidate],
    candidate: &mut Candidate,
    events: &UnboundedSender<Event>,
    shares: &mut UnboundedReceiver<Share>,
) -> Option<SessionError> {
    let Candidate { pool, url, pauses, .. } = candidate;
    let connection = match connect(pool, url).await {
        Ok(connection) => connection,
        Err(source) => return Some(SessionError::Connect { url: url.clone(), source }),
    };
    let mut session = Session::new(connection, pool, url, events);
    let ended = tokio::select! {
        ended = session.run(shares) => ended.err(),
        to = better(before) => {
            session.leave().await;
            Some(SessionError::Better { to })
        }
    };
    if session.worked {
        pauses.reset();
    }
    session.give_up(shares);
    ended
}

/// Waits until one of these is well.
async fn better(candidates: &mut [Candidate]) -> PoolUrl {
    loop {
        let Some(next) = candidates.iter_mut().min_by_key(|candidate| candidate.ready) else { return pending().await };
        sleep_until(next.ready.into()).await;
        if next.is_well().await {
            next.pauses.reset();
            return next.url.clone();
        }
        next.ended(&SessionError::Silent, Instant::now());
    }
}
