//! Events as lines, for people or as JSON.

use bitcoin::hex::DisplayHex;
use pool_sim::node::templates::TemplateEvent;
use pool_sim::pool::accounts::{BlockRecord, PayoutRecord};
use pool_sim::pool::{PoolEvent, UpstreamEvent, UpstreamVerdict};
use serde_json::{Map, Value, json};
use std::io::{self, Write};

/// The events and the fields of a share, for `--help`.
pub(super) const HELP: &str = "\
With --json, one object a line; each has an \"event\": ready, joined, turned_away, subscribed, left, job, difficulty, share, block, \
reward, payout, unbooked, unreadable, stopped. A share has, null where it is not known: number, time (seconds since 1970), session, user, worker (what \
comes after the user's first dot), job, height, extranonce1, extranonce2, ntime, nonce, version_bits; what judged it: \
share_difficulty, target, version_mask; what it was: header, version, hash, difficulty (reached); what became of it: accepted, \
late (seconds, where it was accepted after its tip), block (whether it is one, and the node was asked), node (accepted, or \
the node's word), code, refusal (a word for programs) and reason. A block has an event of its own too, before. A reward is a block of the pool's \
as the accounts have it, each time its state changes: hash, height, reward (satoshis), state (immature, mature or orphaned), owed (to \
whom, in satoshis), and paid (what of that its coinbase pays). A payout is a transaction that pays balances, each time its state \
changes: txid, state (sending, paid or reversed), fee (satoshis), owed (what balances have less, in satoshis) and paid (what its \
outputs have, in satoshis). What cannot be booked is unbooked, with an error. Of pools that have templates of the node: \
templates_joined, templates_turned_away, templates_solution (a block that one found: template_id, hash, accepted, and the reason if \
not), templates_unreadable, templates_left.";

/// What people see of a share; the rest is for programs.
const SHOWN: [&str; 10] =
    ["number", "session", "user", "job", "difficulty", "share_difficulty", "accepted", "late", "node", "reason"];

pub(super) fn describe(event: &PoolEvent) -> Value {
    match event {
        PoolEvent::Joined { session, peer, port } => {
            json!({"event": "joined", "session": session, "peer": peer.to_string(), "port": port})
        }
        PoolEvent::TurnedAway { peer, limit } => {
            json!({"event": "turned_away", "peer": peer.to_string(), "limit": limit})
        }
        PoolEvent::Subscribed { session, extranonce1, resumed } => json!({
            "event": "subscribed", "session": session, "extranonce1": extranonce1.to_lower_hex_string(), "resumed": resumed,
        }),
        PoolEvent::Left { session, reason } => json!({"event": "left", "session": session, "reason": reason}),
        PoolEvent::Job { id, height, clean } => json!({"event": "job", "id": id, "height": height, "clean": clean}),
        PoolEvent::Difficulty { session, difficulty } => {
            json!({"event": "difficulty", "session": session, "difficulty": difficulty.get()})
        }
        PoolEvent::Share(record) => {
            let mut share = record.to_json();
            share["event"] = json!("share");
            share
        }
        PoolEvent::Block { hash, height, refused } => {
            json!({"event": "block", "hash": hash, "height": height, "accepted": refused.is_none(), "reason": refused})
        }
        PoolEvent::Reward(block) => {
            let BlockRecord { hash, height, reward, state, parts, .. } = &**block;
            json!({
                "event": "reward", "hash": hash, "height": height, "reward": reward, "state": state, "owed": parts.owed,
                "paid": parts.paid,
            })
        }
        PoolEvent::Payout(payout) => {
            let PayoutRecord { txid, state, owed, paid, .. } = &**payout;
            json!({
                "event": "payout", "txid": txid, "state": state, "fee": payout.fee(), "owed": owed, "paid": paid,
            })
        }
        PoolEvent::Unbooked { error } => json!({"event": "unbooked", "error": error}),
        PoolEvent::Upstream(event) => describe_upstream(event),
        PoolEvent::Templates(event) => describe_templates(event),
        PoolEvent::Unreadable { session, error } => json!({"event": "unreadable", "session": session, "error": error}),
    }
}

