//! Too much, too many, too long: one connection's excess is not another's.

use crate::probe::Probe;
use crate::probe::check::{Check, Outcome, Stop, ensure};
use crate::probe::session::Subscribed;
use crate::probe::wire::WireError;
use serde_json::json;
use std::time::{Duration, Instant};

const OTHERS: &str = "A pool serves strangers: what one does is not felt by another";

pub(super) const CHECKS: &[Check] = &[
    Check::new(
        "limits.long-line",
        "a line of 1 MiB is refused or ends the connection",
        "A line is below 128 KiB in any honest session",
        long_line,
    ),
    Check::new(
        "limits.endless-line",
        "2 MiB without a newline are not kept waiting for",
        "A line is below 128 KiB in any honest session",
        endless_line,
    ),
    Check::new(
        "limits.thousand-lines",
        "a thousand calls at once are answered, or the connection ends",
        OTHERS,
        thousand_lines,
    ),
    Check::new(
        "limits.fifty-connections",
        "fifty connections from one address are served, or refused at once",
        "A farm stands behind one address",
        fifty_connections,
    ),
    Check::new("limits.come-and-go", "fifty connections that come and go harm nobody", OTHERS, come_and_go),
    Check::new("limits.half-line", "half a line holds up nobody, and its other half is taken", OTHERS, half_line),
    Check::new("limits.deaf", "a miner that does not read holds up nobody", OTHERS, deaf),
    Check::new("limits.long-user", "a user of 10,000 bytes is answered", OTHERS, long_user),
    Check::new("limits.long-agent", "an agent of 10,000 bytes is answered", OTHERS, long_agent),
    Check::new(
        "limits.unauthorized",
        "a connection that authorizes nobody is ended within 150 s",
        "Stratum V1: pools drop the unauthorized after 60 s or so",
        unauthorized,
    )
    .slow(160),
];

/// Whether the pool answers on a connection that went through something, or has ended it.
fn answers_or_ended(asked: Result<(), WireError>) -> Result<&'static str, Stop> {
    match asked {
        Ok(()) => Ok("the session lives"),
        Err(WireError::Closed) => Ok("the connection was ended"),
        Err(error) => Err(Stop::Failed(format!("neither answered nor ended: {error}"))),
    }
}

fn long_line(probe: &Probe) -> Outcome {
    let mut wire = probe.connect()?;
    let line = format!("{{\"id\":1,\"method\":\"mining.authorize\",\"params\":[\"{}\",\"x\"]}}\n", "a".repeat(1 << 20));
    let mut taken = false;
    let sent = wire.send_raw(line.as_bytes()).and_then(|()| {
        let reply = wire.reply(Duration::from_millis(500));
        taken = reply.is_ok_and(|reply| reply["result"] == true);
        wire.call("mining.subscribe", &json!(["probe/1"])).map(drop)
    });
    let said = answers_or_ended(sent)?;
    ensure(!taken, || "a user of 1 MiB was authorized".to_owned())?;
    probe.still_serves()?;
    Ok(said.to_owned())
}

fn endless_line(probe: &Probe) -> Outcome {
    let mut wire = probe.connect()?;
    let sent = wire.send_raw(&vec![b'x'; 2 << 20]);
    probe.still_serves()?;
    let said = answers_or_ended(sent.and_then(|()| {
        wire.send_raw(b"\n")?;
        wire.call("mining.subscribe", &json!(["probe/1"])).map(drop)
    }))?;
    Ok(said.to_owned())
}

fn thousand_lines(probe: &Probe) -> Outcome {
    let mut wire = probe.connect()?;
    let params = json!(["probe", "deadbeef", "00", "00000000", "00000000"]);
    let mut lines = String::new();
    for id in 0..1000 {
        lines += &json!({"id": id, "method": "mining.submit", "params": params}).to_string();
        lines.push('\n');
    }
    wire.send_raw(lines.as_bytes())
        .or_else(|error| if matches!(error, WireError::Closed) { Ok(()) } else { Err(error) })?;
    let mut answered = 0;
    let end = loop {
        match wire.reply(wire.patience()) {
            Ok(_) if answered == 999 => break "all answered".to_owned(),
            Ok(_) => answered += 1,
            Err(WireError::Closed) => break format!("{answered} answered, then the connection was ended"),
            Err(error) => return Err(Stop::Failed(format!("{answered} of 1000 answered, then: {error}"))),
        }
    };
    probe.still_serves()?;
    Ok(end)
}

