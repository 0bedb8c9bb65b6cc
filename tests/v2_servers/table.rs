//! What a pool of Stratum V2 does wrong.

use super::rig::{Scenario, ends, goes_on, odd, stranger, wire};
use crate::common::v2::{CHANNEL, GROUP, MIN_NTIME, NBITS, V2Pool, answer, job, now, target};
use binary_sv2::{Str0255Owned, Sv2OptionOwned};
use common_messages_sv2::{
    ChannelEndpointChanged, MESSAGE_TYPE_CHANNEL_ENDPOINT_CHANGED, MESSAGE_TYPE_RECONNECT,
    MESSAGE_TYPE_SETUP_CONNECTION, MESSAGE_TYPE_SETUP_CONNECTION_ERROR, MESSAGE_TYPE_SETUP_CONNECTION_SUCCESS,
    ReconnectOwned, SetupConnectionErrorOwned, SetupConnectionSuccess,
};
use mining_sv2 as mining;
use mining_sv2::{
    CloseChannelOwned, NewExtendedMiningJobOwned, NewMiningJobOwned, OpenExtendedMiningChannelSuccessOwned,
    OpenMiningChannelErrorOwned, OpenStandardMiningChannelSuccessOwned, SetGroupChannelOwned, SetNewPrevHashOwned,
    SetTargetOwned, UpdateChannelErrorOwned,
};
use std::io::Write;

fn text(text: &str) -> Str0255Owned {
    text.try_into().unwrap()
}

/// Offsets of the handshake's answer: the ephemeral key, the static key and its tag, the certificate and its tag.
const OFFSETS: [usize; 12] = [0, 1, 31, 63, 64, 127, 128, 143, 144, 153, 217, 233];

/// Below the frames: the handshake, its certificate, and bytes that are not what was sent.
pub(crate) fn handshake() -> Vec<Scenario> {
    let closed = "Noise handshake: the connection was closed; is Stratum V2 spoken at this port?";
    let not_noise = "Noise handshake: the answer cannot be decrypted";
    let mut table = vec![
        wire("it hangs up at once", "is Stratum V2 spoken at this port?", |_| {}).dropped(),
        wire("it hangs up after the first word", closed, |stream| drop(answer(stream, now(), 3600))).dropped(),
        wire("its answer is cut short", closed, |stream| {
            let (said, _) = answer(stream, now(), 3600);
            let _ = stream.write_all(&said[..100]);
        })
        .dropped(),
        wire("it never answers", "Noise handshake: after 4 s, no answer", |stream| drop(answer(stream, now(), 3600))),
        wire("it answers with half of it, and waits", "after 4 s, no answer", |stream| {
            let (said, _) = answer(stream, now(), 3600);
            let _ = stream.write_all(&said[..117]);
        }),
        wire("it speaks V1", "after 4 s, no answer", |stream| {
            let _ = stream.write_all(b"{\"id\":null,\"method\":\"mining.notify\",\"params\":[]}\n");
        }),
        wire("it speaks HTTP", not_noise, |stream| {
            let _ = stream.write_all(format!("HTTP/1.1 400 Bad Request\r\nX: {}\r\n\r\n", "y".repeat(300)).as_bytes());
        }),
        wire("it answers with zeros", not_noise, |stream| {
            let _ = stream.write_all(&[0; 234]);
        }),
        wire("its certificate expired", "the pool's certificate expired at", |stream| {
            let (said, _) = answer(stream, now() - 7200, 3600);
            let _ = stream.write_all(&said);
        }),
        wire("its certificate is of the future", "is this machine's clock right?", |stream| {
            let (said, _) = answer(stream, now() + 3600, 3600);
            let _ = stream.write_all(&said);
        }),
    ];
    table.extend(OFFSETS.map(|offset| {
        wire(format!("byte {offset} of its answer is changed"), not_noise, move |stream| {
            let (mut said, _) = answer(stream, now(), 3600);
            said[offset] ^= 1;
            let _ = stream.write_all(&said);
        })
    }));
    table
}

