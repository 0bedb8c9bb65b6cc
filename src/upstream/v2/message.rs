//! The messages, as the reference implementation reads and writes them (`common_messages_sv2`, `mining_sv2`).

use super::Frame;
use binary_sv2::{GetSize, Serialize};
use codec_sv2::{MessageFrame, encoder::Encoder};
use common_messages_sv2::{
    CHANNEL_BIT_SETUP_CONNECTION, ChannelEndpointChanged, MESSAGE_TYPE_CHANNEL_ENDPOINT_CHANGED,
    MESSAGE_TYPE_RECONNECT, MESSAGE_TYPE_SETUP_CONNECTION, MESSAGE_TYPE_SETUP_CONNECTION_ERROR,
    MESSAGE_TYPE_SETUP_CONNECTION_SUCCESS, Reconnect, ReconnectOwned, SetupConnectionError, SetupConnectionErrorOwned,
    SetupConnectionOwned, SetupConnectionSuccess,
};
use midstate_stratum::message::MessageError;
use mining_sv2 as mining;
use mining_sv2::{
    CloseChannel, CloseChannelOwned, NewExtendedMiningJob, NewExtendedMiningJobOwned, NewMiningJob, NewMiningJobOwned,
    OpenExtendedMiningChannelOwned, OpenExtendedMiningChannelSuccess, OpenExtendedMiningChannelSuccessOwned,
    OpenMiningChannelError, OpenMiningChannelErrorOwned, OpenStandardMiningChannelOwned,
    OpenStandardMiningChannelSuccess, OpenStandardMiningChannelSuccessOwned, SetExtranoncePrefix,
    SetExtranoncePrefixOwned, SetGroupChannel, SetGroupChannelOwned, SetNewPrevHash, SetNewPrevHashOwned, SetTarget,
    SetTargetOwned, SubmitSharesError, SubmitSharesErrorOwned, SubmitSharesExtendedOwned, SubmitSharesStandard,
    SubmitSharesSuccess, UpdateChannelError, UpdateChannelErrorOwned, UpdateChannelOwned,
};
use std::fmt;

/// What a pool says to a miner.
#[derive(Debug)]
pub(super) enum ServerMessage {
    SetupSuccess(SetupConnectionSuccess),
    SetupError(SetupConnectionErrorOwned),
    EndpointChanged(ChannelEndpointChanged),
    Reconnect(ReconnectOwned),
    OpenExtendedSuccess(OpenExtendedMiningChannelSuccessOwned),
    OpenStandardSuccess(OpenStandardMiningChannelSuccessOwned),
    OpenError(OpenMiningChannelErrorOwned),
    UpdateError(UpdateChannelErrorOwned),
    Close(CloseChannelOwned),
    SetExtranoncePrefix(SetExtranoncePrefixOwned),
    SubmitSuccess(SubmitSharesSuccess),
    SubmitError(SubmitSharesErrorOwned),
    ExtendedJob(NewExtendedMiningJobOwned),
    StandardJob(NewMiningJobOwned),
    SetNewPrevHash(SetNewPrevHashOwned),
    SetTarget(SetTargetOwned),
    SetGroupChannel(SetGroupChannelOwned),
}

/// What a miner says to a pool.
#[derive(Debug)]
pub(super) enum ClientMessage {
    Setup(SetupConnectionOwned),
    OpenExtended(OpenExtendedMiningChannelOwned),
    OpenStandard(OpenStandardMiningChannelOwned),
    Update(UpdateChannelOwned),
    Close(CloseChannelOwned),
    SubmitExtended(SubmitSharesExtendedOwned),
    SubmitStandard(SubmitSharesStandard),
}

