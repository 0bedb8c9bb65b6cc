//! Shares with one fault each: refused, and with the right code.
//!
//! Where a share's fault shows only after hashing, it is searched for, so that it is wrong in nothing else.

use super::CODES;
use crate::probe::Probe;
use crate::probe::check::{Check, Outcome, Stop, ensure};
use crate::probe::session::{Join, Joined, Peculiar, Share};
use serde_json::{Value, json};

pub(super) const CHECKS: &[Check] = &[
    Check::new(
        "submit.error-shape",
        "a refusal is [code, message, null] beside a result that is null or false",
        "Stratum V1: errors",
        error_shape,
    ),
    Check::new("submit.unknown-job", "an unknown job is refused with 21", CODES, unknown_job),
    Check::new("submit.empty-job", "an empty job id is refused with 21 or 20", CODES, empty_job),
    Check::new("submit.unknown-user", "a user who did not authorize is refused with 24", CODES, unknown_user),
    Check::new(
        "submit.extranonce2-short",
        "an extranonce2 that is too short is refused with 20",
        CODES,
        extranonce2_short,
    ),
    Check::new(
        "submit.extranonce2-long",
        "an extranonce2 that is too long is refused with 20",
        CODES,
        extranonce2_long,
    ),
    Check::new("submit.extranonce2-hex", "an extranonce2 that is no hex is refused with 20", CODES, extranonce2_hex),
    Check::new(
        "submit.ntime-early",
        "a time well before the job's is refused with 20",
        "Stratum V1: ntime is not before the job's",
        ntime_early,
    ),
    Check::new(
        "submit.ntime-late",
        "a time three hours after the job's is refused with 20",
        "Stratum V1: ntime is at most some 7000 s after the job's; Bitcoin's consensus: time-too-new",
        ntime_late,
    ),
    Check::new("submit.ntime-hex", "a time that is no hex is refused with 20", CODES, ntime_hex),
    Check::new("submit.ntime-long", "a time of ten digits is refused with 20", CODES, ntime_long),
    Check::new("submit.nonce-hex", "a nonce that is no hex is refused with 20", CODES, nonce_hex),
    Check::new("submit.nonce-long", "a nonce of ten digits is refused with 20", CODES, nonce_long),
    Check::new("submit.nonce-empty", "a nonce without digits is refused with 20", CODES, nonce_empty),
    Check::new(
        "submit.version-outside",
        "version bits outside the agreed mask are refused with 20",
        "BIP 310: bits & ~mask is 0",
        version_outside,
    ),
    Check::new(
        "submit.version-unagreed",
        "version bits without version rolling are refused with 20",
        "BIP 310: only after mining.configure",
        version_unagreed,
    ),
    Check::new("submit.version-hex", "version bits that are no hex are refused with 20", CODES, version_hex),
    Check::new("submit.low-difficulty", "a share of too low a difficulty is refused with 23", CODES, low_difficulty),
    Check::new("submit.too-few", "a share with three parameters is refused with 20", CODES, too_few),
    Check::new("submit.types", "a share of numbers and lists is refused", CODES, types),
    Check::new(
        "submit.after",
        "after many refusals the session still takes calls",
        "Stratum V1: a refusal ends no session",
        after,
    ),
];

/// Submits a share that is spoilt by hand.
fn spoilt(probe: &Probe, codes: &[i64], spoil: fn(&mut Share)) -> Outcome {
    let mut joined = probe.join_plain()?;
    let mut share = joined.some_share(probe)?;
    spoil(&mut share);
    joined.submit(&share)?.refused_with(codes)
}

/// Submits a share that is good but for what makes it peculiar. Where none is found, one that is bad too: then 23 is as
/// right.
fn peculiar(
    probe: &Probe,
    mut joined: Joined,
    peculiar: &Peculiar,
    codes: &[i64],
    plain: impl FnOnce(&mut Share, &Joined),
) -> Outcome {
    match joined.find(probe, peculiar) {
        Ok(share) => joined.submit(&share)?.refused_with(codes),
        Err(Stop::Skipped(_)) => {
            let mut share = joined.some_share(probe)?;
            plain(&mut share, &joined);
            let said = joined.submit(&share)?.refused_with(&[codes, &[23]].concat())?;
            Ok(format!("{said} (the share was not searched for)"))
        }
        Err(other) => Err(other),
    }
}

fn error_shape(probe: &Probe) -> Outcome {
    let mut joined = probe.join_plain()?;
    let mut share = joined.some_share(probe)?;
    share.job = json!("deadbeef");
    let reply = joined.submit(&share)?;
    let error = &reply.value["error"];
    let shape =
        error.as_array().is_some_and(|list| (2..=3).contains(&list.len()) && list[0].is_i64() && list[1].is_string());
    ensure(shape, || format!("{}; expected [code, message, null]", reply.value))?;
    let no_result = matches!(reply.result(), Value::Null | Value::Bool(false));
    ensure(no_result, || format!("result {} beside an error", reply.result()))?;
    Ok(error.to_string())
}

fn unknown_job(probe: &Probe) -> Outcome {
    spoilt(probe, &[21], |share| share.job = json!("deadbeef"))
}

fn empty_job(probe: &Probe) -> Outcome {
    spoilt(probe, &[20, 21], |share| share.job = json!(""))
}

fn unknown_user(probe: &Probe) -> Outcome {
    let mut joined = probe.join_easy(false)?;
    let (mut share, searched) = match joined.find(probe, &Peculiar::default()) {
        Ok(share) => (share, true),
        Err(_) => (joined.some_share(probe)?, false),
    };
    "nobody.who-authorized".clone_into(&mut share.user);
    joined.submit(&share)?.refused_with(if searched { &[24] } else { &[23, 24] })
}

