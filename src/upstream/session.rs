//! A session with a Stratum V1 pool, from its first message to its end.

use super::connection::Connection;
use super::{Credentials, Event, Pool, PoolUrl, VERSION_MASK};
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
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// How this program names itself to pools.
const AGENT: &str = concat!("midstate/", env!("CARGO_PKG_VERSION"));
/// A pool that says nothing for so long is gone: pools renotify within a minute.
const SILENCE: Duration = Duration::from_secs(90);
/// So many rejections without an acceptance between them are no bad luck.
const STORM: u32 = 30;
/// How long answers are waited for in a session that is being left.
const LEAVE: Duration = Duration::from_secs(3);
/// The longest that a pool may tell a miner to wait before it reconnects.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
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
    /// The pool rejected many shares, and accepted none between them.
    #[error("the pool rejected {0} shares one after the other")]
    Rejections(u32),
    /// A pool or node that comes before this one is well again.
    #[error("{to} is well again")]
    Better {
        /// Which.
        to: String,
    },
    /// The node, where there is no pool.
    #[cfg(feature = "solo")]
    #[error(transparent)]
    Node(super::NodeError),
    /// The pool asked for another connection.
    #[error("the pool asked to reconnect to {to}")]
    Reconnect {
        /// Where to: the same host, or one of the same parent domain.
        to: PoolUrl,
        /// How long to wait first.
        wait: Duration,
    },
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

pub(super) struct Session<'a> {
    reader: LineReader<Box<dyn AsyncRead + Send + Unpin>>,
    writer: Box<dyn AsyncWrite + Send + Unpin>,
    pool: &'a Pool,
    /// Where it is connected to: the pool's own address, or where the pool sent it.
    url: &'a PoolUrl,
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
    /// Rejections since the last acceptance.
    rejections: u32,
    /// Whether this session ever gave a job.
    pub(super) worked: bool,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        connection: Connection,
        pool: &'a Pool,
        url: &'a PoolUrl,
        events: &'a mpsc::UnboundedSender<Event>,
    ) -> Self {
        let Connection { reader, writer } = connection;
        Session {
            reader: LineReader::new(reader),
            writer,
            pool,
            url,
            events,
            pending: HashMap::new(),
            next_id: 1,
            extranonce: None,
            next_extranonce: None,
            version_mask: 0,
            difficulty: Difficulty::ONE,
            last: None,
            authorized: false,
            rejections: 0,
            worked: false,
        }
    }

    /// Until the session ends; `Ok` when the miner dropped its handle.
    pub(super) async fn run(&mut self, shares: &mut mpsc::UnboundedReceiver<Share>) -> Result<(), SessionError> {
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
                    self.on_read(line.map_err(|_| SessionError::Silent)?).await?;
                }
                share = shares.recv() => match share {
                    Some(share) => self.submit(share).await?,
                    None => return Ok(()),
                },
            }
        }
    }

    /// Waits a little for the answers that are due, as the session is going to be left.
    pub(super) async fn leave(&mut self) {
        let answers = async {
            while self.pending.values().any(|pending| matches!(pending, Pending::Submit { .. })) {
                let line = self.reader.next_line().await;
                self.on_read(line).await?;
            }
            Ok::<(), SessionError>(())
        };
        // What does not come, or ends the session now, is lost as it would be otherwise.
        let _ = timeout(LEAVE, answers).await;
    }

    async fn on_read(&mut self, line: Result<Option<String>, LineError>) -> Result<(), SessionError> {
        match line {
            Ok(Some(line)) => self.on_line(&line).await,
            Ok(None) => Err(SessionError::Closed),
            Err(LineError::Io(error)) => Err(error.into()),
            Err(passed_over) => {
                self.say(Event::Unreadable(MessageError::new("line", passed_over, "a line of JSON")));
                Ok(())
            }
        }
    }

    /// The session ended: what waits for an answer, or to be sent, will get none.
    pub(super) fn give_up(&mut self, shares: &mut mpsc::UnboundedReceiver<Share>) {
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
            ServerCall::Reconnect { host, port, wait } => {
                let wait = Duration::from_secs(wait).min(LONGEST_WAIT);
                match self.url.redirected(host.as_deref(), port) {
                    Some(to) => return Err(SessionError::Reconnect { to, wait }),
                    None => self.say(Event::Unreadable(MessageError::new(
                        "client.reconnect",
                        host.unwrap_or_default(),
                        "the pool's own host, or another of the same parent domain",
                    ))),
                }
            }
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
                let Credentials { user, password } = self.pool.credentials.clone();
                self.call(&ClientCall::Authorize { user, password }, Pending::Authorize).await?;
            }
            Pending::Authorize => {
                self.on_authorize(result)?;
                if let Some(difficulty) = self.pool.suggest_difficulty {
                    self.call(&ClientCall::SuggestDifficulty(difficulty), Pending::Other).await?;
                }
            }
            Pending::Submit { share, sent } => {
                let verdict = match result {
                    Ok(Value::Bool(true)) => Ok(()),
                    // As other miners read it: what is not a yes is a no.
                    Ok(other) => Err(RpcError { code: 20, message: format!("it answered {other}") }),
                    Err(error) => Err(error),
                };
                self.rejections = if verdict.is_ok() { 0 } else { self.rejections + 1 };
                self.say(Event::Answered { share, verdict, round_trip: sent.elapsed() });
                if self.rejections >= STORM {
                    return Err(SessionError::Rejections(self.rejections));
                }
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
            return Err(SessionError::Unauthorized { user: self.pool.credentials.user.clone(), reason });
        }
        self.authorized = true;
        if let Some((extranonce1, extranonce2_size)) = self.extranonce.clone() {
            let (url, version_mask) = (self.url.to_string(), self.version_mask);
            self.say(Event::Connected { url, extranonce1, extranonce2_size, version_mask });
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
            user: self.pool.credentials.user.clone(),
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
        self.writer.write_all(line.as_bytes()).await?;
        // TLS may keep a part back until it is told that this is all.
        Ok(self.writer.flush().await?)
    }

    /// Nobody listens only when the miner is going away, which the next share or line shows.
    fn say(&self, event: Event) {
        let _ = self.events.send(event);
    }
}
