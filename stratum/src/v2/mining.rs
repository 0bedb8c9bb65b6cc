//! The messages of the mining protocol (specification, sections 3 and 5).

use super::Frame;
use super::messages::messages;
use crate::message::MessageError;
use common_messages_sv2 as common;
use common_messages_sv2::{
    ChannelEndpointChanged, Reconnect, ReconnectOwned, SetupConnection, SetupConnectionError,
    SetupConnectionErrorOwned, SetupConnectionOwned, SetupConnectionSuccess,
};
use mining_sv2 as mining;
use mining_sv2::{
    CloseChannel, CloseChannelOwned, NewExtendedMiningJob, NewExtendedMiningJobOwned, NewMiningJob, NewMiningJobOwned,
    OpenExtendedMiningChannel, OpenExtendedMiningChannelOwned, OpenExtendedMiningChannelSuccess,
    OpenExtendedMiningChannelSuccessOwned, OpenMiningChannelError, OpenMiningChannelErrorOwned,
    OpenStandardMiningChannel, OpenStandardMiningChannelOwned, OpenStandardMiningChannelSuccess,
    OpenStandardMiningChannelSuccessOwned, SetExtranoncePrefix, SetExtranoncePrefixOwned, SetGroupChannel,
    SetGroupChannelOwned, SetNewPrevHash, SetNewPrevHashOwned, SetTarget, SetTargetOwned, SubmitSharesError,
    SubmitSharesErrorOwned, SubmitSharesExtended, SubmitSharesExtendedOwned, SubmitSharesStandard, SubmitSharesSuccess,
    UpdateChannel, UpdateChannelError, UpdateChannelErrorOwned, UpdateChannelOwned,
};

messages! {
    /// What a pool says to a miner.
    pub enum ServerMessage, "a message of the mining protocol, from a pool to a miner" {
        SetupSuccess(SetupConnectionSuccess) "SetupConnection.Success"
            common::MESSAGE_TYPE_SETUP_CONNECTION_SUCCESS, common::CHANNEL_BIT_SETUP_CONNECTION_SUCCESS;
        SetupError(SetupConnectionErrorOwned: SetupConnectionError) "SetupConnection.Error"
            common::MESSAGE_TYPE_SETUP_CONNECTION_ERROR, common::CHANNEL_BIT_SETUP_CONNECTION_ERROR;
        EndpointChanged(ChannelEndpointChanged) "ChannelEndpointChanged"
            common::MESSAGE_TYPE_CHANNEL_ENDPOINT_CHANGED, common::CHANNEL_BIT_CHANNEL_ENDPOINT_CHANGED;
        Reconnect(ReconnectOwned: Reconnect) "Reconnect"
            common::MESSAGE_TYPE_RECONNECT, common::CHANNEL_BIT_RECONNECT;
        OpenStandardSuccess(OpenStandardMiningChannelSuccessOwned: OpenStandardMiningChannelSuccess) "OpenStandardMiningChannel.Success"
            mining::MESSAGE_TYPE_OPEN_STANDARD_MINING_CHANNEL_SUCCESS, mining::CHANNEL_BIT_OPEN_STANDARD_MINING_CHANNEL_SUCCESS;
        OpenExtendedSuccess(OpenExtendedMiningChannelSuccessOwned: OpenExtendedMiningChannelSuccess) "OpenExtendedMiningChannel.Success"
            mining::MESSAGE_TYPE_OPEN_EXTENDED_MINING_CHANNEL_SUCCESS, mining::CHANNEL_BIT_OPEN_EXTENDED_MINING_CHANNEL_SUCCESS;
        OpenError(OpenMiningChannelErrorOwned: OpenMiningChannelError) "OpenMiningChannel.Error"
            mining::MESSAGE_TYPE_OPEN_MINING_CHANNEL_ERROR, mining::CHANNEL_BIT_OPEN_MINING_CHANNEL_ERROR;
        StandardJob(NewMiningJobOwned: NewMiningJob) "NewMiningJob"
            mining::MESSAGE_TYPE_NEW_MINING_JOB, mining::CHANNEL_BIT_NEW_MINING_JOB;
        ExtendedJob(NewExtendedMiningJobOwned: NewExtendedMiningJob) "NewExtendedMiningJob"
            mining::MESSAGE_TYPE_NEW_EXTENDED_MINING_JOB, mining::CHANNEL_BIT_NEW_EXTENDED_MINING_JOB;
        UpdateError(UpdateChannelErrorOwned: UpdateChannelError) "UpdateChannel.Error"
            mining::MESSAGE_TYPE_UPDATE_CHANNEL_ERROR, mining::CHANNEL_BIT_UPDATE_CHANNEL_ERROR;
        Close(CloseChannelOwned: CloseChannel) "CloseChannel"
            mining::MESSAGE_TYPE_CLOSE_CHANNEL, mining::CHANNEL_BIT_CLOSE_CHANNEL;
        SetExtranoncePrefix(SetExtranoncePrefixOwned: SetExtranoncePrefix) "SetExtranoncePrefix"
            mining::MESSAGE_TYPE_SET_EXTRANONCE_PREFIX, mining::CHANNEL_BIT_SET_EXTRANONCE_PREFIX;
        SubmitSuccess(SubmitSharesSuccess) "SubmitShares.Success"
            mining::MESSAGE_TYPE_SUBMIT_SHARES_SUCCESS, mining::CHANNEL_BIT_SUBMIT_SHARES_SUCCESS;
        SubmitError(SubmitSharesErrorOwned: SubmitSharesError) "SubmitShares.Error"
            mining::MESSAGE_TYPE_SUBMIT_SHARES_ERROR, mining::CHANNEL_BIT_SUBMIT_SHARES_ERROR;
        SetNewPrevHash(SetNewPrevHashOwned: SetNewPrevHash) "SetNewPrevHash"
            mining::MESSAGE_TYPE_MINING_SET_NEW_PREV_HASH, mining::CHANNEL_BIT_MINING_SET_NEW_PREV_HASH;
        SetTarget(SetTargetOwned: SetTarget) "SetTarget"
            mining::MESSAGE_TYPE_SET_TARGET, mining::CHANNEL_BIT_SET_TARGET;
        SetGroupChannel(SetGroupChannelOwned: SetGroupChannel) "SetGroupChannel"
            mining::MESSAGE_TYPE_SET_GROUP_CHANNEL, mining::CHANNEL_BIT_SET_GROUP_CHANNEL;
    }
}

