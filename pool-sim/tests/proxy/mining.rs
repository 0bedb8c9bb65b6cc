//! Many miners: none searches what another searches, no share is passed over, and all sums close.

use super::miner::Miner;
use super::rig::{Rig, hashes, sums_close, until};
use pool_sim::faults::Scenario;
use pool_sim::pool::Port;
use pool_sim::probe;
use pool_sim::swarm::{Options, run};
use std::future::pending;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

/// The pool has 8 bytes of extranonce2: the first proxy leaves 4, the second 2.
#[tokio::test(flavor = "multi_thread")]
async fn a_swarm_through_two_proxies() {
    let pool = Rig::pool(hashes(2048.0)).await;
    let outer = Rig::proxy(&pool, hashes(512.0)).await;
    let inner = Rig::proxy(&outer, hashes(64.0)).await;
    let options = Options {
        interval: Duration::from_millis(250),
        lasts: Duration::from_secs(4),
        churn: 0.1,
        ..Options::new(inner.pool.address().to_string(), 25)
    };
    // One that is there before, so that all are there.
    let first = Miner::start(inner.pool.address(), false);
    until("the first share", || first.told().accepted > 0).await;
    assert_eq!(first.told().extranonces[0].1, 2);
    let report = run(options, pending(), |_| ()).await.unwrap();
    let (accepted, refused) = {
        let told = first.told();
        (told.accepted, told.refused.clone())
    };
    drop(first);
    assert!(refused.is_empty() && accepted > 0, "{refused:?}");
    assert!(report.passes() && report.counts.accepted > 50, "{report}");
    sums_close(&inner, &outer).await;
    sums_close(&outer, &pool).await;
    for rig in [&inner, &outer, &pool] {
        let said = rig.said();
        assert!(said.refused.is_empty(), "{:?}", said.refused);
    }
    let all = [inner.said().accepted, outer.said().accepted, pool.said().accepted];
    // One of 8, and one of 4 of these, by chance.
    assert!(all[0] > all[1] && all[1] > all[2] && all[2] > 0, "{all:?}");
    assert!(all[0] >= report.counts.accepted + accepted);
    assert_eq!((inner.counts().lost, outer.counts().lost), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_difficulty_is_above_the_upstreams_and_vardiff_begins_no_search_twice() {
    let pool = Rig::pool(hashes(512.0)).await;
    let port = Port { shares_per_minute: Some(60.0), ..Port::new(([127, 0, 0, 1], 0).into(), hashes(1e9)) };
    let proxy = Rig::proxy_with(pool.pool.address(), port).await;
    let miners: Vec<_> = (0..3).map(|_| Miner::start(proxy.pool.address(), false)).collect();
    for miner in &miners {
        until("a share", || miner.told().accepted > 5).await;
    }
    // The upstream's own difficulty goes down, and the miners' with it.
    pool.fault(&serde_json::json!({"difficulty": {"factor": 0.25}}));
    for miner in &miners {
        until("the lower difficulty", || miner.told().difficulties.iter().any(|d| *d <= hashes(128.0).get())).await;
    }
    // A miner that gets the same job once more, again and again, finds other shares.
    proxy.fault(&serde_json::json!({"jobs": {"count": 20, "clean": false}}));
    proxy.fault(&serde_json::json!({"difficulty": {"factor": 0.5}}));
    let before: Vec<_> = miners.iter().map(|miner| miner.told().accepted).collect();
    for (miner, before) in miners.iter().zip(before) {
        until("more shares", || miner.told().accepted > before + 20).await;
        assert_eq!(miner.told().refused, []);
        assert!(miner.told().difficulties.iter().all(|d| *d <= hashes(512.0).get()));
    }
    drop(miners);
    sums_close(&proxy, &pool).await;
    // All that met the upstream's difficulty until it went down were the miners' own.
    assert!(proxy.counts().handed_on > 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_go_through_whatever_their_difficulty() {
    // Each second hash is a block on regtest, and next to none a share for the upstream.
    let pool = Rig::pool_at(([127, 0, 0, 1], 0).into(), hashes(1e9), |_| ()).await;
    let proxy = Rig::proxy(&pool, hashes(1.0)).await;
    let miner = Miner::start(proxy.pool.address(), false);
    until("blocks", || pool.said().blocks > 3).await;
    drop(miner);
    assert!(pool.said().accepted > 0 && proxy.counts().accepted > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn scenarios_are_played_between_a_proxy_and_its_miners() {
    let pool = Rig::pool(hashes(256.0)).await;
    let play = async |name: &'static str| {
        let port = Port::new(([127, 0, 0, 1], 0).into(), hashes(64.0));
        let proxy = Rig::playing(Scenario::load(name).unwrap(), pool.pool.address(), port).await;
        let miner = Miner::start(proxy.pool.address(), true);
        proxy.faults.ended().await;
        let verdict = proxy.faults.verdict();
        drop(miner);
        assert!(verdict.is_clean() && verdict.due > 10 && verdict.faults > 0, "{}", verdict.to_text());
        assert!(proxy.counts().accepted > 0);
    };
    tokio::join!(play("extranonce-change"), play("mask-narrows"), play("clean-storm"), play("difficulty-down"));
    let refused = &pool.said().refused;
    assert!(refused.is_empty(), "{refused:?}");
}

/// The third proxy has one byte to tell miners apart, and leaves them one; a fourth has nothing to divide.
#[tokio::test(flavor = "multi_thread")]
async fn an_extranonce_that_is_too_small_is_named_and_one_that_is_full_too() {
    let pool = Rig::pool(hashes(64.0)).await;
    let first = Rig::proxy(&pool, hashes(64.0)).await;
    let second = Rig::proxy(&first, hashes(64.0)).await;
    let third = Rig::proxy(&second, hashes(64.0)).await;
    let fourth = Rig::proxy(&third, hashes(64.0)).await;
    until("an error", || !fourth.said().lost.is_empty()).await;
    let reason = fourth.said().lost[0].clone();
    assert!(reason.starts_with("extranonce2_size: 1; expected 2 bytes at least"), "{reason}");
    drop(fourth);
    let address = third.pool.address();
    let subscribed = tokio::task::spawn_blocking(move || {
        let subscribe = || {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(b"{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}\n").unwrap();
            let mut line = String::new();
            BufReader::new(stream.try_clone().unwrap()).read_line(&mut line).unwrap();
            (stream, serde_json::from_str::<serde_json::Value>(&line).unwrap())
        };
        (0..260).map(|_| subscribe()).collect::<Vec<_>>()
    });
    let subscribed = subscribed.await.unwrap();
    let (given, full): (Vec<_>, Vec<_>) = subscribed.iter().partition(|(_, reply)| reply["error"].is_null());
    let places: std::collections::HashSet<_> = given.iter().map(|(_, reply)| reply["result"][1].to_string()).collect();
    assert_eq!(places.len(), given.len());
    // The fourth proxy had a place, which nothing was sent to: it is free again.
    assert_eq!(given.len(), 256);
    let why = full[0].1["error"][1].as_str().unwrap();
    assert!(why.contains("extranonce1: all 256 are taken"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_probe_finds_no_fault_with_our_pool_behind() {
    let pool = Rig::pool_at(([127, 0, 0, 1], 0).into(), hashes(43_000.0), |config| config.faults = None).await;
    let port = Port::new(([127, 0, 0, 1], 0).into(), hashes(1e9));
    let proxy = Rig::proxy_with(pool.pool.address(), port).await;
    let options = probe::Options {
        patience: Duration::from_secs(20),
        ..probe::Options::new(format!("stratum+tcp://{}", proxy.pool.address()), "probe.1")
    };
    let report = tokio::task::spawn_blocking(move || probe::run(&options, |_| {}).unwrap()).await.unwrap();
    let left = report.findings.iter().filter(|finding| finding.verdict.word() != "passed");
    let left: Vec<_> = left.map(|finding| (finding.check.id, finding.verdict.word())).collect();
    // Eight times the upstream's difficulty cannot be had, and is not promised. The others take a minute.
    let explained = [
        ("bip310.minimum-difficulty", "unsupported"),
        ("limits.unauthorized", "skipped"),
        ("timing.renotify", "skipped"),
    ];
    assert_eq!(left, explained, "{report}");
}
