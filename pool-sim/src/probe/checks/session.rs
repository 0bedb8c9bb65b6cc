//! What a pool gives a session, and that it keeps sessions apart.

use super::{DE_FACTO, STRATUM};
use crate::probe::Probe;
use crate::probe::check::{Check, Outcome, Stop, ensure};
use crate::probe::session::{Join, Subscribed};
use bitcoin::hex::DisplayHex;
use serde_json::{Value, json};
use std::collections::HashSet;

pub(super) const CHECKS: &[Check] = &[
    Check::new("session.subscriptions", "the subscriptions name mining.notify with an id", STRATUM, subscriptions),
    Check::new("session.extranonce1", "extranonce1 has 1 to 16 bytes", STRATUM, extranonce1),
    Check::new(
        "session.extranonce2-size",
        "extranonce2 has 2 to 16 bytes",
        "Stratum V1: sizes seen in the wild",
        extranonce2_size,
    ),
    Check::new("session.unique", "no two connections have the same extranonce1", STRATUM, unique),
    Check::new("session.no-agent", "mining.subscribe without parameters is answered", STRATUM, no_agent),
    Check::new("session.twice", "a second mining.subscribe is answered", DE_FACTO, twice),
    Check::new(
        "session.unknown",
        "an unknown session id brings a new session, no error",
        "Stratum V1: resuming is a wish",
        unknown,
    ),
    Check::new(
        "session.resume",
        "a session that ended can be resumed with its extranonce1",
        "Stratum V1: mining.subscribe's second parameter",
        resume,
    ),
    Check::new(
        "session.in-use",
        "a session in use is given to no second connection",
        "Stratum V1: extranonce1 is one connection's own",
        in_use,
    ),
    Check::new("session.workers", "a second worker may authorize on the same connection", STRATUM, workers),
    Check::new(
        "session.extranonce-subscribe",
        "mining.extranonce.subscribe is answered by true",
        "NiceHash's extension mining.extranonce.subscribe",
        extranonce_subscribe,
    ),
    Check::new("session.empty-user", "an empty user is answered", DE_FACTO, empty_user),
    Check::new("session.get-transactions", "mining.get_transactions is answered by a list", STRATUM, get_transactions),
];

fn subscribed(probe: &Probe, params: &Value) -> Result<(Value, Subscribed), Stop> {
    let reply = probe.connect()?.call("mining.subscribe", params)?;
    let read = Subscribed::read(reply.result()).map_err(Stop::Failed)?;
    Ok((reply.result().clone(), read))
}

fn subscriptions(probe: &Probe) -> Outcome {
    let (result, read) = subscribed(probe, &json!(["probe/1"]))?;
    let session =
        read.session.ok_or_else(|| Stop::Failed(format!("{}; expected [[\"mining.notify\", id]]", result[0])))?;
    Ok(format!("session {session}"))
}

fn extranonce1(probe: &Probe) -> Outcome {
    let (_, read) = subscribed(probe, &json!(["probe/1"]))?;
    let size = read.extranonce1.len();
    ensure((1..=16).contains(&size), || format!("{size} bytes"))?;
    Ok(format!("{size} bytes"))
}

fn extranonce2_size(probe: &Probe) -> Outcome {
    let (_, read) = subscribed(probe, &json!(["probe/1"]))?;
    let size = read.extranonce2_size;
    ensure((2..=16).contains(&size), || format!("{size} bytes"))?;
    Ok(format!("{size} bytes"))
}

fn unique(probe: &Probe) -> Outcome {
    let mut seen = HashSet::new();
    let mut wires = Vec::new();
    for _ in 0..8 {
        let mut wire = probe.connect()?;
        let reply = wire.call("mining.subscribe", &json!(["probe/1"]))?;
        let extranonce1 = Subscribed::read(reply.result()).map_err(Stop::Failed)?.extranonce1.to_lower_hex_string();
        ensure(!seen.contains(&extranonce1), || format!("{extranonce1} was given twice"))?;
        seen.insert(extranonce1);
        wires.push(wire);
    }
    Ok("eight connections, eight extranonces".to_owned())
}

