//! One miner's connection.

use super::extranonces::Extranonce1;
use super::{EXTRANONCE2_SIZE, PoolEvent, PoolJob, Shared};
use crate::chain::Accepted;
use bitcoin::Block;
use bitcoin::hashes::Hash;
use midstate_stratum::codec::{LineError, LineReader};
use midstate_stratum::message::{
    ClientCall, Configure, ConfigureReply, Envelope, Id, MessageError, Reject, RpcError, ServerCall, Submit,
    SubscribeReply, error_line, result_line,
};
use midstate_stratum::{Difficulty, Target};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

/// A connection that authorizes nobody is ended after this.
const AUTHORIZE_WITHIN: Duration = Duration::from_secs(60);
/// A miner that does not take a line within this is ended.
const WRITE_WITHIN: Duration = Duration::from_secs(10);
/// So many unreadable lines, and the connection is ended: what speaks there is no miner.
const PATIENCE: u32 = 100;
/// How far a share's time may be beyond its job's.
const NTIME_AHEAD: u32 = 7000;
/// How long a user's name may be, in bytes.
const MAX_USER: usize = 256;
/// How many users one connection may authorize.
const MAX_USERS: usize = 1000;

/// Why a connection ended.
#[derive(Debug, Error)]
enum End {
    #[error("the miner closed the connection")]
    Closed,
    #[error("connection failed: {0}")]
    Io(#[from] io::Error),
    #[error("nobody authorized within {} s", AUTHORIZE_WITHIN.as_secs())]
    NotAuthorized,
    #[error("the miner took no line for {} s", WRITE_WITHIN.as_secs())]
    Stalled,
    #[error("too many unreadable lines")]
    Garbage,
    #[error("the pool stopped")]
    Stopped,
}

/// Speaks with a miner until one of the two goes away.
pub(super) async fn serve(shared: Arc<Shared>, number: u64, stream: TcpStream, peer: SocketAddr) {
    shared.say(PoolEvent::Joined { session: number, peer });
    let (read, writer) = stream.into_split();
    // A job must not wait for a packet to fill.
    let end = match writer.as_ref().set_nodelay(true) {
        Ok(()) => Session::new(&shared, number, read, writer).run().await,
        Err(error) => End::Io(error),
    };
    shared.say(PoolEvent::Left { session: number, reason: end.to_string() });
}

struct Session<'a> {
    shared: &'a Shared,
    number: u64,
    reader: LineReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    jobs: watch::Receiver<Arc<PoolJob>>,
    extranonce1: Option<Extranonce1<'a>>,
    users: HashSet<String>,
    /// The version bits that this miner may roll.
    mask: u32,
    /// For the next job.
    difficulty: Difficulty,
    minimum: Option<Difficulty>,
    /// What the miner was told last.
    told: Option<Difficulty>,
    unreadable: u32,
}

