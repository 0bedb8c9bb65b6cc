//! One miner's connection.

use super::book::Terms;
use super::difficulty::SessionDifficulty;
use super::end::{AUTHORIZE_WITHIN, End};
use super::judge::{Due, Submitter};
use super::limits::{MAX_LINE, Throttle};
use super::obey::Oddities;
use super::sessions::{Claim, Last, Sent};
use super::space::Space;
use super::wire::Wire;
use super::{EXTRANONCE1_SIZE, PoolEvent, PoolJob, Port, Refusal, ShareRecord, Shared, v2};
use crate::faults::{Gate, Kind, Line};
use midstate_stratum::Difficulty;
use midstate_stratum::codec::{LineError, LineReader};
use midstate_stratum::message::{
    ClientCall, Configure, ConfigureReply, Envelope, Id, MessageError, Reject, RpcError, ServerCall, Submit,
    SubscribeReply, error_line, result_line,
};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::sync::{mpsc, watch};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};

/// So many unreadable lines, and the connection is ended: what speaks there is no miner.
const PATIENCE: u32 = 100;
/// How long a user's name may be, in bytes.
const MAX_USER: usize = 256;
/// How many users one connection may authorize.
const MAX_USERS: usize = 1000;

/// Speaks with a miner until one of the two goes away.
pub(super) async fn serve(shared: Arc<Shared>, number: u64, port: usize, stream: TcpStream, peer: SocketAddr) {
    shared.say(PoolEvent::Joined { session: number, peer, port });
    let port = &shared.ports[port];
    let (read, writer) = stream.into_split();
    // A job must not wait for a packet to fill.
    let end = match (writer.as_ref().set_nodelay(true), &port.authority) {
        (Ok(()), Some(authority)) => v2::run(&shared, number, (port, authority), read, writer).await,
        (Ok(()), None) => {
            let gate = shared.faults.as_ref().map(|faults| faults.join(number));
            Session::new(&shared, number, port, read, Wire::new(writer, gate)).run().await
        }
        (Err(error), _) => End::Io(error),
    };
    if let (Some(faults), None) = (&shared.faults, &port.authority) {
        faults.left(number);
    }
    shared.say(PoolEvent::Left { session: number, reason: end.to_string() });
}

pub(super) struct Session<'a> {
    pub(super) shared: &'a Arc<Shared>,
    connection: u64,
    port: &'a Port,
    reader: LineReader<OwnedReadHalf>,
    pub(super) wire: Wire<'a>,
    pub(super) jobs: watch::Receiver<Arc<PoolJob>>,
    /// The id of the last job for all that went to the miner.
    latest: Option<String>,
    pub(super) claim: Option<Claim<'a>>,
    users: HashSet<String>,
    /// The version bits that this miner may roll.
    pub(super) mask: u32,
    /// Those that it asked to roll, if it may roll any.
    pub(super) mask_asked: Option<u32>,
    /// Those that the last job allowed.
    mask_offered: u32,
    /// What the miner knows of the gap in the coinbase.
    pub(super) space: Option<Space>,
    /// Whether it asked to hear of another extranonce1.
    hears_extranonce: bool,
    /// For the next job.
    difficulty: SessionDifficulty<'a>,
    /// What the miner was told last.
    told: Option<Difficulty>,
    /// Whether the share that is being answered changed the difficulty.
    is_retargeted: bool,
    unreadable: u32,
    throttle: Throttle,
    /// The share that is being answered.
    answering: Option<u64>,
    /// Shares that were handed on, and what came of them. A channel makes room for 32 at once: in boxes, that is little.
    handed: (mpsc::UnboundedSender<Box<Handed>>, mpsc::UnboundedReceiver<Box<Handed>>),
    pub(super) odd: Oddities,
}

/// A share that was handed on, with the final verdict.
struct Handed {
    id: Id,
    submit: Submit,
    /// The session's number that its job was sent under.
    sent: Option<[u8; EXTRANONCE1_SIZE]>,
    /// When it came.
    came: std::time::Instant,
    record: ShareRecord,
}

