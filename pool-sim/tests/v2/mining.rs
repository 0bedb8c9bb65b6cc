//! A miner's day: from the handshake to its first block, on each kind of channel, and beside V1's miners.

use super::client::{Choice, Client, EASY, coinbase_root, header, plain, search, setup, target_of};
use bitcoin::hashes::Hash;
use mining_sv2::{
    MESSAGE_TYPE_CLOSE_CHANNEL, MESSAGE_TYPE_MINING_SET_NEW_PREV_HASH, MESSAGE_TYPE_NEW_EXTENDED_MINING_JOB,
    SubmitSharesStandard,
};
use pool_sim::pool::PoolEvent;

#[test]
fn a_session_from_the_handshake_to_a_block() {
    let setup = setup(|_| {});
    let mut client = Client::ready(&setup, 0);
    let mut channel = client.extended();
    assert_eq!((channel.opened.request_id, channel.opened.extranonce_size), (7, 8));
    assert_eq!(channel.opened.extranonce_prefix.as_bytes().len(), 4);
    assert_ne!(channel.opened.channel_id, channel.opened.group_channel_id);
    assert_eq!(channel.opened.target.to_array(), target_of(EASY));
    // The first job is for the future, and the block comes at once.
    assert_eq!((channel.job.channel_id, channel.job.min_ntime.clone().into_inner()), (channel.opened.channel_id, None));
    assert!(channel.job.version_rolling_allowed);
    assert_eq!((channel.tip.channel_id, channel.tip.job_id), (channel.opened.channel_id, channel.job.job_id));
    assert_eq!(channel.tip.prev_hash.to_array(), setup.node.tip().borrow().hash.to_byte_array());

    // A share with rolled bits, of those that BIP 323 adds to BIP 320's too.
    let rolled = Choice { rolled: 0x1fff_ffe0, seconds_later: 3, ..plain(1) };
    client.submit(channel.share(rolled));
    let accepted = client.accepted();
    assert_eq!((accepted.last_sequence_number, accepted.new_submits_accepted_count), (1, 1));
    let record = setup.share();
    assert_eq!((record.user.as_str(), record.verdict.is_ok()), ("alice", true));
    assert_eq!(record.extranonce1.as_deref(), Some(channel.opened.extranonce_prefix.as_bytes()));
    let judged = record.judged.unwrap();
    assert_eq!(judged.header.version.to_consensus().cast_unsigned(), channel.job.version ^ 0x1fff_ffe0);

    // A block is the next tip: a job for the future, and that it has begun; to the group, as it is for all.
    client.submit(channel.share(Choice { is_block: true, ..plain(2) }));
    assert_eq!(client.accepted().last_sequence_number, 2);
    let (job, tip) = (client.job(), client.tip());
    let group = channel.opened.group_channel_id;
    assert_eq!((job.channel_id, job.min_ntime.clone().into_inner()), (group, None));
    assert_eq!((tip.channel_id, tip.job_id), (group, job.job_id));
    let block = *setup.node.tip().borrow();
    assert_eq!((block.height, tip.prev_hash.to_array()), (17, block.hash.to_byte_array()));
    assert!(setup.events.try_iter().any(|event| matches!(event, PoolEvent::Block { height: 17, refused: None, .. })));
    (channel.job, channel.tip) = (job, tip);
    client.submit(channel.share(plain(3)));
    assert_eq!(client.accepted().last_sequence_number, 3);
}

#[test]
fn a_present_job_replaces_another_without_a_new_block() {
    let setup = setup(|config| config.renotify = std::time::Duration::from_millis(300));
    let mut client = Client::ready(&setup, 0);
    let mut channel = client.extended();
    let first = channel.share(plain(1));
    let next = client.job();
    assert!(next.min_ntime.clone().into_inner().is_some_and(|ntime| ntime >= channel.tip.min_ntime));
    assert_ne!(next.job_id, channel.job.job_id);
    assert_eq!(client.heard(MESSAGE_TYPE_MINING_SET_NEW_PREV_HASH), 0);
    channel.job = next;
    // Both are good: only a block voids a job.
    assert_eq!(client.verdict(first), None);
    assert_eq!(client.verdict(channel.share(plain(2))), None);
}

