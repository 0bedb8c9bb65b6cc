//! `pool-sim probe` as a person and as a CI system meet it.

use super::ours::Pool;
use serde_json::Value;
use std::net::TcpListener;
use std::process::{Command, Output};

fn run(arguments: &str, password: Option<&str>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pool-sim"));
    command.arg("probe").args(arguments.split_whitespace()).env_remove("POOL_SIM_PROBE_PASSWORD");
    command.envs(password.map(|password| ("POOL_SIM_PROBE_PASSWORD", password)));
    command.output().unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    let text = std::str::from_utf8(&output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{output:?}"))).collect()
}

fn keys(object: &Value) -> String {
    object.as_object().unwrap().keys().map(String::as_str).collect::<Vec<_>>().join(" ")
}

#[test]
fn what_it_finds_is_one_object_a_line_and_a_file_of_junit() {
    let pool = Pool::start();
    let directory = tempfile::tempdir().unwrap();
    let junit = directory.path().join("report.xml");
    let url = format!("stratum+tcp://{}", pool.address());
    let output = run(&format!("{url} --only order bip310.empty --json --junit {}", junit.display()), None);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let events = lines(&output);
    let (summary, checks) = events.split_last().unwrap();
    assert!(checks.len() > 5);
    for check in checks {
        assert_eq!(keys(check), "detail event id seconds seen source title topic verdict");
        assert_eq!((&check["event"], &check["verdict"]), (&Value::from("check"), &Value::from("passed")), "{check}");
    }
    assert_eq!(keys(summary), "checks event failed passed seconds skipped unsupported url");
    assert_eq!((&summary["checks"], &summary["passed"]), (&Value::from(checks.len()), &Value::from(checks.len())));
    let xml = std::fs::read_to_string(junit).unwrap();
    assert_eq!(xml.matches("<testcase ").count(), checks.len());
    assert!(xml.contains("failures=\"0\"") && xml.contains("classname=\"bip310.empty\""), "{xml}");
}

#[test]
fn a_failed_check_shows_its_rule_and_what_was_said_and_ends_with_1() {
    let pool = Pool::start();
    // A user who is too long for the pool cannot authorize.
    let user = "u".repeat(300);
    let output = run(&format!("{} --only order.authorize --user {user}", pool.address()), None);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    for word in ["failed", "order.authorize", "rule: ", "> {", "< {", "1 checks in"] {
        assert!(text.contains(word), "{word}: {text}");
    }
}

#[test]
fn every_check_is_listed_with_its_rule() {
    let output = run("--list --json", None);
    let listed = lines(&output);
    let ids: std::collections::HashSet<_> = listed.iter().map(|check| check["id"].as_str().unwrap()).collect();
    assert!(listed.len() >= 60 && ids.len() == listed.len());
    assert!(listed.iter().all(|check| keys(check) == "id slow source title"));
    assert!(String::from_utf8(run("--list", None).stdout).unwrap().contains("bip310.mask-subset"));
}

#[test]
fn the_password_is_shown_nowhere() {
    let pool = Pool::start();
    let output = run(&format!("{} --only order.authorize order.job --json", pool.address()), Some("hunter2-secret"));
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(!String::from_utf8(output.stdout).unwrap().contains("hunter2-secret"));
}

#[test]
fn what_makes_no_sense_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let free = taken.local_addr().unwrap();
    drop(taken);
    for (arguments, code, word) in [
        ("http://127.0.0.1:1".to_owned(), 2, "stratum+tcp://HOST:PORT"),
        ("127.0.0.1".to_owned(), 2, "stratum+tcp://HOST:PORT"),
        ("127.0.0.1:1 --only nonsense".to_owned(), 2, "nonsense"),
        ("127.0.0.1:1 --patience 0".to_owned(), 2, "patience"),
        (String::new(), 2, "<URL>"),
        (free.to_string(), 1, "cannot connect"),
    ] {
        let output = run(&arguments, None);
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(code) && text.contains(word), "{arguments}: {text}");
    }
}
