//! Order, sessions and extensions.

use super::{DROP, END, Fault, accepts, answer, lines, on, param, refuses, result, silent, spoil, unanswered};
use serde_json::{Value, json};

pub(super) fn faults() -> Vec<(&'static str, Fault)> {
    let (subscribe, configure, authorize, submit) =
        ("mining.subscribe", "mining.configure", "mining.authorize", "mining.submit");
    let set_difficulty = |value: Value| json!({"id": null, "method": "mining.set_difficulty", "params": [value]});
    vec![
        ("order.silent-first", Fault { greeting: "hello\n", ..Fault::none() }),
        ("order.subscribe", result(subscribe, json!(true))),
        ("order.authorize", result(authorize, Value::Null)),
        ("order.configure-first", lines(configure, move |_, line| vec![set_difficulty(json!(1)), line])),
        ("order.in-order", lines(authorize, |_, _| vec![])),
        ("order.in-order", spoil(submit, |call, line| line["id"] = json!(4 - call.before))),
        ("order.authorize-first", on(authorize, DROP)),
        (
            "order.no-job-unsubscribed",
            lines(authorize, |_, line| vec![line, json!({"method": "mining.notify", "params": []})]),
        ),
        ("order.job", silent("mining.notify", |_| true)),
        ("order.difficulty-first", silent("mining.set_difficulty", |_| true)),
        ("order.submit-unsubscribed", accepts()),
        ("order.submit-unauthorized", refuses(21)),
        ("session.subscriptions", answer(subscribe, 0, Value::Null)),
        ("session.extranonce1", answer(subscribe, 1, json!(""))),
        ("session.extranonce2-size", answer(subscribe, 2, json!(1))),
        ("session.unique", answer(subscribe, 1, json!("00000001"))),
        ("session.no-agent", silent(subscribe, |call| call.params == json!([]))),
        ("session.twice", silent(subscribe, |call| call.before == 1)),
        (
            "session.unknown",
            spoil(subscribe, |call, line| {
                if call.params[1].is_string() {
                    (line["result"], line["error"]) = (Value::Null, json!([20, "unknown session", null]));
                }
            }),
        ),
        ("session.in-use", answer(subscribe, 1, json!("00000001"))),
        (
            "session.workers",
            spoil(authorize, |call, line| {
                if call.before == 1 {
                    line["result"] = Value::Null;
                }
            }),
        ),
        ("session.extranonce-subscribe", result("mining.extranonce.subscribe", json!("yes"))),
        ("session.empty-user", silent(authorize, |call| call.params[0] == "")),
        ("session.get-transactions", result("mining.get_transactions", json!("none"))),
        ("bip310.every-code", unanswered("info")),
        ("bip310.values", answer(configure, "info", json!(5))),
        ("bip310.unknown", answer(configure, "x-probe-nonsense", json!(true))),
        ("bip310.empty", answer(configure, "info", json!(false))),
        ("bip310.mask-format", answer(configure, "version-rolling.mask", json!("1000"))),
        ("bip310.mask-subset", answer(configure, "version-rolling.mask", json!("1fffffe0"))),
        ("bip310.mask-narrow", answer(configure, "version-rolling.mask", json!("1fffe000"))),
        ("bip310.mask-bip320", answer(configure, "version-rolling.mask", json!("ffffffff"))),
        (
            "bip310.mask-default",
            spoil(configure, |call, line| {
                if call.params[1] == json!({}) {
                    line["result"] = json!({});
                }
            }),
        ),
        ("bip310.min-bit-count", on("min-bit-count\":32", END)),
        ("bip310.minimum-difficulty", param("mining.set_difficulty", 0, json!(1e-5))),
        ("bip310.subscribe-extranonce", unanswered("subscribe-extranonce")),
        ("bip310.info", unanswered("info")),
        ("bip310.again", silent(configure, |call| call.before == 1)),
        ("bip310.bad-mask", result(configure, json!({"version-rolling": true}))),
    ]
}
