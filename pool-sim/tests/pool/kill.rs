//! The pool's process, killed under load: what it acknowledged is kept, and is kept once.

use super::miner::share_with;
use pool_sim::pool::accounts::File;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Duration;

const MINERS: usize = 8;
/// How many shares a miner has on the way.
const WINDOW: usize = 8;

/// A pool's process and its address.
fn start(directory: &Path, store: &Path) -> (Child, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pool-sim"));
    command.args(["--json", "--listen", "127.0.0.1:0", "--rpc", "127.0.0.1:0", "--start-difficulty", "1e-12"]);
    command.args(["--scheme", "pps", "--fee", "10000"]).arg("--data-dir").arg(directory).arg("--store").arg(store);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let listen = loop {
        let mut line = String::new();
        assert!(stdout.read_line(&mut line).unwrap() > 0, "it did not start");
        let event: Value = serde_json::from_str(&line).unwrap();
        if event["event"] == "ready" {
            break event["listen"].as_str().unwrap().to_owned();
        }
    };
    // A full pipe would hold the pool up.
    std::thread::spawn(move || stdout.read_to_end(&mut Vec::new()));
    (child, listen)
}

/// The next line of a pool that lives.
fn read(lines: &mut BufReader<TcpStream>) -> Option<Value> {
    let mut line = String::new();
    lines.read_line(&mut line).ok()?;
    line.ends_with('\n').then(|| serde_json::from_str(&line).unwrap())
}

/// Mines until the pool is gone: reports what is sent and what is acknowledged, by extranonce2.
fn mine(listen: &str, next: &AtomicU64, reports: &mpsc::Sender<(String, bool)>) -> Option<()> {
    let mut stream = TcpStream::connect(listen).ok()?;
    let mut lines = BufReader::new(stream.try_clone().ok()?);
    stream.write_all(b"{\"id\":\"s\",\"method\":\"mining.subscribe\"}\n").ok()?;
    let extranonce1 = read(&mut lines)?["result"][1].as_str()?.to_owned();
    stream.write_all(b"{\"id\":\"a\",\"method\":\"mining.authorize\",\"params\":[\"alice\"]}\n").ok()?;
    let mut job = Value::Null;
    let mut on_the_way = 0;
    loop {
        while !job.is_null() && on_the_way < WINDOW {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let extranonce2 = format!("{number:016x}");
            let share = share_with(&job, &extranonce1, &extranonce2, 0, 0, number.is_multiple_of(64));
            // Some come twice.
            for id in [&extranonce2, "again"].into_iter().take(if number.is_multiple_of(16) { 2 } else { 1 }) {
                reports.send((extranonce2.clone(), false)).unwrap();
                let submit = json!({"id": id, "method": "mining.submit", "params": share});
                stream.write_all(format!("{submit}\n").as_bytes()).ok()?;
                on_the_way += 1;
            }
        }
        let line = read(&mut lines)?;
        if line["method"] == "mining.notify" {
            job = line["params"].clone();
        } else if line["id"] != "a" && line.get("method").is_none() {
            on_the_way -= 1;
            if line["result"] == true {
                assert_ne!(line["id"], "again");
                reports.send((line["id"].as_str()?.to_owned(), true)).unwrap();
            }
        }
    }
}

/// Kills a pool so many times, and looks into its store each time.
fn kill(times: u64) {
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path().join("store");
    let next = AtomicU64::new(0);
    // By extranonce2, which no two shares have in common: whether it was acknowledged.
    let mut sent = HashMap::<String, bool>::new();
    for life in 0..times {
        let (mut child, listen) = start(directory.path(), &store);
        let (reporter, reports) = mpsc::channel();
        std::thread::scope(|scope| {
            for _ in 0..MINERS {
                let (reporter, next, listen) = (reporter.clone(), &next, &listen);
                scope.spawn(move || mine(listen, next, &reporter));
            }
            drop(reporter);
            let mut take = |(extranonce2, acknowledged): (String, bool)| {
                let known = sent.entry(extranonce2).or_default();
                *known |= acknowledged;
            };
            // Some moment after the first share was acknowledged.
            loop {
                let report = reports.recv().expect("a share is acknowledged");
                let acknowledged = report.1;
                take(report);
                if acknowledged {
                    break;
                }
            }
            std::thread::sleep(Duration::from_micros(life * 7_919 % 100_000));
            child.kill().unwrap();
            child.wait().unwrap();
            reports.iter().for_each(take);
        });
        let file = File::open(&store).unwrap();
        let audit = file.audit().unwrap();
        assert_eq!(audit.faults, [], "life {life}");
        let mut kept = HashMap::<String, u32>::new();
        for record in file.records().unwrap() {
            let record: Value = serde_json::from_str(&record).unwrap();
            *kept.entry(record["extranonce2"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        assert_eq!(audit.saved.figures.get("shares"), kept.len() as u128, "life {life}");
        assert!(kept.values().all(|times| *times == 1), "life {life}");
        let lost = sent.iter().find(|(extranonce2, acknowledged)| **acknowledged && !kept.contains_key(*extranonce2));
        assert_eq!(lost, None, "life {life}");
    }
    let acknowledged = sent.values().filter(|acknowledged| **acknowledged).count();
    println!("{times} kills, {acknowledged} shares acknowledged of {} sent, none lost, none twice", sent.len());
    let shown =
        Command::new(env!("CARGO_BIN_EXE_pool-sim")).args(["accounts", "--json", "--store"]).arg(&store).output();
    let shown = shown.unwrap();
    assert!(shown.status.success(), "{shown:?}");
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(shown["faults"], json!([]));
    assert!(shown["shares"].as_u64().unwrap() >= acknowledged as u64);
}

#[test]
fn no_acknowledged_share_is_lost_by_kills() {
    kill(20);
}

/// `cargo test --release -p pool-sim --test pool -- --ignored --nocapture kills`
#[test]
#[ignore = "takes minutes"]
fn no_acknowledged_share_is_lost_by_200_kills() {
    kill(200);
}
