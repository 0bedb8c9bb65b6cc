//! How long a pool takes. The limits are what a miner notices, not what a good pool needs.

use super::DE_FACTO;
use crate::probe::Probe;
use crate::probe::check::{Check, Outcome, Stop, ensure};
use crate::probe::wire::WireError;
use serde_json::json;
use std::time::{Duration, Instant};

const SOON: &str = "A miner without an answer or a job wastes its power";

pub(super) const CHECKS: &[Check] = &[
    Check::new("timing.connect", "a connection is taken within 1 s", SOON, connect),
    Check::new("timing.subscribe", "mining.subscribe is answered within 1 s", SOON, subscribe),
    Check::new("timing.configure", "mining.configure is answered within 1 s", SOON, configure),
    Check::new("timing.authorize", "mining.authorize is answered within 2 s", SOON, authorize),
    Check::new("timing.first-job", "the first job comes within 2 s", SOON, first_job),
    Check::new("timing.submit", "a share is answered within 1 s", SOON, submit),
    Check::new("timing.steady", "fifty shares in a row are each answered within 1 s", SOON, steady),
    Check::new("timing.ping", "mining.ping is answered by \"pong\"", DE_FACTO, ping),
    Check::new("timing.idle", "nothing but jobs and difficulties comes unasked within 2 s", DE_FACTO, idle),
    Check::new(
        "timing.renotify",
        "a new job comes within 60 s",
        "Stratum V1: miners drop a pool after 60 to 90 s of silence",
        renotify,
    )
    .slow(75),
];

fn within(took: Duration, limit: u64) -> Outcome {
    let milliseconds = took.as_secs_f64() * 1e3;
    ensure(took <= Duration::from_secs(limit), || format!("{milliseconds:.0} ms"))?;
    Ok(format!("{milliseconds:.1} ms"))
}

fn connect(probe: &Probe) -> Outcome {
    let begin = Instant::now();
    let _wire = probe.connect()?;
    within(begin.elapsed(), 1)
}

fn subscribe(probe: &Probe) -> Outcome {
    within(probe.connect()?.call("mining.subscribe", &json!(["probe/1"]))?.took, 1)
}

fn configure(probe: &Probe) -> Outcome {
    let reply = probe
        .connect()?
        .call("mining.configure", &json!([["version-rolling"], {"version-rolling.mask": "1fffe000"}]))?;
    reply.supported()?;
    within(reply.took, 1)
}

fn authorize(probe: &Probe) -> Outcome {
    let mut wire = probe.connect()?;
    wire.call("mining.subscribe", &json!(["probe/1"]))?;
    within(wire.call("mining.authorize", &json!([probe.options.user, probe.options.password]))?.took, 2)
}

fn first_job(probe: &Probe) -> Outcome {
    within(probe.join_plain()?.job_after, 2)
}

fn submit(probe: &Probe) -> Outcome {
    let mut joined = probe.join_plain()?;
    let share = joined.some_share(probe)?;
    within(joined.submit(&share)?.took, 1)
}

fn steady(probe: &Probe) -> Outcome {
    let mut joined = probe.join_plain()?;
    let mut share = joined.some_share(probe)?;
    share.job = json!("deadbeef");
    let mut longest = Duration::ZERO;
    for _ in 0..50 {
        longest = longest.max(joined.submit(&share)?.took);
    }
    within(longest, 1)
}

fn ping(probe: &Probe) -> Outcome {
    let mut joined = probe.join_plain()?;
    match joined.wire.call("mining.ping", &json!([])) {
        Ok(reply) => {
            let said = reply.supported()?;
            ensure(said == "pong" || said == true, || format!("{said}; expected \"pong\""))?;
            within(reply.took, 1)
        }
        Err(WireError::Silent(_)) => Err(Stop::Unsupported("not answered".to_owned())),
        Err(error) => Err(error.into()),
    }
}

fn idle(probe: &Probe) -> Outcome {
    let mut joined = probe.join_plain()?;
    joined.wire.listen(Duration::from_secs(2));
    joined.update();
    let usual = |method: &str| method.starts_with("mining.") || method.starts_with("client.");
    let other: Vec<_> = joined.strange.iter().filter(|method| !usual(method)).collect();
    ensure(other.is_empty(), || format!("{other:?}"))?;
    // An end of the connection shows now.
    joined.lives(probe)
}

fn renotify(probe: &Probe) -> Outcome {
    let mut joined = probe.join_plain()?;
    let begin = Instant::now();
    joined.wire.told("mining.notify", Duration::from_secs(60))?;
    Ok(format!("after {:.1} s", begin.elapsed().as_secs_f64()))
}
