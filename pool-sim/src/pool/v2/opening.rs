//! How channels begin, change and end.

use super::channel::{Channel, Kind, least};
use super::said;
use super::talk::{GROUP, Problem, Talk};
use crate::pool::PoolEvent;
use crate::pool::difficulty::SessionDifficulty;
use crate::pool::end::End;
use binary_sv2::{Str0255Owned, U256Owned};
use midstate_stratum::message::MessageError;
use midstate_stratum::v2::ServerMessage;
use midstate_stratum::{Difficulty, Target};
use mining_sv2::{
    ERROR_CODE_OPEN_MINING_CHANNEL_CHANNEL_CAPACITY_EXHAUSTED as NO_ROOM,
    ERROR_CODE_OPEN_MINING_CHANNEL_EXTENDED_CHANNELS_NOT_SUPPORTED_FOR_STANDARD_JOBS as ONLY_ROOTS,
    ERROR_CODE_OPEN_MINING_CHANNEL_INVALID_NOMINAL_HASHRATE as HASHRATE,
    ERROR_CODE_OPEN_MINING_CHANNEL_INVALID_USER_IDENTITY as USER,
    ERROR_CODE_OPEN_MINING_CHANNEL_MAX_TARGET_OUT_OF_RANGE as TARGET,
    ERROR_CODE_OPEN_MINING_CHANNEL_MIN_EXTRANONCE_SIZE_TOO_LARGE as EXTRANONCE,
    ERROR_CODE_UPDATE_CHANNEL_INVALID_CHANNEL_ID as CHANNEL, OpenExtendedMiningChannelOwned,
    OpenExtendedMiningChannelSuccessOwned, OpenMiningChannelErrorOwned, OpenStandardMiningChannelOwned,
    OpenStandardMiningChannelSuccessOwned, UpdateChannelErrorOwned, UpdateChannelOwned,
};
use std::time::{Duration, Instant};

/// How many channels one connection may have.
const MAX_CHANNELS: usize = 1000;
/// A miner's words on its hashrate bring a connection a job this often at most: each job is remembered.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// A request for a channel.
pub(super) struct Opening {
    request_id: u32,
    kind: Kind,
    user: Str0255Owned,
    /// In hashes a second.
    hashrate: f32,
    /// The easiest that the miner takes.
    most: U256Owned,
    /// How much of the extranonce it wants to choose, in bytes.
    least_extranonce: u16,
}

impl From<OpenStandardMiningChannelOwned> for Opening {
    fn from(open: OpenStandardMiningChannelOwned) -> Opening {
        Opening {
            request_id: open.request_id,
            kind: Kind::Standard,
            user: open.user_identity,
            hashrate: open.nominal_hash_rate,
            most: open.max_target,
            least_extranonce: 0,
        }
    }
}

impl From<OpenExtendedMiningChannelOwned> for Opening {
    fn from(open: OpenExtendedMiningChannelOwned) -> Opening {
        Opening {
            request_id: open.request_id,
            kind: Kind::Extended,
            user: open.user_identity,
            hashrate: open.nominal_hash_rate,
            most: open.max_target,
            least_extranonce: open.min_extranonce_size,
        }
    }
}

impl<'a> Talk<'a> {
    /// Opens a channel and gives it its first job, or says why not.
    pub(super) fn open(&mut self, asked: Opening) -> Result<(), End> {
        let request_id = asked.request_id;
        match self.channel(asked) {
            Ok(channel) => self.begin(request_id, channel),
            Err(code) => {
                let error_code = said::text("error_code", code)?;
                self.send(ServerMessage::OpenError(OpenMiningChannelErrorOwned { request_id, error_code }))
            }
        }
    }

    fn channel(&self, asked: Opening) -> Result<Channel<'a>, &'static str> {
        if self.only_roots() && asked.kind == Kind::Extended {
            return Err(ONLY_ROOTS);
        }
        let id = self.last.checked_add(1).filter(|_| self.channels.len() < MAX_CHANNELS).ok_or(NO_ROOM)?;
        let user = String::from_utf8(asked.user.into_bytes()).map_err(|_| USER)?;
        if usize::from(asked.least_extranonce) > self.job.space.extranonce2_size {
            return Err(EXTRANONCE);
        }
        let now = self.shared.started.elapsed();
        let mut difficulty = SessionDifficulty::new(self.port);
        difficulty.set_hashrate(hashrate(asked.hashrate)?, now);
        difficulty.set_minimum(Some(minimum(&asked.most)?), now).map_err(|_| TARGET)?;
        difficulty.begin(now);
        let claim = self.shared.take(None, &self.job.space).ok_or(NO_ROOM)?;
        Ok(Channel::new(id, asked.kind, user, claim, difficulty))
    }

