//! What one connection and one address may take, so that nobody takes it from the others.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The longest line that is read from a miner, in bytes. The longest honest one is a share with a long user's name, below 1 KiB;
/// what a silent connection can make the pool keep is this.
pub(super) const MAX_LINE: usize = 16 * 1024;
/// So many seconds' lines may come at once.
const BURST: u32 = 2;
/// A line that no miner in its right mind sends counts as so many.
const NONSENSE: u32 = 3;

/// The pool's limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many connections one address may have; of IPv6, one network of 64 bits.
    pub connections: u32,
    /// How many lines a second are read from one connection, on average; two seconds' lines may come at once. The rest waits, in
    /// the end at the miner. A line of nonsense counts as three.
    pub lines: u32,
}

impl Default for Limits {
    /// Room for a farm behind one address, and for a miner that is far too fast.
    fn default() -> Limits {
        Limits { connections: 10_000, lines: 200 }
    }
}

/// How fast lines are read (the generic cell rate algorithm, ITU-T I.371).
#[derive(Clone, Copy, Debug)]
pub(super) struct Throttle {
    /// Between two lines on average.
    interval: Duration,
    /// When the next line would be on time.
    next: Instant,
}

impl Throttle {
    pub(super) fn new(lines: u32, now: Instant) -> Throttle {
        Throttle { interval: Duration::from_secs(1) / lines.max(1), next: now }
    }

    /// A line was read.
    pub(super) fn spend(&mut self, now: Instant) {
        self.next = self.next.max(now) + self.interval;
    }

    /// It was nonsense.
    pub(super) fn fine(&mut self) {
        self.next += self.interval * (NONSENSE - 1);
    }

    /// When the next line may be read; that may be long ago.
    pub(super) fn ready_at(&self) -> Instant {
        let lead = Duration::from_secs(BURST.into());
        self.next.checked_sub(lead).unwrap_or(self.next)
    }
}

/// Counts each address's connections.
#[derive(Debug, Default)]
pub(super) struct Visitors(Mutex<HashMap<IpAddr, Household>>);

#[derive(Debug, Default)]
struct Household {
    connections: u32,
    /// Whether it was said that there are too many.
    is_told: bool,
}

/// An address has as many connections as it may.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full {
    /// Whether that is to be said: it was not since the last time when there was room.
    pub(super) is_news: bool,
}

impl Visitors {
    /// Lets a connection in, unless its address has so many.
    pub(super) fn enter(self: &Arc<Self>, address: IpAddr, limit: u32) -> Result<Visit, Full> {
        let address = network(address);
        let mut households = self.lock();
        let household = households.entry(address).or_default();
        if household.connections >= limit.max(1) {
            return Err(Full { is_news: !std::mem::replace(&mut household.is_told, true) });
        }
        household.connections += 1;
        Ok(Visit { of: Arc::clone(self), address })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Household>> {
        // A panic cannot leave a count half-written.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that was let in. Dropped, it makes room.
#[derive(Debug)]
pub(super) struct Visit {
    of: Arc<Visitors>,
    address: IpAddr,
}

impl Drop for Visit {
    fn drop(&mut self) {
        let mut households = self.of.lock();
        if let Some(household) = households.get_mut(&self.address) {
            household.connections -= 1;
            household.is_told = false;
            if household.connections == 0 {
                households.remove(&self.address);
            }
        }
    }
}

/// What belongs to one household: a host of IPv6 has the whole of its network's 64 bits to choose from (RFC 4291, section 2.5.4).
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_at_the_rate_after_a_burst() {
        let start = Instant::now();
        let mut throttle = Throttle::new(100, start);
        for _ in 0..200 {
            assert!(throttle.ready_at() <= start);
            throttle.spend(start);
        }
        throttle.spend(start);
        assert_eq!(throttle.ready_at(), start + Duration::from_millis(10));
        // After a long silence there is one burst again, and no more.
        let later = start + Duration::from_secs(3600);
        for _ in 0..200 {
            assert!(throttle.ready_at() <= later);
            throttle.spend(later);
        }
        throttle.spend(later);
        assert_eq!(throttle.ready_at(), later + Duration::from_millis(10));
        throttle.fine();
        assert_eq!(throttle.ready_at(), later + Duration::from_millis(30));
    }

    #[test]
    fn an_address_has_so_many_connections_and_makes_room() {
        let visitors = Arc::new(Visitors::default());
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let enter = |text| visitors.enter(address(text), 2);
        let first = enter("10.0.0.1").unwrap();
        // The same, as a socket for both families names it.
        let second = enter("::ffff:10.0.0.1").unwrap();
        assert_eq!(enter("10.0.0.1").unwrap_err(), Full { is_news: true });
        assert_eq!(enter("10.0.0.1").unwrap_err(), Full { is_news: false });
        let other = enter("10.0.0.2").unwrap();
        drop(first);
        let third = enter("10.0.0.1").unwrap();
        drop((second, third, other));
        assert!(visitors.lock().is_empty());
        let networks =
            [enter("2001:db8::1").unwrap(), enter("2001:db8::2:1").unwrap(), enter("2001:db8:0:1::1").unwrap()];
        assert!(enter("2001:db8::ffff").is_err() && enter("2001:db8:0:1::2").is_ok());
        drop(networks);
    }
}
