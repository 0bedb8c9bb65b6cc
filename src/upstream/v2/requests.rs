//! What a session asks for at its beginning: a connection for mining, and channels.

use super::{ChannelKind, V2Error};
use crate::upstream::{Pool, PoolUrl};
use binary_sv2::Str0255Owned;
use common_messages_sv2::{Protocol, SetupConnectionOwned};
use midstate_stratum::Target;
use midstate_stratum::message::MessageError;
use midstate_stratum::v2::{ClientMessage, VERSION};
use mining_sv2::{OpenExtendedMiningChannelOwned, OpenStandardMiningChannelOwned};

/// Of `SetupConnection`: jobs must come with a merkle root.
const REQUIRES_STANDARD_JOBS: u32 = 1;
/// How much of the extranonce is asked for: with the rolled versions, enough for years on a job.
const LEAST_EXTRANONCE: u16 = 4;

/// For a connection.
pub(super) fn setup(pool: &Pool, url: &PoolUrl) -> Result<ClientMessage, V2Error> {
    Ok(ClientMessage::Setup(SetupConnectionOwned {
        protocol: Protocol::MiningProtocol,
        min_version: VERSION,
        max_version: VERSION,
        // Rolled versions are not required: what a job allows is taken.
        flags: match pool.sv2_channel {
            ChannelKind::Extended => 0,
            ChannelKind::Standard => REQUIRES_STANDARD_JOBS,
        },
        endpoint_host: text("endpoint_host", &url.host)?,
        endpoint_port: url.port,
        vendor: text("vendor", &pool.device.vendor)?,
        hardware_version: text("hardware_version", &pool.device.hardware)?,
        firmware: text("firmware", &pool.device.firmware)?,
        device_id: text("device_id", &pool.device.id)?,
    }))
}

/// For a channel of so many hashes a second, with no target easier than `most`.
pub(super) fn open(
    kind: ChannelKind,
    request_id: u32,
    user: &str,
    hashrate: f64,
    most: &Target,
) -> Result<ClientMessage, V2Error> {
    let user_identity = text("user_identity", user)?;
    let (nominal_hash_rate, max_target) = (hashrate as f32, most.to_le_bytes().into());
    Ok(match kind {
        ChannelKind::Extended => ClientMessage::OpenExtended(OpenExtendedMiningChannelOwned {
            request_id,
            user_identity,
            nominal_hash_rate,
            max_target,
            min_extranonce_size: LEAST_EXTRANONCE,
        }),
        ChannelKind::Standard => ClientMessage::OpenStandard(OpenStandardMiningChannelOwned {
            request_id,
            user_identity,
            nominal_hash_rate,
            max_target,
        }),
    })
}

/// A text of 255 bytes at most.
pub(super) fn text(field: &'static str, text: &str) -> Result<Str0255Owned, V2Error> {
    let read = Str0255Owned::try_from(text);
    read.map_err(|_| MessageError::new(field, text, "255 bytes at most").into())
}
