//! What a miner does with a pool whose jobs pay somebody else, or cannot be true. The pools are hand-written.
#![cfg(feature = "payout")]

mod common {
    pub(crate) mod joined;
    pub(crate) mod scripted;
}

use common::joined::{Miner, pool};
use common::scripted::{Pool, listener};
use midstate::upstream::{self, Event, PayoutError, PayoutWarning, SessionError};
use serde_json::{Value, json};
use std::net::TcpListener;

/// An address of regtest, and its script in an output.
const OURS: &str = "bcrt1qrxcucnxg57q5lrq8qnhjm2yg8sac3v3jejqq9h";
const OUR_OUTPUT: &str = "16001419b1cc4cc8a7814f8c0704ef2da8883c3b88b232";
/// Anybody's.
const THEIR_OUTPUT: &str = "0151";
/// The subsidy of regtest's first heights, in satoshis.
const SUBSIDY: u64 = 5_000_000_000;

/// The parameters of a `mining.notify` for a height from 17 to 127, on the tip of this number, whose coinbase has these outputs.
fn job(id: &str, height: u8, tip: u32, outputs: &[(&str, u64)]) -> Value {
    // Of the script's 10 bytes, eight are the extranonces.
    let coinbase1 = ["01000000", "01", &"00".repeat(32), "ffffffff", "0a", "01", &format!("{height:02x}")].concat();
    let output = |(script, value): &(&str, u64)| format!("{:016x}{script}", value.swap_bytes());
    let output: String = outputs.iter().map(output).collect();
    let coinbase2 = format!("ffffffff{:02x}{output}00000000", outputs.len());
    json!([
        id,
        format!("{tip:064x}"),
        coinbase1,
        coinbase2,
        ["11".repeat(32)],
        "20000000",
        "207fffff",
        "665f0000",
        true
    ])
}

/// One that is as it should be.
fn good(id: &str, height: u8, tip: u32) -> Value {
    job(id, height, tip, &[(OUR_OUTPUT, SUBSIDY)])
}

/// The pool at this port, held to pay.
fn held_to(port: u16, payout: &str) -> upstream::Pool {
    upstream::Pool { verify_payout: Some(payout.parse().unwrap()), ..pool(port) }
}

/// A session with a pool that is held to pay all to us.
fn session() -> (TcpListener, Pool, Miner) {
    let (listener, port) = listener();
    let mut miner = Miner::with([held_to(port, &format!("{OURS}:100%"))]);
    let pool = Pool::welcome(&listener);
    miner.connected();
    (listener, pool, miner)
}

/// Why the session ended, at the job of this id.
fn refused(miner: &mut Miner, id: &str) -> PayoutError {
    match miner.disconnected().0 {
        SessionError::Payout { job, error } if job == id => error,
        other => panic!("{other}"),
    }
}

#[test]
fn a_pool_that_pays_is_worked_for() {
    let (_listener, mut pool, mut miner) = session();
    for (id, height, tip) in [("1", 17, 1), ("2", 17, 1), ("3", 18, 2), ("4", 20, 4), ("5", 20, 5)] {
        pool.call("mining.notify", &good(id, height, tip));
        assert_eq!(miner.job().0.id, id);
    }
    // The same job under another mask.
    pool.call("mining.set_version_mask", &json!(["1fffe000"]));
    assert_eq!(miner.job().0.id, "5");
}