impl<'a> Session<'a> {
    fn new(shared: &'a Arc<Shared>, number: u64, port: &'a Port, read: OwnedReadHalf, wire: Wire<'a>) -> Session<'a> {
        let mut difficulty = SessionDifficulty::new(port);
        // A miner may ask for one before its first job.
        difficulty.set_ceiling(shared.jobs.borrow().ceiling(), Duration::ZERO);
        Session {
            shared,
            connection: number,
            port,
            reader: LineReader::with_limit(read, MAX_LINE),
            wire,
            jobs: shared.jobs.clone(),
            latest: None,
            claim: None,
            users: HashSet::new(),
            mask: 0,
            mask_asked: None,
            mask_offered: 0,
            space: None,
            hears_extranonce: false,
            difficulty,
            told: None,
            is_retargeted: false,
            unreadable: 0,
            throttle: Throttle::new(shared.limits.lines, std::time::Instant::now()),
            answering: None,
            handed: mpsc::unbounded_channel(),
            odd: Oddities::default(),
        }
    }

    async fn run(mut self) -> End {
        let deadline = Instant::now() + AUTHORIZE_WITHIN;
        loop {
            let review = self.difficulty.next_review().map(|review| self.shared.started + review);
            let ready = self.throttle.ready_at();
            let is_ready = ready <= std::time::Instant::now();
            let done = tokio::select! {
                line = self.reader.next_line(), if is_ready => {
                    self.throttle.spend(std::time::Instant::now());
                    let done = match line {
                        Ok(Some(line)) => self.on_line(&line).await,
                        Ok(None) => return End::Closed,
                        Err(LineError::Io(error)) => return error.into(),
                        Err(passed_over) => {
                            let error = MessageError::new("line", passed_over, "a line of JSON");
                            self.refuse(&Id::Null, error).await
                        }
                    };
                    // One that sends many lines at once waits after each until the others had their turn.
                    yield_now().await;
                    done
                }
                changed = self.jobs.changed(), if self.claim.is_some() && !self.users.is_empty() => match changed {
                    Ok(()) => self.send_changed().await,
                    Err(_) => return End::Stopped,
                },
                Some(handed) = self.handed.1.recv() => self.on_handed(handed).await,
                () = sleep_until(review.unwrap_or(self.shared.started).into()), if review.is_some() => {
                    if self.difficulty.review(self.now()) { self.send_changed().await } else { Ok(()) }
                }
                () = sleep_until(ready.into()), if !is_ready => Ok(()),
                incident = self.wire.incident() => self.on_incident(incident).await,
                () = taken(self.claim.as_ref()) => return End::Taken,
                () = sleep_until(deadline), if self.users.is_empty() => return End::NotAuthorized,
            };
            if let Err(end) = done {
                return end;
            }
        }
    }

    pub(super) fn is_mining(&self) -> bool {
        self.claim.is_some() && !self.users.is_empty()
    }

    /// Since the pool started.
    fn now(&self) -> Duration {
        self.shared.started.elapsed()
    }

    async fn on_line(&mut self, line: &str) -> Result<(), End> {
        if let Some(claim) = &self.claim {
            claim.heard();
        }
        let (id, call) = match Envelope::parse(line) {
            Ok(Envelope::Call { id, method, params }) => (id, ClientCall::read(&method, &params)),
            // The answer to a call of ours: none of them needs one, but for a scenario's.
            Ok(Envelope::Reply { id, .. }) => {
                if let Some(gate) = &self.wire.gate {
                    gate.faults().answered(self.connection, &id);
                }
                return Ok(());
            }
            Err(error) => return self.refuse(&Id::Null, error).await,
        };
        let call = match call {
            Ok(call) => call,
            Err(error) => return self.refuse(&id, error).await,
        };
        let was_mining = self.is_mining();
        let kind = reply_to(&call);
        let answer = self.on_call(&id, call).await;
        let line = self.answering.take().map_or(Line::Reply(kind), Line::Answer);
        match &answer {
            Some(Ok(result)) => self.wire.send(line, result_line(&id, result)).await?,
            Some(Err(error)) => self.wire.send(line, error_line(&id, error)).await?,
            None => {}
        }
        if self.is_mining() && !was_mining {
            return self.send_first().await;
        }
        if std::mem::take(&mut self.is_retargeted) { self.send_changed().await } else { Ok(()) }
    }

    /// Says what was wrong with a line, and goes on.
    async fn refuse(&mut self, id: &Id, error: MessageError) -> Result<(), End> {
        self.unreadable += 1;
        self.throttle.fine();
        self.shared.say(PoolEvent::Unreadable { session: self.connection, error: error.to_string() });
        if let Some(gate) = &self.wire.gate {
            gate.faults().unreadable(self.connection, &error.to_string());
        }
        let line = error_line(id, &Reject::Other.because(error));
        self.wire.send(Line::Reply(Kind::Reply), line).await?;
        if self.unreadable >= PATIENCE { Err(End::Garbage) } else { Ok(()) }
    }

    /// The answer to a call, if it wants one.
    async fn on_call(&mut self, id: &Id, call: ClientCall) -> Option<Result<Value, RpcError>> {
        Some(match call {
            ClientCall::Configure(configure) => Ok(self.configure(&configure).to_value()),
            ClientCall::Subscribe { session, .. } => self.subscribe(session.as_deref()).map(|reply| reply.to_value()),
            ClientCall::Authorize { user, password } => self.authorize(user, &password),
            ClientCall::Submit(submit) => return self.submit(id, submit).await,
            ClientCall::ExtranonceSubscribe => {
                self.note_extranonce();
                Ok(json!(true))
            }
            ClientCall::SuggestDifficulty(difficulty) => {
                self.difficulty.suggest(difficulty);
                return None;
            }
            ClientCall::SuggestTarget(target) => {
                // A target of zero has no difficulty; it is no suggestion.
                if let Ok(difficulty) = Difficulty::new(target.difficulty()) {
                    self.difficulty.suggest(difficulty);
                }
                return None;
            }
            ClientCall::GetTransactions { .. } => Ok(json!([])),
            ClientCall::Ping => Ok(json!("pong")),
            ClientCall::Unknown(method) => Err(Reject::Other.because(format!("no method is called {method:?}"))),
        })
    }

    /// BIP 310.
    fn configure(&mut self, asked: &Configure) -> ConfigureReply {
        let mut reply = ConfigureReply::default();
        for name in &asked.extensions {
            let on = match name.as_str() {
                "version-rolling" => {
                    self.mask_offered = self.jobs.borrow().mask;
                    let mask = asked.version_rolling_mask.unwrap_or(u32::MAX);
                    self.mask = self.mask_offered & mask;
                    let enough = u64::from(self.mask.count_ones()) >= asked.version_rolling_min_bit_count.unwrap_or(0);
                    self.mask_asked = enough.then_some(mask);
                    if !enough {
                        self.mask = 0;
                    }
                    reply.version_rolling_mask = enough.then_some(self.mask);
                    Ok(enough)
                }
                "minimum-difficulty" => self.difficulty.set_minimum(asked.minimum_difficulty, self.now()),
                "subscribe-extranonce" => {
                    self.note_extranonce();
                    Ok(true)
                }
                "info" => Ok(true),
                _ => Ok(false),
            };
            reply.extensions.push((name.clone(), on));
        }
        reply
    }

    fn subscribe(&mut self, resumed: Option<&str>) -> Result<SubscribeReply, RpcError> {
        let space = self.space.clone().unwrap_or_else(|| self.jobs.borrow().space.clone());
        if self.claim.is_none() {
            let full = || Reject::Other.because(format!("extranonce1: all {} are taken; try later", space.places()));
            let claim = self.shared.take(resumed, &space).ok_or_else(full)?;
            if let Some(sent) = claim.before().and_then(|last| last.sent) {
                self.difficulty.resume(sent.difficulty);
            }
            let (session, resumed) = (self.connection, claim.is_resumed());
            let extranonce1 = space.extranonce1(claim.extranonce1());
            self.shared.say(PoolEvent::Subscribed { session, extranonce1, resumed });
            self.claim = Some(claim);
            self.space = Some(space.clone());
        }
        Ok(SubscribeReply {
            session: self.claim.as_ref().map(|claim| claim.id().to_owned()),
            extranonce1: space.extranonce1(self.number()),
            extranonce2_size: space.extranonce2_size,
        })
    }

    /// The session's number, where it has one.
    pub(super) fn number(&self) -> [u8; EXTRANONCE1_SIZE] {
        self.claim.as_ref().map(Claim::extranonce1).unwrap_or_default()
    }

    fn authorize(&mut self, user: String, password: &str) -> Result<Value, RpcError> {
        // A password may be a list: what the pool asks for, and options.
        let parts = || password.split([',', ';']).map(str::trim);
        if let Some(expected) = &self.port.password
            && !parts().any(|part| part == expected)
        {
            return Err(Reject::Unauthorized.because(format!("user {user:?}: wrong password")));
        }
        let suggested = parts().find_map(|part| part.strip_prefix("d=")?.parse().ok());
        if let Some(difficulty) = suggested.and_then(|value| Difficulty::new(value).ok()) {
            self.difficulty.ask_by_password(difficulty);
        }
        if user.len() > MAX_USER {
            return Err(Reject::Other.because(format!("user: {} bytes; expected at most {MAX_USER}", user.len())));
        }
        if self.users.len() >= MAX_USERS {
            return Err(Reject::Other.because(format!("a connection may have {MAX_USERS} users")));
        }
        self.users.insert(user);
        Ok(json!(true))
    }

    /// The answer to a share, if it has one already.
    async fn submit(&mut self, id: &Id, submit: Submit) -> Option<Result<Value, RpcError>> {
        // Before anything befalls it.
        let came = std::time::Instant::now();
        // A job holds under the number that it was sent with.
        let sent = self.odd.extranonce1(&submit.job_id).or(self.claim.as_ref().map(Claim::extranonce1));
        let from = Submitter {
            session: self.connection,
            number: sent,
            extranonce1: self.space.as_ref().zip(sent).map(|(space, sent)| space.extranonce1(sent)),
            is_authorized: self.users.contains(&submit.user),
            mask: self.mask,
            version: None,
        };
        let (mut record, due) = self.shared.judge(from, submit.clone());
        if record.verdict.as_ref().is_err_and(Refusal::is_nonsense) {
            self.throttle.fine();
        }
        if let Some(difficulty) = record.work() {
            self.is_retargeted = self.difficulty.share(difficulty, self.now());
        }
        match due {
            Due::Keep(entered) => {
                self.answering = Some(record.number);
                self.shared.keep(&mut record, entered).await;
                self.note_share(&submit, sent, &record, came);
                let answer = answer(&record);
                self.shared.say(PoolEvent::Share(Box::new(record)));
                Some(answer)
            }
            Due::HandOn(handing, family) => {
                let (shared, id, handed) = (Arc::clone(self.shared), id.clone(), self.handed.0.clone());
                // It goes on its way even if its miner leaves, and nobody waits for it.
                tokio::spawn(async move {
                    shared.hand_on(&mut record, handing, &family).await;
                    shared.say(PoolEvent::Share(Box::new(record.clone())));
                    // The miner may have left.
                    let _ = handed.send(Box::new(Handed { id, submit, sent, came, record }));
                });
                None
            }
        }
    }

    /// The upstream's word on a share has come.
    async fn on_handed(&mut self, handed: Box<Handed>) -> Result<(), End> {
        let Handed { id, submit, sent, came, record } = *handed;
        self.note_share(&submit, sent, &record, came);
        let line = match answer(&record) {
            Ok(result) => result_line(&id, &result),
            Err(error) => error_line(&id, &error),
        };
        self.wire.send(Line::Answer(record.number), line).await
    }

    async fn send_first(&mut self) -> Result<(), End> {
        let job = Arc::clone(&self.jobs.borrow_and_update());
        self.difficulty.set_ceiling(job.ceiling(), self.now());
        self.difficulty.begin(self.now());
        self.latest = Some(job.id.clone());
        match self.claim.as_ref().and_then(Claim::before) {
            // Its older jobs are good as long as their tip is. It may have this one already, and be at its end: so another.
            Some(Last { heard, sent: Some(sent) }) => {
                // What was sent to a connection that was dead never came: the miner knows no tip that is newer than its last word.
                let clean =
                    sent.previous_block_hash != job.previous_block_hash || self.shared.source.since() < heard.elapsed();
                self.send_job(&self.again(&job), clean).await
            }
            // Whatever a miner has from before, this is another session.
            _ => self.send_job(&job, true).await,
        }
    }

    /// Sends a job, be it for its own sake or to begin with another difficulty: the next one if there is one already, else the last
    /// one once more under another id, as its shares are still judged as they were.
    pub(super) async fn send_changed(&mut self) -> Result<(), End> {
        let job = Arc::clone(&self.jobs.borrow_and_update());
        if self.latest.as_ref() == Some(&job.id) {
            return self.send_job(&self.again(&job), false).await;
        }
        self.latest = Some(job.id.clone());
        self.send_job(&job, job.clean).await
    }

    /// A job once more under another id, for this session.
    pub(super) fn again(&self, job: &PoolJob) -> Arc<PoolJob> {
        self.shared.book.again(job, self.number())
    }

    pub(super) async fn send_job(&mut self, job: &PoolJob, clean: bool) -> Result<(), End> {
        self.difficulty.set_ceiling(job.ceiling(), self.now());
        self.follow(job).await?;
        let odd = self.odd_job(job);
        let job = odd.as_deref().unwrap_or(job);
        let difficulty = self.odd.difficulty(self.difficulty.current());
        if self.told != Some(difficulty) {
            self.told = Some(difficulty);
            self.shared.say(PoolEvent::Difficulty { session: self.connection, difficulty });
            let line = ServerCall::SetDifficulty(difficulty).to_line(&Id::Null);
            self.wire.send(Line::Difficulty(difficulty.get()), line).await?;
        }
        let mut notify = job.notify();
        notify.clean_jobs = clean;
        if let Some(claim) = &self.claim {
            claim.keep(Sent { difficulty, previous_block_hash: job.previous_block_hash });
            self.shared.book.send(&job.id, claim.extranonce1(), Terms { difficulty, mask: self.mask });
        }
        let line = Line::Notify { job: job.id.clone(), clean };
        self.wire.send(line, ServerCall::Notify(notify).to_line(&Id::Null)).await
    }

    /// Tells the miner what a job changes of what it knows: an upstream's may have another extranonce1, and another mask.
    async fn follow(&mut self, job: &PoolJob) -> Result<(), End> {
        if self.space.as_ref() != Some(&job.space) {
            // A miner that does not hear of it would search in vain.
            if !self.hears_extranonce || !job.space.holds(self.number()) {
                return Err(End::Extranonce);
            }
            let (extranonce1, extranonce2_size) = (job.space.extranonce1(self.number()), job.space.extranonce2_size);
            self.space = Some(job.space.clone());
            let call = ServerCall::SetExtranonce { extranonce1, extranonce2_size };
            self.wire.send(Line::Call, call.to_line(&Id::Null)).await?;
        }
        if self.mask_offered != job.mask {
            self.mask_offered = job.mask;
            if let Some(mask) = self.mask_asked.map(|asked| asked & job.mask).filter(|mask| *mask != self.mask) {
                self.mask = mask;
                self.wire.send(Line::Call, ServerCall::SetVersionMask(mask).to_line(&Id::Null)).await?;
            }
        }
        Ok(())
    }

    /// The miner wants to hear of another extranonce1.
    fn note_extranonce(&mut self) {
        self.hears_extranonce = true;
        if let Some(faults) = self.wire.gate.as_ref().map(Gate::faults) {
            faults.asks_extranonce(self.connection);
        }
    }
}

/// Ends when another connection has the session.
async fn taken(claim: Option<&Claim<'_>>) {
    match claim {
        Some(claim) => claim.taken().await,
        None => std::future::pending().await,
    }
}

/// The answer to a share.
fn answer(record: &ShareRecord) -> Result<Value, RpcError> {
    record.verdict.as_ref().map(|()| json!(true)).map_err(RpcError::from)
}

/// What the reply to a call is.
fn reply_to(call: &ClientCall) -> Kind {
    match call {
        ClientCall::Configure(_) => Kind::Configure,
        ClientCall::Subscribe { .. } => Kind::Subscribe,
        ClientCall::Authorize { .. } => Kind::Authorize,
        ClientCall::ExtranonceSubscribe => Kind::ExtranonceSubscribe,
        _ => Kind::Reply,
    }
}
