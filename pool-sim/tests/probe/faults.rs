//! One fault for each check: the check has to find it.

mod conduct;
mod job;
mod protocol;
mod shares;

use super::broken::{Call, Fault, Up, behind};
use super::ours::{Pool, options, probe};
use pool_sim::probe::TOPICS;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Changes the answers to a method, or the pool's calls of it.
fn spoil(method: &'static str, change: impl Fn(&Call, &mut Value) + Send + Sync + 'static) -> Fault {
    lines(method, move |call, mut line| {
        change(call, &mut line);
        vec![line]
    })
}

fn lines(method: &'static str, change: impl Fn(&Call, Value) -> Vec<Value> + Send + Sync + 'static) -> Fault {
    let down = move |call: &Call, line| if call.method == method { change(call, line) } else { vec![line] };
    Fault { down: Arc::new(down), ..Fault::none() }
}

/// Answers are left out where something holds.
fn silent(method: &'static str, where_: impl Fn(&Call) -> bool + Send + Sync + 'static) -> Fault {
    lines(method, move |call, line| if where_(call) { vec![] } else { vec![line] })
}

fn result(method: &'static str, value: Value) -> Fault {
    spoil(method, move |_, line| (line["result"], line["error"]) = (value.clone(), Value::Null))
}

/// One member of the result.
fn answer(method: &'static str, at: impl serde_json::value::Index + Send + Sync + 'static, value: Value) -> Fault {
    spoil(method, move |_, line| line["result"][&at] = value.clone())
}

/// An extension's answer is left out.
fn unanswered(code: &'static str) -> Fault {
    spoil("mining.configure", move |_, line| drop(line["result"].as_object_mut().map(|result| result.remove(code))))
}

fn accepts() -> Fault {
    result("mining.submit", json!(true))
}

fn refuses(code: i64) -> Fault {
    spoil("mining.submit", move |_, line| (line["result"], line["error"]) = (Value::Null, json!([code, "no", null])))
}

/// One parameter of a call of the pool.
fn param(method: &'static str, at: usize, value: Value) -> Fault {
    spoil(method, move |_, line| line["params"][at] = value.clone())
}

fn notify(change: impl Fn(&mut Vec<Value>) + Send + Sync + 'static) -> Fault {
    spoil("mining.notify", move |_, line| change(line["params"].as_array_mut().unwrap()))
}

/// The coinbase's halves, as hex.
fn coinbase(change: impl Fn(&mut String, &mut String) + Send + Sync + 'static) -> Fault {
    notify(move |params| {
        let [one, two] = [2, 3].map(|at| params[at].as_str().unwrap().to_owned());
        let (mut one, mut two) = (one, two);
        change(&mut one, &mut two);
        (params[2], params[3]) = (json!(one), json!(two));
    })
}

fn late(method: &'static str, milliseconds: u64, where_: impl Fn(&Call) -> bool + Send + Sync + 'static) -> Fault {
    spoil(method, move |call, _| {
        if where_(call) {
            std::thread::sleep(Duration::from_millis(milliseconds));
        }
    })
}

fn up(what: fn() -> Up, when: impl Fn(&[u8], u32) -> bool + Send + Sync + 'static) -> Fault {
    Fault {
        up: Arc::new(move |bytes, connection| if when(bytes, connection) { what() } else { Up::Pass }),
        ..Fault::none()
    }
}

/// What becomes of a chunk of bytes that has a text in it.
fn on(text: &'static str, what: fn() -> Up) -> Fault {
    up(what, move |bytes, _| bytes.windows(text.len()).any(|part| part == text.as_bytes()))
}

const MUTE: fn() -> Up = || Up::Mute;
const END: fn() -> Up = || Up::End;
const DIE: fn() -> Up = || Up::Die;
const DROP: fn() -> Up = || Up::Drop;

fn faults() -> Vec<(&'static str, Fault)> {
    [protocol::faults(), job::faults(), shares::faults(), conduct::faults()].concat()
}

/// What no pool of this test can have: a failure would be of the system's, or takes minutes.
const WITHOUT_FAULT: [&str; 4] = ["session.resume", "limits.unauthorized", "timing.connect", "timing.renotify"];

#[test]
fn each_check_finds_its_fault() {
    let faults = faults();
    for check in TOPICS.iter().flat_map(|topic| topic.checks) {
        let has_fault = faults.iter().any(|(id, _)| *id == check.id);
        assert!(has_fault != WITHOUT_FAULT.contains(&check.id), "{}", check.id);
    }
    let (next, missed) = (AtomicUsize::new(0), std::sync::Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                while let Some((id, fault)) = faults.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let pool = Pool::start();
                    let mut options = options(behind(pool.address(), fault.clone()));
                    options.only = vec![(*id).to_owned()];
                    options.patience = Duration::from_secs(3);
                    let report = probe(&options);
                    if report.count("failed") != 1 {
                        missed.lock().unwrap().push(report.to_string());
                    }
                }
            });
        }
    });
    let missed = missed.into_inner().unwrap();
    assert!(missed.is_empty(), "{} missed:\n{}", missed.len(), missed.join("\n"));
}

#[test]
fn a_man_in_the_middle_without_a_fault_changes_nothing() {
    let pool = Pool::start();
    let report = probe(&options(behind(pool.address(), Fault::none())));
    assert_eq!(report.count("failed"), 0, "{report}");
}
