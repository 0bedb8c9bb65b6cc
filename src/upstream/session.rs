//! A session with a Stratum V1 pool, from its first message to its end.

use super::connection::{Connection, within};
use super::error::SessionError;
use super::kept::Kept;
use super::outbox::Outbox;
use super::pauses;
#[cfg(feature = "payout")]
use super::payout::Inspection;
use super::{Credentials, Event, Pool, PoolUrl, STEP, STORM, VERSION_MASK, next_number};
use crate::job::{Job, Root, Share, SplitCoinbase};
use midstate_stratum::codec::{LineError, LineReader};
use midstate_stratum::message::{
    ClientCall, Configure, ConfigureReply, Envelope, Id, MessageError, Notify, RpcError, ServerCall, Submit,
    SubscribeReply, result_line,
};
use midstate_stratum::{Difficulty, Target};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

/// How this program names itself to pools.
const AGENT: &str = concat!("midstate/", env!("CARGO_PKG_VERSION"));
/// A pool that says nothing for so long is gone: pools renotify within a minute. Nor does one take shares that answers none for so
/// long.
const SILENCE: Duration = Duration::from_secs(90);
/// So many shares may wait for an answer. Then the oldest is given up.
const MOST_UNANSWERED: usize = 10_000;
/// The extension of that name (BIP 310).
const MINIMUM_DIFFICULTY: &str = "minimum-difficulty";
/// How long answers are waited for in a session that is being left.
pub(super) const LEAVE: Duration = Duration::from_secs(3);
/// The longest that a pool may tell a miner to wait before it reconnects. To come too early costs less than to stay away.
const LONGEST_WAIT: Duration = pauses::LONGEST;
/// How far a header's time may be beyond its job's. Pools accept about 7,000 s; two hours is the network's own limit.
const NTIME_ROLL: u32 = 600;

/// A call that waits for its reply.
enum Pending {
    Configure,
    Subscribe,
    Authorize,
    Submit {
        share: Box<Share>,
        sent: Instant,
        /// Whether it is of a job of this connection: what a pool makes of older ones is no sign of its health.
        own: bool,
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
    outbox: Outbox,
    /// By id, so that the oldest comes first.
    pending: BTreeMap<u64, Pending>,
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
    /// Lines that made no sense since the last that did.
    nonsense: u32,
    /// When the last step to the first job was done; after it, when the pool was last heard.
    heard: Instant,
    /// When the pool last answered a share.
    answered: Instant,
    /// How long each step to the first job may take.
    step: Duration,
    /// What jobs are held to, once it is set.
    #[cfg(feature = "payout")]
    payout: Option<Inspection<'a>>,
    /// Jobs carry it.
    pub(super) number: u64,
    /// What the pool calls this session.
    name: Option<String>,
    /// An earlier session that this may go on with, until that is clear and the shares that wait for it are sent.
    pub(super) kept: Option<Kept>,
    /// Whether it goes on with an earlier session.
    resumed: bool,
    /// Whether this session ever gave a job.
    pub(super) worked: bool,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        connection: Connection,
        pool: &'a Pool,
        url: &'a PoolUrl,
        step: Duration,
        outbox: Outbox,
    ) -> Self {
        let Connection { reader, writer } = connection;
        Session {
            reader: LineReader::new(reader),
            writer,
            pool,
            url,
            outbox,
            pending: BTreeMap::new(),
            next_id: 1,
            extranonce: None,
            next_extranonce: None,
            version_mask: 0,
            difficulty: Difficulty::ONE,
            last: None,
            authorized: false,
            rejections: 0,
            nonsense: 0,
            heard: Instant::now(),
            answered: Instant::now(),
            step,
            #[cfg(feature = "payout")]
            payout: None,
            number: next_number(),
            name: None,
            kept: None,
            resumed: false,
            worked: false,
        }
    }

    /// Holds the pool's jobs to something.
    #[cfg(feature = "payout")]
    pub(super) fn held_to(self, payout: Inspection<'a>) -> Self {
        Session { payout: Some(payout), ..self }
    }

