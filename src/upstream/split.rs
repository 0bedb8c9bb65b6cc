//! Several sources at once, each with its part of the time.
//!
//! All of them have a session, and one is mined on, for some seconds; the next is the one that had the least for its quota. One that has
//! no job has no part, and no claim later on what it missed. Sources without a quota are for when none of the others has a job; they
//! stand ready, in order, as [`failover`] has it.

use super::failover::{self, changed};
use super::tips::Old;
use super::{EVENTS, Event, Handle, Source};
use crate::job::{Job, Share};
use midstate_stratum::Difficulty;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, Sender, UnboundedReceiver, channel, unbounded_channel};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// For so long one source is mined on before another may be: long beside what a change of jobs costs, short beside what pools look at.
const SLICE: Duration = Duration::from_secs(5);
/// Of so many of its sessions a source's shares are known.
const SESSIONS: usize = 8;

/// Starts a task that takes jobs from these sources, and says what happens: from the first that can be joined, or where some of them
/// have a quota, from those in turns. It waits while its events are not taken.
pub fn spawn(sources: Vec<Source>) -> (Handle, Receiver<Event>) {
    let (shares, from_miner) = unbounded_channel();
    let (events, to_miner) = channel(EVENTS);
    let (sources, wanted) = watch::channel(sources);
    let (hashrate, measured) = watch::channel(0.0);
    let mut split = Split {
        lanes: Vec::new(),
        old: Old::default(),
        on: None,
        since: Instant::now(),
        served: 0.0,
        wanted,
        hashrate: measured,
        events,
        shares: from_miner,
    };
    tokio::spawn(async move {
        split.take_over().await;
        split.run().await;
    });
    (Handle { shares, sources, hashrate }, to_miner)
}

struct Split {
    lanes: Vec<Lane>,
    /// The tips that are old, for all of them.
    old: Old,
    /// Which of them is mined on.
    on: Option<usize>,
    /// Since when.
    since: Instant,
    /// The most that any of them was served.
    served: f64,
    /// What the sources should be.
    wanted: watch::Receiver<Vec<Source>>,
    /// The miner's, in hashes a second; 0 while it is not known.
    hashrate: watch::Receiver<f64>,
    events: Sender<Event>,
    shares: UnboundedReceiver<Share>,
}

/// What a source last said is to be searched.
#[derive(Clone)]
struct LastWork {
    job: Arc<Job>,
    difficulty: Difficulty,
    beside: Vec<Arc<Job>>,
}

/// A source with a quota, or all those without one.
struct Lane {
    sources: Vec<Source>,
    quota: Option<NonZeroU32>,
    /// `None` once it is not wanted any more, and its session has ended.
    handle: Option<Handle>,
    wanted: bool,
    said: Receiver<Event>,
    work: Option<LastWork>,
    /// Whether its session has ended, even if that may be resumed and the job is still good.
    away: bool,
    /// Whether its jobs stay on an old tip.
    behind: bool,
    /// The numbers of its last sessions.
    sessions: VecDeque<u64>,
    /// Seconds, for each unit of its quota.
    served: f64,
}

impl Lane {
    fn new(sources: Vec<Source>, quota: Option<NonZeroU32>, old: Old, hashrate: f64) -> Lane {
        let (handle, said) = failover::spawn(sources.clone(), old, hashrate);
        Lane {
            sources,
            quota,
            handle: Some(handle),
            wanted: true,
            said,
            work: None,
            away: false,
            behind: false,
            sessions: VecDeque::new(),
            served: 0.0,
        }
    }

    /// Whether it is of the same source, or also of those without a quota.
    fn is_of(&self, sources: &[Source], quota: Option<NonZeroU32>) -> bool {
        let same = |(one, other): (&Source, &Source)| one.is_same(other);
        self.wanted
            && self.quota.is_some() == quota.is_some()
            && (quota.is_none() || self.sources.iter().zip(sources).all(same))
    }

    fn begin(&mut self, work: LastWork) {
        let job = &work.job;
        if self.sessions.back() != Some(&job.session) {
            self.sessions.push_back(job.session);
            if self.sessions.len() > SESSIONS {
                self.sessions.pop_front();
            }
        }
        let moved = |last: &LastWork| last.job.previous_block_hash != job.previous_block_hash;
        self.behind &= !self.work.as_ref().is_none_or(moved);
        (self.work, self.away) = (Some(work), false);
    }
}

impl Split {
    async fn run(mut self) {
        loop {
            tokio::select! {
                // Shares first: what was found before its source was changed is still of it.
                biased;
                share = self.shares.recv() => match share {
                    Some(share) => self.route(share).await,
                    None => break,
                },
                () = changed(&mut self.wanted) => self.take_over().await,
                () = changed(&mut self.hashrate) => self.pass_on_hashrate(),
                (place, event) = next(&mut self.lanes) => match event {
                    Some(event) => self.on_event(place, event).await,
                    None => self.remove(place),
                },
                () = sleep_until(self.since + SLICE), if self.on.is_some() => self.turn().await,
            }
        }
        // The miner is going away. Each lane ends, and says what it has lost.
        for Lane { handle, mut said, .. } in self.lanes {
            drop(handle);
            while let Some(event) = said.recv().await {
                let _ = self.events.send(event).await;
            }
        }
    }

    async fn say(&self, event: Event) {
        // Nobody listens only when the miner is going away, which the shares show.
        let _ = self.events.send(event).await;
    }

    /// Each lane is mined on at the whole speed, if not all the time.
    fn pass_on_hashrate(&mut self) {
        let hashrate = *self.hashrate.borrow_and_update();
        self.lanes.iter().filter_map(|lane| lane.handle.as_ref()).for_each(|handle| handle.set_hashrate(hashrate));
    }

