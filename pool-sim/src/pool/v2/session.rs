//! A connection of Stratum V2, from the handshake to its end.

use super::talk::Talk;
use crate::pool::end::{AUTHORIZE_WITHIN, End};
use crate::pool::judge::Due;
use crate::pool::limits::{MAX_LINE, Throttle};
use crate::pool::wire::WRITE_WITHIN;
use crate::pool::{Port, Shared};
use midstate_stratum::v2::{Authority, Frame, FrameError, Frames, HandshakeError};
use std::future::ready;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::task::yield_now;
use tokio::time::{sleep_until, timeout};

/// A connection whose handshake is not done within this is ended.
const SHAKEN_WITHIN: Duration = Duration::from_secs(10);

/// Speaks with a miner until one of the two goes away.
pub(in crate::pool) async fn run(
    shared: &Arc<Shared>,
    number: u64,
    (port, authority): (&Port, &Authority),
    read: OwnedReadHalf,
    write: OwnedWriteHalf,
) -> End {
    match timeout(SHAKEN_WITHIN, Frames::accept(read, write, authority, MAX_LINE)).await {
        Ok(Ok(frames)) => speak(shared, number, port, frames).await,
        // Its own words are a miner's.
        Ok(Err(HandshakeError::Io(error))) => End::Handshake(error.to_string()),
        Ok(Err(error)) => End::Handshake(error.to_string()),
        Err(_) => End::Handshake(format!("not within {} s", SHAKEN_WITHIN.as_secs())),
    }
}

async fn speak(
    shared: &Arc<Shared>,
    number: u64,
    port: &Port,
    mut frames: Frames<OwnedReadHalf, OwnedWriteHalf>,
) -> End {
    let mut jobs = shared.jobs.clone();
    let job = Arc::clone(&jobs.borrow_and_update());
    let mut talk = Talk::new(shared, number, port, job);
    let mut throttle = Throttle::new(shared.limits.lines, Instant::now());
    loop {
        let review = talk.next_review().map(|review| shared.started + review);
        let idle = talk.idle.map(|since| since + AUTHORIZE_WITHIN);
        let ready_at = throttle.ready_at();
        let is_ready = ready_at <= Instant::now();
        let done = tokio::select! {
            // Jobs are rare, and the throttle holds frames back: nothing starves.
            biased;
            changed = jobs.changed() => match changed {
                Ok(()) => {
                    let job = Arc::clone(&jobs.borrow_and_update());
                    talk.set_job(&job)
                }
                Err(_) => Err(End::Stopped),
            },
            frame = frames.next(), if is_ready => match frame {
                Ok(frame) => {
                    throttle.spend(Instant::now());
                    let done = on_frame(shared, &mut talk, frame).await;
                    if std::mem::take(&mut talk.was_nonsense) {
                        throttle.fine();
                    }
                    // One that sends many frames at once waits after each until the others had their turn.
                    yield_now().await;
                    done
                }
                Err(error) => Err(of_frame(error)),
            },
            // No further share came at once.
            () = ready(()), if talk.owes() => talk.acknowledge(),
            () = sleep_until(review.unwrap_or(ready_at).into()), if review.is_some() => talk.review(),
            () = sleep_until(ready_at.into()), if !is_ready => Ok(()),
            () = sleep_until(idle.unwrap_or(ready_at).into()), if idle.is_some() => Err(End::NoChannel),
        };
        // What ends the connection may have to be said first.
        let sent = send(&mut talk, &mut frames).await;
        if let Err(end) = done.and(sent) {
            return end;
        }
    }
}

async fn on_frame(shared: &Shared, talk: &mut Talk<'_>, frame: Frame) -> Result<(), End> {
    let Some((mut answer, due)) = talk.hear(frame)? else { return Ok(()) };
    match due {
        Due::Keep(entered) => shared.keep(&mut answer.record, entered).await,
        // A pool on an upstream has no port of V2.
        Due::HandOn(handing, family) => shared.hand_on(&mut answer.record, handing, &family).await,
    }
    talk.answer(answer)
}

/// Sends what is to be said.
async fn send(talk: &mut Talk<'_>, frames: &mut Frames<OwnedReadHalf, OwnedWriteHalf>) -> Result<(), End> {
    while let Some(frame) = talk.next_frame() {
        timeout(WRITE_WITHIN, frames.send(frame)).await.map_err(|_| End::Stalled)??;
    }
    Ok(())
}

/// Why no further frame comes.
fn of_frame(error: FrameError) -> End {
    match error {
        FrameError::Io(error) => End::Io(error),
        FrameError::Closed => End::Closed,
        other => End::Frame(other),
    }
}
