//! What no miner says: a pool answers, passes over it, or ends that connection, and goes on serving.

use super::DE_FACTO;
use crate::probe::Probe;
use crate::probe::check::{Check, Outcome, Stop, ensure};
use crate::probe::session::Subscribed;
use crate::probe::wire::{Wire, WireError};
use serde_json::{Value, json};
use std::time::Duration;

const RUBBISH: &str = "Stratum V1: what cannot be read ends at most its own connection";
const ECHO: &str = "JSON-RPC 1.0: the reply has the call's id, of whatever type";

pub(super) const CHECKS: &[Check] = &[
    Check::new("robust.id-number", "numbers as ids come back as they went", ECHO, id_number),
    Check::new("robust.id-negative", "negative numbers as ids come back as they went", ECHO, id_negative),
    Check::new("robust.id-string", "strings as ids come back as they went", ECHO, id_string),
    Check::new("robust.id-fraction", "fractions as ids come back as they went", ECHO, id_fraction),
    Check::new(
        "robust.id-structured",
        "booleans, lists and objects as ids come back as they went",
        ECHO,
        id_structured,
    ),
    Check::new(
        "robust.id-null",
        "null as an id comes back, or the call is answered by nothing",
        "JSON-RPC 1.0: null means a notification",
        id_null,
    ),
    Check::new(
        "robust.unknown-method",
        "an unknown method gets an error, and the session lives",
        "JSON-RPC: method not found",
        unknown_method,
    ),
    Check::new(
        "robust.wrong-types",
        "parameters of wrong types get an answer, and the session lives",
        DE_FACTO,
        wrong_types,
    ),
    Check::new(
        "robust.params-object",
        "parameters as an object get an answer, or the connection ends",
        RUBBISH,
        params_object,
    ),
    Check::new("robust.no-params", "calls without parameters are answered", DE_FACTO, no_params),
    Check::new(
        "robust.suggest",
        "difficulties that are none are not taken",
        "Stratum V1: a difficulty is above zero",
        suggest,
    ),
    Check::new(
        "robust.suggest-text",
        "a suggested difficulty may be a string",
        "Stratum V1: cpuminer-opt sends it so",
        suggest_text,
    ),
    Check::new("robust.pools-calls", "a pool's own calls, sent by the miner, change nothing", RUBBISH, pools_calls),
    Check::new("robust.crlf", "lines may end in CR LF", DE_FACTO, crlf),
    Check::new("robust.spaces", "a line may have blanks and unknown members", "JSON", spaces),
    Check::new("robust.empty-lines", "empty lines are passed over", DE_FACTO, empty_lines),
    Check::new("robust.byte-by-byte", "a line may come a byte at a time", "TCP is a stream", byte_by_byte),
    Check::new(
        "robust.half-closed",
        "a miner who ends his half of the stream is answered, or the connection ends",
        "TCP: a half-closed connection",
        half_closed,
    ),
    Check::new("robust.unicode", "names with escapes, NUL and emoji are answered", "JSON", unicode),
    Check::new("robust.garbage", "a line that is no JSON harms nobody else", RUBBISH, garbage),
    Check::new("robust.utf8", "a line that is no UTF-8 harms nobody else", RUBBISH, utf8),
    Check::new("robust.binary", "binary garbage harms nobody else", RUBBISH, binary),
    Check::new("robust.http", "a browser harms nobody else", RUBBISH, http),
    Check::new("robust.tls", "a TLS greeting on the plain port harms nobody else", RUBBISH, tls),
    Check::new("robust.batch", "a JSON array of calls harms nobody else", RUBBISH, batch),
    Check::new("robust.scalars", "lines that are JSON but no objects harm nobody else", RUBBISH, scalars),
    Check::new("robust.nesting", "100,000 open brackets harm nobody", "A parser's stack is finite", nesting),
    Check::new(
        "robust.nesting-params",
        "10,000 lists within lists as a parameter harm nobody",
        "A parser's stack is finite",
        nesting_params,
    ),
    Check::new("robust.numbers", "numbers beyond any type harm nobody", RUBBISH, numbers),
    Check::new("robust.many-params", "20,000 parameters harm nobody", RUBBISH, many_params),
];

/// Sends bytes on a new connection, and then what every pool answers. The pool answers, or has closed the connection; and
/// serves strangers. What it must not do is fall silent.
fn after(probe: &Probe, bytes: &[u8]) -> Outcome {
    let mut wire = probe.connect()?;
    let sent = wire.send_raw(bytes);
    let asked = sent.and_then(|()| wire.call("mining.subscribe", &json!(["probe/1"])));
    let said = match asked {
        Ok(_) => "the session lives",
        Err(WireError::Closed) => "the connection was ended",
        Err(WireError::Silent(_)) => return Err(Stop::Failed("the session is dead, and not ended".to_owned())),
        Err(error) => return Err(error.into()),
    };
    probe.still_serves()?;
    Ok(said.to_owned())
}

/// As [`after`], but the session must live.
fn lives_after(probe: &Probe, bytes: &[u8]) -> Outcome {
    let said = after(probe, bytes)?;
    ensure(said == "the session lives", || said.clone())?;
    Ok(said)
}

