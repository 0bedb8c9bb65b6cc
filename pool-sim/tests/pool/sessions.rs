//! What a pool must keep straight between connections: whose extranonce1 it is, which share came before, which difficulty
//! judges a job, and why a share is refused.

use super::miner::{EXTRANONCE2, Miner, Setup, setup, share};
use midstate_stratum::Difficulty;
use pool_sim::pool::PoolEvent;
use serde_json::{Value, json};
use std::io::{ErrorKind, Write};
use std::time::{Duration, Instant};

/// No hash of these tests is a share.
const HARD: f64 = 1e6;

fn easy() -> Setup {
    setup(|_| {})
}

fn hard() -> Setup {
    setup(|config| config.ports[0].start = Difficulty::new(HARD).unwrap())
}

#[test]
fn a_resumed_session_is_judged_as_if_it_had_never_ended() {
    let setup = easy();
    let mut before = Miner::ready(&setup, None);
    let old = before.job();
    let first = share(&old, &before.extranonce1, 0, 0, false);
    assert_eq!(before.submit(&first), 0);
    let (session, extranonce1) = (before.session.clone(), before.extranonce1.clone());

    // While the first connection lives, its session is its own.
    let other = Miner::ready(&setup, Some(&session));
    assert_ne!(other.extranonce1, extranonce1);
    drop(before);

    let mut after = resumed(&setup, &session);
    assert_eq!(after.extranonce1, extranonce1);
    assert_eq!(after.submit(&first), 22);
    assert_eq!(after.submit(&share(&old, &extranonce1, 1, 0, false)), 0);
    // Its older jobs are good, and the new one is not the last one once more: it would find the same shares again.
    let new = after.job();
    assert_eq!((&new[8], &new[1]), (&json!(false), &old[1]));
    assert!(new[0] != old[0] && new[3] != old[3]);
}

