//! Sessions that outlive their connection, and sources that change under a session. The pools are hand-written.

mod common {
    pub(crate) mod joined;
    pub(crate) mod scripted;
}

use common::joined::{Miner, pool, share};
use common::scripted::{Pool, job, listener, url};
use midstate::job::{Job, Share};
use midstate::upstream::{Event, SessionError, Source};
use serde_json::{Value, json};
use std::net::TcpListener;
use std::sync::Arc;

/// A miner whose pool went away after the first job, which says whether the search goes on.
fn left() -> (TcpListener, Miner, Arc<Job>) {
    let (listener, port) = listener();
    let mut miner = Miner::of(&[port]);
    let mut pool = Pool::welcome(&listener);
    miner.connected();
    pool.call("mining.notify", &job("old"));
    let job = miner.job().0;
    drop(pool);
    assert!(goes_on(&miner.next()));
    (listener, miner, job)
}

fn goes_on(event: &Event) -> bool {
    match event {
        Event::Disconnected { goes_on, .. } => *goes_on,
        other => panic!("{other:?}"),
    }
}

fn is_resumed(event: &Event) -> bool {
    match event {
        Event::Connected { resumed, .. } => *resumed,
        other => panic!("{other:?}"),
    }
}

fn nonces(shares: &[Share]) -> Vec<u32> {
    shares.iter().map(|share| share.header.nonce()).collect()
}

#[test]
fn a_pool_that_knows_the_session_gets_the_shares_that_were_found_without_it() {
    let (listener, mut miner, old) = left();
    for nonce in 1..=3 {
        miner.handle.submit(share(&old, nonce)).unwrap();
    }
    let mut pool = Pool::welcome_as(&listener, Some("s"), "f000000f");
    assert!(is_resumed(&miner.next()));
    // Before any job of the new connection, in order.
    for nonce in ["00000001", "00000002", "00000003"] {
        let submit = pool.expect("mining.submit");
        assert_eq!([&submit["params"][1], &submit["params"][4]], ["old", nonce]);
        pool.answer(&submit, &json!(true));
        assert!(matches!(miner.next(), Event::Answered { verdict: Ok(()), .. }));
    }
    // As is one that is found now, since the pool knows the job.
    miner.handle.submit(share(&old, 4)).unwrap();
    pool.expect("mining.submit");
    pool.call("mining.notify", &job("new"));
    assert_eq!(miner.job().0.id, "new");
    // What was sent and not answered is not sent again: the pool may have counted it.
    drop(pool);
    assert_eq!(nonces(&miner.lost()), [4]);
    assert!(goes_on(&miner.next()));
    let mut pool = Pool::welcome_as(&listener, Some("s"), "f000000f");
    assert!(is_resumed(&miner.next()));
    pool.call("mining.notify", &job("newer"));
    assert_eq!(miner.job().0.id, "newer");
    assert_eq!(pool.submits.len(), 0);
}

#[test]
fn another_extranonce1_is_another_session() {
    let (listener, mut miner, old) = left();
    miner.handle.submit(share(&old, 1)).unwrap();
    let mut pool = Pool::welcome_as(&listener, Some("s"), "f0000010");
    assert_eq!(nonces(&miner.lost()), [1]);
    assert!(!is_resumed(&miner.next()));
    miner.handle.submit(share(&old, 2)).unwrap();
    assert_eq!(nonces(&miner.lost()), [2]);
    pool.call("mining.notify", &job("new"));
    let new = miner.job().0;
    miner.handle.submit(share(&new, 3)).unwrap();
    assert_eq!(pool.expect("mining.submit")["params"][1], "new");
}

#[test]
fn a_pool_may_refuse_the_session_and_not_the_miner() {
    let (listener, mut miner, old) = left();
    miner.handle.submit(share(&old, 1)).unwrap();
    let mut pool = Pool::accept(&listener);
    let configure = pool.expect("mining.configure");
    pool.answer(&configure, &json!({}));
    let subscribe = pool.expect("mining.subscribe");
    pool.send(json!({"id": subscribe["id"], "result": null, "error": [20, "no such session", null]}).to_string());
    assert_eq!(nonces(&miner.lost()), [1]);
    let subscribe = pool.expect("mining.subscribe");
    assert_eq!(subscribe["params"].get(1), None);
    pool.finish_welcome(&subscribe, &json!([[["mining.notify", "t"]], "f0000011", 4]));
    assert!(!is_resumed(&miner.next()));
}