/// Frames that are cut, too long, or not what was sent.
pub(crate) fn frames() -> Vec<Scenario> {
    let tampered = "a frame cannot be decrypted";
    vec![
        stranger("garbage in place of a frame", tampered, |pool| pool.raw(&[7; 22])),
        stranger("a V1 line in place of a frame", tampered, |pool| {
            pool.raw(b"{\"id\":1,\"result\":true,\"error\":null}\n");
        }),
        ends("a header is cut", "within a frame, after 10 bytes", |pool| {
            let frame = pool.encrypted(mining::MESSAGE_TYPE_SET_TARGET, &[0; 36]);
            pool.raw(&frame[..10]);
        })
        .dropped(),
        ends("a payload is cut", "within a frame, after 40 bytes", |pool| {
            let frame = pool.encrypted(mining::MESSAGE_TYPE_SET_TARGET, &[0; 36]);
            pool.raw(&frame[..40]);
        })
        .dropped(),
        ends("a payload is missing", "within a frame, after 22 bytes", |pool| {
            let frame = pool.encrypted(mining::MESSAGE_TYPE_SET_TARGET, &[0; 36]);
            pool.raw(&frame[..22]);
        })
        .dropped(),
        ends("a header is changed", tampered, |pool| {
            let mut frame = pool.encrypted(mining::MESSAGE_TYPE_SET_TARGET, &[0; 36]);
            frame[3] ^= 1;
            pool.raw(&frame);
        }),
        ends("a payload is changed", tampered, |pool| {
            let mut frame = pool.encrypted(mining::MESSAGE_TYPE_SET_TARGET, &[0; 36]);
            frame[30] ^= 0x80;
            pool.raw(&frame);
        }),
        ends("a tag is changed", tampered, |pool| {
            let mut frame = pool.encrypted(mining::MESSAGE_TYPE_SET_TARGET, &[0; 36]);
            *frame.last_mut().unwrap() ^= 1;
            pool.raw(&frame);
        }),
        ends("a frame comes twice", tampered, |pool| {
            let frame = pool.encrypted(0xf0, &[0; 36]);
            pool.raw(&[&*frame, &*frame].concat());
        }),
        ends("two frames change places", tampered, |pool| {
            let [one, two] = [pool.encrypted(0xf0, &[0; 36]), pool.encrypted(0xf0, &[1; 36])];
            pool.raw(&[two, one].concat());
        }),
        ends("a frame is missing", tampered, |pool| {
            pool.encrypted(0xf0, &[0; 36]);
            let frame = pool.encrypted(0xf0, &[1; 36]);
            pool.raw(&frame);
        }),
        ends("a frame is longer than any message", "a frame of more than 270000 bytes", |pool| {
            pool.bytes(mining::MESSAGE_TYPE_NEW_EXTENDED_MINING_JOB, &vec![0; 300_000]);
        }),
        ends("a frame is as long as frames can be", "a frame of more than 270000 bytes", |pool| {
            pool.bytes(0xf0, &vec![0; (1 << 24) - 1]);
        }),
        goes_on("a frame comes byte by byte", "", |pool| {
            pool.stream.set_nodelay(true).unwrap();
            for byte in pool.encrypted(MESSAGE_TYPE_CHANNEL_ENDPOINT_CHANGED, &CHANNEL.to_le_bytes()) {
                pool.raw(&[byte]);
            }
        }),
    ]
}

