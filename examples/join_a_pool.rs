//! Mines at a Stratum V1 pool until it has accepted some shares.
//!
//!     cargo run --release --example join_a_pool -- stratum+tcp://127.0.0.1:3333 alice

use midstate::backend::{Kind, Selection, open};
use midstate::engine::Engine;
use midstate::miner::{Event, Miner, Stats};
use midstate::upstream::{self, Credentials, Pool, spawn};
use std::error::Error;
use std::time::Duration;
use tokio::sync::mpsc::unbounded_channel;

/// Mines until so many shares are accepted. An upstream needs a tokio runtime around it; the engine has threads of its own.
pub(crate) async fn join(url: &str, user: &str, shares: u64) -> Result<Stats, Box<dyn Error>> {
    // What the backends find goes to the miner.
    let (found, from_engine) = unbounded_channel();
    let engine = Engine::start(open(&Selection::of(Kind::Cpu))?, move |event| drop(found.send(event)))?;
    // Jobs come from the pool, and shares go there.
    let credentials = Credentials { user: user.to_owned(), password: "x".to_owned() };
    let (handle, events) = spawn(vec![Pool::new(url.parse()?, credentials).into()]);
    // The miner makes work of jobs, and shares of what is found. It does so as long as it is asked for what happens.
    let mut miner = Miner::new(engine, from_engine, handle, events);
    while miner.stats().accepted < shares {
        match miner.next().await {
            Event::Upstream(upstream::Event::Answered { share, verdict: Ok(()), .. }) => println!("{}", share.hash),
            Event::Upstream(upstream::Event::Disconnected { error, .. }) => eprintln!("{error}"),
            _ => {}
        }
    }
    // Answers that are due are waited for.
    let (stats, _) = miner.finish(Duration::from_secs(10)).await;
    Ok(stats)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(url), Some(user)) = (arguments.next(), arguments.next()) else {
        return Err("URL and USER are missing".into());
    };
    let stats = join(&url, &user, 10).await?;
    println!("{} accepted, {} rejected", stats.accepted, stats.rejected);
    Ok(())
}
