//! Shares that are found by hashing, and that the pool must take.

use super::{DE_FACTO, STRATUM};
use crate::probe::Probe;
use crate::probe::check::{Check, Outcome, Stop};
use crate::probe::session::{Join, Peculiar};
use serde_json::json;
use std::time::Duration;

pub(super) const CHECKS: &[Check] = &[
    Check::new("share.plain", "a valid share is accepted at the pool's own difficulty", STRATUM, plain),
    Check::new(
        "share.easy",
        "a valid share is accepted at the difficulty that was suggested",
        "Stratum V1: mining.suggest_difficulty",
        easy,
    ),
    Check::new(
        "share.ntime",
        "a share with a time three seconds later is accepted",
        "Stratum V1: ntime may be rolled",
        ntime,
    ),
    Check::new("share.version", "a share with rolled version bits is accepted", "BIP 310 and BIP 320", version),
    Check::new(
        "share.version-kept",
        "version bits that leave the job's version as it is are accepted",
        "BIP 310: the version is (job & ~mask) | (bits & mask)",
        version_kept,
    ),
    Check::new(
        "share.extranonce2",
        "two shares of one job that differ in extranonce2 are accepted",
        STRATUM,
        extranonce2,
    ),
    Check::new(
        "share.second-worker",
        "a share of a second worker on the connection is accepted",
        STRATUM,
        second_worker,
    ),
    Check::new(
        "share.held-difficulty",
        "a share is judged by its job's difficulty, whatever was asked for since",
        "Stratum V1: a difficulty holds from the next job",
        held_difficulty,
    ),
    Check::new("share.after-refusals", "a valid share is accepted after refused ones", DE_FACTO, after_refusals),
    Check::new(
        "share.resumed",
        "a share of a job from before is accepted in the resumed session",
        "Stratum V1: mining.subscribe's second parameter",
        resumed,
    ),
];

fn found(probe: &Probe, how: &Join, peculiar: &Peculiar) -> Outcome {
    let mut joined = if how.easy { probe.join_easy(how.roll_versions)? } else { probe.join(how)? };
    if how.roll_versions && joined.mask == 0 {
        return Err(Stop::Unsupported("the pool agrees on no mask".to_owned()));
    }
    let share = joined.find(probe, peculiar)?;
    let said = joined.submit(&share)?.accepted()?;
    Ok(format!("difficulty {}: {said}", joined.difficulty))
}

fn plain(probe: &Probe) -> Outcome {
    found(probe, &Join::default(), &Peculiar::default())
}

fn easy(probe: &Probe) -> Outcome {
    let usual = probe.join_plain()?.difficulty;
    let mut joined = probe.join_easy(false)?;
    if joined.difficulty >= usual {
        return Err(Stop::Unsupported(format!("difficulty {} all the same", joined.difficulty)));
    }
    let share = joined.find(probe, &Peculiar::default())?;
    let said = joined.submit(&share)?.accepted()?;
    Ok(format!("difficulty {} instead of {usual}: {said}", joined.difficulty))
}

fn ntime(probe: &Probe) -> Outcome {
    let later = |time: u32, _: bool| time.saturating_add(3);
    found(probe, &Join { easy: true, ..Join::default() }, &Peculiar { time: Some(later), ..Peculiar::default() })
}

fn version(probe: &Probe) -> Outcome {
    let joined = probe.join(&Join { roll_versions: true, ..Join::default() })?;
    let bit = 1 << joined.mask.trailing_zeros().min(31);
    found(
        probe,
        &Join { easy: true, roll_versions: true, ..Join::default() },
        &Peculiar { version_bits: Some(bit & joined.mask), ..Peculiar::default() },
    )
}

fn version_kept(probe: &Probe) -> Outcome {
    found(probe, &Join { easy: true, roll_versions: true, ..Join::default() }, &Peculiar::default())
}

fn extranonce2(probe: &Probe) -> Outcome {
    let mut joined = probe.join_easy(false)?;
    for _ in 0..2 {
        let share = joined.find(probe, &Peculiar::default())?;
        joined.submit(&share)?.accepted()?;
    }
    Ok("both accepted".to_owned())
}

fn second_worker(probe: &Probe) -> Outcome {
    let mut joined = probe.join_easy(false)?;
    let worker = probe.second_worker();
    let reply = joined.wire.call("mining.authorize", &json!([worker, probe.options.password]))?;
    reply.supported()?;
    let mut share = joined.find(probe, &Peculiar::default())?;
    share.user = worker;
    joined.submit(&share)?.accepted()
}

fn held_difficulty(probe: &Probe) -> Outcome {
    let mut joined = probe.join_easy(false)?;
    let share = joined.find(probe, &Peculiar::default())?;
    let harder = joined.difficulty * 1e9;
    joined.wire.send(&json!({"id": "harder", "method": "mining.suggest_difficulty", "params": [harder]}))?;
    joined.wire.listen(Duration::from_millis(100));
    joined.submit(&share)?.accepted()
}

fn after_refusals(probe: &Probe) -> Outcome {
    let mut joined = probe.join_easy(false)?;
    let share = joined.find(probe, &Peculiar::default())?;
    let mut wrong = share.clone();
    wrong.job = json!("deadbeef");
    joined.submit(&wrong)?.refused()?;
    wrong = share.clone();
    "nobody.who-authorized".clone_into(&mut wrong.user);
    joined.submit(&wrong)?;
    joined.submit(&share)?.accepted()
}

fn resumed(probe: &Probe) -> Outcome {
    let mut before = probe.join_easy(false)?;
    let share = before.find(probe, &Peculiar::default())?;
    let subscribed = before.subscribed.clone();
    drop(before);
    let session = subscribed.session.ok_or_else(|| Stop::Unsupported("the subscription has no id".to_owned()))?;
    for _ in 0..10 {
        std::thread::sleep(Duration::from_millis(50));
        let mut after = probe.join(&Join { resume: Some(session.clone()), easy: true, ..Join::default() })?;
        if after.subscribed.extranonce1 == subscribed.extranonce1 {
            return after.submit(&share)?.accepted();
        }
    }
    Err(Stop::Unsupported("sessions are not resumed".to_owned()))
}
