//! `mining.configure` and what it brings.

use crate::probe::Probe;
use crate::probe::check::{Check, Outcome, Stop, ensure};
use crate::probe::session::{BIP320, Join};
use crate::probe::wire::Wire;
use serde_json::{Map, Value, json};
use std::time::Duration;

pub(super) const CHECKS: &[Check] = &[
    Check::new(
        "bip310.every-code",
        "every requested code is answered, and no other",
        "BIP 310: the result has a pair for each extension",
        every_code,
    ),
    Check::new("bip310.values", "each answer is true, false or a string", "BIP 310: TExtensionResult", values),
    Check::new(
        "bip310.unknown",
        "an unknown extension is answered, and not by true",
        "BIP 310: false means not supported",
        unknown,
    ),
    Check::new("bip310.empty", "a list without extensions is answered", "BIP 310", empty),
    Check::new("bip310.mask-format", "the mask has 8 hex digits", "BIP 310: TMask", mask_format),
    Check::new(
        "bip310.mask-subset",
        "the mask has only bits that were asked for",
        "BIP 310: the final mask is within the miner's",
        mask_subset,
    ),
    Check::new(
        "bip310.mask-narrow",
        "a narrow mask stays narrow",
        "BIP 310: the final mask is within the miner's",
        mask_narrow,
    ),
    Check::new(
        "bip310.mask-bip320",
        "a mask of all bits is cut to what miners may roll",
        "BIP 320: 1fffe000; BIP 323 (draft): 1fffffe0",
        mask_bip320,
    ),
    Check::new(
        "bip310.mask-default",
        "version-rolling without a mask is answered",
        "BIP 310: the mask is optional",
        mask_default,
    ),
    Check::new(
        "bip310.min-bit-count",
        "a bit count that cannot be met does not end the session",
        "BIP 310: the pool should not end the connection",
        min_bit_count,
    ),
    Check::new(
        "bip310.minimum-difficulty",
        "no difficulty below an agreed minimum is set",
        "BIP 310: minimum-difficulty",
        minimum_difficulty,
    ),
    Check::new(
        "bip310.subscribe-extranonce",
        "subscribe-extranonce is answered",
        "BIP 310: subscribe-extranonce",
        subscribe_extranonce,
    ),
    Check::new("bip310.info", "info is answered", "BIP 310: info", info),
    Check::new("bip310.again", "a second mining.configure is answered", "BIP 310: it may renegotiate", again),
    Check::new(
        "bip310.bad-mask",
        "a mask that is no hex is refused, and the session lives",
        "BIP 310: TMask",
        bad_mask,
    ),
];

/// What is answered to a request, if the pool knows `mining.configure`.
fn configure(wire: &mut Wire, params: &Value) -> Result<Map<String, Value>, Stop> {
    let reply = wire.call("mining.configure", params)?;
    let result = reply.supported()?;
    let object = result.as_object().ok_or_else(|| Stop::Failed(format!("{result}; expected an object")))?;
    Ok(object.clone())
}

/// The same where `mining.configure` must be taken: a pool that takes it for version rolling may not refuse it for this.
fn configure_anyway(probe: &Probe, params: &Value) -> Result<Map<String, Value>, Stop> {
    version_rolling(probe, "1fffe000")?;
    configure(&mut probe.connect()?, params).map_err(|stop| match stop {
        Stop::Unsupported(why) => Stop::Failed(why),
        other => other,
    })
}

fn version_rolling(probe: &Probe, mask: &str) -> Result<Map<String, Value>, Stop> {
    let params = json!([["version-rolling"], {"version-rolling.mask": mask, "version-rolling.min-bit-count": 2}]);
    let answer = configure(&mut probe.connect()?, &params)?;
    if answer.get("version-rolling") == Some(&Value::Bool(true)) {
        Ok(answer)
    } else {
        Err(Stop::Unsupported(format!("version-rolling: {}", answer.get("version-rolling").unwrap_or(&Value::Null))))
    }
}

/// The mask that is answered, whatever its form.
fn mask(probe: &Probe, asked: &str) -> Result<(String, u32), Stop> {
    let answer = version_rolling(probe, asked)?;
    let text = answer.get("version-rolling.mask").and_then(Value::as_str);
    let read = text.and_then(|text| Some((text.to_owned(), u32::from_str_radix(text, 16).ok()?)));
    read.ok_or_else(|| {
        Stop::Failed(format!("version-rolling.mask: {:?}; expected hex digits", answer.get("version-rolling.mask")))
    })
}

fn all() -> Value {
    json!([["version-rolling", "minimum-difficulty", "subscribe-extranonce", "info", "x-probe"], {
        "version-rolling.mask": "1fffe000", "version-rolling.min-bit-count": 2, "minimum-difficulty.value": 1,
        "info.connection-url": "stratum+tcp://127.0.0.1", "info.hw-version": "probe", "info.sw-version": "1"}])
}

