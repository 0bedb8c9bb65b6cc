//! What becomes of a line's bytes. Chance is a function of seed, rule and count, so that it is the same at each run whatever
//! the order of threads.

use super::rule::Form;
use serde_json::{Value, json};

/// A number that depends on all three (`SplitMix64`'s finish over each).
pub(super) fn chance(seed: u64, rule: u64, count: u64) -> u64 {
    [seed, rule, count].into_iter().fold(0x9e37_79b9_7f4a_7c15, |state: u64, part| {
        let mut bits = (state ^ part).wrapping_add(0x9e37_79b9_7f4a_7c15);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    })
}

/// The same as a number from 0 up to 1.
pub(super) fn likelihood(seed: u64, rule: u64, count: u64) -> f64 {
    (chance(seed, rule, count) >> 11) as f64 / (1u64 << 53) as f64
}

/// Replaces so many bytes by control characters, which no JSON has outside of its white space: such a line cannot pass for another.
pub(super) fn corrupt(line: &mut [u8], bytes: usize, seed: u64, count: u64) {
    if line.is_empty() {
        return;
    }
    for number in 0..bytes as u64 {
        let dice = chance(seed, count, number);
        let at = (dice % line.len() as u64) as usize;
        line[at] = 1 + (dice >> 40) as u8 % 8;
    }
}

/// The same line with a change to the object that it is.
fn changed(line: &[u8], change: impl FnOnce(&mut Value)) -> Option<Vec<u8>> {
    let mut value: Value = serde_json::from_slice(line).ok().filter(Value::is_object)?;
    change(&mut value);
    serde_json::to_vec(&value).ok()
}

/// Another id than the miner's.
pub(super) fn wrong_id(line: &[u8]) -> Option<Vec<u8>> {
    changed(line, |value| value["id"] = json!(987_654_321))
}

/// A number as id becomes a text.
pub(super) fn string_id(line: &[u8]) -> Option<Vec<u8>> {
    changed(line, |value| {
        if value["id"].is_number() {
            value["id"] = json!(value["id"].to_string());
        }
    })
}

/// A no, in that form.
pub(super) fn reject(line: &[u8], code: i64, form: Form) -> Option<Vec<u8>> {
    let words = match code {
        21 => "Job not found",
        22 => "Duplicate share",
        23 => "Low difficulty share",
        24 => "Unauthorized worker",
        25 => "Not subscribed",
        _ => "Other",
    };
    changed(line, |value| {
        let id = value["id"].take();
        *value = match form {
            Form::List => json!({"id": id, "result": null, "error": [code, words, null]}),
            Form::Pair => json!({"id": id, "result": null, "error": [code, words]}),
            Form::Text => json!({"id": id, "result": null, "error": words}),
            Form::Object => json!({"id": id, "result": null, "error": {"code": code, "message": words}}),
            Form::Reason => json!({"id": id, "result": false, "error": null, "reject-reason": words}),
            Form::False => json!({"id": id, "result": false, "error": null}),
        };
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_is_the_seeds_and_spread() {
        assert_eq!(chance(1, 2, 3), chance(1, 2, 3));
        assert_ne!(chance(1, 2, 3), chance(1, 3, 2));
        let hits = (0..10_000).filter(|count| likelihood(7, 0, *count) < 0.1).count();
        assert!((900..1100).contains(&hits), "{hits}");
    }

    #[test]
    fn a_corrupt_line_is_no_json_and_has_no_newline() {
        for count in 0..1000 {
            let mut line = br#"{"id":1,"result":true,"error":null}"#.to_vec();
            corrupt(&mut line, 1, 5, count);
            assert!(serde_json::from_slice::<Value>(&line).is_err() && !line.contains(&b'\n'));
        }
    }

    #[test]
    fn replies_are_rewritten() {
        let line = br#"{"id":7,"result":true,"error":null}"#;
        let text = |line: Option<Vec<u8>>| serde_json::from_slice::<Value>(&line.unwrap()).unwrap();
        assert_eq!(text(string_id(line))["id"], "7");
        assert_ne!(text(wrong_id(line))["id"], 7);
        assert_eq!(text(reject(line, 23, Form::List))["error"], json!([23, "Low difficulty share", null]));
        assert_eq!(text(reject(line, 21, Form::Reason))["reject-reason"], "Job not found");
        assert_eq!(wrong_id(b"{"), None);
    }
}
