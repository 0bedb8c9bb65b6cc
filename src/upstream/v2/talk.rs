//! What is said and heard in a session, without a connection: what a frame means, and what is done because of it.

use super::channel::{Channel, UnknownJob};
use super::channels::Channels;
use super::requests::{self, text};
use super::{ChannelKind, Frame, NominalHashrate, V2Error};
use crate::job::Share;
use crate::upstream::error::SessionError;
use crate::upstream::{Event, Pool, PoolUrl, STORM};
use midstate_stratum::message::MessageError;
use midstate_stratum::v2::{ClientMessage, ServerMessage, VERSION};
use midstate_stratum::{Difficulty, Target};
use mining_sv2::{CloseChannelOwned, SubmitSharesExtendedOwned, SubmitSharesStandard, UpdateChannelOwned};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

/// Of `SetupConnection.Success`: no version but the job's is taken.
const REQUIRES_FIXED_VERSION: u32 = 1;
/// Of `SetupConnection.Success`: no standard channel is opened.
const REQUIRES_EXTENDED_CHANNELS: u32 = 2;
/// What a pool is told of the hashrate while nobody has measured it, in hashes a second: that of a processor, so that a fast device floods no
/// pool for more than some seconds.
const GUESS: f64 = 1e8;
/// A hashrate that differs by this factor from what the pool was told is worth a word.
const CHANGE: f64 = 1.5;
/// After a word on the hashrate, and after the first job, for so long there is none.
const SETTLING: Duration = Duration::from_secs(5);

/// What comes of something that was heard, in order.
#[derive(Debug)]
pub enum Effect {
    /// A frame with its header is sent.
    Send(Vec<u8>),
    /// The miner is told.
    Say(Event),
}

/// A session's state.
#[derive(Debug)]
pub struct Talk {
    stage: Stage,
    user: String,
    url: PoolUrl,
    kind: ChannelKind,
    /// Whether each message is said.
    traced: bool,
    /// The easiest target that is wanted.
    most: Target,
    /// The session's number, which its jobs carry.
    number: u64,
    /// The numbers of the requests for a channel that wait for an answer.
    asked: Vec<u32>,
    channels: Channels,
    /// Whether there was a job.
    worked: bool,
    effects: VecDeque<Effect>,
    /// What made no sense, since the last that did.
    nonsense: u32,
    /// In hashes a second: what is measured, if anything is.
    hashrate: Option<f64>,
    /// What the pool is told of it.
    nominal: NominalHashrate,
    /// What the pool was told of each channel, and when.
    told: (f64, Instant),
    /// When the last step to the first job was done; after it, when the pool was last heard.
    pub(super) heard: Instant,
}

#[derive(Debug)]
enum Stage {
    /// `SetupConnection` waits for its answer.
    Setup,
    /// Channels were asked for, and are there or come to be.
    Channels { fixed_version: bool },
}

impl Talk {
    /// Begins a session with a pool at this URL; `hashrate` is the miner's, in hashes a second, if it is known.
    ///
    /// # Errors
    /// Something of the pool's settings cannot be said in the protocol.
    pub fn begin(pool: &Pool, url: &PoolUrl, number: u64, hashrate: Option<f64>) -> Result<Talk, V2Error> {
        let mut talk = Talk {
            stage: Stage::Setup,
            user: pool.credentials.user.clone(),
            url: url.clone(),
            kind: pool.sv2_channel,
            traced: pool.trace_messages,
            most: pool.minimum_difficulty.map_or(Target::MAX, Target::from),
            number,
            asked: (1..=u32::from(pool.channels.get())).collect(),
            channels: Channels::default(),
            worked: false,
            effects: VecDeque::new(),
            nonsense: 0,
            hashrate,
            nominal: pool.nominal_hashrate.unwrap_or(NominalHashrate::Times(1.0)),
            told: (0.0, Instant::now()),
            heard: Instant::now(),
        };
        // Before it is asked for: a name that cannot be said is found out at once.
        text("user_identity", &talk.user)?;
        talk.send(requests::setup(pool, url)?)?;
        Ok(talk)
    }

