//! A share counts once, however it comes.

use super::CODES;
use crate::probe::Probe;
use crate::probe::check::{Check, Outcome, Stop, ensure};
use crate::probe::session::{Join, Joined, Peculiar, Share};
use crate::probe::wire::WireError;
use serde_json::json;
use std::time::Duration;

const ONCE: &str = "Stratum V1: a share counts once; code 22";

pub(super) const CHECKS: &[Check] = &[
    Check::new("duplicate.same", "the same share again is refused with 22", CODES, same),
    Check::new("duplicate.case", "the same share in capital hex is refused with 22", ONCE, case),
    Check::new("duplicate.prefix", "the same share with 0x before its words is not accepted", ONCE, prefix),
    Check::new("duplicate.zeros", "the same share with zeros before its words is not accepted", ONCE, zeros),
    Check::new("duplicate.worker", "the same share for another worker is refused with 22", ONCE, worker),
    Check::new("duplicate.version", "the same share with its version bits spelt out is not accepted", ONCE, version),
    Check::new("duplicate.connection", "the same share over another connection is not accepted", ONCE, connection),
    Check::new("duplicate.resumed", "the same share over the resumed session is refused", ONCE, resumed),
    Check::new("duplicate.at-once", "the same share twice in one packet is accepted once", ONCE, at_once),
    Check::new("duplicate.next", "after a duplicate the next share is accepted", ONCE, next),
];

/// A session, and a share of it that was accepted.
fn accepted(probe: &Probe, roll_versions: bool) -> Result<(Joined, Share), Stop> {
    let mut joined = probe.join_easy(roll_versions)?;
    let share = joined.find(probe, &Peculiar::default())?;
    if let Err(Stop::Failed(why)) = joined.submit(&share)?.accepted() {
        return Err(Stop::Skipped(format!("a valid share is refused: {why}")));
    }
    Ok((joined, share))
}

/// A block voids its job, so that its second coming may be stale as well.
fn codes(joined: &mut Joined, share: &Share) -> &'static [i64] {
    joined.wire.listen(Duration::from_millis(50));
    joined.update();
    if joined.raw_job[0] == share.job { &[22] } else { &[22, 21] }
}

fn again(probe: &Probe, change: fn(&mut Share)) -> Outcome {
    let (mut joined, mut share) = accepted(probe, false)?;
    change(&mut share);
    let codes = codes(&mut joined, &share);
    joined.submit(&share)?.refused_with(codes)
}

fn same(probe: &Probe) -> Outcome {
    again(probe, |_| {})
}

fn case(probe: &Probe) -> Outcome {
    again(probe, |share| {
        for text in [&mut share.extranonce2, &mut share.ntime, &mut share.nonce] {
            *text = text.to_uppercase();
        }
    })
}

/// The same share in a spelling that may be refused as such, or end the connection.
fn respelt(probe: &Probe, change: fn(&mut Share)) -> Outcome {
    let (mut joined, mut share) = accepted(probe, false)?;
    change(&mut share);
    match joined.wire.call("mining.submit", &share.params()) {
        Ok(reply) => reply.refused(),
        Err(WireError::Closed) => Ok("not accepted: the connection was ended".to_owned()),
        Err(error) => Err(error.into()),
    }
}

fn prefix(probe: &Probe) -> Outcome {
    respelt(probe, |share| share.ntime.insert_str(0, "0x"))
}

fn zeros(probe: &Probe) -> Outcome {
    respelt(probe, |share| share.nonce.insert_str(0, "00"))
}

fn worker(probe: &Probe) -> Outcome {
    let (mut joined, mut share) = accepted(probe, false)?;
    share.user = probe.second_worker();
    joined.wire.call("mining.authorize", &json!([share.user, probe.options.password]))?.supported()?;
    let codes = codes(&mut joined, &share);
    joined.submit(&share)?.refused_with(codes)
}

fn version(probe: &Probe) -> Outcome {
    let (mut joined, mut share) = accepted(probe, true)?;
    if joined.mask == 0 {
        return Err(Stop::Unsupported("the pool agrees on no mask".to_owned()));
    }
    // Without bits the job's own count, which are those that were sent.
    share.version_bits = None;
    joined.submit(&share)?.refused()
}

fn connection(probe: &Probe) -> Outcome {
    let (mut first, mut other) = (probe.join_plain()?, probe.join_plain()?);
    // In the other session it is another header, which may be a share or a block by luck: then it is taken rightly.
    for _ in 0..20 {
        let share = first.find(probe, &Peculiar::default())?;
        other.wire.listen(Duration::from_millis(10));
        other.update();
        if other.raw_job[0] == share.job && other.would_take(&share)? {
            continue;
        }
        first.submit(&share)?.accepted()?;
        return other.submit(&share)?.refused();
    }
    Err(Stop::Skipped(format!("at difficulty {} any header is a share", other.difficulty)))
}

fn resumed(probe: &Probe) -> Outcome {
    let (first, share) = accepted(probe, false)?;
    let subscribed = first.subscribed.clone();
    drop(first);
    let session = subscribed.session.ok_or_else(|| Stop::Unsupported("the subscription has no id".to_owned()))?;
    for _ in 0..10 {
        std::thread::sleep(Duration::from_millis(50));
        let mut after = probe.join(&Join { resume: Some(session.clone()), easy: true, ..Join::default() })?;
        if after.subscribed.extranonce1 == subscribed.extranonce1 {
            return after.submit(&share)?.refused_with(&[21, 22]);
        }
    }
    Err(Stop::Unsupported("sessions are not resumed".to_owned()))
}

fn at_once(probe: &Probe) -> Outcome {
    let mut joined = probe.join_easy(false)?;
    let share = joined.find(probe, &Peculiar::default())?;
    let line = |id: u32| json!({"id": id, "method": "mining.submit", "params": share.params()});
    joined.wire.send_raw(format!("{}\n{}\n", line(1), line(2)).as_bytes())?;
    let mut taken = 0;
    for _ in 0..2 {
        taken += u32::from(joined.wire.reply(joined.wire.patience())?["result"] == true);
    }
    ensure(taken == 1, || format!("{taken} of two were accepted"))?;
    Ok("one of two".to_owned())
}

fn next(probe: &Probe) -> Outcome {
    let (mut joined, share) = accepted(probe, false)?;
    joined.submit(&share)?.refused()?;
    let share = joined.find(probe, &Peculiar::default())?;
    joined.submit(&share)?.accepted()
}
