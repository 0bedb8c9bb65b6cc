//! A channel: what a pool gave for it, and the job that comes of that.
//!
//! On a standard channel the miner rolls no extranonce, and jobs come with a merkle root in place of a coinbase.

use super::submits::Submits;
use crate::job::{Job, MAX_EXTRANONCE2_SIZE, Root, SplitCoinbase};
use crate::upstream::VERSION_MASK;
use binary_sv2::U256Owned;
use midstate_stratum::Target;
use midstate_stratum::message::MessageError;
use mining_sv2::{
    NewExtendedMiningJobOwned, NewMiningJobOwned, OpenExtendedMiningChannelSuccessOwned,
    OpenStandardMiningChannelSuccessOwned, SetNewPrevHashOwned,
};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// So many jobs for a later block are kept. A pool has one or two.
const MOST_FUTURE: usize = 16;

/// A channel.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) id: u32,
    /// What is said to the group is said to the channel.
    group: u32,
    /// For the next job.
    target: Target,
    /// For the next offer.
    prefix: Vec<u8>,
    /// How much of the extranonce is the miner's; `None` on a standard channel.
    extranonce_size: Option<usize>,
    /// Whether the pool takes no version but the job's.
    fixed_version: bool,
    /// The oldest first.
    future: VecDeque<Offer>,
    tip: Option<Tip>,
    current: Option<Current>,
    /// The session's.
    number: u64,
    /// The shares that were sent on it.
    pub(super) submits: Submits,
}

/// A job as it was sent, with what held for it then.
#[derive(Debug)]
struct Offer {
    id: u32,
    /// Empty for a job of a later block.
    min_ntime: Option<u32>,
    version: u32,
    version_mask: u32,
    root: Root,
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
    pub(super) fn extended(
        opened: OpenExtendedMiningChannelSuccessOwned,
        fixed_version: bool,
        number: u64,
    ) -> Result<Channel, MessageError> {
        let extranonce_size = usize::from(opened.extranonce_size);
        if extranonce_size > 32 {
            return Err(MessageError::new("extranonce_size", extranonce_size, "32 at most"));
        }
        let channel =
            Channel::new((opened.channel_id, opened.group_channel_id), &opened.target, fixed_version, number)?;
        let prefix = opened.extranonce_prefix.into_bytes();
        Ok(Channel { prefix, extranonce_size: Some(extranonce_size), ..channel })
    }

    pub(super) fn standard(
        opened: OpenStandardMiningChannelSuccessOwned,
        fixed_version: bool,
        number: u64,
    ) -> Result<Channel, MessageError> {
        let channel =
            Channel::new((opened.channel_id, opened.group_channel_id), &opened.target, fixed_version, number)?;
        Ok(Channel { prefix: opened.extranonce_prefix.into_bytes(), ..channel })
    }

    fn new(
        (id, group): (u32, u32),
        easiest: &U256Owned,
        fixed_version: bool,
        number: u64,
    ) -> Result<Channel, MessageError> {
        Ok(Channel {
            id,
            group,
            target: target("target", easiest)?,
            prefix: Vec::new(),
            extranonce_size: None,
            fixed_version,
            future: VecDeque::new(),
            tip: None,
            current: None,
            number,
            submits: Submits::new(),
        })
    }

    pub(super) fn is_standard(&self) -> bool {
        self.extranonce_size.is_none()
    }

    /// Whether what is said to this channel or group is said to it.
    pub(super) fn is(&self, id: u32) -> bool {
        [self.id, self.group].contains(&id)
    }

    /// What is worked on.
    pub(super) fn job(&self) -> Option<&Arc<Job>> {
        self.current.as_ref().map(|current| &current.job)
    }

    /// What of the extranonce the pool chose for the next job; where there is more room than is rolled, with zeros.
    pub(super) fn extranonce1(&self) -> Vec<u8> {
        [&*self.prefix, &vec![0; self.unrolled()]].concat()
    }

    /// How much of the extranonce is rolled.
    pub(super) fn extranonce2_size(&self) -> usize {
        self.extranonce_size.unwrap_or(0).min(MAX_EXTRANONCE2_SIZE)
    }

    fn unrolled(&self) -> usize {
        self.extranonce_size.unwrap_or(0) - self.extranonce2_size()
    }

    /// The channel's part of a coinbase with this extranonce2.
    pub(super) fn extranonce(&self, extranonce2: &[u8]) -> Vec<u8> {
        [&vec![0; self.unrolled()], extranonce2].concat()
    }

    pub(super) fn version_mask(&self) -> u32 {
        if self.fixed_version { 0 } else { VERSION_MASK }
    }