#[test]
fn a_pool_that_lies_is_left_at_once_and_nothing_is_done_for_it() {
    let cases: [(&str, Value, &[&str]); 8] = [
        (
            "somebody else",
            job("bad", 17, 1, &[(THEIR_OUTPUT, SUBSIDY)]),
            &[OURS, "0 BTC of 50 BTC (0 %)", "100 % at least"],
        ),
        (
            "too little",
            job("bad", 17, 1, &[(OUR_OUTPUT, SUBSIDY - 1), (THEIR_OUTPUT, 1)]),
            &["49.99999999 BTC of 50 BTC (99.9999 %)"],
        ),
        ("an old tip", good("bad", 17, 1), &["old tip", "height 17", "height 19"]),
        ("a height that jumps", good("bad", 40, 3), &["height: 40", "19"]),
        (
            "a reward that cannot be",
            job("bad", 20, 5, &[(OUR_OUTPUT, 21 * SUBSIDY)]),
            &["reward: 1050 BTC", "1000 BTC"],
        ),
        (
            "coins that do not exist",
            job("bad", 20, 5, &[(OUR_OUTPUT, u64::MAX)]),
            &["coinbase outputs", "21000000 BTC"],
        ),
        (
            "garbage",
            json!(["bad", "00".repeat(32), "01", "02", [], "20000000", "207fffff", "665f0000", true]),
            &["coinbase: "],
        ),
        ("no outputs", job("bad", 20, 5, &[]), &["coinbase outputs: none"]),
    ];
    std::thread::scope(|scope| {
        for (name, bad, words) in &cases {
            scope.spawn(move || {
                let (listener, mut pool, mut miner) = session();
                pool.call("mining.notify", &good("1", 17, 1));
                pool.call("mining.notify", &good("2", 19, 3));
                assert_eq!([miner.job().0.id.as_str(), &miner.job().0.id], ["1", "2"]);
                pool.call("mining.notify", bad);
                // The job itself was not said.
                let error = refused(&mut miner, "bad").to_string();
                assert!(words.iter().all(|word| error.contains(word)), "{name}: {error}");
                assert_eq!(pool.read(), None, "{name}");
                // It is tried again, and refused again, with growing pauses; until it mends its ways.
                let mut pauses = Vec::new();
                for _ in 0..2 {
                    let mut pool = Pool::welcome(&listener);
                    miner.connected();
                    // What is wrong only beside the jobs before it may come right with a new session.
                    let worse = job("worse", 20, 6, &[(THEIR_OUTPUT, SUBSIDY)]);
                    pool.call("mining.notify", &worse);
                    let (error, retry) = miner.disconnected();
                    assert!(matches!(&error, SessionError::Payout { job, .. } if job == "worse"), "{name}: {error}");
                    pauses.push(retry);
                }
                assert!(pauses[1] > pauses[0], "{name}: {pauses:?}");
                let mut pool = Pool::welcome(&listener);
                miner.connected();
                pool.call("mining.notify", &good("well", 20, 4));
                assert_eq!(miner.job().0.id, "well", "{name}");
            });
        }
    });
}

/// A pool that goes back to an old tip, and does so again in each session.
#[test]
fn an_old_tip_stays_old() {
    let (listener, mut pool, mut miner) = session();
    pool.call("mining.notify", &good("1", 17, 1));
    pool.call("mining.notify", &good("2", 18, 2));
    assert_eq!([miner.job().0.id.as_str(), &miner.job().0.id], ["1", "2"]);
    for _ in 0..2 {
        pool.call("mining.notify", &good("old", 17, 1));
        let error = refused(&mut miner, "old");
        assert!(matches!(error, PayoutError::OldTip { height: 17, highest: 18, .. }), "{error}");
        pool = Pool::welcome(&listener);
        miner.connected();
    }
    pool.call("mining.notify", &good("3", 19, 3));
    assert_eq!(miner.job().0.id, "3");
}

/// A good job before each bad one does not make it a pool to hurry back to.
#[test]
fn a_pool_that_lies_now_and_then_is_tried_less_and_less() {
    let (listener, mut pool, mut miner) = session();
    let mut pauses = Vec::new();
    for _ in 0..3 {
        pool.call("mining.notify", &good("1", 17, 1));
        assert_eq!(miner.job().0.id, "1");
        pool.call("mining.notify", &job("bad", 17, 1, &[(THEIR_OUTPUT, SUBSIDY)]));
        let (error, retry) = miner.disconnected();
        assert!(matches!(error, SessionError::Payout { .. }), "{error}");
        pauses.push(retry);
        if pauses.len() < 3 {
            pool = Pool::welcome(&listener);
            miner.connected();
        }
    }
    assert!(pauses.is_sorted() && pauses[2] > pauses[0], "{pauses:?}");
}

