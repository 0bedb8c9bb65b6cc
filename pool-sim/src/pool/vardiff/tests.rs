//! Miners by chance: shares come as a Poisson process, at a rate that is the hashrate divided by the difficulty.

use super::*;

/// Chance that is the same at each run.
struct Chance(fastrand::Rng);

impl Chance {
    /// The time to the next event, in seconds.
    fn gap(&mut self, rate: f64) -> f64 {
        -(1.0 - self.0.f64()).ln() / rate
    }
}

/// A pool and a miner.
struct Simulation {
    vardiff: Vardiff,
    chance: Chance,
    /// Shares of difficulty 1 a second.
    hashrate: f64,
    now: f64,
    /// What the miner works at.
    works_at: Difficulty,
    /// How long a new difficulty takes to reach it.
    latency: f64,
    /// What was sent to it, and when it arrives.
    sent: Vec<(f64, Difficulty)>,
    /// When difficulty changed, from what and to what.
    retargets: Vec<(f64, f64, f64)>,
    shares: u64,
}

fn pace(shares_per_minute: f64) -> Pace {
    Pace { shares_per_minute, interval: Duration::from_secs(10), min: None, max: None }
}

impl Simulation {
    fn new(pace: Pace, start: f64, hashrate: f64, seed: u64) -> Simulation {
        let vardiff = Vardiff::new(pace, Difficulty::new(start).unwrap(), Duration::ZERO);
        let works_at = vardiff.difficulty();
        let chance = Chance(fastrand::Rng::with_seed(seed));
        let (now, latency, shares) = (0.0, 0.1, 0);
        Simulation { vardiff, chance, hashrate, now, works_at, latency, sent: vec![], retargets: vec![], shares }
    }

    /// How many times the wanted rate of shares would come.
    fn pace(&self) -> f64 {
        self.hashrate / self.vardiff.difficulty().get() / self.vardiff.wanted()
    }

    fn run(&mut self, until: f64) {
        while self.now < until {
            let share = self.now + self.chance.gap(self.hashrate / self.works_at.get());
            let review = self.vardiff.next_review().as_secs_f64();
            let arrives = self.sent.first().map_or(f64::INFINITY, |sent| sent.0);
            self.now = share.min(review).min(arrives).min(until);
            let before = self.vardiff.difficulty();
            let time = Duration::from_secs_f64(self.now);
            let changed = if self.now >= until {
                None
            } else if arrives <= self.now {
                self.works_at = self.sent.remove(0).1;
                None
            } else if review <= self.now {
                self.vardiff.review(self.vardiff.next_review())
            } else {
                self.shares += 1;
                self.vardiff.share(self.works_at, time)
            };
            if let Some(difficulty) = changed {
                self.retargets.push((self.now, before.get(), difficulty.get()));
                self.sent.push((self.now + self.latency, difficulty));
            }
        }
    }
}

/// From 10⁻⁶ to 10⁶ times the right difficulty, in steps of √10.
fn offsets() -> impl Iterator<Item = f64> {
    (-12..=12).map(|step| 10f64.powf(f64::from(step) / 2.0))
}

#[test]
fn it_is_right_after_three_retargets_and_a_minute_from_a_million_times_off_and_stays_there() {
    let (mut worst_retargets, mut later, mut swings, mut runs) = (0, 0, 0, 0);
    for rate in [6.0, 20.0, 60.0] {
        for (number, offset) in offsets().enumerate() {
            for seed in 0..100 {
                let hashrate = 50.0;
                let right = hashrate / (rate / 60.0);
                let seed = (seed << 8 | number as u64) << 8 | rate as u64;
                let mut simulation = Simulation::new(pace(rate), right * offset, hashrate, seed);
                simulation.run(60.0);
                let found = simulation.retargets.len();
                let context = || format!("{rate}/min, {offset} times, seed {seed}: {:?}", simulation.retargets);
                assert!(found <= 3, "{}", context());
                assert!((0.8..=1.2).contains(&simulation.pace()), "{}", context());
                worst_retargets = worst_retargets.max(found);
                simulation.run(3660.0);
                let after = &simulation.retargets[found..];
                assert!(after.len() <= 1, "{:?}", simulation.retargets);
                assert!((0.8..=1.2).contains(&simulation.pace()), "{:?}", simulation.retargets);
                later += after.len();
                // A swing is a change that leads away from what is right.
                swings +=
                    after.iter().filter(|(_, from, to)| (to / right).ln().abs() > (from / right).ln().abs()).count();
                runs += 1;
            }
        }
    }
    println!(
        "{runs} runs: at most {worst_retargets} retargets; {later} in the hour after, {swings} of them away from what is right"
    );
    assert!(later <= runs / 200 && swings <= runs / 1000, "{later} retargets, {swings} swings in {runs} runs");
}

