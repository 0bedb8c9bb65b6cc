//! Whether a job can become a block.

use super::{DE_FACTO, STRATUM};
use crate::probe::Probe;
use crate::probe::check::{Check, Outcome, Stop, ensure};
use crate::probe::job::Job;
use crate::probe::work::difficulty;
use bitcoin::script::Instruction;
use bitcoin::{CompactTarget, Target, Transaction};
use serde_json::Value;
use std::time::{SystemTime, UNIX_EPOCH};

pub(super) const CHECKS: &[Check] = &[
    Check::new("job.shape", "a job has nine parameters of the right types", STRATUM, shape),
    Check::new("job.id", "the job's id is a string, not empty", STRATUM, id),
    Check::new("job.difficulty", "the difficulty is a number above zero", STRATUM, set_difficulty),
    Check::new(
        "job.coinbase",
        "the coinbase is a transaction with one null input",
        "Bitcoin's consensus; judged by the bitcoin crate",
        coinbase,
    ),
    Check::new(
        "job.script-size",
        "the coinbase's script has 2 to 100 bytes",
        "Bitcoin's consensus: bad-cb-length",
        script_size,
    ),
    Check::new(
        "job.height",
        "the coinbase's script begins with the height, as short as can be",
        "BIP 34; Bitcoin Core: bad-cb-height",
        height,
    ),
    Check::new("job.extranonce", "the extranonces lie in the coinbase's script", STRATUM, extranonce),
    Check::new(
        "job.outputs",
        "the coinbase pays something, and not more than there can be",
        "Bitcoin's consensus: bad-cb-amount",
        outputs,
    ),
    Check::new(
        "job.no-witness",
        "the coinbase comes without its witness",
        "Stratum V1: miners hash it for its txid",
        no_witness,
    ),
    Check::new(
        "job.commitment",
        "a witness commitment has its whole script",
        "BIP 141: 6a24aa21a9ed and 32 bytes",
        commitment,
    ),
    Check::new(
        "job.branches",
        "there are at most 16 merkle branches, none repeated",
        "Bitcoin's consensus: a block has fewer than 2^16 transactions",
        branches,
    ),
    Check::new("job.version", "the version is at least 4", "BIP 34, 66 and 65: bad-version", version),
    Check::new("job.nbits", "nbits is a target within the limit", "Bitcoin's consensus: bad-diffbits", nbits),
    Check::new("job.ntime", "ntime is within two hours of the local clock", "Bitcoin's consensus: time-too-new", ntime),
    Check::new("job.prevhash", "prevhash has each word reversed, and meets the target", STRATUM, prevhash),
    Check::new("job.agreement", "two sessions work on the same block", DE_FACTO, agreement),
    Check::new("job.clean-first", "the first job of a session says clean_jobs", DE_FACTO, clean_first),
];

fn transaction(probe: &Probe) -> Result<(Job, Transaction), Stop> {
    let joined = probe.join_plain()?;
    let job = joined.job()?;
    let extranonce2 = vec![0; joined.subscribed.extranonce2_size];
    let coinbase = job.coinbase(&joined.subscribed.extranonce1, &extranonce2).map_err(Stop::Failed)?;
    Ok((job, coinbase))
}

fn shape(probe: &Probe) -> Outcome {
    let params = probe.join_plain()?.raw_job;
    let count = params.as_array().map_or(0, Vec::len);
    ensure(count == 9, || format!("{count} parameters; expected 9"))?;
    Job::read(&params).map_err(Stop::Failed)?;
    Ok("nine parameters".to_owned())
}

fn id(probe: &Probe) -> Outcome {
    let joined = probe.join_plain()?;
    match joined.raw_job[0].as_str() {
        Some(id) if !id.is_empty() => Ok(format!("{id:?}")),
        _ => Err(Stop::Failed(format!("{}; expected a string", joined.raw_job[0]))),
    }
}

