//! Several pools in order: who takes whose place, and the way back. The pools are hand-written.

mod common {
    pub(crate) mod scripted;
}

use common::scripted::{PATIENCE, Pool, job, listener, url};
use midstate::job::{Origin, Share};
use midstate::upstream::{self, Credentials, Event, Handle, SessionError, spawn};
use serde_json::json;
use std::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// A miner with the pools at these ports.
struct Miner {
    handle: Handle,
    events: mpsc::UnboundedReceiver<Event>,
    runtime: Runtime,
}

impl Miner {
    fn of(ports: &[u16]) -> Miner {
        let runtime = Runtime::new().unwrap();
        let inside = runtime.enter();
        let (sender, events) = mpsc::unbounded_channel();
        let credentials = || Credentials { user: "alice".to_owned(), password: "x".to_owned() };
        let pool = |port: &u16| upstream::Pool::new(url(*port).parse().unwrap(), credentials()).into();
        let handle = spawn(ports.iter().map(pool).collect(), sender);
        drop(inside);
        Miner { handle, events, runtime }
    }

    fn next(&mut self) -> Event {
        let event = self.runtime.block_on(async { timeout(PATIENCE, self.events.recv()).await });
        event.expect("nothing was said").expect("the upstream's task is gone")
    }

    fn connected_to(&mut self, port: u16) {
        match self.next() {
            Event::Connected { url: joined, .. } => assert_eq!(joined, url(port)),
            other => panic!("{other:?}"),
        }
    }

    fn disconnected_from(&mut self, port: u16) -> SessionError {
        match self.next() {
            Event::Disconnected { url: left, error, .. } => {
                assert_eq!(left, url(port));
                error
            }
            other => panic!("{other:?}"),
        }
    }

    fn share(&mut self, nonce: u32) -> Share {
        let Event::Job { job, .. } = self.next() else { panic!("no job") };
        let extranonce2 = vec![0; job.extranonce2_size];
        let header = job.header(&job.merkle_root(&extranonce2), job.ntime).with_nonce(nonce);
        Share { origin: Origin { job, extranonce2 }, hash: header.hash(), header, worker: 0 }
    }
}

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
    let share = miner.share(1);
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
    let share = miner.share(1);
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
    let share = miner.share(0);
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