impl<'a> Session<'a> {
    fn new(shared: &'a Shared, number: u64, read: OwnedReadHalf, writer: OwnedWriteHalf) -> Session<'a> {
        Session {
            shared,
            number,
            reader: LineReader::new(read),
            writer,
            jobs: shared.jobs.clone(),
            extranonce1: None,
            users: HashSet::new(),
            mask: 0,
            difficulty: shared.config.start_difficulty,
            minimum: None,
            told: None,
            unreadable: 0,
        }
    }

    async fn run(mut self) -> End {
        let deadline = Instant::now() + AUTHORIZE_WITHIN;
        loop {
            let done = tokio::select! {
                line = self.reader.next_line() => match line {
                    Ok(Some(line)) => self.on_line(&line).await,
                    Ok(None) => return End::Closed,
                    Err(LineError::Io(error)) => return error.into(),
                    Err(passed_over) => {
                        let error = MessageError::new("line", passed_over, "a line of JSON");
                        self.refuse(&Id::Null, error).await
                    }
                },
                changed = self.jobs.changed(), if self.extranonce1.is_some() && !self.users.is_empty() => match changed {
                    Ok(()) => {
                        let job = Arc::clone(&self.jobs.borrow_and_update());
                        self.send_job(&job, job.clean).await
                    }
                    Err(_) => return End::Stopped,
                },
                () = sleep_until(deadline), if self.users.is_empty() => return End::NotAuthorized,
            };
            if let Err(end) = done {
                return end;
            }
        }
    }

    fn is_mining(&self) -> bool {
        self.extranonce1.is_some() && !self.users.is_empty()
    }

    async fn on_line(&mut self, line: &str) -> Result<(), End> {
        let (id, call) = match Envelope::parse(line) {
            Ok(Envelope::Call { id, method, params }) => (id, ClientCall::read(&method, &params)),
            // The answer to a call of ours: none of them needs one.
            Ok(Envelope::Reply { .. }) => return Ok(()),
            Err(error) => return self.refuse(&Id::Null, error).await,
        };
        let call = match call {
            Ok(call) => call,
            Err(error) => return self.refuse(&id, error).await,
        };
        let was_mining = self.is_mining();
        let answer = self.on_call(call);
        match &answer {
            Some(Ok(result)) => self.send(result_line(&id, result)).await?,
            Some(Err(error)) => self.send(error_line(&id, error)).await?,
            None => {}
        }
        if self.is_mining() && !was_mining {
            let job = Arc::clone(&self.jobs.borrow_and_update());
            // Whatever a miner has from before, this is another session.
            self.send_job(&job, true).await?;
        }
        Ok(())
    }

    /// Says what was wrong with a line, and goes on.
    async fn refuse(&mut self, id: &Id, error: MessageError) -> Result<(), End> {
        self.unreadable += 1;
        self.shared.say(PoolEvent::Unreadable { session: self.number, error: error.to_string() });
        self.send(error_line(id, &Reject::Other.because(error))).await?;
        if self.unreadable >= PATIENCE { Err(End::Garbage) } else { Ok(()) }
    }

    /// The answer to a call, if it wants one.
    fn on_call(&mut self, call: ClientCall) -> Option<Result<Value, RpcError>> {
        Some(match call {
            ClientCall::Configure(configure) => Ok(self.configure(&configure).to_value()),
            ClientCall::Subscribe { session, .. } => Ok(self.subscribe(session.as_deref()).to_value()),
            ClientCall::Authorize { user, password } => self.authorize(user, &password),
            ClientCall::Submit(submit) => {
                let verdict = self.judge(&submit);
                let Submit { user, job_id: job, .. } = submit;
                self.shared.say(PoolEvent::Share { session: self.number, user, job, verdict: verdict.clone() });
                verdict.map(|()| json!(true))
            }
            ClientCall::ExtranonceSubscribe => Ok(json!(true)),
            ClientCall::SuggestDifficulty(difficulty) => {
                self.set_difficulty(difficulty);
                return None;
            }
            ClientCall::SuggestTarget(target) => {
                // A target of zero has no difficulty; it is no suggestion.
                if let Ok(difficulty) = Difficulty::new(target.difficulty()) {
                    self.set_difficulty(difficulty);
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
                    self.mask = self.shared.config.version_mask & asked.version_rolling_mask.unwrap_or(u32::MAX);
                    let enough = u64::from(self.mask.count_ones()) >= asked.version_rolling_min_bit_count.unwrap_or(0);
                    if !enough {
                        self.mask = 0;
                    }
                    reply.version_rolling_mask = enough.then_some(self.mask);
                    enough
                }
                "minimum-difficulty" => {
                    self.minimum = asked.minimum_difficulty;
                    self.set_difficulty(self.difficulty);
                    self.minimum.is_some()
                }
                "subscribe-extranonce" | "info" => true,
                _ => false,
            };
            reply.extensions.push((name.clone(), Ok(on)));
        }
        reply
    }

    fn subscribe(&mut self, resumed: Option<&str>) -> SubscribeReply {
        let extranonce1 = self.extranonce1.get_or_insert_with(|| self.shared.extranonces.take(resumed));
        SubscribeReply {
            session: Some(extranonce1.session()),
            extranonce1: extranonce1.bytes().to_vec(),
            extranonce2_size: EXTRANONCE2_SIZE,
        }
    }

    fn authorize(&mut self, user: String, password: &str) -> Result<Value, RpcError> {
        // A password may be a list: what the pool asks for, and options.
        let parts = || password.split([',', ';']).map(str::trim);
        if let Some(expected) = &self.shared.config.password
            && !parts().any(|part| part == expected)
        {
            return Err(Reject::Unauthorized.because(format!("user {user:?}: wrong password")));
        }
        let suggested = parts().find_map(|part| part.strip_prefix("d=")?.parse().ok());
        if let Some(difficulty) = suggested.and_then(|value| Difficulty::new(value).ok()) {
            self.set_difficulty(difficulty);
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

    fn set_difficulty(&mut self, difficulty: Difficulty) {
        self.difficulty = match self.minimum {
            Some(minimum) if minimum > difficulty => minimum,
            _ => difficulty,
        };
    }

    /// Judges a share: each refusal with the numbers behind it. A share that is a block reaches the node first, whatever
    /// the pool would refuse it for; if the node takes it, so does the pool.
    fn judge(&self, submit: &Submit) -> Result<(), RpcError> {
        let extranonce1 = self.extranonce1.as_ref().ok_or(Reject::NotSubscribed)?.bytes();
        if !self.users.contains(&submit.user) {
            return Err(Reject::Unauthorized.because(format!("user {:?}", submit.user)));
        }
        let unknown = || Reject::JobNotFound.because(format!("job {:?}", submit.job_id));
        let (job, difficulty) = self.shared.book.job(&submit.job_id, extranonce1).ok_or_else(unknown)?;
        if submit.extranonce2.len() != EXTRANONCE2_SIZE {
            let found = submit.extranonce2.len();
            return Err(Reject::Other.because(format!("extranonce2: {found} bytes; expected {EXTRANONCE2_SIZE}")));
        }

        let broken = |_| Reject::Other.because("the pool cannot build this block");
        // Bits beyond the mask are refused below. Here they count: they are in the header that the miner hashed.
        let rolled = self.mask | submit.version_bits.unwrap_or(0);
        let block = job.block(submit, &extranonce1, rolled).map_err(broken)?;
        let hash = block.block_hash();
        let meets_share = Target::from(difficulty).is_met_by(hash.as_byte_array());
        let is_block = block.header.target().is_met_by(hash);
        // The tip itself, not the last job: a job that builds on another block is stale from that moment on.
        let stale = self.shared.node.tip().borrow().hash != job.previous_block_hash;
        // What is neither share nor block is not remembered: rubbish would fill the memory.
        let is_new = !(meets_share || is_block) || self.shared.book.is_new(&job.id, hash);
        if is_block && is_new && self.submit_block(&block, job.height) {
            return Ok(());
        }
        self.check_rolled(submit, &job)?;
        if !is_new {
            return Err(Reject::Duplicate.because(hash));
        }
        if stale {
            return Err(Reject::JobNotFound.because(format!("stale, height {} has a block", job.height)));
        }
        if meets_share {
            return Ok(());
        }
        let reached = Target::from_le_bytes(hash.to_byte_array()).difficulty();
        Err(Reject::LowDifficulty.because(format!("reached {reached}, expected {difficulty}")))
    }

    /// Whether the time and the version were rolled within what the pool allows.
    fn check_rolled(&self, submit: &Submit, job: &PoolJob) -> Result<(), RpcError> {
        let latest = job.time.saturating_add(NTIME_AHEAD);
        if !(job.time..=latest).contains(&submit.ntime) {
            let (ntime, earliest) = (submit.ntime, job.time);
            return Err(Reject::Other.because(format!("ntime: {ntime:08x}; expected {earliest:08x} to {latest:08x}")));
        }
        match submit.version_bits {
            Some(bits) if bits & !self.mask != 0 => {
                Err(Reject::Other.because(format!("version_bits: {bits:08x}; expected bits of {:08x}", self.mask)))
            }
            _ => Ok(()),
        }
    }

    /// Gives a block to the node, and says whether the node took it.
    fn submit_block(&self, block: &Block, height: u32) -> bool {
        let refused = match self.shared.node.submit_block(block) {
            Ok(Accepted::Tip) => None,
            Ok(Accepted::SideChain) => Some("inconclusive".to_owned()),
            Ok(Accepted::Duplicate) => Some("duplicate".to_owned()),
            Err(error) => Some(error.to_string()),
        };
        let taken = refused.is_none();
        self.shared.say(PoolEvent::Block { hash: block.block_hash(), height, refused });
        taken
    }

    async fn send_job(&mut self, job: &PoolJob, clean: bool) -> Result<(), End> {
        if self.told != Some(self.difficulty) {
            self.told = Some(self.difficulty);
            self.send(ServerCall::SetDifficulty(self.difficulty).to_line(&Id::Null)).await?;
        }
        let mut notify = job.notify();
        notify.clean_jobs = clean;
        if let Some(extranonce1) = &self.extranonce1 {
            self.shared.book.send(&job.id, extranonce1.bytes(), self.difficulty);
        }
        self.send(ServerCall::Notify(notify).to_line(&Id::Null)).await
    }

    async fn send(&mut self, mut line: String) -> Result<(), End> {
        line.push('\n');
        timeout(WRITE_WITHIN, self.writer.write_all(line.as_bytes())).await.map_err(|_| End::Stalled)??;
        Ok(())
    }
}
