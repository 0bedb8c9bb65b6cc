//! Variable difficulty: how hard a session's shares must be, so that they come as often as the pool wants them.
//!
//! Pure: it has no clock. Whoever uses it says when a share came, and when nothing did; times are counted from whatever
//! moment, the same for all calls.
//!
//! A count of n shares tells a rate to within 1/√n. So there are two states:
//!
//! - *searching*: the hashrate is not known. Difficulty is brought to where a few hundred shares come within seconds, however
//!   far off it was; they tell the rate to 4 %, and difficulty is set once, to where it belongs;
//! - *settled*: shares are counted over a short and over a long time. Difficulty changes only where such a count is one that
//!   the wanted rate would hardly ever give, and is off by enough to matter.

mod settled;
#[cfg(test)]
mod tests;

use midstate_stratum::{Difficulty, Target};
use settled::{Change, Settled};
use std::time::Duration;

/// So many shares tell the rate: to 4 %, so that an error of 20 % is one of five standard deviations.
const ENOUGH: u32 = 600;
/// Where those would come within this many seconds, they are waited for.
const PATIENCE: f64 = 40.0;
/// Shares that came within less than this were as many as the connection carries, and not as many as the miner finds.
const BELIEVED: Duration = Duration::from_millis(20);
/// How many shares a second are aimed at while searching, after a count below [`FEW`], and after a better one: the less is
/// known, the surer it must be that [`ENOUGH`] come in time. Too many do no harm, as the search ends at [`ENOUGH`].
const CROWD: [f64; 2] = [700.0, 100.0];
/// A count that tells no more than the order of magnitude.
const FEW: u32 = 10;
/// Where difficulty is at its limit and [`ENOUGH`] do not come, so many must do.
const FEWER: u32 = 100;
/// And if not even those come, what came within this many intervals.
const LAST_INTERVALS: u32 = 5;
/// No share within an interval, and once more: then a difficulty that was a million times too hard is easy enough for a
/// crowd. With λ shares wanted an interval, two steps of √(6 × 10⁸ / λ) take 10⁻⁶ λ shares an interval to [`ENOUGH`].
const SILENT_STEPS: f64 = 6e8;

/// How often shares should come, and what difficulty may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// Shares a minute.
    pub shares_per_minute: f64,
    /// How often difficulty is looked at where no share gives a reason to.
    pub interval: Duration,
    /// Difficulty is never below this.
    pub min: Option<Difficulty>,
    /// Difficulty is never above this.
    pub max: Option<Difficulty>,
}

/// A session's difficulty, and what is known of its miner.
#[derive(Clone, Debug)]
pub struct Vardiff {
    pace: Pace,
    difficulty: Difficulty,
    state: State,
    review: Duration,
    /// Whether a share of the present difficulty came.
    is_taken_up: bool,
}

#[derive(Clone, Debug)]
enum State {
    Searching(Search),
    Settled(Settled),
}

/// Shares of the present difficulty.
#[derive(Clone, Copy, Debug)]
struct Search {
    since: Duration,
    first: Duration,
    count: u32,
}

impl Search {
    fn begin(now: Duration) -> Search {
        Search { since: now, first: now, count: 0 }
    }
}

impl Vardiff {
    /// For a miner of whom nothing is known, who gets a job of difficulty `start` (brought within the limits) now.
    pub fn new(pace: Pace, start: Difficulty, now: Duration) -> Vardiff {
        let difficulty = within(&pace, start.get()).unwrap_or(start);
        Vardiff {
            pace,
            difficulty,
            state: State::Searching(Search::begin(now)),
            review: now + pace.interval,
            is_taken_up: false,
        }
    }

    /// For a miner whose difficulty was found before.
    pub fn resumed(pace: Pace, difficulty: Difficulty, now: Duration) -> Vardiff {
        let mut vardiff = Vardiff::new(pace, difficulty, now);
        vardiff.state = State::Settled(Settled::begin(0.0, vardiff.wanted(), now));
        vardiff
    }

    /// What the next job's shares are judged by.
    pub fn difficulty(&self) -> Difficulty {
        self.difficulty
    }

    /// When [`Vardiff::review`] is due.
    pub fn next_review(&self) -> Duration {
        self.review
    }

    /// Sets other limits, and begins anew where difficulty was beyond them. True if so.
    pub fn set_limits(&mut self, min: Option<Difficulty>, max: Option<Difficulty>, now: Duration) -> bool {
        (self.pace.min, self.pace.max) = (min, max);
        let is_within = min.is_none_or(|min| min <= self.difficulty) && max.is_none_or(|max| self.difficulty <= max);
        !is_within
            && within(&self.pace, self.difficulty.get())
                .is_some_and(|changed| self.change(changed, Search::begin(now)).is_some())
    }

    /// A share came that met the difficulty of its job. The new difficulty, if that changes it. Shares of other difficulties
    /// than the present one were found before it took effect: they do not count. As long as there are only such, time does not
    /// count either: some miners stay with an older job until one comes that voids it.
    pub fn share(&mut self, judged_by: Difficulty, now: Duration) -> Option<Difficulty> {
        if judged_by != self.difficulty {
            if !self.is_taken_up {
                self.wait(now);
            }
            return None;
        }
        self.is_taken_up = true;
        match &mut self.state {
            State::Searching(search) => {
                search.count += 1;
                if search.count == 1 {
                    search.first = now;
                }
                if search.count < ENOUGH {
                    return None;
                }
                // Between n shares there are n - 1 gaps.
                let span = now.saturating_sub(search.first);
                let rate = f64::from(search.count - 1) / span.as_secs_f64().max(1e-6);
                if span < BELIEVED { self.aim(rate, CROWD[1], now) } else { self.settle(rate, ENOUGH.into(), now) }
            }
            State::Settled(settled) => {
                if !settled.count() {
                    return None;
                }
                self.look(now)
            }
        }
    }

