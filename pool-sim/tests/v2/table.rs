//! What miners of Stratum V2 do wrong.

use super::client::{Client, begin, plain};
use super::hostile::{Case, ends, goes_on, stranger, wire};
use binary_sv2::Str0255Owned;
use common_messages_sv2 as common;
use mining_sv2 as mining;
use mining_sv2::{CloseChannelOwned, SubmitSharesExtendedOwned, SubmitSharesStandard, UpdateChannelOwned};
use noise_sv2::INITIATOR_EXPECTED_HANDSHAKE_MESSAGE_SIZE;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::time::Duration;

pub(super) fn all() -> Vec<Case> {
    [handshake(), frames(), order(), messages(), channels(), shares(), floods()].into_iter().flatten().collect()
}

/// Below the frames.
fn handshake() -> Vec<Case> {
    let cut = "no handshake in Noise: the connection was closed";
    let mut table =
        vec![
            wire("it never says a word", "no handshake in Noise: not within 10 s", |_| {}),
            wire("it says a byte and waits", "not within 10 s", |stream| drop(stream.write_all(&[7]))),
            wire("it says all but the last byte, and waits", "not within 10 s", |stream| {
                drop(stream.write_all(&begin(stream).0[..63]));
            }),
            wire("it says a byte a quarter of a second", "not within 10 s", |stream| {
                for byte in begin(stream).0 {
                    if stream.write_all(&[byte]).is_err() {
                        return;
                    }
                    std::thread::sleep(Duration::from_millis(250));
                }
            }),
            // Whatever 64 bytes there are stand for a key: it is the first frame that shows.
            wire("it speaks V1", "a frame cannot be decrypted", |stream| {
                drop(stream.write_all(
                    &b"{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[\"cgminer/4.12\"]}\n".repeat(5),
                ));
            }),
            wire("it speaks HTTP", "a frame cannot be decrypted", |stream| {
                drop(stream.write_all(format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "y".repeat(200)).as_bytes()));
            }),
            wire("it sends zeros", "a frame cannot be decrypted", |stream| drop(stream.write_all(&[0; 200]))),
            wire("it hangs up after its word", "the miner closed the connection", |stream| {
                drop(stream.write_all(&begin(stream).0));
                drop(stream.shutdown(Shutdown::Write));
            }),
        ];
    for cut_at in [1, 31, 32, 63] {
        table.push(wire(format!("its word is cut at byte {cut_at}"), cut, move |stream| {
            drop(stream.write_all(&begin(stream).0[..cut_at]));
            drop(stream.shutdown(Shutdown::Write));
        }));
    }
    // Any byte that is changed on the way makes another key of it, and what the pool answers is for that.
    for offset in 0..64 {
        table.push(wire(
            format!("byte {offset} of its word is changed"),
            "a frame cannot be decrypted",
            move |stream| {
                let (mut first, handshake) = begin(stream);
                first[offset] ^= 1 << (offset % 8);
                stream.write_all(&first).unwrap();
                let mut answer = [0; INITIATOR_EXPECTED_HANDSHAKE_MESSAGE_SIZE];
                stream.read_exact(&mut answer).unwrap();
                assert!(handshake.step_2(answer).is_err(), "offset {offset}");
                drop(stream.write_all(&[1; 22]));
            },
        ));
    }
    table
}

