//! Against what libzmq 4.3.5 sent to a subscriber of version 3.0, byte for byte; and against everything else.

use super::*;
use proptest::prelude::*;
use tokio::io::join;

/// Its greeting, and READY.
const HANDSHAKE: &str = "ff00000000000000017f03014e554c4c00000000000000000000000000000000\
                         0000000000000000000000000000000000000000000000000000000000000000\
                         04190552454144590b536f636b65742d5479706500000003505542";
/// A heartbeat: thirty deciseconds to live, and no context.
const PING: &str = "04070450494e47001e";
/// The topic, the hash of regtest's first block, and the count 7.
const ANNOUNCEMENT: &str =
    "010968617368626c6f636b01200f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206000407000000";
/// Of one whose hash has 300 bytes, what comes before these.
const LONG: &str = "010968617368626c6f636b03000000000000012c";
/// What we say, as RFC 23 has it: greeting, READY, what is subscribed to.
const OURS: &str = "ff00000000000000007f03004e554c4c00000000000000000000000000000000\
                    0000000000000000000000000000000000000000000000000000000000000000\
                    04190552454144590b536f636b65742d5479706500000003535542\
                    000a0168617368626c6f636b";

fn bytes(digits: &[&str]) -> Vec<u8> {
    hex::decode_to_vec(&digits.concat()).unwrap()
}

/// What is heard of a publisher that sends this and hangs up: messages, and the error at the end. And what was said to it.
fn hear(sent: &[u8]) -> (Vec<Vec<Vec<u8>>>, ZmqError, Vec<u8>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (mut messages, mut said) = (Vec::new(), Vec::new());
    let error = runtime.block_on(async {
        let mut publisher = Publisher::subscribe(join(sent, &mut said), TOPIC).await?;
        loop {
            messages.push(publisher.message().await?);
        }
        #[expect(unreachable_code, reason = "it says what an error is here")]
        Ok::<(), ZmqError>(())
    });
    (messages, error.unwrap_err(), said)
}

#[test]
fn libzmq_is_understood_and_answered() {
    let long = [bytes(&[LONG]), vec![0; 300], bytes(&["000408000000"])].concat();
    let sent = [bytes(&[HANDSHAKE, PING, ANNOUNCEMENT, PING]), long, bytes(&[ANNOUNCEMENT])].concat();
    let (messages, error, said) = hear(&sent);
    let tips: Vec<_> = messages.iter().map(|message| announced(message)).collect();
    let genesis = bitcoin::constants::genesis_block(bitcoin::Network::Regtest).block_hash();
    let genesis = Some(*AsRef::<[u8; 32]>::as_ref(&genesis));
    // A hash of 300 bytes is none.
    assert_eq!(tips, [genesis, None, genesis]);
    assert!(matches!(error, ZmqError::Closed), "{error}");
    let pong = "0405 04504f4e47".replace(' ', "");
    assert_eq!(said, bytes(&[OURS, &pong, &pong]));
}

#[test]
fn a_pings_context_comes_back() {
    let (_, _, said) = hear(&bytes(&[HANDSHAKE, "040b0450494e470000", "01020304"]));
    assert!(said.ends_with(&bytes(&["040904504f4e4701020304"])));
}

/// Wherever a connection ends, nothing before it is lost, and nothing is made up.
#[test]
fn an_end_anywhere_is_an_end() {
    let sent = bytes(&[HANDSHAKE, PING, ANNOUNCEMENT]);
    for end in 0..sent.len() {
        let (messages, error, _) = hear(&sent[..end]);
        assert!(messages.is_empty() && matches!(error, ZmqError::Closed), "{end}: {error}");
    }
    assert_eq!(hear(&sent).0.len(), 1);
}

