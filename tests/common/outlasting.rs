//! A miner whose server does wrong, and is well later: it must say what is wrong, and mine again soon.

use super::joined::share;
use super::scripted::PATIENCE;
use midstate::job::Share;
use midstate::upstream::{self, Event, SessionError, spawn};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// A share must be accepted within this time from when the server is well.
const AGAIN: Duration = Duration::from_secs(5);
/// What a busy machine may add to it.
const SLACK: Duration = Duration::from_secs(2);

/// A miner that sends a share of each job, until one of the job with this id is accepted. When that was, and what went wrong before.
pub(crate) async fn mine(
    pool: upstream::Pool,
    well: &str,
    done: &AtomicBool,
) -> Result<(Instant, Vec<String>), String> {
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

/// Whether this was said, or where it is empty, nothing.
pub(crate) fn judge_words(said: &[String], says: &str) -> Result<(), String> {
    let all = said.join(" | ");
    if says.is_empty() && !said.is_empty() {
        return Err(format!("nothing should have been said: {all}"));
    }
    if !all.contains(says) {
        return Err(format!("{says:?} should have been said, and not {all:?}"));
    }
    Ok(())
}

/// How long it took from when the server was well.
pub(crate) fn judge_time(again: Instant, well: Instant, said: &[String]) -> Result<Duration, String> {
    match again.saturating_duration_since(well) {
        took if took < AGAIN + SLACK => Ok(took),
        took => Err(format!("mining again took {took:?}; said: {}", said.join(" | "))),
    }
}
