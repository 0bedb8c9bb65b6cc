//! A channel: what a pool gave for it, and the job that comes of that.

use super::message::ServerMessage;
use crate::job::{Job, MAX_EXTRANONCE2_SIZE, Root, SplitCoinbase};
use crate::upstream::VERSION_MASK;
use midstate_stratum::Target;
use midstate_stratum::message::MessageError;
use mining_sv2::{NewExtendedMiningJobOwned, OpenExtendedMiningChannelSuccessOwned, SetNewPrevHashOwned};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// So many jobs for a later block are kept. A pool has one or two.
const MOST_FUTURE: usize = 16;

/// An extended channel.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) id: u32,
    /// What is said to the group is said to the channel.
    group: u32,
    /// For the next job.
    target: Target,
    /// For the next offer.
    prefix: Vec<u8>,
    extranonce_size: usize,
    /// Whether the pool takes no version but the job's.
    fixed_version: bool,
    /// The oldest first.
    future: VecDeque<Offer>,
    tip: Option<Tip>,
    current: Option<Current>,
    /// The session's.
    number: u64,
}

/// A job as it was sent, with what held for it then.
#[derive(Debug)]
struct Offer {
    id: u32,
    version: u32,
    rolls: bool,
    coinbase_prefix: Vec<u8>,
    coinbase_suffix: Vec<u8>,
    path: Vec<[u8; 32]>,
    extranonce_prefix: Vec<u8>,
}

/// What the next block comes after.
#[derive(Debug)]
struct Tip {
    hash: [u8; 32],
    nbits: u32,
    min_ntime: u32,
}

/// What is worked on.
#[derive(Debug)]
struct Current {
    job: Arc<Job>,
    since: Instant,
}

/// The pool names a job that it has not sent, or that was void.
#[derive(Debug)]
pub(super) struct UnknownJob(pub(super) u32);

impl Channel {
    pub(super) fn open(
        opened: OpenExtendedMiningChannelSuccessOwned,
        fixed_version: bool,
        number: u64,
    ) -> Result<Channel, MessageError> {
        let extranonce_size = usize::from(opened.extranonce_size);
        if extranonce_size > 32 {
            return Err(MessageError::new("extranonce_size", extranonce_size, "32 at most"));
        }
        Ok(Channel {
            id: opened.channel_id,
            group: opened.group_channel_id,
            target: target("target", &opened.target.to_array())?,
            prefix: opened.extranonce_prefix.into_bytes(),
            extranonce_size,
            fixed_version,
            future: VecDeque::new(),
            tip: None,
            current: None,
            number,
        })
    }

    /// Whether something is said to this channel.
    pub(super) fn is(&self, id: u32) -> Result<(), MessageError> {
        if [self.id, self.group].contains(&id) {
            return Ok(());
        }
        Err(MessageError::new("channel_id", id, "the channel that was opened, or its group"))
    }

    /// What of the extranonce the pool chose for the next job; where there is more room than is rolled, with zeros.
    pub(super) fn extranonce1(&self) -> Vec<u8> {
        [&*self.prefix, &vec![0; self.unrolled()]].concat()
    }

    /// How much of the extranonce is rolled.
    pub(super) fn extranonce2_size(&self) -> usize {
        self.extranonce_size.min(MAX_EXTRANONCE2_SIZE)
    }

    fn unrolled(&self) -> usize {
        self.extranonce_size - self.extranonce2_size()
    }

    /// The channel's part of a coinbase with this extranonce2.
    pub(super) fn extranonce(&self, extranonce2: &[u8]) -> Vec<u8> {
        [&vec![0; self.unrolled()], extranonce2].concat()
    }

    pub(super) fn version_mask(&self) -> u32 {
        if self.fixed_version { 0 } else { VERSION_MASK }
    }

    pub(super) fn set_target(&mut self, maximum: &[u8; 32]) -> Result<(), MessageError> {
        self.target = target("maximum_target", maximum)?;
        Ok(())
    }

    /// For jobs that are sent from now on.
    pub(super) fn set_prefix(&mut self, prefix: Vec<u8>) {
        self.prefix = prefix;
    }

    pub(super) fn set_group(&mut self, group: u32) {
        self.group = group;
    }

    /// A job, for now or for a later block. What is worked on now, if that changes.
    pub(super) fn offer(&mut self, sent: NewExtendedMiningJobOwned) -> Result<Option<Arc<Job>>, MessageError> {
        let min_ntime = sent.min_ntime.into_inner();
        let offer = Offer {
            id: sent.job_id,
            version: sent.version,
            rolls: sent.version_rolling_allowed,
            coinbase_prefix: sent.coinbase_tx_prefix.into_bytes(),
            coinbase_suffix: sent.coinbase_tx_suffix.into_bytes(),
            path: sent.merkle_path.into_inner().iter().map(binary_sv2::U256Owned::to_array).collect(),
            extranonce_prefix: self.extranonce1(),
        };
        let Some(min_ntime) = min_ntime else {
            self.future.retain(|other| other.id != offer.id);
            self.future.push_back(offer);
            if self.future.len() > MOST_FUTURE {
                self.future.pop_front();
            }
            return Ok(None);
        };
        let Some(tip) = &self.tip else {
            let expected = "a job for the future, as no SetNewPrevHash came yet";
            return Err(MessageError::new("min_ntime", min_ntime, expected));
        };
        // No header of this block can have an earlier one.
        let ntime = min_ntime.max(tip.min_ntime);
        Ok(Some(self.begin(offer, ntime)))
    }