/// Bytes that are not what was sent, and frames of the wrong length.
fn frames() -> Vec<Case> {
    let tampered = "a frame cannot be decrypted: it was changed on its way";
    let mut table = vec![
        ends("a frame of a hundred kilobytes", "a frame of more than 16384 bytes", |client, _| {
            client.bytes(mining::MESSAGE_TYPE_SUBMIT_SHARES_EXTENDED, &vec![0; 100_000]);
        }),
        ends("a frame of a byte too many", "a frame of more than 16384 bytes", |client, _| {
            // Encryption adds 16 bytes to the header of 6, and 16 to what follows.
            client.bytes(mining::MESSAGE_TYPE_SUBMIT_SHARES_EXTENDED, &[0; 16_384 - 22 - 16 + 1]);
        }),
        goes_on("a frame as long as may be", "SubmitSharesExtended: ", |client, _| {
            client.bytes(mining::MESSAGE_TYPE_SUBMIT_SHARES_EXTENDED, &[0xff; 16_384 - 22 - 16]);
        }),
        ends("a frame that says it has 16 megabytes", "a frame of more than 16384 bytes", |client, _| {
            let mut frame = client.encrypted(mining::MESSAGE_TYPE_SUBMIT_SHARES_EXTENDED, &vec![0; (1 << 24) - 1]);
            frame.truncate(1000);
            client.raw(&frame);
        }),
        ends("a frame in the clear", tampered, |client, _| client.raw(&[0, 0, 0xf0, 0, 0, 0].repeat(8))),
        ends("a frame comes twice", tampered, |client, channel| {
            let share = channel.share(plain(5));
            let frame = client.encrypted(mining::MESSAGE_TYPE_CLOSE_CHANNEL, &[share.channel_id as u8; 5]);
            client.raw(&frame);
            client.raw(&frame);
        }),
        ends("a frame is left out", tampered, |client, channel| {
            let _ = client.encrypted(0xf0, &[]);
            client.submit(channel.share(plain(5)));
        }),
        goes_on("a frame without a message", "message type: 0xf0", |client, _| client.bytes(0xf0, &[])),
        goes_on("a frame a byte at a time", "message type: 0xf0", |client, _| {
            for byte in client.encrypted(0xf0, &[1, 2, 3]) {
                client.raw(&[byte]);
                std::thread::sleep(Duration::from_millis(5));
            }
        }),
    ];
    for at in [0, 5, 6, 21, 22, 40, 60] {
        table.push(ends(format!("byte {at} of a frame is changed"), tampered, move |client, _| {
            let mut frame = client.encrypted(mining::MESSAGE_TYPE_SUBMIT_SHARES_STANDARD, &[0; 24]);
            frame[at] ^= 0x10;
            client.raw(&frame);
        }));
    }
    for at in [1, 21, 22, 50] {
        let says = "the connection was closed within a frame, after";
        table.push(ends(format!("a frame is cut at byte {at}"), says, move |client, _| {
            let frame = client.encrypted(mining::MESSAGE_TYPE_SUBMIT_SHARES_STANDARD, &[0; 24]);
            client.raw(&frame[..at]);
            client.stream.shutdown(Shutdown::Write).unwrap();
        }));
    }
    table
}

/// Something else than `SetupConnection` comes first, or that is none.
fn order() -> Vec<Case> {
    vec![
        stranger("it hangs up after the handshake", "the miner closed the connection", |client| {
            client.stream.shutdown(Shutdown::Write).unwrap();
        }),
        stranger("a channel first", "OpenExtendedMiningChannel; expected SetupConnection first", |client| {
            client.ask_extended(|_| {});
        }),
        stranger("a share first", "SubmitSharesStandard; expected SetupConnection first", |client| {
            client.bytes(mining::MESSAGE_TYPE_SUBMIT_SHARES_STANDARD, &[0; 24]);
        }),
        stranger("a close first", "CloseChannel; expected SetupConnection first", |client| {
            client.bytes(mining::MESSAGE_TYPE_CLOSE_CHANNEL, &[0; 5]);
        }),
        stranger("an update first", "UpdateChannel; expected SetupConnection first", |client| {
            client.bytes(mining::MESSAGE_TYPE_UPDATE_CHANNEL, &[0; 40]);
        }),
        stranger("a message of no type first", "message type: 0xf0; expected", |client| client.bytes(0xf0, &[])),
        stranger("a pool's message first", "message type: 0x01; expected", |client| {
            client.bytes(common::MESSAGE_TYPE_SETUP_CONNECTION_SUCCESS, &[2, 0, 0, 0, 0, 0]);
        }),
        stranger("an extension first", "extension_type: 0x0001; expected 0", |client| {
            let close = CloseChannelOwned { channel_id: 1, reason_code: "".try_into().unwrap() };
            client.send_of(1, close, 0, false);
        }),
        stranger("half a SetupConnection", "SetupConnection: 8 bytes", |client| {
            client.bytes(common::MESSAGE_TYPE_SETUP_CONNECTION, &[0, 2, 0, 2, 0, 0, 0, 0]);
        }),
        stranger("a protocol that there is not", "SetupConnection: 18 bytes", |client| {
            let payload = [&[9, 2, 0, 2, 0, 0, 0, 0, 0][..], &[0; 9]].concat();
            client.bytes(common::MESSAGE_TYPE_SETUP_CONNECTION, &payload);
        }),
        stranger("a text longer than it says", "SetupConnection: ", |client| {
            client.bytes(common::MESSAGE_TYPE_SETUP_CONNECTION, &[0, 2, 0, 2, 0, 0, 0, 0, 0, 200, 1, 2]);
        }),
        stranger("custom work", "its SetupConnection was refused: unsupported-feature-flags", |client| {
            client.set_up(2);
        }),
        stranger("another version", "refused: protocol-version-mismatch", |client| {
            client.set_up_with(|setup| (setup.min_version, setup.max_version) = (1, 1));
        }),
        stranger("templates", "refused: unsupported-protocol", |client| {
            client.set_up_with(|setup| setup.protocol = common::Protocol::TemplateDistributionProtocol);
        }),
        goes_on("a connection is set up again", "message: SetupConnection; expected it once", |client, _| {
            client.set_up(0);
        }),
    ]
}

