//! The connection to an upstream: as its miner, for as long as the proxy runs.

use super::{Asked, Shares, Upstream, UpstreamConfig, UpstreamEvent, UpstreamJob, UpstreamUrl, UpstreamVerdict};
use crate::pool::space::Space;
use crate::pool::{PoolEvent, PoolJob, Refusal, Shared};
use midstate_stratum::codec::{LineError, LineReader};
use midstate_stratum::message::{
    ClientCall, Configure, ConfigureReply, Envelope, Id, MessageError, Notify, Reject, RpcError, ServerCall, Submit,
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
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, sleep_until, timeout};

const AGENT: &str = concat!("pool-sim-proxy/", env!("CARGO_PKG_VERSION"));
/// Ids of the first calls; shares have those that follow.
const CONFIGURE: u64 = 1;
const SUBSCRIBE: u64 = 2;
const AUTHORIZE: u64 = 3;
const EXTRANONCE: u64 = 4;

/// The version bits that are asked for (BIP 320).
const VERSION_MASK: u32 = 0x1fff_e000;
/// An upstream takes a connection, and a miner, within this.
const READY_WITHIN: Duration = Duration::from_secs(20);
/// An upstream that takes no line within this is gone.
const WRITE_WITHIN: Duration = Duration::from_secs(10);
/// An upstream that says nothing for so long is gone: pools send a job every minute at least.
const SILENT_AFTER: Duration = Duration::from_secs(120);
/// Miners leave a pool that is silent for 60 to 90 s: without a new job they get the last one again.
const REPEAT_AFTER: Duration = Duration::from_secs(30);
/// So many unreadable lines, and the connection is ended: what speaks there is no pool.
const PATIENCE: u32 = 100;
/// How many shares wait for the upstream's word at most.
const WAITING: usize = 10_000;
/// The first pause before another attempt; each is twice the last, until an upstream takes the proxy.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// Why a connection ended, or did not begin.
#[derive(Debug, Error)]
enum End {
    #[error("cannot connect: {0}")]
    Connect(io::Error),
    #[error("connection failed: {0}")]
    Io(#[from] io::Error),
    #[error("the upstream closed the connection")]
    Closed,
    #[error("the upstream did not take the proxy as its miner within {} s", READY_WITHIN.as_secs())]
    NotReady,
    #[error("the upstream took no line for {} s", WRITE_WITHIN.as_secs())]
    Stalled,
    #[error("the upstream said nothing for {} s", SILENT_AFTER.as_secs())]
    Silent,
    #[error("{call} was refused: {error}")]
    Refused { call: &'static str, error: RpcError },
    #[error(transparent)]
    Message(#[from] MessageError),
    #[error("too many unreadable lines")]
    Garbage,
    #[error("the upstream asks to reconnect to {url}")]
    Reconnect { url: UpstreamUrl, wait: Duration },
}

/// What outlives a connection.
struct Known {
    url: UpstreamUrl,
    /// What the upstream gave at the last subscription, with the extranonce1 that it gave since.
    subscribed: Option<SubscribeReply>,
    /// The block that the last job builds on.
    previous_block_hash: Option<[u8; 32]>,
    jobs: u64,
    pause: Duration,
}

/// Stays connected for ever.
pub(in crate::pool) async fn run(
    shared: Arc<Shared>,
    config: UpstreamConfig,
    jobs: watch::Sender<Arc<PoolJob>>,
    mut shares: Shares,
) {
    let Some(upstream) = shared.source.upstream() else { return };
    tokio::select! {
        () = stay(&shared, upstream, &config, &jobs, &mut shares.0) => {}
        () = repeat(&jobs) => {}
    }
}

async fn stay(
    shared: &Shared,
    upstream: &Upstream,
    config: &UpstreamConfig,
    jobs: &watch::Sender<Arc<PoolJob>>,
    shares: &mut mpsc::Receiver<Asked>,
) {
    let mut known =
        Known { url: config.url.clone(), subscribed: None, previous_block_hash: None, jobs: 0, pause: FIRST_PAUSE };
    loop {
        let end = match connect(&known.url).await {
            Ok(stream) => {
                let mut connection = Connection::new(shared, upstream, config, jobs, &mut known, stream);
                let end = connection.run(shares).await;
                connection.leave();
                end
            }
            Err(error) => End::Connect(error),
        };
        upstream.state().away_since.get_or_insert_with(Instant::now);
        let reason = end.to_string();
        let pause = if let End::Reconnect { url, wait } = end {
            known.url = url;
            // One that sends it away again and again is not to be hurried after.
            wait.max(FIRST_PAUSE)
        } else {
            // Where it was sent to may be gone: the address that the proxy was given holds.
            known.url = config.url.clone();
            let pause = known.pause;
            known.pause = (pause * 2).min(LONGEST_PAUSE);
            // All proxies of an upstream must not come back in one instant.
            pause.mul_f64(1.0 - fastrand::f64() / 4.0)
        };
        shared.say(PoolEvent::Upstream(UpstreamEvent::Lost { reason, retry: pause }));
        sleep(pause).await;
    }
}

async fn connect(url: &UpstreamUrl) -> io::Result<TcpStream> {
    let connecting = timeout(READY_WITHIN, TcpStream::connect((url.host.as_str(), url.port)));
    let stream = connecting.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
    // A share must not wait for a packet to fill.
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Has the last job sent again where none comes.
async fn repeat(jobs: &watch::Sender<Arc<PoolJob>>) {
    let mut last = jobs.subscribe();
    loop {
        match timeout(REPEAT_AFTER, last.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return,
            Err(_) => {
                if last.borrow().upstream().is_some() {
                    jobs.send_modify(|_| ());
                    last.mark_unchanged();
                }
            }
        }
    }
}

struct Connection<'a> {
    shared: &'a Shared,
    upstream: &'a Upstream,
    config: &'a UpstreamConfig,
    jobs: &'a watch::Sender<Arc<PoolJob>>,
    known: &'a mut Known,
    reader: LineReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    next_id: u64,
    is_authorized: bool,
    /// Whether it goes on with the session that there was before.
    is_resumed: bool,
    /// Whether it takes part in version rolling.
    rolls: bool,
    /// For the next job.
    space: Option<Space>,
    difficulty: Difficulty,
    /// A job that came before the user was authorized.
    early: Option<Notify>,
    waiting: HashMap<u64, (Asked, Instant)>,
    unreadable: u32,
}

impl<'a> Connection<'a> {
    fn new(
        shared: &'a Shared,
        upstream: &'a Upstream,
        config: &'a UpstreamConfig,
        jobs: &'a watch::Sender<Arc<PoolJob>>,
        known: &'a mut Known,
        stream: TcpStream,
    ) -> Connection<'a> {
        let (read, writer) = stream.into_split();
        Connection {
            shared,
            upstream,
            config,
            jobs,
            known,
            reader: LineReader::new(read),
            writer,
            next_id: EXTRANONCE + 1,
            is_authorized: false,
            is_resumed: false,
            rolls: false,
            space: None,
            difficulty: Difficulty::ONE,
            early: None,
            waiting: HashMap::new(),
            unreadable: 0,
        }
    }

    fn say(&self, event: UpstreamEvent) {
        self.shared.say(PoolEvent::Upstream(event));
    }

    async fn run(&mut self, shares: &mut mpsc::Receiver<Asked>) -> End {
        let configure = Configure {
            extensions: vec!["version-rolling".to_owned()],
            version_rolling_mask: Some(VERSION_MASK),
            // No miner of the proxy's need roll any.
            version_rolling_min_bit_count: Some(0),
            minimum_difficulty: None,
        };
        let session = self.known.subscribed.as_ref().and_then(|subscribed| subscribed.session.clone());
        let subscribe = ClientCall::Subscribe { agent: Some(AGENT.to_owned()), session };
        let lines = [ClientCall::Configure(configure).to_line(&json!(CONFIGURE)), subscribe.to_line(&json!(SUBSCRIBE))];
        if let Err(end) = self.send(lines.join("\n")).await {
            return end;
        }
        let deadline = Instant::now() + READY_WITHIN;
        let mut heard = Instant::now();
        loop {
            let done = tokio::select! {
                line = self.reader.next_line() => {
                    heard = Instant::now();
                    self.on_read(line).await
                }
                Some(asked) = shares.recv(), if self.is_authorized && self.waiting.len() < WAITING => {
                    self.hand_on(asked).await
                }
                () = sleep_until(deadline.into()), if !self.is_authorized => Err(End::NotReady),
                () = sleep_until((heard + SILENT_AFTER).into()) => Err(End::Silent),
            };
            if let Err(end) = done {
                return end;
            }
        }
    }

    /// Those who wait will have no word.
    fn leave(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        self.upstream.lock_counts().lost += waiting.len() as u64;
        for (asked, since) in waiting.into_values() {
            self.say(word(&asked, UpstreamVerdict::Lost, since));
        }
    }

    async fn on_read(&mut self, line: Result<Option<String>, LineError>) -> Result<(), End> {
        let line = match line {
            Ok(Some(line)) => line,
            Ok(None) => return Err(End::Closed),
            Err(LineError::Io(error)) => return Err(error.into()),
            Err(passed_over) => return self.unreadable(&MessageError::new("line", passed_over, "a line of JSON")),
        };
        match Envelope::parse(&line) {
            Ok(Envelope::Reply { id, result }) => self.on_reply(&id, result).await,
            Ok(Envelope::Call { id, method, params }) => match ServerCall::read(&method, &params) {
                Ok(call) => self.on_call(&id, call).await,
                Err(error) => self.unreadable(&error),
            },
            Err(error) => self.unreadable(&error),
        }
    }

    fn unreadable(&mut self, error: &MessageError) -> Result<(), End> {
        self.unreadable += 1;
        self.say(UpstreamEvent::Unreadable(error.to_string()));
        if self.unreadable >= PATIENCE { Err(End::Garbage) } else { Ok(()) }
    }

    async fn on_reply(&mut self, id: &Id, result: Result<Value, RpcError>) -> Result<(), End> {
        // Some pools make texts of numbers.
        match id.as_u64().or_else(|| id.as_str()?.parse().ok()) {
            Some(CONFIGURE) => {
                // One that does not know the call rolls no version.
                let mask =
                    result.ok().map(|result| ConfigureReply::read(&result)).transpose()?.and_then(|reply| reply.mask());
                self.rolls = mask.is_some();
                self.upstream.state().mask = mask.unwrap_or(0) & VERSION_MASK;
                Ok(())
            }
            Some(SUBSCRIBE) => {
                let result = result.map_err(|error| End::Refused { call: "mining.subscribe", error })?;
                self.subscribed(SubscribeReply::read(&result)?).await
            }
            Some(AUTHORIZE) => {
                let refused = |error| End::Refused { call: "mining.authorize", error };
                if result.map_err(refused)? != Value::Bool(true) {
                    return Err(refused(Reject::Unauthorized.into()));
                }
                self.authorized()
            }
            Some(id) => {
                if let Some((asked, since)) = self.waiting.remove(&id) {
                    self.answered(asked, since, result);
                }
                Ok(())
            }
            None => Ok(()),
        }
    }

    async fn subscribed(&mut self, reply: SubscribeReply) -> Result<(), End> {
        self.space = Some(Space::of_upstream(reply.extranonce1.clone(), reply.extranonce2_size)?);
        // Some pools give all their sessions one name.
        let is_resumed = reply.session.is_some() && self.known.subscribed.as_ref() == Some(&reply);
        if !is_resumed {
            self.known.previous_block_hash = None;
            let mut state = self.upstream.state();
            state.session += 1;
            state.void_since = Instant::now();
        }
        self.is_resumed = is_resumed;
        self.known.subscribed = Some(reply);
        let UpstreamConfig { user, password, .. } = self.config;
        let authorize = ClientCall::Authorize { user: user.clone(), password: password.clone() };
        let lines = [authorize.to_line(&json!(AUTHORIZE)), ClientCall::ExtranonceSubscribe.to_line(&json!(EXTRANONCE))];
        self.send(lines.join("\n")).await
    }

    fn authorized(&mut self) -> Result<(), End> {
        self.is_authorized = true;
        self.known.pause = FIRST_PAUSE;
        self.upstream.state().away_since = None;
        self.upstream.lock_counts().connections += 1;
        if let Some(SubscribeReply { extranonce1, extranonce2_size, .. }) = self.known.subscribed.clone() {
            let (url, resumed, mask) = (self.known.url.to_string(), self.is_resumed, self.upstream.state().mask);
            self.say(UpstreamEvent::Connected { url, resumed, extranonce1, extranonce2_size, mask });
        }
        match self.early.take() {
            Some(notify) => self.on_job(&notify),
            None => Ok(()),
        }
    }

    fn answered(&mut self, asked: Asked, since: Instant, result: Result<Value, RpcError>) {
        let result = match result {
            Ok(Value::Bool(true)) => Ok(()),
            Ok(_) => Err(RpcError::from(Reject::Other)),
            Err(error) => Err(error),
        };
        let mut counts = self.upstream.lock_counts();
        match &result {
            Ok(()) => counts.accepted += 1,
            Err(error) => *counts.refused.entry(error.code).or_default() += 1,
        }
        drop(counts);
        let verdict = result.clone().map_or_else(UpstreamVerdict::Refused, |()| UpstreamVerdict::Accepted);
        self.say(word(&asked, verdict, since));
        let refusal = |RpcError { code, message }| Refusal::Upstream { code, message };
        // Its session may have waited for long enough.
        let _ = asked.answer.send(result.map_err(refusal));
    }

    async fn on_call(&mut self, id: &Id, call: ServerCall) -> Result<(), End> {
        match call {
            ServerCall::Notify(notify) if self.is_authorized => self.on_job(&notify),
            ServerCall::Notify(notify) => {
                self.early = Some(notify);
                Ok(())
            }
            ServerCall::SetDifficulty(difficulty) => {
                self.difficulty = difficulty;
                self.say(UpstreamEvent::Difficulty(difficulty));
                Ok(())
            }
            ServerCall::SetExtranonce { extranonce1, extranonce2_size } => {
                self.space = Some(Space::of_upstream(extranonce1.clone(), extranonce2_size)?);
                // A session that is resumed with the one before does not know what was sent under this.
                if let Some(subscribed) = &mut self.known.subscribed {
                    (subscribed.extranonce1, subscribed.extranonce2_size) = (extranonce1.clone(), extranonce2_size);
                }
                self.say(UpstreamEvent::Extranonce { extranonce1, extranonce2_size });
                Ok(())
            }
            ServerCall::SetVersionMask(mask) => {
                if self.rolls {
                    self.set_mask(mask & VERSION_MASK);
                }
                Ok(())
            }
            ServerCall::Reconnect { host, port, wait } => {
                if let Some(url) = self.known.url.redirected(host.as_deref(), port) {
                    // Longer than an hour, and it is as good as gone.
                    return Err(End::Reconnect { url, wait: Duration::from_secs(wait.min(3600)) });
                }
                let expected = "the upstream's own host, or another of the same parent domain";
                self.unreadable(&MessageError::new("client.reconnect", host.unwrap_or_default(), expected))
            }
            ServerCall::ShowMessage(message) => {
                self.say(UpstreamEvent::Message(message));
                Ok(())
            }
            ServerCall::GetVersion => self.send(result_line(id, &json!(AGENT))).await,
            ServerCall::Ping => self.send(result_line(id, &json!("pong"))).await,
            ServerCall::Unknown(_) => Ok(()),
        }
    }

    /// A mask holds at once: so sessions get the last job again.
    fn set_mask(&self, mask: u32) {
        self.upstream.state().mask = mask;
        self.say(UpstreamEvent::VersionMask(mask));
        let job = Arc::clone(&self.jobs.borrow());
        if job.upstream().is_some() {
            let mut job = PoolJob::clone(&job);
            job.mask = mask;
            self.jobs.send_replace(Arc::new(job));
        }
    }

    fn on_job(&mut self, notify: &Notify) -> Result<(), End> {
        let Some(space) = self.space.clone() else {
            return self.unreadable(&MessageError::new(
                "mining.notify",
                &notify.job_id,
                "the reply to mining.subscribe before",
            ));
        };
        if Target::from_compact(notify.nbits).is_err() {
            let nbits = format!("{:08x}", notify.nbits);
            return self.unreadable(&MessageError::new("nbits", nbits, "a compact target of up to 256 bits"));
        }
        let voids = notify.clean_jobs || self.known.previous_block_hash != Some(notify.previous_block_hash);
        self.known.previous_block_hash = Some(notify.previous_block_hash);
        self.known.jobs += 1;
        let (session, mask) = {
            let mut state = self.upstream.state();
            if voids {
                // From now on those before are late.
                (state.void_below, state.void_since) = (self.known.jobs, Instant::now());
            }
            (state.session, state.mask)
        };
        let of = UpstreamJob {
            id: notify.job_id.clone(),
            number: self.known.jobs,
            session,
            difficulty: self.difficulty,
            time: notify.ntime,
            came: Instant::now(),
        };
        let make = |number| PoolJob::of_upstream(number, notify, voids, space, mask, of);
        let (job, forgotten) = self.shared.book.add(voids, make);
        for id in &forgotten {
            self.shared.seen.forget(id);
        }
        self.upstream.lock_counts().jobs += 1;
        let (id, upstream_id, difficulty) = (job.id.clone(), notify.job_id.clone(), self.difficulty);
        self.say(UpstreamEvent::Job { id, upstream_id, difficulty });
        self.shared.say(PoolEvent::Job { id: job.id.clone(), height: job.height, clean: voids });
        self.jobs.send_replace(job);
        Ok(())
    }

    async fn hand_on(&mut self, asked: Asked) -> Result<(), End> {
        // Its session did not wait any longer, and was told so.
        if asked.answer.is_closed() {
            return Ok(());
        }
        let (session, since) = {
            let state = self.upstream.state();
            (state.session, state.void_since.elapsed())
        };
        if asked.handing.session != session {
            let job = asked.handing.job;
            let _ = asked.answer.send(Err(Refusal::Void { job, since }));
            return Ok(());
        }
        let submit = Submit { user: self.config.user.clone(), ..asked.handing.submit.clone() };
        let id = self.next_id;
        self.next_id += 1;
        self.waiting.insert(id, (asked, Instant::now()));
        self.upstream.lock_counts().handed_on += 1;
        self.send(ClientCall::Submit(submit).to_line(&json!(id))).await
    }

    async fn send(&mut self, mut line: String) -> Result<(), End> {
        line.push('\n');
        timeout(WRITE_WITHIN, self.writer.write_all(line.as_bytes())).await.map_err(|_| End::Stalled)??;
        Ok(())
    }
}

fn word(asked: &Asked, verdict: UpstreamVerdict, since: Instant) -> UpstreamEvent {
    let upstream_id = asked.handing.submit.job_id.clone();
    UpstreamEvent::Share { number: asked.number, upstream_id, verdict, after: since.elapsed() }
}