impl ServerMessage {
    /// Reads a frame's message.
    pub(super) fn read(frame: Frame) -> Result<ServerMessage, MessageError> {
        let Frame { extension, kind, mut payload } = frame;
        if extension != 0 {
            return Err(MessageError::new("extension_type", format_args!("{extension:#06x}"), "0: none was asked for"));
        }
        let bytes = &mut payload;
        Ok(match kind {
            MESSAGE_TYPE_SETUP_CONNECTION_SUCCESS => {
                ServerMessage::SetupSuccess(parse::<SetupConnectionSuccess>("SetupConnection.Success", bytes)?)
            }
            MESSAGE_TYPE_SETUP_CONNECTION_ERROR => ServerMessage::SetupError(
                parse::<SetupConnectionError<'_>>("SetupConnection.Error", bytes)?.into_owned(),
            ),
            MESSAGE_TYPE_CHANNEL_ENDPOINT_CHANGED => {
                ServerMessage::EndpointChanged(parse::<ChannelEndpointChanged>("ChannelEndpointChanged", bytes)?)
            }
            MESSAGE_TYPE_RECONNECT => {
                ServerMessage::Reconnect(parse::<Reconnect<'_>>("Reconnect", bytes)?.into_owned())
            }
            mining::MESSAGE_TYPE_OPEN_EXTENDED_MINING_CHANNEL_SUCCESS => ServerMessage::OpenExtendedSuccess(
                parse::<OpenExtendedMiningChannelSuccess<'_>>("OpenExtendedMiningChannel.Success", bytes)?.into_owned(),
            ),
            mining::MESSAGE_TYPE_OPEN_STANDARD_MINING_CHANNEL_SUCCESS => ServerMessage::OpenStandardSuccess(
                parse::<OpenStandardMiningChannelSuccess<'_>>("OpenStandardMiningChannel.Success", bytes)?.into_owned(),
            ),
            mining::MESSAGE_TYPE_OPEN_MINING_CHANNEL_ERROR => ServerMessage::OpenError(
                parse::<OpenMiningChannelError<'_>>("OpenMiningChannel.Error", bytes)?.into_owned(),
            ),
            mining::MESSAGE_TYPE_UPDATE_CHANNEL_ERROR => {
                ServerMessage::UpdateError(parse::<UpdateChannelError<'_>>("UpdateChannel.Error", bytes)?.into_owned())
            }
            mining::MESSAGE_TYPE_CLOSE_CHANNEL => {
                ServerMessage::Close(parse::<CloseChannel<'_>>("CloseChannel", bytes)?.into_owned())
            }
            mining::MESSAGE_TYPE_SET_EXTRANONCE_PREFIX => ServerMessage::SetExtranoncePrefix(
                parse::<SetExtranoncePrefix<'_>>("SetExtranoncePrefix", bytes)?.into_owned(),
            ),
            mining::MESSAGE_TYPE_SUBMIT_SHARES_SUCCESS => {
                ServerMessage::SubmitSuccess(parse::<SubmitSharesSuccess>("SubmitShares.Success", bytes)?)
            }
            mining::MESSAGE_TYPE_SUBMIT_SHARES_ERROR => {
                ServerMessage::SubmitError(parse::<SubmitSharesError<'_>>("SubmitShares.Error", bytes)?.into_owned())
            }
            mining::MESSAGE_TYPE_NEW_EXTENDED_MINING_JOB => ServerMessage::ExtendedJob(
                parse::<NewExtendedMiningJob<'_>>("NewExtendedMiningJob", bytes)?.into_owned(),
            ),
            mining::MESSAGE_TYPE_NEW_MINING_JOB => {
                ServerMessage::StandardJob(parse::<NewMiningJob<'_>>("NewMiningJob", bytes)?.into_owned())
            }
            mining::MESSAGE_TYPE_MINING_SET_NEW_PREV_HASH => {
                ServerMessage::SetNewPrevHash(parse::<SetNewPrevHash<'_>>("SetNewPrevHash", bytes)?.into_owned())
            }
            mining::MESSAGE_TYPE_SET_TARGET => {
                ServerMessage::SetTarget(parse::<SetTarget<'_>>("SetTarget", bytes)?.into_owned())
            }
            mining::MESSAGE_TYPE_SET_GROUP_CHANNEL => {
                ServerMessage::SetGroupChannel(parse::<SetGroupChannel<'_>>("SetGroupChannel", bytes)?.into_owned())
            }
            other => {
                let what = "a message of the mining protocol, from a pool to a miner";
                return Err(MessageError::new("message type", format_args!("{other:#04x}"), what));
            }
        })
    }
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
            ServerMessage::StandardJob(message) => Some(message.channel_id),
            ServerMessage::SetNewPrevHash(message) => Some(message.channel_id),
            ServerMessage::SetTarget(message) => Some(message.channel_id),
            ServerMessage::SetupSuccess(_)
            | ServerMessage::SetupError(_)
            | ServerMessage::Reconnect(_)
            | ServerMessage::OpenExtendedSuccess(_)
            | ServerMessage::OpenStandardSuccess(_)
            | ServerMessage::OpenError(_)
            | ServerMessage::SetGroupChannel(_) => None,
        }
    }
}

impl fmt::Display for ServerMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ServerMessage::SetupSuccess(message) => message.fmt(f),
            ServerMessage::SetupError(message) => message.fmt(f),
            ServerMessage::EndpointChanged(message) => message.fmt(f),
            ServerMessage::Reconnect(message) => message.fmt(f),
            ServerMessage::OpenExtendedSuccess(message) => message.fmt(f),
            ServerMessage::OpenStandardSuccess(message) => message.fmt(f),
            ServerMessage::OpenError(message) => message.fmt(f),
            ServerMessage::UpdateError(message) => message.fmt(f),
            ServerMessage::Close(message) => message.fmt(f),
            ServerMessage::SetExtranoncePrefix(message) => message.fmt(f),
            ServerMessage::SubmitSuccess(message) => message.fmt(f),
            ServerMessage::SubmitError(message) => message.fmt(f),
            ServerMessage::ExtendedJob(message) => message.fmt(f),
            ServerMessage::StandardJob(message) => message.fmt(f),
            ServerMessage::SetNewPrevHash(message) => message.fmt(f),
            ServerMessage::SetTarget(message) => message.fmt(f),
            ServerMessage::SetGroupChannel(message) => message.fmt(f),
        }
    }
}

impl fmt::Display for ClientMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientMessage::Setup(message) => message.fmt(f),
            ClientMessage::OpenExtended(message) => message.fmt(f),
            ClientMessage::OpenStandard(message) => message.fmt(f),
            ClientMessage::Update(message) => message.fmt(f),
            ClientMessage::Close(message) => message.fmt(f),
            ClientMessage::SubmitExtended(message) => message.fmt(f),
            ClientMessage::SubmitStandard(message) => message.fmt(f),
        }
    }
}