    /// To be called at [`Vardiff::next_review`], whether shares came or not. The new difficulty, if that changes it.
    pub fn review(&mut self, now: Duration) -> Option<Difficulty> {
        if now < self.review {
            return None;
        }
        self.review = now + self.pace.interval;
        match self.state {
            State::Searching(search) => self.search_on(search, now),
            State::Settled(_) => self.look(now),
        }
    }

    /// The miner works at an older difficulty still: the present one's time begins now.
    fn wait(&mut self, now: Duration) {
        match &mut self.state {
            State::Searching(search) => *search = Search::begin(now),
            State::Settled(settled) => settled.wait(now),
        }
        self.review = now + self.pace.interval;
    }

    fn search_on(&mut self, search: Search, now: Duration) -> Option<Difficulty> {
        let elapsed = now.saturating_sub(search.since);
        let rate = f64::from(search.count) / elapsed.as_secs_f64().max(1e-6);
        if f64::from(ENOUGH) <= PATIENCE * rate {
            return None;
        }
        let changed = self.ease(search.count, elapsed, now);
        if changed.is_none() && (search.count >= FEWER || elapsed >= self.pace.interval * LAST_INTERVALS) {
            return self.settle(rate, search.count.into(), now);
        }
        changed
    }

    /// Lowers difficulty to where a crowd of shares comes, given how many came. `None` if it is as low as may be.
    fn ease(&mut self, count: u32, elapsed: Duration, now: Duration) -> Option<Difficulty> {
        // A single share may be luck where most miners would have none.
        if count <= 1 {
            let wanted = self.wanted() * self.pace.interval.as_secs_f64();
            let goal = self.difficulty.get() / (SILENT_STEPS / wanted).sqrt().max(10.0);
            let goal = within(&self.pace, goal)?;
            return self.change(goal, Search::begin(now));
        }
        let crowd = CROWD[usize::from(count >= FEW)];
        self.aim(f64::from(count - 1) / elapsed.as_secs_f64().max(1e-6), crowd, now)
    }

    /// Goes on searching at a difficulty where shares come at the rate `goal`, given that they come at `rate` now.
    fn aim(&mut self, rate: f64, goal: f64, now: Duration) -> Option<Difficulty> {
        let goal = within(&self.pace, self.difficulty.get() * rate / goal.max(self.wanted()))?;
        self.change(goal, Search::begin(now))
    }

    /// Ends the search: so many shares told the rate.
    fn settle(&mut self, rate: f64, shares: f64, now: Duration) -> Option<Difficulty> {
        let goal = self.right(rate);
        self.state = State::Settled(Settled::begin(shares, self.wanted(), now));
        let goal = goal.filter(|goal| *goal != self.difficulty)?;
        self.difficulty = goal;
        self.review = now + self.pace.interval;
        self.is_taken_up = false;
        Some(goal)
    }

    /// Whether a settled difficulty is still right.
    fn look(&mut self, now: Duration) -> Option<Difficulty> {
        let wanted = self.wanted();
        let State::Settled(settled) = &mut self.state else { return None };
        match settled.look(wanted, now)? {
            Change::Known { rate, shares } => self.settle(rate, shares, now),
            // Harder than this it may not be.
            Change::Above { rate } if self.right(rate) == Some(self.difficulty) => self.settle(rate, 0.0, now),
            Change::Unknown { count, elapsed } => {
                self.state = State::Searching(Search::begin(now));
                self.ease(count, elapsed, now)
            }
            Change::Above { .. } => {
                self.state = State::Searching(Search::begin(now));
                None
            }
        }
    }

    fn change(&mut self, goal: Difficulty, search: Search) -> Option<Difficulty> {
        if goal == self.difficulty {
            return None;
        }
        self.difficulty = goal;
        self.review = search.since + self.pace.interval;
        self.is_taken_up = false;
        self.state = State::Searching(search);
        Some(goal)
    }

    /// The difficulty for a miner whose shares come so many times a second now.
    fn right(&self, rate: f64) -> Option<Difficulty> {
        within(&self.pace, self.difficulty.get() * rate / self.wanted())
    }

    /// Shares a second.
    fn wanted(&self) -> f64 {
        self.pace.shares_per_minute / 60.0
    }
}

/// The difficulty nearest to a number: of three digits, to be pleasant to read, and within the limits. `None` for what is no
/// number.
fn within(pace: &Pace, value: f64) -> Option<Difficulty> {
    // Below this every hash is a share already.
    let easiest = Target::MAX.difficulty();
    let min = pace.min.map_or(easiest, |min| min.get().max(easiest));
    let max = pace.max.map_or(f64::MAX, Difficulty::get);
    let rounded: f64 = format!("{value:.2e}").parse().ok()?;
    Difficulty::new(rounded.min(max).max(min)).ok()
}
