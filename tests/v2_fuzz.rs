//! The fuzz target `v2` as an ordinary test: on random bytes, and on a session with a few bytes or frames changed, which reach
//! further.
#![cfg(feature = "v2")]

#[path = "../fuzz/src/v2.rs"]
#[expect(unreachable_pub, reason = "it is the fuzz package's")]
mod body;

use binary_sv2::{GetSize, Serialize, Sv2OptionOwned, to_bytes};
use body::v2;
use common_messages_sv2::{
    ChannelEndpointChanged, MESSAGE_TYPE_CHANNEL_ENDPOINT_CHANGED, MESSAGE_TYPE_RECONNECT,
    MESSAGE_TYPE_SETUP_CONNECTION_SUCCESS, ReconnectOwned, SetupConnectionSuccess,
};
use mining_sv2 as mining;
use mining_sv2::{
    CloseChannelOwned, NewExtendedMiningJobOwned, NewMiningJobOwned, OpenExtendedMiningChannelSuccessOwned,
    OpenStandardMiningChannelSuccessOwned, SetExtranoncePrefixOwned, SetGroupChannelOwned, SetNewPrevHashOwned,
    SetTargetOwned, SubmitSharesErrorOwned, SubmitSharesSuccess, UpdateChannelErrorOwned,
};
use proptest::prelude::*;
use proptest::sample::Index;

const CHANNEL: u32 = 7;

fn frame(kind: u8, message: impl Serialize + GetSize) -> Vec<u8> {
    let payload = to_bytes(message).unwrap();
    [&[kind, 0], &(payload.len() as u16).to_le_bytes()[..], &payload].concat()
}

/// What the miner does.
fn act(kind: u8) -> Vec<u8> {
    vec![kind, 0, 0, 0]
}

fn extended_job(channel_id: u32, job_id: u32, min_ntime: Option<u32>) -> Vec<u8> {
    frame(
        mining::MESSAGE_TYPE_NEW_EXTENDED_MINING_JOB,
        NewExtendedMiningJobOwned {
            channel_id,
            job_id,
            min_ntime: Sv2OptionOwned::new(min_ntime),
            version: 0x2000_0000,
            version_rolling_allowed: true,
            merkle_path: vec![[8; 32].into()].try_into().unwrap(),
            coinbase_tx_prefix: vec![1, 2, 3].try_into().unwrap(),
            coinbase_tx_suffix: vec![4, 5, 6].try_into().unwrap(),
        },
    )
}

fn standard_job(channel_id: u32, job_id: u32, min_ntime: Option<u32>) -> Vec<u8> {
    let min_ntime = Sv2OptionOwned::new(min_ntime);
    let merkle_root = [3; 32].into();
    let job = NewMiningJobOwned { channel_id, job_id, min_ntime, version: 0x2000_0000, merkle_root };
    frame(mining::MESSAGE_TYPE_NEW_MINING_JOB, job)
}

const GROUP: u32 = 100;

/// The answer to a request for a channel of this kind.
fn opened(standard: bool, request_id: u32, channel_id: u32) -> Vec<u8> {
    let (target, extranonce_prefix) = ([0xff; 32].into(), vec![1, 2, 3, request_id as u8].try_into().unwrap());
    let group_channel_id = GROUP;
    if standard {
        let success = OpenStandardMiningChannelSuccessOwned {
            request_id,
            channel_id,
            target,
            extranonce_prefix,
            group_channel_id,
        };
        frame(mining::MESSAGE_TYPE_OPEN_STANDARD_MINING_CHANNEL_SUCCESS, success)
    } else {
        let success = OpenExtendedMiningChannelSuccessOwned {
            request_id,
            channel_id,
            target,
            extranonce_size: 8,
            extranonce_prefix,
            group_channel_id,
        };
        frame(mining::MESSAGE_TYPE_OPEN_EXTENDED_MINING_CHANNEL_SUCCESS, success)
    }
}

