//! The binary `pool-sim`, from its start to its end, as a stranger sees it.

mod common {
    pub(crate) mod event;
    pub(crate) mod http;
}

use common::event::event;
use common::http::post;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

fn command(data_dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pool-sim"));
    command.env_remove("POOL_SIM_RPC_PASSWORD").arg("--data-dir").arg(data_dir);
    command
}

/// A program that runs; killed when dropped.
struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
    ready: Value,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn start(mut command: Command) -> Running {
    command.args(["--json", "--listen", "127.0.0.1:0", "--rpc", "127.0.0.1:0"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    let ready: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(ready["event"], "ready");
    Running { child, stdout, ready }
}

impl Running {
    /// The status line and the body of a call, as curl would make it.
    fn call(&self, credentials: &str, body: &str) -> (String, String) {
        use base64::Engine;
        let auth = base64::prelude::BASE64_STANDARD.encode(credentials);
        post(self.ready["rpc"].as_str().unwrap(), &auth, body)
    }

    /// Its next event of that name.
    fn event(&mut self, name: &str) -> Value {
        event(&mut self.stdout, name)
    }

    /// Its exit code, and the last line that it prints.
    fn end(mut self) -> (Option<i32>, Value) {
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        let code = self.child.wait().unwrap().code();
        (code, serde_json::from_str(rest.lines().last().unwrap()).unwrap())
    }
}

fn finished(command: &mut Command) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = command.output().unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

#[test]
fn the_cookie_opens_it_and_the_method_stop_ends_it() {
    let directory = tempfile::tempdir().unwrap();
    let running = start(command(directory.path()));
    let path = directory.path().join("regtest/.cookie");
    assert_eq!(running.ready["cookie"], path.to_str().unwrap());
    assert_eq!(running.ready["height"], 16);
    let cookie = std::fs::read_to_string(&path).unwrap();
    let (status, body) = running.call(&cookie, r#"{"id":1,"method":"getblockcount"}"#);
    assert_eq!(status, "HTTP/1.1 200 OK");
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap()["result"], 16);
    assert!(running.call("__cookie__:0", r#"{"id":1,"method":"stop"}"#).0.contains("401"));
    running.call(&cookie, r#"{"id":1,"method":"stop"}"#);
    let (code, last) = running.end();
    assert_eq!((code, &last["event"], &last["height"]), (Some(0), &"stopped".into(), &16.into()));
    assert!(!path.exists());
}

#[cfg(unix)]
#[test]
fn signals_end_it_cleanly() {
    for signal in ["-INT", "-TERM"] {
        let directory = tempfile::tempdir().unwrap();
        let running = start(command(directory.path()));
        let id = running.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
        let (code, last) = running.end();
        assert_eq!((code, &last["event"]), (Some(0), &"stopped".into()), "{signal}");
        assert!(!directory.path().join("regtest/.cookie").exists());
    }
}

#[test]
fn a_password_comes_from_a_file_or_the_environment() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("secret");
    std::fs::write(&file, "s3cret\n").unwrap();
    let mut from_file = command(directory.path());
    from_file.args(["--premine", "3", "--rpc-user", "alice", "--rpc-password-file"]).arg(&file);
    let mut from_environment = command(directory.path());
    from_environment.args(["--premine", "3", "--rpc-user", "alice"]).env("POOL_SIM_RPC_PASSWORD", "s3cret");
    for command in [from_file, from_environment] {
        let running = start(command);
        assert_eq!(running.ready["cookie"], Value::Null);
        assert!(!directory.path().join("regtest").exists());
        assert!(!running.ready.to_string().contains("s3cret"));
        let (status, body) = running.call("alice:s3cret", r#"{"id":1,"method":"getblockcount"}"#);
        assert_eq!(status, "HTTP/1.1 200 OK");
        assert!(body.contains("\"result\":3"));
    }
}

#[test]
fn a_port_in_use_is_named_and_the_other_program_keeps_its_cookie() {
    let directory = tempfile::tempdir().unwrap();
    let first = start(command(directory.path()));
    let cookie = directory.path().join("regtest/.cookie");
    let before = std::fs::read(&cookie).unwrap();
    let rpc = first.ready["rpc"].as_str().unwrap();
    let (code, stderr) = finished(command(directory.path()).args(["--listen", "127.0.0.1:0", "--rpc", rpc]));
    assert_eq!(code, Some(1));
    assert!(stderr.contains(rpc) && stderr.contains("JSON-RPC"), "{stderr}");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let (code, stderr) = finished(command(directory.path()).args(["--listen", &listen, "--rpc", "127.0.0.1:0"]));
    assert_eq!(code, Some(1));
    assert!(stderr.contains(&listen) && stderr.contains("miners"), "{stderr}");
    assert_eq!(std::fs::read(&cookie).unwrap(), before);
}

#[test]
fn arguments_that_make_no_sense_are_named() {
    let directory = tempfile::tempdir().unwrap();
    for (args, named) in [
        (&["--pay-to", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"][..], "--pay-to"),
        (&["--pay-to", "nobody"], "--pay-to"),
        (&["--start-difficulty", "0"], "--start-difficulty"),
        (&["--start-difficulty", "NaN"], "--start-difficulty"),
        (&["--premine", "-1"], "-1"),
        (&["--listen", "here"], "--listen"),
        (&["--listen", "127.0.0.1:1,speed=9"], "speed=9"),
        (&["--listen", "127.0.0.1:1,fixed=0"], "fixed"),
        (&["--listen", "127.0.0.1:1,min=9", "--max-difficulty", "2"], "min"),
        (&["--vardiff", "0"], "--vardiff"),
        (&["--retarget-interval", "0"], "--retarget-interval"),
        (&["--stale-grace", "never"], "--stale-grace"),
        (&["--scheme", "score"], "score"),
        (&["--fee", "1000001"], "--fee"),
        (&["--payout", "coinbase", "--scheme", "solo"], "--payout"),
        (
            &["--payout", "transactions", "--pay-to", "bcrt1qrxcucnxg57q5lrq8qnhjm2yg8sac3v3jejqq9h"],
            "the pool has no key for another: leave --pay-to out",
        ),
        (&["--payout", "transactions", "--payout-threshold", "545"], "--payout-threshold"),
        (&["--payout-threshold", "1000"], "--payout transactions"),
        (&["--store", "a", "accounts", "--store", "a"], "accounts"),
        (&["--resume-within", "soon"], "--resume-within"),
        (&["--rpc-user", "alice"], "--rpc-password"),
        (&["--rpc-password", "s3cret"], "--rpc-user"),
        (&["--rpc-user", "a:b", "--rpc-password", "s3cret"], "--rpc-user"),
    ] {
        let (code, stderr) = finished(command(directory.path()).args(args));
        assert_eq!(code, Some(2), "{args:?}: {stderr}");
        assert!(stderr.contains(named), "{args:?}: {stderr}");
        assert!(!stderr.contains("s3cret"), "{args:?}: {stderr}");
    }
    let missing = directory.path().join("missing");
    let (code, stderr) =
        finished(command(directory.path()).args(["--rpc-user", "alice", "--rpc-password-file"]).arg(&missing));
    assert_eq!(code, Some(1));
    assert!(stderr.contains("missing"), "{stderr}");
}

#[test]
fn several_ports_differ_and_a_share_is_told_in_full() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = command(directory.path());
    command.args(["--vardiff", "20", "--listen", "127.0.0.1:0,fixed=7"]);
    let mut running = start(command);
    let ports = running.ready["ports"].as_array().unwrap().clone();
    assert_eq!((ports.len(), &ports[0]), (2, &running.ready["listen"]));
    for (port, difficulty) in ports.iter().zip(["7", "0.01"]) {
        let mut miner = TcpStream::connect(port.as_str().unwrap()).unwrap();
        let lines = [
            r#"{"id":1,"method":"mining.subscribe","params":["hand"]}"#,
            r#"{"id":2,"method":"mining.authorize","params":["alice.rig","x"]}"#,
            r#"{"id":3,"method":"mining.submit","params":["alice.rig","zz","00","00000000","00000000"]}"#,
        ];
        writeln!(miner, "{}", lines.join("\n")).unwrap();
        let told = BufReader::new(miner)
            .lines()
            .map(Result::unwrap)
            .find(|line| line.contains("\"method\":\"mining.set_difficulty\""));
        assert!(told.as_ref().unwrap().contains(&format!("[{difficulty}]")), "{told:?}");
        let share = running.event("share");
        assert_eq!(
            (&share["worker"], &share["refusal"], &share["code"]),
            (&"rig".into(), &"unknown-job".into(), &21.into())
        );
        assert_eq!((&share["accepted"], &share["hash"]), (&false.into(), &Value::Null));
    }
}

#[test]
fn pools_know_the_node_again_by_its_authority() {
    let directory = tempfile::tempdir().unwrap();
    let key = |command: Command| {
        let running = start(command);
        let address = running.ready["templates"].as_str().unwrap();
        TcpStream::connect(address).unwrap();
        running.ready["templates_authority"].as_str().unwrap().to_owned()
    };
    let serving = || {
        let mut command = command(directory.path());
        command.env_remove("POOL_SIM_SV2_AUTHORITY_FILE").args(["--listen-templates", "127.0.0.1:0"]);
        command
    };
    let made = key(serving());
    assert_eq!(key(serving()), made);
    let file = directory.path().join("own");
    std::fs::write(&file, "mkDLTBBRxdBv998612qipDYoTK3YUrqLe8uWw7gu3iXbSrn2n\n").unwrap();
    let mut own = serving();
    own.arg("--sv2-authority-file").arg(&file);
    assert_eq!(key(own), "9auqWEzQDVyd2oe1JVGFLMLHZtCo2FFqZwtKA5gd9xbuEu7PH72");
    std::fs::write(&file, "mkDLTBBRxdBv998612qipDYoTK3YUrqLe8uWw7gu3iXbSrn2m\n").unwrap();
    let (code, stderr) = finished(serving().arg("--sv2-authority-file").arg(&file));
    assert_eq!(code, Some(1));
    assert!(stderr.contains("is a letter missing, or changed?") && !stderr.contains("mkDL"), "{stderr}");
    // Who wants nothing of it has no secret on the disk.
    let other = tempfile::tempdir().unwrap();
    assert_eq!(start(command(other.path())).ready["templates"], Value::Null);
    assert!(!other.path().join("authority").exists());
}
