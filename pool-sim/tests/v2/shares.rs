//! Why shares are refused.

use super::client::{Choice, Client, Extended, plain, setup};
use mining_sv2::{SubmitSharesExtendedOwned, SubmitSharesStandard};
use pool_sim::pool::PoolConfig;
use std::time::Duration;

fn check(
    change: fn(&mut PoolConfig),
    share: fn(&mut Client, &Extended) -> SubmitSharesExtendedOwned,
) -> Option<String> {
    let setup = setup(change);
    let mut client = Client::ready(&setup, 0);
    let channel = client.extended();
    let share = share(&mut client, &channel);
    let verdict = client.verdict(share);
    // Whatever it was, the next one is good.
    assert_eq!(client.verdict(channel.share(plain(77))), None);
    verdict
}

fn changed(channel: &Extended, change: impl FnOnce(&mut SubmitSharesExtendedOwned)) -> SubmitSharesExtendedOwned {
    let mut share = channel.share(plain(2));
    change(&mut share);
    share
}

#[test]
fn each_refusal_has_its_code() {
    let refused = |code: &str, share| assert_eq!(check(|_| {}, share).as_deref(), Some(code));
    refused("invalid-channel-id", |_, channel| changed(channel, |share| share.channel_id = 99));
    refused("invalid-channel-id", |_, channel| {
        changed(channel, |share| share.channel_id = channel.opened.group_channel_id)
    });
    refused("invalid-job-id", |_, channel| changed(channel, |share| share.job_id = 9999));
    refused("bad-extranonce-size", |_, channel| {
        changed(channel, |share| share.extranonce = vec![0; 7].try_into().unwrap())
    });
    refused("bad-extranonce-size", |_, channel| {
        changed(channel, |share| share.extranonce = vec![].try_into().unwrap())
    });
    refused("invalid-share", |_, channel| channel.share(Choice { seconds_later: -1, ..plain(2) }));
    refused("invalid-share", |_, channel| channel.share(Choice { seconds_later: 7001, ..plain(2) }));
    for bit in [0, 4, 29, 31] {
        let setup = setup(|_| {});
        let mut client = Client::ready(&setup, 0);
        let channel = client.extended();
        let verdict = client.verdict(channel.share(Choice { rolled: 1 << bit, ..plain(2) }));
        assert_eq!(verdict.as_deref(), Some("invalid-non-rollable-version-bit"), "{bit}");
        let refusal = setup.share().verdict.unwrap_err();
        assert!(refusal.to_string().contains(&format!("version bits {:08x}", 1u32 << bit)), "{refusal}");
    }
    refused("duplicate-share", |client, channel| {
        let share = channel.share(plain(1));
        assert_eq!(client.verdict(share.clone()), None);
        SubmitSharesExtendedOwned { sequence_number: 2, ..share }
    });
}

#[test]
fn where_versions_are_fixed_none_is_rolled() {
    let setup = setup(|config| config.version_mask = 0);
    let mut client = Client::connect(setup.address());
    client.set_up(0);
    let (_, mut payload) = client.read().unwrap();
    assert_eq!(super::client::read::<common_messages_sv2::SetupConnectionSuccess>(&mut payload).flags, 1);
    let channel = client.extended();
    assert!(!channel.job.version_rolling_allowed);
    assert_eq!(client.verdict(channel.share(plain(1))), None);
    let verdict = client.verdict(channel.share(Choice { rolled: 1 << 20, ..plain(2) }));
    assert_eq!(verdict.as_deref(), Some("version-rolling-not-allowed"));
}

#[test]
fn a_share_is_stale_with_its_block_unless_there_is_grace() {
    for (grace, expected) in [(0, Some("stale-share".to_owned())), (60, None)] {
        let setup = setup(|config| config.stale_grace = Duration::from_secs(grace));
        let mut client = Client::ready(&setup, 0);
        let channel = client.extended();
        setup.generate();
        assert_eq!(client.verdict(channel.share(plain(1))), expected);
    }
}

/// Its target is that of the time when its job was sent.
#[test]
fn a_share_that_misses_its_target_is_too_easy() {
    let setup = setup(|config| config.ports[1].start = midstate_stratum::Difficulty::ONE);
    let mut client = Client::ready(&setup, 0);
    let channel = client.extended();
    assert_eq!(client.verdict(channel.share(plain(1))).as_deref(), Some("difficulty-too-low"));
    // A block is accepted whatever its target.
    assert_eq!(client.verdict(channel.share(Choice { is_block: true, ..plain(2) })), None);
}

#[test]
fn a_share_of_another_channel_is_none() {
    // No share here is a block.
    let setup = setup(|config| config.job_bits = Some(bitcoin::CompactTarget::from_consensus(0x1d00_ffff)));
    let (mut alice, mut mallory) = (Client::ready(&setup, 0), Client::ready(&setup, 0));
    let (hers, his) = (alice.extended(), mallory.extended());
    let second = mallory.extended();
    // The other channel's extranonce makes another header of it, and its number is another's on this connection.
    let stolen = hers.share(plain(1));
    assert_eq!(hers.opened.channel_id, his.opened.channel_id);
    mallory.submit(SubmitSharesExtendedOwned { channel_id: second.opened.channel_id, ..his.share(plain(2)) });
    // Every hash is a share here: it is one of the header with the channel's own extranonce, and not the same as his.
    assert_eq!(mallory.accepted().channel_id, second.opened.channel_id);
    let [first, other] = [setup.share(), {
        mallory.submit(his.share(plain(2)));
        mallory.accepted();
        setup.share()
    }];
    assert_ne!(first.judged.unwrap().hash, other.judged.unwrap().hash);
    assert_eq!(
        mallory.verdict(SubmitSharesExtendedOwned { channel_id: 9, ..stolen }).as_deref(),
        Some("invalid-channel-id")
    );
    // Nor is a standard channel's share one of an extended channel.
    mallory.submit_standard(SubmitSharesStandard {
        channel_id: his.opened.channel_id,
        sequence_number: 5,
        job_id: his.job.job_id,
        nonce: 0,
        ntime: his.tip.min_ntime,
        version: his.job.version,
    });
    assert_eq!(mallory.refused().2, "invalid-channel-id");
}