/// On the way to the first job.
pub(crate) fn joining() -> Vec<Scenario> {
    vec![
        stranger("it does not answer SetupConnection", "has not answered SetupConnection for 4 s", |pool| {
            pool.expect(MESSAGE_TYPE_SETUP_CONNECTION);
        }),
        stranger("it opens no channel", "has not answered OpenMiningChannel for 4 s", |pool| {
            pool.set_up(0);
        }),
        stranger("it gives no job", "no job for 4 s", |pool| {
            pool.set_up(0);
            pool.open();
        }),
        stranger("it gives a job, and no block for it", "no job for 4 s", |pool| {
            pool.set_up(0);
            pool.open();
            pool.job(job(1, None));
        }),
        stranger("it is of another version", "used_version: 3; expected 2", |pool| {
            let success = SetupConnectionSuccess { used_version: 3, flags: 0 };
            pool.send(success, MESSAGE_TYPE_SETUP_CONNECTION_SUCCESS, false);
        }),
        stranger("its answer is empty", "SetupConnection.Success: 0 bytes", |pool| {
            pool.bytes(MESSAGE_TYPE_SETUP_CONNECTION_SUCCESS, &[]);
        }),
        stranger(
            "it opens a channel first",
            "OpenExtendedMiningChannel.Success; expected SetupConnection.Success first",
            |pool| {
                pool.opened(1, 8);
            },
        ),
        stranger("it sends it away at once", "the pool asked to reconnect to", |pool| reconnect(pool, "", 0)),
        stranger("it opens another channel", "OpenExtendedMiningChannel.Success; expected a channel first", |pool| {
            pool.set_up(0);
            pool.opened(99, 8);
        }),
        stranger(
            "it opens a standard channel",
            "OpenStandardMiningChannel.Success; expected a channel first",
            |pool| {
                pool.set_up(0);
                let success = OpenStandardMiningChannelSuccessOwned {
                    request_id: 1,
                    channel_id: CHANNEL,
                    target: target(0xff).into(),
                    extranonce_prefix: vec![1].try_into().unwrap(),
                    group_channel_id: GROUP,
                };
                pool.send(success, mining::MESSAGE_TYPE_OPEN_STANDARD_MINING_CHANNEL_SUCCESS, false);
            },
        ),
        stranger("nothing can meet its target", "target: 0; expected a target above 0", |pool| {
            pool.set_up(0);
            let success = OpenExtendedMiningChannelSuccessOwned {
                request_id: 1,
                channel_id: CHANNEL,
                target: [0; 32].into(),
                extranonce_size: 8,
                extranonce_prefix: vec![1].try_into().unwrap(),
                group_channel_id: GROUP,
            };
            pool.send(success, mining::MESSAGE_TYPE_OPEN_EXTENDED_MINING_CHANNEL_SUCCESS, false);
        }),
        stranger("an extranonce is longer than any", "extranonce_size: 200; expected 32 at most", |pool| {
            pool.set_up(0);
            pool.opened(1, 200);
        }),
    ]
}

/// Odd ways to begin, in which a session goes on.
pub(crate) fn beginnings() -> Vec<Scenario> {
    vec![
        odd("no extranonce is the miner's", "", |pool| {
            pool.set_up(0);
            pool.expect(mining::MESSAGE_TYPE_OPEN_EXTENDED_MINING_CHANNEL);
            pool.opened(1, 0);
        }),
        odd("more of the extranonce is the miner's than it rolls", "", |pool| {
            pool.set_up(0);
            pool.expect(mining::MESSAGE_TYPE_OPEN_EXTENDED_MINING_CHANNEL);
            pool.opened(1, 32);
        }),
        odd("it takes no version but the job's", "", |pool| {
            pool.set_up(1);
            pool.open();
        }),
        odd("it takes extended channels only", "", |pool| {
            pool.set_up(2);
            pool.open();
        }),
        odd("a job comes before the channel", "NewExtendedMiningJob; expected a channel first", |pool| {
            pool.set_up(0);
            pool.job(job(1, None));
            pool.open();
        }),
        odd("a job for now comes before the block", "min_ntime: 1700000000; expected a job for the future", |pool| {
            pool.set_up(0);
            pool.open();
            pool.job(job(1, Some(MIN_NTIME)));
        }),
    ]
}