    /// Until the session ends; `Ok` when the miner dropped its handle.
    pub(super) async fn run(&mut self, shares: &mut mpsc::UnboundedReceiver<Share>) -> Result<(), SessionError> {
        let minimum = self.pool.minimum_difficulty;
        let extensions = ["version-rolling", "subscribe-extranonce"].into_iter();
        let extensions = extensions.chain(minimum.map(|_| MINIMUM_DIFFICULTY)).map(str::to_owned).collect();
        let configure = Configure {
            extensions,
            version_rolling_mask: Some(VERSION_MASK),
            version_rolling_min_bit_count: Some(2),
            minimum_difficulty: minimum,
        };
        // Some servers know no configure and hang up on what they do not know, but none on the order of these.
        self.call(&ClientCall::Configure(configure), Pending::Configure).await?;
        self.subscribe().await?;
        loop {
            self.outbox.deliver().await;
            let (limit, overdue) = self.limit();
            tokio::select! {
                line = timeout_at(limit, self.reader.next_line()) => match line {
                    Ok(line) => self.on_read(line).await?,
                    Err(_) => return Err(overdue),
                },
                share = shares.recv() => match share {
                    Some(share) => self.submit(share).await?,
                    None => return Ok(()),
                },
            }
        }
    }

    async fn subscribe(&mut self) -> Result<(), SessionError> {
        let session = self.kept.as_ref().and_then(Kept::asked_for).map(str::to_owned);
        let subscribe = ClientCall::Subscribe { agent: Some(AGENT.to_owned()), session };
        self.call(&subscribe, Pending::Subscribe).await
    }

    /// Until when the next line must come, and what it means if none does.
    fn limit(&self) -> (Instant, SessionError) {
        let unanswered = |call, patience| SessionError::Unanswered { call, patience };
        let waits = |call: fn(&Pending) -> bool| self.pending.values().any(call);
        if !self.worked {
            let overdue = if waits(|call| matches!(call, Pending::Subscribe)) {
                unanswered("mining.subscribe", self.step)
            } else if waits(|call| matches!(call, Pending::Authorize)) {
                unanswered("mining.authorize", self.step)
            } else {
                SessionError::NoJob(self.step)
            };
            return (self.heard + self.step, overdue);
        }
        let silence = (self.heard + SILENCE, SessionError::Silent(SILENCE));
        let oldest = self.pending.values().find_map(|pending| match pending {
            Pending::Submit { sent, .. } => Some(*sent),
            _ => None,
        });
        match oldest.map(|sent| sent.max(self.answered) + SILENCE) {
            Some(limit) if limit < silence.0 => (limit, unanswered("mining.submit", SILENCE)),
            _ => silence,
        }
    }

    /// Waits a little for the answers that are due, as the session is going to be left.
    pub(super) async fn leave(&mut self) {
        let answers = async {
            while self.pending.values().any(|pending| matches!(pending, Pending::Submit { .. })) {
                let line = self.reader.next_line().await;
                self.on_read(line).await?;
                self.outbox.deliver().await;
            }
            Ok::<(), SessionError>(())
        };
        // What does not come, or ends the session now, is lost as it would be otherwise.
        let _ = timeout(LEAVE, answers).await;
    }

    async fn on_read(&mut self, line: Result<Option<String>, LineError>) -> Result<(), SessionError> {
        match line {
            Ok(Some(line)) => {
                self.trace(false, &line);
                self.on_line(&line).await
            }
            Ok(None) => Err(SessionError::Closed),
            // A TLS connection that was closed without a word in TLS.
            Err(LineError::Io(error)) if error.kind() == io::ErrorKind::UnexpectedEof => Err(SessionError::Closed),
            Err(LineError::Io(error)) => Err(error.into()),
            Err(passed_over) => self.pass_over(MessageError::new("line", passed_over, "a line of JSON")),
        }
    }

    /// The session ended, for this reason, if the miner did not want it to. What waits for an answer will get none; what waits to be
    /// sent may be in the session that follows, if the pool may know this one again.
    pub(super) async fn give_up(
        &mut self,
        shares: &mut mpsc::UnboundedReceiver<Share>,
        error: Option<&SessionError>,
    ) -> Option<Kept> {
        let pending = std::mem::take(&mut self.pending);
        let unanswered = pending.values().any(|pending| matches!(pending, Pending::Subscribe));
        let mut lost: Vec<Share> = pending
            .into_values()
            .filter_map(|pending| match pending {
                Pending::Submit { share, .. } => Some(*share),
                _ => None,
            })
            .collect();
        let mut earlier = self.kept.take();
        if let Some(kept) = earlier.as_mut().filter(|_| unanswered) {
            kept.unanswered();
        }
        let mut unsent = earlier.as_mut().map(|kept| std::mem::take(&mut kept.held)).unwrap_or_default();
        while let Ok(share) = shares.try_recv() {
            unsent.push_back(share);
        }
        let resumable = error.is_some_and(SessionError::leaves_the_session);
        let own = (self.worked || self.resumed).then(|| self.name.take().zip(self.extranonce.take())).flatten();
        let kept = match own {
            Some((name, extranonce)) => Some(Kept::new(self.number, name, extranonce)),
            None => earlier,
        };
        let mut kept = kept.filter(|_| resumable);
        for share in unsent {
            match &mut kept {
                Some(kept) if kept.owns(&share) => kept.held.push_back(share),
                _ => lost.push(share),
            }
        }
        self.outbox.lose(lost);
        self.outbox.deliver().await;
        kept
    }

