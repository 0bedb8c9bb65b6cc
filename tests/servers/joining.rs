//! Odd answers to what a miner asks before it works, and answers that stop it.

use super::rig::{Scenario, authorize, odd, reply, stranger};
use crate::common::scripted::{Pool, job};
use serde_json::json;

/// Answers configure with the first, subscribe with the second.
fn subscribe(pool: &mut Pool, configure: &str, subscribe: &str) {
    let call = pool.expect("mining.configure");
    reply(pool, &call, configure);
    let call = pool.expect("mining.subscribe");
    reply(pool, &call, subscribe);
}

const YES: &str = r#""result":true,"error":null"#;
const SUBSCRIBED: &str = r#""result":[[],"f000000f",4],"error":null"#;

/// A server that answers configure like this, and must be worked for.
fn configured(name: &'static str, says: &'static str, answer: &'static str) -> Scenario {
    odd(name, says, move |pool| {
        subscribe(pool, answer, SUBSCRIBED);
        authorize(pool, YES);
    })
}

/// A server that answers subscribe like this, and cannot be worked for.
fn subscribed(name: &'static str, says: &'static str, answer: &'static str) -> Scenario {
    stranger(name, says, move |pool| subscribe(pool, r#""result":{},"error":null"#, answer))
}

/// A server that answers authorize like this, and cannot be worked for.
fn authorized(name: &'static str, says: &'static str, answer: &'static str) -> Scenario {
    stranger(name, says, move |pool| {
        subscribe(pool, r#""result":{},"error":null"#, SUBSCRIBED);
        authorize(pool, answer);
    })
}

pub(crate) fn table() -> Vec<Scenario> {
    vec![
        configured("configure is not known", "", r#""result":null,"error":[20,"no such method",null]"#),
        configured("configure is true", "configure result: true; expected an object", YES),
        configured("configure is a list", "configure result", r#""result":[],"error":null"#),
        configured("configure is null", "configure result", r#""result":null,"error":null"#),
        configured(
            "configure has a mask that is none",
            "version-rolling.mask",
            r#""result":{"version-rolling":true,"version-rolling.mask":"all"}"#,
        ),
        configured(
            "configure has a mask of zero",
            "",
            r#""result":{"version-rolling":true,"version-rolling.mask":"0"}"#,
        ),
        odd("configure is never answered", "", |pool| {
            pool.expect("mining.configure");
            let call = pool.expect("mining.subscribe");
            reply(pool, &call, SUBSCRIBED);
            authorize(pool, YES);
        }),
        odd("configure is answered last", "", |pool| {
            let configure = pool.expect("mining.configure");
            let call = pool.expect("mining.subscribe");
            reply(pool, &call, SUBSCRIBED);
            authorize(pool, YES);
            pool.answer(&configure, &json!({"version-rolling": true, "version-rolling.mask": "1fffe000"}));
        }),
        odd("ids come back as strings", "", |pool| {
            pool.expect("mining.configure");
            pool.expect("mining.subscribe");
            pool.send(r#"{"id":"2","result":[[],"f000000f",4],"error":null}"#);
            authorize(pool, YES);
        }),
        subscribed(
            "subscribe is refused",
            "refused to subscribe: go away",
            r#""result":null,"error":[20,"go away",null]"#,
        ),
        subscribed("subscribe is true", "subscribe: subscribe result: true", YES),
        subscribed("subscribe is null", "subscribe: subscribe result: null", r#""result":null,"error":null"#),
        subscribed("subscribe has no size", "subscribe: subscribe result", r#""result":[[],"f000000f"]"#),
        subscribed("extranonce1 is a number", "extranonce1: 15; expected", r#""result":[[],15,4]"#),
        subscribed("extranonce1 has half a byte", "extranonce1", r#""result":[[],"f00",4]"#),
        subscribed("extranonce2 has no byte", "extranonce2_size: 0; expected", r#""result":[[],"f000000f",0]"#),
        subscribed(
            "extranonce2 is huge",
            "extranonce2_size: 1000000000000",
            r#""result":[[],"f000000f",1000000000000]"#,
        ),
        subscribed("extranonce2 is less than nothing", "extranonce2_size: -4", r#""result":[[],"f000000f",-4]"#),
        authorized("the user is refused", "refused user \"alice\"", r#""result":false,"error":null"#),
        authorized("the user is refused with a reason", "no such worker", r#""error":[24,"no such worker",null]"#),
        authorized("the user is neither known nor not", "it answered null", r#""result":null,"error":null"#),
        stranger("authorize is never answered", "not answered mining.authorize for 4 s", |pool| {
            subscribe(pool, r#""result":{},"error":null"#, SUBSCRIBED);
        }),
        odd("a job before subscribe", "", |pool| {
            pool.call("mining.notify", &job("early"));
            subscribe(pool, r#""result":{},"error":null"#, SUBSCRIBED);
            authorize(pool, YES);
        }),
        odd("an extranonce and a difficulty before subscribe", "", |pool| {
            pool.call("mining.set_extranonce", &json!(["aa", 8]));
            pool.call("mining.set_difficulty", &json!([1e-9]));
            subscribe(pool, r#""result":{},"error":null"#, SUBSCRIBED);
            authorize(pool, YES);
        }),
        odd("a reply to authorize before it was asked", "id: 4; expected the id of a call", |pool| {
            pool.send(r#"{"id":4,"result":true,"error":null}"#);
            subscribe(pool, r#""result":{},"error":null"#, SUBSCRIBED);
            authorize(pool, YES);
        }),
        stranger("sends the miner to itself before any job", "asked to reconnect to", |pool| {
            super::rig::welcome(pool);
            pool.call("client.reconnect", &json!([]));
        })
        .times(4),
    ]
}