/// Refusals of a connection and of a channel.
pub(crate) fn refusals() -> Vec<Scenario> {
    let mut table = Vec::new();
    for (code, hint) in [
        ("unsupported-feature-flags", "it does not support flags 0x4"),
        ("unsupported-protocol", "is this its port for miners?"),
        ("protocol-version-mismatch", "version 2 was offered"),
        ("\u{1b}[2Jbored", "the pool refused SetupConnection: \"\\u{1b}[2Jbored\""),
    ] {
        table.push(stranger(format!("it refuses a connection: {code}"), hint, move |pool| {
            pool.expect(MESSAGE_TYPE_SETUP_CONNECTION);
            let error = SetupConnectionErrorOwned { flags: 4, error_code: text(code) };
            pool.send(error, MESSAGE_TYPE_SETUP_CONNECTION_ERROR, false);
        }));
    }
    for (code, hint) in [
        ("unknown-user", "check --user"),
        ("invalid-user-identity", "check --user"),
        ("invalid-nominal-hashrate", "user \"alice\" a channel: \"invalid-nominal-hashrate\""),
        ("max-target-out-of-range", "check --minimum-difficulty"),
        ("channel-capacity-exhausted", "no room for more miners"),
        ("min-extranonce-size-too-large", "try --sv2-channel standard"),
        ("unsupported-min-extranonce-size", "try --sv2-channel standard"),
        ("standard-channels-not-supported-for-custom-work", "try --sv2-channel extended"),
        ("", "a channel: \"\""),
    ] {
        table.push(stranger(format!("it refuses a channel: {code:?}"), hint, move |pool| {
            pool.set_up(0);
            pool.expect(mining::MESSAGE_TYPE_OPEN_EXTENDED_MINING_CHANNEL);
            let error = OpenMiningChannelErrorOwned { request_id: 1, error_code: text(code) };
            pool.send(error, mining::MESSAGE_TYPE_OPEN_MINING_CHANNEL_ERROR, false);
        }));
    }
    table
}

fn reconnect(pool: &mut V2Pool, host: &str, port: u16) {
    pool.send(ReconnectOwned { new_host: text(host), new_port: port }, MESSAGE_TYPE_RECONNECT, false);
}

fn close(pool: &mut V2Pool, channel_id: u32) {
    let close = CloseChannelOwned { channel_id, reason_code: text("maintenance") };
    pool.send(close, mining::MESSAGE_TYPE_CLOSE_CHANNEL, true);
}

fn set_target(pool: &mut V2Pool, channel_id: u32, maximum: [u8; 32]) {
    let message = SetTargetOwned { channel_id, maximum_target: maximum.into() };
    pool.send(message, mining::MESSAGE_TYPE_SET_TARGET, true);
}

/// Messages that have no place in a session.
pub(crate) fn messages() -> Vec<Scenario> {
    vec![
        goes_on("a message of no type", "message type: 0xf0", |pool| pool.bytes(0xf0, &[1, 2, 3])),
        goes_on("a message that miners send", "message type: 0x1b", |pool| {
            pool.bytes(mining::MESSAGE_TYPE_SUBMIT_SHARES_EXTENDED, &[0; 60]);
        }),
        goes_on("a message for those who choose their work", "message type: 0x23", |pool| {
            pool.bytes(mining::MESSAGE_TYPE_SET_CUSTOM_MINING_JOB_SUCCESS, &[0; 12]);
        }),
        goes_on("a message of an extension", "extension_type: 0x0005; expected 0", |pool| {
            pool.send_of(5, ChannelEndpointChanged { channel_id: CHANNEL }, 1, false);
        }),
        goes_on(
            "a connection is set up again",
            "SetupConnection.Success; expected a message on an open channel",
            |pool| {
                let success = SetupConnectionSuccess { used_version: 2, flags: 1 };
                pool.send(success, MESSAGE_TYPE_SETUP_CONNECTION_SUCCESS, false);
            },
        ),
        goes_on("a channel is opened again", "OpenExtendedMiningChannel.Success; expected a message on", |pool| {
            pool.opened(1, 4);
        }),
    ]
}

