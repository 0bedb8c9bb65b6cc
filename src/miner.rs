//! Joins an upstream to the engine: jobs go down, shares go up, and everything that happens is said once.
//!
//! # Shares that would be stale
//!
//! A hash that meets the header's own target is a block. Once it is accepted, every other share on the same previous
//! block is stale; until the pool has said what became of it, nobody knows. So a block makes the shares behind it wait
//! for the pool's next word: a job on another block voids them, a job on the same block (on the channel of the block, where there are
//! several) or a rejection sets them free.
//! Where every share is a block, as on a test chain or alone on a node, there is nothing to find until then: the engine pauses.
//! A pool may take a share that the network does not take for a block, and has nothing new to say then: after two seconds without
//! a word those that waited are sent, and no other block on the same previous block is waited for.
//! Likewise a share that is found after the pool moved on to another block is not sent. Neither is lost without a word:
//! they are said and counted as stale.

use crate::engine::{self, Engine, Hashrate, Source, WorkerStats};
use crate::job::{Job, JobError, JobStream, Origin, Searched, Share};
use crate::upstream;
use midstate_stratum::Target;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

/// What a miner says.
#[derive(Debug)]
pub enum Event {
    /// From the upstream, after the miner acted on it.
    Upstream(upstream::Event),
    /// From the engine, other than shares.
    Engine(engine::Event<Origin>),
    /// Shares that were not sent because their previous block is no longer the best.
    Stale(Vec<Share>),
    /// The pool's job cannot be worked on.
    BadJob {
        /// Its id.
        id: String,
        /// Why.
        error: JobError,
    },
    /// Every header of the pool's job was searched. The search waits for another.
    Exhausted {
        /// The job's id.
        id: String,
    },
    /// The counters, now and then.
    Stats(Stats),
}

/// Counters since the start.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// Of each backend.
    pub workers: Vec<WorkerStats>,
    /// Shares that were found. Each ends as one of those below, or may still do so: it is in flight, or waits behind a block.
    pub found: u64,
    /// Shares that the pool accepted.
    pub accepted: u64,
    /// Shares that the pool rejected.
    pub rejected: u64,
    /// Shares that were not sent because they were stale.
    pub stale: u64,
    /// Shares whose answer never came.
    pub lost: u64,
    /// Shares that were sent and whose answer may still come.
    pub in_flight: u64,
    /// Accepted shares that met the header's own target.
    pub blocks: u64,
    /// How long the miner runs.
    pub elapsed: Duration,
}

impl Stats {
    /// Hashes of all backends.
    pub fn hashes(&self) -> u64 {
        self.workers.iter().map(|worker| worker.hashes).sum()
    }

    /// Hardware errors of all backends.
    pub fn hardware_errors(&self) -> u64 {
        self.workers.iter().map(|worker| worker.hardware_errors).sum()
    }

    /// Speed of all backends together.
    pub fn hashrate(&self) -> Hashrate {
        self.workers.iter().map(|worker| worker.hashrate).sum()
    }
}

/// How long the fate of a block may be unknown before all goes on as if there were none.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long the upstream may take to end, once nothing is owed any more.
const GOODBYE: Duration = Duration::from_millis(500);
/// Where so many shares wait for an answer, no more are searched: the difficulty is far too low, and they would fill the memory.
const MOST_IN_FLIGHT: u64 = 1000;
/// Of so many jobs it is known that their one share was sent, where there may be one.
const SPENT: usize = 1024;
/// How often the counters are read for the hashrate, and said.
const STATS_INTERVAL: Duration = Duration::from_secs(1);

/// What tells one job from another: its session's number, its channel and its id.
type Name = (u64, Option<u32>, String);

/// A block that was sent, until its fate is known.
struct Block {
    sent: Instant,
    /// Its job.
    job: Arc<Job>,
    /// Whether nothing is searched until then.
    pauses: bool,
    /// Shares that wait for its fate.
    behind: Vec<Share>,
}

