//! What a session's next job asks for.
//!
//! What comes first holds:
//!
//! 1. the port's, where it is fixed;
//! 2. the miner's `d=…` in its password: whoever runs the miner wrote it there;
//! 3. the miner's `mining.suggest_difficulty` or `mining.suggest_target`, the last one: its program may say so by itself;
//! 4. variable difficulty, where the port has it on, from the difficulty on that the session was resumed with, or that is right for
//!    the hashrate that the miner says it has (Stratum V2), or else the port's start;
//! 5. that beginning; but a hashrate has no meaning for it.
//!
//! All but the first are within the port's limits, and not below the miner's `minimum-difficulty` (BIP 310) or that of its maximum
//! target (Stratum V2). None is above an upstream's: a share that the upstream pays for must not be passed over.

use super::{Port, Vardiff};
use midstate_stratum::Difficulty;
use std::time::Duration;

/// What a miner says of its hashrate is news where it differs by this factor from what it said before, and from what it does.
const NEWS: f64 = 2.0;
/// So many hashes a share of difficulty 1 takes on average: 2^256 / (0xffff × 2^208).
const HASHES: f64 = 4_295_032_833.000_015;

#[derive(Debug)]
pub(super) struct SessionDifficulty<'a> {
    port: &'a Port,
    by_password: Option<Difficulty>,
    suggested: Option<Difficulty>,
    /// BIP 310.
    minimum: Option<Difficulty>,
    resumed: Option<Difficulty>,
    /// The one at which its shares come as often as they should, by its own word.
    nominal: Option<Difficulty>,
    /// An upstream's.
    ceiling: Option<Difficulty>,
    /// From the first job on.
    vardiff: Option<Vardiff>,
}

