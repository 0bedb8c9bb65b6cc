//! `pool-sim proxy` as a person meets it.

use super::miner::Miner;
use super::rig::{Rig, hashes, until};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pool-sim"));
    command.arg("proxy").args(arguments).env("POOL_SIM_PROXY_PASSWORD", "hunter2-secret");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Killed when it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn arguments_that_make_no_sense_are_named() {
    for (arguments, words) in [
        (&["--upstream", "http://h:1", "--user", "a"][..], "stratum+tcp://HOST:PORT"),
        (&["--upstream", "h:1"], "--user"),
        (&["--user", "a"], "--upstream"),
        (&["--upstream", "h:1", "--user", "a", "--listen", "127.0.0.1:0,min=2,max=1"], "min"),
        (&["--upstream", "h:1", "--user", "a", "--control", "0.0.0.0:1"], "--control-open"),
    ] {
        let output = program(arguments).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && text.contains(words), "{arguments:?}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_does_is_one_object_a_line_and_the_password_is_shown_nowhere() {
    let pool = Rig::pool_at(([127, 0, 0, 1], 0).into(), hashes(64.0), |config| {
        config.ports[0].password = Some("hunter2-secret".to_owned());
        config.job_bits = Some(bitcoin::CompactTarget::from_consensus(0x1d00_ffff));
    })
    .await;
    let url = format!("stratum+tcp://{}", pool.pool.address());
    let arguments =
        ["--upstream", &url, "--user", "alice.rig", "--listen", "127.0.0.1:0", "--json", "--control", "127.0.0.1:0"];
    let mut proxy = Running(program(&arguments).spawn().unwrap());
    let mut lines = BufReader::new(proxy.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let ready: Value = serde_json::from_str(&lines.next().unwrap()).unwrap();
    assert_eq!((&ready["event"], &ready["upstream"]), (&Value::from("ready"), &Value::from(url.as_str())));
    assert!(ready["control"].is_string());
    let address = ready["listen"].as_str().unwrap().parse().unwrap();
    let miner = Miner::start(address, true);
    until("shares", || miner.told().accepted > 3).await;
    drop(miner);
    let help = String::from_utf8(program(&["--help"]).output().unwrap().stdout).unwrap();
    let is_word = |word: &str| help.split(|c: char| !c.is_alphanumeric() && c != '_').any(|other| other == word);
    let mut kinds = std::collections::BTreeSet::new();
    let mut seen = String::new();
    while !["upstream_share", "left"].iter().all(|kind| kinds.contains(*kind)) {
        let line = lines.next().unwrap();
        seen += &line;
        let event: Value = serde_json::from_str(&line).unwrap();
        let kind = event["event"].as_str().unwrap().to_owned();
        if kind.starts_with("upstream") {
            for key in event.as_object().unwrap().keys().chain([&kind]) {
                assert!(is_word(key), "{key}");
            }
        }
        kinds.insert(kind);
    }
    for kind in ["upstream_connected", "upstream_difficulty", "upstream_job", "subscribed", "job", "share"] {
        assert!(kinds.contains(kind), "{kind}: {kinds:?}");
    }
    assert!(!seen.contains("hunter2"));
}