#[test]
fn a_pool_that_hangs_up_may_do_so_for_the_session_or_be_away() {
    for knows in [false, true] {
        let (listener, mut miner, old) = left();
        miner.handle.submit(share(&old, 1)).unwrap();
        let asked: &[_] = if knows { &[Some("s"), None] } else { &[Some("s")] };
        for session in asked {
            let mut pool = Pool::accept(&listener);
            pool.expect("mining.configure");
            assert_eq!(pool.expect("mining.subscribe")["params"][1].as_str(), *session);
            drop(pool);
            assert!(goes_on(&miner.next()));
        }
        if knows {
            let mut pool = Pool::welcome_as(&listener, Some("s"), "f000000f");
            assert!(is_resumed(&miner.next()));
            assert_eq!(pool.expect("mining.submit")["params"][1], "old");
        } else {
            let _pool = Pool::welcome_as(&listener, None, "f0000010");
            assert_eq!(nonces(&miner.lost()), [1]);
            assert!(!is_resumed(&miner.next()));
        }
    }
}

#[test]
fn a_pool_that_names_no_session_has_none_to_resume() {
    for subscriptions in [json!([]), json!([["mining.notify", ""]])] {
        let (listener, port) = listener();
        let mut miner = Miner::of(&[port]);
        let mut pool = Pool::accept(&listener);
        let configure = pool.expect("mining.configure");
        pool.answer(&configure, &json!({}));
        let subscribe = pool.expect("mining.subscribe");
        pool.finish_welcome(&subscribe, &json!([subscriptions, "f000000f", 4]));
        miner.connected();
        pool.call("mining.notify", &job("old"));
        let old = miner.job().0;
        drop(pool);
        assert!(!goes_on(&miner.next()));
        miner.handle.submit(share(&old, 1)).unwrap();
        assert_eq!(nonces(&miner.lost()), [1]);
        Pool::welcome_as(&listener, None, "f000000f");
    }
}

#[test]
fn a_miner_that_goes_away_hears_of_the_shares_that_waited() {
    let (_listener, mut miner, old) = left();
    miner.handle.submit(share(&old, 1)).unwrap();
    let Miner { handle, events, runtime } = &mut miner;
    let (_, handle) = (handle.submit(share(&old, 2)), std::mem::replace(handle, replacement(runtime)));
    drop(handle);
    let mut lost = Vec::new();
    while let Some(event) = runtime.block_on(events.recv()) {
        if let Event::Lost(shares) = event {
            lost.extend(nonces(&shares));
        }
    }
    assert_eq!(lost, [1, 2]);
}

/// A handle of nothing.
fn replacement(runtime: &tokio::runtime::Runtime) -> midstate::upstream::Handle {
    let _inside = runtime.enter();
    midstate::upstream::spawn(Vec::new()).0
}

fn sources(ports: &[u16]) -> Vec<Source> {
    ports.iter().map(|port| pool(*port).into()).collect()
}

/// The reason for which the miner left the pool at this port.
fn why(miner: &mut Miner, port: u16) -> String {
    miner.disconnected_from(port).to_string()
}

fn welcomed(listener: &TcpListener, miner: &mut Miner, port: u16, id: &str) -> Pool {
    let mut pool = Pool::welcome(listener);
    miner.connected_to(port);
    pool.call("mining.notify", &job(id));
    assert_eq!(miner.job().0.id, id);
    pool
}

#[test]
fn a_session_goes_on_while_its_source_is_wanted() {
    let ((first, first_port), (second, second_port)) = (listener(), listener());
    let mut miner = Miner::of(&[first_port]);
    let mut session = welcomed(&first, &mut miner, first_port, "1");
    // Another beside it, and another user there.
    miner.handle.set_sources(sources(&[first_port, second_port]));
    let mut bobs = pool(second_port);
    bobs.credentials.user = "bob".to_owned();
    miner.handle.set_sources(vec![pool(first_port).into(), bobs.into()]);
    session.call("mining.notify", &job("2"));
    assert_eq!(miner.job().0.id, "2");

    // One that comes before it is taken once it is well.
    miner.handle.set_sources(sources(&[second_port, first_port]));
    let mut trial = Pool::welcome(&second);
    trial.call("mining.notify", &job("trial's"));
    assert_eq!(why(&mut miner, first_port), format!("{} is well again", url(second_port)));
    let pool = welcomed(&second, &mut miner, second_port, "3");

    // One that is wanted no more is left at once; a share on its way there is lost by name.
    let share = share(&Arc::new(old_job(&mut miner, pool)), 7);
    miner.handle.submit(share).unwrap();
    miner.handle.set_sources(sources(&[first_port]));
    assert_eq!(nonces(&miner.lost()), [7]);
    assert!(matches!(miner.disconnected_from(second_port), SessionError::Removed));
    let _session = welcomed(&first, &mut miner, first_port, "4");

    // None at all, and then one again.
    miner.handle.set_sources(Vec::new());
    assert!(matches!(miner.disconnected_from(first_port), SessionError::Removed));
    miner.handle.set_sources(sources(&[second_port]));
    welcomed(&second, &mut miner, second_port, "5");
}

/// A further job of this pool, which then answers no more.
fn old_job(miner: &mut Miner, mut pool: Pool) -> Job {
    pool.call("mining.notify", &Value::clone(&job("unanswered")));
    let job = Job::clone(&miner.job().0);
    std::mem::forget(pool);
    job
}
