//! One session after the other, until the handle is dropped: with the first source that can be joined.
//!
//! Each source that failed has a pause of its own, which grows; it counts from when a session ended that gave work, or else from
//! when the attempt began. The first in order whose pause is over is tried next. While a
//! session with a later one stands, those before it are tried beside it, each when its pause is over, up to the point
//! where they give a job: then the session is left for the better one. Where the source of a session stays on an old tip, those after
//! it are tried as well.

use super::candidate::{Candidate, Open};
use super::error::SessionError;
use super::tips::Old;
use super::{EVENTS, Event, Handle, Source};
use crate::job::Share;
use std::future::pending;
use std::pin::pin;
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, Sender, UnboundedReceiver, UnboundedSender, channel, unbounded_channel};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// Starts a task that keeps a session with the first of these sources that can be joined, and says what happens. It waits while
/// its events are not taken.
pub(super) fn spawn(sources: Vec<Source>, old: Old, hashrate: f64) -> (Handle, Receiver<Event>) {
    let (shares, from_miner) = unbounded_channel();
    let (events, to_miner) = channel(EVENTS);
    let candidates = sources.iter().map(|source| Candidate::new(source.clone(), &old)).collect();
    let (sources, wanted) = watch::channel(sources);
    let (hashrate, measured) = watch::channel(hashrate);
    let failover = Failover { candidates, old, wanted, hashrate: measured, events, shares: from_miner, goes_on: false };
    tokio::spawn(failover.run());
    (Handle { shares, sources, hashrate }, to_miner)
}

struct Failover {
    /// In order; without the one that there is a session with.
    candidates: Vec<Candidate>,
    /// The tips that are old, for all of them.
    old: Old,
    /// What the sources should be.
    wanted: watch::Receiver<Vec<Source>>,
    /// The miner's, in hashes a second; 0 while it is not known.
    hashrate: watch::Receiver<f64>,
    events: Sender<Event>,
    shares: UnboundedReceiver<Share>,
    /// Whether the miner goes on with the last session's job.
    goes_on: bool,
}

impl Failover {
    async fn run(mut self) {
        while let Some(place) = self.wait().await {
            let candidate = self.candidates.remove(place);
            if !self.session(candidate, place).await {
                break;
            }
        }
        self.lose(|_| true).await;
    }

    /// Waits until a source may be tried, and says which; `None` where the miner dropped its handle.
    async fn wait(&mut self) -> Option<usize> {
        loop {
            let soonest = self.candidates.iter().map(|candidate| candidate.ready).min();
            tokio::select! {
                biased;
                share = self.shares.recv() => self.hold(share?).await,
                () = changed(&mut self.wanted) => {
                    self.take_over(None).await;
                }
                () = until(soonest) => {
                    let now = Instant::now();
                    return self.candidates.iter().position(|candidate| candidate.ready <= now);
                }
            }
        }
    }

    /// Keeps a share for when its session is resumed. Without such a session it was on its way when that ended.
    async fn hold(&mut self, share: Share) {
        let mut kept = self.candidates.iter_mut().filter_map(|candidate| candidate.kept.as_mut());
        match kept.find(|kept| kept.owns(&share)) {
            Some(kept) => kept.held.push_back(share),
            None => lose(&self.events, vec![share]).await,
        }
    }

    /// Forgets sessions that might be resumed, if this is true of when they are too old.
    async fn lose(&mut self, old: impl Fn(Instant) -> bool) {
        lose(&self.events, forget(&mut self.candidates, old)).await;
    }

    /// One session, and what is said and noted of its end. Whether there should be another: `false` where the miner dropped
    /// its handle.
    async fn session(&mut self, mut candidate: Candidate, place: usize) -> bool {
        let began = Instant::now();
        let kept = candidate.kept.take();
        let (worked, ended, kept, place) = match candidate.open(&self.events, &self.hashrate).await {
            Err(error) => (false, Err(error), kept, Some(place)),
            Ok(mut session) => {
                let own = [Some(session.number()), kept.as_ref().map(|kept| kept.number)];
                session.resume(kept);
                let (to_session, mut shares) = unbounded_channel();
                let way = Way { own, to_session: Some(to_session) };
                let (ended, place) = self.keep(&mut session, &mut shares, way, &candidate, place).await;
                let kept = session.give_up(&mut shares, ended.as_ref().err()).await;
                (session.worked(), ended, kept, place)
            }
        };
        let (url, now) = (candidate.url(), Instant::now());
        let resumable = place.is_some() && kept.is_some();
        candidate.kept = kept;
        if let Err(error) = &ended {
            // A pool that gives a good job and then a bad one is not to be joined twice a second.
            if worked && !error.is_of_payout() {
                candidate.pauses.reset();
            }
            candidate.ended(error, if worked { now } else { began });
        }
        match place {
            Some(place) => self.candidates.insert(place, candidate),
            None => lose(&self.events, candidate.forget().collect()).await,
        }
        self.lose(|until| until <= now).await;
        let Err(error) = ended else { return false };
        let others_kept = || self.candidates.iter().any(|candidate| candidate.kept.is_some());
        self.goes_on = if worked { resumable } else { self.goes_on && others_kept() };
        let next = self.candidates.iter().map(|candidate| candidate.ready).min();
        let retry = next.map_or(Duration::ZERO, |next| next.saturating_duration_since(now));
        let event = Event::Disconnected { url, error, retry, goes_on: self.goes_on };
        self.events.send(event).await.is_ok()
    }