/// A miner with that session, whose connection ended. The pool learns of that in its own time.
fn resumed(setup: &Setup, session: &str) -> Miner {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let miner = Miner::ready(setup, Some(session));
        if miner.session == session {
            return miner;
        }
        assert!(Instant::now() < deadline, "the session was not resumed");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_session_keeps_its_difficulty_and_learns_that_the_tip_moved() {
    let setup = easy();
    let mut before = Miner::ready(&setup, None);
    before.call(r#"{"id":2,"method":"mining.authorize","params":["alice","d=77"]}"#);
    setup.generate();
    while before.told("mining.set_difficulty") != json!([77]) {}
    let (session, extranonce1) = (before.session.clone(), before.extranonce1.clone());
    drop(before);
    setup.generate();
    let mut after = resumed(&setup, &session);
    assert_eq!(after.extranonce1, extranonce1);
    assert_eq!(after.told("mining.set_difficulty"), json!([77]));
    assert_eq!(after.job()[8], true);
    let resumed = setup.events.try_iter().filter(|event| matches!(event, PoolEvent::Subscribed { resumed: true, .. }));
    assert_eq!(resumed.count(), 1);
}

#[test]
fn ids_are_long_and_one_that_is_not_known_gets_a_new_session() {
    let setup = setup(|config| config.resume_within = Duration::ZERO);
    let first = Miner::ready(&setup, None);
    let session = first.session.clone();
    assert!(session.len() == 32 && session.bytes().all(|digit| digit.is_ascii_hexdigit()), "{session}");
    assert!(!session.contains(&first.extranonce1));
    drop(first);
    let left = setup.events.iter().any(|event| matches!(event, PoolEvent::Left { .. }));
    assert!(left);
    std::thread::sleep(Duration::from_millis(5));
    // Forgotten, forged, and what other pools have for one.
    for asked in [session.as_str(), "00000001", "deadbeefdeadbeefdeadbeefdeadbeef", "ž\u{0}"] {
        let mut miner = Miner::ready(&setup, Some(asked));
        assert!(miner.session != asked && miner.extranonce1 != "00000001");
        assert_eq!(miner.job()[8], true);
    }
}

#[test]
fn a_connection_that_is_silent_loses_its_session_to_who_knows_its_id() {
    let setup = setup(|config| config.silent_after = Duration::from_millis(50));
    let mut silent = Miner::ready(&setup, None);
    std::thread::sleep(Duration::from_millis(60));
    let after = Miner::ready(&setup, Some(&silent.session));
    assert_eq!(after.extranonce1, silent.extranonce1);
    // The old connection is ended, after what it was told before.
    silent.read_to_end();
    let why = setup.events.iter().find_map(|event| match event {
        PoolEvent::Left { session: 1, reason } => Some(reason),
        _ => None,
    });
    assert!(why.unwrap().contains("silent"));
}

#[test]
fn a_job_is_its_sessions_own() {
    let setup = easy();
    let mut alice = Miner::ready(&setup, None);
    let alices = alice.job();
    setup.generate();
    assert_ne!(alice.job()[0], alices[0]);
    // Who came later never had this job, whatever its name.
    let mut late = Miner::ready(&setup, None);
    assert_eq!(late.submit(&share(&alices, &late.extranonce1, 0, 0, false)), 21);
}

#[test]
fn every_refusal_has_its_code() {
    let setup = hard();
    let mut stranger = Miner::connect(&setup);
    assert_eq!(stranger.submit(&json!(["alice", "1", EXTRANONCE2, "00000000", "00000000"])), 25);
    stranger.call(r#"{"id":null,"method":"mining.subscribe","params":[]}"#);
    assert_eq!(stranger.submit(&json!(["alice", "1", EXTRANONCE2, "00000000", "00000000"])), 24);

    let mut miner = Miner::ready(&setup, None);
    let job = miner.job();
    let good = share(&job, &miner.extranonce1, 0, 0, false);
    let with = |at: usize, value: &str| {
        let mut share = good.clone();
        share[at] = json!(value);
        share
    };
    assert_eq!(miner.submit(&good), 23);
    assert_eq!(miner.submit(&with(0, "mallory")), 24);
    assert_eq!(miner.submit(&with(1, "none")), 21);
    let named = |miner: &mut Miner, share: &Value, field: &str| {
        let (code, why) = miner.refusal(share).unwrap();
        assert!(code == 20 && why.contains(field), "{share}: {code} {why}");
    };
    for extranonce2 in ["", "00", "000000000000000001", "0", "xx"] {
        named(&mut miner, &with(2, extranonce2), "extranonce2");
    }
    named(&mut miner, &with(4, "xyz"), "nonce");
    // A time before the job's, one too far ahead, and version bits where none were agreed on.
    for seconds in [-1, 7001] {
        let share = share(&job, &miner.extranonce1, seconds, 0, false);
        named(&mut miner, &share, "ntime");
    }
    let rolled = share(&job, &miner.extranonce1, 0, 0x2000, false);
    named(&mut miner, &rolled, "version bits");
    let long = json!({"id": 3, "method": "mining.authorize", "params": ["u".repeat(300), ""]}).to_string();
    assert!(miner.call(&long)["error"][1].as_str().unwrap().contains("user"));
}

#[test]
fn a_block_is_taken_whatever_the_share_would_be_refused_for() {
    // Too easy for a share; then too far ahead for one (the node allows two hours); then with a bit outside the mask.
    for (seconds_later, version_bits) in [(0, 0), (7100, 0), (0, 0x2000)] {
        let setup = hard();
        let mut miner = Miner::ready(&setup, None);
        let job = miner.job();
        let block = share(&job, &miner.extranonce1, seconds_later, version_bits, true);
        assert_eq!(miner.submit(&block), 0, "{seconds_later} s, {version_bits:x}");
        let tip = *setup.node.tip().borrow();
        assert_eq!(tip.height, 17);
        let header = setup.node.block(&tip.hash).unwrap().header;
        assert_eq!(header.version.to_consensus(), 0x2000_0000 | version_bits.cast_signed());
        assert_ne!(miner.submit(&block), 0);
        assert_eq!(miner.job()[8], true);
    }
}

#[test]
fn calls_sent_at_once_are_answered_in_order_and_nothing_comes_before_them() {
    let setup = easy();
    let mut miner = Miner::connect(&setup);
    // As the first line of all, and authorized before it subscribes.
    let calls = [
        r#"{"id":"c","method":"mining.configure","params":[["version-rolling"],{"version-rolling.mask":"3fffffff"}]}"#,
        r#"{"id":null,"method":"mining.authorize","params":["alice"]}"#,
        r#"{"id":[7],"method":"mining.extranonce.subscribe","params":[]}"#,
        r#"{"id":1.5,"method":"mining.subscribe","params":["hand"]}"#,
    ];
    miner.stream.write_all(format!("{}\r\n", calls.join("\r\n")).as_bytes()).unwrap();
    for id in [json!("c"), Value::Null, json!([7]), json!(1.5)] {
        let reply = miner.read();
        assert_eq!((&reply["id"], &reply["error"]), (&id, &Value::Null), "{reply}");
        if id == "c" {
            assert_eq!(reply["result"], json!({"version-rolling": true, "version-rolling.mask": "1fffe000"}));
        }
    }
    assert_eq!(miner.read()["method"], "mining.set_difficulty");
    assert_eq!(miner.read()["method"], "mining.notify");
}

#[test]
fn who_never_reads_keeps_nobody_waiting() {
    let setup = easy();
    let mut deaf = Miner::ready(&setup, None);
    deaf.stream.set_nonblocking(true).unwrap();
    // Until the pool, which cannot get rid of its answers, reads no more either.
    let ping = b"{\"id\":1,\"method\":\"mining.ping\",\"params\":[]}\n".repeat(1000);
    let mut refused = 0;
    while refused < 20 {
        match deaf.stream.write(&ping) {
            Ok(_) => refused = 0,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                refused += 1;
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(error) => panic!("{error}"),
        }
    }
    let begin = Instant::now();
    let mut miner = Miner::ready(&setup, None);
    let block = share(&miner.job(), &miner.extranonce1, 0, 0, true);
    assert_eq!(miner.submit(&block), 0);
    assert_eq!(miner.job()[8], true);
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
}