    pub(super) fn set_target(&mut self, maximum: &U256Owned) -> Result<(), MessageError> {
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

    /// A job with a coinbase. Whether what is worked on changes.
    pub(super) fn offer_coinbase(&mut self, sent: NewExtendedMiningJobOwned) -> Result<bool, MessageError> {
        let root = Root::Coinbase(SplitCoinbase {
            coinbase1: sent.coinbase_tx_prefix.into_bytes(),
            extranonce1: self.extranonce1(),
            extranonce2_size: self.extranonce2_size(),
            coinbase2: sent.coinbase_tx_suffix.into_bytes(),
            merkle_branches: sent.merkle_path.into_inner().iter().map(U256Owned::to_array).collect(),
        });
        let version_mask = if sent.version_rolling_allowed { self.version_mask() } else { 0 };
        let min_ntime = sent.min_ntime.into_inner();
        self.offer(Offer { id: sent.job_id, min_ntime, version: sent.version, version_mask, root })
    }

    /// A job with a merkle root. Whether what is worked on changes.
    pub(super) fn offer_root(&mut self, sent: NewMiningJobOwned) -> Result<bool, MessageError> {
        let (root, version_mask) = (Root::Given(sent.merkle_root.to_array()), self.version_mask());
        let min_ntime = sent.min_ntime.into_inner();
        self.offer(Offer { id: sent.job_id, min_ntime, version: sent.version, version_mask, root })
    }

    fn offer(&mut self, offer: Offer) -> Result<bool, MessageError> {
        let Some(min_ntime) = offer.min_ntime else {
            self.future.retain(|other| other.id != offer.id);
            self.future.push_back(offer);
            if self.future.len() > MOST_FUTURE {
                self.future.pop_front();
            }
            return Ok(false);
        };
        let Some(tip) = &self.tip else {
            let expected = "a job for the future, as no SetNewPrevHash came yet";
            return Err(MessageError::new("min_ntime", min_ntime, expected));
        };
        // No header of this block can have an earlier one.
        let ntime = min_ntime.max(tip.min_ntime);
        self.begin(offer, ntime);
        Ok(true)
    }

    /// A new block. What is worked on from now on; every other job is void.
    pub(super) fn set_tip(&mut self, said: &SetNewPrevHashOwned) -> Result<(), UnknownJob> {
        let mut future = std::mem::take(&mut self.future);
        let place = future.iter().position(|offer| offer.id == said.job_id).ok_or(UnknownJob(said.job_id))?;
        let offer = future.swap_remove_back(place).ok_or(UnknownJob(said.job_id))?;
        self.tip = Some(Tip { hash: said.prev_hash.to_array(), nbits: said.nbits, min_ntime: said.min_ntime });
        self.begin(offer, said.min_ntime);
        Ok(())
    }

    fn begin(&mut self, offer: Offer, ntime: u32) {
        let (previous_block_hash, nbits) = self.tip.as_ref().map_or(([0; 32], 0), |tip| (tip.hash, tip.nbits));
        let job = Arc::new(Job {
            id: offer.id.to_string(),
            previous_block_hash,
            root: offer.root,
            version: offer.version,
            version_mask: offer.version_mask,
            nbits,
            ntime,
            // A header's time may be later by the seconds that passed, and no more: see `later`.
            ntime_roll: 0,
            target: self.target,
            session: self.number,
            channel: Some(self.id),
        });
        self.current = Some(Current { job, since: Instant::now() });
    }

    /// When the job should go on with a later time, as a device that does 2^32 hashes a second could be through with it.
    pub(super) fn stale_at(&self) -> Option<Instant> {
        let Current { job, since } = self.current.as_ref()?;
        let bits = 8 * job.extranonce2_size() as u32 + job.version_mask.count_ones();
        Some(*since + Duration::from_secs(1 << bits.min(16)))
    }

    /// Gives the job the present time, as far as the protocol lets time go on: by the seconds that passed.
    pub(super) fn later(&mut self) {
        let Some(current) = &mut self.current else { return };
        let (now, passed) = (Instant::now(), current.since.elapsed().as_secs() as u32);
        let job = Arc::make_mut(&mut current.job);
        job.ntime = job.ntime.saturating_add(passed);
        current.since = now;
    }
}

/// A target that some hash can meet, from its little-endian bytes.
fn target(field: &'static str, number: &U256Owned) -> Result<Target, MessageError> {
    match number.to_array() {
        bytes if bytes == [0; 32] => Err(MessageError::new(field, 0, "a target above 0")),
        bytes => Ok(Target::from_le_bytes(bytes)),
    }
}