fn set_difficulty(probe: &Probe) -> Outcome {
    let mut wire = probe.connect()?;
    wire.call("mining.subscribe", &serde_json::json!(["probe/1"]))?;
    wire.call("mining.authorize", &serde_json::json!([probe.options.user, probe.options.password]))?;
    let params = wire.told("mining.set_difficulty", probe.first_job_within())?;
    match params[0].as_f64() {
        Some(value) if value > 0.0 && value.is_finite() => Ok(format!("{value}")),
        _ => Err(Stop::Failed(format!("{params}; expected [a number above 0]"))),
    }
}

fn coinbase(probe: &Probe) -> Outcome {
    let (_, coinbase) = transaction(probe)?;
    ensure(coinbase.is_coinbase(), || {
        format!("{} inputs, the first of {}", coinbase.input.len(), coinbase.input[0].previous_output)
    })?;
    Ok(format!("version {}, {} outputs", coinbase.version, coinbase.output.len()))
}

fn script_size(probe: &Probe) -> Outcome {
    let (_, coinbase) = transaction(probe)?;
    let size = coinbase.input[0].script_sig.len();
    ensure((2..=100).contains(&size), || format!("{size} bytes"))?;
    Ok(format!("{size} bytes"))
}

fn height(probe: &Probe) -> Outcome {
    let (_, coinbase) = transaction(probe)?;
    let script = &coinbase.input[0].script_sig;
    let wrong = |what: &str| Stop::Failed(format!("{what}: {}", script.to_hex_string()));
    let height = match script.instructions_minimal().next() {
        // OP_0 reads as an empty push.
        Some(Ok(Instruction::PushBytes(bytes))) if bytes.len() <= 5 => {
            let bytes = bytes.as_bytes();
            if bytes.last().is_some_and(|last| last & 0x80 != 0) {
                return Err(wrong("a negative height"));
            }
            bytes.iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
        }
        Some(Ok(Instruction::Op(op))) if (0x51..=0x60).contains(&op.to_u8()) => u64::from(op.to_u8() - 0x50),
        Some(Err(error)) => return Err(wrong(&format!("not encoded minimally ({error})"))),
        _ => return Err(wrong("no height")),
    };
    ensure((1..500_000_000).contains(&height), || format!("height {height}"))?;
    Ok(format!("height {height}"))
}

fn extranonce(probe: &Probe) -> Outcome {
    let joined = probe.join_plain()?;
    let (job, size) = (joined.job()?, joined.subscribed.extranonce2_size);
    let read = |fill: u8| {
        let extranonce1 = vec![fill; joined.subscribed.extranonce1.len()];
        job.coinbase(&extranonce1, &vec![fill; size]).map_err(Stop::Failed)
    };
    let (mut one, other) = (read(0)?, read(0xff)?);
    let scripts = (one.input[0].script_sig.clone(), other.input[0].script_sig.clone());
    ensure(scripts.0 != scripts.1, || "they change nothing in the script".to_owned())?;
    one.input[0].script_sig = scripts.1;
    ensure(one == other, || "they change more than the script".to_owned())?;
    Ok("only the script changes".to_owned())
}

fn outputs(probe: &Probe) -> Outcome {
    let (_, coinbase) = transaction(probe)?;
    let total = coinbase.output.iter().try_fold(bitcoin::Amount::ZERO, |sum, output| sum.checked_add(output.value));
    let total = total.filter(|total| *total <= bitcoin::Amount::MAX_MONEY);
    let total = total.ok_or_else(|| Stop::Failed("more than 21 million bitcoin".to_owned()))?;
    ensure(total > bitcoin::Amount::ZERO, || "nothing".to_owned())?;
    Ok(format!("{total} to {} outputs", coinbase.output.len()))
}

fn no_witness(probe: &Probe) -> Outcome {
    let joined = probe.join_plain()?;
    let job = joined.job()?;
    // A transaction with witness has a zero where the count of inputs stands.
    ensure(job.coinbase1.get(4).is_some_and(|marker| *marker != 0), || "it has BIP 144's marker".to_owned())?;
    Ok("the count of inputs follows the version".to_owned())
}

