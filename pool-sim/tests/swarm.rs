//! The swarm: on our pool, whose own count it must match, and on pools that misbehave.

use midstate_stratum::Difficulty;
use pool_sim::chain::Params;
use pool_sim::node::Node;
use pool_sim::pool::{Pool, PoolConfig, PoolEvent};
use pool_sim::swarm::{Options, Report, parse_attack, run};
use serde_json::{Value, json};
use std::future::pending;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What our pool saw: shares that it took, refusals by word, users' connections, blocks.
#[derive(Default)]
struct Seen {
    accepted: u64,
    refused: Vec<String>,
    joined: u64,
    blocks: u64,
}

async fn our_pool(difficulty: f64) -> (Pool, Arc<Mutex<Seen>>) {
    let node = Node::new(Params::regtest());
    let pay_to = pool_sim::anyone_can_spend().script_pubkey();
    node.premine(16, &pay_to).unwrap();
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let config = PoolConfig::new(listen, Difficulty::new(difficulty).unwrap(), pay_to);
    let seen = Arc::new(Mutex::new(Seen::default()));
    let noted = Arc::clone(&seen);
    let on_event = move |event| {
        let mut seen = noted.lock().unwrap();
        match event {
            PoolEvent::Joined { .. } => seen.joined += 1,
            PoolEvent::Share(record) => match &record.verdict {
                Ok(()) => seen.accepted += 1,
                Err(refusal) => seen.refused.push(refusal.to_string()),
            },
            PoolEvent::Block { refused: None, .. } => seen.blocks += 1,
            _ => {}
        }
    };
    (Pool::start(node, config, on_event).await.unwrap(), seen)
}