fn no_agent(probe: &Probe) -> Outcome {
    subscribed(probe, &json!([])).map(|_| "answered".to_owned())
}

fn twice(probe: &Probe) -> Outcome {
    let mut wire = probe.connect()?;
    let first = wire.call("mining.subscribe", &json!(["probe/1"]))?;
    let second = wire.call("mining.subscribe", &json!(["probe/1"]))?;
    if second.is_refusal() {
        return Ok(format!("refused: {}", second.why()));
    }
    Subscribed::read(second.result()).map_err(Stop::Failed)?;
    Ok(if first.result() == second.result() { "answered alike" } else { "answered by another session" }.to_owned())
}

fn unknown(probe: &Probe) -> Outcome {
    let (_, read) = subscribed(probe, &json!(["probe/1", "ffffffffdeadbeef"]))?;
    Ok(format!("extranonce1 {}", read.extranonce1.to_lower_hex_string()))
}

fn resume(probe: &Probe) -> Outcome {
    let first = probe.join_plain()?.subscribed;
    let Some(session) = first.session else {
        return Err(Stop::Unsupported("the subscription has no id".to_owned()));
    };
    // The pool learns of the end in its own time.
    for _ in 0..10 {
        std::thread::sleep(std::time::Duration::from_millis(50));
        let again = probe.join(&Join { resume: Some(session.clone()), ..Join::default() })?.subscribed;
        if again.extranonce1 == first.extranonce1 {
            return Ok(format!("extranonce1 {} again", again.extranonce1.to_lower_hex_string()));
        }
    }
    Err(Stop::Unsupported("another extranonce1 each time".to_owned()))
}

fn in_use(probe: &Probe) -> Outcome {
    let first = probe.join_plain()?;
    let Some(session) = first.subscribed.session.clone() else {
        return Err(Stop::Unsupported("the subscription has no id".to_owned()));
    };
    let second = probe.join(&Join { resume: Some(session), ..Join::default() })?;
    ensure(first.subscribed.extranonce1 != second.subscribed.extranonce1, || {
        "both have the same extranonce1".to_owned()
    })?;
    Ok("the second has an extranonce1 of its own".to_owned())
}

fn workers(probe: &Probe) -> Outcome {
    let mut joined = probe.join_plain()?;
    let reply = joined.wire.call("mining.authorize", &json!([probe.second_worker(), probe.options.password]))?;
    reply.supported()?;
    reply.accepted()
}

fn extranonce_subscribe(probe: &Probe) -> Outcome {
    let mut joined = probe.join_plain()?;
    match joined.wire.call("mining.extranonce.subscribe", &json!([])) {
        Ok(reply) => {
            reply.supported()?;
            reply.accepted()
        }
        Err(crate::probe::wire::WireError::Silent(_)) => Err(Stop::Unsupported("not answered".to_owned())),
        Err(error) => Err(error.into()),
    }
}

fn empty_user(probe: &Probe) -> Outcome {
    let mut wire = probe.connect()?;
    wire.call("mining.subscribe", &json!(["probe/1"]))?;
    let reply = wire.call("mining.authorize", &json!(["", ""]))?;
    Ok(if reply.is_refusal() { format!("refused: {}", reply.why()) } else { format!("answered {}", reply.result()) })
}

fn get_transactions(probe: &Probe) -> Outcome {
    let mut joined = probe.join_plain()?;
    let job = joined.job()?.id;
    match joined.wire.call("mining.get_transactions", &json!([job])) {
        Ok(reply) => {
            let list = reply.supported()?;
            ensure(list.is_array(), || format!("{list}; expected a list"))?;
            Ok("answered by a list".to_owned())
        }
        Err(crate::probe::wire::WireError::Silent(_)) => Err(Stop::Unsupported("not answered".to_owned())),
        Err(error) => Err(error.into()),
    }
}
