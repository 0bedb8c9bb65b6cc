//! Pools that fall over, fall silent or are slow.

use super::super::broken::Up;
use super::{DIE, DROP, END, Fault, MUTE, late, lines, on, result, silent, spoil, up};
use serde_json::{Value, json};
use std::time::Duration;

pub(super) fn faults() -> Vec<(&'static str, Fault)> {
    let (subscribe, configure, authorize, submit) =
        ("mining.subscribe", "mining.configure", "mining.authorize", "mining.submit");
    let set_difficulty = |value: Value| json!({"id": null, "method": "mining.set_difficulty", "params": [value]});
    vec![
        ("robust.id-number", spoil(subscribe, |_, line| line["id"] = json!("7"))),
        ("robust.id-negative", spoil(subscribe, |_, line| line["id"] = json!(3))),
        ("robust.id-string", spoil(subscribe, |_, line| line["id"] = json!(0))),
        ("robust.id-fraction", spoil(subscribe, |_, line| line["id"] = json!(1))),
        ("robust.id-structured", spoil(subscribe, |_, line| line["id"] = Value::Null)),
        ("robust.id-null", spoil(subscribe, |_, line| line["id"] = json!(0))),
        ("robust.unknown-method", result("mining.no-such-method", json!(true))),
        ("robust.wrong-types", silent(authorize, |call| call.params[0].is_number())),
        ("robust.params-object", on("\"params\":{", MUTE)),
        ("robust.no-params", silent(submit, |_| true)),
        ("robust.suggest", lines(submit, move |_, line| vec![set_difficulty(json!(0)), line])),
        ("robust.suggest-text", on("[\"1.5\"]", MUTE)),
        ("robust.pools-calls", on("client.reconnect", END)),
        ("robust.crlf", on("\r\n", DROP)),
        ("robust.spaces", on("jsonrpc", DROP)),
        ("robust.empty-lines", on("\n\n", END)),
        ("robust.byte-by-byte", up(MUTE, |bytes, _| bytes.len() == 1)),
        ("robust.half-closed", on(subscribe, DROP)),
        ("robust.unicode", on("\\u0000b", END)),
        ("robust.garbage", on("no JSON", MUTE)),
        ("robust.utf8", up(DIE, |bytes, _| bytes.contains(&0xff))),
        ("robust.binary", up(DIE, |bytes, _| std::str::from_utf8(bytes).is_err())),
        ("robust.http", on("HTTP/1.1", DIE)),
        ("robust.tls", up(DIE, |bytes, _| bytes.starts_with(&[22, 3, 1]))),
        ("robust.batch", on("[{", MUTE)),
        ("robust.scalars", on("null", DIE)),
        ("robust.nesting", on("[[[[", DIE)),
        ("robust.nesting-params", on("[[[[", MUTE)),
        ("robust.numbers", on("999999", DIE)),
        ("robust.many-params", on("0,0,0,0", MUTE)),
        ("limits.long-line", on("aaaaaaaa", MUTE)),
        ("limits.endless-line", on("xxxxxxxx", DIE)),
        ("limits.thousand-lines", silent(submit, |call| call.before > 500)),
        ("limits.fifty-connections", up(MUTE, |_, connection| connection > 20)),
        ("limits.come-and-go", up(MUTE, |_, connection| connection > 50)),
        ("limits.half-line", up(DIE, |bytes, _| !bytes.ends_with(b"\n"))),
        ("limits.deaf", up(DIE, |bytes, _| bytes.len() > 20_000)),
        ("limits.long-user", on("uuuuuuuu", MUTE)),
        ("limits.long-agent", on("aaaaaaaa", MUTE)),
        ("timing.subscribe", up(|| Up::Late(Duration::from_millis(1100)), |_, _| true)),
        ("timing.configure", late(configure, 1100, |_| true)),
        ("timing.authorize", late(authorize, 2100, |_| true)),
        ("timing.first-job", late("mining.notify", 2100, |_| true)),
        ("timing.submit", late(submit, 1100, |_| true)),
        ("timing.steady", late(submit, 1100, |call| call.before == 30)),
        ("timing.ping", result("mining.ping", json!("what?"))),
        ("timing.idle", lines("mining.notify", |_, line| vec![line, json!({"method": "shop.offer", "params": []})])),
    ]
}
