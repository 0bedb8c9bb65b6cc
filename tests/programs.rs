//! The program as a person meets it: what it prints, how it ends, and what it says when something is wrong.

mod common {
    pub(crate) mod program;
    pub(crate) mod regtest;
    pub(crate) mod scripted;
}

use bitcoin::hashes::{Hash, sha256d};
use bitcoin::hex::{DisplayHex, FromHex};
use common::program::{Program, keys, midstate, run};
use common::regtest::Regtest;
use common::scripted::{Pool, job};
use serde_json::{Value, json};
use std::net::TcpListener;
use tokio::net::TcpSocket;

const PASSWORD: &str = "correct-horse-battery-staple";
/// A share takes some 86,000 hashes.
const DIFFICULTY: f64 = 2e-5;
/// An address of regtest.
const ADDRESS: &str = "bcrt1qrxcucnxg57q5lrq8qnhjm2yg8sac3v3jejqq9h";
const GENESIS: &[u8] = include_bytes!("data/header-000000.bin");

#[test]
fn arguments_that_make_no_sense_are_named_and_end_with_2() {
    let url = "mine --user a --url";
    for (arguments, words) in [
        (format!("{url} ftp://127.0.0.1:1"), vec!["--url", "url: \"ftp://127.0.0.1:1\""]),
        (format!("{url} http://127.0.0.1:1"), vec!["http://127.0.0.1:1", "--pay-to"]),
        ("mine --url http://127.0.0.1:1".to_owned(), vec!["http://127.0.0.1:1", "--rpc-cookie", "--user"]),
        (
            format!("{url} http://127.0.0.1:1 --zmq ipc:///run/zmq"),
            vec!["--zmq", "ipc:///run/zmq", "expected tcp://HOST:PORT"],
        ),
        (format!("{url} http://127.0.0.1:1 --pay-to nobody"), vec!["--pay-to", "nobody"]),
        ("mine --url stratum+tcp://h:1".to_owned(), vec!["stratum+tcp://h:1", "--user"]),
        (
            format!("{url} stratum+tcp://h:1 --verify-payout nobody"),
            vec!["--verify-payout", "address: \"nobody\"", "expected a Bitcoin address"],
        ),
        (
            format!("{url} stratum+tcp://h:1 --verify-payout {ADDRESS}:101%"),
            vec!["--verify-payout", "percentage: \"101%\"", "100 at most"],
        ),
        (format!("{url} stratum+tcp://h:1 --strict"), vec!["strict: ", "\"a\"", "--user ADDRESS"]),
        ("bench --backend gpu --gpu-dispatch 60".to_owned(), vec!["--gpu-dispatch", "60", "1 to 50"]),
        (format!("{url} stratum+tcp://127.0.0.1"), vec!["--url", "port"]),
        (format!("{url} stratum+tcp://h:1 --password-file /no/such"), vec!["password file", "/no/such"]),
        (format!("{url} stratum+tcp://h:1 --threads 0"), vec!["--threads"]),
        ("mine --user a".to_owned(), vec!["--url"]),
        ("bench --backend abacus".to_owned(), vec!["abacus", "scalar, cpu or gpu"]),
        ("bench --kernel mmx".to_owned(), vec!["mmx", "avx512", "avx2", "portable"]),
        ("bench --backend gpu --kernel avx2".to_owned(), vec!["avx2", "gpu", "only cpu"]),
        ("bench --seconds 0".to_owned(), vec!["seconds"]),
        ("search - --range 5".to_owned(), vec!["range: \"5\"", "A..B"]),
        ("search - --target 00ff".to_owned(), vec!["target: \"00ff\"", "64 hex digits"]),
        ("search - --window 1 --range 0..5".to_owned(), vec!["--window", "--range"]),
        ("dig".to_owned(), vec!["dig"]),
    ] {
        let ended = run(&arguments);
        assert_eq!(ended.code, Some(2), "{arguments}: {ended:?}");
        assert!(ended.out.is_empty() && words.iter().all(|word| ended.err.contains(word)), "{arguments}: {ended:?}");
    }
}

#[test]
fn every_help_shows_examples() {
    let mut commands = vec!["", "mine", "config", "config init", "config check", "search", "bench", "devices"];
    if cfg!(feature = "local") {
        commands.push("local");
    }
    for command in commands {
        let ended = run(&format!("{command} --help"));
        assert_eq!(ended.code, Some(0));
        assert!(ended.out.iter().any(|line| line == "Examples:"), "{ended:?}");
        assert!(ended.out.iter().any(|line| line.trim().starts_with("midstate ")), "{ended:?}");
    }
}

