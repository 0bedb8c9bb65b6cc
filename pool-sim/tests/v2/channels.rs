//! How connections are set up and channels opened, what is asked for them, and what is refused.

use super::client::{Client, EASY, Setup, plain, read, setup, target_of};
use common_messages_sv2::{
    MESSAGE_TYPE_SETUP_CONNECTION_ERROR, MESSAGE_TYPE_SETUP_CONNECTION_SUCCESS, Protocol, SetupConnectionError,
    SetupConnectionOwned,
};
use midstate_stratum::Difficulty;
use mining_sv2 as mining;
use mining_sv2::{
    CloseChannelOwned, OpenExtendedMiningChannelOwned, OpenExtendedMiningChannelSuccess, OpenMiningChannelError,
    SetTarget, UpdateChannelError, UpdateChannelOwned,
};
use pool_sim::pool::PoolConfig;
use std::collections::HashSet;

fn refused_setup(change: impl FnOnce(&mut SetupConnectionOwned)) -> (String, u32) {
    let setup = setup(|_| {});
    let mut client = Client::connect(setup.address());
    client.set_up_with(change);
    let error = client
        .next_of(MESSAGE_TYPE_SETUP_CONNECTION_ERROR, |bytes| read::<SetupConnectionError<'_>>(bytes).into_owned());
    assert!(client.read().is_none(), "the pool goes on");
    let code = error.error_code.as_utf8_or_hex();
    assert_eq!(setup.left(), format!("its SetupConnection was refused: {code}"));
    (code, error.flags)
}

#[test]
fn connections_are_refused_with_the_reason() {
    for (flags, unsupported) in [(2, 2), (0xffff_ffff, 0xffff_fffa), (8, 8)] {
        let expected = ("unsupported-feature-flags".to_owned(), unsupported);
        assert_eq!(refused_setup(|setup| setup.flags = flags), expected);
    }
    for protocol in [Protocol::JobDeclarationProtocol, Protocol::TemplateDistributionProtocol] {
        assert_eq!(refused_setup(|setup| setup.protocol = protocol), ("unsupported-protocol".to_owned(), 0));
    }
    for (min, max) in [(3, 9), (0, 1), (5, 2)] {
        let refused = refused_setup(|setup| (setup.min_version, setup.max_version) = (min, max));
        assert_eq!(refused, ("protocol-version-mismatch".to_owned(), 0));
    }
    let setup = setup(|_| {});
    for (min, max, flags) in [(1, 3, 0), (2, 2, 1), (0, u16::MAX, 5)] {
        let mut client = Client::connect(setup.address());
        client.set_up_with(|setup| (setup.min_version, setup.max_version, setup.flags) = (min, max, flags));
        client.next_of(MESSAGE_TYPE_SETUP_CONNECTION_SUCCESS, |_| ());
    }
}

fn refused_channel(
    change: fn(&mut PoolConfig),
    flags: u32,
    ask: impl FnOnce(&mut OpenExtendedMiningChannelOwned),
) -> String {
    let setup = setup(change);
    let mut client = Client::ready(&setup, flags);
    client.ask_extended(|open| {
        open.request_id = 123;
        ask(open);
    });
    let kind = mining::MESSAGE_TYPE_OPEN_MINING_CHANNEL_ERROR;
    let error = client.next_of(kind, |bytes| read::<OpenMiningChannelError<'_>>(bytes).into_owned());
    assert_eq!(error.request_id, 123);
    // The connection goes on.
    if flags == 0 {
        client.extended();
    } else {
        client.standard();
    }
    error.error_code.as_utf8_or_hex()
}

#[test]
fn channels_are_refused_with_the_reason() {
    let fixed = |config: &mut PoolConfig| config.ports[1].fixed = true;
    let low = |config: &mut PoolConfig| config.ports[1].max = Difficulty::new(1e-3).ok();
    let expect = |code: &str, refused: String| assert_eq!(refused, code);
    expect("extended-channels-not-supported-for-standard-jobs", refused_channel(|_| {}, 1, |_| {}));
    expect("min-extranonce-size-too-large", refused_channel(|_| {}, 0, |open| open.min_extranonce_size = 9));
    expect("min-extranonce-size-too-large", refused_channel(|_| {}, 0, |open| open.min_extranonce_size = u16::MAX));
    for hashrate in [f32::NAN, f32::INFINITY, -1.0] {
        expect("invalid-nominal-hashrate", refused_channel(|_| {}, 0, |open| open.nominal_hash_rate = hashrate));
    }
    expect("max-target-out-of-range", refused_channel(|_| {}, 0, |open| open.max_target = [0; 32].into()));
    expect("max-target-out-of-range", refused_channel(fixed, 0, |open| open.max_target = target_of(1.0).into()));
    expect("max-target-out-of-range", refused_channel(low, 0, |open| open.max_target = target_of(1.0).into()));
    let no_text = |open: &mut OpenExtendedMiningChannelOwned| {
        open.user_identity = binary_sv2::Str0255Owned::try_from(vec![0xff, 0xfe]).unwrap();
    };
    expect("invalid-user-identity", refused_channel(|_| {}, 0, no_text));
}

/// The target of an extended channel that is opened so.
fn opened(setup: &Setup, hashrate: f32, most: [u8; 32]) -> [u8; 32] {
    let mut client = Client::ready(setup, 0);
    client.ask_extended(|open| (open.nominal_hash_rate, open.max_target) = (hashrate, most.into()));
    let kind = mining::MESSAGE_TYPE_OPEN_EXTENDED_MINING_CHANNEL_SUCCESS;
    client.next_of(kind, |bytes| read::<OpenExtendedMiningChannelSuccess<'_>>(bytes).into_owned()).target.to_array()
}

#[test]
fn a_miners_hashrate_and_target_are_honoured() {
    let plainly = setup(|_| {});
    // Where difficulty does not vary there is no rate of shares that it could be right for.
    for hashrate in [0.0, 1e12] {
        assert_eq!(opened(&plainly, hashrate, [0xff; 32]), target_of(EASY));
    }
    assert_eq!(opened(&plainly, 0.0, target_of(4.0)), target_of(4.0));
    // A target that no difficulty has: the next harder one is given.
    let mut odd = target_of(4.0);
    odd[0] = 1;
    assert_eq!(opened(&plainly, 0.0, odd)[..], target_of(4.0)[..]);

    let varied = setup(|config| config.ports[1].shares_per_minute = Some(60.0));
    // 2^256 / (0xffff × 2^208) hashes a second are one share of difficulty 1 a second.
    assert_eq!(opened(&varied, 4_295_032_833.0, [0xff; 32]), target_of(1.0));
    assert_eq!(opened(&varied, 4_295_032_833.0, target_of(16.0)), target_of(16.0));
    assert_eq!(opened(&varied, 0.0, [0xff; 32]), target_of(EASY));
}

fn target(client: &mut Client) -> (u32, [u8; 32]) {
    let said = client.next_of(mining::MESSAGE_TYPE_SET_TARGET, |bytes| read::<SetTarget<'_>>(bytes).into_owned());
    (said.channel_id, said.maximum_target.to_array())
}

fn update(client: &mut Client, channel_id: u32, nominal_hash_rate: f32, most: [u8; 32]) {
    let update = UpdateChannelOwned { channel_id, nominal_hash_rate, maximum_target: most.into() };
    client.send(update, mining::MESSAGE_TYPE_UPDATE_CHANNEL, true);
}

#[test]
fn a_channel_is_updated_and_jobs_keep_their_targets() {
    let setup = setup(|config| config.ports[1].max = Difficulty::new(1e6).ok());
    let mut client = Client::ready(&setup, 0);
    let mut channel = client.extended();
    let id = channel.opened.channel_id;
    update(&mut client, id, 1e6, target_of(2.0));
    assert_eq!(target(&mut client), (id, target_of(2.0)));
    let old = channel.share(plain(1));
    channel.job = client.job();
    assert!(channel.job.channel_id == id && channel.job.min_ntime.clone().into_inner().is_some());
    // The new job asks for more, the old one for what it always did.
    assert_eq!(client.verdict(channel.share(plain(2))).as_deref(), Some("difficulty-too-low"));
    assert_eq!(client.verdict(old), None);
    // Words that follow at once hold from the next job on, which is that of the next block.
    update(&mut client, id, 1e6, target_of(4.0));
    assert_eq!(target(&mut client), (id, target_of(4.0)));
    setup.generate();
    (channel.job, channel.tip) = (client.job(), client.tip());
    assert_eq!(channel.job.channel_id, channel.opened.group_channel_id);

    for (channel, hashrate, most, code) in [
        (99, 1.0, [0xff; 32], "invalid-channel-id"),
        (channel.opened.group_channel_id, 1.0, [0xff; 32], "invalid-channel-id"),
        (id, f32::NAN, [0xff; 32], "invalid-nominal-hashrate"),
        (id, 1.0, [0; 32], "max-target-out-of-range"),
        (id, 1.0, target_of(1e7), "max-target-out-of-range"),
    ] {
        update(&mut client, channel, hashrate, most);
        let kind = mining::MESSAGE_TYPE_UPDATE_CHANNEL_ERROR;
        let error = client.next_of(kind, |bytes| read::<UpdateChannelError<'_>>(bytes).into_owned());
        assert_eq!((error.channel_id, error.error_code.as_utf8_or_hex().as_str()), (channel, code));
    }
}

#[test]
fn a_hashrate_that_changes_brings_another_target() {
    let setup = setup(|config| config.ports[1].shares_per_minute = Some(60.0));
    let mut client = Client::ready(&setup, 0);
    client.ask_extended(|open| open.nominal_hash_rate = 4_295_032_833.0);
    let (job, _) = (client.job(), client.tip());
    // Less than twice as much is no news.
    update(&mut client, job.channel_id, 6e9, [0xff; 32]);
    update(&mut client, job.channel_id, 42_950_328_330.0, [0xff; 32]);
    assert_eq!(target(&mut client), (job.channel_id, target_of(10.0)));
    assert_ne!(client.job().job_id, job.job_id);
}

/// Every channel of every connection has a part of the extranonce for itself, as every miner of V1 has.
#[test]
fn channels_have_their_own_places() {
    let setup = setup(|_| {});
    let mut clients = [Client::ready(&setup, 0), Client::ready(&setup, 0)];
    let mut seen = HashSet::new();
    for client in &mut clients {
        let mut numbers = HashSet::new();
        for _ in 0..3 {
            let (extended, (standard, ..)) = (client.extended(), client.standard());
            let prefix = standard.extranonce_prefix.as_bytes();
            assert_eq!(prefix[4..], [0; 8]);
            assert!(
                seen.insert(extended.opened.extranonce_prefix.as_bytes().to_vec()) && seen.insert(prefix[..4].to_vec())
            );
            assert!(numbers.insert(extended.opened.channel_id) && numbers.insert(standard.channel_id));
        }
    }
    // A number is not given again, so that what is late is nobody else's.
    let [client, _] = &mut clients;
    let first = client.extended().opened.channel_id;
    let close = CloseChannelOwned { channel_id: first, reason_code: "done".try_into().unwrap() };
    client.send(close, mining::MESSAGE_TYPE_CLOSE_CHANNEL, true);
    assert_eq!(client.extended().opened.channel_id, first + 1);
}

#[test]
fn a_connection_has_so_many_channels_and_no_more() {
    let setup = setup(|config| config.limits.lines = 1_000_000);
    let mut client = Client::ready(&setup, 0);
    for _ in 0..1000 {
        client.ask_extended(|_| {});
    }
    client.ask_extended(|open| open.request_id = 1001);
    let kind = mining::MESSAGE_TYPE_OPEN_MINING_CHANNEL_ERROR;
    let error = client.next_of(kind, |bytes| read::<OpenMiningChannelError<'_>>(bytes).into_owned());
    assert_eq!((error.request_id, error.error_code.as_utf8_or_hex().as_str()), (1001, "channel-capacity-exhausted"));
}