    async fn on_line(&mut self, line: &str) -> Result<(), SessionError> {
        let read = match Envelope::parse(line) {
            Ok(Envelope::Reply { id, result }) => match self.take_pending(&id) {
                Some(pending) => return self.on_reply(pending, result).await,
                None => Err(MessageError::new("id", id, "the id of a call that waits for a reply")),
            },
            Ok(Envelope::Call { id, method, params }) => ServerCall::read(&method, &params).map(|call| (id, call)),
            Err(error) => Err(error),
        };
        match read {
            Ok((id, call)) => self.on_call(&id, call).await,
            Err(error) => self.pass_over(error),
        }
    }

    /// The call that a reply belongs to. Some servers make a string of each id.
    fn take_pending(&mut self, id: &Id) -> Option<Pending> {
        let id = id.as_u64().or_else(|| id.as_str()?.parse().ok())?;
        self.pending.remove(&id)
    }

    /// Says what made no sense, and goes on, as long as something makes sense now and then.
    fn pass_over(&mut self, error: MessageError) -> Result<(), SessionError> {
        self.say(Event::Unreadable(error));
        self.nonsense += 1;
        if self.nonsense < STORM { Ok(()) } else { Err(SessionError::Nonsense(self.nonsense)) }
    }

    /// A line made sense. On the way to the first job, only a step counts.
    fn made_sense(&mut self, step: bool) {
        self.nonsense = 0;
        if self.worked || step {
            self.heard = Instant::now();
        }
    }

