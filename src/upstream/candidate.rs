//! A source, what is known of it between its sessions, and a session with a source of any kind.

#[cfg(feature = "v2")]
use super::Protocol;
use super::connection::connect;
use super::error::SessionError;
use super::kept::Kept;
#[cfg(feature = "solo")]
use super::node::NodeSession;
use super::outbox::Outbox;
use super::pauses::Pauses;
#[cfg(feature = "payout")]
use super::payout::Watch;
use super::session::Session;
use super::tips::{Old, Tip};
#[cfg(feature = "v2")]
use super::v2::V2Session;
use super::{EVENTS, Event, PoolUrl, SLOW_STEP, STEP, Source};
use crate::job::Share;
use std::time::Duration;
use tokio::sync::mpsc::{Sender, UnboundedReceiver, channel, unbounded_channel};
use tokio::sync::watch::Receiver;
use tokio::time::{Instant, timeout_at};

/// How long a pool may take from being asked to its first job, when it is tried beside another.
const TRIAL: Duration = Duration::from_secs(20);
/// After so many attempts running that a pool was too slow for, it gets more time.
const SLOW: u32 = 3;

/// A source, and when it may be tried.
pub(super) struct Candidate {
    pub(super) source: Source,
    /// Where a pool sent the miner.
    redirection: Option<PoolUrl>,
    pub(super) pauses: Pauses,
    pub(super) ready: Instant,
    /// Its last session, where that may be resumed.
    pub(super) kept: Option<Kept>,
    /// How many attempts running it was too slow for.
    slow: u32,
    /// What it builds on.
    pub(super) tip: Tip,
    /// What its jobs are held against.
    #[cfg(feature = "payout")]
    watch: Watch,
}