/// A miner: drive it with [`Miner::next`].
pub struct Miner {
    engine: Engine<Origin>,
    from_engine: mpsc::UnboundedReceiver<engine::Event<Origin>>,
    /// None once the miner is going to end.
    upstream: Option<upstream::Handle>,
    from_upstream: mpsc::Receiver<upstream::Event>,
    ticks: tokio::time::Interval,
    started: Instant,
    stats: Stats,
    /// What is still to be said.
    said: VecDeque<Event>,
    /// What the current job builds on, once there is one.
    tip: Option<[u8; 32]>,
    /// The jobs to go on with after a pause, and their work, searched in turns: one, or where there are several channels one of each.
    jobs: Vec<(Arc<Job>, JobStream)>,
    /// Whether nothing is searched as too many shares wait for an answer.
    braked: bool,
    /// The block whose fate is not known, if one was sent for the current tip.
    block: Option<Block>,
    /// The tip on which such a block was waited for in vain.
    unmoved: Option<[u8; 32]>,
    searched: Searched,
    /// How many versions each work has where a job leaves any to the miner.
    versions: usize,
    paused: bool,
    /// Where a job may have one share, those that had theirs, the newest last.
    spent: Option<VecDeque<Name>>,
}

impl Miner {
    /// Joins an engine, started with the sender's other end, to an upstream.
    pub fn new(
        engine: Engine<Origin>,
        from_engine: mpsc::UnboundedReceiver<engine::Event<Origin>>,
        upstream: upstream::Handle,
        from_upstream: mpsc::Receiver<upstream::Event>,
    ) -> Miner {
        let mut ticks = interval(STATS_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        Miner {
            versions: engine.versions(),
            engine,
            from_engine,
            upstream: Some(upstream),
            from_upstream,
            ticks,
            started: Instant::now(),
            stats: Stats::default(),
            said: VecDeque::new(),
            tip: None,
            jobs: Vec::new(),
            braked: false,
            block: None,
            unmoved: None,
            searched: Searched::default(),
            paused: false,
            spent: None,
        }
    }

    /// Sends one share of each job at most, and searches no further until the next job: for those who look at what each job brings. What
    /// was found of the job in the same moment does not count as found.
    #[must_use]
    pub fn with_one_share_a_job(mut self) -> Miner {
        self.spent = Some(VecDeque::new());
        self
    }

    /// Searches each job from this extranonce2 and these version bits on, and version by version, whatever suits the backends: on one thread,
    /// the same jobs give the same shares in the same order on every machine. Kernels that share schedules between versions are
    /// slower so.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Miner {
        (self.searched, self.versions) = (Searched::from_seed(seed), 1);
        self
    }

    /// Works until there is something to say. Safe to drop and call again.
    pub async fn next(&mut self) -> Event {
        loop {
            if let Some(event) = self.said.pop_front() {
                return event;
            }
            let patience = self.block.as_ref().map(|block| block.sent + PATIENCE);
            // What the pool says comes first: a new tip must not wait behind shares for the old one.
            tokio::select! {
                biased;
                Some(event) = self.from_upstream.recv() => self.on_upstream(event),
                () = sleep_until(patience.unwrap_or(self.started)), if patience.is_some() => {
                    self.unmoved = self.tip;
                    self.settle();
                }
                Some(event) = self.from_engine.recv() => self.on_engine(event),
                _ = self.ticks.tick() => {
                    let stats = self.stats();
                    if let Some(upstream) = &self.upstream {
                        upstream.set_hashrate(stats.hashrate().seconds_10);
                    }
                    return Event::Stats(stats);
                }
            }
        }
    }

    /// The counters as they are now.
    pub fn stats(&mut self) -> Stats {
        self.stats.workers = self.engine.stats();
        self.stats.elapsed = self.started.elapsed();
        self.stats.clone()
    }

    /// Takes work from other sources, as [`upstream::Handle::set_sources`] says.
    pub fn set_sources(&self, sources: Vec<upstream::Source>) {
        if let Some(upstream) = &self.upstream {
            upstream.set_sources(sources);
        }
    }

    /// Searches no more. Shares that were sent are still answered.
    pub fn pause(&mut self) {
        self.paused = true;
        self.tip = None;
        self.engine.pause();
    }

