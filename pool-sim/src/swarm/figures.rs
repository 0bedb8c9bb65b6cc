//! What happens to a swarm, counted.

use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// So many different reasons for ended connections are kept apart.
const REASONS: usize = 20;
/// A job for a tip that is not among the last so many is not looked for further back.
const RECENT_TIPS: usize = 8;
/// In microseconds, an hour: no latency is shown as more.
const LONGEST: u64 = 3_600_000_000;
/// The code for shares of a job that is void.
const STALE: i64 = 21;

/// What was counted since the start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counts {
    /// Connections that were tried.
    pub tried: u64,
    /// Those that were made.
    pub connected: u64,
    /// Those that were not made, or ended before a first job.
    pub failed: u64,
    /// Those that ended later, other than by the miner's will.
    pub lost: u64,
    /// Those that a miner ended on purpose, to come back.
    pub left: u64,
    /// Why connections failed or were lost.
    pub reasons: BTreeMap<String, u64>,
    /// Shares that were sent: the sum of the next three when all are answered.
    pub submitted: u64,
    /// Shares that the pool took.
    pub accepted: u64,
    /// Shares that it refused, by code; 21 is stale.
    pub rejected: BTreeMap<i64, u64>,
    /// Shares without an answer within the patience, or before the connection ended.
    pub unanswered: u64,
    /// Shares that were due and not searched for, as each would have been a block.
    pub withheld: u64,
    /// Lines of the pool that make no sense.
    pub unreadable: u64,
    /// Bytes that came.
    pub bytes_in: u64,
    /// Bytes that went.
    pub bytes_out: u64,
}

impl Counts {
    /// Shares for a tip that had gone.
    pub fn stale(&self) -> u64 {
        self.rejected.get(&STALE).copied().unwrap_or(0)
    }

    /// Shares that were refused for other reasons, which is never the miner's fault here.
    pub fn refused(&self) -> u64 {
        self.rejected.values().sum::<u64>() - self.stale()
    }

    /// What went wrong, as a part of all connections and shares: connections failed or lost, shares refused or unanswered,
    /// unreadable lines. Stale shares are none of it.
    pub fn error_rate(&self) -> f64 {
        let wrong = self.failed + self.lost + self.refused() + self.unanswered + self.unreadable;
        wrong as f64 / (self.tried + self.submitted).max(1) as f64
    }
}

/// What attackers did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attackers {
    /// Connections that they tried.
    pub tried: u64,
    /// Those that were not made.
    pub refused: u64,
    /// Those that the pool ended.
    pub ended: u64,
}

/// How long something took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quantiles {
    /// How often it was measured.
    pub count: u64,
    /// Half of all took no longer.
    pub p50: Duration,
    /// Nine of ten took no longer.
    pub p90: Duration,
    /// 99 of 100 took no longer.
    pub p99: Duration,
    /// None took longer.
    pub max: Duration,
}

/// A new tip's way to the miners.
#[derive(Clone, Debug)]
pub struct Tip {
    /// From the first connection that heard of it to the last.
    pub spread: Duration,
    /// From the moment when the block that it is was submitted to the last, where a miner here found it.
    pub since_block: Option<Duration>,
    /// How many connections heard of it.
    pub heard: usize,
    /// How many there were that had a job before.
    pub of: usize,
}

/// One second's figures.
#[derive(Clone, Debug)]
pub struct Second {
    /// Since the start.
    pub at: Duration,
    /// Connections that are open.
    pub open: usize,
    /// Those that have a job.
    pub mining: usize,
    /// How long answers to shares took that came in this second.
    pub latency: Quantiles,
    /// What was counted since the start.
    pub counts: Counts,
    /// Why shares are fewer than asked for, if they are.
    pub notice: Option<String>,
    /// The pool's memory in bytes, if it is watched.
    pub pool_rss: Option<u64>,
}

struct Heard {
    previous_block_hash: [u8; 32],
    first: Instant,
    last: Instant,
    count: usize,
    of: usize,
    block: Option<Instant>,
}

pub(super) struct Figures {
    begun: Instant,
    pub(super) counts: Counts,
    pub(super) open: usize,
    pub(super) mining: usize,
    pub(super) connect: Latency,
    pub(super) first_job: Latency,
    pub(super) submit: Latency,
    /// The same, of shares that were answered from when the attackers came.
    pub(super) attacked: Latency,
    /// The same, of those that were answered before.
    pub(super) quiet: Latency,
    pub(super) attackers: Attackers,
    is_attacked: bool,
    this_second: Latency,
    tips: Vec<Heard>,
    /// When a share that is a block was sent last.
    block: Option<Instant>,
    pub(super) notice: Option<String>,
    /// Answers a second, and how long they took.
    pub(super) load: Vec<Quantiles>,
}

impl Figures {
    pub(super) fn new(begun: Instant) -> Figures {
        Figures {
            begun,
            counts: Counts::default(),
            open: 0,
            mining: 0,
            connect: Latency::new(),
            first_job: Latency::new(),
            submit: Latency::new(),
            attacked: Latency::new(),
            quiet: Latency::new(),
            attackers: Attackers::default(),
            is_attacked: false,
            this_second: Latency::new(),
            tips: Vec::new(),
            block: None,
            notice: None,
            load: Vec::new(),
        }
    }

