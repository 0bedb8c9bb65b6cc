//! Speed over several windows, from a counter that is read now and then.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Hashes a second over the last 10 seconds, minute, and quarter of an hour; over what there is where that is less.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Hashrate {
    /// Over the last 10 seconds.
    pub seconds_10: f64,
    /// Over the last 60 seconds.
    pub seconds_60: f64,
    /// Over the last 15 minutes.
    pub minutes_15: f64,
}

impl std::iter::Sum for Hashrate {
    fn sum<I: Iterator<Item = Hashrate>>(rates: I) -> Hashrate {
        rates.fold(Hashrate::default(), |sum, rate| Hashrate {
            seconds_10: sum.seconds_10 + rate.seconds_10,
            seconds_60: sum.seconds_60 + rate.seconds_60,
            minutes_15: sum.minutes_15 + rate.minutes_15,
        })
    }
}

const LONGEST: Duration = Duration::from_secs(15 * 60);
/// Readings closer together than this replace each other, so that memory stays bounded.
const SPACING: Duration = Duration::from_millis(500);

/// Readings of a counter of hashes.
#[derive(Debug)]
pub struct Meter {
    readings: VecDeque<(Instant, u64)>,
}

impl Meter {
    /// A counter that stands at 0 now.
    pub fn new(now: Instant) -> Meter {
        Meter { readings: VecDeque::from([(now, 0)]) }
    }

    /// Notes what the counter says.
    pub fn record(&mut self, now: Instant, hashes: u64) {
        let count = self.readings.len();
        if count >= 2 && now.duration_since(self.readings[count - 2].0) < SPACING {
            self.readings.pop_back();
        }
        self.readings.push_back((now, hashes));
        // Keep one reading older than the longest window, to measure it from.
        while self.readings.get(1).is_some_and(|(time, _)| now.duration_since(*time) >= LONGEST) {
            self.readings.pop_front();
        }
    }

    /// The speed up to the last reading.
    pub fn hashrate(&self) -> Hashrate {
        let over = |window: u64| self.over(Duration::from_secs(window));
        Hashrate { seconds_10: over(10), seconds_60: over(60), minutes_15: over(15 * 60) }
    }

    fn over(&self, window: Duration) -> f64 {
        let Some(&(now, hashes)) = self.readings.back() else { return 0.0 };
        let before = self.readings.iter().rev().find(|(time, _)| now.duration_since(*time) >= window);
        let Some(&(then, hashes_then)) = before.or(self.readings.front()) else { return 0.0 };
        let seconds = now.duration_since(then).as_secs_f64();
        if seconds > 0.0 { (hashes - hashes_then) as f64 / seconds } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::float_cmp, reason = "the readings are exact multiples of a second")]
    fn each_window_sees_its_own_past() {
        let start = Instant::now();
        let mut meter = Meter::new(start);
        assert_eq!(meter.hashrate(), Hashrate::default());
        // 100 a second for 20 minutes, then 10 seconds of 1000.
        for second in 1..=1210u64 {
            let hashes = 100 * second.min(1200) + 1000 * second.saturating_sub(1200);
            meter.record(start + Duration::from_secs(second), hashes);
        }
        let rate = meter.hashrate();
        assert_eq!(rate.seconds_10, 1000.0);
        assert_eq!(rate.seconds_60, (50.0 * 100.0 + 10.0 * 1000.0) / 60.0);
        assert_eq!(rate.minutes_15, (890.0 * 100.0 + 10.0 * 1000.0) / 900.0);
        assert!(meter.readings.len() <= 902);
    }

    #[test]
    fn hasty_readings_do_not_pile_up() {
        let start = Instant::now();
        let mut meter = Meter::new(start);
        for i in 1..=10_000 {
            meter.record(start + Duration::from_millis(i), i);
        }
        assert!(meter.readings.len() < 50, "{}", meter.readings.len());
        assert!((meter.hashrate().seconds_10 - 1000.0).abs() < 1.0);
    }
}