fn extranonce2_short(probe: &Probe) -> Outcome {
    let spoil = |share: &mut Share, _: &Joined| drop(share.extranonce2.drain(..2));
    peculiar(probe, probe.join_easy(false)?, &Peculiar { longer: -1, ..Peculiar::default() }, &[20], spoil)
}

fn extranonce2_long(probe: &Probe) -> Outcome {
    let spoil = |share: &mut Share, _: &Joined| share.extranonce2.push_str("00");
    peculiar(probe, probe.join_easy(false)?, &Peculiar { longer: 1, ..Peculiar::default() }, &[20], spoil)
}

fn extranonce2_hex(probe: &Probe) -> Outcome {
    spoilt(probe, &[20], |share| share.extranonce2.replace_range(..2, "zz"))
}

fn ntime_early(probe: &Probe) -> Outcome {
    // Where every share is a block, the time has to be one that no block can have.
    let early = |time: u32, no_block: bool| if no_block { time.saturating_sub(3600) } else { 1 };
    let spoil = move |share: &mut Share, _: &Joined| share.ntime = format!("{:08x}", early(0, false));
    peculiar(probe, probe.join_easy(false)?, &Peculiar { time: Some(early), ..Peculiar::default() }, &[20], spoil)
}

fn ntime_late(probe: &Probe) -> Outcome {
    let late = |time: u32, _: bool| time.saturating_add(3 * 3600);
    let spoil = move |share: &mut Share, joined: &Joined| {
        share.ntime = format!("{:08x}", late(joined.job().map_or(0, |job| job.time), false));
    };
    peculiar(probe, probe.join_easy(false)?, &Peculiar { time: Some(late), ..Peculiar::default() }, &[20], spoil)
}

fn ntime_hex(probe: &Probe) -> Outcome {
    spoilt(probe, &[20], |share| "notatime".clone_into(&mut share.ntime))
}

fn ntime_long(probe: &Probe) -> Outcome {
    spoilt(probe, &[20], |share| share.ntime.push_str("00"))
}

fn nonce_hex(probe: &Probe) -> Outcome {
    spoilt(probe, &[20], |share| "xyzxyzxy".clone_into(&mut share.nonce))
}

fn nonce_long(probe: &Probe) -> Outcome {
    spoilt(probe, &[20], |share| share.nonce.push_str("00"))
}

fn nonce_empty(probe: &Probe) -> Outcome {
    spoilt(probe, &[20], |share| share.nonce.clear())
}

/// The first of these bits that the job does not have, and that is in no mask.
fn bit_outside(joined: &Joined, mut bits: std::ops::Range<u32>) -> Result<u32, Stop> {
    let taken = joined.job()?.version | joined.mask;
    let free = bits.find(|bit| taken & (1 << bit) == 0).map(|bit| 1 << bit);
    free.ok_or_else(|| Stop::Skipped("the job's version has them all".to_owned()))
}

fn version_outside(probe: &Probe) -> Outcome {
    let joined = probe.join_easy(true)?;
    if joined.mask == 0 {
        return Err(Stop::Unsupported("the pool agrees on no mask".to_owned()));
    }
    let bit = bit_outside(&joined, 0..5)?;
    let spoil = move |share: &mut Share, _: &Joined| share.version_bits = Some(format!("{bit:08x}"));
    peculiar(probe, joined, &Peculiar { version_bits: Some(bit), ..Peculiar::default() }, &[20], spoil)
}

fn version_unagreed(probe: &Probe) -> Outcome {
    let joined = probe.join_easy(false)?;
    let bit = bit_outside(&joined, 13..29)?;
    let spoil = move |share: &mut Share, _: &Joined| share.version_bits = Some(format!("{bit:08x}"));
    peculiar(probe, joined, &Peculiar { version_bits: Some(bit), ..Peculiar::default() }, &[20], spoil)
}

fn version_hex(probe: &Probe) -> Outcome {
    let mut joined = probe.join(&Join { roll_versions: true, ..Join::default() })?;
    if joined.mask == 0 {
        return Err(Stop::Unsupported("the pool agrees on no mask".to_owned()));
    }
    let share = Share { version_bits: Some("gggggggg".to_owned()), ..joined.some_share(probe)? };
    joined.submit(&share)?.refused_with(&[20])
}

fn low_difficulty(probe: &Probe) -> Outcome {
    let mut joined = probe.join_plain()?;
    let share = joined.find(probe, &Peculiar { low: true, ..Peculiar::default() })?;
    joined.submit(&share)?.refused_with(&[23])
}

fn too_few(probe: &Probe) -> Outcome {
    let mut joined = probe.join_plain()?;
    let params = joined.some_share(probe)?.params();
    joined.wire.call("mining.submit", &json!([params[0], params[1], params[2]]))?.refused_with(&[20])
}

fn types(probe: &Probe) -> Outcome {
    let mut joined = probe.join_plain()?;
    let user = &probe.options.user;
    for params in [json!([1, 2, 3, 4, 5]), json!([user, [], {}, true, null]), json!([null, null, null, null, null])] {
        joined.wire.call("mining.submit", &params)?.refused()?;
    }
    joined.lives(probe)
}

fn after(probe: &Probe) -> Outcome {
    let mut joined = probe.join_plain()?;
    let mut share = joined.some_share(probe)?;
    share.job = json!("deadbeef");
    for _ in 0..20 {
        joined.submit(&share)?.refused()?;
    }
    joined.lives(probe)
}
