//! A backend that does nothing for a part of the time, so that its processor has time for others.

use super::{Backend, Cancel, Identity, SearchError};
use crate::work::{Candidate, Work};
use std::fmt;
use std::str::FromStr;
use std::thread::sleep;
use std::time::{Duration, Instant};
use thiserror::Error;

/// A rest is looked up from this often, to see whether there is other work.
const NAP: Duration = Duration::from_millis(10);

/// The part of the time in which a processor searches, as a percentage: 0.1 to 100.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Throttle(f64);

/// No part.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?}; expected a percentage from 0.1 to 100, such as 25%")]
pub struct ThrottleError(String);

impl FromStr for Throttle {
    type Err = ThrottleError;

    fn from_str(text: &str) -> Result<Throttle, ThrottleError> {
        let number = text.strip_suffix('%').unwrap_or(text).parse().ok();
        let number = number.filter(|number| (0.1..=100.0).contains(number));
        number.map(Throttle).ok_or_else(|| ThrottleError(text.to_owned()))
    }
}

impl fmt::Display for Throttle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

impl Throttle {
    /// Lets backends on the processor rest between searches; others are as they were.
    pub fn hold(self, backends: Vec<Box<dyn Backend>>) -> Vec<Box<dyn Backend>> {
        let held = |inner: Box<dyn Backend>| match inner.identity().backend {
            "cpu" | "scalar" => Box::new(Throttled { inner, rest: 100.0 / self.0 - 1.0, owed: Duration::ZERO }),
            _ => inner,
        };
        backends.into_iter().map(held).collect()
    }
}

struct Throttled {
    inner: Box<dyn Backend>,
    /// For each second of work, so many of rest.
    rest: f64,
    /// The rest that is still to come.
    owed: Duration,
}

impl Throttled {
    /// Rests, but not longer than there is no other work. What was not rested is owed.
    fn rest(&mut self, cancel: &Cancel) {
        while self.owed > Duration::ZERO && !cancel.is_cancelled() {
            let began = Instant::now();
            sleep(self.owed.min(NAP));
            self.owed = self.owed.saturating_sub(began.elapsed());
        }
    }
}

impl Backend for Throttled {
    fn identity(&self) -> &Identity {
        self.inner.identity()
    }

    fn versions(&self) -> usize {
        self.inner.versions()
    }

    fn enter_thread(&mut self) {
        self.inner.enter_thread();
    }

    fn search(&mut self, work: &Work, cancel: &Cancel, found: &mut dyn FnMut(Candidate)) -> Result<u64, SearchError> {
        self.rest(cancel);
        let began = Instant::now();
        let hashes = self.inner.search(work, cancel, found)?;
        self.owed += began.elapsed().mul_f64(self.rest);
        // Before the end of the search is said, so that the engine sees how long a slice takes with its rest.
        self.rest(cancel);
        Ok(hashes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::genesis;
    use crate::work::NonceRange;
    use midstate_stratum::Target;

    /// Takes so long for each search.
    struct Slow(Identity, Duration);

    impl Backend for Slow {
        fn identity(&self) -> &Identity {
            &self.0
        }

        fn search(
            &mut self,
            work: &Work,
            cancel: &Cancel,
            found: &mut dyn FnMut(Candidate),
        ) -> Result<u64, SearchError> {
            if cancel.is_cancelled() {
                return Ok(0);
            }
            sleep(self.1);
            found(Candidate { version: 0, nonce: 7 });
            Ok(work.hashes())
        }
    }

    fn held(backend: &'static str, throttle: &str) -> Box<dyn Backend> {
        let identity = Identity { backend, kernel: "slow", device: String::new() };
        let backends: Vec<Box<dyn Backend>> = vec![Box::new(Slow(identity, Duration::from_millis(20)))];
        throttle.parse::<Throttle>().unwrap().hold(backends).remove(0)
    }

    #[test]
    fn a_processor_rests_as_long_as_was_asked_for() {
        let work = Work::new(genesis(), NonceRange::inclusive(0, 9), Target::MAX);
        let took = |backend, throttle| {
            let (mut backend, mut seen) = (held(backend, throttle), 0);
            let began = Instant::now();
            for _ in 0..3 {
                assert_eq!(backend.search(&work, &Cancel::never(), &mut |_| seen += 1).unwrap(), 10);
            }
            assert_eq!(seen, 3);
            began.elapsed()
        };
        assert!(took("cpu", "25%") >= Duration::from_millis(3 * 80));
        assert!(took("scalar", "50%") >= Duration::from_millis(3 * 40));
        assert!(took("gpu", "1%") < Duration::from_secs(3));
    }

    /// Other work must not wait for a rest; and work that changes often is no way round it.
    #[test]
    fn a_rest_ends_with_the_work_and_is_made_up_for() {
        let epoch = std::sync::Arc::default();
        let work = Work::new(genesis(), NonceRange::inclusive(0, 9), Target::MAX);
        let mut backend = held("cpu", "0.1%");
        let cancel = Cancel::on_change_of(&epoch);
        let ends = std::sync::Arc::clone(&epoch);
        let other = std::thread::spawn(move || {
            sleep(Duration::from_millis(100));
            ends.fetch_add(1, std::sync::atomic::Ordering::Release);
        });
        let began = Instant::now();
        // It owes 20 s after this.
        assert_eq!(backend.search(&work, &cancel, &mut |_| {}).unwrap(), 10);
        assert!(began.elapsed() < Duration::from_secs(5));
        other.join().unwrap();
        // With work that is over, nothing is searched.
        assert_eq!(backend.search(&work, &cancel, &mut |_| {}).unwrap(), 0);
    }

    #[test]
    fn throttles_are_percentages() {
        for (text, shown) in [("25%", "25%"), ("25", "25%"), ("100%", "100%"), ("0.5%", "0.5%"), ("7%", "7%")] {
            assert_eq!(text.parse::<Throttle>().unwrap().to_string(), shown);
        }
        for wrong in ["", "%", "0", "0%", "0.05%", "101%", "-5%", "nan", "half"] {
            assert!(wrong.parse::<Throttle>().unwrap_err().to_string().contains("from 0.1 to 100"), "{wrong}");
        }
    }
}