#[test]
fn what_is_no_publisher_is_named() {
    let error = |sent: &[u8]| hear(sent).1.to_string();
    let greeting = &HANDSHAKE[..128];
    for (sent, words) in [
        (b"HTTP/1.1 400 Bad Request\r\n".to_vec(), "address of -zmqpubhashblock"),
        (bytes(&["ff00000000000000017f0101"]), "version 1"),
        (bytes(&[&HANDSHAKE.replace("4e554c4c", "504c4149")]), "mechanism \"PLAI\""),
        (bytes(&[&HANDSHAKE.replace("505542", "524550")]), "socket type \"REP\""),
        (bytes(&[greeting, "040a", "054552524f52", "03", "6e6f21"]), "refused: no!"),
        (bytes(&[greeting, "0000"]), "READY"),
        (bytes(&[HANDSHAKE, "08"]), "flags 0x08"),
        (bytes(&[HANDSHAKE, "02ffffffffffffffff"]), "18446744073709551615 bytes; expected 67108864"),
        (bytes(&[HANDSHAKE, "020000000003ffffff", "00"]), "closed"),
    ] {
        let said = error(&sent);
        assert!(said.contains(words), "{said}");
    }
}

/// Long frames and many parts are passed over, and what follows them is heard.
#[test]
fn what_is_long_is_passed_over() {
    let long = [bytes(&["02", "0000000000200000"]), vec![7; 0x20_0000]].concat();
    let many = [b"\x01\x01x".repeat(100_000), b"\0\x01x".to_vec()].concat();
    let (messages, ..) = hear(&[bytes(&[HANDSHAKE]), long, many, bytes(&[ANNOUNCEMENT])].concat());
    assert_eq!(
        messages.iter().map(|message| (message.len(), message[0].len())).collect::<Vec<_>>(),
        [(1, 512), (4, 1), (3, 9)]
    );
    assert!(announced(&messages[2]).is_some());
}

#[test]
fn only_announcements_announce() {
    let part = |length| vec![1; length];
    let topic = || TOPIC.to_vec();
    assert!(announced(&[topic(), part(32), part(4)]).is_some());
    for other in [
        vec![],
        vec![topic()],
        vec![topic(), part(32)],
        vec![topic(), part(31), part(4)],
        vec![topic(), part(33), part(4)],
        vec![topic(), part(32), part(3)],
        vec![topic(), part(32), part(4), part(0)],
        vec![b"hashblock2".to_vec(), part(32), part(4)],
        vec![b"hashtx".to_vec(), part(32), part(4)],
    ] {
        assert_eq!(announced(&other), None, "{other:?}");
    }
}

#[test]
fn urls_round_trip() {
    for url in ["tcp://127.0.0.1:28332", "tcp://[::1]:28332", "tcp://node.example:1"] {
        assert_eq!(url.parse::<ZmqUrl>().unwrap().to_string(), url);
    }
    for wrong in ["127.0.0.1:28332", "ipc:///run/zmq", "tcp://node", "tcp://:1", "tcp://*:28332", "tcp://node:0"] {
        let error = wrong.parse::<ZmqUrl>().unwrap_err().to_string();
        assert!(error.contains(wrong) && error.contains("expected tcp://HOST:PORT"), "{error}");
    }
    for wrong in ["tcp://me:horse@node:1", "tcp://me:horse@node", "ipc://me:horse@node", "me:horse@*:1"] {
        let error = wrong.parse::<ZmqUrl>().unwrap_err().to_string();
        assert!(error.contains("…@") && !error.contains("horse"), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// After a handshake or in its place, whatever comes: an end, and no more kept than is said.
    #[test]
    fn any_bytes_end_in_words(shaken: bool, sent: Vec<u8>) {
        let handshake = if shaken { bytes(&[HANDSHAKE]) } else { Vec::new() };
        let (messages, error, _) = hear(&[handshake, sent].concat());
        prop_assert!(messages.iter().all(|message| (1..=4).contains(&message.len()) && message.iter().all(|part| part.len() <= 512)));
        prop_assert!(error.to_string().len() < 400);
    }

    #[test]
    fn nearly_right_bytes_end_in_words(changes in proptest::collection::vec((any::<prop::sample::Index>(), 0usize..3, any::<u8>()), 1..4)) {
        let mut sent = bytes(&[HANDSHAKE, PING, ANNOUNCEMENT, ANNOUNCEMENT]);
        for (at, removed, put) in changes {
            let at = at.index(sent.len() - 3);
            sent.splice(at..at + removed, [put]);
        }
        let (messages, error, _) = hear(&sent);
        prop_assert!(messages.len() < sent.len() / 2 && error.to_string().len() < 400);
    }
}
