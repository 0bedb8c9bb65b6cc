//! What comes before what.

use super::{CODES, DE_FACTO, STRATUM};
use crate::probe::Probe;
use crate::probe::check::{Check, Outcome, Stop, ensure};
use crate::probe::session::Subscribed;
use crate::probe::wire::WireError;
use serde_json::{Value, json};
use std::time::Duration;

pub(super) const CHECKS: &[Check] = &[
    Check::new("order.silent-first", "the pool waits for the miner to speak first", DE_FACTO, silent_first),
    Check::new(
        "order.subscribe",
        "mining.subscribe is answered by subscriptions, extranonce1 and a size",
        STRATUM,
        subscribe,
    ),
    Check::new("order.authorize", "mining.authorize is answered by true", STRATUM, authorize),
    Check::new(
        "order.configure-first",
        "mining.configure is answered as the first line of a session",
        "BIP 310: it is the first message",
        configure_first,
    ),
    Check::new(
        "order.in-order",
        "calls sent at once are answered in their order",
        "Stratum V1: some miners take the next line as the reply",
        in_order,
    ),
    Check::new(
        "order.authorize-first",
        "mining.authorize before mining.subscribe is answered",
        DE_FACTO,
        authorize_first,
    ),
    Check::new(
        "order.no-job-unsubscribed",
        "no job comes before there is an extranonce1",
        STRATUM,
        no_job_unsubscribed,
    ),
    Check::new("order.job", "a job comes after the authorization without being asked for", STRATUM, job),
    Check::new(
        "order.difficulty-first",
        "mining.set_difficulty comes before the first job",
        "Stratum V1: a difficulty holds from the next job",
        difficulty_first,
    ),
    Check::new(
        "order.submit-unsubscribed",
        "a share before mining.subscribe is refused with 25",
        CODES,
        submit_unsubscribed,
    ),
    Check::new(
        "order.submit-unauthorized",
        "a share before mining.authorize is refused with 24",
        CODES,
        submit_unauthorized,
    ),
];

const SHARE: [&str; 5] = ["probe", "1", "00000000", "00000000", "00000000"];

fn silent_first(probe: &Probe) -> Outcome {
    let mut wire = probe.connect()?;
    match wire.line(Duration::from_millis(300)) {
        Err(WireError::Silent(_)) => Ok("nothing within 0.3 s".to_owned()),
        Ok(line) => Err(Stop::Failed(format!("sent {} bytes unasked", line.len()))),
        Err(error) => Err(error.into()),
    }
}

fn subscribe(probe: &Probe) -> Outcome {
    let reply = probe.connect()?.call("mining.subscribe", &json!(["probe/1"]))?;
    let read = Subscribed::read(reply.result()).map_err(Stop::Failed)?;
    Ok(format!("extranonce1 of {} bytes, extranonce2 of {}", read.extranonce1.len(), read.extranonce2_size))
}

fn authorize(probe: &Probe) -> Outcome {
    let mut wire = probe.connect()?;
    wire.call("mining.subscribe", &json!(["probe/1"]))?;
    wire.call("mining.authorize", &json!([probe.options.user, probe.options.password]))?.accepted()
}

fn configure_first(probe: &Probe) -> Outcome {
    let mut wire = probe.connect()?;
    let params = json!([["version-rolling"], {"version-rolling.mask": "1fffe000"}]);
    wire.send(&json!({"id": 1, "method": "mining.configure", "params": params}))?;
    let line = wire.value(wire.patience())?;
    if !line["error"].is_null() {
        return Err(Stop::Unsupported(format!("refused: {}", line["error"])));
    }
    ensure(line["id"] == 1 && line["result"].is_object(), || format!("{line}; expected the reply, an object"))?;
    Ok(format!("the next line is the reply: {}", line["result"]))
}

fn in_order(probe: &Probe) -> Outcome {
    let mut wire = probe.connect()?;
    let calls = [
        json!({"id": 1, "method": "mining.subscribe", "params": ["probe/1"]}),
        json!({"id": 2, "method": "mining.authorize", "params": [probe.options.user, probe.options.password]}),
        json!({"id": 3, "method": "mining.submit", "params": [probe.options.user, "deadbeef", "00", "00000000", "00000000"]}),
        json!({"id": 4, "method": "mining.submit", "params": [probe.options.user, "deadbeef", "00", "00000000", "00000001"]}),
    ];
    let lines = calls.each_ref().map(Value::to_string).join("\n");
    wire.send_raw(format!("{lines}\n").as_bytes())?;
    let mut ids = Vec::new();
    for _ in 0..calls.len() {
        ids.push(wire.reply(wire.patience())?["id"].clone());
    }
    ensure(ids == [1, 2, 3, 4].map(Value::from), || format!("answered in the order {}", Value::from(ids.clone())))?;
    Ok("four of four".to_owned())
}

fn authorize_first(probe: &Probe) -> Outcome {
    let mut wire = probe.connect()?;
    let reply = wire.call("mining.authorize", &json!([probe.options.user, probe.options.password]))?;
    Ok(if reply.is_refusal() { format!("refused: {}", reply.why()) } else { format!("answered {}", reply.result()) })
}

fn no_job_unsubscribed(probe: &Probe) -> Outcome {
    let mut wire = probe.connect()?;
    wire.call("mining.authorize", &json!([probe.options.user, probe.options.password]))?;
    match wire.told("mining.notify", Duration::from_millis(400)) {
        Err(WireError::Silent(_) | WireError::Closed) => Ok("none within 0.4 s".to_owned()),
        Ok(_) => Err(Stop::Failed("a job came, which cannot be worked on".to_owned())),
        Err(error) => Err(error.into()),
    }
}

fn job(probe: &Probe) -> Outcome {
    match probe.join_plain() {
        Ok(joined) => Ok(format!("after {:.0} ms", joined.job_after.as_secs_f64() * 1e3)),
        Err(Stop::Skipped(why)) => Err(Stop::Failed(why)),
        Err(other) => Err(other),
    }
}

fn difficulty_first(probe: &Probe) -> Outcome {
    let joined = probe.join_plain()?;
    match joined.next_difficulty {
        Some(difficulty) => Ok(format!("difficulty {difficulty}")),
        None => Err(Stop::Failed("no mining.set_difficulty before the first job".to_owned())),
    }
}

fn submit_unsubscribed(probe: &Probe) -> Outcome {
    probe.connect()?.call("mining.submit", &json!(SHARE))?.refused_with(&[25])
}

fn submit_unauthorized(probe: &Probe) -> Outcome {
    let mut wire = probe.connect()?;
    wire.call("mining.subscribe", &json!(["probe/1"]))?;
    wire.call("mining.submit", &json!(SHARE))?.refused_with(&[24])
}
