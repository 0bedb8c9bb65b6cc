//! Clients that are broken on purpose, each in the way that a scenario is for: each is caught, by name; and one that is whole is
//! not. They are made of hand-written lines: nothing here uses our message types.

use bitcoin::block::{Header, Version};
use bitcoin::hashes::{Hash, sha256d};
use bitcoin::hex::{DisplayHex, FromHex};
use bitcoin::{BlockHash, CompactTarget, TxMerkleNode};
use midstate_stratum::Difficulty;
use pool_sim::faults::{Check, Faults, Scenario, Verdict};
use pool_sim::pool::PoolConfig;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// In what a client is broken.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Sin {
    None,
    KeepsVoidJobs,
    SendsAgain,
    IgnoresExtranonce,
    IgnoresDifficulty,
    IgnoresMask,
    StaysAway,
    Hurries,
    IsSilent,
    AnswersTwice,
    FollowsAnywhere,
    KeepsItsSession,
    UsesItsClock,
    StopsAtNo,
    TalksNonsense,
}

struct Client {
    address: SocketAddr,
    sin: Sin,
    extranonce1: String,
    difficulty: f64,
    next_difficulty: f64,
    mask: u32,
    job: Option<(Value, String, f64, u32)>,
    count: u64,
    last: Option<String>,
    said_no: bool,
}

enum Then {
    GoesOn,
    Leaves,
    GoesTo(SocketAddr),
}

impl Client {
    /// Mines until it is told to stop.
    fn mine(mut self, stop: &AtomicBool) {
        let home = self.address;
        let mut joined = 0;
        while !stop.load(Ordering::Relaxed) {
            if self.sin == Sin::StaysAway && joined > 0 {
                return;
            }
            let address = std::mem::replace(&mut self.address, home);
            if let Ok(stream) = TcpStream::connect(address) {
                joined += 1;
                self.session(stream, stop, joined);
            }
            let pause = if self.sin == Sin::Hurries { 5 } else { 500 };
            std::thread::sleep(Duration::from_millis(pause));
        }
    }

