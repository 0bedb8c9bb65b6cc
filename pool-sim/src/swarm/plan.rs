//! When each miner comes, how fast it is, and from which address.

use super::{Arrival, Hashrate, Options};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// So many miners have an address of the loopback network for themselves: a system gives some 28,000 ports to connections
/// from one address to one port, and a port rests for a minute after its connection.
const MINERS_AN_ADDRESS: usize = 5000;
/// In so many crowds a burst comes.
const CROWDS: usize = 10;
/// Of Pareto's distribution: with it a fifth of all has four fifths of the sum.
const PARETO_SHAPE: f64 = 1.161;
/// No miner is faster than so many average ones, lest one connection be the whole load.
const FASTEST: f64 = 1000.0;

/// A miner's part.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// Counted from 1.
    pub(super) number: usize,
    /// After the start.
    pub(super) arrives: Duration,
    /// The mean time between its shares.
    pub(super) interval: Duration,
    /// Where it connects from; `None` leaves that to the system.
    pub(super) from: Option<IpAddr>,
    /// Its own chance.
    pub(super) random: fastrand::Rng,
}

/// All miners' parts.
pub(super) fn plan(options: &Options, pool: SocketAddr) -> Vec<Place> {
    let mut random = fastrand::Rng::with_seed(options.seed);
    let speeds: Vec<_> = (0..options.miners).map(|_| speed(options.hashrate, &mut random)).collect();
    let mean = speeds.iter().sum::<f64>() / options.miners.max(1) as f64;
    let mut places = Vec::with_capacity(options.miners);
    for (at, speed) in speeds.into_iter().enumerate() {
        let part = match options.arrival {
            Arrival::Even => at as f64 / options.miners as f64,
            // Of a Poisson process, given how many come: each at any time.
            Arrival::Poisson => random.f64(),
            Arrival::Burst => (at * CROWDS / options.miners) as f64 / CROWDS as f64,
        };
        places.push(Place {
            number: at + 1,
            arrives: options.ramp.mul_f64(part),
            interval: options.interval.mul_f64(mean / speed),
            from: source(pool.ip(), at),
            random: random.fork(),
        });
    }
    places
}

fn speed(hashrate: Hashrate, random: &mut fastrand::Rng) -> f64 {
    match hashrate {
        Hashrate::Equal => 1.0,
        Hashrate::Pareto => (1.0 - random.f64()).powf(-1.0 / PARETO_SHAPE).min(FASTEST),
    }
}

/// An address of the loopback network, where the system has all of them.
fn source(pool: IpAddr, at: usize) -> Option<IpAddr> {
    let group = (at / MINERS_AN_ADDRESS) as u32;
    let first = Ipv4Addr::LOCALHOST;
    if !cfg!(target_os = "linux") || !pool.is_loopback() || !pool.is_ipv4() || group == 0 {
        return None;
    }
    Some(Ipv4Addr::from(u32::from(first) + group).into())
}

/// A time that passes until something that happens by chance, this often on average.
pub(super) fn exponential(mean: Duration, random: &mut fastrand::Rng) -> Duration {
    // A day is for ever here, and far from what an instant can hold.
    let seconds = -mean.as_secs_f64() * (1.0 - random.f64()).ln();
    Duration::from_secs_f64(seconds.clamp(0.0, 86_400.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(change: impl FnOnce(&mut Options)) -> Vec<Place> {
        let mut options = Options { ramp: Duration::from_secs(10), ..Options::new("", 12_000) };
        change(&mut options);
        plan(&options, "127.0.0.1:3333".parse().unwrap())
    }

    #[test]
    fn all_come_within_the_ramp() {
        for arrival in [Arrival::Even, Arrival::Poisson, Arrival::Burst] {
            let places = places(|options| options.arrival = arrival);
            let early = places.iter().filter(|place| place.arrives < Duration::from_secs(5)).count();
            assert!(places.iter().all(|place| place.arrives < Duration::from_secs(10)));
            assert!((5600..=6400).contains(&early), "{arrival:?}: {early}");
        }
        let mut crowds: Vec<_> =
            places(|options| options.arrival = Arrival::Burst).iter().map(|place| place.arrives).collect();
        crowds.dedup();
        assert_eq!(crowds.len(), CROWDS);
    }

    #[test]
    fn hashrate_is_spread_and_its_sum_kept() {
        for hashrate in [Hashrate::Equal, Hashrate::Pareto] {
            let places = places(|options| options.hashrate = hashrate);
            let mut rates: Vec<_> = places.iter().map(|place| 1.0 / place.interval.as_secs_f64()).collect();
            let sum: f64 = rates.iter().sum();
            assert!((sum / 4000.0 - 1.0).abs() < 0.001, "{hashrate:?}: {sum}");
            rates.sort_by(|a, b| b.total_cmp(a));
            let top = rates[..rates.len() / 5].iter().sum::<f64>() / sum;
            let expected = if hashrate == Hashrate::Equal { 0.19..0.21 } else { 0.6..0.9 };
            assert!(expected.contains(&top), "{hashrate:?}: {top}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn many_miners_on_loopback_have_several_addresses() {
        let places = places(|_| ());
        let from = |at: usize| places[at].from.map(|address| address.to_string());
        assert_eq!((from(0), from(5000), from(11_999)), (None, Some("127.0.0.2".into()), Some("127.0.0.3".into())));
        assert_eq!(source("10.0.0.1".parse().unwrap(), 9000), None);
    }

    #[test]
    fn exponential_times_have_their_mean() {
        let mut random = fastrand::Rng::with_seed(1);
        let sum: Duration = (0..100_000).map(|_| exponential(Duration::from_secs(3), &mut random)).sum();
        assert!((sum.as_secs_f64() / 300_000.0 - 1.0).abs() < 0.02);
    }
}