    /// A new block. What is worked on from now on; every other job is void.
    pub(super) fn set_tip(&mut self, said: &SetNewPrevHashOwned) -> Result<Arc<Job>, UnknownJob> {
        let mut future = std::mem::take(&mut self.future);
        let place = future.iter().position(|offer| offer.id == said.job_id).ok_or(UnknownJob(said.job_id))?;
        let offer = future.swap_remove_back(place).ok_or(UnknownJob(said.job_id))?;
        self.tip = Some(Tip { hash: said.prev_hash.to_array(), nbits: said.nbits, min_ntime: said.min_ntime });
        Ok(self.begin(offer, said.min_ntime))
    }

    fn begin(&mut self, offer: Offer, ntime: u32) -> Arc<Job> {
        let (previous_block_hash, nbits) = self.tip.as_ref().map_or(([0; 32], 0), |tip| (tip.hash, tip.nbits));
        let job = Arc::new(Job {
            id: offer.id.to_string(),
            previous_block_hash,
            root: Root::Coinbase(SplitCoinbase {
                coinbase1: offer.coinbase_prefix,
                extranonce1: offer.extranonce_prefix,
                extranonce2_size: self.extranonce2_size(),
                coinbase2: offer.coinbase_suffix,
                merkle_branches: offer.path,
            }),
            version: offer.version,
            version_mask: if offer.rolls { self.version_mask() } else { 0 },
            nbits,
            ntime,
            // A header's time may be later by the seconds that passed, and no more: see `later`.
            ntime_roll: 0,
            target: self.target,
            session: self.number,
        });
        self.current = Some(Current { job: Arc::clone(&job), since: Instant::now() });
        job
    }

    /// When the job should go on with a later time, as a device that does 2^32 hashes a second could be through with it.
    pub(super) fn stale_at(&self) -> Option<Instant> {
        let Current { job, since } = self.current.as_ref()?;
        let bits = 8 * job.extranonce2_size() as u32 + job.version_mask.count_ones();
        Some(*since + Duration::from_secs(1 << bits.min(16)))
    }

    /// The job with the present time, as far as the protocol lets time go on: by the seconds that passed.
    pub(super) fn later(&mut self) -> Option<Arc<Job>> {
        let current = self.current.as_mut()?;
        let (now, passed) = (Instant::now(), current.since.elapsed().as_secs() as u32);
        let job = Arc::make_mut(&mut current.job);
        job.ntime = job.ntime.saturating_add(passed);
        current.since = now;
        Some(Arc::clone(&current.job))
    }
}

/// A target that some hash can meet, from its little-endian bytes.
fn target(field: &'static str, bytes: &[u8; 32]) -> Result<Target, MessageError> {
    if *bytes == [0; 32] {
        return Err(MessageError::new(field, 0, "a target above 0"));
    }
    Ok(Target::from_le_bytes(*bytes))
}

impl ServerMessage {
    /// It came when something else should have.
    pub(super) fn unexpected(&self, expected: &'static str) -> MessageError {
        let shown = format!("{self:?}");
        MessageError::new("message", shown.split(['(', '{']).next().unwrap_or_default(), expected)
    }

    /// Which channel or group it is said to, if to one.
    pub(super) fn channel(&self) -> Option<u32> {
        match self {
            ServerMessage::EndpointChanged(message) => Some(message.channel_id),
            ServerMessage::UpdateError(message) => Some(message.channel_id),
            ServerMessage::Close(message) => Some(message.channel_id),
            ServerMessage::SetExtranoncePrefix(message) => Some(message.channel_id),
            ServerMessage::SubmitSuccess(message) => Some(message.channel_id),
            ServerMessage::SubmitError(message) => Some(message.channel_id),
            ServerMessage::ExtendedJob(message) => Some(message.channel_id),
            ServerMessage::SetNewPrevHash(message) => Some(message.channel_id),
            ServerMessage::SetTarget(message) => Some(message.channel_id),
            ServerMessage::SetupSuccess(_)
            | ServerMessage::SetupError(_)
            | ServerMessage::Reconnect(_)
            | ServerMessage::OpenExtendedSuccess(_)
            | ServerMessage::OpenError(_)
            | ServerMessage::SetGroupChannel(_) => None,
        }
    }
}
