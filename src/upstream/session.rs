//! A Stratum V1 pool as an upstream: one session after the other, until the handle is dropped.

use super::pauses::Pauses;
use super::{Credentials, Event, Handle, PoolUrl};
use crate::job::{Job, Share};
use midstate_stratum::codec::{LineError, LineReader};
use midstate_stratum::message::{
    ClientCall, Configure, ConfigureReply, Envelope, Id, MessageError, Notify, RpcError, ServerCall, Submit,
    SubscribeReply, result_line,
};
use midstate_stratum::{Difficulty, Target};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};
use thiserror::Error;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::time::{timeout, timeout_at};

/// How this program names itself to pools.
const AGENT: &str = concat!("midstate/", env!("CARGO_PKG_VERSION"));
/// The version bits that may be rolled without a meaning of their own (BIP 320).
const VERSION_MASK: u32 = 0x1fff_e000;
/// How long a pool may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A pool that says nothing for so long is gone: pools renotify within a minute.
const SILENCE: Duration = Duration::from_secs(150);
/// How far a header's time may be beyond its job's. Pools accept about 7,000 s; two hours is the network's own limit.
const NTIME_ROLL: u32 = 600;

/// Why a session ended, or could not begin.
#[derive(Debug, Error)]
pub enum SessionError {
    /// No connection.
    #[error("cannot connect to {url}: {source}")]
    Connect {
        /// Where to.
        url: PoolUrl,
        /// What the operating system said.
        source: io::Error,
    },
    /// The connection failed.
    #[error("connection to the pool failed: {0}")]
    Io(#[from] io::Error),
    /// The pool hung up.
    #[error("the pool closed the connection")]
    Closed,
    /// Nothing came for too long.
    #[error("the pool was silent for {} s", SILENCE.as_secs())]
    Silent,
    /// The pool refused `mining.subscribe`.
    #[error("the pool refused to subscribe: {0}")]
    Subscribe(RpcError),
    /// The pool's answer to `mining.subscribe` makes no sense.
    #[error("subscribe: {0}")]
    BadSubscribe(MessageError),
    /// The pool does not know the user, or the password is wrong.
    #[error("the pool refused user {user:?} with this password: {reason}")]
    Unauthorized {
        /// The user.
        user: String,
        /// What the pool said.
        reason: String,
    },
    /// The pool asked for another connection.
    #[error("the pool asked to reconnect")]
    Reconnect,
}

/// Starts a task that keeps a session with this pool, and says what happens to `events`.
pub fn spawn(url: PoolUrl, credentials: Credentials, events: mpsc::UnboundedSender<Event>) -> Handle {
    let (shares, from_miner) = mpsc::unbounded_channel();
    tokio::spawn(run(url, credentials, events, from_miner));
    Handle { shares }
}

async fn run(
    url: PoolUrl,
    credentials: Credentials,
    events: mpsc::UnboundedSender<Event>,
    mut shares: mpsc::UnboundedReceiver<Share>,
) {
    let mut pauses = Pauses::new();
    loop {
        let error = match connect(&url).await {
            Ok(stream) => {
                let mut session = Session::new(stream, &credentials, &events);
                let ended = session.run(&mut shares).await;
                if session.worked {
                    pauses.reset();
                }
                session.give_up(&mut shares);
                match ended {
                    Ok(()) => return,
                    Err(error) => error,
                }
            }
            Err(source) => SessionError::Connect { url: url.clone(), source },
        };
        let retry = pauses.next();
        if events.send(Event::Disconnected { error, retry }).is_err() {
            return;
        }
        let end = Instant::now() + retry;
        while let Ok(share) = timeout_at(end.into(), shares.recv()).await {
            // It was on its way when the session ended, or the miner is going away.
            let Some(share) = share else { return };
            let _ = events.send(Event::Lost(vec![share]));
        }
    }
}

async fn connect(url: &PoolUrl) -> io::Result<TcpStream> {
    let connecting = TcpStream::connect((url.host.as_str(), url.port));
    let stream = timeout(CONNECT_TIMEOUT, connecting).await.map_err(|_| io::ErrorKind::TimedOut)??;
    // A share must not wait for a packet to fill.
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A call that waits for its reply.
enum Pending {
    Configure,
    Subscribe,
    Authorize,
    Submit {
        share: Box<Share>,
        sent: Instant,
    },
    /// A call whose reply says nothing that matters.
    Other,
}

struct Session<'a> {
    reader: LineReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    credentials: &'a Credentials,
    events: &'a mpsc::UnboundedSender<Event>,
    pending: HashMap<u64, Pending>,
    next_id: u64,
    /// What `mining.subscribe` gave, or `mining.set_extranonce` before the last job.
    extranonce: Option<(Vec<u8>, usize)>,
    /// What `mining.set_extranonce` gave since: for the next job.
    next_extranonce: Option<(Vec<u8>, usize)>,
    version_mask: u32,
    /// For the next job.
    difficulty: Difficulty,
    /// The last job, for when the mask changes under it.
    last: Option<(Notify, Difficulty)>,
    authorized: bool,
    /// Whether this session ever gave a job.
    worked: bool,
}

impl<'a> Session<'a> {
    fn new(stream: TcpStream, credentials: &'a Credentials, events: &'a mpsc::UnboundedSender<Event>) -> Self {
        let (read, writer) = stream.into_split();
        Session {
            reader: LineReader::new(read),
            writer,
            credentials,
            events,
            pending: HashMap::new(),
            next_id: 1,
            extranonce: None,
            next_extranonce: None,
            version_mask: 0,
            difficulty: Difficulty::ONE,
            last: None,
            authorized: false,
            worked: false,
        }
    }