    async fn on_call(&mut self, id: &Id, call: ServerCall) -> Result<(), SessionError> {
        self.made_sense(false);
        match call {
            ServerCall::Notify(notify) => {
                if let Some(next) = self.next_extranonce.take() {
                    self.extranonce = Some(next);
                }
                self.last = Some((notify, self.difficulty));
                self.say_job(None)?;
            }
            ServerCall::SetDifficulty(difficulty) => self.difficulty = difficulty,
            ServerCall::SetExtranonce { extranonce1, extranonce2_size } => {
                self.next_extranonce = Some((extranonce1, extranonce2_size));
            }
            ServerCall::SetVersionMask(mask) => {
                self.version_mask = mask & VERSION_MASK;
                // At once: the job goes on under the new mask, and voids nothing.
                self.say_job(Some(false))?;
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

    async fn on_reply(&mut self, pending: Pending, result: Result<Value, RpcError>) -> Result<(), SessionError> {
        self.made_sense(matches!(pending, Pending::Subscribe | Pending::Authorize));
        match pending {
            Pending::Configure => {
                let mut kept = false;
                match result.map(|result| ConfigureReply::read(&result)) {
                    Ok(Ok(reply)) => {
                        // A pool's mask may be wider than what was asked for.
                        self.version_mask = reply.mask().unwrap_or(0) & VERSION_MASK;
                        kept = reply.takes_up(MINIMUM_DIFFICULTY);
                    }
                    Ok(Err(error)) => self.say(Event::Unreadable(error)),
                    // It does not know the method: there is nothing to roll.
                    Err(_) => {}
                }
                if let Some(minimum) = self.pool.minimum_difficulty.filter(|_| !kept) {
                    self.say(Event::NoMinimum(minimum));
                }
            }
            Pending::Subscribe => {
                if result.is_err() && self.kept.is_some() {
                    // It may refuse the old session, and not the miner.
                    self.forget();
                    return self.subscribe().await;
                }
                let result = result.map_err(SessionError::Subscribe)?;
                let reply = SubscribeReply::read(&result).map_err(SessionError::BadSubscribe)?;
                if self.kept.as_ref().is_some_and(|kept| !kept.is((&reply.extranonce1, reply.extranonce2_size))) {
                    self.forget();
                }
                self.name = reply.session;
                self.extranonce = Some((reply.extranonce1, reply.extranonce2_size));
                self.call(&ClientCall::ExtranonceSubscribe, Pending::Other).await?;
                let Credentials { user, password } = self.pool.credentials.clone();
                self.call(&ClientCall::Authorize { user, password }, Pending::Authorize).await?;
            }
            Pending::Authorize => {
                self.on_authorize(result)?;
                self.send_held().await?;
                // Some pools send the first job before they answer.
                self.say_job(None)?;
                if let Some(difficulty) = self.pool.suggest_difficulty {
                    self.call(&ClientCall::SuggestDifficulty(difficulty), Pending::Other).await?;
                }
            }
            Pending::Submit { share, sent, own } => {
                let verdict = match result {
                    Ok(Value::Bool(true)) => Ok(()),
                    // As other miners read it: what is not a yes is a no.
                    Ok(other) => Err(RpcError { code: 20, message: format!("it answered {other}") }),
                    Err(error) => Err(error),
                };
                self.answered = Instant::now();
                self.rejections = if verdict.is_ok() { 0 } else { self.rejections + u32::from(own) };
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
        if let Some(kept) = &self.kept {
            (self.number, self.resumed) = (kept.number, true);
        }
        if let Some((extranonce1, extranonce2_size)) = self.extranonce.clone() {
            let (url, version_mask, resumed) = (self.url.to_string(), self.version_mask, self.resumed);
            self.say(Event::Connected { url, extranonce1, extranonce2_size, version_mask, resumed });
        }
        Ok(())
    }

    /// Sends what waited for this session, if it is one that goes on.
    async fn send_held(&mut self) -> Result<(), SessionError> {
        while let Some(share) = self.kept.as_mut().and_then(|kept| kept.held.pop_front()) {
            self.submit(share).await?;
        }
        self.kept = None;
        Ok(())
    }

    /// Goes on as a session of its own. What waited for an earlier one is lost.
    fn forget(&mut self) {
        self.outbox.lose(self.kept.take().into_iter().flat_map(|kept| kept.held).collect());
    }

    /// Says the last job, once it can be worked on; `clean` overrides what the pool said of older jobs.
    #[cfg_attr(not(feature = "payout"), expect(clippy::unnecessary_wraps, reason = "nothing else is asked of a job"))]
    fn say_job(&mut self, clean: Option<bool>) -> Result<(), SessionError> {
        let (Some((notify, difficulty)), Some((extranonce1, extranonce2_size)), true) =
            (&self.last, &self.extranonce, self.authorized)
        else {
            return Ok(());
        };
        let job = Job {
            id: notify.job_id.clone(),
            previous_block_hash: notify.previous_block_hash,
            root: Root::Coinbase(SplitCoinbase {
                coinbase1: notify.coinbase1.clone(),
                extranonce1: extranonce1.clone(),
                extranonce2_size: *extranonce2_size,
                coinbase2: notify.coinbase2.clone(),
                merkle_branches: notify.merkle_branches.clone(),
            }),
            version: notify.version,
            version_mask: self.version_mask,
            nbits: notify.nbits,
            ntime: notify.ntime,
            ntime_roll: NTIME_ROLL,
            target: Target::from(*difficulty),
            session: self.number,
            channel: None,
        };
        let (difficulty, clean) = (*difficulty, clean.unwrap_or(notify.clean_jobs));
        #[cfg(feature = "payout")]
        match self.payout.as_mut().map_or(Ok(None), |payout| payout.inspect(&job)) {
            Ok(None) => {}
            Ok(Some(warning)) => self.say(Event::Payout { url: self.url.to_string(), warning }),
            Err(error) => return Err(SessionError::Payout { job: job.id, error }),
        }
        self.say(Event::Job { job: Arc::new(job), difficulty, clean, beside: Vec::new() });
        self.worked = true;
        self.heard = Instant::now();
        Ok(())
    }

    async fn submit(&mut self, share: Share) -> Result<(), SessionError> {
        if share.origin.job.session != self.number {
            match &mut self.kept {
                Some(kept) if kept.owns(&share) => kept.held.push_back(share),
                // The pool did not go on with the session of its job.
                _ => self.say(Event::Lost(vec![share])),
            }
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
        let pending = Pending::Submit { share: Box::new(share), sent: Instant::now(), own: self.worked };
        self.call(&ClientCall::Submit(submit), pending).await
    }

    async fn call(&mut self, call: &ClientCall, pending: Pending) -> Result<(), SessionError> {
        if self.pending.len() >= MOST_UNANSWERED
            && let Some((_, Pending::Submit { share, .. })) = self.pending.pop_first()
        {
            self.say(Event::Lost(vec![*share]));
        }
        let id = self.next_id;
        self.next_id += 1;
        // Noted first: if the sending fails half-way, the share is lost and not forgotten.
        self.pending.insert(id, pending);
        self.send(call.to_line(&json!(id))).await
    }

    /// Says a message, where that is asked for.
    fn trace(&mut self, sent: bool, line: &str) {
        if self.pool.trace_messages {
            self.say(Event::Traced { url: self.url.to_string(), sent, text: line.to_owned() });
        }
    }

    async fn send(&mut self, mut line: String) -> Result<(), SessionError> {
        self.trace(true, &line);
        line.push('\n');
        let sending = async {
            self.writer.write_all(line.as_bytes()).await?;
            // TLS may keep a part back until it is told that this is all.
            self.writer.flush().await
        };
        Ok(within(STEP, "it has not taken what was sent", sending).await?)
    }

    fn say(&mut self, event: Event) {
        self.outbox.say(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::share;
    use tokio::io::duplex;

    /// Runs a test in a session that has a job, on a connection that takes everything and says nothing.
    fn in_session(test: impl AsyncFnOnce(&mut Session, &mut mpsc::Receiver<Event>)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let (ours, _theirs) = duplex(1 << 24);
            let (reader, writer) = tokio::io::split(ours);
            let connection = Connection { reader: Box::new(reader), writer: Box::new(writer) };
            let url = PoolUrl::tcp("h", 1);
            let credentials = Credentials { user: "u".to_owned(), password: "p".to_owned() };
            let pool = Pool::new(url.clone(), credentials);
            let (events, mut said) = mpsc::channel(8);
            let mut session = Session::new(connection, &pool, &url, STEP, Outbox::new(events));
            session.worked = true;
            // That of the shares in tests.
            session.number = 0;
            test(&mut session, &mut said).await;
        });
    }

    /// The limits are looked at, and not waited for: what waits is tested with the shorter ones of the first steps.
    #[test]
    fn silence_has_a_limit_that_shares_do_not_put_off() {
        in_session(async |session, _| {
            let began = session.heard;
            let (limit, overdue) = session.limit();
            assert_eq!((limit - began, overdue.to_string()), (SILENCE, "the pool was silent for 90 s".to_owned()));
            session.submit(share(1)).await.unwrap();
            assert_eq!(session.limit().0, limit);
            // Bytes that are no line, and lines that make no sense, are no word either.
            session.on_line("nonsense").await.unwrap();
            assert_eq!(session.limit().0, limit);
            session.on_line(r#"{"id":null,"method":"mining.dance"}"#).await.unwrap();
            assert!(session.heard > began);
        });
    }

    #[test]
    fn a_pool_that_speaks_and_answers_no_share_is_left() {
        in_session(async |session, _| {
            session.submit(share(1)).await.unwrap();
            session.submit(share(2)).await.unwrap();
            session.on_line(r#"{"id":null,"method":"mining.ping","params":[]}"#).await.unwrap();
            let (limit, overdue) = session.limit();
            assert!(limit < session.heard + SILENCE);
            assert_eq!(overdue.to_string(), "the pool has not answered mining.submit for 90 s");
            // An answer to one gives the other time.
            session.on_line(r#"{"id":2,"result":true}"#).await.unwrap();
            assert!(session.limit().0 > limit);
        });
    }

    #[test]
    fn shares_without_an_answer_are_given_up_at_last_the_oldest_first() {
        in_session(async |session, said| {
            for nonce in 0..MOST_UNANSWERED as u32 + 2 {
                session.submit(share(nonce)).await.unwrap();
            }
            assert_eq!(session.pending.len(), MOST_UNANSWERED);
            let (_, mut no_more) = mpsc::unbounded_channel();
            session.give_up(&mut no_more, None).await;
            let mut lost = Vec::new();
            while let Ok(Event::Lost(shares)) = said.try_recv() {
                lost.extend(shares.iter().map(|share| share.header.nonce()));
            }
            lost.sort_unstable();
            assert!(lost.into_iter().eq(0..MOST_UNANSWERED as u32 + 2));
        });
    }
}