impl<'a> SessionDifficulty<'a> {
    pub(super) fn new(port: &'a Port) -> SessionDifficulty<'a> {
        SessionDifficulty {
            port,
            by_password: None,
            suggested: None,
            minimum: None,
            resumed: None,
            nominal: None,
            ceiling: None,
            vardiff: None,
        }
    }

    /// What the next job asks for.
    pub(super) fn current(&self) -> Difficulty {
        if self.port.fixed {
            return lower(self.ceiling, self.port.start);
        }
        if let Some(wish) = self.wish() {
            return self.within(wish);
        }
        match &self.vardiff {
            Some(vardiff) => vardiff.difficulty(),
            None => self.within(self.resumed.unwrap_or(self.port.start)),
        }
    }

    /// The first job is sent.
    pub(super) fn begin(&mut self, now: Duration) {
        let Some(mut pace) = self.port.pace() else { return };
        (pace.min, pace.max) = (self.floor(), self.max());
        self.vardiff = Some(match self.resumed {
            Some(difficulty) => Vardiff::resumed(pace, difficulty, now),
            None => Vardiff::new(pace, self.nominal.unwrap_or(self.port.start), now),
        });
    }

    /// The miner says how fast it is, in hashes a second; zero says nothing. Where difficulty varies, it begins anew at what is right
    /// for that.
    pub(super) fn set_hashrate(&mut self, hashrate: f64, now: Duration) {
        let Some(pace) = self.port.pace() else { return };
        let right = hashrate * 60.0 / pace.shares_per_minute / HASHES;
        let Ok(nominal) = Difficulty::new(right) else { return };
        let known = [self.nominal, self.vardiff.as_ref().map(Vardiff::difficulty)];
        let is_like = |known: &Difficulty| (1.0 / NEWS..=NEWS).contains(&(right / known.get()));
        if known.iter().flatten().any(is_like) {
            return;
        }
        self.nominal = Some(nominal);
        if self.vardiff.is_some() {
            self.begin(now);
        }
    }

    /// The session is one that had this difficulty.
    pub(super) fn resume(&mut self, difficulty: Difficulty) {
        self.resumed = Some(difficulty);
    }

    pub(super) fn ask_by_password(&mut self, difficulty: Difficulty) {
        self.by_password = Some(difficulty);
    }

    pub(super) fn suggest(&mut self, difficulty: Difficulty) {
        self.suggested = Some(difficulty);
    }

    /// BIP 310's answer: whether it will be kept, or why not.
    pub(super) fn set_minimum(&mut self, minimum: Option<Difficulty>, now: Duration) -> Result<bool, String> {
        let Some(asked) = minimum else {
            return Ok(false);
        };
        match (self.port.fixed, self.max()) {
            (true, _) if asked > self.current() => {
                return Err(format!("difficulty is fixed here, at {}", self.current()));
            }
            (false, Some(max)) if asked > max => return Err(format!("difficulty here is {max} at most")),
            _ => {}
        }
        self.minimum = minimum;
        self.limit(now);
        Ok(true)
    }

    /// The next job's upstream pays for this.
    pub(super) fn set_ceiling(&mut self, ceiling: Option<Difficulty>, now: Duration) {
        if self.ceiling != ceiling {
            self.ceiling = ceiling;
            self.limit(now);
        }
    }

    fn limit(&mut self, now: Duration) {
        let (floor, max) = (self.floor(), self.max());
        if let Some(vardiff) = &mut self.vardiff {
            vardiff.set_limits(floor, max, now);
        }
    }

    /// A share met this difficulty. True if that changes what the next job asks for.
    pub(super) fn share(&mut self, judged_by: Difficulty, now: Duration) -> bool {
        self.varying().is_some_and(|vardiff| vardiff.share(judged_by, now).is_some())
    }

    /// When [`SessionDifficulty::review`] is due, if ever.
    pub(super) fn next_review(&self) -> Option<Duration> {
        self.vardiff.as_ref().filter(|_| self.wish().is_none()).map(Vardiff::next_review)
    }

    /// True if that changes what the next job asks for.
    pub(super) fn review(&mut self, now: Duration) -> bool {
        self.varying().is_some_and(|vardiff| vardiff.review(now).is_some())
    }

    fn varying(&mut self) -> Option<&mut Vardiff> {
        if self.wish().is_some() {
            return None;
        }
        self.vardiff.as_mut()
    }

    /// What the miner wants it to be.
    fn wish(&self) -> Option<Difficulty> {
        self.by_password.or(self.suggested)
    }

    fn floor(&self) -> Option<Difficulty> {
        let floor = match (self.port.min, self.minimum) {
            (Some(min), Some(minimum)) if min < minimum => self.minimum,
            (min, minimum) => min.or(minimum),
        };
        floor.map(|floor| lower(self.ceiling, floor))
    }

    fn max(&self) -> Option<Difficulty> {
        self.port.max.map(|max| lower(self.ceiling, max)).or(self.ceiling)
    }

    fn within(&self, difficulty: Difficulty) -> Difficulty {
        let capped = lower(self.max(), difficulty);
        self.floor().filter(|floor| capped < *floor).unwrap_or(capped)
    }
}

/// The lower of the two.
fn lower(limit: Option<Difficulty>, difficulty: Difficulty) -> Difficulty {
    limit.filter(|limit| *limit < difficulty).unwrap_or(difficulty)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn d(value: f64) -> Difficulty {
        Difficulty::new(value).unwrap()
    }

    fn port() -> Port {
        Port::new("127.0.0.1:1".parse().unwrap(), d(16.0))
    }

    #[test]
    fn what_comes_first_holds() {
        let mut varied = port();
        varied.shares_per_minute = Some(20.0);
        let mut session = SessionDifficulty::new(&varied);
        assert_eq!(session.current(), d(16.0));
        session.begin(Duration::ZERO);
        assert!(session.review(session.next_review().unwrap()));
        assert!(session.current() < d(16.0));
        // A wish ends what varies, and a password's is stronger, whenever it comes.
        session.suggest(d(64.0));
        assert_eq!((session.current(), session.next_review()), (d(64.0), None));
        assert!(!session.review(Duration::from_secs(99)) && !session.share(d(64.0), Duration::from_secs(99)));
        session.ask_by_password(d(128.0));
        session.suggest(d(32.0));
        assert_eq!(session.current(), d(128.0));
        assert_eq!(session.set_minimum(Some(d(256.0)), Duration::ZERO), Ok(true));
        assert_eq!(session.current(), d(256.0));
        assert_eq!(session.set_minimum(None, Duration::ZERO), Ok(false));
        assert_eq!(session.current(), d(256.0));
    }

    #[test]
    fn a_fixed_port_grants_no_wish() {
        let fixed = Port { fixed: true, shares_per_minute: Some(20.0), ..port() };
        let mut session = SessionDifficulty::new(&fixed);
        session.begin(Duration::ZERO);
        session.suggest(d(64.0));
        session.ask_by_password(d(64.0));
        session.resume(d(64.0));
        assert_eq!((session.current(), session.next_review()), (d(16.0), None));
        assert_eq!(session.set_minimum(Some(d(16.0)), Duration::ZERO), Ok(true));
        assert!(session.set_minimum(Some(d(17.0)), Duration::ZERO).unwrap_err().contains("16"));
    }

    #[test]
    fn limits_hold_for_wishes_and_for_what_is_resumed() {
        let limited = Port { min: Some(d(4.0)), max: Some(d(32.0)), ..port() };
        let mut session = SessionDifficulty::new(&limited);
        session.resume(d(1e6));
        assert_eq!(session.current(), d(32.0));
        for (wish, granted) in [(1.0, 4.0), (8.0, 8.0), (64.0, 32.0)] {
            session.suggest(d(wish));
            assert_eq!(session.current(), d(granted));
        }
        assert!(session.set_minimum(Some(d(33.0)), Duration::ZERO).unwrap_err().contains("32"));
        // The higher of the two lower limits holds.
        session.suggest(d(1.0));
        for (minimum, granted) in [(2.0, 4.0), (6.0, 6.0)] {
            assert_eq!(session.set_minimum(Some(d(minimum)), Duration::ZERO), Ok(true));
            assert_eq!(session.current(), d(granted));
        }
    }

    #[test]
    fn nothing_is_above_an_upstreams() {
        let ports = [
            port(),
            Port { fixed: true, ..port() },
            Port { min: Some(d(10.0)), ..port() },
            Port { max: Some(d(12.0)), ..port() },
            Port { shares_per_minute: Some(20.0), ..port() },
        ];
        for port in &ports {
            let mut session = SessionDifficulty::new(port);
            session.set_ceiling(Some(d(8.0)), Duration::ZERO);
            assert_eq!(session.current(), d(8.0));
            session.begin(Duration::ZERO);
            assert_eq!(session.current(), d(8.0));
            session.suggest(d(64.0));
            assert_eq!(session.current(), d(8.0));
            assert!(session.set_minimum(Some(d(9.0)), Duration::ZERO).unwrap_err().contains('8'));
            session.set_ceiling(Some(d(2.0)), Duration::ZERO);
            assert_eq!(session.current(), d(2.0));
        }
        // What varies goes down with it, and may go up again.
        let varied = Port { shares_per_minute: Some(20.0), ..port() };
        let mut session = SessionDifficulty::new(&varied);
        session.set_ceiling(Some(d(8.0)), Duration::ZERO);
        session.begin(Duration::ZERO);
        session.set_ceiling(Some(d(4.0)), Duration::ZERO);
        assert_eq!(session.current(), d(4.0));
        session.set_ceiling(Some(d(1e9)), Duration::ZERO);
        let crowd = (0..600).filter(|share| session.share(d(4.0), Duration::from_millis(share * 100))).count();
        assert!(crowd > 0 && session.current() > d(4.0));
    }

    #[test]
    fn a_minimum_is_a_floor_for_what_varies() {
        let varied = Port { shares_per_minute: Some(20.0), ..port() };
        let mut session = SessionDifficulty::new(&varied);
        assert_eq!(session.set_minimum(Some(d(10.0)), Duration::ZERO), Ok(true));
        session.begin(Duration::ZERO);
        for second in 0..600 {
            session.review(Duration::from_secs(second));
        }
        assert_eq!(session.current(), d(10.0));
        assert_eq!(session.set_minimum(Some(d(12.0)), Duration::from_secs(600)), Ok(true));
        assert_eq!(session.current(), d(12.0));
    }
}
