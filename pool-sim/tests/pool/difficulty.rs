//! Difficulty: that of a port, of a password, of a suggestion, and one that varies.

use super::miner::{Miner, setup, share};
use midstate_stratum::Difficulty;
use pool_sim::pool::Port;
use serde_json::{Value, json};
use std::time::Duration;

fn d(value: f64) -> Difficulty {
    Difficulty::new(value).unwrap()
}

fn port(change: impl FnOnce(&mut Port)) -> Port {
    let mut port = Port::new("127.0.0.1:0".parse().unwrap(), d(16.0));
    change(&mut port);
    port
}

/// What a miner is told first, after these lines and with this password.
fn told(miner: &mut Miner, lines: &[Value], password: &str) -> Value {
    for line in lines {
        miner.send(&line.to_string());
    }
    miner.subscribe(None);
    let authorize = json!({"id": 2, "method": "mining.authorize", "params": ["alice", password]});
    assert_eq!(miner.call(&authorize.to_string())["result"], true);
    miner.told("mining.set_difficulty")[0].clone()
}

#[test]
fn what_comes_first_holds_and_ports_differ() {
    let setup = setup(|config| {
        let plain = port(|port| port.max = Some(d(1e6)));
        let fixed = port(|port| (port.start, port.fixed) = (d(1024.0), true));
        let limited =
            port(|port| (port.min, port.max, port.password) = (Some(d(20.0)), Some(d(30.0)), Some("pw".to_owned())));
        config.ports = vec![plain, fixed, limited];
    });
    let suggest = |value: Value| json!({"id": null, "method": "mining.suggest_difficulty", "params": [value]});
    let target = json!({"id": null, "method": "mining.suggest_target",
        "params": ["00000000003fffc0000000000000000000000000000000000000000000000000"]});
    let minimum = json!({"id": null, "method": "mining.configure",
        "params": [["minimum-difficulty"], {"minimum-difficulty.value": 100}]});
    for (port, lines, password, expected) in [
        (0, &[][..], "x", json!(16)),
        (0, &[suggest(json!("2.5"))], "x", json!(2.5)),
        (0, &[suggest(json!(3))], "x", json!(3)),
        (0, &[suggest(json!(0.25)), target.clone()], "x", json!(1024)),
        (0, &[suggest(json!(3))], "x;d=64", json!(64)),
        (0, &[suggest(json!(5)), minimum.clone()], "x,d=64", json!(100)),
        (0, &[suggest(json!(1e9))], "", json!(1_000_000)),
        (1, &[suggest(json!(3)), minimum], "d=64", json!(1024)),
        (2, &[], "pw", json!(20)),
        (2, &[], "pw,d=64", json!(30)),
        (2, &[suggest(json!(25))], "pw", json!(25)),
    ] {
        let mut miner = Miner::connect_to(setup.pool.addresses()[port]);
        assert_eq!(told(&mut miner, lines, password), expected, "port {port}, {lines:?}, {password}");
    }
    let mut miner = Miner::connect_to(setup.pool.addresses()[2]);
    assert_eq!(miner.call(r#"{"id":1,"method":"mining.authorize","params":["a","x"]}"#)["error"][0], 24);
    // A limit that cannot be kept is refused in words (BIP 310).
    for (port, limit, reply) in [
        (0, 2e6, json!("difficulty here is 1000000 at most")),
        (1, 2e6, json!("difficulty is fixed here, at 1024")),
        (1, 5.0, json!(true)),
    ] {
        let mut miner = Miner::connect_to(setup.pool.addresses()[port]);
        let configure = json!({"id": 1, "method": "mining.configure",
            "params": [["minimum-difficulty"], {"minimum-difficulty.value": limit}]});
        assert_eq!(miner.call(&configure.to_string())["result"]["minimum-difficulty"], reply);
    }
}

#[test]
fn who_floods_gets_a_harder_job_and_the_older_ones_shares_are_judged_as_they_were() {
    let setup = setup(|config| {
        config.ports[0].shares_per_minute = Some(20.0);
        // Nothing but the retarget brings a job.
        config.renotify = Duration::from_secs(3600);
    });
    let mut miner = Miner::ready(&setup, None);
    let easy = miner.told("mining.set_difficulty")[0].as_f64().unwrap();
    let old = miner.job();
    // Every hash is a share.
    for seconds in 0..600 {
        assert_eq!(miner.submit(&share(&old, &miner.extranonce1, seconds, 0, false)), 0);
    }
    let harder = miner.told("mining.set_difficulty")[0].as_f64().unwrap();
    assert!(harder > easy, "{harder} {easy}");
    let new = miner.job();
    assert_eq!((&new[8], &new[1]), (&json!(false), &old[1]));
    // Another coinbase: a miner that begins with the same extranonce2 does not find the same shares.
    assert!(new[0] != old[0] && new[3] != old[3]);
    assert_eq!(miner.submit(&share(&old, &miner.extranonce1, 601, 0, false)), 0);
    let last = setup.shares().pop().unwrap().judged.unwrap();
    assert_eq!(last.difficulty.get().to_bits(), easy.to_bits());
    // The new job is judged by the new one.
    miner.submit(&share(&new, &miner.extranonce1, 0, 0, false));
    let last = setup.shares().pop().unwrap().judged.unwrap();
    assert_eq!(last.difficulty.get().to_bits(), harder.to_bits());
}

#[test]
fn who_finds_nothing_gets_easier_jobs_by_time_alone() {
    let setup = setup(|config| {
        let port = &mut config.ports[0];
        (port.start, port.shares_per_minute, port.interval) = (d(1e6), Some(20.0), Duration::from_millis(200));
        port.min = Some(d(1e-3));
        config.renotify = Duration::from_secs(3600);
    });
    let mut miner = Miner::ready(&setup, None);
    let mut difficulty = 1e6;
    assert_eq!(miner.told("mining.set_difficulty"), json!([1_000_000]));
    let first = miner.job();
    while difficulty > 1e-3 {
        let easier = miner.told("mining.set_difficulty")[0].as_f64().unwrap();
        assert!(easier < difficulty);
        difficulty = easier;
        assert_eq!(miner.job()[8], false);
    }
    assert_eq!(difficulty.to_bits(), 1e-3f64.to_bits());
    // The first job is as good as it was.
    assert_eq!(miner.submit(&share(&first, &miner.extranonce1, 0, 0, false)), 23);
    assert_eq!(setup.shares().pop().unwrap().judged.unwrap().difficulty, d(1e6));
}