/// The reply to a `mining.subscribe` that is sent as these bytes.
fn subscribed_by(wire: &mut Wire, bytes: &[u8]) -> Result<Value, Stop> {
    wire.send_raw(bytes)?;
    let reply = wire.reply(wire.patience())?;
    Subscribed::read(&reply["result"]).map_err(Stop::Failed)?;
    Ok(reply)
}

fn echoes(probe: &Probe, ids: &[Value]) -> Outcome {
    for id in ids {
        let line = json!({"id": id, "method": "mining.subscribe", "params": ["probe/1"]});
        let mut wire = probe.connect()?;
        let reply = wire.send(&line).and_then(|()| wire.reply(wire.patience()));
        let reply = reply.map_err(|error| Stop::Failed(format!("id {id}: {error}")))?;
        ensure(reply["id"] == *id, || format!("{id} came back as {}", reply["id"]))?;
    }
    Ok(Value::from(ids.to_vec()).to_string())
}

fn id_number(probe: &Probe) -> Outcome {
    echoes(probe, &[json!(0), json!(7), json!(9_007_199_254_740_993_u64)])
}

fn id_negative(probe: &Probe) -> Outcome {
    echoes(probe, &[json!(-3)])
}

fn id_string(probe: &Probe) -> Outcome {
    echoes(probe, &[json!("auth"), json!(""), json!("é\u{1F600}\"\\")])
}

fn id_fraction(probe: &Probe) -> Outcome {
    echoes(probe, &[json!(1.5)])
}

fn id_structured(probe: &Probe) -> Outcome {
    echoes(probe, &[json!(true), json!([1, "a"]), json!({"a": null})])
}

fn id_null(probe: &Probe) -> Outcome {
    let mut wire = probe.connect()?;
    wire.send_raw(b"{\"id\":null,\"method\":\"mining.subscribe\",\"params\":[\"probe/1\"]}\n")?;
    match wire.reply(Duration::from_millis(500)) {
        Ok(reply) => {
            ensure(reply["id"].is_null(), || format!("null came back as {}", reply["id"]))?;
            Ok("answered".to_owned())
        }
        Err(WireError::Silent(_)) => {
            wire.call("mining.subscribe", &json!(["probe/1"]))?;
            Ok("not answered, and the session lives".to_owned())
        }
        Err(error) => Err(error.into()),
    }
}

fn unknown_method(probe: &Probe) -> Outcome {
    let mut joined = probe.join_plain()?;
    let reply = joined.wire.call("mining.no-such-method", &json!([]))?;
    ensure(!reply.value["error"].is_null(), || format!("{}; expected an error", reply.value))?;
    joined.lives(probe)?;
    Ok(format!("refused: {}", reply.why()))
}

fn wrong_types(probe: &Probe) -> Outcome {
    for (method, params) in [
        ("mining.subscribe", json!([5, {}])),
        ("mining.subscribe", json!([[], []])),
        ("mining.authorize", json!([5, 6])),
        ("mining.authorize", json!([{}, []])),
        ("mining.authorize", json!([])),
        ("mining.configure", json!([5])),
        ("mining.configure", json!(["version-rolling", 5])),
        ("mining.configure", json!([[5, null], {}])),
    ] {
        let mut wire = probe.connect()?;
        let failed = |error| Stop::Failed(format!("{method} {params}: {error}"));
        wire.call(method, &params).map_err(failed)?;
        wire.call("mining.subscribe", &json!(["probe/1"])).map_err(failed)?;
    }
    Ok("eight of eight answered".to_owned())
}

fn params_object(probe: &Probe) -> Outcome {
    after(probe, b"{\"id\":1,\"method\":\"mining.authorize\",\"params\":{\"user\":\"a\"}}\n")
}

fn no_params(probe: &Probe) -> Outcome {
    let mut wire = probe.connect()?;
    for bytes in [&b"{\"id\":1,\"method\":\"mining.subscribe\"}\n"[..], b"{\"id\":2,\"method\":\"mining.submit\"}\n"] {
        wire.send_raw(bytes)?;
        wire.reply(wire.patience())?;
    }
    Ok("both answered".to_owned())
}

fn suggest(probe: &Probe) -> Outcome {
    let mut joined = probe.join_plain()?;
    for wrong in ["0", "-1", "1e308", "null", "\"NaN\"", "\"\"", "[]"] {
        let line = format!("{{\"id\":\"s\",\"method\":\"mining.suggest_difficulty\",\"params\":[{wrong}]}}\n");
        joined.wire.send_raw(line.as_bytes())?;
    }
    joined.lives(probe)?;
    joined.wire.listen(Duration::from_millis(100));
    for (_, params) in joined.wire.calls.iter().filter(|(method, _)| method == "mining.set_difficulty") {
        let taken = params[0].as_f64().is_some_and(|value| value > 0.0 && value < 1e300);
        ensure(taken, || format!("set_difficulty {params}"))?;
    }
    Ok("the session lives".to_owned())
}

