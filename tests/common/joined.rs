//! The miner's half of a session: what it hears, and what it sends.

#![allow(dead_code, reason = "each test takes what it needs")]

use super::scripted::{PATIENCE, url};
use midstate::job::{Job, Origin, Share};
use midstate::upstream::{self, Credentials, Event, Handle, SessionError, Source, spawn};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::time::timeout;

pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// The pool at this port of this machine, for alice.
pub(crate) fn pool(port: u16) -> upstream::Pool {
    let credentials = Credentials { user: "alice".to_owned(), password: PASSWORD.to_owned() };
    upstream::Pool::new(url(port).parse().unwrap(), credentials)
}

/// What the pool would judge; the proof of work is not its concern here.
pub(crate) fn share(job: &Arc<Job>, nonce: u32) -> Share {
    let extranonce2 = vec![0; job.extranonce2_size()];
    let header = job.header(&job.merkle_root(&extranonce2), job.ntime).with_nonce(nonce);
    Share { origin: Origin { job: Arc::clone(job), extranonce2 }, hash: header.hash(), header, worker: 0 }
}

/// A miner without an engine.
pub(crate) struct Miner {
    pub(crate) handle: Handle,
    pub(crate) events: mpsc::Receiver<Event>,
    pub(crate) runtime: Runtime,
}

impl Miner {
    /// One with these pools, in order.
    pub(crate) fn with(pools: impl IntoIterator<Item = upstream::Pool>) -> Miner {
        let runtime = Runtime::new().unwrap();
        let inside = runtime.enter();
        let (handle, events) = spawn(pools.into_iter().map(Source::from).collect());
        drop(inside);
        Miner { handle, events, runtime }
    }

    /// One with the pools at these ports.
    pub(crate) fn of(ports: &[u16]) -> Miner {
        Miner::with(ports.iter().copied().map(pool))
    }

    pub(crate) fn next(&mut self) -> Event {
        let event = self.runtime.block_on(async { timeout(PATIENCE, self.events.recv()).await });
        event.expect("nothing was said").expect("the upstream's task is gone")
    }

    pub(crate) fn connected(&mut self) {
        let event = self.next();
        assert!(matches!(event, Event::Connected { .. }), "{event:?}");
    }

    pub(crate) fn connected_to(&mut self, port: u16) {
        match self.next() {
            Event::Connected { url: joined, .. } => assert_eq!(joined, url(port)),
            other => panic!("{other:?}"),
        }
    }

    /// The next event, a job with its difficulty.
    pub(crate) fn job(&mut self) -> (Arc<Job>, f64) {
        match self.next() {
            Event::Job { job, difficulty, .. } => (job, difficulty.get()),
            other => panic!("{other:?}"),
        }
    }

    /// The next event, the name of a field that could not be read.
    pub(crate) fn unreadable(&mut self) -> &'static str {
        match self.next() {
            Event::Unreadable(error) => error.field,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn disconnected(&mut self) -> (SessionError, Duration) {
        match self.next() {
            Event::Disconnected { error, retry, .. } => (error, retry),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn disconnected_from(&mut self, port: u16) -> SessionError {
        match self.next() {
            Event::Disconnected { url: left, error, .. } => {
                assert_eq!(left, url(port));
                error
            }
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn lost(&mut self) -> Vec<Share> {
        match self.next() {
            Event::Lost(shares) => shares,
            other => panic!("{other:?}"),
        }
    }
}
