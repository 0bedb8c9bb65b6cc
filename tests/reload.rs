//! On SIGHUP the configuration is read again, and the pools change while the program mines.
#![cfg(unix)]

mod common {
    pub(crate) mod place;
    pub(crate) mod program;
    pub(crate) mod scripted;
}

use common::place::{Place, pools};
use common::program::Program;
use common::scripted::{Pool, job, listener, url};
use serde_json::{Value, json};
use std::net::TcpListener;

/// A pool that takes no share: none comes.
fn joined(listener: &TcpListener, id: &str) -> Pool {
    let mut pool = Pool::welcome(listener);
    pool.call("mining.set_difficulty", &json!([1e9]));
    pool.call("mining.notify", &job(id));
    pool
}

/// The program with the place's file, with job 1 of the pool that it is to join first.
fn started(place: &Place, first: &TcpListener) -> (Program, Pool) {
    let program = Program::start(&mut place.midstate("mine --json --threads 1"), "");
    let pool = joined(first, "1");
    assert_eq!(program.event("job")["id"], "1");
    (program, pool)
}

/// The next event of the configuration, after which nothing but these came.
fn told(program: &Program) -> Value {
    program.signal("-HUP");
    program.event("configuration")
}

/// The next event must be a job of this id: the session was not touched.
fn goes_on(program: &Program, pool: &mut Pool, id: &str) {
    pool.call("mining.notify", &job(id));
    loop {
        let event = program.next();
        match event["event"].as_str() {
            Some("job") => return assert_eq!(event["id"], id),
            Some("hashrate") => {}
            _ => panic!("{event}"),
        }
    }
}

#[test]
fn a_change_of_the_second_pool_leaves_the_first_alone() {
    let [(first, first_port), (second, second_port), (_third, third_port)] = [listener(), listener(), listener()];
    let place = Place::with(&pools(&[first_port, second_port]));
    let program = Program::start(&mut place.midstate("mine --json --threads 1"), "");
    assert_eq!(program.event("configuration")["changes"], json!([]));
    let mut pool = joined(&first, "1");
    assert_eq!(program.event("job")["id"], "1");

    place.write(&pools(&[first_port, third_port]));
    let again = told(&program);
    let change = format!("pool 2: url: \"{}\", was \"{}\"", url(third_port), url(second_port));
    assert_eq!((&again["changes"], &again["restart"]), (&json!([change]), &json!([])));
    goes_on(&program, &mut pool, "2");

    // Nothing is different, and that is said.
    assert_eq!(told(&program)["changes"], json!([]));
    goes_on(&program, &mut pool, "3");

    place.write(&pools(&[first_port]));
    let url = format!("pool 2: url: gone, was \"{}\"", url(third_port));
    assert_eq!(told(&program)["changes"], json!([url, "pool 2: user: gone, was \"alice\""]));
    goes_on(&program, &mut pool, "4");
    drop(second);
}

#[test]
fn a_change_of_the_first_pool_moves_the_miner() {
    let [(first, first_port), (second, second_port)] = [listener(), listener()];
    let place = Place::with(&pools(&[first_port]));
    let (program, mut pool) = started(&place, &first);
    place.write(&pools(&[second_port]));
    assert_eq!(told(&program)["changes"].as_array().unwrap().len(), 1);
    let mut other = joined(&second, "2");
    assert_eq!(program.event("connected")["url"], url(second_port).as_str());
    assert_eq!(program.event("job")["id"], "2");
    assert_eq!(pool.read(), None);
    goes_on(&program, &mut other, "3");
}

#[test]
fn a_bad_file_changes_nothing() {
    let (first, port) = listener();
    let place = Place::with(&pools(&[port]));
    let (program, mut pool) = started(&place, &first);
    place.write(&format!("{}password = 8675309\n", pools(&[port])));
    program.signal("-HUP");
    let error = program.event("error");
    let message = error["message"].as_str().unwrap();
    let words = [place.file.to_str().unwrap(), "line 4: pool 1: password: ", "stays"];
    assert!(words.iter().all(|word| message.contains(word)) && !message.contains("8675309"), "{message}");
    goes_on(&program, &mut pool, "2");
    std::fs::remove_file(&place.file).unwrap();
    program.signal("-HUP");
    assert!(program.event("error")["message"].as_str().unwrap().contains(place.file.to_str().unwrap()));
    goes_on(&program, &mut pool, "3");
}

#[test]
fn what_needs_a_new_start_is_named() {
    let (first, port) = listener();
    let place = Place::with(&pools(&[port]));
    let (program, mut pool) = started(&place, &first);
    place.write(&format!("share_log = \"shares\"\n{}[backends]\nkernel = \"portable\"\nthreads = 2\n", pools(&[port])));
    let told = told(&program);
    // A flag says how many threads there are, so the file changes nothing there.
    let restart = json!(["backends: kernel: \"portable\", was none", "share_log: \"shares\", was none"]);
    assert_eq!((&told["changes"], &told["restart"]), (&json!([]), &restart));
    goes_on(&program, &mut pool, "2");
}

#[test]
fn a_password_file_that_is_not_as_it_was_is_a_change_too() {
    let (listener, port) = listener();
    let place = Place::with("");
    let file = place.directory.path().join("password");
    std::fs::write(&file, "horse").unwrap();
    place.write(&format!("{}password_file = {}\n", pools(&[port]), json!(file.to_str().unwrap())));
    let (program, mut pool) = started(&place, &listener);
    std::fs::write(&file, "cow").unwrap();
    let again = told(&program);
    let changes = again["changes"].as_array().unwrap();
    assert!(changes.len() == 1 && changes[0].as_str().unwrap().starts_with("pool 1: password_file: "), "{again}");
    assert!(!again.to_string().contains("cow") && !again.to_string().contains("horse"), "{again}");
    joined(&listener, "2");
    assert_eq!(program.event("job")["id"], "2");
    assert_eq!(pool.read(), None);
}
