//! What miners are told of jobs, and of shares that are refused.

use crate::pool::{EXTRANONCE1_SIZE, PoolJob, Refusal};
use binary_sv2::{Str0255Owned, Sv2OptionOwned, U256Owned};
use bitcoin::hashes::Hash;
use midstate_stratum::message::MessageError;
use midstate_stratum::v2::ServerMessage;
use mining_sv2::{NewExtendedMiningJobOwned, NewMiningJobOwned, SetNewPrevHashOwned};

/// The bits that a pool lets V1's miners roll (BIP 320).
const BIP320: u32 = 0x1fff_e000;
/// The bits that miners of V2 roll where they may roll any (BIP 323).
const BIP323: u32 = 0x1fff_ffe0;

/// The version bits that may be rolled: the protocol knows all of BIP 323's, or none. Whoever lets BIP 320's be rolled means these.
pub(super) fn mask(job: &PoolJob) -> u32 {
    if job.mask & BIP320 == BIP320 { BIP323 } else { 0 }
}

/// A job with a coinbase, to a channel or a group; for a block that is still to be named, or for the one that was named last.
pub(super) fn coinbase_job(channel_id: u32, job: &PoolJob, is_future: bool) -> Result<ServerMessage, MessageError> {
    let notify = job.notify();
    let too_long = |field| move |_| MessageError::new(field, "too much for a message", "what a message can carry");
    let path: Vec<U256Owned> = notify.merkle_branches.into_iter().map(U256Owned::from).collect();
    Ok(ServerMessage::ExtendedJob(NewExtendedMiningJobOwned {
        channel_id,
        job_id: job.number(),
        min_ntime: Sv2OptionOwned::new((!is_future).then_some(notify.ntime)),
        version: notify.version,
        version_rolling_allowed: mask(job) != 0,
        merkle_path: path.try_into().map_err(too_long("merkle_path"))?,
        coinbase_tx_prefix: notify.coinbase1.try_into().map_err(too_long("coinbase_tx_prefix"))?,
        coinbase_tx_suffix: notify.coinbase2.try_into().map_err(too_long("coinbase_tx_suffix"))?,
    }))
}

/// A job with a merkle root, to a channel whose place is `number` and whose extranonce2 is this.
pub(super) fn root_job(
    channel_id: u32,
    job: &PoolJob,
    number: [u8; EXTRANONCE1_SIZE],
    extranonce2: &[u8],
    is_future: bool,
) -> ServerMessage {
    ServerMessage::StandardJob(NewMiningJobOwned {
        channel_id,
        job_id: job.number(),
        min_ntime: Sv2OptionOwned::new((!is_future).then_some(job.time)),
        version: job.version(),
        merkle_root: job.merkle_root(extranonce2, number).to_byte_array().into(),
    })
}

/// The block that a job builds on, to a channel or a group that has the job for the future.
pub(super) fn new_prev_hash(channel_id: u32, job: &PoolJob) -> ServerMessage {
    let notify = job.notify();
    ServerMessage::SetNewPrevHash(SetNewPrevHashOwned {
        channel_id,
        job_id: job.number(),
        prev_hash: notify.previous_block_hash.into(),
        min_ntime: notify.ntime,
        nbits: notify.nbits,
    })
}

/// A share's refusal in the words of the specification and of its implementation.
pub(super) fn code(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::NotSubscribed => mining_sv2::ERROR_CODE_SUBMIT_SHARES_INVALID_CHANNEL_ID,
        Refusal::Unauthorized { .. } => mining_sv2::ERROR_CODE_OPEN_MINING_CHANNEL_UNKNOWN_USER,
        Refusal::UnknownJob { .. } => mining_sv2::ERROR_CODE_SUBMIT_SHARES_INVALID_JOB_ID,
        Refusal::Extranonce2 { .. } => mining_sv2::ERROR_CODE_SUBMIT_SHARES_BAD_EXTRANONCE_SIZE,
        Refusal::VersionBits { mask: 0, .. } => mining_sv2::ERROR_CODE_VERSION_ROLLING_NOT_ALLOWED,
        Refusal::VersionBits { .. } => mining_sv2::ERROR_CODE_SUBMIT_SHARES_INVALID_NON_ROLLABLE_VERSION_BIT,
        Refusal::Duplicate { .. } => mining_sv2::ERROR_CODE_SUBMIT_SHARES_DUPLICATE_SHARE,
        Refusal::Stale { .. } | Refusal::Void { .. } => mining_sv2::ERROR_CODE_SUBMIT_SHARES_STALE_SHARE,
        Refusal::LowDifficulty { .. } => mining_sv2::ERROR_CODE_SUBMIT_SHARES_DIFFICULTY_TOO_LOW,
        Refusal::TooEarly { .. }
        | Refusal::TooLate { .. }
        | Refusal::Upstream { .. }
        | Refusal::NoUpstream { .. }
        | Refusal::Unbuildable { .. }
        | Refusal::Unrecorded { .. } => mining_sv2::ERROR_CODE_SUBMIT_SHARES_INVALID_SHARE,
    }
}

/// A code as a message carries it.
pub(super) fn text(field: &'static str, text: &str) -> Result<Str0255Owned, MessageError> {
    Str0255Owned::try_from(text).map_err(|_| MessageError::new(field, text, "255 bytes at most"))
}
