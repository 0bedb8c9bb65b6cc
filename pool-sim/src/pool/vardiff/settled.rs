//! Whether shares still come at the rate that is wanted: counts over a short, a longer and a long time, and what they must be
//! for doubt.

use std::time::Duration;

/// How far a count may be from what is expected. This is twice the logarithm of a likelihood ratio: the square of a normal
/// distribution's standard deviations, and right for counts that are small or zero too. Chance exceeds it once in some
/// ten million looks, and counts are looked at a few hundred times an hour.
const DOUBT: f64 = 36.0;
/// A rate that is off by no more than this is left alone, however well it is known.
const TOLERATED: f64 = 0.15;
/// Where so many shares were expected, a count begins anew; the last forgets half of itself. The first notices at once what
/// changes by much, the last notices what is off by little.
const LIMITS: [f64; 3] = [32.0, 128.0, 1600.0];
/// So many shares in the first count are looked at without waiting for the next review.
const MANY: f64 = 100.0;
/// A count of at least this tells a rate, unless it is off by more than [`GROSS`].
const TELLING: f64 = 16.0;
/// See [`TELLING`].
const GROSS: f64 = 4.0;

/// Counts of shares since difficulty was found, by [`LIMITS`].
#[derive(Clone, Debug)]
pub(super) struct Settled {
    counts: [Count; LIMITS.len()],
}

#[derive(Clone, Copy, Debug)]
struct Count {
    since: Duration,
    /// For how long shares were counted before that, in seconds.
    before: f64,
    shares: f64,
}

/// What must be done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Change {
    /// Shares come so many times a second.
    Known {
        /// How many.
        rate: f64,
        /// So many told it.
        shares: f64,
    },
    /// Far too few shares come to say how many.
    Unknown {
        /// How many came.
        count: u32,
        /// Within how long.
        elapsed: Duration,
    },
    /// Far too many shares come: a longer count of them will soon tell how many. So far it was so many a second.
    Above {
        /// How many.
        rate: f64,
    },
}

impl Count {
    fn seconds(&self, now: Duration) -> f64 {
        self.before + now.saturating_sub(self.since).as_secs_f64()
    }

    fn change(&self, wanted: f64, now: Duration) -> Option<Change> {
        let seconds = self.seconds(now);
        let expected = wanted * seconds;
        let ratio = self.shares / expected.max(f64::MIN_POSITIVE);
        let logarithm = if self.shares > 0.0 { self.shares * ratio.ln() } else { 0.0 };
        let doubt = 2.0 * (logarithm - self.shares + expected);
        if doubt <= DOUBT || (ratio - 1.0).abs() <= TOLERATED {
            return None;
        }
        if self.shares >= TELLING && (GROSS.recip()..=GROSS).contains(&ratio) {
            return Some(Change::Known { rate: self.shares / seconds, shares: self.shares });
        }
        if ratio < 1.0 {
            return Some(Change::Unknown { count: self.shares as u32, elapsed: Duration::from_secs_f64(seconds) });
        }
        // A few shares that came together by chance are no reason yet.
        (self.shares >= TELLING).then_some(Change::Above { rate: self.shares / seconds })
    }
}

impl Settled {
    /// Counts from now on, after so many shares told the rate. As these say that it is `wanted` now, the longest count has
    /// them already.
    pub(super) fn begin(told_by: f64, wanted: f64, now: Duration) -> Settled {
        let count = |shares| Count { since: now, before: shares / wanted, shares };
        Settled { counts: [count(0.0), count(0.0), count(told_by)] }
    }

    /// Time until now did not count.
    pub(super) fn wait(&mut self, now: Duration) {
        self.counts.iter_mut().for_each(|count| count.since = now);
    }

    /// Counts a share. True if it is time to look.
    pub(super) fn count(&mut self) -> bool {
        self.counts.iter_mut().for_each(|count| count.shares += 1.0);
        self.counts[0].shares >= MANY
    }

    /// What must be done, with so many shares a second wanted.
    pub(super) fn look(&mut self, wanted: f64, now: Duration) -> Option<Change> {
        let change = self.counts.iter().find_map(|count| count.change(wanted, now));
        let [.., last] = LIMITS;
        for (count, limit) in self.counts.iter_mut().zip(LIMITS) {
            let seconds = count.seconds(now);
            if wanted * seconds >= limit {
                let kept = if limit < last { 0.0 } else { 0.5 };
                *count = Count { since: now, before: seconds * kept, shares: count.shares * kept };
            }
        }
        change
    }
}
