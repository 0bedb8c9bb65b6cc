//! What makes no sense, or too much of it, in a session that stands.

use super::rig::{Scenario, asked, ends, goes_on, reply, share_of};
use crate::common::scripted::{Pool, job};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// A line that the session goes on after.
fn line(name: &'static str, says: &'static str, line: impl AsRef<[u8]> + Send + 'static) -> Scenario {
    goes_on(name, says, move |pool| pool.send(line.as_ref()))
}

/// A job with another value for one of its fields.
fn field(name: &'static str, says: &'static str, at: usize, value: Value) -> Scenario {
    goes_on(name, says, move |pool| {
        let mut bad = job("bad");
        bad[at] = value.clone();
        pool.call("mining.notify", &bad);
    })
}

/// A job that is odd, and can be worked on.
fn odd_field(name: &'static str, at: usize, value: Value) -> Scenario {
    goes_on(name, "", move |pool| {
        let mut odd = job("odd");
        odd[at] = value.clone();
        let submit = share_of(pool, &odd);
        pool.answer(&submit, &json!(true));
    })
}

/// A call, and a job after it whose share is accepted.
fn call(name: &'static str, says: &'static str, method: &'static str, params: Value) -> Scenario {
    goes_on(name, says, move |pool| {
        pool.call(method, &params);
        asked(pool, "next");
    })
}

/// An answer to a share, but for its id.
fn verdict(name: &'static str, says: &'static str, answer: &'static str) -> Scenario {
    goes_on(name, says, move |pool| {
        let submit = share_of(pool, &job("judged"));
        reply(pool, &submit, answer);
    })
}

