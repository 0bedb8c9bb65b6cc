//! The program with a port of V2: its authority, and what is said of it.

#[path = "../common/running.rs"]
mod running;

use super::client::{Client, plain};
use midstate_stratum::v2::AuthorityKey;
use running::{Running, program};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;

/// The program with a port of V2, and the URL that it says.
fn start(directory: &Path, arguments: &[&str]) -> (Running, SocketAddr, AuthorityKey) {
    let directory = directory.to_str().unwrap();
    let fixed = ["--json", "--listen", "127.0.0.1:0", "--rpc", "127.0.0.1:0", "--listen-v2", "127.0.0.1:0,fixed=1e-12"];
    let mut child = program(&[&fixed[..], &["--data-dir", directory], arguments].concat()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let ready: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((ready["event"].as_str(), ready["ports"].as_array().unwrap().len()), (Some("ready"), 1));
    let url = ready["v2"][0].as_str().unwrap().strip_prefix("stratum2+tcp://").unwrap();
    let (address, key) = url.split_once('/').unwrap();
    (Running(child), address.parse().unwrap(), key.parse().unwrap())
}

#[test]
fn an_authority_outlasts_the_program_and_its_url_is_that_of_a_pool() {
    let directory = tempfile::tempdir().unwrap();
    let (running, address, key) = start(directory.path(), &[]);
    let mut client = Client::connect_as(address, key);
    client.set_up(0);
    let channel = client.extended();
    assert_eq!(client.verdict(channel.share(plain(1))), None);
    drop(running);
    assert_eq!(start(directory.path(), &[]).2, key);
    // Another file, another authority.
    let file = directory.path().join("other");
    let other = start(directory.path(), &["--sv2-authority-file", file.to_str().unwrap()]).2;
    assert_ne!(other, key);
    let secret = std::fs::read_to_string(&file).unwrap();
    assert_eq!(secret.trim().parse::<midstate_stratum::v2::Authority>().unwrap().key(), other);
}

#[test]
fn what_v2_cannot_have_is_refused_at_the_start() {
    for (arguments, words) in [
        (&["--listen-v2", "127.0.0.1:0,password=s3cret"][..], "--listen-v2: password: \"a text\"; expected none"),
        (&["--listen-v2", "127.0.0.1:0", "--password", "s3cret"], "expected none, as Stratum V2 has no passwords"),
        (&["--listen-v2", "here"], "expected ADDRESS:PORT"),
        (&["--listen-v2", "127.0.0.1:0", "--scenario", "restart-forgets"], "cannot be used with"),
        (&["--listen-v2", "127.0.0.1:0", "--sv2-certificate-validity", "soon"], "invalid value 'soon'"),
    ] {
        let output = program(arguments).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(words) && !said.contains("s3cret"), "{said}");
    }
}
