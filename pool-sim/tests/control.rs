//! Faults on command, through the socket and through the program.

mod common {
    pub(crate) mod running;
}

use common::running::{Running, program};
use midstate_stratum::Difficulty;
use pool_sim::faults::{Control, ControlAddress, Faults, Scenario};
use pool_sim::pool::PoolConfig;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

fn connect(address: impl std::net::ToSocketAddrs) -> BufReader<TcpStream> {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    BufReader::new(stream)
}

fn read(stream: &mut impl BufRead) -> Value {
    let mut line = String::new();
    assert!(stream.read_line(&mut line).unwrap() > 0, "it hung up");
    serde_json::from_str(&line).unwrap()
}

fn say(stream: &mut BufReader<TcpStream>, line: &str) -> Value {
    stream.get_mut().write_all(format!("{line}\n").as_bytes()).unwrap();
    read(stream)
}

/// A miner that authorized and has its first job.
fn miner(address: std::net::SocketAddr) -> BufReader<TcpStream> {
    let mut miner = connect(address);
    say(&mut miner, r#"{"id":1,"method":"mining.subscribe","params":["hand"]}"#);
    say(&mut miner, r#"{"id":2,"method":"mining.authorize","params":["alice","x"]}"#);
    while read(&mut miner)["method"] != "mining.notify" {}
    miner
}

#[test]
fn commands_are_done_at_once_and_errors_end_nothing() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let faults = Arc::new(Faults::new(Scenario::empty()));
    let pay_to = pool_sim::anyone_can_spend().script_pubkey();
    let config = PoolConfig::new(([127, 0, 0, 1], 0).into(), Difficulty::ONE, pay_to).with_faults(&faults);
    let config = pool_sim::Config { rpc: None, templates: None, pool: config, premine: 16 };
    let simulator = runtime.block_on(pool_sim::start(config, |_| {})).unwrap();
    let anywhere = "127.0.0.1:0".parse().unwrap();
    let control = runtime.block_on(Control::listen(&anywhere, Arc::clone(&faults))).unwrap();
    let mut commands = connect(control.address().to_string());
    let mut miner = miner(simulator.pool_address());

    assert_eq!(say(&mut commands, &"x".repeat(70_000))["field"], "line");
    assert_eq!(say(&mut commands, r#"{"fault":"clsoe"}"#)["field"], "fault");
    commands.get_mut().write_all(b"{\"fault\":\"\xff\"}\n").unwrap();
    assert_eq!(read(&mut commands)["field"], "line");
    assert_eq!(say(&mut commands, r#"{"fault":{"message":{"text":"hello"}}}"#), json!({"event": "added", "rule": 1}));
    let told = read(&mut miner);
    assert_eq!((&told["method"], &told["params"]), (&json!("client.show_message"), &json!(["hello"])));
    // A host that was not known at the start: the pool notices who follows.
    say(&mut commands, r#"{"fault":{"reconnect":{"host":"evil.example","wait":1}}}"#);
    let port = read(&mut miner)["params"][1].as_u64().unwrap() as u16;
    drop(connect(("127.0.0.1", port)));
    let is_found = |verdict: &Value| verdict["counts"]["domain"] == 1;
    while !is_found(&say(&mut commands, r#"{"cmd":"verdict"}"#)) {
        std::thread::sleep(Duration::from_millis(20));
    }
    say(&mut commands, r#"{"fault":"close"}"#);
    assert_eq!(miner.read_to_end(&mut Vec::new()).unwrap(), 0);
    let rules = say(&mut commands, r#"{"cmd":"rules"}"#);
    let struck: Vec<_> = rules["rules"].as_array().unwrap().iter().map(|rule| rule["struck"].clone()).collect();
    assert_eq!(struck, [1, 1, 1]);
    assert_eq!(say(&mut commands, r#"{"cmd":"clear"}"#)["rules"], 3);
    // What a web page makes a browser send is not heard.
    let mut page = connect(control.address().to_string());
    page.get_mut().write_all(b"POST / HTTP/1.1\r\n\r\n{\"fault\":\"close\"}\n").unwrap();
    let mut heard = Vec::new();
    // The connection may be reset, as not all was read.
    let _ = page.read_to_end(&mut heard);
    assert_eq!((heard.len(), say(&mut commands, r#"{"cmd":"rules"}"#)["rules"].clone()), (0, json!([])));
}

#[cfg(unix)]
#[test]
fn a_socket_in_the_file_system_is_this_users_and_goes_when_its_pool_goes() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::{UnixListener, UnixStream};
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("control");
    let address = ControlAddress::Unix(path.clone());
    let listen = || runtime.block_on(Control::listen(&address, Arc::new(Faults::new(Scenario::empty()))));
    // Left by a program that ended.
    drop(UnixListener::bind(&path).unwrap());
    let control = listen().unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let mut stream = BufReader::new(UnixStream::connect(&path).unwrap());
    stream.get_mut().write_all(b"{\"cmd\":\"clear\"}\n").unwrap();
    assert_eq!(read(&mut stream), json!({"event": "cleared", "rules": 0}));
    assert!(listen().is_err_and(|error| error.kind() == std::io::ErrorKind::AddrInUse));
    drop(control);
    assert!(!path.exists());
    // What is no socket is not removed.
    std::fs::write(&path, "mine").unwrap();
    assert!(listen().is_err() && std::fs::read_to_string(&path).unwrap() == "mine");
}

#[test]
fn the_program_takes_commands_and_sends_them() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().to_str().unwrap();
    let anywhere = "127.0.0.1:0";
    let arguments = ["--json", "--listen", anywhere, "--rpc", anywhere, "--control", anywhere, "--data-dir", data];
    let mut pool = Running(program(&arguments).spawn().unwrap());
    let ready = read(&mut BufReader::new(pool.0.stdout.take().unwrap()));
    let address = ready["control"].as_str().unwrap();
    let control = |lines: &[&str]| program(&[&["control", address], lines].concat()).output().unwrap();
    let output = control(&[r#"{"fault":"drop"}"#, r#"{"cmd":"clear"}"#]);
    let expected = "{\"event\":\"added\",\"rule\":1}\n{\"event\":\"cleared\",\"rules\":1}\n";
    assert_eq!((output.status.code(), String::from_utf8(output.stdout).unwrap().as_str()), (Some(0), expected));
    assert_eq!(control(&["{}"]).status.code(), Some(1));
    assert_eq!(control(&[]).status.code(), Some(0));
}

#[test]
fn only_this_host_reaches_it_unless_told_otherwise() {
    let output = program(&["--control", "0.0.0.0:0"]).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && text.contains("--control-open"), "{text}");
    let output = program(&["--control", "here"]).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && text.contains("ADDRESS:PORT"), "{text}");
}