/// All shares are answered, one way or another, and all connections ended somehow.
fn sums_close(report: &Report) {
    let counts = &report.counts;
    let rejected: u64 = counts.rejected.values().sum();
    assert_eq!(counts.submitted, counts.accepted + rejected + counts.unanswered, "{report}");
    assert_eq!(report.submit.count, counts.accepted + rejected, "{report}");
    assert!(counts.connected <= counts.tried, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_miners_on_our_pool() {
    let (pool, seen) = our_pool(1e-12).await;
    let options = Options {
        interval: Duration::from_millis(500),
        lasts: Duration::from_secs(4),
        ..Options::new(format!("stratum+tcp://{}", pool.address()), 200)
    };
    let mut seconds = 0;
    let report = run(options, pending(), |_| seconds += 1).await.unwrap();
    sums_close(&report);
    let (counts, seen) = (&report.counts, seen.lock().unwrap());
    assert_eq!((seen.refused.as_slice(), counts.rejected.len()), (&[][..], 0), "{report}");
    assert_eq!((counts.accepted, counts.connected), (seen.accepted, seen.joined), "{report}");
    assert_eq!(
        (seen.blocks, counts.withheld, counts.unanswered, counts.failed + counts.lost),
        (0, 0, 0, 0),
        "{report}"
    );
    // Some 1,600 are due; a busy machine may send fewer.
    assert!(counts.accepted > 200 && report.passes() && seconds >= 4, "{report}");
    assert_eq!(report.first_job.count, 200);

    let summary = report.to_json();
    assert_eq!((&summary["accepted"], &summary["passed"]), (&json!(seen.accepted), &json!(true)));
    is_well_formed(&report.to_svg());
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_on_purpose_and_miners_that_come_and_go() {
    let (pool, seen) = our_pool(1e-12).await;
    let options = Options {
        interval: Duration::from_millis(500),
        lasts: Duration::from_secs(5),
        churn: 0.2,
        tip_every: Some(Duration::from_secs(1)),
        ..Options::new(pool.address().to_string(), 50)
    };
    let report = run(options, pending(), |_| ()).await.unwrap();
    sums_close(&report);
    let (counts, seen) = (&report.counts, seen.lock().unwrap());
    assert!(seen.blocks > 0 && counts.left > 0, "{report}");
    // Only a share that a tip overtook is refused.
    assert_eq!((counts.refused(), counts.stale()), (0, seen.refused.len() as u64), "{report} {:?}", seen.refused);
    assert_eq!((counts.accepted, counts.connected, counts.lost), (seen.accepted, seen.joined, 0), "{report}");
    assert!(!report.tips.is_empty() && report.tips.len() as u64 <= seen.blocks, "{report}");
    assert!(report.tips.iter().all(|tip| tip.heard <= tip.of && tip.since_block.unwrap() >= tip.spread), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_each_share_would_be_a_block_none_is_sent() {
    let (pool, seen) = our_pool(2f64.powi(-24)).await;
    let options = Options {
        interval: Duration::from_millis(200),
        lasts: Duration::from_secs(1),
        ..Options::new(pool.address().to_string(), 5)
    };
    let report = run(options, pending(), |_| ()).await.unwrap();
    assert_eq!((report.counts.submitted, seen.lock().unwrap().accepted), (0, 0));
    assert!(report.counts.withheld > 0 && !report.passes(), "{report}");
    assert!(report.notice.is_some_and(|notice| notice.contains("--blocks")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_difficulty_that_is_too_high_slows_it_down() {
    let (address, _pool) = scripted(Manner::Takes { nbits: "1d00ffff", difficulty: 2f64.powi(-22) }).await;
    // A share takes 1,024 hashes, and 500 shares a second are asked for.
    let options = Options {
        interval: Duration::from_millis(10),
        lasts: Duration::from_secs(2),
        max_hashes_per_second: 50_000.0,
        ..Options::new(address.to_string(), 5)
    };
    let report = run(options, pending(), |_| ()).await.unwrap();
    sums_close(&report);
    // Some 150 are allowed. Chance gives a few more; a slow machine gives fewer.
    assert!((1..250).contains(&report.counts.accepted), "{report}");
    assert!(report.notice.as_ref().is_some_and(|notice| notice.contains("--max-hashes-per-second")), "{report}");
}

/// How a pool of a few lines treats its miners.
#[derive(Clone, Copy)]
enum Manner {
    /// Takes every share.
    Takes { nbits: &'static str, difficulty: f64 },
    /// Refuses every share with this code.
    Refuses(i64),
    /// Hangs up at the first share.
    HangsUp,
    /// Answers no share.
    IsSilent,
    /// Refuses all users.
    KnowsNobody,
    /// Sends no job.
    HasNoJob,
}

async fn scripted(manner: Manner) -> (SocketAddr, tokio::task::JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut pool = tokio::task::JoinSet::new();
    pool.spawn(async move {
        let mut sessions = tokio::task::JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            sessions.spawn(session(stream, manner));
        }
    });
    (address, pool)
}

async fn session(mut stream: TcpStream, manner: Manner) {
    let (read, mut write) = stream.split();
    let mut lines = BufReader::new(read).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let call: Value = serde_json::from_str(&line).unwrap();
        let id = &call["id"];
        let yes = || json!({"id": id, "result": true, "error": null}).to_string();
        let no = |code: i64| json!({"id": id, "result": null, "error": [code, "no", null]}).to_string();
        let answer = match (call["method"].as_str().unwrap(), manner) {
            ("mining.subscribe", _) => json!({"id": id, "result": [[], "aabb", 4], "error": null}).to_string(),
            ("mining.authorize", Manner::KnowsNobody) => no(24),
            ("mining.authorize", Manner::HasNoJob) => yes(),
            ("mining.authorize", _) => {
                let (nbits, difficulty) = match manner {
                    Manner::Takes { nbits, difficulty } => (nbits, difficulty),
                    _ => ("207fffff", 1e-12),
                };
                let difficulty = json!({"id": null, "method": "mining.set_difficulty", "params": [difficulty]});
                let params = json!(["1", "00".repeat(32), "00", "00", [], "20000000", nbits, "65000000", true]);
                let job = json!({"id": null, "method": "mining.notify", "params": params});
                format!("{}\n{difficulty}\n{job}", yes())
            }
            (_, Manner::Takes { .. }) => yes(),
            (_, Manner::Refuses(code)) => no(code),
            (_, Manner::HangsUp) => return,
            _ => continue,
        };
        write.write_all(format!("{answer}\n").as_bytes()).await.unwrap();
    }
}

async fn swarm_on(manner: Manner) -> Report {
    let (address, _pool) = scripted(manner).await;
    let options = Options {
        interval: Duration::from_millis(200),
        lasts: Duration::from_secs(2),
        patience: Duration::from_millis(500),
        ..Options::new(address.to_string(), 5)
    };
    let report = run(options, pending(), |_| ()).await.unwrap();
    sums_close(&report);
    assert!(!report.passes(), "{report}");
    assert!(report.to_string().lines().last().unwrap().starts_with("failed"), "{report}");
    report
}

#[tokio::test(flavor = "multi_thread")]
async fn pools_that_misbehave_are_found_out() {
    let (refuses, hangs_up, silent, nobody, no_job) = tokio::join!(
        swarm_on(Manner::Refuses(23)),
        swarm_on(Manner::HangsUp),
        swarm_on(Manner::IsSilent),
        swarm_on(Manner::KnowsNobody),
        swarm_on(Manner::HasNoJob),
    );
    assert_eq!(refuses.counts.rejected.keys().collect::<Vec<_>>(), [&23], "{refuses}");
    assert_eq!(refuses.counts.refused(), refuses.counts.submitted);
    // Each miner comes back, to be thrown out again.
    assert!(hangs_up.counts.lost > 5 && hangs_up.counts.unanswered == hangs_up.counts.submitted, "{hangs_up}");
    assert!(hangs_up.counts.reasons.keys().all(|reason| reason.contains("hung up")), "{hangs_up}");
    assert_eq!(silent.counts.unanswered, silent.counts.submitted, "{silent}");
    assert!(nobody.counts.failed >= 5 && nobody.counts.reasons.contains_key("authorize: code 24"), "{nobody}");
    assert!(no_job.counts.failed >= 5 && no_job.counts.reasons.contains_key("no job"), "{no_job}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_that_is_not_there_is_a_failed_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let options = Options { lasts: Duration::from_millis(500), ..Options::new(address.to_string(), 3) };
    let report = run(options, pending(), |_| ()).await.unwrap();
    assert!(report.counts.failed >= 3 && report.counts.connected == 0 && !report.passes(), "{report}");
}

/// Every element is closed, in order: all that our pictures need of XML.
fn is_well_formed(svg: &str) {
    let mut open = Vec::new();
    for tag in svg.split('<').skip(1) {
        let (tag, text) = tag.split_once('>').expect("a tag ends");
        assert!(!text.contains(['&', '>']), "{text}");
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name.to_owned()));
        } else if !tag.ends_with('/') {
            open.push(tag.split(' ').next().unwrap().to_owned());
        }
    }
    assert!(open.is_empty() && svg.starts_with("<svg "), "{open:?}");
}

fn program(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_pool-sim"))
        .arg("swarm")
        .args(arguments)
        .env("POOL_SIM_SWARM_PASSWORD", "hush")
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn arguments_that_make_no_sense_are_named_and_end_with_2() {
    for (arguments, words) in [
        (&["nowhere"][..], ["url: \"nowhere\"", "expected stratum+tcp://HOST:PORT"]),
        (&["h:1", "--miners", "0"], ["--miners", "0"]),
        (&["h:1", "--rate", "3s"], ["--rate", "1/3s"]),
        (&["h:1", "--churn", "200%/s"], ["--churn", "1%/s"]),
        (&["h:1", "--max-error-rate", "101%"], ["--max-error-rate", "at most all"]),
        (&["h:1", "--arrival", "late"], ["--arrival", "poisson"]),
    ] {
        let (code, out, err) = program(arguments);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{arguments:?}: {err}");
        assert!(words.iter().all(|word| err.contains(word)), "{arguments:?}: {err}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_prints_what_its_help_says_and_writes_a_picture() {
    let (pool, seen) = our_pool(1e-12).await;
    let directory = tempfile::tempdir().unwrap();
    let svg = directory.path().join("latency.svg");
    let (url, path) = (pool.address().to_string(), svg.to_str().unwrap().to_owned());
    let arguments = move || {
        let pid = std::process::id().to_string();
        let run =
            ["--miners", "20", "--ramp", "500ms", "--seconds", "2", "--rate", "2/s", "--json", "--pool-pid", &pid];
        program(&[&[url.as_str(), "--svg", &path][..], &run].concat())
    };
    let (code, out, err) = tokio::task::spawn_blocking(arguments).await.unwrap();
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    let objects: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let summary = objects.last().unwrap();
    assert_eq!((&summary["event"], &summary["accepted"]), (&json!("summary"), &json!(seen.lock().unwrap().accepted)));
    assert!(!out.contains("hush"));
    if cfg!(target_os = "linux") {
        assert!(summary["pool"]["rss"].as_u64().unwrap() > 100_000 && summary["own"]["cpu"].is_number(), "{summary}");
    }
    is_well_formed(&std::fs::read_to_string(svg).unwrap());

    let help = program(&["--help"]).1;
    for key in objects.iter().flat_map(|object| object.as_object().unwrap().keys()) {
        let is_word = |text: &str| text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == key);
        assert!(is_word(&help), "{key}");
    }
    assert!(help.contains("Examples:"));
}

#[tokio::test(flavor = "multi_thread")]
async fn attackers_take_nothing_from_miners() {
    let (pool, seen) = our_pool(1e-12).await;
    let kinds = ["mute", "slow", "churn", "flood", "deaf", "long", "bomb"];
    let attackers: Vec<_> = kinds.map(|kind| parse_attack(&format!("{kind}:3")).unwrap()).into();
    let options = Options {
        interval: Duration::from_millis(500),
        lasts: Duration::from_secs(4),
        attackers,
        ..Options::new(pool.address().to_string(), 20)
    };
    let report = run(options, pending(), |_| ()).await.unwrap();
    sums_close(&report);
    let (counts, seen) = (&report.counts, seen.lock().unwrap());
    assert_eq!((counts.unanswered, counts.failed + counts.lost, counts.refused()), (0, 0, 0), "{report}");
    assert_eq!(counts.accepted, seen.accepted, "{report}");
    let Some((quiet, attacked, attackers)) = &report.attack else { panic!("{report}") };
    assert_eq!(quiet.count + attacked.count, report.submit.count);
    assert!(quiet.count > 0 && attacked.count > 0, "{report}");
    // Those of an endless line and of bombs are thrown out.
    assert!(attackers.tried > 21 && attackers.ended > 6, "{report}");
}