/// Jobs in a session.
pub(crate) fn jobs() -> Vec<Scenario> {
    let with = |id, change: fn(&mut NewExtendedMiningJobOwned)| {
        move |pool: &mut V2Pool| {
            let mut changed = job(id, Some(MIN_NTIME));
            change(&mut changed);
            pool.job(changed);
        }
    };
    vec![
        goes_on(
            "a job for another channel",
            "channel_id: 99; expected the channel",
            with(2, |job| job.channel_id = 99),
        ),
        goes_on("a job without its end", "NewExtendedMiningJob: 9 bytes", |pool| {
            pool.bytes(mining::MESSAGE_TYPE_NEW_EXTENDED_MINING_JOB, &[0; 9]);
        }),
        goes_on("a job whose path is longer than it says", "NewExtendedMiningJob: ", |pool| {
            let start = [&CHANNEL.to_le_bytes()[..], &[2, 0, 0, 0, 0], &[0; 5], &[255]].concat();
            pool.bytes(mining::MESSAGE_TYPE_NEW_EXTENDED_MINING_JOB, &[&*start, &[0; 64]].concat());
        }),
        goes_on("a job with a merkle root", "NewMiningJob; expected NewExtendedMiningJob", |pool| {
            let job = NewMiningJobOwned {
                channel_id: CHANNEL,
                job_id: 2,
                min_ntime: Sv2OptionOwned::new(None),
                version: 1,
                merkle_root: [1; 32].into(),
            };
            pool.send(job, mining::MESSAGE_TYPE_NEW_MINING_JOB, true);
        }),
        goes_on("a job with a time before its block", "", with(2, |job| job.min_ntime = Sv2OptionOwned::new(Some(1)))),
        goes_on(
            "a job with the last time there is",
            "",
            with(2, |job| {
                job.min_ntime = Sv2OptionOwned::new(Some(u32::MAX));
            }),
        ),
        goes_on("a job with a fixed version", "", with(2, |job| job.version_rolling_allowed = false)),
        goes_on(
            "a job with as long a path as there is",
            "",
            with(2, |job| {
                job.merkle_path = vec![[7; 32].into(); 255].try_into().unwrap();
            }),
        ),
        goes_on(
            "a job with as long a coinbase as there is",
            "",
            with(2, |job| {
                job.coinbase_tx_prefix = vec![7; 65_535].try_into().unwrap();
                job.coinbase_tx_suffix = vec![7; 65_535].try_into().unwrap();
            }),
        ),
        goes_on("a job comes twice", "", |pool| {
            pool.job(job(2, None));
            pool.job(job(2, None));
            pool.tip(CHANNEL, 2, 2);
        }),
        goes_on("a hundred jobs, and the block of the last", "", |pool| {
            (100..200).for_each(|id| pool.job(job(id, None)));
            pool.tip(GROUP, 199, 9);
        }),
        ends("a hundred jobs, and the block of the first", "job_id: 100; expected a job for the future", |pool| {
            (100..200).for_each(|id| pool.job(job(id, None)));
            pool.tip(GROUP, 100, 9);
        }),
    ]
}

