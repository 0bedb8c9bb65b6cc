//! A session with a Stratum V2 pool, from the handshake to its end.
//!
//! Nothing else knows V2's types: what comes out are the same events and jobs as a V1 pool's.

mod channel;
mod channels;
mod count;
mod device;
mod error;
mod kind;
mod nominal;
mod requests;
mod submits;
mod talk;

pub use count::{ChannelCount, ChannelCountError};
pub use device::Device;
pub use error::V2Error;
pub use kind::{ChannelKind, ChannelKindError};
pub use midstate_stratum::v2::{AuthorityKey, Frame, FrameError, HandshakeError, KeyError};
pub use nominal::{NominalHashrate, NominalHashrateError};
pub use talk::{Effect, Talk};

use super::connection::{Connection, connect, within};
use super::error::SessionError;
use super::failover::changed;
use super::outbox::Outbox;
use super::payout::Inspection;
use super::session::LEAVE;
use super::{Event, Pool, PoolUrl, Protocol, STEP, next_number};
use crate::job::Share;
use midstate_stratum::v2::Frames;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

/// For so long a pool may say nothing, and leave shares without an answer. It has no reason to speak before the next block, and answers
/// shares several at once; that it is there the system's probes tell.
const SILENCE: Duration = Duration::from_secs(300);

/// The longest message to a miner is a `SetGroupChannel` of 65,535 channels; the longest job has 139,000 bytes. Encrypted, it grows a little.
const MOST: usize = 270_000;

/// A session.
pub(super) struct V2Session<'a> {
    frames: Frames<Box<dyn AsyncRead + Send + Unpin>, Box<dyn AsyncWrite + Send + Unpin>>,
    talk: Talk,
    outbox: Outbox,
    /// The miner's, in hashes a second; 0 while it is not known.
    hashrate: watch::Receiver<f64>,
    /// Where it is connected to.
    url: &'a PoolUrl,
    /// How long each step to the first job may take.
    step: Duration,
    /// What jobs are held to.
    payout: Inspection<'a>,
    /// Jobs carry it.
    pub(super) number: u64,
}

impl<'a> V2Session<'a> {
    /// Joins a pool, at its own URL or where it sent the miner, with so long for each step.
    pub(super) async fn open(
        (pool, url): (&'a Pool, &'a PoolUrl),
        step: Duration,
        payout: Inspection<'a>,
        hashrate: watch::Receiver<f64>,
        outbox: Outbox,
    ) -> Result<Self, SessionError> {
        let authority = match url.protocol {
            Protocol::V2 { authority } => authority,
            Protocol::V1 | Protocol::V1Tls => None,
        };
        if authority.is_none() && !pool.sv2_insecure {
            return Err(V2Error::NoAuthority(url.to_string()).into());
        }
        let connection = connect(pool, url, step).await;
        let Connection { reader, writer } =
            connection.map_err(|source| SessionError::Connect { url: url.clone(), source })?;
        let number = next_number();
        let known = Some(*hashrate.borrow()).filter(|hashrate| *hashrate > 0.0);
        let talk = Talk::begin(pool, url, number, known)?;
        let handshake = async { Ok(Frames::begin(reader, writer, authority, MOST).await) };
        let shaken = within(step, "no answer", handshake).await.unwrap_or_else(|slow| Err(HandshakeError::Io(slow)));
        let frames = shaken.map_err(V2Error::from)?;
        Ok(V2Session { frames, talk, outbox, hashrate, url, step, payout, number })
    }

    /// Until the session ends; `Ok` when the miner dropped its handle.
    pub(super) async fn run(&mut self, shares: &mut mpsc::UnboundedReceiver<Share>) -> Result<(), SessionError> {
        self.talk.heard = Instant::now();
        loop {
            self.act().await?;
            let (limit, overdue) = self.limit();
            let stale = self.talk.stale_at();
            tokio::select! {
                frame = timeout_at(limit, self.frames.next()) => match frame {
                    Ok(frame) => self.talk.hear(frame.map_err(of_frame)?)?,
                    Err(_) => return Err(overdue),
                },
                share = shares.recv() => match share {
                    Some(share) => self.talk.submit(share)?,
                    None => break,
                },
                () = changed(&mut self.hashrate) => {
                    let hashrate = *self.hashrate.borrow();
                    self.talk.set_hashrate(hashrate)?;
                }
                () = sleep_until(stale.unwrap_or(limit)), if stale.is_some() => self.talk.go_on(),
            }
        }
        self.say_goodbye().await;
        Ok(())
    }