#[test]
fn a_miner_that_changes_is_followed_whichever_way() {
    for (number, factor) in offsets().enumerate().filter(|(_, factor)| (factor.ln()).abs() > 1.0) {
        for seed in 0..20 {
            let mut simulation = Simulation::new(pace(20.0), 1.0, 50.0, seed << 8 | number as u64);
            simulation.run(600.0);
            let before = simulation.retargets.len();
            simulation.hashrate *= factor;
            simulation.run(600.0 + 900.0);
            let changed = &simulation.retargets[before..];
            assert!((0.5..2.0).contains(&simulation.pace()), "{factor} times, seed {seed}: {changed:?}");
            assert!(changed.len() <= 5, "{factor} times, seed {seed}: {changed:?}");
        }
    }
}

/// para 0.6.0 takes up no job but one that voids those before it: it is at the older difficulty until the tip moves.
#[test]
fn a_miner_that_stays_with_an_older_job_is_not_taken_for_silent() {
    for (number, offset) in [0.03, 0.1, 0.3, 1.0].into_iter().enumerate() {
        for seed in 0..100 {
            let mut simulation = Simulation::new(pace(120.0), offset, 2.0, seed << 8 | number as u64);
            simulation.latency = 25.0;
            // Step by step: taken for silent, it would be at where each hash is a share before the end.
            for step in 1..=60 {
                simulation.run(5.0 * f64::from(step));
                let found = simulation.retargets.len();
                assert!(found <= 3, "{offset} times, seed {seed}: {:?}", simulation.retargets);
            }
            let pace = simulation.pace();
            assert!((0.8..=1.25).contains(&pace), "{offset} times, seed {seed}: {:?}", simulation.retargets);
        }
    }
}

#[test]
fn limits_hold_and_a_miner_at_one_is_left_in_peace() {
    let limit = |value: f64| Some(Difficulty::new(value).unwrap());
    let limited = Pace { min: limit(3.0), max: limit(30.0), ..pace(20.0) };
    for (seed, hashrate) in [1e-6, 1e-3, 0.1, 1.0, 5.0, 10.0, 100.0, 1e4].into_iter().enumerate() {
        for start in [1e-3, 3.0, 10.0, 1e6] {
            let mut simulation = Simulation::new(limited, start, hashrate, seed as u64);
            assert!((3.0..=30.0).contains(&simulation.works_at.get()));
            simulation.run(3600.0);
            let end = simulation.vardiff.difficulty().get();
            let right = (hashrate * 3.0).clamp(3.0, 30.0);
            assert!((0.7..1.4).contains(&(end / right)), "{hashrate} from {start}: {:?}", simulation.retargets);
            assert!(simulation.retargets.len() <= 4, "{hashrate} from {start}: {:?}", simulation.retargets);
            assert!(simulation.retargets.iter().all(|(_, _, to)| (3.0..=30.0).contains(to)));
        }
    }
}

#[test]
fn a_resumed_session_does_not_search_again() {
    let mut simulation = Simulation::new(pace(20.0), 150.0, 50.0, 7);
    simulation.vardiff = Vardiff::resumed(pace(20.0), simulation.works_at, Duration::ZERO);
    simulation.run(3600.0);
    assert_eq!(simulation.retargets, []);
    assert!((1000..1400).contains(&simulation.shares));
}

#[test]
fn a_higher_lower_limit_takes_hold_at_once() {
    let mut vardiff = Vardiff::new(pace(20.0), Difficulty::ONE, Duration::ZERO);
    assert!(!vardiff.set_limits(Some(Difficulty::new(0.5).unwrap()), None, Duration::from_secs(1)));
    assert!(vardiff.set_limits(Some(Difficulty::new(64.0).unwrap()), None, Duration::from_secs(1)));
    assert_eq!(vardiff.difficulty(), Difficulty::new(64.0).unwrap());
    // Nothing comes for an hour: no easier than that.
    for second in 2..3600 {
        vardiff.review(Duration::from_secs(second));
    }
    assert_eq!(vardiff.difficulty(), Difficulty::new(64.0).unwrap());
}
