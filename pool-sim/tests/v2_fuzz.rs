//! The fuzz target `v2_client` as an ordinary test: on random bytes, and on a session with a few bytes or frames changed, which reach
//! further.

#[path = "../../fuzz/src/v2_client.rs"]
#[expect(unreachable_pub, reason = "it is the fuzz package's")]
mod body;
#[path = "common/script.rs"]
mod script;

use body::v2_client;
use common_messages_sv2::{MESSAGE_TYPE_SETUP_CONNECTION, Protocol, SetupConnectionOwned};
use mining_sv2 as mining;
use mining_sv2::{
    CloseChannelOwned, OpenExtendedMiningChannelOwned, OpenStandardMiningChannelOwned, SubmitSharesExtendedOwned,
    SubmitSharesStandard, UpdateChannelOwned,
};
use proptest::prelude::*;
use proptest::sample::Index;
use script::{act, frame, moved};

/// A whole session, frame by frame, with one channel of each kind where the miner does not take roots only.
fn session(only_roots: bool) -> Vec<Vec<u8>> {
    let text = |text: &str| text.try_into().unwrap();
    let setup = SetupConnectionOwned {
        protocol: Protocol::MiningProtocol,
        min_version: 2,
        max_version: 2,
        flags: u32::from(only_roots),
        endpoint_host: text("h"),
        endpoint_port: 1,
        vendor: text("v"),
        hardware_version: text(""),
        firmware: text(""),
        device_id: text(""),
    };
    let (user_identity, nominal_hash_rate, max_target) = (text("alice"), 1e6, [0xff; 32].into());
    let standard = OpenStandardMiningChannelOwned { request_id: 1, user_identity, nominal_hash_rate, max_target };
    let (user_identity, max_target) = (text("bob"), [0xff; 32].into());
    let extended = OpenExtendedMiningChannelOwned {
        request_id: 2,
        user_identity,
        nominal_hash_rate,
        max_target,
        min_extranonce_size: 4,
    };
    let submit = |channel_id, sequence_number, job_id| {
        let (ntime, version) = (1_800_000_000, 0x2000_0000);
        let share = SubmitSharesStandard { channel_id, sequence_number, job_id, nonce: 1, ntime, version };
        frame(mining::MESSAGE_TYPE_SUBMIT_SHARES_STANDARD, share)
    };
    let submit_extended = |channel_id, sequence_number, job_id| {
        let (ntime, version, nonce) = (1_800_000_000, 0x2000_0000, 1);
        let extranonce = vec![0; 8].try_into().unwrap();
        let share =
            SubmitSharesExtendedOwned { channel_id, sequence_number, job_id, nonce, ntime, version, extranonce };
        frame(mining::MESSAGE_TYPE_SUBMIT_SHARES_EXTENDED, share)
    };
    let update = |channel_id, nominal_hash_rate| {
        let update = UpdateChannelOwned { channel_id, nominal_hash_rate, maximum_target: [0x7f; 32].into() };
        frame(mining::MESSAGE_TYPE_UPDATE_CHANNEL, update)
    };
    let close = |channel_id| {
        let close = CloseChannelOwned { channel_id, reason_code: text("x") };
        frame(mining::MESSAGE_TYPE_CLOSE_CHANNEL, close)
    };
    vec![
        frame(MESSAGE_TYPE_SETUP_CONNECTION, setup),
        frame(mining::MESSAGE_TYPE_OPEN_STANDARD_MINING_CHANNEL, standard),
        frame(mining::MESSAGE_TYPE_OPEN_EXTENDED_MINING_CHANNEL, extended),
        submit(2, 1, 1),
        submit_extended(3, 1, 1),
        submit_extended(3, 2, 1),
        act(0xf8),
        act(0xf9),
        update(2, 1e9),
        update(3, 1e3),
        submit(2, 2, 2),
        act(0xfa),
        act(0xfb),
        submit_extended(3, 3, 9),
        act(0xf8),
        close(3),
        submit_extended(3, 4, 1),
        close(1),
    ]
}

#[test]
fn right_sessions() {
    for only_roots in [false, true] {
        v2_client(&session(only_roots).concat());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn random_bytes(bytes: Vec<u8>) {
        v2_client(&bytes);
    }

    #[test]
    fn frames_changed(only_roots: bool, changes in proptest::collection::vec((any::<Index>(), any::<Index>(), 0u8..3), 1..5)) {
        v2_client(&moved(session(only_roots), changes));
    }

    #[test]
    fn bytes_changed(only_roots: bool, changes in proptest::collection::vec((any::<Index>(), 0usize..2, any::<u8>()), 1..5)) {
        let mut bytes = session(only_roots).concat();
        for (at, removed, put) in changes {
            let at = at.index(bytes.len() - 2);
            bytes.splice(at..at + removed, [put]);
        }
        v2_client(&bytes);
    }
}