fn commitment(probe: &Probe) -> Outcome {
    let (job, coinbase) = transaction(probe)?;
    let scripts = coinbase.output.iter().map(|output| output.script_pubkey.as_bytes());
    let Some(script) = scripts
        .rev()
        .find(|script| script.starts_with(&[0x6a]) && script.windows(4).any(|part| part == [0xaa, 0x21, 0xa9, 0xed]))
    else {
        let branches = job.branches.len();
        return Err(Stop::Skipped(format!(
            "none; whether the block's {branches} branches hold witnesses cannot be seen"
        )));
    };
    let whole = script.starts_with(&[0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed]) && script.len() >= 38;
    ensure(whole, || format!("{} bytes, {script:02x?}", script.len()))?;
    Ok("6a24aa21a9ed and 32 bytes".to_owned())
}

fn branches(probe: &Probe) -> Outcome {
    let joined = probe.join_plain()?;
    let branches = joined.job()?.branches;
    let count = branches.len();
    ensure(count <= 16, || format!("{count} branches"))?;
    let repeated = (1..count).find(|at| branches[..*at].contains(&branches[*at]));
    ensure(repeated.is_none() && !branches.contains(&[0; 32]), || "a branch is zero or there twice".to_owned())?;
    Ok(format!("{count} branches"))
}

fn version(probe: &Probe) -> Outcome {
    let version = probe.join_plain()?.job()?.version;
    ensure(version.cast_signed() >= 4, || format!("{version:08x}"))?;
    Ok(format!("{version:08x}"))
}

fn nbits(probe: &Probe) -> Outcome {
    let bits = probe.join_plain()?.job()?.bits;
    let target = Target::from_compact(CompactTarget::from_consensus(bits));
    // Negative ones and those that overflow read as zero; what is not in its shortest form reads back as another.
    let valid = target > Target::ZERO && target.to_compact_lossy().to_consensus() == bits;
    ensure(valid && target <= Target::MAX_ATTAINABLE_REGTEST, || format!("{bits:08x}"))?;
    Ok(format!("{bits:08x}, difficulty {:.4e}", difficulty(target)))
}

fn ntime(probe: &Probe) -> Outcome {
    let time = probe.join_plain()?.job()?.time;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
    let skew = i64::from(time) - now.cast_signed();
    ensure(skew.abs() <= 7200, || format!("{skew:+} s from the local clock"))?;
    Ok(format!("{skew:+} s from the local clock"))
}

fn prevhash(probe: &Probe) -> Outcome {
    let joined = probe.join_plain()?;
    let job = joined.job()?;
    let meets = |bytes: [u8; 32]| Target::from_le_bytes(bytes).difficulty_float() * 4.001 >= difficulty(job.target());
    let mut reversed = job.previous;
    reversed.reverse();
    let mut as_it_stands = job.previous;
    as_it_stands.chunks_exact_mut(4).for_each(<[u8]>::reverse);
    // Of the block before, whose target was at most four times this one.
    if meets(job.previous) {
        return Ok(format!(
            "{:x}",
            bitcoin::BlockHash::from_raw_hash(bitcoin::hashes::Hash::from_byte_array(job.previous))
        ));
    }
    let why = if meets(as_it_stands) {
        "its words are not reversed"
    } else if meets(reversed) {
        "it is in the order for people"
    } else {
        "no block of this target has such a hash"
    };
    Err(Stop::Failed(format!("{}: {why}", joined.raw_job[1])))
}

fn agreement(probe: &Probe) -> Outcome {
    // A new block may come in between, once.
    let mut seen = Vec::new();
    for _ in 0..3 {
        let [one, other] = [probe.join_plain()?.job()?, probe.join_plain()?.job()?];
        if (one.previous, one.bits) == (other.previous, other.bits) {
            return Ok("the same previous block and target".to_owned());
        }
        seen = vec![Value::from(format!("{:08x}", one.bits)), Value::from(format!("{:08x}", other.bits))];
    }
    Err(Stop::Failed(format!("three pairs of sessions differ in the previous block or nbits: {}", Value::from(seen))))
}

fn clean_first(probe: &Probe) -> Outcome {
    let clean = probe.join_plain()?.job()?.clean;
    ensure(clean, || "false: what the miner has from before is not void".to_owned())?;
    Ok("true".to_owned())
}