/// Reads a message. What follows it is passed over: extensions may put something there.
fn parse<'a, T: binary_sv2::Deserialize<'a>>(name: &'static str, bytes: &'a mut [u8]) -> Result<T, MessageError> {
    let length = bytes.len();
    binary_sv2::from_bytes(bytes)
        .map_err(|error| MessageError::new(name, format_args!("{length} bytes, {error}"), "its fields, and no fewer"))
}

impl ClientMessage {
    /// A frame with its header, not encrypted.
    pub(super) fn into_bytes(self) -> Result<Vec<u8>, MessageError> {
        match self {
            ClientMessage::Setup(message) => {
                frame(message, MESSAGE_TYPE_SETUP_CONNECTION, CHANNEL_BIT_SETUP_CONNECTION)
            }
            ClientMessage::OpenExtended(message) => frame(
                message,
                mining::MESSAGE_TYPE_OPEN_EXTENDED_MINING_CHANNEL,
                mining::CHANNEL_BIT_OPEN_EXTENDED_MINING_CHANNEL,
            ),
            ClientMessage::OpenStandard(message) => frame(
                message,
                mining::MESSAGE_TYPE_OPEN_STANDARD_MINING_CHANNEL,
                mining::CHANNEL_BIT_OPEN_STANDARD_MINING_CHANNEL,
            ),
            ClientMessage::SubmitStandard(message) => {
                frame(message, mining::MESSAGE_TYPE_SUBMIT_SHARES_STANDARD, mining::CHANNEL_BIT_SUBMIT_SHARES_STANDARD)
            }
            ClientMessage::Update(message) => {
                frame(message, mining::MESSAGE_TYPE_UPDATE_CHANNEL, mining::CHANNEL_BIT_UPDATE_CHANNEL)
            }
            ClientMessage::Close(message) => {
                frame(message, mining::MESSAGE_TYPE_CLOSE_CHANNEL, mining::CHANNEL_BIT_CLOSE_CHANNEL)
            }
            ClientMessage::SubmitExtended(message) => {
                frame(message, mining::MESSAGE_TYPE_SUBMIT_SHARES_EXTENDED, mining::CHANNEL_BIT_SUBMIT_SHARES_EXTENDED)
            }
        }
    }
}