fn fifty_connections(probe: &Probe) -> Outcome {
    let mut wires = Vec::new();
    let (mut served, mut refused) = (0, 0);
    for at in 0..50 {
        let asked = probe.connect().and_then(|mut wire| {
            wire.call("mining.subscribe", &json!(["probe/1"]))?;
            wires.push(wire);
            Ok(())
        });
        match asked {
            Ok(()) => served += 1,
            Err(WireError::Closed | WireError::Connect(..)) => refused += 1,
            Err(error) => return Err(Stop::Failed(format!("connection {at}: {error}"))),
        }
    }
    ensure(served > 0, || "none was served".to_owned())?;
    drop(wires);
    // The pool learns of their end in its own time.
    std::thread::sleep(Duration::from_millis(100));
    probe.still_serves()?;
    Ok(format!("{served} served, {refused} refused"))
}

fn come_and_go(probe: &Probe) -> Outcome {
    for at in 0..50 {
        let mut wire = probe.connect()?;
        if at % 2 == 1 {
            // Gone before it is answered.
            wire.send(&json!({"id": 1, "method": "mining.subscribe", "params": ["probe/1"]}))?;
        }
    }
    probe.still_serves()?;
    Ok("a stranger is served".to_owned())
}

fn half_line(probe: &Probe) -> Outcome {
    let mut wire = probe.connect()?;
    wire.send_raw(b"{\"id\":1,\"method\":\"mining.subs")?;
    std::thread::sleep(Duration::from_millis(200));
    probe.still_serves()?;
    wire.send_raw(b"cribe\",\"params\":[\"probe/1\"]}\n")?;
    let reply = wire.reply(wire.patience())?;
    Subscribed::read(&reply["result"]).map_err(Stop::Failed)?;
    Ok("answered once it was whole".to_owned())
}

fn deaf(probe: &Probe) -> Outcome {
    let mut wire = probe.connect()?;
    wire.call("mining.subscribe", &json!(["probe/1"]))?;
    let line =
        json!({"id": 1, "method": "mining.submit", "params": ["probe", "deadbeef", "00", "00000000", "00000000"]});
    let lines = format!("{line}\n").repeat(500);
    // A pool that takes no more, or no faster, is not waited for.
    wire.write_within(Duration::from_millis(500))?;
    let begin = Instant::now();
    let mut sent = 0;
    // Until the pool takes no more, or for a while.
    while begin.elapsed() < Duration::from_millis(500) && wire.send_raw(lines.as_bytes()).is_ok() {
        sent += 500;
    }
    let begin = Instant::now();
    probe.still_serves()?;
    Ok(format!(
        "after {sent} calls whose answers nobody read a stranger is served in {:.0} ms",
        begin.elapsed().as_secs_f64() * 1e3
    ))
}

fn long_user(probe: &Probe) -> Outcome {
    let mut wire = probe.connect()?;
    wire.call("mining.subscribe", &json!(["probe/1"]))?;
    let said = answers_or_ended(wire.call("mining.authorize", &json!(["u".repeat(10_000), "x"])).map(drop))?;
    probe.still_serves()?;
    Ok(said.to_owned())
}

fn long_agent(probe: &Probe) -> Outcome {
    let mut wire = probe.connect()?;
    let said = answers_or_ended(wire.call("mining.subscribe", &json!(["a".repeat(10_000)])).map(drop))?;
    probe.still_serves()?;
    Ok(said.to_owned())
}

fn unauthorized(probe: &Probe) -> Outcome {
    let mut wire = probe.connect()?;
    wire.call("mining.subscribe", &json!(["probe/1"]))?;
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(150) {
        match wire.line(Duration::from_secs(150).saturating_sub(begin.elapsed())) {
            Err(WireError::Closed) => return Ok(format!("ended after {:.0} s", begin.elapsed().as_secs_f64())),
            Ok(_) => {}
            Err(WireError::Silent(_)) => break,
            Err(error) => return Err(error.into()),
        }
    }
    Err(Stop::Failed("still open after 150 s".to_owned()))
}