    async fn route(&self, share: Share) {
        let lane = self.lanes.iter().find(|lane| lane.sessions.contains(&share.origin.job.session));
        let unsent = match lane.and_then(|lane| lane.handle.as_ref()) {
            Some(handle) => handle.submit(share).err().map(|unsent| *unsent),
            None => Some(share),
        };
        if let Some(unsent) = unsent {
            self.say(Event::Lost(vec![unsent])).await;
        }
    }

    async fn on_event(&mut self, place: usize, event: Event) {
        match event {
            // It may have been on its way when its source was still wanted.
            Event::Job { .. } if !self.lanes[place].wanted => {}
            Event::Job { job, difficulty, clean, beside } => {
                let lane = &mut self.lanes[place];
                if lane.work.is_none() || lane.away {
                    // What it missed is not made good.
                    lane.served = lane.served.max(self.served);
                }
                lane.begin(LastWork { job: Arc::clone(&job), difficulty, beside: beside.clone() });
                if self.on == Some(place) {
                    self.say(Event::Job { job, difficulty, clean, beside }).await;
                } else if self.on.is_none_or(|on| self.lanes[on].quota.is_none() || self.lanes[on].away) {
                    self.turn().await;
                }
            }
            Event::Disconnected { url, error, retry, goes_on } => {
                let lane = &mut self.lanes[place];
                lane.away = true;
                lane.work = lane.work.take().filter(|_| goes_on);
                lane.handle = lane.handle.take().filter(|_| lane.wanted);
                let next = self.next_lane();
                self.say(Event::Disconnected { url, error, retry, goes_on: next.is_some() }).await;
                if self.on == Some(place) {
                    self.turn().await;
                }
            }
            Event::OldTip { url, tip } => {
                self.lanes[place].behind = true;
                self.say(Event::OldTip { url, tip }).await;
                if self.on == Some(place) {
                    self.turn().await;
                }
            }
            other => self.say(other).await,
        }
    }

    /// The lane to mine on: of those with a job and a quota the one that had the least for it, else the one without a quota. One
    /// on an old tip is better than none, and so is one whose session may be resumed.
    fn next_lane(&self) -> Option<usize> {
        let ready = (0..self.lanes.len()).filter(|place| self.lanes[*place].work.is_some());
        ready.min_by(|one, other| {
            let [one, other] = [one, other].map(|place| &self.lanes[*place]);
            let last = |lane: &Lane| (lane.away, lane.behind, lane.quota.is_none());
            last(one).cmp(&last(other)).then(one.served.total_cmp(&other.served))
        })
    }

    /// Ends a slice of time, and begins the next.
    async fn turn(&mut self) {
        let now = Instant::now();
        if let Some(on) = self.on
            && let Some(quota) = self.lanes[on].quota
        {
            let served = &mut self.lanes[on].served;
            *served += (now - self.since).as_secs_f64() / f64::from(quota.get());
            self.served = self.served.max(*served);
        }
        let next = self.next_lane();
        self.since = now;
        if self.on != next {
            self.on = next;
            if let Some(LastWork { job, difficulty, beside }) = next.and_then(|next| self.lanes[next].work.clone()) {
                self.say(Event::Job { job, difficulty, clean: false, beside }).await;
            }
        }
    }

    /// Makes the lanes those that are wanted. Those that stay keep their sessions; the others wait for answers that are due, and end.
    async fn take_over(&mut self) {
        let wanted = self.wanted.borrow_and_update().clone();
        let (with_quota, rest): (Vec<_>, Vec<_>) = wanted.into_iter().partition(|source| source.quota().is_some());
        let lanes = with_quota.into_iter().map(|source| (source.quota(), vec![source]));
        let lanes: Vec<_> = lanes.chain((!rest.is_empty()).then_some((None, rest))).collect();
        let mut kept = vec![false; self.lanes.len()];
        for (quota, sources) in lanes {
            let known = (0..kept.len()).find(|place| !kept[*place] && self.lanes[*place].is_of(&sources, quota));
            let Some(known) = known else {
                let hashrate = *self.hashrate.borrow();
                self.lanes.push(Lane::new(sources, quota, self.old.clone(), hashrate));
                continue;
            };
            kept[known] = true;
            let lane = &mut self.lanes[known];
            lane.quota = quota;
            if let Some(handle) = lane.handle.as_ref().filter(|_| quota.is_none()) {
                handle.set_sources(sources.clone());
                lane.sources = sources;
            }
        }
        for place in (0..kept.len()).filter(|place| !kept[*place]) {
            let lane = &mut self.lanes[place];
            lane.wanted = false;
            match &lane.handle {
                // That its session ended it says itself, and that is the end of it.
                Some(handle) if lane.work.take().is_some() => handle.set_sources(Vec::new()),
                _ => lane.handle = None,
            }
        }
        self.turn().await;
    }

    /// A lane that is not wanted has ended.
    fn remove(&mut self, place: usize) {
        self.lanes.remove(place);
        self.on = self.on.map(|on| if on > place { on - 1 } else { on });
    }
}

/// Waits until one of the lanes says something; `None` where it is going to say nothing more.
async fn next(lanes: &mut [Lane]) -> (usize, Option<Event>) {
    poll_fn(|context| {
        for (place, lane) in lanes.iter_mut().enumerate() {
            if let Poll::Ready(event) = lane.said.poll_recv(context) {
                return Poll::Ready((place, event));
            }
        }
        Poll::Pending
    })
    .await
}
