//! A swarm: thousands of simulated miners on one pool, to see what it bears.
//!
//! ```text
//! plan ──when, how fast──▶ miner (a task each) ──work──▶ search (a few threads)
//!                            │  ▲                            │
//!                            │  └───────────nonce────────────┘
//!                            └──what happened──▶ figures ──▶ report, svg
//! ```
//!
//! Each miner has a connection of its own, of Stratum V1 or V2, and its shares meet their difficulty. Their hashes are made with the
//! `bitcoin` crate. The times between a miner's shares are exponential, as in mining. A share is due whether the one before
//! was answered or not: a slow pool does not slow the load, and its latency is not made to look better.

mod attack;
mod figures;
mod miner;
mod options;
mod plan;
mod report;
mod search;
mod session;
mod shares;
mod svg;
mod system;
mod v2;
mod wire;

pub use attack::{Attack, parse_attack};
pub use figures::{Attackers, Counts, Quantiles, Second, Tip};
pub use options::{Arrival, Hashrate, Options, TextError, parse_churn, parse_rate, parse_share, parse_span};
pub use report::Report;
pub use system::Usage;

use figures::Figures;
use midstate_stratum::v2::AuthorityKey;
use plan::plan;
use search::Search;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use system::Watched;
use thiserror::Error;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Why no swarm goes out.
#[derive(Debug, Error)]
pub enum SwarmError {
    /// No pool is meant by that.
    #[error("url: {0:?}; expected stratum+tcp://HOST:PORT or stratum2+tcp://HOST:PORT/KEY")]
    Url(String),
    /// The host has no address.
    #[error("cannot find {host}: {source}")]
    Resolve {
        /// Which.
        host: String,
        /// What the system says.
        source: io::Error,
    },
    /// The system allows too few connections.
    #[error(
        "open files: the limit is {limit}; expected {needed} at least for so many miners (ulimit -n, or fewer --miners)"
    )]
    Files {
        /// What the system allows.
        limit: u64,
        /// What the swarm needs.
        needed: u64,
    },
    /// The system has no thread for the search, or for the attackers.
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
}

/// What all miners share.
struct Shared {
    options: Options,
    pool: SocketAddr,
    /// The pool's, where Stratum V2 is spoken.
    authority: Option<AuthorityKey>,
    search: Search,
    figures: Mutex<Figures>,
    /// The next share shall be a block.
    is_block_wanted: AtomicBool,
}

impl Shared {
    fn figures(&self) -> MutexGuard<'_, Figures> {
        // A panic cannot leave a count half-written.
        self.figures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends a swarm to a pool, until its time is over or `stop` ends. `on_second` is given each second's figures.
pub async fn run(
    options: Options,
    stop: impl Future<Output = ()>,
    mut on_second: impl FnMut(&Second),
) -> Result<Report, SwarmError> {
    let (pool, authority) = resolve(&options.url).await?;
    let attackers: usize = options.attackers.iter().map(|(_, count)| count).sum();
    system::allow_connections(options.miners + attackers)?;
    let search = Search::start(options.threads, options.max_hashes_per_second).map_err(SwarmError::Thread)?;
    let mut watched = Watched::new(options.pool_pid);
    let (lasts, tip_every, patience) = (options.ramp + options.lasts, options.tip_every, options.patience);
    let places = plan(&options, pool);
    let begun = Instant::now();
    let figures = Mutex::new(Figures::new(begun));
    let shared =
        Arc::new(Shared { options, pool, authority, search, figures, is_block_wanted: AtomicBool::new(false) });
    let (stopper, stopped) = watch::channel(false);
    let mut miners = JoinSet::new();
    for place in places {
        miners.spawn(miner::live(Arc::clone(&shared), place, stopped.clone()));
    }
    if attackers > 0 {
        attack::spawn(Arc::clone(&shared), stopped.clone()).map_err(SwarmError::Thread)?;
    }
    drop(stopped);

    let mut stop = std::pin::pin!(stop);
    let mut ticks = tokio::time::interval_at((begun + Duration::from_secs(1)).into(), Duration::from_secs(1));
    let mut next_tip = tip_every.map(|every| shared.options.ramp + every);
    loop {
        tokio::select! {
            _ = ticks.tick() => on_second(&second(&shared, &mut watched)),
            () = &mut stop => break,
        }
        let elapsed = begun.elapsed();
        if elapsed >= lasts {
            break;
        }
        if attackers > 0 && elapsed >= shared.options.attacked_after() {
            shared.figures().attack();
        }
        if next_tip.is_some_and(|due| elapsed >= due) {
            shared.is_block_wanted.store(true, std::sync::atomic::Ordering::Relaxed);
            next_tip = next_tip.zip(tip_every).map(|(due, every)| due + every);
        }
    }
    let mined = begun.elapsed();
    stopper.send_replace(true);
    // Each leaves when its shares are answered, or its patience is over.
    let all_left = async { while miners.join_next().await.is_some() {} };
    // One that sits on a connection which takes no bytes waits for two patiences.
    let _ = tokio::time::timeout(patience * 2 + Duration::from_secs(1), all_left).await;
    miners.shutdown().await;
    on_second(&second(&shared, &mut watched));
    let figures = shared.figures();
    Ok(Report::new(&shared.options, &figures, mined, watched.usage()))
}

fn second(shared: &Shared, watched: &mut Watched) -> Second {
    watched.look();
    shared.figures().second(watched.pool_rss())
}

/// Where the pool is, and its authority if it speaks Stratum V2.
async fn resolve(url: &str) -> Result<(SocketAddr, Option<AuthorityKey>), SwarmError> {
    let wrong = || SwarmError::Url(url.to_owned());
    let (host, authority) = match url.strip_prefix("stratum2+tcp://").map(|rest| rest.split_once('/')) {
        None => (url.strip_prefix("stratum+tcp://").unwrap_or(url).trim_end_matches('/'), None),
        Some(None) => return Err(wrong()),
        Some(Some((host, key))) => (host, Some(key.parse().map_err(|_| wrong())?)),
    };
    let (_, port) = host.rsplit_once(':').ok_or_else(wrong)?;
    port.parse::<u16>().ok().filter(|port| *port != 0).ok_or_else(wrong)?;
    let failed = |source| SwarmError::Resolve { host: host.to_owned(), source };
    let mut addresses = tokio::net::lookup_host(host).await.map_err(failed)?;
    let address = addresses.next().ok_or_else(|| failed(io::ErrorKind::NotFound.into()))?;
    Ok((address, authority))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn urls() {
        for url in ["stratum+tcp://127.0.0.1:3333", "127.0.0.1:3333", "stratum+tcp://127.0.0.1:3333/"] {
            assert_eq!(resolve(url).await.unwrap(), (SocketAddr::from(([127, 0, 0, 1], 3333)), None));
        }
        let key = "9auqWEzQDVyd2oe1JVGFLMLHZtCo2FFqZwtKA5gd9xbuEu7PH72";
        let found = resolve(&format!("stratum2+tcp://127.0.0.1:34254/{key}")).await.unwrap();
        assert_eq!(found, (SocketAddr::from(([127, 0, 0, 1], 34254)), Some(key.parse().unwrap())));
        for wrong in [
            "",
            "stratum+tcp://127.0.0.1",
            "127.0.0.1:0",
            "127.0.0.1:x",
            "stratum+ssl://h:1/x",
            "stratum2+tcp://127.0.0.1:1/k",
            "stratum2+tcp://127.0.0.1:1",
        ] {
            let error = resolve(wrong).await.unwrap_err();
            assert!(matches!(error, SwarmError::Url(_)), "{wrong}: {error}");
        }
    }
}