    /// What is to be done, in order.
    pub fn next_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Takes a frame from the pool.
    ///
    /// # Errors
    /// The session is at its end.
    pub fn hear(&mut self, frame: Frame) -> Result<(), SessionError> {
        let header = (frame.kind, frame.payload.len());
        let heard = match ServerMessage::read(frame) {
            Ok(message) => {
                self.trace(false, || message.to_string());
                self.on_message(message)
            }
            Err(error) => {
                self.trace(false, || format!("type {:#04x}, {} bytes, unreadable", header.0, header.1));
                Err(Problem::Nonsense(error))
            }
        };
        match heard {
            Ok(step) => {
                self.nonsense = 0;
                if step || self.worked() {
                    self.heard = Instant::now();
                }
                Ok(())
            }
            Err(Problem::End(error)) => Err(error),
            Err(Problem::Nonsense(error)) => {
                self.say(Event::Unreadable(error));
                self.nonsense += 1;
                if self.nonsense < STORM { Ok(()) } else { Err(V2Error::Nonsense(self.nonsense).into()) }
            }
        }
    }

    /// Acts on a message. Whether it is a step on the way to the first job.
    fn on_message(&mut self, message: ServerMessage) -> Result<bool, Problem> {
        match (&mut self.stage, message) {
            (_, ServerMessage::Reconnect(to)) => {
                let host = Some(to.new_host.as_utf8_or_hex()).filter(|host| !host.is_empty());
                let port = Some(to.new_port).filter(|port| *port != 0);
                let expected =
                    "the pool's own host, or another of the same parent domain, as no authority vouches for others";
                let to = self.url.redirected(host.as_deref(), port);
                let to = to.ok_or_else(|| MessageError::new("new_host", host.unwrap_or_default(), expected))?;
                Err(Problem::End(SessionError::Reconnect { to, wait: Duration::ZERO }))
            }
            (Stage::Setup, ServerMessage::SetupSuccess(success)) => {
                if success.used_version != VERSION {
                    return Err(V2Error::Version(success.used_version).into());
                }
                if self.kind == ChannelKind::Standard && success.flags & REQUIRES_EXTENDED_CHANNELS != 0 {
                    return Err(V2Error::ExtendedOnly.into());
                }
                self.stage = Stage::Channels { fixed_version: success.flags & REQUIRES_FIXED_VERSION != 0 };
                self.open()?;
                Ok(true)
            }
            (Stage::Setup, ServerMessage::SetupError(error)) => {
                Err(V2Error::Setup { code: error.error_code.as_utf8_or_hex(), flags: error.flags }.into())
            }
            (Stage::Channels { .. }, ServerMessage::OpenError(error)) if self.asked.contains(&error.request_id) => {
                self.asked.retain(|request| *request != error.request_id);
                let code = error.error_code.as_utf8_or_hex();
                if self.asked.is_empty() && self.channels.is_empty() {
                    return Err(V2Error::Open { user: self.user.clone(), code }.into());
                }
                self.say(Event::Message(format!("OpenMiningChannel.Error: {code}")));
                Ok(false)
            }
            (Stage::Channels { fixed_version }, ServerMessage::OpenExtendedSuccess(opened))
                if self.asked.contains(&opened.request_id) && self.kind == ChannelKind::Extended =>
            {
                let request = opened.request_id;
                let channel = Channel::extended(opened, *fixed_version, self.number).map_err(V2Error::from)?;
                self.opened(request, channel)?;
                Ok(true)
            }
            (Stage::Channels { fixed_version }, ServerMessage::OpenStandardSuccess(opened))
                if self.asked.contains(&opened.request_id) && self.kind == ChannelKind::Standard =>
            {
                let request = opened.request_id;
                let channel = Channel::standard(opened, *fixed_version, self.number).map_err(V2Error::from)?;
                self.opened(request, channel)?;
                Ok(true)
            }
            (Stage::Setup, message) => Err(message.unexpected("SetupConnection.Success first").into()),
            (Stage::Channels { .. }, message) if self.channels.is_empty() => {
                Err(message.unexpected("a channel first, of the kind that was asked for").into())
            }
            (Stage::Channels { .. }, ServerMessage::SetGroupChannel(group)) => {
                for id in group.channel_ids.iter() {
                    if let Some(channel) = self.channels.get(*id) {
                        channel.set_group(group.group_channel_id);
                    }
                }
                Ok(false)
            }
            (Stage::Channels { .. }, message) => {
                let id = message.channel().ok_or_else(|| message.unexpected("a message on an open channel"))?;
                self.channels.check(id)?;
                self.on_channel(id, message)?;
                Ok(false)
            }
        }
    }

