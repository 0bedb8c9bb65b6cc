//! What one connection and one address may take.

use super::miner::{Miner, setup};
use pool_sim::pool::{Limits, PoolEvent};
use std::io::{ErrorKind, Write};
use std::time::{Duration, Instant};

#[test]
fn an_address_has_so_many_connections_and_no_more() {
    let setup = setup(|config| config.limits.connections = 2);
    let first = Miner::ready(&setup, None);
    let _second = Miner::ready(&setup, None);
    for _ in 0..3 {
        Miner::connect(&setup).read_to_end();
    }
    let turned_away = |event: &PoolEvent| matches!(event, PoolEvent::TurnedAway { limit: 2, .. });
    assert_eq!(setup.events.try_iter().filter(turned_away).count(), 1);
    drop(first);
    // The pool sees its end soon.
    let left = |event: &PoolEvent| matches!(event, PoolEvent::Left { .. });
    while !setup.events.recv_timeout(Duration::from_secs(10)).is_ok_and(|event| left(&event)) {}
    Miner::ready(&setup, None).job();
}

#[test]
fn what_comes_faster_than_it_may_waits_and_jobs_do_not() {
    let setup = setup(|config| config.limits = Limits { lines: 20, ..config.limits });
    let mut miner = Miner::ready(&setup, None);
    miner.job();
    let begin = Instant::now();
    // Forty lines may come at once; two were used, and the last of twenty more comes 0.95 s after the first.
    miner.send(&[r#"{"id":7,"method":"mining.ping","params":[]}"#; 58].join("\n"));
    for _ in 0..38 {
        assert_eq!(miner.reply()["result"], "pong");
    }
    setup.generate();
    let (mut answered, mut told) = (38, None);
    while answered < 58 {
        match miner.read()["method"].as_str() {
            Some("mining.notify") => told = Some(answered),
            _ => answered += 1,
        }
    }
    assert!(begin.elapsed() >= Duration::from_millis(900), "{:?}", begin.elapsed());
    assert!(told.is_some_and(|before| before < 58));
}

#[test]
fn a_line_without_an_end_ends_the_connection() {
    let setup = setup(|_| {});
    let mut miner = Miner::connect(&setup);
    let sent = loop {
        match miner.stream.write_all(&[b'x'; 4096]) {
            Ok(()) => {}
            Err(error) => break error.kind(),
        }
    };
    assert!(matches!(sent, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{sent:?}");
    let why = setup.events.iter().find_map(|event| match event {
        PoolEvent::Left { reason, .. } => Some(reason),
        _ => None,
    });
    assert!(why.unwrap().contains("a line of more than 2097152 bytes"));
}