/// Blocks and targets in a session.
pub(crate) fn blocks() -> Vec<Scenario> {
    vec![
        ends("a block for a job that was never sent", "SetNewPrevHash: job_id: 55; expected", |pool| {
            pool.tip(CHANNEL, 55, 9);
        }),
        ends("a block for a job that is void", "job_id: 2; expected a job for the future", |pool| {
            pool.job(job(2, None));
            pool.job(job(3, None));
            pool.tip(CHANNEL, 3, 9);
            pool.tip(CHANNEL, 2, 10);
        }),
        ends("a block for the job that is worked on", "job_id: 1; expected a job for the future", |pool| {
            pool.tip(CHANNEL, 1, 9);
        }),
        goes_on("a block for another channel", "channel_id: 98", |pool| pool.tip(98, 1, 9)),
        goes_on("a block with a target that is none", "", |pool| {
            pool.job(job(2, None));
            let tip = SetNewPrevHashOwned {
                channel_id: CHANNEL,
                job_id: 2,
                prev_hash: [3; 32].into(),
                min_ntime: 0,
                nbits: 0xffff_ffff,
            };
            pool.send(tip, mining::MESSAGE_TYPE_MINING_SET_NEW_PREV_HASH, true);
        }),
        goes_on("a block without its end", "SetNewPrevHash: 40 bytes", |pool| {
            pool.bytes(mining::MESSAGE_TYPE_MINING_SET_NEW_PREV_HASH, &[0; 40]);
        }),
        goes_on("a target that nothing meets", "maximum_target: 0; expected a target above 0", |pool| {
            set_target(pool, CHANNEL, [0; 32]);
        }),
        goes_on("targets that jump", "", |pool| {
            let mut hardest = [0; 32];
            hardest[0] = 1;
            for (id, maximum) in [(2, hardest), (3, [0xff; 32]), (4, target(0)), (5, hardest)] {
                set_target(pool, GROUP, maximum);
                pool.job(job(id, Some(MIN_NTIME)));
            }
        }),
        goes_on("a target for another channel", "channel_id: 97", |pool| set_target(pool, 97, [0xff; 32])),
        goes_on("a prefix that is too long", "SetExtranoncePrefix: ", |pool| {
            let payload = [&CHANNEL.to_le_bytes()[..], &[200], &[1; 200]].concat();
            pool.bytes(mining::MESSAGE_TYPE_SET_EXTRANONCE_PREFIX, &payload);
        }),
    ]
}

/// What becomes of the channel.
pub(crate) fn channels() -> Vec<Scenario> {
    vec![
        goes_on("a group without the channel", "", |pool| {
            let group = SetGroupChannelOwned { group_channel_id: 5, channel_ids: vec![1, 2].try_into().unwrap() };
            pool.send(group, mining::MESSAGE_TYPE_SET_GROUP_CHANNEL, false);
            // The group is the one before.
            let mut to_group = job(2, Some(MIN_NTIME));
            to_group.channel_id = GROUP;
            pool.job(to_group);
        }),
        goes_on("the channel ends elsewhere", "", |pool| {
            let changed = ChannelEndpointChanged { channel_id: CHANNEL };
            pool.send(changed, MESSAGE_TYPE_CHANNEL_ENDPOINT_CHANGED, true);
        }),
        goes_on("it refuses a change of the hashrate", "UpdateChannel.Error: invalid-nominal-hashrate", |pool| {
            let error = UpdateChannelErrorOwned { channel_id: CHANNEL, error_code: text("invalid-nominal-hashrate") };
            pool.send(error, mining::MESSAGE_TYPE_UPDATE_CHANNEL_ERROR, true);
        }),
        goes_on("it closes another channel", "channel_id: 96", |pool| close(pool, 96)),
        ends("it closes the channel", "the pool closed the channel: \"maintenance\"", |pool| close(pool, CHANNEL)),
        ends("it closes the group", "the pool closed the channel: \"maintenance\"", |pool| close(pool, GROUP)),
        ends("it hangs up", "the pool closed the connection", |_| {}).dropped(),
        ends("it sends the miner to itself", "the pool asked to reconnect to", |pool| reconnect(pool, "", 0)),
        ends("it sends the miner to another name of itself", "reconnect to stratum2+tcp://localhost:", |pool| {
            let port = pool.stream.local_addr().unwrap().port();
            reconnect(pool, "localhost", port);
        }),
        ends("it sends the miner where nobody is", "cannot connect to stratum2+tcp://127.0.0.1:1/", |pool| {
            reconnect(pool, "127.0.0.1", 1);
        }),
        ends("nothing but nonsense", "30 messages one after the other that make no sense", |pool| {
            (0..40).for_each(|_| pool.bytes(0xf0, &[]));
        }),
        goes_on("nonsense with sense between", "message type: 0xf0", |pool| {
            for id in 2..6 {
                (0..20).for_each(|_| pool.bytes(0xf0, &[]));
                pool.job(job(id, Some(MIN_NTIME)));
            }
        }),
        goes_on("more events than a miner takes at once", "", |pool| {
            (2..500).for_each(|id| pool.job(job(id, Some(MIN_NTIME))));
        }),
        goes_on("a block whose bits are the network's easiest", "", |pool| {
            assert_eq!(NBITS, 0x1d00_ffff);
            pool.work(2);
        }),
    ]
}