    /// Acts on a message that is said to a channel, or to a group.
    fn on_channel(&mut self, id: u32, message: ServerMessage) -> Result<(), Problem> {
        match message {
            ServerMessage::ExtendedJob(job) => {
                self.change(id, false, |channel| Ok(channel.offer_coinbase(job.clone())?))?;
            }
            ServerMessage::StandardJob(job) if self.kind == ChannelKind::Standard => {
                self.change(id, false, |channel| Ok(channel.offer_root(job.clone())?))?;
            }
            message @ ServerMessage::StandardJob(_) => {
                return Err(message.unexpected("NewExtendedMiningJob, on an extended channel").into());
            }
            ServerMessage::SetNewPrevHash(said) => self.change(id, true, |channel| {
                channel.set_tip(&said).map_err(|UnknownJob(id)| V2Error::UnknownJob(id))?;
                Ok(true)
            })?,
            ServerMessage::SetTarget(target) => {
                self.channels.named(id).try_for_each(|channel| channel.set_target(&target.maximum_target))?;
            }
            ServerMessage::SetExtranoncePrefix(prefix) => {
                let prefix = prefix.extranonce_prefix.into_bytes();
                self.channels.named(id).for_each(|channel| channel.set_prefix(prefix.clone()));
            }
            ServerMessage::SubmitSuccess(success) => {
                for channel in self.channels.named(id) {
                    let answers = channel.submits.accepted(success.last_sequence_number)?;
                    self.effects.extend(answers.into_iter().map(Effect::Say));
                }
            }
            ServerMessage::SubmitError(error) => {
                for channel in self.channels.named(id) {
                    let answer = channel.submits.refused(error.sequence_number, &error.error_code.as_utf8_or_hex())?;
                    self.effects.push_back(Effect::Say(answer));
                    if channel.submits.refusals >= STORM {
                        return Err(Problem::End(SessionError::Rejections(channel.submits.refusals)));
                    }
                }
            }
            ServerMessage::UpdateError(error) => {
                let code = error.error_code.as_utf8_or_hex();
                self.say(Event::Message(format!("UpdateChannel.Error: {code}")));
            }
            ServerMessage::Close(close) => {
                let (lost, reason) = (self.channels.close(id), close.reason_code.as_utf8_or_hex());
                if !lost.is_empty() {
                    self.say(Event::Lost(lost));
                }
                if self.channels.is_empty() {
                    return Err(V2Error::ChannelClosed(reason).into());
                }
                self.say(Event::Message(format!("CloseChannel: {reason}")));
                let rest: Vec<u32> = self.channels.ids().collect();
                self.begin_work(&rest, false);
            }
            // Nothing that an extension agreed on is there to be forgotten, and the rest is no channel's.
            _ => {}
        }
        Ok(())
    }

    fn open(&mut self) -> Result<(), V2Error> {
        let hashrate = self.nominal.of(self.hashrate.unwrap_or(GUESS) / self.asked.len() as f64);
        self.told = (hashrate, Instant::now());
        for request in self.asked.clone() {
            self.send(requests::open(self.kind, request, &self.user, hashrate, &self.most)?)?;
        }
        Ok(())
    }

    fn opened(&mut self, request: u32, channel: Channel) -> Result<(), MessageError> {
        let connected = Event::Connected {
            url: self.url.to_string(),
            extranonce1: channel.extranonce1(),
            extranonce2_size: channel.extranonce2_size(),
            version_mask: channel.version_mask(),
            resumed: false,
        };
        let first = self.channels.is_empty();
        self.channels.add(channel)?;
        self.asked.retain(|asked| *asked != request);
        if first {
            self.say(connected);
        }
        Ok(())
    }

    /// Changes the channels that something is said to, and begins what there is to be worked on where that is then another.
    fn change(
        &mut self,
        id: u32,
        clean: bool,
        mut change: impl FnMut(&mut Channel) -> Result<bool, Problem>,
    ) -> Result<(), Problem> {
        let mut changed = Vec::new();
        for channel in self.channels.named(id) {
            if change(channel)? {
                changed.push(channel.id);
            }
        }
        self.begin_work(&changed, clean);
        Ok(())
    }

    /// Begins what there is to be worked on, as it has changed on these channels.
    fn begin_work(&mut self, changed: &[u32], clean: bool) {
        let Some((job, beside)) = self.channels.work(changed) else { return };
        let difficulty = Difficulty::new(job.target.difficulty()).unwrap_or(Difficulty::ONE);
        self.say(Event::Job { job, difficulty, clean, beside });
        if !self.worked {
            self.worked = true;
            self.told.1 = Instant::now();
        }
    }