    /// Until the session ends; `Ok` when the miner dropped its handle.
    async fn run(&mut self, shares: &mut mpsc::UnboundedReceiver<Share>) -> Result<(), SessionError> {
        let extensions = ["version-rolling", "subscribe-extranonce"].map(str::to_owned).to_vec();
        let configure = Configure {
            extensions,
            version_rolling_mask: Some(VERSION_MASK),
            version_rolling_min_bit_count: Some(2),
            minimum_difficulty: None,
        };
        // Some servers know no configure and hang up on what they do not know, but none on the order of these.
        self.call(&ClientCall::Configure(configure), Pending::Configure).await?;
        let subscribe = ClientCall::Subscribe { agent: Some(AGENT.to_owned()), session: None };
        self.call(&subscribe, Pending::Subscribe).await?;
        loop {
            tokio::select! {
                line = timeout(SILENCE, self.reader.next_line()) => {
                    match line.map_err(|_| SessionError::Silent)? {
                        Ok(Some(line)) => self.on_line(&line).await?,
                        Ok(None) => return Err(SessionError::Closed),
                        Err(LineError::Io(error)) => return Err(error.into()),
                        Err(passed_over) => {
                            let error = MessageError::new("line", passed_over, "a line of JSON");
                            self.say(Event::Unreadable(error));
                        }
                    }
                }
                share = shares.recv() => match share {
                    Some(share) => self.submit(share).await?,
                    None => return Ok(()),
                },
            }
        }
    }

    /// The session ended: what waits for an answer, or to be sent, will get none.
    fn give_up(&mut self, shares: &mut mpsc::UnboundedReceiver<Share>) {
        let pending = std::mem::take(&mut self.pending);
        let mut lost: Vec<Share> = pending
            .into_values()
            .filter_map(|pending| match pending {
                Pending::Submit { share, .. } => Some(*share),
                _ => None,
            })
            .collect();
        while let Ok(share) = shares.try_recv() {
            lost.push(share);
        }
        if !lost.is_empty() {
            self.say(Event::Lost(lost));
        }
    }

    async fn on_line(&mut self, line: &str) -> Result<(), SessionError> {
        let read = match Envelope::parse(line) {
            Ok(Envelope::Reply { id, result }) => return self.on_reply(&id, result).await,
            Ok(Envelope::Call { id, method, params }) => ServerCall::read(&method, &params).map(|call| (id, call)),
            Err(error) => Err(error),
        };
        match read {
            Ok((id, call)) => self.on_call(&id, call).await,
            Err(error) => {
                self.say(Event::Unreadable(error));
                Ok(())
            }
        }
    }

    async fn on_call(&mut self, id: &Id, call: ServerCall) -> Result<(), SessionError> {
        match call {
            ServerCall::Notify(notify) => {
                if let Some(next) = self.next_extranonce.take() {
                    self.extranonce = Some(next);
                }
                self.last = Some((notify, self.difficulty));
                self.say_job(None);
            }
            ServerCall::SetDifficulty(difficulty) => self.difficulty = difficulty,
            ServerCall::SetExtranonce { extranonce1, extranonce2_size } => {
                self.next_extranonce = Some((extranonce1, extranonce2_size));
            }
            ServerCall::SetVersionMask(mask) => {
                self.version_mask = mask & VERSION_MASK;
                // At once: the job goes on under the new mask, and voids nothing.
                self.say_job(Some(false));
            }
            ServerCall::Reconnect { .. } => return Err(SessionError::Reconnect),
            ServerCall::ShowMessage(message) => self.say(Event::Message(message)),
            ServerCall::GetVersion => self.send(result_line(id, &json!(AGENT))).await?,
            ServerCall::Ping => self.send(result_line(id, &json!("pong"))).await?,
            ServerCall::Unknown(_) => {}
        }
        Ok(())
    }