fn describe_upstream(event: &UpstreamEvent) -> Value {
    match event {
        UpstreamEvent::Connected { url, resumed, extranonce1, extranonce2_size, mask } => json!({
            "event": "upstream_connected", "url": url, "resumed": resumed, "extranonce1": extranonce1.to_lower_hex_string(),
            "extranonce2_size": extranonce2_size, "version_mask": format!("{mask:08x}"),
        }),
        UpstreamEvent::Job { id, upstream_id, difficulty } => json!({
            "event": "upstream_job", "id": id, "upstream_id": upstream_id, "difficulty": difficulty.get(),
        }),
        UpstreamEvent::Difficulty(difficulty) => {
            json!({"event": "upstream_difficulty", "difficulty": difficulty.get()})
        }
        UpstreamEvent::Extranonce { extranonce1, extranonce2_size } => json!({
            "event": "upstream_extranonce", "extranonce1": extranonce1.to_lower_hex_string(),
            "extranonce2_size": extranonce2_size,
        }),
        UpstreamEvent::VersionMask(mask) => {
            json!({"event": "upstream_mask", "version_mask": format!("{mask:08x}")})
        }
        UpstreamEvent::Share { number, upstream_id, verdict, after } => {
            let (verdict, error) = match verdict {
                UpstreamVerdict::Accepted => ("accepted", None),
                UpstreamVerdict::Refused(error) => ("refused", Some(error)),
                UpstreamVerdict::Lost => ("lost", None),
            };
            json!({
                "event": "upstream_share", "number": number, "upstream_id": upstream_id, "verdict": verdict,
                "code": error.map(|error| error.code), "reason": error.map(|error| &error.message),
                "seconds": after.as_secs_f64(),
            })
        }
        UpstreamEvent::Message(text) => json!({"event": "upstream_message", "text": text}),
        UpstreamEvent::Unreadable(error) => json!({"event": "upstream_unreadable", "error": error}),
        UpstreamEvent::Lost { reason, retry } => {
            json!({"event": "upstream_lost", "reason": reason, "retry_seconds": retry.as_secs_f64()})
        }
    }
}

fn describe_templates(event: &TemplateEvent) -> Value {
    match event {
        TemplateEvent::Joined { client, peer, vendor } => {
            json!({"event": "templates_joined", "client": client, "peer": peer.to_string(), "vendor": vendor})
        }
        TemplateEvent::TurnedAway { peer } => json!({"event": "templates_turned_away", "peer": peer.to_string()}),
        TemplateEvent::Solution { client, template_id, hash, refused } => json!({
            "event": "templates_solution", "client": client, "template_id": template_id, "hash": hash,
            "accepted": refused.is_none(), "reason": refused,
        }),
        TemplateEvent::Unreadable { client, error } => {
            json!({"event": "templates_unreadable", "client": client, "error": error})
        }
        TemplateEvent::Left { client, reason } => {
            json!({"event": "templates_left", "client": client, "reason": reason})
        }
    }
}

/// Prints an event as it is, or as `event: key value, …`.
pub(super) fn say(json: bool, event: &Value) {
    let line = match event {
        Value::Object(object) if !json => for_people(object),
        _ => event.to_string(),
    };
    say_text(&line);
}

/// Prints a line, or several. A reader that went away must not end the pool, nor fail what was done.
pub(super) fn say_text(text: &str) {
    let _ = writeln!(io::stdout().lock(), "{text}");
}

fn for_people(event: &Map<String, Value>) -> String {
    let name = event.get("event").and_then(Value::as_str).unwrap_or_default();
    let show = |value: &Value| match value {
        Value::String(text) => harmless(text),
        other => other.to_string(),
    };
    let is_shown = |key: &str| key != "event" && (name != "share" || SHOWN.contains(&key));
    let fields = event.iter().filter(|(key, value)| is_shown(key) && !value.is_null());
    let fields: Vec<_> = fields.map(|(key, value)| format!("{key} {}", show(value))).collect();
    format!("{name}: {}", fields.join(", "))
}

/// What came from a miner must not steer the terminal.
pub(super) fn harmless(text: &str) -> String {
    let show = |c: char| if c.is_control() { c.escape_debug().to_string() } else { c.to_string() };
    text.chars().map(show).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use pool_sim::pool::{Refusal, ShareRecord};
    use std::time::SystemTime;

    fn record() -> ShareRecord {
        let refusal = Refusal::Unauthorized { user: "a\u{1b}[2J".to_owned() };
        ShareRecord {
            number: 7,
            time: SystemTime::UNIX_EPOCH,
            session: 3,
            user: "a\u{1b}[2J.rig.1".to_owned(),
            job: "1f".to_owned(),
            extranonce1: Some(vec![0, 0, 0, 1]),
            extranonce2: vec![1],
            ntime: 0x6500_0000,
            nonce: 1,
            version_bits: None,
            judged: None,
            verdict: Err(refusal),
        }
    }

    #[test]
    fn help_names_every_field_of_a_share() {
        let share = describe(&PoolEvent::Share(Box::new(record())));
        for key in share.as_object().unwrap().keys() {
            let is_word = |text: &str| text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == key);
            assert!(is_word(HELP), "{key}");
        }
        assert_eq!((&share["worker"], &share["extranonce1"]), (&json!("rig.1"), &json!("00000001")));
        assert_eq!(
            (&share["code"], &share["refusal"], &share["block"]),
            (&json!(24), &json!("unauthorized"), &json!(false))
        );
    }

    #[test]
    fn people_see_what_matters_and_no_control_characters() {
        let share = describe(&PoolEvent::Share(Box::new(record())));
        let line = for_people(share.as_object().unwrap());
        let expected = "share: accepted false, job 1f, number 7, reason unauthorized worker: \"a\\u{1b}[2J\", session 3, user a\\u{1b}[2J.rig.1";
        assert_eq!(line, expected);
    }
}