    /// Stops. Answers that are due are waited for, but no longer than `patience`. Gives the final counters, which are exact: each
    /// share that was found was accepted, rejected, stale or lost; and what there was still to say.
    pub async fn finish(mut self, patience: Duration) -> (Stats, Vec<Event>) {
        self.pause();
        let mut events = Vec::new();
        let answers = async {
            while self.stats.in_flight > 0 {
                events.push(self.next().await);
            }
        };
        let _ = timeout(patience, answers).await;
        self.engine.stop();
        // Found in the last moment, or waiting for a block's fate: nobody is going to hear of them.
        let mut unsent = self.take_waiting();
        while let Ok(event) = self.from_engine.try_recv() {
            match event {
                engine::Event::Found { tag, .. } if self.is_spent(&tag.job) => {}
                engine::Event::Found { worker, tag, header, hash } => {
                    self.stats.found += 1;
                    unsent.push(Share { origin: tag, header, hash, worker });
                }
                other => self.said.push_back(Event::Engine(other)),
            }
        }
        self.drop_stale(unsent);
        // Without its handle the session ends, and says what it has lost.
        self.upstream = None;
        while self.stats.in_flight > 0
            && let Some(event) = self.from_upstream.recv().await
        {
            self.on_upstream(event);
        }
        // Some pools are told goodbye.
        let goodbye = async {
            while let Some(event) = self.from_upstream.recv().await {
                self.on_upstream(event);
            }
        };
        let _ = timeout(GOODBYE, goodbye).await;
        events.extend(self.said.drain(..));
        (self.stats(), events)
    }

    fn on_upstream(&mut self, event: upstream::Event) {
        match &event {
            upstream::Event::Job { job, beside, .. } => {
                let same_tip = self.tip.replace(job.previous_block_hash) == Some(job.previous_block_hash);
                // What is said to another channel is no word on the block, as long as its own has the same job.
                let is_its = |other| self.block.as_ref().is_some_and(|block| Arc::ptr_eq(&block.job, other));
                let waiting = if same_tip && std::iter::once(job).chain(beside).any(is_its) {
                    Vec::new()
                } else {
                    self.take_waiting()
                };
                self.begin(job, beside);
                if same_tip { self.send_all(waiting) } else { self.drop_stale(waiting) }
            }
            upstream::Event::Answered { share, verdict: Ok(()), .. } => {
                self.stats.in_flight -= 1;
                self.stats.accepted += 1;
                self.stats.blocks += u64::from(share.is_block());
            }
            upstream::Event::Answered { share, verdict: Err(_), .. } => {
                self.stats.in_flight -= 1;
                self.stats.rejected += 1;
                if share.is_block() {
                    self.settle();
                }
            }
            upstream::Event::Lost(shares) => {
                self.stats.in_flight -= shares.len() as u64;
                self.stats.lost += shares.len() as u64;
            }
            // The job goes on, and its shares wait in the upstream.
            upstream::Event::Disconnected { goes_on: true, .. } => {}
            upstream::Event::Disconnected { .. } => {
                // Jobs die with their session, and so does what waited.
                self.engine.pause();
                self.tip = None;
                self.jobs.clear();
                let waiting = self.take_waiting();
                self.drop_stale(waiting);
            }
            _ => {}
        }
        // Where a block's fate is waited for as well, the search goes on with that.
        if self.braked && !self.waits() && self.stats.in_flight <= MOST_IN_FLIGHT / 2 {
            self.search_on();
        }
        self.said.push_back(Event::Upstream(event));
    }

    fn begin(&mut self, job: &Arc<Job>, beside: &[Arc<Job>]) {
        let before = std::mem::take(&mut self.jobs);
        for job in std::iter::once(job).chain(beside) {
            let known = before.iter().find(|(known, _)| Arc::ptr_eq(known, job)).cloned();
            let begun = || Ok((Arc::clone(job), self.searched.stream(Arc::clone(job), self.versions)?));
            match known.map_or_else(begun, Ok) {
                Ok(job) => self.jobs.push(job),
                Err(error) => self.said.push_back(Event::BadJob { id: job.id.clone(), error }),
            }
        }
        if !self.waits() {
            self.search_on();
        }
    }