#[test]
fn devices_lists_what_searches_here_and_why_the_rest_cannot() {
    let ended = run("devices --json");
    assert_eq!(ended.code, Some(0));
    let [listing] = &ended.json()[..] else { panic!("{ended:?}") };
    assert_eq!(keys(listing), ["arch", "devices", "instruction_sets"]);
    assert_eq!(listing["arch"], std::env::consts::ARCH);
    let devices = listing["devices"].as_array().unwrap();
    for device in devices {
        let fields = "backend chosen details device driver hashes_per_second hashes_per_second_single kernel pci reason threads usable \
                      versions";
        assert_eq!(keys(device).join(" "), fields);
        let measured = device["backend"] == "cpu" && device["usable"] == true;
        assert_eq!(device["hashes_per_second"].as_f64().is_some_and(|speed| speed > 0.0), measured, "{device}");
        // What cannot be used says why, and so does the attempt to use it.
        match (&device["usable"], device["reason"].as_str()) {
            (Value::Bool(true), None) => {}
            (Value::Bool(false), Some(reason)) if device["backend"] == "cpu" => {
                let ended = run(&format!("search - --kernel {}", device["kernel"].as_str().unwrap()));
                assert!(ended.code == Some(1) && ended.err.contains(reason), "{ended:?}");
            }
            (Value::Bool(false), Some(reason)) => assert!(!reason.is_empty()),
            _ => panic!("{device}"),
        }
    }
    for backend in ["scalar", "cpu", "gpu"] {
        assert!(devices.iter().any(|device| device["backend"] == backend), "{backend}");
    }
    let chosen = devices.iter().filter(|device| device["backend"] == "cpu" && device["chosen"] == true);
    let speed = |device: &Value| device["hashes_per_second"].as_f64().unwrap_or(0.0);
    let fastest = devices.iter().map(speed).fold(0.0, f64::max);
    assert_eq!(chosen.map(speed).collect::<Vec<_>>(), [fastest]);
    let by_hand = run("devices");
    assert!(by_hand.code == Some(0) && by_hand.out.len() > devices.len());
}

#[test]
fn bench_measures_beside_the_yardstick() {
    let ended = run("bench --json --backend cpu --seconds 0.3");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let [report] = &ended.json()[..] else { panic!("{ended:?}") };
    // The kernel on one version, and on as many as suit it if those are more.
    let [sha2, cpu @ ..] = &report["results"].as_array().unwrap()[..] else { panic!("{report}") };
    assert!((1..=2).contains(&cpu.len()) && cpu.iter().all(|row| row["backend"] == "cpu"), "{report}");
    assert_eq!((&sha2["backend"], &sha2["versions"], &cpu[0]["versions"]), (&json!("sha2"), &json!(1), &json!(1)));
    assert_eq!(sha2["ratio_to_sha2"], 1.0);
    for row in [sha2].into_iter().chain(cpu) {
        let fields = "backend device hashes hashes_per_joule hashes_per_second kernel last_to_first ratio_to_sha2 seconds threads verified versions";
        assert_eq!(keys(row).join(" "), fields);
        assert_eq!(row["verified"], true);
        let number = |field: &str| row[field].as_f64().unwrap();
        assert!(number("seconds") >= 0.3);
        let rate = number("hashes") / number("seconds");
        assert!(rate > 0.0 && (number("hashes_per_second") / rate - 1.0).abs() < 1e-6, "{row}");
    }
}

/// What the `bitcoin` crate's hashing finds; the target is compared as hex, most significant first.
fn nonces(header: &[u8], range: impl Iterator<Item = u32>, target: &str) -> Vec<u32> {
    let meets = |nonce: &u32| {
        let header = [&header[..76], &nonce.to_le_bytes()].concat();
        let mut hash = sha256d::Hash::hash(&header).to_byte_array();
        hash.reverse();
        hash.to_lower_hex_string().as_str() <= target
    };
    let mut nonces: Vec<_> = range.filter(meets).collect();
    nonces.sort_unstable();
    nonces
}