    fn session(&mut self, mut stream: TcpStream, stop: &AtomicBool, joined: u32) {
        stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let keeps = self.sin == Sin::KeepsItsSession && joined > 1;
        if !keeps {
            self.job = None;
        }
        for line in [
            r#"{"id":"c","method":"mining.configure","params":[["version-rolling"],{"version-rolling.mask":"1fffe000"}]}"#,
            r#"{"id":"s","method":"mining.subscribe","params":["hand"]}"#,
            r#"{"id":"e","method":"mining.extranonce.subscribe","params":[]}"#,
            r#"{"id":"a","method":"mining.authorize","params":["alice","x"]}"#,
        ] {
            if send(&mut stream, line).is_err() {
                return;
            }
        }
        let mut lines = BufReader::new(stream.try_clone().unwrap());
        let mut line = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            match lines.read_until(b'\n', &mut line) {
                Ok(0) => return,
                Ok(_) => {
                    let read = serde_json::from_slice(&line).unwrap_or_default();
                    line.clear();
                    match self.on_line(&mut stream, &read, keeps) {
                        Then::GoesOn => {}
                        Then::Leaves => return,
                        Then::GoesTo(address) => {
                            self.address = address;
                            return;
                        }
                    }
                }
                // Nothing came: time for a share.
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    if self.share(&mut stream).is_err() {
                        return;
                    }
                }
                Err(_) => return,
            }
        }
    }

    fn on_line(&mut self, stream: &mut TcpStream, line: &Value, keeps: bool) -> Then {
        let params = &line["params"];
        match line["method"].as_str().unwrap_or_default() {
            "mining.notify" => {
                let holds = self.sin == Sin::KeepsVoidJobs && self.job.is_some();
                if !holds && !keeps {
                    if self.sin != Sin::IgnoresDifficulty || self.job.is_none() {
                        self.difficulty = self.next_difficulty;
                    }
                    self.job = Some((params.clone(), self.extranonce1.clone(), self.difficulty, self.mask));
                }
            }
            "mining.set_difficulty" => self.next_difficulty = params[0].as_f64().unwrap(),
            "mining.set_extranonce" if self.sin != Sin::IgnoresExtranonce => {
                params[0].as_str().unwrap().clone_into(&mut self.extranonce1);
            }
            "mining.set_version_mask" | "mining.set_version" if self.sin != Sin::IgnoresMask => {
                self.mask = u32::from_str_radix(params[0].as_str().unwrap(), 16).unwrap();
            }
            "client.reconnect" => {
                if params[0].is_string() && self.sin == Sin::FollowsAnywhere {
                    return Then::GoesTo(([127, 0, 0, 1], params[1].as_u64().unwrap() as u16).into());
                }
                if params[0].is_null() {
                    return Then::Leaves;
                }
            }
            "client.get_version" | "mining.ping" if self.sin != Sin::IsSilent => {
                let answer = json!({"id": line["id"], "result": "hand", "error": null}).to_string();
                for _ in 0..=u32::from(self.sin == Sin::AnswersTwice) {
                    let _ = send(stream, &answer);
                }
            }
            _ if line["id"] == "s" && line["result"].is_array() && !keeps => {
                line["result"][1].as_str().unwrap().clone_into(&mut self.extranonce1);
            }
            _ if line["id"] == 9 && line["result"] != true => self.said_no = true,
            _ => {}
        }
        Then::GoesOn
    }

    fn share(&mut self, stream: &mut TcpStream) -> std::io::Result<()> {
        if self.sin == Sin::StopsAtNo && self.said_no {
            return Ok(());
        }
        if self.sin == Sin::TalksNonsense && self.count == 3 {
            send(stream, r#"{"id":9,"method":"mining.submit","params":["alice"]}"#)?;
        }
        self.count += 1;
        if let Some(last) = self.last.as_ref().filter(|_| self.sin == Sin::SendsAgain && self.count.is_multiple_of(4)) {
            return send(stream, last);
        }
        let Some((job, extranonce1, difficulty, mask)) = &self.job else { return Ok(()) };
        let ahead = if self.sin == Sin::UsesItsClock { 8000 } else { 0 };
        let share = search(job, extranonce1, *difficulty, 0x1fff_e000 & mask, self.count, ahead);
        let line = json!({"id": 9, "method": "mining.submit", "params": share}).to_string();
        send(stream, &line)?;
        self.last = Some(line);
        Ok(())
    }
}

fn send(stream: &mut TcpStream, line: &str) -> std::io::Result<()> {
    stream.write_all(format!("{line}\n").as_bytes())
}

/// A share of that difficulty: of the right one, where it is easy enough to find; else the best of some.
fn search(job: &Value, extranonce1: &str, difficulty: f64, bits: u32, count: u64, ahead: u32) -> Value {
    let text = |at: usize| job[at].as_str().unwrap();
    let word = |at: usize| u32::from_str_radix(text(at), 16).unwrap();
    let bytes = |digits: &str| Vec::<u8>::from_hex(digits).unwrap();
    let extranonce2 = format!("{count:016x}");
    let coinbase = bytes(&[text(2), extranonce1, &extranonce2, text(3)].concat());
    let mut previous = bytes(text(1));
    previous.chunks_mut(4).for_each(<[u8]>::reverse);
    let target = Difficulty::new(difficulty).unwrap().to_target();
    let mut header = Header {
        version: Version::from_consensus((word(5) | bits).cast_signed()),
        prev_blockhash: BlockHash::from_slice(&previous).unwrap(),
        merkle_root: TxMerkleNode::from_raw_hash(sha256d::Hash::hash(&coinbase)),
        time: word(7) + ahead,
        bits: CompactTarget::from_consensus(word(6)),
        nonce: 0,
    };
    while !target.is_met_by(header.block_hash().as_byte_array()) {
        header.nonce += 1;
    }
    let hex = |word: u32| word.to_be_bytes().to_lower_hex_string();
    json!(["alice", text(0), extranonce2, hex(header.time), hex(header.nonce), hex(bits)])
}