/// What becomes of shares.
pub(crate) fn verdicts() -> Vec<Scenario> {
    let refused = |code: &'static str, says: &str| {
        goes_on(format!("a share is refused: {code:?}"), says, move |pool| {
            pool.job(job(2, Some(MIN_NTIME)));
            let number = pool.share().sequence_number;
            pool.refuse(number, code);
        })
    };
    vec![
        refused("stale-share", "rejected: stale-share (code 21)"),
        refused("invalid-job-id", "rejected: invalid-job-id (code 21)"),
        refused("duplicate-share", "rejected: duplicate-share (code 22)"),
        refused("difficulty-too-low", "rejected: difficulty-too-low (code 23)"),
        refused("invalid-channel-id", "rejected: invalid-channel-id (code 25)"),
        refused("invalid-share", "rejected: invalid-share (code 20)"),
        refused("bad-extranonce-size", "rejected: bad-extranonce-size (code 20)"),
        refused("version-rolling-not-allowed", "rejected: version-rolling-not-allowed (code 20)"),
        refused("", "rejected:  (code 20)"),
        goes_on("a share is refused twice", "sequence_number: 2; expected the number of a share", |pool| {
            pool.job(job(2, Some(MIN_NTIME)));
            let number = pool.share().sequence_number;
            pool.refuse(number, "stale-share");
            pool.refuse(number, "stale-share");
        }),
        goes_on("a share is refused after it was accepted", "sequence_number: 1; expected", |pool| {
            pool.refuse(1, "stale-share");
        }),
        goes_on("a share is accepted twice", "", |pool| pool.accept_all(1)),
        goes_on("a share is accepted that was never sent", "last_sequence_number: 99; expected", |pool| {
            pool.accept_all(99);
        }),
        goes_on("the last number there is was accepted", "last_sequence_number: 4294967295", |pool| {
            pool.accept_all(u32::MAX);
        }),
        goes_on("shares are accepted with one word", "", |pool| {
            (2..12).for_each(|id| pool.job(job(id, Some(MIN_NTIME))));
            let last = (2..12).map(|_| pool.share().sequence_number).last();
            pool.accept_all(last.unwrap());
        }),
        goes_on("some are refused, and the others accepted", "rejected: stale-share", |pool| {
            (2..12).for_each(|id| pool.job(job(id, Some(MIN_NTIME))));
            let numbers: Vec<_> = (2..12).map(|_| pool.share().sequence_number).collect();
            numbers.iter().step_by(2).for_each(|number| pool.refuse(*number, "stale-share"));
            pool.accept_all(*numbers.last().unwrap());
        }),
        ends("it accepts no share", "the pool rejected 30 shares one after the other", |pool| {
            for id in 2..32 {
                pool.job(job(id, Some(MIN_NTIME)));
                let number = pool.share().sequence_number;
                pool.refuse(number, "difficulty-too-low");
            }
        }),
        ends("it hangs up with shares on their way", "the pool closed the connection", |pool| {
            pool.job(job(2, Some(MIN_NTIME)));
            pool.share();
        })
        .dropped(),
        ends("a verdict on another channel, and the end", "channel_id: 95", |pool| {
            pool.bytes(mining::MESSAGE_TYPE_SUBMIT_SHARES_SUCCESS, &[&[95][..], &[0; 19]].concat());
            close(pool, CHANNEL);
        }),
    ]
}