    /// Goes on with the jobs, from where their search has come to.
    fn search_on(&mut self) {
        self.braked = false;
        // One that had its share may come again as it was, but for its time.
        let unspent = self.jobs.iter().filter(|(job, _)| !self.is_spent(job));
        let sources = unspent.map(|(_, stream)| Box::new(stream.clone()) as Source<Origin>);
        self.engine.set_sources(if self.paused { Vec::new() } else { sources.collect() });
    }

    /// Whether nothing is searched until a block's fate is known.
    fn waits(&self) -> bool {
        self.block.as_ref().is_some_and(|block| block.pauses)
    }

    /// Whether a job had its one share.
    fn is_spent(&self, job: &Job) -> bool {
        let is_it = |(session, channel, id): &Name| (*session, *channel, id) == (job.session, job.channel, &job.id);
        self.spent.as_ref().is_some_and(|spent| spent.iter().any(is_it))
    }

    /// Notes that a job has its share.
    fn spend(&mut self, job: &Job) {
        let Some(spent) = &mut self.spent else { return };
        if spent.len() == SPENT {
            spent.pop_front();
        }
        spent.push_back((job.session, job.channel, job.id.clone()));
        if !self.braked && !self.waits() {
            self.search_on();
        }
    }

    fn on_engine(&mut self, event: engine::Event<Origin>) {
        let (worker, tag, header, hash) = match event {
            engine::Event::Found { worker, tag, header, hash } => (worker, tag, header, hash),
            // Unless another job came in between.
            engine::Event::Exhausted => {
                let ended = self.jobs.iter().filter(|(_, stream)| stream.has_ended());
                self.said.extend(ended.map(|(job, _)| Event::Exhausted { id: job.id.clone() }));
                return;
            }
            other => return self.said.push_back(Event::Engine(other)),
        };
        let share = Share { origin: tag, header, hash, worker };
        if self.is_spent(&share.origin.job) {
            return;
        }
        self.stats.found += 1;
        if self.tip == Some(share.origin.job.previous_block_hash) {
            self.spend(&share.origin.job);
            self.send(share);
        } else {
            self.drop_stale(vec![share]);
        }
    }

    /// Sends a share, or lets it wait behind a block.
    fn send(&mut self, share: Share) {
        if let Some(block) = &mut self.block {
            block.behind.push(share);
            return;
        }
        if share.is_block() && self.unmoved != Some(share.origin.job.previous_block_hash) {
            let target = Target::from_compact(share.origin.job.nbits);
            let pauses = target.is_ok_and(|target| share.origin.job.target <= target);
            let job = Arc::clone(&share.origin.job);
            self.block = Some(Block { sent: Instant::now(), job, pauses, behind: Vec::new() });
            if pauses {
                self.engine.pause();
            }
        }
        let unsent = match &self.upstream {
            Some(upstream) => upstream.submit(share).err().map(|unsent| *unsent),
            None => Some(share),
        };
        if let Some(unsent) = unsent {
            self.stats.lost += 1;
            self.said.push_back(Event::Upstream(upstream::Event::Lost(vec![unsent])));
        } else {
            self.stats.in_flight += 1;
            if self.stats.in_flight >= MOST_IN_FLIGHT && !self.braked {
                self.braked = true;
                self.engine.pause();
            }
        }
    }

    /// Goes on without the block whose fate was waited for.
    fn settle(&mut self) {
        let Some(Block { pauses, behind, .. }) = self.block.take() else { return };
        self.send_all(behind);
        // Unless one of those that waited is such a block itself.
        if pauses && self.block.is_none() {
            self.search_on();
        }
    }

    /// What waits behind a block, which is one no more.
    fn take_waiting(&mut self) -> Vec<Share> {
        self.block.take().map(|block| block.behind).unwrap_or_default()
    }

    fn send_all(&mut self, shares: Vec<Share>) {
        for share in shares {
            self.send(share);
        }
    }

    fn drop_stale(&mut self, shares: Vec<Share>) {
        if !shares.is_empty() {
            self.stats.stale += shares.len() as u64;
            self.said.push_back(Event::Stale(shares));
        }
    }
}