/// A whole session, frame by frame, on one channel of this kind, or on two of three that are asked for. The first item says which, and that
/// its messages are traced.
fn session(standard: bool, several: bool) -> Vec<Vec<u8>> {
    let channel_id = CHANNEL;
    let to = if several { GROUP } else { CHANNEL };
    let job = |job_id, min_ntime| {
        if standard { standard_job(to, job_id, min_ntime) } else { extended_job(to, job_id, min_ntime) }
    };
    let tip = |job_id| {
        let said =
            SetNewPrevHashOwned { channel_id: to, job_id, prev_hash: [9; 32].into(), min_ntime: 5, nbits: 0x1d00_ffff };
        frame(mining::MESSAGE_TYPE_MINING_SET_NEW_PREV_HASH, said)
    };
    let accepted = |last_sequence_number| {
        let (new_submits_accepted_count, new_shares_sum) = (1, 1);
        let success =
            SubmitSharesSuccess { channel_id, last_sequence_number, new_submits_accepted_count, new_shares_sum };
        frame(mining::MESSAGE_TYPE_SUBMIT_SHARES_SUCCESS, success)
    };
    let text = |text: &str| text.try_into().unwrap();
    vec![
        vec![2 + u8::from(standard) + 4 * u8::from(several)],
        frame(MESSAGE_TYPE_SETUP_CONNECTION_SUCCESS, SetupConnectionSuccess { used_version: 2, flags: 0 }),
        opened(standard, 1, CHANNEL),
        if several { opened(standard, 3, CHANNEL + 1) } else { Vec::new() },
        job(1, None),
        job(2, None),
        tip(1),
        act(0xf8),
        act(0xf8),
        act(0xf8),
        frame(
            mining::MESSAGE_TYPE_SUBMIT_SHARES_ERROR,
            SubmitSharesErrorOwned { channel_id, sequence_number: 2, error_code: text("stale-share") },
        ),
        accepted(3),
        frame(mining::MESSAGE_TYPE_SET_TARGET, SetTargetOwned { channel_id: GROUP, maximum_target: [7; 32].into() }),
        frame(
            mining::MESSAGE_TYPE_SET_EXTRANONCE_PREFIX,
            SetExtranoncePrefixOwned { channel_id, extranonce_prefix: vec![5].try_into().unwrap() },
        ),
        job(3, Some(60)),
        act(0xf8),
        act(0xfa),
        act(0xf9),
        frame(
            mining::MESSAGE_TYPE_SET_GROUP_CHANNEL,
            SetGroupChannelOwned { group_channel_id: 3, channel_ids: vec![CHANNEL].try_into().unwrap() },
        ),
        frame(
            mining::MESSAGE_TYPE_UPDATE_CHANNEL_ERROR,
            UpdateChannelErrorOwned { channel_id, error_code: text("invalid-nominal-hashrate") },
        ),
        frame(MESSAGE_TYPE_CHANNEL_ENDPOINT_CHANGED, ChannelEndpointChanged { channel_id }),
        job(4, None),
        tip(4),
        accepted(4),
        frame(MESSAGE_TYPE_RECONNECT, ReconnectOwned { new_host: text("pool.example"), new_port: 0 }),
        frame(
            mining::MESSAGE_TYPE_CLOSE_CHANNEL,
            CloseChannelOwned { channel_id: 3, reason_code: text("maintenance") },
        ),
    ]
}

#[test]
fn right_sessions() {
    for (standard, several) in [(false, false), (false, true), (true, false), (true, true)] {
        v2(&session(standard, several).concat());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn random_bytes(bytes: Vec<u8>) {
        v2(&bytes);
    }

    #[test]
    fn frames_changed(standard: bool, several: bool, changes in proptest::collection::vec((any::<Index>(), any::<Index>(), 0u8..3), 1..5)) {
        let mut frames = session(standard, several);
        for (from, to, what) in changes {
            let (from, to) = (1 + from.index(frames.len() - 1), 1 + to.index(frames.len() - 1));
            match what {
                0 => frames.swap(from, to),
                1 => frames.insert(to, frames[from].clone()),
                _ if frames.len() > 2 => drop(frames.remove(from)),
                _ => {}
            }
        }
        v2(&frames.concat());
    }

    #[test]
    fn bytes_changed(standard: bool, several: bool, changes in proptest::collection::vec((any::<Index>(), 0usize..2, any::<u8>()), 1..5)) {
        let mut bytes = session(standard, several).concat();
        for (at, removed, put) in changes {
            let at = 1 + at.index(bytes.len() - 2);
            bytes.splice(at..at + removed, [put]);
        }
        v2(&bytes);
    }
}