fn every_code(probe: &Probe) -> Outcome {
    let answer = configure(&mut probe.connect()?, &all())?;
    let codes = ["version-rolling", "minimum-difficulty", "subscribe-extranonce", "info", "x-probe"];
    let missing: Vec<_> = codes.iter().filter(|code| !answer.contains_key(**code)).collect();
    ensure(missing.is_empty(), || format!("not answered: {missing:?}"))?;
    let belongs = |key: &String| {
        codes.iter().any(|code| key.strip_prefix(code).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
    };
    let foreign: Vec<_> = answer.keys().filter(|key| !belongs(key)).collect();
    ensure(foreign.is_empty(), || format!("answered, but not asked for: {foreign:?}"))?;
    Ok("five of five".to_owned())
}

fn values(probe: &Probe) -> Outcome {
    let answer = configure(&mut probe.connect()?, &all())?;
    let wrong: Vec<_> =
        answer.iter().filter(|(key, value)| !key.contains('.') && !value.is_boolean() && !value.is_string()).collect();
    ensure(wrong.is_empty(), || format!("{wrong:?}"))?;
    Ok(format!("{}", Value::from(answer)))
}

fn unknown(probe: &Probe) -> Outcome {
    let answer = configure_anyway(probe, &json!([["x-probe-nonsense"], {}]))?;
    match answer.get("x-probe-nonsense") {
        None => Err(Stop::Failed("not answered".to_owned())),
        Some(Value::Bool(true)) => Err(Stop::Failed("answered by true".to_owned())),
        Some(value) => Ok(format!("answered by {value}")),
    }
}

fn empty(probe: &Probe) -> Outcome {
    let answer = configure_anyway(probe, &json!([[], {}]))?;
    ensure(answer.is_empty(), || format!("{answer:?}; expected an empty object"))?;
    Ok("answered by an empty object".to_owned())
}

fn mask_format(probe: &Probe) -> Outcome {
    let (text, _) = mask(probe, "1fffe000")?;
    ensure(text.len() == 8, || format!("{text:?}"))?;
    Ok(text)
}

fn within(probe: &Probe, asked: u32) -> Outcome {
    let (text, given) = mask(probe, &format!("{asked:08x}"))?;
    ensure(given & !asked == 0, || format!("{text}; expected bits of {asked:08x} only"))?;
    Ok(format!("{text} of {asked:08x}"))
}

fn mask_subset(probe: &Probe) -> Outcome {
    within(probe, BIP320)
}

fn mask_narrow(probe: &Probe) -> Outcome {
    within(probe, 0x0060_0000)
}

fn mask_bip320(probe: &Probe) -> Outcome {
    let (text, given) = mask(probe, "ffffffff")?;
    ensure(given & !0x1fff_ffe0 == 0, || format!("{text}; expected bits of 1fffe000, or of 1fffffe0"))?;
    Ok(text)
}

fn mask_default(probe: &Probe) -> Outcome {
    let answer = configure_anyway(probe, &json!([["version-rolling"], {}]))?;
    let value = answer.get("version-rolling").ok_or_else(|| Stop::Failed("not answered".to_owned()))?;
    Ok(format!("answered by {value}"))
}

fn min_bit_count(probe: &Probe) -> Outcome {
    let mut wire = probe.connect()?;
    let options = json!({"version-rolling.mask": "00006000", "version-rolling.min-bit-count": 32});
    let reply = wire.call("mining.configure", &json!([["version-rolling"], options]))?;
    let said = if reply.is_refusal() { reply.why() } else { reply.result().to_string() };
    wire.call("mining.subscribe", &json!(["probe/1"]))?;
    Ok(format!("answered by {said}; the session lives"))
}

fn minimum_difficulty(probe: &Probe) -> Outcome {
    let usual = probe.join_plain()?.difficulty;
    let minimum = (usual * 8.0).ceil().max(8.0);
    let params = json!([["minimum-difficulty"], {"minimum-difficulty.value": minimum}]);
    let answer = configure(&mut probe.connect()?, &params)?;
    match answer.get("minimum-difficulty") {
        Some(Value::Bool(true)) => {}
        Some(value) => return Err(Stop::Unsupported(format!("answered by {value}"))),
        None => return Err(Stop::Failed("not answered".to_owned())),
    }
    let mut joined = probe.join(&Join { configure: Some(params), ..Join::default() })?;
    joined.wire.listen(Duration::from_millis(200));
    joined.update();
    let difficulty = joined.difficulty;
    ensure(difficulty >= minimum, || format!("difficulty {difficulty}; expected at least {minimum}"))?;
    Ok(format!("difficulty {difficulty} for a minimum of {minimum}"))
}

fn answered(probe: &Probe, code: &str) -> Outcome {
    let answer = configure(&mut probe.connect()?, &json!([[code], {"info.sw-version": "1"}]))?;
    match answer.get(code) {
        Some(Value::Bool(true)) => Ok("answered by true".to_owned()),
        Some(value) => Err(Stop::Unsupported(format!("answered by {value}"))),
        None => Err(Stop::Failed("not answered".to_owned())),
    }
}

fn subscribe_extranonce(probe: &Probe) -> Outcome {
    answered(probe, "subscribe-extranonce")
}

fn info(probe: &Probe) -> Outcome {
    answered(probe, "info")
}

fn again(probe: &Probe) -> Outcome {
    let mut wire = probe.connect()?;
    let mask = |mask: &str| json!([["version-rolling"], {"version-rolling.mask": mask}]);
    configure(&mut wire, &mask("1fffe000"))?;
    let second = wire.call("mining.configure", &mask("00006000"))?;
    Ok(if second.is_refusal() { format!("refused: {}", second.why()) } else { format!("{}", second.result()) })
}

fn bad_mask(probe: &Probe) -> Outcome {
    let mut wire = probe.connect()?;
    let reply = wire.call("mining.configure", &json!([["version-rolling"], {"version-rolling.mask": "zz"}]))?;
    let on = !reply.is_refusal() && reply.result()["version-rolling"] == true;
    ensure(!on, || format!("answered {}; expected an error or false", reply.result()))?;
    wire.call("mining.subscribe", &json!(["probe/1"]))?;
    Ok(if reply.is_refusal() { format!("refused: {}", reply.why()) } else { format!("{}", reply.result()) })
}