#[test]
fn search_finds_the_first_block_ever() {
    let genesis = GENESIS.to_lower_hex_string();
    let ended = run(&format!("search --window 1000 {}", genesis.to_uppercase()));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.json(), [json!({"header": genesis, "nonces": [2_083_236_893_u32], "hashes": 2001})]);
}

#[test]
fn search_finds_what_the_reference_finds() {
    let genesis = GENESIS.to_lower_hex_string();
    let mut backends = vec!["scalar", "cpu"];
    if cfg!(feature = "gpu") {
        backends.push("gpu");
    }
    let targets = ["0f", "00ff"].map(|start| format!("{start:f<64}"));
    for backend in backends {
        for target in &targets {
            let expected = nonces(GENESIS, (0xffff_fc00..=u32::MAX).chain(0..=0x400), target);
            assert!(!expected.is_empty());
            let arguments =
                format!("search --backend {backend} --range 0xfffffc00..=0x400 --target {target} {genesis}");
            let [line] = &run(&arguments).json()[..] else { panic!("{backend}") };
            assert_eq!(*line, json!({"header": genesis, "nonces": expected, "hashes": 0x801}), "{backend}");
        }
    }
}

#[test]
fn search_passes_over_headers_that_cannot_be_read() {
    let genesis = GENESIS.to_lower_hex_string();
    let lines = [genesis.as_bytes(), b"nonsense", b"", "zz".repeat(80).as_bytes(), b"\xff\xfe", genesis.as_bytes()]
        .join(&b'\n');
    let ended = Program::start(&mut midstate("search --window 10 -"), lines).end();
    assert_eq!((ended.code, ended.out.len()), (Some(1), 2), "{ended:?}");
    assert!(ended.json().iter().all(|line| line["nonces"] == json!([2_083_236_893_u32])));
    let errors: Vec<_> = ended.err.lines().collect();
    let [second, fourth, fifth, total] = errors[..] else { panic!("{ended:?}") };
    assert!(second.contains("line 2") && second.contains("nonsense"), "{second}");
    assert!(fourth.contains("line 4") && fourth.contains("hex"), "{fourth}");
    assert!(fifth.contains("line 5"), "{fifth}");
    assert!(total.contains('3'), "{total}");
}

#[cfg(feature = "gpu")]
#[test]
fn the_shader_is_shown() {
    let [usual, radv] = ["", " radv"].map(|dialect| run(&format!("devices --dump-shader{dialect} --gpu-versions 2")));
    for shader in [&usual, &radv] {
        assert_eq!(shader.code, Some(0), "{shader:?}");
        let text = shader.out.join("\n");
        assert!(text.contains("fn search(") && text.contains("array<Version, 2>"), "{text}");
    }
    assert_ne!(usual.out, radv.out);
    let wrong = run("devices --dump-shader --gpu-versions 3");
    assert!(wrong.code == Some(2) && wrong.err.contains("expected one of 1, 2, 4, 8"), "{wrong:?}");
}

#[cfg(feature = "gpu")]
#[test]
fn an_adapter_that_is_not_there_is_named() {
    let ended = run("search --backend gpu --adapter nosuch -");
    assert_eq!(ended.code, Some(1));
    assert!(ended.err.contains("adapter") && ended.err.contains("nosuch"), "{ended:?}");
}

#[test]
fn output_that_nobody_reads_is_no_reason_to_panic() {
    let header = GENESIS.to_lower_hex_string();
    // Nobody listens there, so there is something to say at once.
    let mine = "mine --json --threads 1 --seconds 30 --user a --url stratum+tcp://127.0.0.1:1";
    for arguments in ["devices", "devices --json", "--help", mine, &format!("search --window 1 {header}")] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = midstate(arguments).stdout(writer).output().unwrap();
        // Graphics drivers write to standard error too.
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(0) && !err.contains("panicked"), "{arguments}: {err}");
    }
}

#[test]
fn a_pool_that_is_not_there_is_named() {
    // Bound, so that the port is nobody else's, but nobody listens.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("stratum+tcp://{}", socket.local_addr().unwrap());
    let ended = run(&format!("mine --json --threads 1 --seconds 2 --user a --url {url}"));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let messages = ended.messages();
    assert!(messages.len() > 1 && messages.iter().all(|message| message.contains(&url)), "{ended:?}");
    assert_eq!(ended.summary()["shares_accepted"], 0);
}