/// Messages that have no place in a session.
fn messages() -> Vec<Case> {
    let mut table = vec![
        goes_on("a message of an extension", "extension_type: 0x0005; expected 0", |client, _| {
            let close = CloseChannelOwned { channel_id: 1, reason_code: "".try_into().unwrap() };
            client.send_of(5, close, mining::MESSAGE_TYPE_CLOSE_CHANNEL, true);
        }),
        goes_on("work of its own", "message type: 0x22", |client, _| {
            client.bytes(mining::MESSAGE_TYPE_SET_CUSTOM_MINING_JOB, &[0; 100]);
        }),
        goes_on("a job from a miner", "message type: 0x1f", |client, _| {
            client.bytes(mining::MESSAGE_TYPE_NEW_EXTENDED_MINING_JOB, &[0; 100]);
        }),
        goes_on("ninety-nine messages that make no sense", "message type: 0xee", |client, _| {
            (0..99).for_each(|_| client.bytes(0xee, &[1]));
        }),
        ends("a hundred messages that make no sense", "too many unreadable", |client, _| {
            (0..100).for_each(|_| client.bytes(0xee, &[1]));
        }),
    ];
    for (kind, name) in [
        (mining::MESSAGE_TYPE_OPEN_STANDARD_MINING_CHANNEL, "OpenStandardMiningChannel"),
        (mining::MESSAGE_TYPE_OPEN_EXTENDED_MINING_CHANNEL, "OpenExtendedMiningChannel"),
        (mining::MESSAGE_TYPE_UPDATE_CHANNEL, "UpdateChannel"),
        (mining::MESSAGE_TYPE_CLOSE_CHANNEL, "CloseChannel"),
        (mining::MESSAGE_TYPE_SUBMIT_SHARES_STANDARD, "SubmitSharesStandard"),
        (mining::MESSAGE_TYPE_SUBMIT_SHARES_EXTENDED, "SubmitSharesExtended"),
    ] {
        for length in [0, 3] {
            let says = format!("{name}: {length} bytes");
            table.push(goes_on(format!("{name} of {length} bytes"), &says, move |client, _| {
                client.bytes(kind, &vec![0; length]);
            }));
        }
    }
    table
}

fn update(client: &mut Client, channel_id: u32, nominal_hash_rate: f32) {
    let update = UpdateChannelOwned { channel_id, nominal_hash_rate, maximum_target: [0xff; 32].into() };
    client.send(update, mining::MESSAGE_TYPE_UPDATE_CHANNEL, true);
}

fn close(client: &mut Client, channel_id: u32) {
    let close = CloseChannelOwned { channel_id, reason_code: "bored".try_into().unwrap() };
    client.send(close, mining::MESSAGE_TYPE_CLOSE_CHANNEL, true);
}

/// Channels that are opened, changed and closed in ways that make no sense.
fn channels() -> Vec<Case> {
    let answered = |name: &str, kind: u8, script: fn(&mut Client)| {
        goes_on(name, "", move |client, _| {
            script(client);
            client.next_of(kind, |_| ());
        })
    };
    let refused = mining::MESSAGE_TYPE_OPEN_MINING_CHANNEL_ERROR;
    vec![
        answered("a channel for a hashrate that is none", refused, |client| {
            client.ask_extended(|open| open.nominal_hash_rate = f32::NAN);
        }),
        answered("a channel for a target that nothing meets", refused, |client| {
            client.ask_extended(|open| open.max_target = [0; 32].into());
        }),
        answered("a channel with too much extranonce", refused, |client| {
            client.ask_extended(|open| open.min_extranonce_size = 33);
        }),
        answered("a channel for a user that is no text", refused, |client| {
            client.ask_extended(|open| open.user_identity = Str0255Owned::try_from(vec![0x80; 255]).unwrap());
        }),
        goes_on("a channel for a user with an odd name", "", |client, _| {
            client.ask_extended(|open| open.user_identity = "\u{1b}[2J\u{0}ž".try_into().unwrap());
            client.next_of(mining::MESSAGE_TYPE_OPEN_EXTENDED_MINING_CHANNEL_SUCCESS, |_| ());
        }),
        goes_on("the same request twice", "", |client, _| {
            client.extended();
            client.extended();
        }),
        answered("the fastest miner there is", mining::MESSAGE_TYPE_OPEN_EXTENDED_MINING_CHANNEL_SUCCESS, |client| {
            client.ask_extended(|open| open.nominal_hash_rate = f32::MAX);
        }),
        answered("an update of nobody's channel", mining::MESSAGE_TYPE_UPDATE_CHANNEL_ERROR, |client| {
            update(client, 0, 1.0);
        }),
        goes_on("nobody's channel is closed", "channel_id: 4294967295; expected", |client, _| close(client, u32::MAX)),
        goes_on("a channel is closed twice", "channel_id: 3; expected a channel that is open", |client, _| {
            client.extended();
            close(client, 3);
            close(client, 3);
        }),
    ]
}

