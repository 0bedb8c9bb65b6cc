//! An upstream that says whatever can be read: jobs of every form, extranonces, masks and difficulties by chance. The proxy serves
//! its miners through all of it.

use super::rig::Rig;
use bitcoin::hex::DisplayHex;
use midstate_stratum::Difficulty;
use pool_sim::faults::Scenario;
use pool_sim::pool::Port;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

const LINES: usize = 3000;
/// The time of the jobs that end the play.
const LAST_TIME: &str = "65000000";

const SCENARIO: &str = r#"
name = "odd"
about = "Jobs that are changed in all ways."
end = "1h"

[[rule]]
when = { probability = 0.2 }
what = "pay_stranger"

[[rule]]
when = { probability = 0.2 }
what = { clock = { ahead = -1000000000 } }

[[rule]]
when = { every = "50ms" }
what = "stale_job"

[[rule]]
when = { every = "90ms" }
what = "extranonce"
"#;

fn bytes(random: &mut fastrand::Rng, most: usize) -> String {
    let size = random.usize(..=most);
    (0..size).map(|_| random.u8(..)).collect::<Vec<_>>().to_lower_hex_string()
}

fn word(random: &mut fastrand::Rng) -> String {
    let odd = ["00000000", "ffffffff", "7fffffff"];
    if random.f64() < 0.2 { odd[random.usize(..3)].to_owned() } else { format!("{:08x}", random.u32(..)) }
}

fn notify(random: &mut fastrand::Rng, ntime: &str) -> Value {
    let hash = |random: &mut fastrand::Rng| (0..32).map(|_| random.u8(..)).collect::<Vec<_>>().to_lower_hex_string();
    let nbits = ["1d00ffff", "207fffff", "03000001", "04123456", "2000ffff", "170cdf6f"][random.usize(..6)];
    // Unreadable ones are few, or the proxy would leave.
    let nbits = if random.f64() < 0.01 { "ff7fffff" } else { nbits };
    let previous = if random.bool() { "00".repeat(32) } else { hash(random) };
    // A coinbase that can be parsed, cut anywhere.
    let whole =
        format!("01000000{:02x}{}ffffffff08", 1, "00".repeat(36)) + &"51".repeat(8) + "ffffffff01" + &"00".repeat(13);
    let coinbase1 =
        if random.bool() { bytes(random, 60) } else { whole[..random.usize(..=whole.len() / 2) * 2].to_owned() };
    let branches: Vec<_> = (0..random.usize(..3)).map(|_| hash(random)).collect();
    let id = ["", "a", "ž", "1"][random.usize(..4)];
    json!([id, previous, coinbase1, bytes(random, 60), branches, word(random), nbits, ntime, random.bool()])
}

fn call(random: &mut fastrand::Rng) -> Value {
    let (method, params) = match random.usize(..10) {
        0 => ("mining.set_extranonce", json!([bytes(random, 64), random.usize(2..=16)])),
        1 => ("mining.set_difficulty", json!([10f64.powf(random.f64() * 80.0 - 20.0)])),
        2 => ("mining.set_version_mask", json!([word(random)])),
        3 => ("client.show_message", json!(["\u{1b}[2J"])),
        4 => ("mining.ping", json!([])),
        _ => {
            let ntime = word(random);
            ("mining.notify", notify(random, &ntime))
        }
    };
    json!({"id": if method == "mining.ping" { json!(7) } else { Value::Null }, "method": method, "params": params})
}

/// Serves one miner.
fn upstream(listener: &TcpListener) {
    let (stream, _) = listener.accept().unwrap();
    let mut random = fastrand::Rng::with_seed(7);
    let lines = BufReader::new(stream.try_clone().unwrap()).lines();
    // Two threads say lines, each whole.
    let stream = Arc::new(Mutex::new(stream));
    let say = |stream: &Mutex<TcpStream>, line: &Value| {
        // It may be over.
        let _ = stream.lock().unwrap().write_all(format!("{line}\n").as_bytes());
    };
    for line in lines.map_while(Result::ok) {
        let read: Value = serde_json::from_str(&line).unwrap();
        let result = match read["method"].as_str() {
            Some("mining.configure") => json!({"version-rolling": true, "version-rolling.mask": "1fffe000"}),
            Some("mining.subscribe") => json!([[["mining.notify", "s"]], "aabbccdd", 8]),
            Some("mining.authorize") => json!(true),
            Some("mining.submit") => json!(random.bool()),
            _ => continue,
        };
        say(&stream, &json!({"id": read["id"], "result": result, "error": null}));
        if read["method"] == "mining.authorize" {
            let stream = Arc::clone(&stream);
            let mut random = random.fork();
            std::thread::spawn(move || {
                for _ in 0..LINES {
                    say(&stream, &call(&mut random));
                    std::thread::sleep(Duration::from_millis(1));
                }
                // The scenario changes some, and of several in a hurry only the newest reaches a miner.
                for _ in 0..200 {
                    let params = notify(&mut random, LAST_TIME);
                    say(&stream, &json!({"id": null, "method": "mining.notify", "params": params}));
                    std::thread::sleep(Duration::from_millis(50));
                }
            });
        }
    }
}

/// Sends shares by chance, of all jobs, until the last comes.
fn miner(address: SocketAddr) -> usize {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    for line in [
        r#"{"id":1,"method":"mining.configure","params":[["version-rolling","subscribe-extranonce"],{}]}"#,
        r#"{"id":2,"method":"mining.subscribe","params":[]}"#,
        r#"{"id":3,"method":"mining.authorize","params":["alice","x"]}"#,
    ] {
        writeln!(stream, "{line}").unwrap();
    }
    let mut random = fastrand::Rng::with_seed(9);
    let (mut size, mut next, mut answers) = (4, 4, 0);
    let lines = BufReader::new(stream.try_clone().unwrap()).lines();
    for line in lines.map_while(Result::ok) {
        let read: Value = serde_json::from_str(&line).unwrap();
        let params = &read["params"];
        match read["method"].as_str() {
            Some("mining.notify") if params[7] == LAST_TIME => return answers,
            Some("mining.notify") => {
                size = next;
                let extranonce2 = (0..size).map(|_| random.u8(..)).collect::<Vec<_>>().to_lower_hex_string();
                let (ntime, nonce) = (&params[7], word(&mut random));
                let share = json!(["alice", params[0], extranonce2, ntime, nonce, "00000000"]);
                writeln!(stream, "{}", json!({"id": 9, "method": "mining.submit", "params": share})).unwrap();
            }
            Some("mining.set_extranonce") => next = params[1].as_u64().unwrap() as usize,
            _ => answers += usize::from(read["id"] == 9),
        }
    }
    panic!("the proxy is silent or hung up after {answers} answers, with extranonce2 of {size} bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_an_upstream_says_the_proxy_goes_on() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || upstream(&listener));
    let port = Port::new(([127, 0, 0, 1], 0).into(), Difficulty::new(1e-12).unwrap());
    let proxy = Rig::playing(Scenario::parse("odd", SCENARIO).unwrap(), address, port).await;
    let (sender, ended) = mpsc::channel();
    let at = proxy.pool.address();
    std::thread::spawn(move || sender.send(miner(at)));
    let answers = tokio::task::spawn_blocking(move || ended.recv_timeout(Duration::from_secs(60)));
    let answers = answers.await.unwrap().expect("the last job comes");
    let counts = proxy.counts();
    assert!(answers > 20 && counts.handed_on > 3 && counts.jobs > 1000, "{answers}, {counts:?}");
    assert_eq!(proxy.said().connected.len(), 1);
}