#[test]
fn what_a_pool_garbles_is_named_and_the_program_lives() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("stratum+tcp://{}", listener.local_addr().unwrap());
    let program =
        Program::start(&mut midstate(&format!("mine --json --threads 1 --seconds 3 --user a --url {url}")), "");
    let mut pool = Pool::welcome(&listener);
    pool.send("garbage");
    // So that no share comes.
    pool.call("mining.set_difficulty", &json!([1e9]));
    let mut bad = job("bad");
    bad[6] = json!("not hex");
    pool.call("mining.notify", &bad);
    pool.call("mining.notify", &job("good"));
    let ended = program.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let [line, nbits] = &ended.messages()[..] else { panic!("{ended:?}") };
    assert!(line.contains("garbage") && nbits.contains("nbits") && nbits.contains("not hex"), "{ended:?}");
    let jobs: Vec<_> = ended.json().into_iter().filter(|event| event["event"] == "job").collect();
    assert!(matches!(&jobs[..], [job] if job["id"] == "good" && job["difficulty"] == 1e9), "{jobs:?}");
    assert!(ended.summary()["hashes"].as_u64().unwrap() > 0);
}

/// The scripted pool's jobs pay a script that is nobody's address.
#[test]
fn whom_a_job_pays_is_said_and_a_liar_gets_no_work() {
    let mine = |more: &str| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("stratum+tcp://{}", listener.local_addr().unwrap());
        let arguments = format!("mine --json --threads 1 --seconds 3 --url {url} {more}");
        let program = Program::start(&mut midstate(&arguments), "");
        let mut pool = Pool::welcome(&listener);
        // So that no share comes.
        pool.call("mining.set_difficulty", &json!([1e9]));
        pool.call("mining.notify", &job("1"));
        // A liar is gone by now.
        let second = json!({"id": null, "method": "mining.notify", "params": job("2")}).to_string();
        let _ = pool.try_send(second);
        let ended = program.end();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        (url, ended)
    };
    let (url, named) = mine(&format!("--user {ADDRESS}.rig1"));
    let events = named.json();
    let told: Vec<_> = events.iter().filter(|event| event["event"] == "warning").collect();
    let [warning] = &told[..] else { panic!("{named:?}") };
    assert_eq!(keys(warning), ["event", "message", "url"]);
    let message = format!("the job's coinbase does not pay {ADDRESS}; the pool may pay later");
    assert_eq!((warning["url"].as_str(), warning["message"].as_str()), (Some(url.as_str()), Some(message.as_str())));
    assert_eq!(events.iter().filter(|event| event["event"] == "job").count(), 2);

    for held in [format!("--user a --verify-payout {ADDRESS}:98%"), format!("--user {ADDRESS} --strict")] {
        let (url, ended) = mine(&held);
        assert!(ended.json().iter().all(|event| event["event"] != "job" && event["event"] != "warning"), "{ended:?}");
        let first = &ended.messages()[0];
        assert!(
            [&url, "job \"1\"", ADDRESS, "0 BTC of 50 BTC (0 %)"].iter().all(|word| first.contains(word)),
            "{first}"
        );
        assert_eq!(ended.summary()["hashes"], 0);
    }
}

#[test]
fn passwords_come_from_the_environment_or_a_file_and_go_nowhere_else() {
    let pool = Regtest::start(DIFFICULTY, Some(PASSWORD));
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("{PASSWORD}\nsecond line")).unwrap();
    let base = format!("mine --json --threads 1 --user alice --url {}", pool.url());
    let mut from_environment = midstate(&base);
    from_environment.env("MIDSTATE_PASSWORD", PASSWORD);
    let from_file = midstate(&format!("{base} --password-file {}", file.path().display()));
    let mut help = midstate("mine --help");
    let help = Program::start(help.env("MIDSTATE_PASSWORD", PASSWORD), "").end();
    assert!(help.code == Some(0) && !format!("{help:?}").contains(PASSWORD), "{help:?}");
    for mut command in [from_environment, from_file] {
        let program = Program::start(&mut command, "");
        assert_eq!(program.event("share")["accepted"], true);
    }

    let wrong = "wrong-horse-battery-staple";
    let ended = run(&format!("{base} --seconds 2 --password {wrong}"));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.messages().iter().all(|message| message.contains("\"alice\"")), "{ended:?}");
    assert!(!ended.messages().is_empty() && !format!("{ended:?}").contains("horse"), "{ended:?}");
}

