//! Pools that do what they should not: each is told or left, for a reason that the node tells; and one that is well mines on beside it.

use crate::client::{Client, connect};
use crate::rig::Rig;
use bitcoin::hashes::Hash;
use common_messages_sv2::Protocol;
use pool_sim::node::templates::TemplateEvent;
use std::io::{Read, Write};
use std::net::Shutdown;
use template_distribution_sv2::{
    MESSAGE_TYPE_COINBASE_OUTPUT_CONSTRAINTS as CONSTRAINTS, MESSAGE_TYPE_NEW_TEMPLATE as NEW_TEMPLATE,
    MESSAGE_TYPE_REQUEST_TRANSACTION_DATA as REQUEST, MESSAGE_TYPE_SUBMIT_SOLUTION as SOLUTION,
};

const SETUP: u8 = 0x00;
const TEMPLATES: Protocol = Protocol::TemplateDistributionProtocol;

/// Where a scenario begins.
#[derive(Clone, Copy, PartialEq)]
enum Stage {
    Handshake,
    SetUp,
    Open,
}
use Stage::{Handshake, Open, SetUp};

/// A name, where it begins, what is done, and what the node says of the connection's end.
type Scenario = (&'static str, Stage, fn(&mut Client), &'static str);

const ENDED: &[Scenario] = &[
    (
        "a miner",
        Handshake,
        |c| of(c, Protocol::MiningProtocol, (2, 2), 0, "unsupported-protocol"),
        "unsupported-protocol",
    ),
    (
        "a job declarator",
        Handshake,
        |c| of(c, Protocol::JobDeclarationProtocol, (2, 2), 0, "unsupported-protocol"),
        "unsupported-protocol",
    ),
    (
        "a protocol of tomorrow",
        Handshake,
        |c| {
            c.bytes(0, SETUP, &[3, 9, 9]);
            assert_eq!(c.refused(), ("unsupported-protocol".to_owned(), 0));
        },
        "unsupported-protocol",
    ),
    (
        "a version of yesterday",
        Handshake,
        |c| of(c, TEMPLATES, (1, 1), 0, "protocol-version-mismatch"),
        "protocol-version-mismatch",
    ),
    (
        "a version of tomorrow",
        Handshake,
        |c| of(c, TEMPLATES, (3, 9), 0, "protocol-version-mismatch"),
        "protocol-version-mismatch",
    ),
    (
        "versions the wrong way round",
        Handshake,
        |c| of(c, TEMPLATES, (3, 1), 0, "protocol-version-mismatch"),
        "protocol-version-mismatch",
    ),
    ("flags", Handshake, |c| of(c, TEMPLATES, (2, 2), 5, "unsupported-feature-flags"), "unsupported-feature-flags"),
    ("constraints first", Handshake, |c| c.constrain(0, 0), "CoinbaseOutputConstraints came; expected SetupConnection"),
    ("a request first", Handshake, |c| c.ask(1), "RequestTransactionData came; expected SetupConnection"),
    (
        "a request without constraints",
        SetUp,
        |c| c.ask(1),
        "RequestTransactionData came; expected CoinbaseOutputConstraints",
    ),
    (
        "a solution without constraints",
        SetUp,
        |c| c.bytes(0, SOLUTION, &[0; 22]),
        "SubmitSolution came; expected CoinbaseOutputConstraints",
    ),
    (
        "set up twice",
        SetUp,
        |c| c.say_setup(TEMPLATES, (2, 2), 0),
        "SetupConnection came; expected CoinbaseOutputConstraints",
    ),
    ("set up again", Open, |c| c.say_setup(TEMPLATES, (2, 2), 0), "SetupConnection came; expected it once"),
    ("a coinbase larger than a block", SetUp, |c| c.constrain(999_709, 0), "expected 999708 bytes at most"),
    ("the largest number", Open, |c| c.constrain(u32::MAX, u16::MAX), "coinbase_output_max_additional_size 4294967295"),
    ("an oversized frame", Open, |c| c.bytes(0, SOLUTION, &[0; 70_000]), "a frame of more than 66560 bytes"),
    (
        "the longest frame that there is",
        Open,
        |c| {
            let frame = c.encrypted(0, 0x7f, &vec![0; (1 << 24) - 1]);
            c.raw(&frame[..100_000]);
        },
        "a frame of more than 66560 bytes",
    ),
    (
        "a frame that was changed",
        Open,
        |c| {
            let mut frame = c.encrypted(0, REQUEST, &[0; 8]);
            frame[3] ^= 1;
            c.raw(&frame);
        },
        "a frame cannot be decrypted",
    ),
    (
        "a payload that was changed",
        Open,
        |c| {
            let mut frame = c.encrypted(0, REQUEST, &[0; 8]);
            *frame.last_mut().unwrap() ^= 0x80;
            c.raw(&frame);
        },
        "a frame cannot be decrypted",
    ),
    ("no Noise any more", Open, |c| c.raw(&[b'{'; 100]), "a frame cannot be decrypted"),
    (
        "a frame twice",
        Open,
        |c| {
            let frame = c.encrypted(0, 0x7f, &[]);
            c.raw(&[&frame[..], &frame].concat());
        },
        "a frame cannot be decrypted",
    ),
    (
        "half a frame",
        Open,
        |c| {
            let frame = c.encrypted(0, REQUEST, &[0; 8]);
            c.raw(&frame[..30]);
            c.stream.shutdown(Shutdown::Write).unwrap();
        },
        "the connection was closed within a frame, after 30 bytes of it",
    ),
    ("an end", Open, |c| c.stream.shutdown(Shutdown::Both).unwrap(), "the connection was closed"),
    ("an end before anything", Handshake, |c| c.stream.shutdown(Shutdown::Both).unwrap(), "the connection was closed"),
    (
        "nothing but nonsense",
        Open,
        |c| (0..30).for_each(|_| c.bytes(0, NEW_TEMPLATE, &[])),
        "too many messages that cannot be read",
    ),
    (
        "nonsense before the setup",
        Handshake,
        |c| (0..30).for_each(|_| c.bytes(0, 0xff, &[1])),
        "too many messages that cannot be read",
    ),
];