    /// Sends and says what came of what was heard.
    async fn act(&mut self) -> Result<(), SessionError> {
        while let Some(effect) = self.talk.next_effect() {
            match effect {
                Effect::Send(frame) => {
                    within(STEP, "it has not taken what was sent", self.frames.send(frame)).await?;
                }
                Effect::Say(event) => {
                    self.inspect(&event)?;
                    self.outbox.say(event);
                }
            }
        }
        self.outbox.deliver().await;
        Ok(())
    }

    /// Whether jobs pay whom they should.
    fn inspect(&mut self, event: &Event) -> Result<(), SessionError> {
        let Event::Job { job, beside, .. } = event else { return Ok(()) };
        for job in std::iter::once(job).chain(beside) {
            match self.payout.inspect(job) {
                Ok(None) => {}
                Ok(Some(warning)) => self.outbox.say(Event::Payout { url: self.url.to_string(), warning }),
                Err(error) => return Err(SessionError::Payout { job: job.id.clone(), error }),
            }
        }
        Ok(())
    }

    /// Until when the next frame must come, and what it means if none does.
    fn limit(&mut self) -> (Instant, SessionError) {
        let heard = self.talk.heard;
        if !self.talk.worked() {
            let overdue = match self.talk.waits_for() {
                Some(call) => SessionError::Unanswered { call, patience: self.step },
                None => SessionError::NoJob(self.step),
            };
            return (heard + self.step, overdue);
        }
        let silent = (heard + SILENCE, SessionError::Silent(SILENCE));
        match self.talk.owed_since().map(|since| since + SILENCE) {
            Some(limit) if limit < silent.0 => {
                (limit, SessionError::Unanswered { call: "SubmitShares", patience: SILENCE })
            }
            _ => silent,
        }
    }

    /// Waits a little for the answers that are due, as the session is going to be left.
    pub(super) async fn leave(&mut self) {
        let answers = async {
            while self.talk.owed_since().is_some() {
                let frame = self.frames.next().await.map_err(of_frame)?;
                self.talk.hear(frame)?;
                self.act().await?;
            }
            Ok::<(), SessionError>(())
        };
        // What does not come, or ends the session now, is lost as it would be otherwise.
        let _ = timeout(LEAVE, answers).await;
        self.say_goodbye().await;
    }

    /// Closes the channels, if there are any, and the connection takes a word.
    pub(super) async fn say_goodbye(&mut self) {
        // Only a word on the way out. After a frame that was sent in part, there is none.
        let _ = self.talk.close();
        let _ = self.act().await;
    }

    /// The session ended. What waits for an answer will get none, and what waits to be sent is of a channel that is gone.
    pub(super) async fn give_up(&mut self, shares: &mut mpsc::UnboundedReceiver<Share>) {
        while let Some(effect) = self.talk.next_effect() {
            match effect {
                // A job that comes now is nobody's.
                Effect::Send(_) | Effect::Say(Event::Job { .. }) => {}
                Effect::Say(event) => self.outbox.say(event),
            }
        }
        let unsent = std::iter::from_fn(|| shares.try_recv().ok());
        let lost = self.talk.take_unanswered().into_iter().chain(unsent).collect();
        self.outbox.lose(lost);
        self.outbox.deliver().await;
    }

    /// Whether it ever gave a job.
    pub(super) fn worked(&self) -> bool {
        self.talk.worked()
    }
}

/// The end of a connection is the same in each protocol.
fn of_frame(error: FrameError) -> SessionError {
    match error {
        FrameError::Io(error) => error.into(),
        FrameError::Closed => SessionError::Closed,
        other => V2Error::Frame(other).into(),
    }
}
