//! One session after the other, until the handle is dropped: with the first source that can be joined.
//!
//! Each source that failed has a pause of its own, which grows; it counts from when a session ended that gave work, or else from
//! when the attempt began. The first in order whose pause is over is tried next. While a
//! session with a later one stands, those before it are tried beside it, each when its pause is over, up to the point
//! where they give a job: then the session is left for the better one.

use super::connection::connect;
#[cfg(feature = "solo")]
use super::node::NodeSession;
use super::pauses::Pauses;
#[cfg(feature = "payout")]
use super::payout::Watch;
use super::session::{Session, SessionError};
use super::{EVENTS, Event, Handle, PoolUrl, SLOW_STEP, STEP, Source};
use crate::job::Share;
use std::future::pending;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{Receiver, Sender, UnboundedReceiver, channel, unbounded_channel};
use tokio::time::{sleep_until, timeout, timeout_at};

/// How long a pool may take from being asked to its first job, when it is tried beside another.
const TRIAL: Duration = Duration::from_secs(20);
/// After so many attempts running that a pool was too slow for, it gets more time.
const SLOW: u32 = 3;

/// Starts a task that keeps a session with the first of these sources that can be joined, and says what happens. It waits while
/// its events are not taken.
pub fn spawn(sources: Vec<Source>) -> (Handle, Receiver<Event>) {
    let (shares, from_miner) = unbounded_channel();
    let (events, to_miner) = channel(EVENTS);
    let candidates = sources.into_iter().map(Candidate::new).collect();
    tokio::spawn(run(candidates, events, from_miner));
    (Handle { shares }, to_miner)
}

/// A source, and when it may be tried.
struct Candidate {
    source: Source,
    /// Where a pool sent the miner.
    redirection: Option<PoolUrl>,
    pauses: Pauses,
    ready: Instant,
    /// How many attempts running it was too slow for.
    slow: u32,
    /// What its jobs are held against.
    #[cfg(feature = "payout")]
    watch: Watch,
}

/// A session with a source of either kind.
enum Open<'a> {
    Pool(Session<'a>),
    #[cfg(feature = "solo")]
    Node(NodeSession<'a>),
}

impl Candidate {
    fn new(source: Source) -> Candidate {
        Candidate {
            #[cfg(feature = "payout")]
            watch: Watch::of(&source),
            source,
            redirection: None,
            pauses: Pauses::new(),
            ready: Instant::now(),
            slow: 0,
        }
    }

    fn url(&self) -> String {
        self.redirection.as_ref().map_or_else(|| self.source.url(), PoolUrl::to_string)
    }

    /// Notes that a session ended, or a trial failed; the pause counts from `since`.
    fn ended(&mut self, error: &SessionError, since: Instant) {
        self.ready = since + self.pauses.next();
        self.slow = if error.is_slowness() { self.slow + 1 } else { 0 };
        // Where a redirection leads nowhere, the pool's own address is tried again.
        self.redirection = None;
        if let SessionError::Reconnect { to, wait } = error {
            self.redirection = Some(to.clone());
            self.ready = self.ready.max(Instant::now() + *wait);
        }
    }

    /// How long each step to the first job may take.
    fn step(&self) -> Duration {
        if self.slow < SLOW { STEP } else { SLOW_STEP }
    }

    async fn open<'a>(&'a self, events: &Sender<Event>) -> Result<Open<'a>, SessionError> {
        match &self.source {
            Source::Pool(pool) => {
                let url = self.redirection.as_ref().unwrap_or(&pool.url);
                let step = self.step();
                let connection = connect(pool, url, step).await;
                let connection = connection.map_err(|source| SessionError::Connect { url: url.clone(), source })?;
                let session = Session::new(connection, pool, url, step, events.clone());
                #[cfg(feature = "payout")]
                let session = session.held_to(self.watch.session());
                Ok(Open::Pool(session))
            }
            #[cfg(feature = "solo")]
            Source::Node(node) => {
                NodeSession::open(node, events.clone()).await.map(Open::Node).map_err(SessionError::Node)
            }
        }
    }

    /// Tries whether it can be joined and gives a job, and says why not.
    async fn trial(&self) -> Result<(), SessionError> {
        let (events, mut said) = channel(EVENTS);
        let (_handle, mut no_shares) = unbounded_channel();
        let trial = async {
            let mut session = self.open(&events).await?;
            let job = async {
                while !matches!(said.recv().await?, Event::Job { .. }) {}
                Some(())
            };
            // An end without an error is none of a job either.
            tokio::select! {
                ended = session.run(&mut no_shares) => ended.and(Err(SessionError::Closed)),
                job = job => job.ok_or(SessionError::Closed),
            }
        };
        timeout(TRIAL, trial).await.unwrap_or(Err(SessionError::NoJob(TRIAL)))
    }
}

