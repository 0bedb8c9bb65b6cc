//! Growing pauses between attempts to reach a pool.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(500);
/// With it, a pool that is well again has its miners back within five seconds.
pub(super) const LONGEST: Duration = Duration::from_secs(4);

/// Each pause is twice the last, up to four seconds; a session that gave work begins anew.
///
/// Up to a quarter of each is cut off by chance: the thousands of miners that a pool loses in one instant must not all come back
/// in one.
#[derive(Debug)]
pub(super) struct Pauses {
    next: Duration,
}

impl Pauses {
    pub(super) fn new() -> Pauses {
        Pauses { next: FIRST }
    }

    pub(super) fn reset(&mut self) {
        self.next = FIRST;
    }

    pub(super) fn next(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(LONGEST);
        pause.mul_f64(1.0 - chance() / 4.0)
    }
}

/// A number from 0 to 1 that differs from call to call and from process to process: what keeps hash maps from being guessed.
fn chance() -> f64 {
    RandomState::new().hash_one(()) as f64 / u64::MAX as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_four_seconds_and_are_spread() {
        let sequence = || {
            let mut pauses = Pauses::new();
            let all: Vec<_> = (0..6).map(|_| pauses.next()).collect();
            pauses.reset();
            assert!(pauses.next() <= FIRST);
            all
        };
        let [one, other] = [sequence(), sequence()];
        assert_ne!(one, other);
        for (pause, whole) in one.iter().chain(&other).zip([0.5, 1.0, 2.0, 4.0, 4.0, 4.0].into_iter().cycle()) {
            let part = pause.as_secs_f64() / whole;
            assert!((0.75..=1.0).contains(&part), "{pause:?} of {whole} s");
        }
    }
}