pub(crate) fn framing() -> Vec<Scenario> {
    vec![
        line("a line of 1 MiB", "longer than 131072 bytes; passed over", vec![b'x'; 1 << 20]),
        line("invalid UTF-8", "line: not UTF-8 from byte 11 on", b"{\"method\":\"\xff\xfe\"}"),
        line("zeros", "expected a JSON object", [0; 64]),
        line("an empty line", "expected a JSON object", ""),
        line("half a line", "expected a JSON object", r#"{"id":null,"meth"#),
        line("two objects in a line", "expected a JSON object", r#"{"id":1,"result":1}{"id":2,"result":1}"#),
        line("a carriage return", "", "{\"id\":null,\"method\":\"mining.set_difficulty\",\"params\":[1]}\r"),
        line("a list", "expected a JSON object", "[1,2,3]"),
        line("a list a thousand deep", "expected a JSON object", "[".repeat(1000)),
        line("a number beyond all", "expected a JSON object", r#"{"id":1e999,"result":true}"#),
        line("an object without anything", "expected a JSON object", "{}"),
        line("a method that is a number", "method: 5; expected a string", r#"{"id":null,"method":5,"params":[]}"#),
        line("parameters by name", "params", r#"{"method":"mining.notify","params":{"job":1}}"#),
        line("a method that nobody knows", "", r#"{"id":9,"method":"mining.dance","params":[1]}"#),
        line("a member twice", "", r#"{"id":null,"method":"x","method":"mining.ping2","params":[]}"#),
        line("a reply to nothing", "id: 77; expected the id of a call", r#"{"id":77,"result":true,"error":null}"#),
        line("a reply without an id", "id: null; expected", r#"{"result":true,"error":null}"#),
        line("a reply with a huge id", "id: 18446744073709551615", r#"{"id":18446744073709551615,"result":true}"#),
        line("a reply with an id that is a list", "id: [1]", r#"{"id":[1],"result":true}"#),
        ends("garbage without end", "30 lines one after the other that make no sense", |pool| {
            (0..1000).all(|_| pool.try_send("what?").is_ok());
        }),
        goes_on("replies out of order", "", |pool| {
            pool.call("mining.notify", &job("a"));
            pool.call("mining.notify", &job("b"));
            let submits = [(); 2].map(|()| pool.expect("mining.submit"));
            submits.iter().rev().for_each(|submit| pool.answer(submit, &json!(true)));
        }),
        goes_on("a reply twice", "expected the id of a call", |pool| {
            let submit = share_of(pool, &job("a"));
            pool.answer(&submit, &json!(true));
            pool.answer(&submit, &json!(true));
        }),
        goes_on("a share without an answer", "", |pool| drop(share_of(pool, &job("a")))),
        ends("a share without an answer, then no server", "closed the connection", |pool| {
            drop(share_of(pool, &job("a")));
        })
        .dropped(),
    ]
}

pub(crate) fn jobs() -> Vec<Scenario> {
    vec![
        field("job_id is a list", "job_id", 0, json!([1])),
        odd_field("job_id is empty", 0, json!("")),
        odd_field("job_id is long", 0, json!("j".repeat(10_000))),
        field("prevhash is short", "prevhash", 1, json!("00")),
        field("coinbase1 has half a byte", "coinbase1", 2, json!("010")),
        field("coinbase2 is null", "coinbase2: null", 3, json!(null)),
        field("a coinbase of a megabyte", "longer than 131072 bytes", 3, json!("00".repeat(1 << 20))),
        odd_field("a coinbase of 50 kB", 3, json!("00".repeat(50_000))),
        field("merkle_branches is a number", "merkle_branches: 5", 4, json!(5)),
        field("a merkle branch is short", "merkle_branches", 4, json!(["00"])),
        field("10,000 merkle branches", "longer than 131072 bytes", 4, json!(vec!["11".repeat(32); 10_000])),
        odd_field("1,000 merkle branches", 4, json!(vec!["11".repeat(32); 1000])),
        field("version has nine digits", "version: \"020000000\"; expected 8 hex digits", 5, json!("020000000")),
        field("nbits is empty", "nbits", 6, json!("")),
        odd_field("nbits is zero", 6, json!("00000000")),
        odd_field("nbits overflows", 6, json!("ff7fffff")),
        field("ntime is a word", "ntime", 7, json!("now")),
        odd_field("a clock that jumps back to 1970", 7, json!("00000000")),
        odd_field("a clock that jumps to the last second", 7, json!("ffffffff")),
        field("clean_jobs is a word", "clean_jobs", 8, json!("yes")),
        call("a job without fields", "merkle_branches: null", "mining.notify", json!([])),
        goes_on("difficulty jumps by 10^12 both ways", "", |pool| {
            for (number, difficulty) in [1.0, 1e12, 1.0, 1e-12, 1.0].into_iter().enumerate() {
                pool.call("mining.set_difficulty", &json!([difficulty]));
                asked(pool, &number.to_string());
            }
        }),
        call("difficulty zero", "difficulty: 0", "mining.set_difficulty", json!([0])),
        call("difficulty below zero", "difficulty: -1", "mining.set_difficulty", json!([-1])),
        call("difficulty beyond all targets", "difficulty: 1e", "mining.set_difficulty", json!([1e300])),
        call("no difficulty", "difficulty: null", "mining.set_difficulty", json!([])),
        goes_on("extranonce changes in the middle", "", |pool| {
            pool.call("mining.set_extranonce", &json!(["aabbcc", 2]));
            let submit = share_of(pool, &job("changed"));
            assert_eq!(submit["params"][2], "0000");
            pool.answer(&submit, &json!(true));
        }),
        call("extranonce2 shrinks to nothing", "extranonce2_size: 0", "mining.set_extranonce", json!(["aa", 0])),
        call(
            "extranonce2 is huge",
            "extranonce2_size: 4294967296",
            "mining.set_extranonce",
            json!(["aa", 1_u64 << 32]),
        ),
        call("extranonce1 is no hex", "extranonce1", "mining.set_extranonce", json!(["xy", 4])),
        call("a mask of no bits", "", "mining.set_version_mask", json!(["00000000"])),
        call("a mask of all bits", "", "mining.set_version_mask", json!(["ffffffff"])),
        call("a mask that is none", "version_mask: \"zz\"", "mining.set_version_mask", json!(["zz"])),
        call(
            "sends the miner to another domain",
            "client.reconnect: evil.example; expected",
            "client.reconnect",
            json!(["evil.example", 1, 0]),
        ),
        call(
            "sends the miner to a port that is none",
            "port: 70000",
            "client.reconnect",
            json!(["127.0.0.1", 70_000, 0]),
        ),
        ends("sends the miner to itself for ever", "asked to reconnect to", |pool| {
            pool.call("client.reconnect", &json!([]));
        })
        .times(6),
        ends("tells the miner to wait for ever", "asked to reconnect to", |pool| {
            pool.call("client.reconnect", &json!(["127.0.0.1", null, u64::MAX]));
        }),
        ends("sends the miner where nobody is", "cannot connect to stratum+tcp://127.0.0.1:1:", |pool| {
            pool.call("client.reconnect", &json!(["127.0.0.1", 1, 0]));
        }),
        call("a message of lines", "one\ntwo", "client.show_message", json!(["one\ntwo"])),
        call("a message that is none", "message: {}", "client.show_message", json!([{}])),
    ]
}

pub(crate) fn verdicts() -> Vec<Scenario> {
    vec![
        verdict("a list", "rejected: Stale (code 21)", r#""result":null,"error":[21,"Stale",null]"#),
        verdict("a list of two", "rejected: Low (code 23)", r#""error":[23,"Low"]"#),
        verdict("a list with a code in words", "rejected: Low (code 23)", r#""error":["23","Low",null]"#),
        verdict("an empty list", "rejected: []", r#""result":null,"error":[]"#),
        verdict("an object", "rejected: Twice (code 22)", r#""error":{"code":22,"message":"Twice"}"#),
        verdict(
            "an object with a code in words",
            "rejected: Twice (code 22)",
            r#""error":{"code":"22","message":"Twice"}"#,
        ),
        verdict("an object without words", "rejected: {", r#""result":null,"error":{"why":1}"#),
        verdict("a string", "rejected: stale (code 20)", r#""result":false,"error":"stale""#),
        verdict("a number", "rejected: 21", r#""result":null,"error":21"#),
        verdict("true for an error", "rejected: true", r#""result":null,"error":true"#),
        verdict("false for no error", "", r#""result":true,"error":false"#),
        verdict("null", "rejected: it answered null", r#""result":null,"error":null"#),
        verdict("false", "rejected: it answered false", r#""result":false,"error":null"#),
        verdict(
            "a reason beside",
            "rejected: Above target",
            r#""result":false,"error":null,"reject-reason":"Above target""#,
        ),
        verdict("a result of words", "rejected: it answered \"ok\"", r#""result":"ok","error":null"#),
        ends("only rejections", "rejected 30 shares one after the other", |pool| {
            for number in 0..30 {
                let submit = share_of(pool, &job(&number.to_string()));
                reply(pool, &submit, r#""result":null,"error":[23,"Low",null]"#);
            }
        }),
    ]
}

/// So many of something in a second, for two seconds.
fn flood(pool: &mut Pool, rate: u32, mut one: impl FnMut(&mut Pool, u32)) {
    let started = Instant::now();
    for number in 0..2 * rate {
        one(pool, number);
        let due = Duration::from_secs(1) * number / rate;
        std::thread::sleep(due.saturating_sub(started.elapsed()));
    }
}

pub(crate) fn floods() -> Vec<Scenario> {
    vec![
        goes_on("1,000 clean jobs a second", "", |pool| {
            flood(pool, 1000, |pool, number| {
                let mut clean = job(&number.to_string());
                clean[8] = json!(true);
                pool.call("mining.notify", &clean);
            });
        }),
        goes_on("1,000 difficulties a second", "", |pool| {
            flood(pool, 1000, |pool, number| pool.call("mining.set_difficulty", &json!([number + 1])));
        }),
        goes_on("1,000 masks a second", "", |pool| {
            flood(pool, 1000, |pool, number| pool.call("mining.set_version_mask", &json!([format!("{number:08x}")])));
        }),
        goes_on("lines of 1 MiB for two seconds", "longer than 131072 bytes", |pool| {
            flood(pool, 10, |pool, _| pool.send(vec![b'x'; 1 << 20]));
        }),
        ends("a line of 16 MiB", "a line of more than 2097152 bytes", |pool| {
            let part = vec![b'x'; 1 << 20];
            // It is not taken to its end.
            let _ = (0..16).try_for_each(|_| pool.write(&part));
        }),
        ends("asks without end and takes no answer", "it has not taken what was sent", |pool| {
            pool.socket.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
            let ping = br#"{"id":1,"method":"client.get_version","params":[]}"#;
            while pool.try_send(&ping[..]).is_ok() {}
        }),
    ]
}
