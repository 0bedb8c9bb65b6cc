//! Connections that have not said anything yet.

use super::miner::{Miner, setup};
use pool_sim::pool::PoolEvent;
use std::io::Write;

#[test]
fn who_leaves_without_a_word_is_not_told_of() {
    let setup = setup(|_| {});
    for _ in 0..100 {
        drop(Miner::connect(&setup));
    }
    let mut miner = Miner::ready(&setup, None);
    miner.job();
    let joined = |event| match event {
        PoolEvent::Joined { session, .. } => Some(session),
        _ => None,
    };
    assert_eq!(setup.events.try_iter().filter_map(joined).collect::<Vec<_>>(), [1]);
}

#[test]
fn nothing_of_the_first_word_is_lost() {
    let setup = setup(|_| {});
    let mut miner = Miner::connect(&setup);
    let (first, rest) = (b"{", br#""id":7,"method":"mining.ping","params":[]}"#);
    miner.stream.write_all(first).unwrap();
    // It is a miner from its first byte on.
    while !matches!(setup.events.recv().unwrap(), PoolEvent::Joined { session: 1, .. }) {}
    miner.stream.write_all(&[&rest[..], b"\n"].concat()).unwrap();
    assert_eq!(miner.reply()["result"], "pong");
}

#[test]
fn who_stays_is_told_of_without_a_word() {
    let setup = setup(|_| {});
    let _silent = Miner::connect(&setup);
    while !matches!(setup.events.recv().unwrap(), PoolEvent::Joined { session: 1, .. }) {}
}

#[test]
fn the_silent_end_with_the_pool() {
    let setup = setup(|_| {});
    let mut silent = Miner::connect(&setup);
    // It was let in: who came after it is served.
    Miner::ready(&setup, None).job();
    drop(setup.pool);
    silent.read_to_end();
}