/// Shares that are none.
fn shares() -> Vec<Case> {
    let refused = |name: &str, code: &'static str, change: fn(&mut SubmitSharesExtendedOwned)| {
        goes_on(name, "", move |client, channel| {
            let mut share = channel.share(plain(3));
            change(&mut share);
            client.submit(share);
            assert_eq!(client.refused().2, code);
        })
    };
    vec![
        refused("a share for channel 0", "invalid-channel-id", |share| share.channel_id = 0),
        refused("a share for the last channel there is", "invalid-channel-id", |share| share.channel_id = u32::MAX),
        refused("a share of job 0", "invalid-job-id", |share| share.job_id = 0),
        refused("a share of the last job there is", "invalid-job-id", |share| share.job_id = u32::MAX),
        refused("a share without extranonce", "bad-extranonce-size", |share| {
            share.extranonce = vec![].try_into().unwrap();
        }),
        refused("a share with all the extranonce there is", "bad-extranonce-size", |share| {
            share.extranonce = vec![0xff; 32].try_into().unwrap();
        }),
        refused("a share from the beginning of time", "invalid-share", |share| share.ntime = 0),
        refused("a share from its end", "invalid-share", |share| share.ntime = u32::MAX),
        refused("a share of no version", "invalid-non-rollable-version-bit", |share| share.version = 0),
        refused("a share of every version", "invalid-non-rollable-version-bit", |share| share.version = u32::MAX),
        goes_on("a share with the last number there is", "", |client, channel| {
            client.submit(SubmitSharesExtendedOwned { sequence_number: u32::MAX, ..channel.share(plain(4)) });
            assert_eq!(client.accepted().last_sequence_number, u32::MAX);
        }),
        goes_on("a share a hundred times", "", |client, channel| {
            let share = channel.share(plain(5));
            for _ in 0..100 {
                client.submit(share.clone());
            }
            assert_eq!(client.accepted().new_submits_accepted_count, 1);
            (0..99).for_each(|_| assert_eq!(client.refused().2, "duplicate-share"));
        }),
        goes_on("a standard channel's share of an extended one", "", |client, channel| {
            client.submit_standard(SubmitSharesStandard {
                channel_id: channel.opened.channel_id,
                sequence_number: 6,
                job_id: channel.job.job_id,
                nonce: 0,
                ntime: channel.tip.min_ntime,
                version: channel.job.version,
            });
            assert_eq!(client.refused().2, "invalid-channel-id");
        }),
        goes_on("an extranonce of 33 bytes", "SubmitSharesExtended: ", |client, channel| {
            let start = [&channel.opened.channel_id.to_le_bytes()[..], &[0; 20], &[33], &[0; 33]].concat();
            client.bytes(mining::MESSAGE_TYPE_SUBMIT_SHARES_EXTENDED, &start);
        }),
    ]
}

/// Much at once.
fn floods() -> Vec<Case> {
    vec![
        goes_on("five thousand updates", "", |client, channel| {
            for at in 0..5000 {
                update(client, channel.opened.channel_id, 1.5f32.powi(at % 60));
            }
        }),
        goes_on("five thousand shares of nobody", "", |client, channel| {
            let share = SubmitSharesExtendedOwned { channel_id: 99, ..channel.share(plain(1)) };
            for _ in 0..5000 {
                client.submit(share.clone());
            }
            (0..5000).for_each(|_| assert_eq!(client.refused().0, 99));
        }),
        goes_on("three thousand channels, one after the other", "", |client, channel| {
            for at in 1..3000 {
                client.ask_extended(|_| {});
                close(client, channel.opened.channel_id + at);
            }
        }),
        ends("it hears nothing that it asks for", "the miner took no line for 10 s", |client, channel| {
            client.stream.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
            let mut at = channel.opened.channel_id;
            while !client.is_stuck {
                at += 1;
                client.ask_extended(|_| {});
                close(client, at);
            }
            // The pool's patience is shorter.
            std::thread::sleep(Duration::from_secs(15));
        }),
    ]
}