    async fn on_reply(&mut self, id: &Id, result: Result<Value, RpcError>) -> Result<(), SessionError> {
        let Some(pending) = id.as_u64().and_then(|id| self.pending.remove(&id)) else {
            self.say(Event::Unreadable(MessageError::new("id", id, "the id of a call that waits for a reply")));
            return Ok(());
        };
        match pending {
            Pending::Configure => match result.map(|result| ConfigureReply::read(&result)) {
                // A pool's mask may be wider than what was asked for.
                Ok(Ok(reply)) => self.version_mask = reply.mask().unwrap_or(0) & VERSION_MASK,
                Ok(Err(error)) => self.say(Event::Unreadable(error)),
                // It does not know the method: there is nothing to roll.
                Err(_) => {}
            },
            Pending::Subscribe => {
                let result = result.map_err(SessionError::Subscribe)?;
                let reply = SubscribeReply::read(&result).map_err(SessionError::BadSubscribe)?;
                self.extranonce = Some((reply.extranonce1, reply.extranonce2_size));
                self.call(&ClientCall::ExtranonceSubscribe, Pending::Other).await?;
                let Credentials { user, password } = self.credentials.clone();
                self.call(&ClientCall::Authorize { user, password }, Pending::Authorize).await?;
            }
            Pending::Authorize => self.on_authorize(result)?,
            Pending::Submit { share, sent } => {
                let verdict = match result {
                    Ok(Value::Bool(true)) => Ok(()),
                    // As other miners read it: what is not a yes is a no.
                    Ok(other) => Err(RpcError { code: 20, message: format!("it answered {other}") }),
                    Err(error) => Err(error),
                };
                self.say(Event::Answered { share, verdict, round_trip: sent.elapsed() });
            }
            Pending::Other => {}
        }
        Ok(())
    }

    fn on_authorize(&mut self, result: Result<Value, RpcError>) -> Result<(), SessionError> {
        let reason = match result {
            Ok(Value::Bool(true)) => None,
            Ok(other) => Some(format!("it answered {other}")),
            Err(error) => Some(error.to_string()),
        };
        if let Some(reason) = reason {
            return Err(SessionError::Unauthorized { user: self.credentials.user.clone(), reason });
        }
        self.authorized = true;
        if let Some((extranonce1, extranonce2_size)) = self.extranonce.clone() {
            self.say(Event::Connected { extranonce1, extranonce2_size, version_mask: self.version_mask });
        }
        // Some pools send the first job before they answer.
        self.say_job(None);
        Ok(())
    }

    /// Says the last job, once it can be worked on; `clean` overrides what the pool said of older jobs.
    fn say_job(&mut self, clean: Option<bool>) {
        let (Some((notify, difficulty)), Some((extranonce1, extranonce2_size)), true) =
            (&self.last, &self.extranonce, self.authorized)
        else {
            return;
        };
        let job = Job {
            id: notify.job_id.clone(),
            previous_block_hash: notify.previous_block_hash,
            coinbase1: notify.coinbase1.clone(),
            extranonce1: extranonce1.clone(),
            extranonce2_size: *extranonce2_size,
            coinbase2: notify.coinbase2.clone(),
            merkle_branches: notify.merkle_branches.clone(),
            version: notify.version,
            version_mask: self.version_mask,
            nbits: notify.nbits,
            ntime: notify.ntime,
            ntime_roll: NTIME_ROLL,
            target: Target::from(*difficulty),
        };
        let clean = clean.unwrap_or(notify.clean_jobs);
        self.say(Event::Job { job: Arc::new(job), difficulty: *difficulty, clean });
        self.worked = true;
    }

    async fn submit(&mut self, share: Share) -> Result<(), SessionError> {
        if !self.worked {
            // It was on its way when the session of its job ended. This one's pool does not know the job.
            self.say(Event::Lost(vec![share]));
            return Ok(());
        }
        let submit = Submit {
            user: self.credentials.user.clone(),
            job_id: share.origin.job.id.clone(),
            extranonce2: share.origin.extranonce2.clone(),
            ntime: share.header.ntime(),
            nonce: share.header.nonce(),
            version_bits: share.origin.version_bits(&share.header),
        };
        let pending = Pending::Submit { share: Box::new(share), sent: Instant::now() };
        self.call(&ClientCall::Submit(submit), pending).await
    }

    async fn call(&mut self, call: &ClientCall, pending: Pending) -> Result<(), SessionError> {
        let id = self.next_id;
        self.next_id += 1;
        // Noted first: if the sending fails half-way, the share is lost and not forgotten.
        self.pending.insert(id, pending);
        self.send(call.to_line(&json!(id))).await
    }

    async fn send(&mut self, mut line: String) -> Result<(), SessionError> {
        line.push('\n');
        Ok(self.writer.write_all(line.as_bytes()).await?)
    }

    /// Nobody listens only when the miner is going away, which the next share or line shows.
    fn say(&self, event: Event) {
        let _ = self.events.send(event);
    }
}