fn frame<T: Serialize + GetSize>(message: T, kind: u8, of_channel: bool) -> Result<Vec<u8>, MessageError> {
    let frame = MessageFrame::from_message(message, kind, 0, of_channel).map_err(codec_sv2::Error::from);
    let bytes = frame.and_then(|frame| Encoder::new().encode(frame));
    bytes.map_err(|error| MessageError::new("message", error, "one that fits in a frame"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use common_messages_sv2::Protocol;

    fn text(text: &str) -> binary_sv2::Str0255Owned {
        text.try_into().unwrap()
    }

    /// Written down with Python's `struct` from the specification's tables: little-endian numbers, texts and bytes after their length; before
    /// them the extension with the channel's bit on top, the type and the length.
    #[test]
    fn messages_are_written_as_the_specification_has_them() {
        let (channel_id, sequence_number, job_id) = (7, 1, 2);
        let (nonce, ntime, version) = (0x0102_0304, 0x0506_0708, 0x2000_0000);
        let (request_id, nominal_hash_rate) = (1, 1.0);
        for (message, expected) in [
            (
                ClientMessage::Setup(SetupConnectionOwned {
                    protocol: Protocol::MiningProtocol,
                    min_version: 2,
                    max_version: 2,
                    flags: 1,
                    endpoint_host: text("h"),
                    endpoint_port: 34254,
                    vendor: text("ab"),
                    hardware_version: text(""),
                    firmware: text("1"),
                    device_id: text(""),
                }),
                "0000001400000002000200010000000168ce8502616200013100".to_owned(),
            ),
            (
                ClientMessage::OpenExtended(OpenExtendedMiningChannelOwned {
                    request_id,
                    user_identity: text("me"),
                    nominal_hash_rate,
                    max_target: [0xff; 32].into(),
                    min_extranonce_size: 4,
                }),
                format!("0000132d000001000000026d650000803f{}0400", "ff".repeat(32)),
            ),
            (
                ClientMessage::OpenStandard(OpenStandardMiningChannelOwned {
                    request_id,
                    user_identity: text("me"),
                    nominal_hash_rate,
                    max_target: [0xff; 32].into(),
                }),
                format!("0000102b000001000000026d650000803f{}", "ff".repeat(32)),
            ),
            (
                ClientMessage::SubmitExtended(SubmitSharesExtendedOwned {
                    channel_id,
                    sequence_number,
                    job_id,
                    nonce,
                    ntime,
                    version,
                    extranonce: vec![0xaa, 0xbb].try_into().unwrap(),
                }),
                "00801b1b000007000000010000000200000004030201080706050000002002aabb".to_owned(),
            ),
            (
                ClientMessage::SubmitStandard(SubmitSharesStandard {
                    channel_id,
                    sequence_number,
                    job_id,
                    nonce,
                    ntime,
                    version,
                }),
                "00801a180000070000000100000002000000040302010807060500000020".to_owned(),
            ),
            (
                ClientMessage::Update(UpdateChannelOwned {
                    channel_id,
                    nominal_hash_rate,
                    maximum_target: [0xff; 32].into(),
                }),
                format!("008016280000070000000000803f{}", "ff".repeat(32)),
            ),
            (
                ClientMessage::Close(CloseChannelOwned { channel_id, reason_code: text("x") }),
                "008018060000070000000178".to_owned(),
            ),
        ] {
            let name = message.to_string();
            let expected: Vec<u8> = hex::decode_to_vec(&expected).unwrap();
            assert_eq!(message.into_bytes().unwrap(), expected, "{name}");
        }
    }

    #[test]
    fn messages_are_read_as_the_specification_has_them() {
        let read = |kind, hex: &str| {
            ServerMessage::read(Frame { extension: 0, kind, payload: hex::decode_to_vec(hex).unwrap() }).unwrap()
        };
        let hex = "0700000002000000013c000000000000200101000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f02000102010003";
        let ServerMessage::ExtendedJob(job) = read(0x1f, hex) else { panic!("it is a job") };
        assert_eq!((job.channel_id, job.job_id, job.min_ntime.into_inner()), (7, 2, Some(60)));
        assert_eq!((job.version, job.version_rolling_allowed), (0x2000_0000, true));
        assert_eq!(job.merkle_path.into_inner()[0].to_array(), std::array::from_fn(|i| i as u8));
        assert_eq!((job.coinbase_tx_prefix.as_bytes(), job.coinbase_tx_suffix.as_bytes()), (&[1, 2][..], &[3][..]));

        let ServerMessage::ExtendedJob(job) = read(0x1f, "07000000020000000000000020000000000000") else {
            panic!("it is a job")
        };
        assert_eq!((job.min_ntime.into_inner(), job.version_rolling_allowed), (None, false));

        let tip = format!("0700000002000000{}3c000000ffff001d", "aa".repeat(32));
        let ServerMessage::SetNewPrevHash(tip) = read(0x20, &tip) else { panic!("it is a block") };
        assert_eq!((tip.channel_id, tip.job_id, tip.prev_hash.to_array()), (7, 2, [0xaa; 32]));
        assert_eq!((tip.min_ntime, tip.nbits), (60, 0x1d00_ffff));
    }
}