/// A session with a source of any kind.
pub(super) enum Open<'a> {
    Pool(Box<Session<'a>>),
    #[cfg(feature = "v2")]
    V2(Box<V2Session<'a>>),
    #[cfg(feature = "solo")]
    Node(Box<NodeSession<'a>>),
}

impl Candidate {
    pub(super) fn new(source: Source, old: &Old) -> Candidate {
        Candidate {
            #[cfg(feature = "payout")]
            watch: Watch::of(&source),
            source,
            redirection: None,
            pauses: Pauses::new(),
            ready: Instant::now(),
            kept: None,
            slow: 0,
            tip: Tip::new(old.clone()),
        }
    }

    pub(super) fn url(&self) -> String {
        self.redirection.as_ref().map_or_else(|| self.source.url(), PoolUrl::to_string)
    }

    /// Notes that a session ended, or a trial failed; the pause counts from `since`.
    pub(super) fn ended(&mut self, error: &SessionError, since: Instant) {
        self.ready = since + self.pauses.next();
        self.slow = if error.is_slowness() { self.slow + 1 } else { 0 };
        // Where a redirection leads nowhere, the pool's own address is tried again.
        self.redirection = None;
        if let SessionError::Reconnect { to, wait } = error {
            self.redirection = Some(to.clone());
            self.ready = self.ready.max(Instant::now() + *wait);
        }
    }

    /// Forgets the session that might be resumed. What waited for it.
    pub(super) fn forget(&mut self) -> impl Iterator<Item = Share> + use<> {
        self.kept.take().into_iter().flat_map(|kept| kept.held)
    }

    /// How long each step to the first job may take.
    fn step(&self) -> Duration {
        if self.slow < SLOW { STEP } else { SLOW_STEP }
    }

    pub(super) async fn open<'a>(
        &'a self,
        events: &Sender<Event>,
        #[cfg_attr(not(feature = "v2"), expect(unused_variables, reason = "no other pool is told"))]
        hashrate: &Receiver<f64>,
    ) -> Result<Open<'a>, SessionError> {
        self.tip.begin();
        let outbox = Outbox::new(events.clone()).noting(self.tip.clone());
        match &self.source {
            Source::Pool(pool) => {
                let url = self.redirection.as_ref().unwrap_or(&pool.url);
                let step = self.step();
                #[cfg(feature = "v2")]
                if matches!(url.protocol, Protocol::V2 { .. }) {
                    let (payout, hashrate) = (self.watch.session(), hashrate.clone());
                    let session = V2Session::open((pool, url), step, payout, hashrate, outbox).await?;
                    return Ok(Open::V2(Box::new(session)));
                }
                let connection = connect(pool, url, step).await;
                let connection = connection.map_err(|source| SessionError::Connect { url: url.clone(), source })?;
                let session = Session::new(connection, pool, url, step, outbox);
                #[cfg(feature = "payout")]
                let session = session.held_to(self.watch.session());
                Ok(Open::Pool(Box::new(session)))
            }
            #[cfg(feature = "solo")]
            Source::Node(node) => {
                let session = NodeSession::open(node, outbox).await.map_err(SessionError::Node)?;
                Ok(Open::Node(Box::new(session)))
            }
        }
    }

    /// Tries whether it can be joined and gives a job that is not on an old tip, and says why not.
    pub(super) async fn trial(&self, hashrate: &Receiver<f64>) -> Result<(), SessionError> {
        let (events, mut said) = channel(EVENTS);
        let (_handle, mut no_shares) = unbounded_channel();
        let limit = Instant::now() + TRIAL;
        let late = |_| SessionError::NoJob(TRIAL);
        let mut session = timeout_at(limit, self.open(&events, hashrate)).await.map_err(late)??;
        let tried = async {
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
        let tried = timeout_at(limit, tried).await.map_err(late);
        // Nobody hears what else is said.
        drop(said);
        // Where the protocol has a last word.
        #[cfg(feature = "v2")]
        if let Open::V2(session) = &mut session {
            session.say_goodbye().await;
        }
        tried??;
        self.tip.outdated().map_or(Ok(()), |tip| Err(SessionError::OldTip(tip)))
    }
}

impl Open<'_> {
    /// The number of its jobs.
    pub(super) fn number(&self) -> u64 {
        match self {
            Open::Pool(session) => session.number,
            #[cfg(feature = "v2")]
            Open::V2(session) => session.number,
            #[cfg(feature = "solo")]
            Open::Node(session) => session.number,
        }
    }

    /// Lets it begin as an earlier one, if the pool agrees.
    pub(super) fn resume(&mut self, kept: Option<Kept>) {
        match self {
            Open::Pool(session) => session.kept = kept,
            // V2 resumes no sessions.
            #[cfg(feature = "v2")]
            Open::V2(_) => {}
            // A node knows no sessions.
            #[cfg(feature = "solo")]
            Open::Node(_) => {}
        }
    }

    pub(super) async fn run(&mut self, shares: &mut UnboundedReceiver<Share>) -> Result<(), SessionError> {
        match self {
            Open::Pool(session) => session.run(shares).await,
            #[cfg(feature = "v2")]
            Open::V2(session) => session.run(shares).await,
            #[cfg(feature = "solo")]
            Open::Node(session) => session.run(shares).await,
        }
    }

    /// Waits a little for answers that are due.
    pub(super) async fn leave(&mut self) {
        match self {
            Open::Pool(session) => session.leave().await,
            #[cfg(feature = "v2")]
            Open::V2(session) => session.leave().await,
            #[cfg(feature = "solo")]
            Open::Node(session) => session.leave().await,
        }
    }

    /// The session ended, for this reason, if the miner did not want it to: says what is lost with it, and gives what may be resumed.
    pub(super) async fn give_up(
        &mut self,
        shares: &mut UnboundedReceiver<Share>,
        error: Option<&SessionError>,
    ) -> Option<Kept> {
        match self {
            Open::Pool(session) => session.give_up(shares, error).await,
            #[cfg(feature = "v2")]
            Open::V2(session) => {
                session.give_up(shares).await;
                None
            }
            #[cfg(feature = "solo")]
            Open::Node(session) => {
                session.give_up(shares).await;
                None
            }
        }
    }

    /// Whether it ever gave a job.
    pub(super) fn worked(&self) -> bool {
        match self {
            Open::Pool(session) => session.worked,
            #[cfg(feature = "v2")]
            Open::V2(session) => session.worked(),
            #[cfg(feature = "solo")]
            Open::Node(session) => session.worked,
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
        let mut candidate = Candidate::new(Pool::new(PoolUrl::tcp("h", 1), credentials).into(), &Old::default());
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