impl Open<'_> {
    async fn run(&mut self, shares: &mut UnboundedReceiver<Share>) -> Result<(), SessionError> {
        match self {
            Open::Pool(session) => session.run(shares).await,
            #[cfg(feature = "solo")]
            Open::Node(session) => session.run(shares).await,
        }
    }

    /// Waits a little for answers that are due.
    async fn leave(&mut self) {
        match self {
            Open::Pool(session) => session.leave().await,
            #[cfg(feature = "solo")]
            Open::Node(session) => session.leave().await,
        }
    }

    async fn give_up(&mut self, shares: &mut UnboundedReceiver<Share>) {
        match self {
            Open::Pool(session) => session.give_up(shares).await,
            #[cfg(feature = "solo")]
            Open::Node(session) => session.give_up(shares).await,
        }
    }

    /// Whether it ever gave a job.
    fn worked(&self) -> bool {
        match self {
            Open::Pool(session) => session.worked,
            #[cfg(feature = "solo")]
            Open::Node(session) => session.worked,
        }
    }
}

async fn run(mut candidates: Vec<Candidate>, events: Sender<Event>, mut shares: UnboundedReceiver<Share>) {
    loop {
        // The first in order of those whose pause is over; else the one whose pause ends first.
        let now = Instant::now();
        let ready = candidates.iter().position(|candidate| candidate.ready <= now);
        let soonest = || (0..candidates.len()).min_by_key(|place| candidates[*place].ready);
        let Some(place) = ready.or_else(soonest) else { return };
        while let Ok(share) = timeout_at(candidates[place].ready.into(), shares.recv()).await {
            // It was on its way when the session ended, or the miner is going away.
            let Some(share) = share else { return };
            let _ = events.send(Event::Lost(vec![share])).await;
        }
        let (before, rest) = candidates.split_at_mut(place);
        let candidate = &mut rest[0];
        let began = Instant::now();
        let (worked, ended) = session(before, candidate, &events, &mut shares).await;
        let Err(error) = ended else { return };
        // A pool that gives a good job and then a bad one is not to be joined twice a second.
        if worked && !error.is_of_payout() {
            candidate.pauses.reset();
        }
        let (url, now) = (candidate.url(), Instant::now());
        candidate.ended(&error, if worked { now } else { began });
        let next = candidates.iter().map(|candidate| candidate.ready).min();
        let retry = next.map_or(Duration::ZERO, |next| next.saturating_duration_since(now));
        if events.send(Event::Disconnected { url, error, retry }).await.is_err() {
            return;
        }
    }
}

/// One session, left early if one of the candidates before this is well again. Whether it ever gave a job, and why it ended:
/// `Ok` where the miner dropped its handle.
async fn session(
    before: &mut [Candidate],
    candidate: &Candidate,
    events: &Sender<Event>,
    shares: &mut UnboundedReceiver<Share>,
) -> (bool, Result<(), SessionError>) {
    let mut session = match candidate.open(events).await {
        Ok(session) => session,
        Err(error) => return (false, Err(error)),
    };
    let ended = tokio::select! {
        ended = session.run(shares) => ended,
        to = better(before) => {
            session.leave().await;
            Err(SessionError::Better { to })
        }
    };
    session.give_up(shares).await;
    (session.worked(), ended)
}

/// Waits until one of these is well.
async fn better(candidates: &mut [Candidate]) -> String {
    loop {
        let Some(next) = candidates.iter_mut().min_by_key(|candidate| candidate.ready) else { return pending().await };
        sleep_until(next.ready.into()).await;
        let began = Instant::now();
        match next.trial().await {
            Ok(()) => return next.url(),
            Err(error) => next.ended(&error, began),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Credentials, Pool};
    use super::*;

    #[test]
    fn a_pool_that_is_slow_again_and_again_gets_more_time() {
        let credentials = Credentials { user: "u".to_owned(), password: "p".to_owned() };
        let mut candidate = Candidate::new(Pool::new(PoolUrl::tcp("h", 1), credentials).into());
        let slow = SessionError::NoJob(STEP);
        for _ in 0..SLOW {
            assert_eq!(candidate.step(), STEP);
            candidate.ended(&slow, Instant::now());
        }
        assert_eq!(candidate.step(), SLOW_STEP);
        candidate.ended(&slow, Instant::now());
        assert_eq!(candidate.step(), SLOW_STEP);
        candidate.ended(&SessionError::Closed, Instant::now());
        assert_eq!(candidate.step(), STEP);
    }
}