async fn play(name: &str, sin: Sin) -> Verdict {
    let faults = Arc::new(Faults::new(Scenario::load(name).unwrap()));
    let pay_to = pool_sim::anyone_can_spend().script_pubkey();
    let config = PoolConfig::new(([127, 0, 0, 1], 0).into(), Difficulty::ONE, pay_to).with_faults(&faults);
    let simulator = pool_sim::start(pool_sim::Config { rpc: None, pool: config, premine: 16 }, |_| {}).await.unwrap();
    let client = Client {
        address: simulator.pool_address(),
        sin,
        extranonce1: String::new(),
        difficulty: 1e-8,
        next_difficulty: 1e-8,
        mask: 0x1fff_e000,
        job: None,
        count: 0,
        last: None,
        said_no: false,
    };
    let stop = Arc::new(AtomicBool::new(false));
    let thread = {
        let stop = Arc::clone(&stop);
        std::thread::spawn(move || client.mine(&stop))
    };
    faults.ended().await;
    let verdict = faults.verdict();
    stop.store(true, Ordering::Relaxed);
    simulator.stop().await;
    tokio::task::spawn_blocking(|| thread.join()).await.unwrap().unwrap();
    verdict
}

/// All at once: most of the time they wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_are_broken_are_caught_and_one_that_is_whole_is_not() {
    let broken = [
        ("clean-storm", Sin::KeepsVoidJobs, Check::VoidJobs),
        ("new-tips", Sin::KeepsVoidJobs, Check::VoidJobs),
        ("false-rejection-21", Sin::SendsAgain, Check::Duplicates),
        ("extranonce-change", Sin::IgnoresExtranonce, Check::Extranonce),
        ("difficulty-up", Sin::IgnoresDifficulty, Check::Difficulty),
        ("mask-narrows", Sin::IgnoresMask, Check::Mask),
        ("mask-by-set-version", Sin::IgnoresMask, Check::Mask),
        ("closes", Sin::StaysAway, Check::ComesBack),
        ("half-closed", Sin::StaysAway, Check::ComesBack),
        ("reconnect-loop", Sin::Hurries, Check::Patience),
        ("get-version", Sin::IsSilent, Check::Answers),
        ("ping", Sin::IsSilent, Check::Answers),
        ("get-version", Sin::AnswersTwice, Check::AnswersOnce),
        ("reconnect-elsewhere", Sin::FollowsAnywhere, Check::Domain),
        ("restart-forgets", Sin::KeepsItsSession, Check::OldSessions),
        ("clock-behind", Sin::UsesItsClock, Check::Time),
        ("false-rejection-23", Sin::StopsAtNo, Check::Mines),
        ("invalid-utf8", Sin::TalksNonsense, Check::Lines),
    ];
    let whole = broken.map(|(name, _, _)| name);
    let mut running = Vec::new();
    for (name, sin, check) in broken {
        running.push((name, sin, Some(check), tokio::spawn(play(name, sin))));
    }
    for name in whole {
        running.push((name, Sin::None, None, tokio::spawn(play(name, Sin::None))));
    }
    let mut failures = Vec::new();
    for (name, sin, check, verdict) in running {
        let verdict = verdict.await.unwrap();
        let is_right = match check {
            None => verdict.is_clean() && verdict.due > 0,
            Some(check) => verdict.counts.iter().any(|(found, _)| *found == check),
        };
        if !is_right {
            failures.push(format!("{name}, {sin:?}: {}", verdict.to_text()));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn the_program_shows_scenarios_and_names_what_it_does_not_know() {
    let program = |arguments: &[&str]| {
        std::process::Command::new(env!("CARGO_BIN_EXE_pool-sim")).args(arguments).output().unwrap()
    };
    let list = program(&["scenario", "list"]);
    let lines = String::from_utf8(list.stdout).unwrap();
    assert!(list.status.success() && lines.lines().count() >= 40 && lines.contains("\nrestart-forgets: "), "{lines}");
    let shown = program(&["scenario", "show", "restart"]);
    assert_eq!(Scenario::parse("shown", std::str::from_utf8(&shown.stdout).unwrap()).unwrap().name, "restart");
    for arguments in [&["--scenario", "no-such"][..], &["scenario", "show", "no-such"], &["--junit", "x"]] {
        let ended = program(arguments);
        assert_eq!(ended.status.code(), Some(2), "{ended:?}");
    }
}
