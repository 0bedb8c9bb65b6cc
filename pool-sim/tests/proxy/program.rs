//! `pool-sim proxy` as a person meets it.

use super::miner::Miner;
use super::rig::{Rig, hashes, until};
use crate::common::running::{Running, program};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::Command;

fn command(arguments: &[&str]) -> Command {
    let mut command = program(&[&["proxy"], arguments].concat());
    command.env("POOL_SIM_PROXY_PASSWORD", "hunter2-secret");
    command
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
        let output = command(arguments).output().unwrap();
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
    let arguments = ["--upstream", &url, "--user", "alice.rig", "--listen", "127.0.0.1:0", "--json"];
    // Some seconds after the first connection it ends by itself.
    let arguments = [&arguments[..], &["--control", "127.0.0.1:0", "--seconds", "8"]].concat();
    let mut proxy = Running(command(&arguments).spawn().unwrap());
    let mut lines = BufReader::new(proxy.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let ready: Value = serde_json::from_str(&lines.next().unwrap()).unwrap();
    assert_eq!((&ready["event"], &ready["upstream"]), (&Value::from("ready"), &Value::from(url.as_str())));
    assert!(ready["control"].is_string());
    let address = ready["listen"].as_str().unwrap().parse().unwrap();
    let miner = Miner::start(address, true);
    until("shares", || miner.told().accepted > 3).await;
    drop(miner);
    let help = String::from_utf8(command(&["--help"]).output().unwrap().stdout).unwrap();
    let is_word = |word: &str| help.split(|c: char| !c.is_alphanumeric() && c != '_').any(|other| other == word);
    let mut kinds = std::collections::BTreeSet::new();
    let mut seen = String::new();
    let mut summary = Value::Null;
    for line in lines {
        seen += &line;
        let event: Value = serde_json::from_str(&line).unwrap();
        let kind = event["event"].as_str().unwrap().to_owned();
        if kind.starts_with("upstream") || kind == "summary" {
            for key in event.as_object().unwrap().keys().chain([&kind]) {
                assert!(is_word(key), "{key}");
            }
        }
        if kind == "summary" {
            summary = event;
        }
        kinds.insert(kind);
    }
    let upstream = &summary["upstream"];
    assert_eq!((&summary["refused"], &upstream["refused"]), (&json!({}), &json!({})), "{summary}");
    // Each share is one that the upstream pays for.
    let counts = [&summary["accepted"], &upstream["handed_on"], &upstream["accepted"]];
    assert!(counts.iter().all(|count| *count == counts[0]) && counts[0].as_u64().unwrap() > 3, "{summary}");
    for kind in [
        "upstream_connected",
        "upstream_difficulty",
        "upstream_job",
        "upstream_share",
        "subscribed",
        "share",
        "left",
        "verdict",
    ] {
        assert!(kinds.contains(kind), "{kind}: {kinds:?}");
    }
    assert!(!seen.contains("hunter2"));
}
