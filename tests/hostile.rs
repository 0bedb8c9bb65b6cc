//! Servers that do wrong, over real sockets. Whatever they do, the miner says what is wrong, and once the server is well, a share is
//! accepted within five seconds; each share's fate is told once, and none is sent twice. Nor does it grow: what each server makes it
//! hold is bounded, and nothing of it is left when it has ended.
//!
//! The tables are in `tests/servers/`. A line is a name, what the miner must say, and what the server does.

mod common {
    pub(crate) mod certificate;
    pub(crate) mod heap;
    pub(crate) mod joined;
    pub(crate) mod outlasting;
    pub(crate) mod scripted;
}
mod servers {
    pub(crate) mod connecting;
    pub(crate) mod joining;
    pub(crate) mod messages;
    pub(crate) mod rig;
}

use common::joined::{Miner, share};
use common::outlasting;
use common::scripted::{Pool, job, listener};
use midstate::upstream::Event;
use serde_json::json;
use servers::{connecting, joining, messages, rig};
use std::time::Duration;

/// All at once: most of them wait.
#[test]
fn a_miner_outlasts_every_server() {
    let tables = [
        ("connecting", connecting::table()),
        ("TLS", connecting::tls()),
        ("joining", joining::table()),
        ("framing", messages::framing()),
        ("jobs", messages::jobs()),
        ("verdicts", messages::verdicts()),
        ("floods", messages::floods()),
    ];
    let scenarios = tables.into_iter().flat_map(|(group, table)| {
        table.into_iter().map(move |scenario| (format!("{group}: {}", scenario.name), move || rig::run(scenario)))
    });
    outlasting::all(scenarios.collect());
}

/// A pool that says more than its miner takes must wait: what a session holds is bounded by the room for events and the system's
/// buffers.
#[test]
fn a_miner_that_is_busy_is_not_filled() {
    const MOST: usize = 128 << 20;
    let (listener, port) = listener();
    let mut miner = Miner::of(&[port]);
    let mut pool = Pool::welcome(&listener);
    let mut large = job("large");
    large[3] = json!("00".repeat(50_000));
    let notify = json!({"id": null, "method": "mining.notify", "params": large}).to_string();
    pool.socket.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    let mut sent = 0;
    while sent < MOST && pool.try_send(notify.as_str()).is_ok() {
        sent += notify.len();
    }
    assert!(sent < MOST, "all of {sent} bytes were taken");

    // It takes up what waited, and works on the last.
    pool.socket.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
    let last = std::thread::spawn(move || {
        // The end of the line that was broken off.
        let _ = pool.try_send("");
        pool.call("mining.notify", &job("last"));
        let submit = pool.expect("mining.submit");
        pool.answer(&submit, &json!(true));
        pool
    });
    loop {
        match miner.next() {
            Event::Job { job, .. } if job.id == "last" => miner.handle.submit(share(&job, 1)).unwrap(),
            Event::Answered { verdict: Ok(()), .. } => break,
            Event::Connected { .. } | Event::Job { .. } | Event::Unreadable(_) => {}
            other => panic!("{other:?}"),
        }
    }
    drop(last.join().unwrap());
}
