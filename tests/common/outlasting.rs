//! A miner whose server does wrong, and is well later: it must say what is wrong, and mine again soon, with little memory.

use super::heap::{Needs, measured};
use super::joined::share;
use super::scripted::PATIENCE;
use midstate::job::Share;
use midstate::upstream::{self, Event, SessionError, spawn};
use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// A share must be accepted within this time from when the server is well.
const AGAIN: Duration = Duration::from_secs(5);
/// What a busy machine may add to it.
const SLACK: Duration = Duration::from_secs(2);

/// The slowest server's script and all that follows take less, on a busy machine.
const LONGEST: Duration = Duration::from_secs(60);

/// So much a miner may hold, whatever it is sent. Thousands of shares that wait for an answer need half of it.
const MOST_BYTES: isize = 4 << 20;
/// So much may be left of it when it has ended, what it said included.
const LEFT_BYTES: isize = 64 << 10;

/// What a miner did well.
#[derive(Clone, Copy)]
pub(crate) struct Outlasted {
    /// How long it took to mine again.
    took: Duration,
    needs: Needs,
}

/// What a miner did, until a share was accepted of a server that was well.
#[derive(Debug)]
pub(crate) struct Mined {
    again: Instant,
    /// What went wrong before.
    said: Vec<String>,
    needs: Needs,
}

/// Runs a miner in this thread. It sends a share of each job, until one of the job with this id is accepted.
pub(crate) fn mine(pool: upstream::Pool, well: &str, done: &AtomicBool) -> Result<Mined, String> {
    let (heard, needs) = measured(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        // A server whose script failed is never well, and its miner tries for ever.
        let mined = async { timeout(LONGEST, until_well(pool, well, done)).await };
        runtime.block_on(mined).unwrap_or_else(|_| Err(format!("it does not mine again within {LONGEST:?}")))
    });
    heard.map(|(again, said)| Mined { again, said, needs })
}

async fn until_well(pool: upstream::Pool, well: &str, done: &AtomicBool) -> Result<(Instant, Vec<String>), String> {
    let (handle, mut events) = spawn(vec![pool.into()]);
    let mut said: Vec<String> = Vec::new();
    // How often each share's fate was told.
    let mut fates: HashMap<u32, u32> = HashMap::new();
    let mut again = None;
    while again.is_none() {
        let event = timeout(PATIENCE, events.recv()).await.map_err(|_| format!("it hangs; it said {said:?}"))?;
        match event.ok_or("the upstream's task is gone")? {
            Event::Connected { .. } => {}
            Event::Job { job, .. } => {
                let nonce = fates.len() as u32;
                fates.insert(nonce, 0);
                handle.submit(share(&job, nonce)).map_err(|_| "a share was not taken")?;
            }
            Event::Answered { share, verdict, .. } => {
                told(&mut fates, std::slice::from_ref(&share));
                match verdict {
                    Ok(()) if share.origin.job.id == well => again = Some(Instant::now()),
                    Ok(()) => {}
                    Err(error) => said.push(format!("rejected: {error}")),
                }
            }
            Event::Lost(shares) => {
                told(&mut fates, &shares);
            }
            Event::NoMinimum(_) => return Err("it asked for no minimum".to_owned()),
            Event::Message(message) => said.push(message),
            Event::OldTip { url, .. } => return Err(format!("{url} is on no old tip")),
            #[cfg(feature = "payout")]
            Event::Payout { warning, .. } => said.push(warning.to_string()),
            #[cfg(feature = "solo")]
            Event::Unheard { .. } => return Err("no node is here".to_owned()),
            Event::Traced { .. } => return Err("nothing is to be traced".to_owned()),
            Event::Unreadable(error) => said.push(error.to_string()),
            Event::Disconnected { error, retry, .. } => {
                if matches!(error, SessionError::Reconnect { .. }) && retry < Duration::from_millis(300) {
                    return Err(format!("it spins: {error}, {retry:?}"));
                }
                said.push(error.to_string());
            }
        }
    }
    // What is not answered by now is lost when the miner goes away.
    done.store(true, Ordering::Relaxed);
    drop(handle);
    loop {
        match timeout(AGAIN, events.recv()).await.map_err(|_| "it does not end")? {
            None => break,
            Some(Event::Answered { share, .. }) => told(&mut fates, std::slice::from_ref(&share)),
            Some(Event::Lost(shares)) => {
                told(&mut fates, &shares);
            }
            Some(_) => {}
        }
    }
    match fates.iter().find(|(_, told)| **told != 1) {
        Some((nonce, told)) => Err(format!("the fate of share {nonce} was told {told} times")),
        None => again.map(|again| (again, said)).ok_or_else(|| "it never mined again".to_owned()),
    }
}

fn told(fates: &mut HashMap<u32, u32>, shares: &[Share]) {
    for share in shares {
        *fates.entry(share.header.nonce()).or_default() += 1;
    }
}

impl Mined {
    /// What is wrong with it, or what it did well; with what it should have said, or where that is empty, nothing; with the nonce of each
    /// share that came to the server, and when that was well.
    pub(crate) fn judge(
        self,
        says: &str,
        mut nonces: Vec<impl Debug + Ord>,
        well: Instant,
    ) -> Result<Outlasted, String> {
        let Mined { again, said, needs } = self;
        if needs.most > MOST_BYTES || needs.left > LEFT_BYTES {
            return Err(format!("it held {} bytes at its worst, and left {}", needs.most, needs.left));
        }
        let all = said.join(" | ");
        if says.is_empty() && !said.is_empty() {
            return Err(format!("nothing should have been said: {all}"));
        }
        if !all.contains(says) {
            return Err(format!("{says:?} should have been said, and not {all:?}"));
        }
        nonces.sort_unstable();
        if nonces.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(format!("a share was sent twice: {nonces:?}"));
        }
        match again.saturating_duration_since(well) {
            took if took < AGAIN + SLACK => Ok(Outlasted { took, needs }),
            took => Err(format!("mining again took {took:?}; said: {all}")),
        }
    }
}

/// Runs scenarios, each with its name, all at once: most of them wait.
///
/// # Panics
/// When a miner did anything wrong.
pub(crate) fn all<Run>(scenarios: Vec<(String, Run)>)
where
    Run: FnOnce() -> Result<Outlasted, String> + Send + 'static,
{
    let running: Vec<_> = scenarios.into_iter().map(|(name, run)| (name, std::thread::spawn(run))).collect();
    let (number, mut failures, mut outlasted) = (running.len(), Vec::new(), Vec::new());
    for (name, scenario) in running {
        match scenario.join() {
            Ok(Ok(well)) => outlasted.push((name, well)),
            Ok(Err(what)) => failures.push(format!("{name}: {what}")),
            Err(_) => failures.push(format!("{name}: the test panicked")),
        }
    }
    let longest = outlasted.iter().map(|(_, well)| well.took).max().unwrap_or_default();
    println!("{number} servers; the longest until mining again: {longest:.1?}");
    for (what, of) in [("held", (|needs| needs.most) as fn(Needs) -> isize), ("left", |needs| needs.left)] {
        if let Some((name, well)) = outlasted.iter().max_by_key(|(_, well)| of(well.needs)) {
            println!("the most bytes that were {what}: {} ({name})", of(well.needs));
        }
    }
    assert!(failures.is_empty(), "{} of {number}:\n{}", failures.len(), failures.join("\n"));
}