    /// Keeps a session until it ends, or is left: for one of the candidates before it that is well again, for any where its source
    /// stays on an old tip, or because nobody wants its source any more. Why, and the source's place among the others if it still has one. `Ok` where the miner dropped its handle.
    async fn keep(
        &mut self,
        session: &mut Open<'_>,
        shares: &mut UnboundedReceiver<Share>,
        mut way: Way,
        joined: &Candidate,
        place: usize,
    ) -> (Result<(), SessionError>, Option<usize>) {
        let mut place = Some(place);
        let mut outdated = false;
        let error = {
            let mut running = pin!(session.run(shares));
            loop {
                let oldest =
                    self.candidates.iter().filter_map(|candidate| Some(candidate.kept.as_ref()?.until())).min();
                let tried = if outdated { self.candidates.len() } else { place.unwrap_or_default() };
                let better_ones = &mut self.candidates[..tried];
                tokio::select! {
                    biased;
                    ended = &mut running => return (ended, place),
                    share = self.shares.recv(), if way.to_session.is_some() => match share {
                        Some(share) => if let Some(share) = way.take(share) { self.hold(share).await; },
                        None => way.to_session = None,
                    },
                    to = better(better_ones, &self.hashrate) => match joined.tip.outdated().filter(|_| outdated) {
                        Some(tip) => break SessionError::OldTip(tip),
                        None => break SessionError::Better { to },
                    },
                    () = joined.tip.changed(outdated) => {
                        outdated = !outdated;
                        if let Some(tip) = joined.tip.outdated().filter(|_| outdated) {
                            // Nobody listens only when the miner is going away.
                            let _ = self.events.send(Event::OldTip { url: joined.url(), tip }).await;
                        }
                    }
                    () = changed(&mut self.wanted) => {
                        place = self.take_over(Some(&joined.source)).await;
                        if place.is_none() {
                            break SessionError::Removed;
                        }
                    }
                    () = until(oldest) => {
                        let now = Instant::now();
                        self.lose(|until| until <= now).await;
                    }
                }
            }
        };
        session.leave().await;
        (Err(error), place)
    }

    /// Makes the candidates those that are wanted; what is known of those that stay is kept. Where there is a session, with what
    /// source: the place it now has among them, if it is still wanted.
    async fn take_over(&mut self, current: Option<&Source>) -> Option<usize> {
        let mut old = std::mem::take(&mut self.candidates);
        let mut place = None;
        for source in self.wanted.borrow_and_update().iter() {
            if place.is_none() && current == Some(source) {
                place = Some(self.candidates.len());
            } else {
                let known = old.iter().position(|candidate| candidate.source == *source);
                let known = known.map(|known| old.swap_remove(known));
                self.candidates.push(known.unwrap_or_else(|| Candidate::new(source.clone(), &self.old)));
            }
        }
        lose(&self.events, forget(&mut old, |_| true)).await;
        place
    }
}

/// Where shares go while there is a session.
struct Way {
    /// The numbers of the session's own jobs: of those that it gives, and of those that it may go on with.
    own: [Option<u64>; 2],
    /// `None` once the miner dropped its handle: then the session ends.
    to_session: Option<UnboundedSender<Share>>,
}

impl Way {
    /// Hands a share to the session, if it is one of its own. Any other comes back.
    fn take(&self, share: Share) -> Option<Share> {
        match &self.to_session {
            Some(session) if self.own.contains(&Some(share.origin.job.session)) => {
                session.send(share).err().map(|unsent| unsent.0)
            }
            _ => Some(share),
        }
    }
}

/// Forgets sessions that might be resumed, if this is true of when they are too old. What waited for them.
fn forget(candidates: &mut [Candidate], old: impl Fn(Instant) -> bool) -> Vec<Share> {
    let forgotten =
        candidates.iter_mut().filter(|candidate| candidate.kept.as_ref().is_some_and(|kept| old(kept.until())));
    forgotten.flat_map(Candidate::forget).collect()
}

/// Says that shares will not be sent.
async fn lose(events: &Sender<Event>, shares: Vec<Share>) {
    if !shares.is_empty() {
        // Nobody listens only when the miner is going away.
        let _ = events.send(Event::Lost(shares)).await;
    }
}

/// Waits until something else is said, such as that other sources are wanted.
pub(super) async fn changed<T>(wanted: &mut watch::Receiver<T>) {
    // The handle is gone: so are shares, which ends everything.
    if wanted.changed().await.is_err() {
        pending::<()>().await;
    }
}

/// Waits until then; for ever, if there is no such time.
async fn until(when: Option<Instant>) {
    match when {
        Some(when) => sleep_until(when).await,
        None => pending().await,
    }
}

/// Waits until one of these is well.
async fn better(candidates: &mut [Candidate], hashrate: &watch::Receiver<f64>) -> String {
    loop {
        let Some(next) = candidates.iter_mut().min_by_key(|candidate| candidate.ready) else { return pending().await };
        sleep_until(next.ready).await;
        let began = Instant::now();
        match next.trial(hashrate).await {
            Ok(()) => return next.url(),
            Err(error) => next.ended(&error, began),
        }
    }
}