    /// Sends a share, whose fate will be said.
    ///
    /// # Errors
    /// The session is at its end.
    pub fn submit(&mut self, share: Share) -> Result<(), SessionError> {
        let job = &share.origin.job;
        let channel = job.channel.filter(|_| job.session == self.number).and_then(|id| self.channels.get(id));
        let (Some(channel), Ok(job_id)) = (channel, job.id.parse()) else {
            self.say(Event::Lost(vec![share]));
            return Ok(());
        };
        let channel_id = channel.id;
        // `None` on a standard channel. That it fits was seen when the channel was opened.
        let extranonce = (!channel.is_standard()).then(|| channel.extranonce(&share.origin.extranonce2));
        let (nonce, ntime, version) = (share.header.nonce(), share.header.ntime(), share.header.version());
        let (sequence_number, given_up) = channel.submits.add(share);
        if let Some(share) = given_up {
            self.say(Event::Lost(vec![share]));
        }
        self.send(match extranonce.map(TryInto::try_into) {
            Some(extranonce) => ClientMessage::SubmitExtended(SubmitSharesExtendedOwned {
                channel_id,
                sequence_number,
                job_id,
                nonce,
                ntime,
                version,
                extranonce: extranonce.map_err(|_| V2Error::Extranonce)?,
            }),
            None => ClientMessage::SubmitStandard(SubmitSharesStandard {
                channel_id,
                sequence_number,
                job_id,
                nonce,
                ntime,
                version,
            }),
        })?;
        Ok(())
    }

    /// Notes how fast the miner is, in hashes a second, and tells the pool if that is news.
    pub fn set_hashrate(&mut self, hashrate: f64) -> Result<(), V2Error> {
        self.hashrate = Some(hashrate).filter(|hashrate| *hashrate > 0.0);
        let Some(measured) = self.hashrate.filter(|_| self.worked) else { return Ok(()) };
        let hashrate = self.nominal.of(measured / self.channels.len() as f64);
        let ratio = hashrate / self.told.0;
        if (1.0 / CHANGE..=CHANGE).contains(&ratio) || self.told.1.elapsed() < SETTLING {
            return Ok(());
        }
        self.told = (hashrate, Instant::now());
        let (nominal_hash_rate, most) = (hashrate as f32, self.most.to_le_bytes());
        for channel_id in self.channels.ids().collect::<Vec<_>>() {
            let message = UpdateChannelOwned { channel_id, nominal_hash_rate, maximum_target: most.into() };
            self.send(ClientMessage::Update(message))?;
        }
        Ok(())
    }

    /// When [`Talk::go_on`] should be called.
    pub fn stale_at(&self) -> Option<Instant> {
        self.channels.stale_at()
    }

    /// Goes on at a later time with the jobs that should.
    pub fn go_on(&mut self) {
        let changed = self.channels.go_on();
        self.begin_work(&changed, false);
    }

    /// Says goodbye.
    pub fn close(&mut self) -> Result<(), V2Error> {
        for channel_id in self.channels.ids().collect::<Vec<_>>() {
            let reason_code = text("reason_code", "the miner ends")?;
            self.send(ClientMessage::Close(CloseChannelOwned { channel_id, reason_code }))?;
        }
        Ok(())
    }

    /// Whether there was a job.
    pub fn worked(&self) -> bool {
        self.worked
    }

    /// What the pool owes an answer to, up to the first job.
    pub(super) fn waits_for(&self) -> Option<&'static str> {
        match self.stage {
            Stage::Setup => Some("SetupConnection"),
            Stage::Channels { .. } => self.channels.is_empty().then_some("OpenMiningChannel"),
        }
    }

    /// Since when the pool owes an answer to a share.
    pub(super) fn owed_since(&self) -> Option<Instant> {
        self.channels.owed_since()
    }

    /// The shares that will have no answer.
    pub(super) fn take_unanswered(&mut self) -> Vec<Share> {
        self.channels.take_unanswered()
    }

    fn send(&mut self, message: ClientMessage) -> Result<(), V2Error> {
        self.trace(true, || message.to_string());
        let bytes = message.into_bytes()?;
        self.effects.push_back(Effect::Send(bytes));
        Ok(())
    }

    /// Says a message, where that is asked for.
    fn trace(&mut self, sent: bool, text: impl FnOnce() -> String) {
        if self.traced {
            self.say(Event::Traced { url: self.url.to_string(), sent, text: text() });
        }
    }

    fn say(&mut self, event: Event) {
        self.effects.push_back(Effect::Say(event));
    }
}

/// What comes of a message that cannot be acted on.
enum Problem {
    /// The session ends.
    End(SessionError),
    /// It is passed over.
    Nonsense(MessageError),
}

impl From<MessageError> for Problem {
    fn from(error: MessageError) -> Problem {
        Problem::Nonsense(error)
    }
}

impl From<V2Error> for Problem {
    fn from(error: V2Error) -> Problem {
        Problem::End(error.into())
    }
}