    /// A connection failed (before its first job) or was lost.
    pub(super) fn ended(&mut self, had_a_job: bool, reason: &str) {
        *(if had_a_job { &mut self.counts.lost } else { &mut self.counts.failed }) += 1;
        let reasons = &mut self.counts.reasons;
        let is_full = reasons.len() >= REASONS && !reasons.contains_key(reason);
        *reasons.entry(if is_full { "other" } else { reason }.to_owned()).or_default() += 1;
    }

    /// An answer to a share: the code if it was refused.
    pub(super) fn answered(&mut self, took: Duration, refused: Option<i64>) {
        self.submit.record(took);
        self.this_second.record(took);
        (if self.is_attacked { &mut self.attacked } else { &mut self.quiet }).record(took);
        match refused {
            None => self.counts.accepted += 1,
            Some(code) => *self.counts.rejected.entry(code).or_default() += 1,
        }
    }

    /// From now on there are attackers.
    pub(super) fn attack(&mut self) {
        self.is_attacked = true;
    }

    /// A share that is a block goes out now.
    pub(super) fn block(&mut self) {
        self.block = Some(Instant::now());
    }

    /// A miner hears of a tip that it did not know; since when it has jobs, if this is not its first. Who has come since the
    /// tip was first heard of is none of those that it had to reach.
    pub(super) fn tip(&mut self, previous_block_hash: [u8; 32], mining_since: Option<Instant>) {
        let now = Instant::now();
        let recent = self.tips.iter_mut().rev().take(RECENT_TIPS);
        let known = recent.into_iter().find(|tip| tip.previous_block_hash == previous_block_hash);
        if let Some(tip) = known {
            if mining_since.is_some_and(|since| since <= tip.first) {
                tip.count += 1;
                tip.last = now;
            }
            return;
        }
        let (count, of, block) = (usize::from(mining_since.is_some()), self.mining, self.block.take());
        self.tips.push(Heard { previous_block_hash, first: now, last: now, count, of, block });
    }

    /// What miners heard of tips that came while they mined.
    pub(super) fn tips(&self) -> Vec<Tip> {
        let tips = self.tips.iter().filter(|tip| tip.count > 0);
        tips.map(|tip| Tip {
            spread: tip.last - tip.first,
            since_block: tip.block.map(|block| tip.last - block),
            heard: tip.count,
            of: tip.of,
        })
        .collect()
    }

    /// Ends a second.
    pub(super) fn second(&mut self, pool_rss: Option<u64>) -> Second {
        let latency = self.this_second.quantiles();
        self.this_second.0.reset();
        self.load.push(latency);
        Second {
            at: self.begun.elapsed(),
            open: self.open,
            mining: self.mining,
            latency,
            counts: self.counts.clone(),
            notice: self.notice.clone(),
            pool_rss,
        }
    }
}

/// How long something took, in microseconds, to three digits.
pub(super) struct Latency(Histogram<u64>);

impl Latency {
    fn new() -> Latency {
        // It fails for bounds that make no sense only.
        Latency(Histogram::new_with_bounds(1, LONGEST, 3).expect("bounds that are constants"))
    }

    pub(super) fn record(&mut self, took: Duration) {
        self.0.saturating_record(took.as_micros() as u64);
    }

    pub(super) fn quantiles(&self) -> Quantiles {
        let at = |quantile: f64| Duration::from_micros(self.0.value_at_quantile(quantile));
        Quantiles { count: self.0.len(), p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_a_thousand() {
        let mut latency = Latency::new();
        assert_eq!(latency.quantiles(), Quantiles::default());
        (1..=1000).for_each(|ms| latency.record(Duration::from_millis(ms)));
        let found = latency.quantiles();
        assert_eq!(found.count, 1000);
        for (found, expected) in [(found.p50, 500), (found.p90, 900), (found.p99, 990), (found.max, 1000)] {
            assert!((found.as_secs_f64() * 1000.0 / f64::from(expected) - 1.0).abs() < 0.002, "{found:?}");
        }
    }

    #[test]
    fn stale_shares_are_no_errors() {
        let counts = Counts {
            tried: 90,
            failed: 1,
            lost: 2,
            submitted: 110,
            accepted: 90,
            rejected: BTreeMap::from([(21, 10), (23, 4)]),
            unanswered: 6,
            ..Counts::default()
        };
        assert_eq!((counts.stale(), counts.refused()), (10, 4));
        assert!((counts.error_rate() - 13.0 / 200.0).abs() < 1e-9);
    }

    #[test]
    fn a_tip_is_heard_by_those_that_mined() {
        let mut figures = Figures::new(Instant::now());
        figures.tip([1; 32], None);
        let before = Some(Instant::now());
        figures.mining = 2;
        figures.block();
        figures.tip([2; 32], before);
        // One that came just now, and one that had a job of the tip before in between.
        figures.tip([2; 32], None);
        figures.tip([2; 32], Some(Instant::now() + Duration::from_secs(1)));
        figures.tip([2; 32], before);
        let [tip] = &figures.tips()[..] else { panic!() };
        assert_eq!((tip.heard, tip.of), (2, 2));
        assert!(tip.since_block.unwrap() >= tip.spread);
    }

    #[test]
    fn reasons_are_bounded() {
        let mut figures = Figures::new(Instant::now());
        (0..1000).for_each(|n| figures.ended(n % 2 == 0, &n.to_string()));
        assert_eq!((figures.counts.failed, figures.counts.lost), (500, 500));
        assert_eq!(figures.counts.reasons.len(), REASONS + 1);
        assert_eq!(figures.counts.reasons.values().sum::<u64>(), 1000);
    }
}