#[test]
fn on_a_standard_channel_the_root_is_the_pools() {
    let setup = setup(|_| {});
    let mut client = Client::ready(&setup, 1);
    let (opened, job, tip) = client.standard();
    assert_eq!((opened.request_id, job.min_ntime.clone().into_inner()), (8, None));
    assert_eq!((job.channel_id, tip.channel_id, tip.job_id), (opened.channel_id, opened.channel_id, job.job_id));
    let share =
        |job: &mining_sv2::NewMiningJobOwned, tip: &mining_sv2::SetNewPrevHashOwned, sequence_number, is_block| {
            let root = bitcoin::TxMerkleNode::from_byte_array(job.merkle_root.to_array());
            let nonce = search(header(tip, root, job.version, tip.min_ntime), is_block);
            let (channel_id, job_id, ntime, version) = (opened.channel_id, job.job_id, tip.min_ntime, job.version);
            SubmitSharesStandard { channel_id, sequence_number, job_id, nonce, ntime, version }
        };
    client.submit_standard(share(&job, &tip, 1, false));
    assert_eq!(client.accepted().last_sequence_number, 1);
    client.submit_standard(share(&job, &tip, 2, true));
    assert_eq!(client.accepted().last_sequence_number, 2);
    assert_eq!(setup.node.tip().borrow().height, 17);
    // The next job comes with a root too, and to the channel: the miner may know no groups.
    let (job, tip) = (client.root(), client.tip());
    assert_eq!((job.channel_id, tip.channel_id), (opened.channel_id, opened.channel_id));
    assert_eq!(client.heard(MESSAGE_TYPE_NEW_EXTENDED_MINING_JOB), 0);
    client.submit_standard(share(&job, &tip, 3, false));
    assert_eq!(client.accepted().last_sequence_number, 3);
}

/// What is said to a group is what each of its channels mines on, whatever its kind.
#[test]
fn a_group_is_told_once() {
    let setup = setup(|_| {});
    let mut client = Client::ready(&setup, 0);
    let mut channels = [client.extended(), client.extended()];
    let (standard, _, _) = client.standard();
    let group = standard.group_channel_id;
    assert!(channels.iter().all(|channel| channel.opened.group_channel_id == group));
    let whole = channels[0].opened.extranonce_prefix.as_bytes().len() + usize::from(channels[0].opened.extranonce_size);
    assert_eq!(standard.extranonce_prefix.as_bytes().len(), whole);
    setup.generate();
    let (job, tip) = (client.job(), client.tip());
    assert_eq!((job.channel_id, tip.channel_id), (group, group));
    for (at, channel) in channels.iter_mut().enumerate() {
        (channel.job, channel.tip) = (job.clone(), tip.clone());
        client.submit(channel.share(plain(at as u32)));
        let accepted = client.accepted();
        assert_eq!((accepted.channel_id, accepted.last_sequence_number), (channel.opened.channel_id, at as u32));
    }
    let root = coinbase_root(&job, standard.extranonce_prefix.as_bytes());
    let nonce = search(header(&tip, root, job.version, tip.min_ntime), false);
    let (channel_id, job_id, ntime, version) = (standard.channel_id, job.job_id, tip.min_ntime, job.version);
    client.submit_standard(SubmitSharesStandard { channel_id, sequence_number: 9, job_id, nonce, ntime, version });
    assert_eq!(client.accepted().channel_id, standard.channel_id);
    assert_eq!(client.heard(MESSAGE_TYPE_NEW_EXTENDED_MINING_JOB), 0);
    assert_eq!(client.heard(MESSAGE_TYPE_MINING_SET_NEW_PREV_HASH), 0);

    // With the group, all its channels end.
    let close = mining_sv2::CloseChannelOwned { channel_id: group, reason_code: "".try_into().unwrap() };
    client.send(close, MESSAGE_TYPE_CLOSE_CHANNEL, true);
    client.submit(channels[0].share(plain(10)));
    assert_eq!(client.refused(), (channels[0].opened.channel_id, 10, "invalid-channel-id".to_owned()));
}

#[test]
fn shares_that_come_at_once_are_acknowledged_at_once() {
    let setup = setup(|_| {});
    let mut client = Client::ready(&setup, 0);
    let channel = client.extended();
    let shares: Vec<_> = (1..=50).map(|number| channel.share(plain(number))).collect();
    for share in shares {
        client.submit(share);
    }
    let (mut count, mut messages) = (0, 0);
    while count < 50 {
        let accepted = client.accepted();
        count += accepted.new_submits_accepted_count;
        messages += 1;
        assert_eq!(accepted.last_sequence_number, count);
    }
    assert_eq!(count, 50);
    println!("{messages} messages");
}