fn suggest_text(probe: &Probe) -> Outcome {
    let mut joined = probe.join_plain()?;
    joined.wire.send(&json!({"id": "s", "method": "mining.suggest_difficulty", "params": ["1.5"]}))?;
    joined.lives(probe)
}

fn pools_calls(probe: &Probe) -> Outcome {
    let mut joined = probe.join_plain()?;
    let job = joined.raw_job.clone();
    for (method, params) in [
        ("mining.notify", job),
        ("mining.set_difficulty", json!([1])),
        ("mining.set_extranonce", json!(["00", 4])),
        ("client.reconnect", json!([])),
    ] {
        joined.wire.send(&json!({"id": null, "method": method, "params": params}))?;
    }
    // The answer to a call that nobody made.
    joined.wire.send(&json!({"id": 77, "result": true, "error": null}))?;
    joined.lives(probe)
}

fn crlf(probe: &Probe) -> Outcome {
    subscribed_by(&mut probe.connect()?, b"{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[\"probe/1\"]}\r\n")?;
    Ok("answered".to_owned())
}

fn spaces(probe: &Probe) -> Outcome {
    let line = b" { \"jsonrpc\" : \"2.0\", \"x\": [1], \"params\" : [ \"probe/1\" ],\t\"method\" : \"mining.subscribe\" , \"id\" : 1 } \n";
    subscribed_by(&mut probe.connect()?, line)?;
    Ok("answered".to_owned())
}

fn empty_lines(probe: &Probe) -> Outcome {
    lives_after(probe, b"\n\n\r\n")
}

fn byte_by_byte(probe: &Probe) -> Outcome {
    let mut wire = probe.connect()?;
    let line = b"{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[\"probe/1\"]}\n";
    for byte in &line[..line.len() - 1] {
        wire.send_raw(&[*byte])?;
        std::thread::sleep(Duration::from_millis(2));
    }
    subscribed_by(&mut wire, b"\n")?;
    Ok("answered".to_owned())
}

fn half_closed(probe: &Probe) -> Outcome {
    let mut wire = probe.connect()?;
    wire.send(&json!({"id": 1, "method": "mining.subscribe", "params": ["probe/1"]}))?;
    wire.finish_sending();
    let said = match wire.reply(wire.patience()) {
        Ok(reply) => {
            Subscribed::read(&reply["result"]).map_err(Stop::Failed)?;
            "answered"
        }
        Err(WireError::Closed) => "ended without an answer",
        Err(error) => return Err(error.into()),
    };
    probe.still_serves()?;
    Ok(said.to_owned())
}

fn unicode(probe: &Probe) -> Outcome {
    let mut wire = probe.connect()?;
    wire.call("mining.subscribe", &json!(["probe/1 \u{0}\u{1F600}"]))?;
    wire.call("mining.authorize", &json!(["a\u{0}b\u{1F600}\u{202e}'\"<>;--", "x"]))?;
    wire.call("mining.subscribe", &json!(["probe/1"]))?;
    Ok("answered".to_owned())
}

fn garbage(probe: &Probe) -> Outcome {
    after(probe, b"this is no JSON\n")
}

fn utf8(probe: &Probe) -> Outcome {
    after(probe, b"{\"id\":1,\"method\":\"\xff\xfe\xc0\x80\"}\n")
}

fn binary(probe: &Probe) -> Outcome {
    let bytes: Vec<u8> = (0..4096_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    after(probe, &[&bytes[..], b"\n"].concat())
}

fn http(probe: &Probe) -> Outcome {
    after(probe, b"GET / HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n")
}

fn tls(probe: &Probe) -> Outcome {
    after(probe, b"\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x03\n\x00\x00\x01\x00\n")
}

fn batch(probe: &Probe) -> Outcome {
    after(probe, b"[{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]},{\"id\":2,\"method\":\"mining.subscribe\",\"params\":[]}]\n")
}

fn scalars(probe: &Probe) -> Outcome {
    after(probe, b"5\nnull\n\"text\"\ntrue\n[]\n{}\n{\"id\":1}\n{\"method\":7}\n")
}

fn nesting(probe: &Probe) -> Outcome {
    after(probe, format!("{}\n", "[".repeat(100_000)).as_bytes())
}

fn nesting_params(probe: &Probe) -> Outcome {
    let (open, close) = ("[".repeat(10_000), "]".repeat(10_000));
    after(probe, format!("{{\"id\":1,\"method\":\"mining.authorize\",\"params\":{open}{close}}}\n").as_bytes())
}

fn numbers(probe: &Probe) -> Outcome {
    let digits = "9".repeat(10_000);
    after(
        probe,
        format!("{{\"id\":1,\"method\":\"mining.suggest_difficulty\",\"params\":[{digits}]}}\n{{\"id\":1e999}}\n")
            .as_bytes(),
    )
}

fn many_params(probe: &Probe) -> Outcome {
    let params = vec!["0"; 20_000].join(",");
    after(probe, format!("{{\"id\":1,\"method\":\"mining.authorize\",\"params\":[{params}]}}\n").as_bytes())
}
