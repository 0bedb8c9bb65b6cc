//! What is heard and said on a connection of Stratum V2, without the connection.
//!
//! All channels of a connection form one group. A job for all is said to the group once, with its coinbase; where the miner takes merkle
//! roots only, each channel is told its own.

use super::channel::{Channel, Kind, fixed_extranonce2};
use super::said;
use crate::pool::end::End;
use crate::pool::judge::{Due, Submitter};
use crate::pool::{PoolEvent, PoolJob, Port, Refusal, ShareRecord, Shared};
use common_messages_sv2 as common;
use common_messages_sv2::{Protocol, SetupConnectionErrorOwned, SetupConnectionOwned, SetupConnectionSuccess};
use midstate_stratum::message::{MessageError, Submit};
use midstate_stratum::v2::{ClientMessage, Frame, ServerMessage, VERSION};
use mining_sv2::SubmitSharesErrorOwned;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Flags of `SetupConnection` (specification, 5.3.1): jobs must come with a merkle root, and versions must be free.
const REQUIRES_STANDARD_JOBS: u32 = 1;
const REQUIRES_VERSION_ROLLING: u32 = 4;
/// Of `SetupConnection.Success`: no version but the job's is taken.
const REQUIRES_FIXED_VERSION: u32 = 1;
/// The number of the group of all channels. Their own come after it.
pub(super) const GROUP: u32 = 1;
/// So many messages that make no sense, and the connection is ended: what speaks there is no miner.
const PATIENCE: u32 = 100;

pub(super) struct Talk<'a> {
    pub(super) shared: &'a Shared,
    /// The connection's number.
    pub(super) connection: u64,
    pub(super) port: &'a Port,
    stage: Stage,
    pub(super) channels: BTreeMap<u32, Channel<'a>>,
    /// The number of the last channel that was opened.
    pub(super) last: u32,
    /// Since when there is no channel.
    pub(super) idle: Option<Instant>,
    /// What is worked on: what new channels get, and all others have.
    pub(super) job: Arc<PoolJob>,
    /// Frames that are to be sent, in order.
    frames: VecDeque<Vec<u8>>,
    /// Channels with accepted shares that are not acknowledged yet.
    owed: Vec<u32>,
    unreadable: u32,
    /// Whether the last frame was what no miner in its right mind sends.
    pub(super) was_nonsense: bool,
    /// When a word of the miner's last brought a job.
    pub(super) again: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// `SetupConnection` is awaited.
    New,
    /// Channels may be opened.
    Ready {
        /// Whether the miner takes merkle roots only.
        only_roots: bool,
    },
}

/// A share that was judged, and is to be answered when what it changed is kept.
pub(super) struct Answer {
    channel: u32,
    sequence_number: u32,
    /// Whether it changed the difficulty.
    is_retargeted: bool,
    pub(super) record: Box<ShareRecord>,
}

/// A share as it came.
struct Came {
    channel: u32,
    sequence_number: u32,
    job_id: u32,
    nonce: u32,
    ntime: u32,
    version: u32,
    /// `None` of a standard channel.
    extranonce: Option<Vec<u8>>,
}

/// What comes of a message that cannot be acted on.
pub(super) enum Problem {
    /// The connection ends.
    End(End),
    /// It is passed over.
    Nonsense(MessageError),
}

impl From<MessageError> for Problem {
    fn from(error: MessageError) -> Problem {
        Problem::Nonsense(error)
    }
}

impl From<End> for Problem {
    fn from(end: End) -> Problem {
        Problem::End(end)
    }
}