    fn begin(&mut self, request_id: u32, channel: Channel<'a>) -> Result<(), End> {
        let (id, session, difficulty) = (channel.id, self.connection, channel.told);
        let extranonce1 = self.job.space.extranonce1(channel.number());
        self.shared.say(PoolEvent::Subscribed { session, extranonce1, resumed: false });
        self.shared.say(PoolEvent::Difficulty { session, difficulty });
        let (channel_id, group_channel_id) = (id, GROUP);
        let target = difficulty.to_target().to_le_bytes().into();
        let too_long = |_| MessageError::new("extranonce_prefix", "more than 32 bytes", "32 at most");
        let extranonce_prefix = channel.prefix(&self.job).try_into().map_err(too_long)?;
        let success = match channel.kind {
            Kind::Extended => ServerMessage::OpenExtendedSuccess(OpenExtendedMiningChannelSuccessOwned {
                request_id,
                channel_id,
                target,
                extranonce_size: self.job.space.extranonce2_size as u16,
                extranonce_prefix,
                group_channel_id,
            }),
            Kind::Standard => ServerMessage::OpenStandardSuccess(OpenStandardMiningChannelSuccessOwned {
                request_id,
                channel_id,
                target,
                extranonce_prefix,
                group_channel_id,
            }),
        };
        (self.last, self.idle) = (id, None);
        self.channels.insert(id, channel);
        self.send(success)?;
        let job = self.job.clone();
        self.send_job(id, &job, true)
    }

    /// A miner says how fast it is, and which targets it takes.
    pub(super) fn update(&mut self, said: &UpdateChannelOwned) -> Result<(), End> {
        let id = said.channel_id;
        match self.change(said) {
            Ok(false) => Ok(()),
            Ok(true) => {
                let now = self.shared.started.elapsed();
                if self.again.is_some_and(|last| now < last + AGAIN_AFTER) {
                    // It holds from the next job on.
                    return self.set_target(id);
                }
                self.again = Some(now);
                self.send_again(id)
            }
            Err(code) => {
                let error_code = said::text("error_code", code)?;
                self.send(ServerMessage::UpdateError(UpdateChannelErrorOwned { channel_id: id, error_code }))
            }
        }
    }

    /// True if that changes what the next job asks for.
    fn change(&mut self, said: &UpdateChannelOwned) -> Result<bool, &'static str> {
        let now = self.shared.started.elapsed();
        let channel = self.channels.get_mut(&said.channel_id).ok_or(CHANNEL)?;
        let (hashrate, minimum) = (hashrate(said.nominal_hash_rate)?, minimum(&said.maximum_target)?);
        channel.difficulty.set_minimum(Some(minimum), now).map_err(|_| TARGET)?;
        channel.difficulty.set_hashrate(hashrate, now);
        Ok(channel.difficulty.current() != channel.told)
    }

    /// A miner closes a channel, or all with their group.
    pub(super) fn close(&mut self, id: u32) -> Result<(), Problem> {
        self.acknowledge()?;
        if id == GROUP {
            self.channels.clear();
        } else if self.channels.remove(&id).is_none() {
            return Err(MessageError::new("channel_id", id, "a channel that is open, or the group").into());
        }
        if self.channels.is_empty() {
            self.idle.get_or_insert_with(Instant::now);
        }
        Ok(())
    }
}

/// A hashrate that can be one.
fn hashrate(said: f32) -> Result<f64, &'static str> {
    if said.is_finite() && said >= 0.0 { Ok(said.into()) } else { Err(HASHRATE) }
}

/// The least difficulty that a miner takes.
fn minimum(most: &U256Owned) -> Result<Difficulty, &'static str> {
    least(Target::from_le_bytes(most.to_array())).ok_or(TARGET)
}
