//! Several pools in order: who takes whose place, and the way back. The pools are hand-written.

mod common {
    pub(crate) mod joined;
    pub(crate) mod scripted;
}

use common::joined::{Miner, share};
use common::scripted::{Pool, job, listener, url};
use midstate::upstream::{Event, SessionError};
use serde_json::json;
use std::net::TcpListener;

#[test]
fn the_second_takes_the_firsts_place_until_that_is_well_again() {
    let (first, first_port) = listener();
    let (second, second_port) = listener();
    drop(first);
    let mut miner = Miner::of(&[first_port, second_port]);
    assert!(matches!(miner.disconnected_from(first_port), SessionError::Connect { .. }));
    let mut backup = Pool::welcome(&second);
    miner.connected_to(second_port);
    backup.call("mining.notify", &job("backup's"));
    let share = share(&miner.job().0, 1);
    miner.handle.submit(share).unwrap();
    let submit = backup.expect("mining.submit");

    // It is tried up to its first job, without a word to the miner; one that takes a connection only is not well.
    let first = TcpListener::bind(("127.0.0.1", first_port)).unwrap();
    drop(Pool::accept(&first));
    let mut trial = Pool::welcome(&first);
    trial.call("mining.notify", &job("trial's"));
    assert_eq!(trial.read(), None);
    // The share that was on its way is still answered.
    backup.answer(&submit, &json!(true));
    assert!(matches!(miner.next(), Event::Answered { verdict: Ok(()), .. }));
    let error = miner.disconnected_from(second_port);
    assert!(matches!(&error, SessionError::Better { to } if *to == url(first_port)), "{error}");
    assert_eq!(backup.read(), None);

    let mut pool = Pool::welcome(&first);
    miner.connected_to(first_port);
    pool.call("mining.notify", &job("first's"));
    assert!(matches!(miner.next(), Event::Job { .. }));
}

#[test]
fn a_share_that_is_not_answered_when_a_pool_is_left_is_lost_by_name() {
    let (first, first_port) = listener();
    let (second, second_port) = listener();
    drop(first);
    let mut miner = Miner::of(&[first_port, second_port]);
    miner.disconnected_from(first_port);
    let mut backup = Pool::welcome(&second);
    miner.connected_to(second_port);
    backup.call("mining.notify", &job("1"));
    let share = share(&miner.job().0, 1);
    let hash = share.hash;
    miner.handle.submit(share).unwrap();
    backup.expect("mining.submit");
    let first = TcpListener::bind(("127.0.0.1", first_port)).unwrap();
    let mut trial = Pool::welcome(&first);
    trial.call("mining.notify", &job("2"));
    match miner.next() {
        Event::Lost(shares) => assert_eq!(shares.iter().map(|share| share.hash).collect::<Vec<_>>(), [hash]),
        other => panic!("{other:?}"),
    }
    assert!(matches!(miner.disconnected_from(second_port), SessionError::Better { .. }));
}

#[test]
fn a_pool_that_refuses_or_only_rejects_gives_way() {
    let (first, first_port) = listener();
    let (second, second_port) = listener();
    let (third, third_port) = listener();
    let mut miner = Miner::of(&[first_port, second_port, third_port]);
    // The first does not know the user.
    let mut pool = Pool::accept(&first);
    let configure = pool.expect("mining.configure");
    pool.answer(&configure, &json!({}));
    let subscribe = pool.expect("mining.subscribe");
    pool.answer(&subscribe, &json!([[], "00", 4]));
    pool.expect("mining.extranonce.subscribe");
    let authorize = pool.expect("mining.authorize");
    pool.answer(&authorize, &json!(false));
    assert!(matches!(miner.disconnected_from(first_port), SessionError::Unauthorized { .. }));
    drop((pool, first));

    // The second rejects every share.
    let mut pool = Pool::welcome(&second);
    miner.connected_to(second_port);
    pool.call("mining.notify", &job("1"));
    let share = share(&miner.job().0, 0);
    for _ in 0..30 {
        miner.handle.submit(share.clone()).unwrap();
        let submit = pool.expect("mining.submit");
        pool.send(json!({"id": submit["id"], "result": null, "error": [23, "Low difficulty", null]}).to_string());
        assert!(matches!(miner.next(), Event::Answered { verdict: Err(_), .. }));
    }
    assert!(matches!(miner.disconnected_from(second_port), SessionError::Rejections(30)));
    drop(second);

    Pool::welcome(&third);
    miner.connected_to(third_port);
}