#[test]
fn a_pool_that_restarts_is_joined_again() {
    let pool = Regtest::start(DIFFICULTY, None);
    let program = Program::start(&mut midstate(&format!("mine --json --threads 1 --user a --url {}", pool.url())), "");
    program.event("share");
    let pool = pool.restart();
    for what in ["error", "connected", "job"] {
        program.event(what);
    }
    // One of a job from before may be refused first: the pool has forgotten it.
    while program.event("share")["accepted"] != true {}
    assert!(pool.accepted() >= 2);
}

#[cfg(unix)]
#[test]
fn a_miner_that_is_killed_leaves_the_pool_alive() {
    let pool = Regtest::start(DIFFICULTY, None);
    let arguments = format!("mine --json --threads 1 --user alice --url {}", pool.url());
    let program = Program::start(&mut midstate(&arguments), "");
    program.event("share");
    program.signal("-KILL");
    assert_eq!(program.end().code, None);
    let next = Program::start(&mut midstate(&arguments), "");
    assert_eq!(next.event("share")["accepted"], true);
    assert!(pool.accepted() >= 2);
}

#[cfg(all(unix, feature = "local"))]
#[test]
fn an_interrupt_ends_with_a_summary() {
    for signal in ["-INT", "-TERM"] {
        let program = Program::start(&mut midstate("local --json --threads 1"), "");
        assert_eq!(program.event("share")["accepted"], true);
        program.signal(signal);
        let ended = program.end();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let summary = ended.summary();
        assert!(summary["blocks"].as_u64().unwrap() > 0 && summary["tip"].is_string(), "{summary}");
        assert_eq!((&summary["shares_rejected"], &summary["hardware_errors"]), (&json!(0), &json!(0)));
    }
}

/// Each share that was found has its line in the log, and its place in the summary, also those of the last moment.
#[cfg(unix)]
#[test]
fn shares_are_accounted_for() {
    let pool = Regtest::start(DIFFICULTY, None);
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("shares.jsonl");
    let arguments = format!("mine --json --threads 1 --user a --url {} --share-log {}", pool.url(), log.display());
    let program = Program::start(&mut midstate(&arguments), "");
    for _ in 0..20 {
        program.event("share");
    }
    program.signal("-INT");
    let ended = program.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let summary = ended.summary();

    let text = std::fs::read_to_string(&log).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let fates = ["accepted", "rejected", "stale", "lost"];
    let logged = fates.map(|fate| lines.iter().filter(|line| line["fate"] == fate).count() as u64);
    let counted = fates.map(|fate| summary[format!("shares_{fate}")].as_u64().unwrap());
    assert_eq!(logged, counted);
    assert_eq!(summary["shares_found"], lines.len());
    assert_eq!(pool.accepted() as u64, counted[0]);
    let hashes: std::collections::HashSet<&str> = lines.iter().map(|line| line["hash"].as_str().unwrap()).collect();
    assert_eq!(hashes.len(), lines.len());
    for line in &lines {
        // The hash is the header's, and meets the target that the line names.
        let header = Vec::from_hex(line["header"].as_str().unwrap()).unwrap();
        let mut hash = sha256d::Hash::hash(&header).to_byte_array();
        hash.reverse();
        let hash = hash.to_lower_hex_string();
        assert!(line["hash"] == hash && hash.as_str() <= line["target"].as_str().unwrap(), "{line}");
        assert!(line["difficulty"].as_f64() >= line["share_difficulty"].as_f64(), "{line}");
        assert_eq!(line["pool"], pool.url());
        assert_eq!(line["fate"] == "accepted", line["round_trip_ms"].is_number(), "{line}");
    }
}

#[test]
fn a_share_log_that_cannot_be_opened_is_named() {
    let ended = run("mine --user a --url stratum+tcp://127.0.0.1:1 --share-log /nonexistent/shares");
    assert_eq!(ended.code, Some(2));
    assert!(ended.err.contains("share log") && ended.err.contains("/nonexistent/shares"), "{ended:?}");
}

#[test]
fn users_are_one_for_all_pools_or_one_for_each() {
    let ended = run("mine --user a --user b --url stratum+tcp://127.0.0.1:1");
    assert_eq!(ended.code, Some(2));
    assert!(ended.err.contains("user: 2 for 1 URLs"), "{ended:?}");
}
