//! What an upstream does: other extranonces and masks, lost connections, new sessions, and being away.

use super::miner::Miner;
use super::rig::{Rig, Said, hashes, sums_close, until};
use pool_sim::pool::Port;
use serde_json::json;
use std::collections::HashSet;

/// Each miner has that many more shares accepted.
async fn more(miners: &[Miner], what: &str) {
    let before: Vec<_> = miners.iter().map(|miner| miner.told().accepted).collect();
    for (miner, before) in miners.iter().zip(before) {
        until(what, || miner.told().accepted > before + 10).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn miners_follow_what_the_upstream_changes() {
    let pool = Rig::pool(hashes(256.0)).await;
    let proxy = Rig::proxy(&pool, hashes(64.0)).await;
    let hears: Vec<_> = (0..3).map(|_| Miner::start(proxy.pool.address(), true)).collect();
    let deaf = [Miner::start(proxy.pool.address(), false)];
    more(&hears, "shares").await;
    more(&deaf, "shares").await;

    pool.fault(&json!("extranonce"));
    until("another extranonce1", || hears.iter().all(|miner| miner.told().extranonces.len() == 2)).await;
    more(&hears, "shares under another extranonce1").await;
    more(&deaf, "shares of one that came back").await;
    // Those that hear of it stay, and the other is hung up on.
    assert!(hears.iter().all(|miner| miner.told().connections == 1) && deaf[0].told().connections == 2);
    let left = proxy.said().left.clone();
    assert!(left[0].contains("did not ask to hear of another"), "{left:?}");
    let all: HashSet<_> = hears.iter().chain(&deaf).map(|miner| miner.told().extranonces[1].clone()).collect();
    assert_eq!(all.len(), 4);

    pool.fault(&json!({"mask": {"mask": "00ffe000"}}));
    until("another mask", || hears.iter().all(|miner| miner.told().masks == ["1fffe000", "00ffe000"])).await;
    more(&hears, "shares under another mask").await;
    pool.fault(&json!({"message": {"text": "hello"}}));
    until("a message", || proxy.said().messages == ["hello"]).await;
    pool.fault(&json!("tip"));
    more(&hears, "shares on another tip").await;

    // Nobody is lost, and what an upstream says elsewhere is not followed.
    pool.fault(&json!({"reconnect": {"host": "evil.example", "port": 1}}));
    more(&hears, "shares after a bad redirection").await;
    let said = |what: fn(&Said) -> usize| what(&proxy.said());
    assert_eq!((said(|said| said.connected.len()), said(|said| said.lost.len())), (1, 0));
    pool.fault(&json!({"reconnect": {}}));
    // With the extranonce1 from before the change: what came since is of another session.
    until("a reconnect", || proxy.said().connected == [false, false]).await;
    more(&hears, "shares after a reconnect").await;
    for miner in hears.iter().chain(&deaf) {
        let refused = miner.told().refused.clone();
        let is_explained = |(code, why): &(i64, String)| *code == 21 || why.contains("connection ended");
        assert!(refused.iter().all(is_explained), "{refused:?}");
    }
    drop((hears, deaf));
    sums_close(&proxy, &pool).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_talks_nonsense_is_borne() {
    let pool = Rig::pool(hashes(256.0)).await;
    for rule in [
        json!({"what": {"garbage": {"form": "utf8"}}, "when": {"every": "200ms"}}),
        json!({"what": {"garbage": {"form": "deep"}}, "when": {"every": "300ms"}}),
        json!({"what": {"garbage": {"form": "method"}}, "when": {"every": "400ms"}}),
        json!({"what": "string_ids"}),
        json!({"what": "duplicate", "when": {"probability": 0.3}}),
        json!({"what": {"corrupt": {"bytes": 3}}, "when": {"lines": ["notify"], "probability": 0.3}}),
        json!({"what": {"jobs": {"count": 3, "clean": false}}, "when": {"every": "300ms"}}),
        json!({"what": "ping", "when": {"every": "300ms"}}),
    ] {
        pool.faults.add(serde_json::from_value(rule).unwrap()).unwrap();
    }
    let proxy = Rig::proxy(&pool, hashes(64.0)).await;
    let miners: Vec<_> = (0..3).map(|_| Miner::start(proxy.pool.address(), true)).collect();
    for _ in 0..5 {
        more(&miners, "shares").await;
    }
    drop(miners);
    sums_close(&proxy, &pool).await;
    assert!(proxy.counts().jobs > 3 && proxy.counts().handed_on > 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_is_killed_and_back() {
    let pool = Rig::pool(hashes(256.0)).await;
    let proxy = Rig::proxy(&pool, hashes(64.0)).await;
    let miners: Vec<_> = (0..3).map(|_| Miner::start(proxy.pool.address(), true)).collect();
    more(&miners, "shares").await;
    // It knows its sessions: work goes on as if nothing had been.
    pool.fault(&json!({"restart": {"forget": false, "lasting": "1s"}}));
    until("the same session", || proxy.said().connected == [false, true]).await;
    more(&miners, "shares after a restart").await;
    assert!(miners.iter().all(|miner| miner.told().extranonces.len() == 1));
    // It knows nothing any more.
    pool.fault(&json!({"restart": {"forget": true, "lasting": "1s"}}));
    until("another session", || proxy.said().connected == [false, true, false]).await;
    more(&miners, "shares after a restart that forgets").await;
    assert!(miners.iter().all(|miner| miner.told().extranonces.len() == 2 && miner.told().connections == 1));
    for miner in &miners {
        let refused = miner.told().refused.clone();
        let is_explained = |(code, why): &(i64, String)| *code == 21 || why.contains("connection ended");
        assert!(refused.iter().all(is_explained), "{refused:?}");
    }
    drop(miners);
    sums_close(&proxy, &pool).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_upstream_is_away_nothing_is_called_accepted_and_nobody_is_hung_up_on() {
    let pool = Rig::pool(hashes(128.0)).await;
    let address = pool.pool.address();
    // Each share is one for the upstream, and a few are not.
    let proxy = Rig::proxy_with(address, Port::new(([127, 0, 0, 1], 0).into(), hashes(64.0))).await;
    let miners = [Miner::start(proxy.pool.address(), true)];
    more(&miners, "shares").await;
    drop(pool);
    until("refusals", || miners[0].told().refused.iter().filter(|(_, why)| why.contains("away since")).count() > 3)
        .await;
    let accepted = proxy.counts().accepted;
    assert_eq!(miners[0].told().connections, 1);
    let counts = proxy.counts();
    assert_eq!((counts.accepted, counts.all_refused()), (accepted, 0));
    // Another one at the same place, which knows nothing of the one before.
    let pool = Rig::pool_at(address, hashes(128.0), |config| {
        config.first_extranonce1 = 77;
        config.job_bits = Some(bitcoin::CompactTarget::from_consensus(0x1d00_ffff));
    })
    .await;
    more(&miners, "shares for the new upstream").await;
    assert_eq!(miners[0].told().connections, 1);
    drop(miners);
    until("all shares have the upstream's word", || {
        let counts = proxy.counts();
        counts.accepted + counts.all_refused() + counts.lost == counts.handed_on
    })
    .await;
    let there = pool.said().accepted;
    assert!(there > 0 && proxy.counts().accepted == accepted + there, "{there} and {accepted}: {:?}", proxy.counts());
}