#[test]
fn the_next_pool_takes_a_liars_place_and_keeps_it() {
    let (liar, liar_port) = listener();
    let (honest, honest_port) = listener();
    let mut miner = Miner::with([held_to(liar_port, OURS), held_to(honest_port, OURS)]);
    let mut pool = Pool::welcome(&liar);
    miner.connected_to(liar_port);
    let bad = job("bad", 17, 1, &[(THEIR_OUTPUT, SUBSIDY)]);
    pool.call("mining.notify", &bad);
    assert!(matches!(miner.disconnected_from(liar_port), SessionError::Payout { .. }));

    let mut pool = Pool::welcome(&honest);
    miner.connected_to(honest_port);
    // Any amount is enough where no percentage is asked for.
    let shared = job("1", 17, 1, &[(THEIR_OUTPUT, SUBSIDY - 1), (OUR_OUTPUT, 1)]);
    pool.call("mining.notify", &shared);
    assert_eq!(miner.job().0.id, "1");
    // The liar is tried beside it, and is not well.
    for _ in 0..2 {
        let mut trial = Pool::welcome(&liar);
        trial.call("mining.notify", &bad);
        assert_eq!(trial.read(), None);
    }
    pool.call("mining.notify", &good("2", 18, 2));
    assert_eq!(miner.job().0.id, "2");
}

#[test]
fn coins_that_are_given_up_are_told_once() {
    let (_listener, mut pool, mut miner) = session();
    let less = |id: &str, height, tip| job(id, height, tip, &[(OUR_OUTPUT, SUBSIDY - 1)]);
    pool.call("mining.notify", &less("1", 17, 1));
    pool.call("mining.notify", &less("2", 18, 2));
    match miner.next() {
        Event::Payout { warning: PayoutWarning::Burnt { height, .. }, .. } => assert_eq!(height, 17),
        other => panic!("{other:?}"),
    }
    assert_eq!([miner.job().0.id.as_str(), &miner.job().0.id], ["1", "2"]);
}

#[test]
fn a_user_whose_name_is_an_address_is_warned_and_strictly_moved_on() {
    let (first, first_port) = listener();
    let (second, second_port) = listener();
    let named = |port, strict| {
        let mut pool = upstream::Pool { strict, ..pool(port) };
        pool.credentials.user = format!("{OURS}.rig1");
        pool
    };
    let elsewhere = |id: &str, height| job(id, height, u32::from(height), &[(THEIR_OUTPUT, SUBSIDY)]);

    let mut miner = Miner::with([named(first_port, false)]);
    let mut pool = Pool::welcome(&first);
    miner.connected();
    pool.call("mining.notify", &good("1", 17, 1));
    assert_eq!(miner.job().0.id, "1");
    for (id, height) in [("2", 18), ("3", 19)] {
        pool.call("mining.notify", &elsewhere(id, height));
    }
    match miner.next() {
        Event::Payout { url, warning } => {
            assert_eq!(url, common::scripted::url(first_port));
            let said = format!("the job's coinbase does not pay {OURS}; the pool may pay later");
            assert_eq!(warning.to_string(), said);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!([miner.job().0.id.as_str(), &miner.job().0.id], ["2", "3"]);
    drop((pool, miner));

    let mut miner = Miner::with([named(first_port, true), named(second_port, true)]);
    let mut pool = Pool::welcome(&first);
    miner.connected_to(first_port);
    pool.call("mining.notify", &elsewhere("2", 18));
    let error = miner.disconnected_from(first_port);
    assert!(matches!(&error, SessionError::Payout { error: PayoutError::Unpaid { .. }, .. }), "{error}");
    let mut pool = Pool::welcome(&second);
    miner.connected_to(second_port);
    pool.call("mining.notify", &good("3", 18, 18));
    assert_eq!(miner.job().0.id, "3");
}

/// Nobody asked: any coinbase is as good as any other.
#[test]
fn without_an_address_nothing_is_checked() {
    let (listener, port) = listener();
    let mut miner = Miner::with([upstream::Pool { strict: true, ..pool(port) }]);
    let mut pool = Pool::welcome(&listener);
    miner.connected();
    for (id, height, tip) in [("1", 17, 1), ("2", 100, 2), ("3", 17, 1)] {
        pool.call("mining.notify", &job(id, height, tip, &[(THEIR_OUTPUT, u64::MAX)]));
        assert_eq!(miner.job().0.id, id);
    }
    assert!(miner.events.try_recv().is_err());
}