/// What is passed over: a name, what comes, and what the node says of it.
type Unread = (&'static str, u16, u8, &'static [u8], &'static str);

const UNREADABLE: &[Unread] = &[
    ("a message of nobody", 0, 0x7f, &[1, 2, 3], "message type: 0x7f"),
    ("a message of the node's", 0, NEW_TEMPLATE, &[], "message type: 0x71"),
    ("a message of a miner's", 0, 0x1b, &[0; 32], "message type: 0x1b"),
    ("an extension", 0x4001, REQUEST, &[0; 8], "extension_type: 0x4001"),
    ("extensions' own negotiation", 1, 0, &[0, 0, 0], "extension_type: 0x0001"),
    ("a request that is too short", 0, REQUEST, &[0; 7], "RequestTransactionData: 7 bytes"),
    ("constraints that are too short", 0, CONSTRAINTS, &[0; 5], "CoinbaseOutputConstraints: 5 bytes"),
    ("an empty solution", 0, SOLUTION, &[], "SubmitSolution: 0 bytes"),
    ("a solution whose coinbase is longer than the message", 0, SOLUTION, &[0xff; 30], "SubmitSolution: 30 bytes"),
    ("a setup cut short", 0, SETUP, &[2, 2, 0], "SetupConnection: 3 bytes"),
];

fn of(client: &mut Client, protocol: Protocol, versions: (u16, u16), flags: u32, code: &str) {
    client.say_setup(protocol, versions, flags);
    assert_eq!(client.refused(), (code.to_owned(), flags));
}

#[test]
fn a_pool_that_is_well_outlasts_every_other() {
    let rig = Rig::start();
    let (mut well, mut work) = Client::ready(rig.address);
    for (name, from, act, reason) in ENDED {
        let mut client = Client::connect(rig.address);
        if *from != Handshake {
            client.set_up();
        }
        if *from == Open {
            client.constrain(0, 0);
            client.work();
        }

        act(&mut client);
        let said = rig.left();
        assert!(said.contains(reason), "{name}: {said}");
        while client.read().is_some() {}
        well.submit(&work.solve(b"well"));
        assert_eq!(rig.verdict(), None, "after {name}");
        work = well.work();
        assert_eq!(work.tip.prev_hash.to_array(), rig.tip().to_byte_array());
    }
}

#[test]
fn what_cannot_be_read_is_passed_over() {
    let rig = Rig::start();
    let (mut client, work) = Client::ready(rig.address);
    assert!(matches!(rig.event(), TemplateEvent::Joined { .. }));
    for (name, extension, kind, payload, said) in UNREADABLE {
        client.bytes(*extension, *kind, payload);
        let TemplateEvent::Unreadable { error, .. } = rig.event() else { panic!("{name}") };
        assert!(error.contains(said) && error.len() < 300, "{name}: {error}");
    }
    // What follows a message is an extension's, and nobody's business.
    client.bytes(0, REQUEST, &[&work.id().to_le_bytes()[..], &[1, 2, 3]].concat());
    client.expect(template_distribution_sv2::MESSAGE_TYPE_REQUEST_TRANSACTION_DATA_SUCCESS);
    client.submit(&work.solve(&[1]));
    assert_eq!(rig.verdict(), None);
}

/// All of them wait until the node has enough of it.
#[test]
fn the_silent_are_left() {
    let rig = Rig::start();
    let mut silent = connect(rig.address);
    let mut half = connect(rig.address);
    half.write_all(&[7; 63]).unwrap();
    let mut shaken = Client::connect(rig.address);
    let mut set_up = Client::connect(rig.address);
    set_up.set_up();
    let (mut open, _) = Client::ready(rig.address);
    for _ in 0..4 {
        assert_eq!(rig.left(), "it said nothing for 10 s");
    }
    for stream in [&mut silent, &mut half] {
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    }
    assert!(shaken.read().is_none() && set_up.read().is_none());
    // It said all that it had to.
    let hash = rig.generate();
    assert_eq!(open.work().tip.prev_hash.to_array(), hash.to_byte_array());
}

/// Whatever comes as the first half of the handshake is one (ElligatorSwift): it is what follows that shows who does not know the key.
#[test]
fn what_is_no_handshake_ends() {
    let rig = Rig::start();
    for bytes in [&b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"[..], &[0; 200], &[0xff; 200]] {
        let mut stream = connect(rig.address);
        let long = bytes.repeat(64 / bytes.len() + 1);
        stream.write_all(&[&long[..], &[0x16; 600]].concat()).unwrap();
        assert_eq!(
            rig.left(),
            "a frame cannot be decrypted: it was changed on its way, or the connection is out of step"
        );
        let _ = stream.read_to_end(&mut Vec::new());
    }
    let mut stream = connect(rig.address);
    stream.write_all(&[5; 40]).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert!(rig.left().contains("the connection was closed"));
}

#[test]
fn so_many_and_no_more() {
    let rig = Rig::start();
    let (mut well, _) = Client::ready(rig.address);
    let connections: Vec<_> = (0..99).map(|_| connect(rig.address)).collect();
    let mut one_more = connect(rig.address);
    while !matches!(rig.event(), TemplateEvent::TurnedAway { .. }) {}
    assert_eq!(one_more.read(&mut [0]).unwrap(), 0);
    rig.generate();
    well.work();
    drop(connections);
    for _ in 0..99 {
        rig.left();
    }
    Client::ready(rig.address);
}