messages! {
    /// What a miner says to a pool.
    pub enum ClientMessage, "a message of the mining protocol, from a miner to a pool" {
        Setup(SetupConnectionOwned: SetupConnection) "SetupConnection"
            common::MESSAGE_TYPE_SETUP_CONNECTION, common::CHANNEL_BIT_SETUP_CONNECTION;
        OpenStandard(OpenStandardMiningChannelOwned: OpenStandardMiningChannel) "OpenStandardMiningChannel"
            mining::MESSAGE_TYPE_OPEN_STANDARD_MINING_CHANNEL, mining::CHANNEL_BIT_OPEN_STANDARD_MINING_CHANNEL;
        OpenExtended(OpenExtendedMiningChannelOwned: OpenExtendedMiningChannel) "OpenExtendedMiningChannel"
            mining::MESSAGE_TYPE_OPEN_EXTENDED_MINING_CHANNEL, mining::CHANNEL_BIT_OPEN_EXTENDED_MINING_CHANNEL;
        Update(UpdateChannelOwned: UpdateChannel) "UpdateChannel"
            mining::MESSAGE_TYPE_UPDATE_CHANNEL, mining::CHANNEL_BIT_UPDATE_CHANNEL;
        Close(CloseChannelOwned: CloseChannel) "CloseChannel"
            mining::MESSAGE_TYPE_CLOSE_CHANNEL, mining::CHANNEL_BIT_CLOSE_CHANNEL;
        SubmitStandard(SubmitSharesStandard) "SubmitSharesStandard"
            mining::MESSAGE_TYPE_SUBMIT_SHARES_STANDARD, mining::CHANNEL_BIT_SUBMIT_SHARES_STANDARD;
        SubmitExtended(SubmitSharesExtendedOwned: SubmitSharesExtended) "SubmitSharesExtended"
            mining::MESSAGE_TYPE_SUBMIT_SHARES_EXTENDED, mining::CHANNEL_BIT_SUBMIT_SHARES_EXTENDED;
    }
}

impl ServerMessage {
    /// The error of one that came when something else should have.
    pub fn unexpected(&self, expected: &'static str) -> MessageError {
        MessageError::new("message", self.name(), expected)
    }

    /// Which channel or group it is said to, if to one.
    pub fn channel(&self) -> Option<u32> {
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