impl<'a> Talk<'a> {
    /// On a connection of that number to a port, with the present job.
    pub(super) fn new(shared: &'a Shared, connection: u64, port: &'a Port, job: Arc<PoolJob>) -> Talk<'a> {
        Talk {
            shared,
            connection,
            port,
            stage: Stage::New,
            channels: BTreeMap::new(),
            last: GROUP,
            idle: Some(Instant::now()),
            job,
            frames: VecDeque::new(),
            owed: Vec::new(),
            unreadable: 0,
            was_nonsense: false,
            again: None,
        }
    }

    /// The next frame that is to be sent.
    pub(super) fn next_frame(&mut self) -> Option<Vec<u8>> {
        self.frames.pop_front()
    }

    /// Takes a frame from the miner. A share that came in it is given back, to be answered before the next frame
    /// is taken, when what is due is done.
    pub(super) fn hear(&mut self, frame: Frame) -> Result<Option<(Answer, Due)>, End> {
        let heard = ClientMessage::read(frame).map_err(Problem::from);
        match heard.and_then(|message| self.on_message(message)) {
            Ok(answer) => Ok(answer),
            Err(Problem::End(end)) => Err(end),
            Err(Problem::Nonsense(error)) if self.stage == Stage::New => Err(End::NotSetUp(error.to_string())),
            Err(Problem::Nonsense(error)) => {
                self.unreadable += 1;
                self.was_nonsense = true;
                self.shared.say(PoolEvent::Unreadable { session: self.connection, error: error.to_string() });
                if self.unreadable >= PATIENCE { Err(End::Garbage) } else { Ok(None) }
            }
        }
    }

    fn on_message(&mut self, message: ClientMessage) -> Result<Option<(Answer, Due)>, Problem> {
        if self.stage == Stage::New && !matches!(message, ClientMessage::Setup(_)) {
            return Err(End::NotSetUp(message.name().to_owned()).into());
        }
        match message {
            ClientMessage::Setup(setup) if self.stage == Stage::New => self.set_up(&setup)?,
            ClientMessage::Setup(_) => {
                return Err(MessageError::new("message", "SetupConnection", "it once, and first").into());
            }
            ClientMessage::OpenStandard(open) => self.open(open.into())?,
            ClientMessage::OpenExtended(open) => self.open(open.into())?,
            ClientMessage::Update(update) => self.update(&update)?,
            ClientMessage::Close(close) => self.close(close.channel_id)?,
            ClientMessage::SubmitStandard(share) => {
                return Ok(self.submit(Came {
                    channel: share.channel_id,
                    sequence_number: share.sequence_number,
                    job_id: share.job_id,
                    nonce: share.nonce,
                    ntime: share.ntime,
                    version: share.version,
                    extranonce: None,
                })?);
            }
            ClientMessage::SubmitExtended(share) => {
                return Ok(self.submit(Came {
                    channel: share.channel_id,
                    sequence_number: share.sequence_number,
                    job_id: share.job_id,
                    nonce: share.nonce,
                    ntime: share.ntime,
                    version: share.version,
                    extranonce: Some(share.extranonce.into_bytes()),
                })?);
            }
        }
        Ok(None)
    }

    fn set_up(&mut self, setup: &SetupConnectionOwned) -> Result<(), End> {
        let is_fixed = said::mask(&self.job) == 0;
        let supported =
            if is_fixed { REQUIRES_STANDARD_JOBS } else { REQUIRES_STANDARD_JOBS | REQUIRES_VERSION_ROLLING };
        let unsupported = setup.flags & !supported;
        let refusal = if setup.protocol != Protocol::MiningProtocol {
            Some((common::ERROR_CODE_SETUP_CONNECTION_UNSUPPORTED_PROTOCOL, 0))
        } else if !(setup.min_version..=setup.max_version).contains(&VERSION) {
            Some((common::ERROR_CODE_SETUP_CONNECTION_PROTOCOL_VERSION_MISMATCH, 0))
        } else if unsupported != 0 {
            Some((common::ERROR_CODE_SETUP_CONNECTION_UNSUPPORTED_FEATURE_FLAGS, unsupported))
        } else {
            None
        };
        if let Some((code, flags)) = refusal {
            let error = SetupConnectionErrorOwned { flags, error_code: said::text("error_code", code)? };
            self.send(ServerMessage::SetupError(error))?;
            return Err(End::Refused(code));
        }
        self.stage = Stage::Ready { only_roots: setup.flags & REQUIRES_STANDARD_JOBS != 0 };
        let flags = if is_fixed { REQUIRES_FIXED_VERSION } else { 0 };
        self.send(ServerMessage::SetupSuccess(SetupConnectionSuccess { used_version: VERSION, flags }))
    }

    /// Whether the miner takes merkle roots only.
    pub(super) fn only_roots(&self) -> bool {
        self.stage == Stage::Ready { only_roots: true }
    }

    /// Judges a share, unless it is nobody's.
    fn submit(&mut self, came: Came) -> Result<Option<(Answer, Due)>, End> {
        let kind = if came.extranonce.is_some() { Kind::Extended } else { Kind::Standard };
        let Some(channel) = self.channels.get_mut(&came.channel).filter(|channel| channel.kind == kind) else {
            let code = mining_sv2::ERROR_CODE_SUBMIT_SHARES_INVALID_CHANNEL_ID;
            self.was_nonsense = true;
            self.refuse_share(came.channel, came.sequence_number, code)?;
            return Ok(None);
        };
        let (number, mask) = (channel.number(), said::mask(&self.job));
        let submit = Submit {
            user: channel.user.clone(),
            job_id: format!("{:x}", came.job_id),
            extranonce2: came.extranonce.unwrap_or_else(|| fixed_extranonce2(&self.job)),
            ntime: came.ntime,
            nonce: came.nonce,
            version_bits: Some(came.version & mask),
        };
        let from = Submitter {
            session: self.connection,
            number: Some(number),
            extranonce1: Some(self.job.space.extranonce1(number)),
            is_authorized: true,
            mask,
            version: Some(came.version),
        };
        let (record, due) = self.shared.judge(from, submit);
        self.was_nonsense = record.verdict.as_ref().is_err_and(Refusal::is_nonsense);
        let now = self.shared.started.elapsed();
        let is_retargeted = record.work().is_some_and(|difficulty| channel.difficulty.share(difficulty, now));
        let (channel, sequence_number) = (came.channel, came.sequence_number);
        Ok(Some((Answer { channel, sequence_number, is_retargeted, record: Box::new(record) }, due)))
    }

    /// Answers a share. One that is accepted is acknowledged later, with those that come at once.
    pub(super) fn answer(&mut self, answer: Answer) -> Result<(), End> {
        let Answer { channel: id, sequence_number, is_retargeted, record } = answer;
        let refusal = record.verdict.as_ref().err().map(said::code);
        let difficulty = record.judged.as_ref().map_or(self.port.start, |judged| judged.difficulty);
        self.shared.say(PoolEvent::Share(record));
        if let Some(code) = refusal {
            self.refuse_share(id, sequence_number, code)?;
        } else if let Some(channel) = self.channels.get_mut(&id)
            && channel.accepted(sequence_number, difficulty)
        {
            self.owed.push(id);
        }
        if is_retargeted { self.send_again(id) } else { Ok(()) }
    }

    fn refuse_share(&mut self, channel_id: u32, sequence_number: u32, code: &'static str) -> Result<(), End> {
        let error_code = said::text("error_code", code)?;
        self.send(ServerMessage::SubmitError(SubmitSharesErrorOwned { channel_id, sequence_number, error_code }))
    }

    /// Whether there are accepted shares that are not acknowledged yet.
    pub(super) fn owes(&self) -> bool {
        !self.owed.is_empty()
    }

    /// Acknowledges all accepted shares.
    pub(super) fn acknowledge(&mut self) -> Result<(), End> {
        for id in std::mem::take(&mut self.owed) {
            let success = self.channels.get_mut(&id).and_then(Channel::acknowledge);
            success.map_or(Ok(()), |success| self.send(success))?;
        }
        Ok(())
    }

    /// There is a new job for all.
    pub(super) fn set_job(&mut self, job: &Arc<PoolJob>) -> Result<(), End> {
        let is_future = job.previous_block_hash != self.job.previous_block_hash;
        self.job = Arc::clone(job);
        let ids: Vec<u32> = self.channels.keys().copied().collect();
        for id in &ids {
            self.set_target(*id)?;
            if self.only_roots() {
                self.send_job(*id, job, is_future)?;
            } else if let Some(channel) = self.channels.get(id) {
                self.shared.book.send(&job.id, channel.number(), channel.terms(job));
            }
        }
        if self.only_roots() || ids.is_empty() {
            return Ok(());
        }
        self.send(said::coinbase_job(GROUP, job, is_future)?)?;
        if is_future { self.send(said::new_prev_hash(GROUP, job)) } else { Ok(()) }
    }

    /// The present job once more for one channel, under another number, as its shares are to be judged by another target from now on.
    pub(super) fn send_again(&mut self, id: u32) -> Result<(), End> {
        let Some(channel) = self.channels.get(&id) else { return Ok(()) };
        let again = self.shared.book.again(&self.job, channel.number());
        self.set_target(id)?;
        self.send_job(id, &again, false)
    }

    /// Tells a channel its target for what is sent from now on, if it is another.
    pub(super) fn set_target(&mut self, id: u32) -> Result<(), End> {
        let Some(channel) = self.channels.get_mut(&id) else { return Ok(()) };
        let Some(target) = channel.set_target() else { return Ok(()) };
        self.shared.say(PoolEvent::Difficulty { session: self.connection, difficulty: channel.told });
        self.send(target)
    }

    /// A job to one channel, as that takes it.
    pub(super) fn send_job(&mut self, id: u32, job: &PoolJob, is_future: bool) -> Result<(), End> {
        let Some(channel) = self.channels.get(&id) else { return Ok(()) };
        self.shared.book.send(&job.id, channel.number(), channel.terms(job));
        let message = match channel.kind {
            Kind::Extended => said::coinbase_job(id, job, is_future)?,
            Kind::Standard => said::root_job(id, job, channel.number(), &fixed_extranonce2(job), is_future),
        };
        self.send(message)?;
        if is_future { self.send(said::new_prev_hash(id, job)) } else { Ok(()) }
    }

    /// When difficulties are to be looked at, if ever; since the pool's start.
    pub(super) fn next_review(&self) -> Option<Duration> {
        self.channels.values().filter_map(|channel| channel.difficulty.next_review()).min()
    }

    /// Looks at difficulties.
    pub(super) fn review(&mut self) -> Result<(), End> {
        let now = self.shared.started.elapsed();
        let due = |(id, channel): (&u32, &mut Channel<'a>)| channel.difficulty.review(now).then_some(*id);
        let changed: Vec<u32> = self.channels.iter_mut().filter_map(due).collect();
        changed.into_iter().try_for_each(|id| self.send_again(id))
    }

    pub(super) fn send(&mut self, message: ServerMessage) -> Result<(), End> {
        self.frames.push_back(message.into_bytes()?);
        Ok(())
    }
}
