//! Replies that carry more than yes or no.

use super::fields::{MessageError, bytes, hex, unsigned, word};
use super::{Id, RpcError};
use serde_json::{Map, Value, json};

/// The line of a reply that says yes, without its newline.
pub fn result_line(id: &Id, result: &Value) -> String {
    json!({"id": id, "result": result, "error": null}).to_string()
}

/// The line of a reply that says no, without its newline.
pub fn error_line(id: &Id, error: &RpcError) -> String {
    json!({"id": id, "result": null, "error": error.to_value()}).to_string()
}

/// The result of `mining.configure` (BIP 310): for each extension asked for, whether it is on, or why not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConfigureReply {
    /// For each extension, in order: on, off, or why it failed.
    pub extensions: Vec<(String, Result<bool, String>)>,
    /// `version-rolling.mask`: the bits that the miner may roll.
    pub version_rolling_mask: Option<u32>,
}

impl ConfigureReply {
    /// Reads a result.
    pub fn read(result: &Value) -> Result<ConfigureReply, MessageError> {
        let object = result.as_object().ok_or_else(|| MessageError::new("configure result", result, "an object"))?;
        let extension = |(name, value): (&String, &Value)| match value {
            Value::Bool(on) => Some((name.clone(), Ok(*on))),
            Value::String(why) if !name.contains('.') => Some((name.clone(), Err(why.clone()))),
            _ => None,
        };
        Ok(ConfigureReply {
            extensions: object.iter().filter_map(extension).collect(),
            version_rolling_mask: object
                .get("version-rolling.mask")
                .map(|mask| word(mask, "version-rolling.mask"))
                .transpose()?,
        })
    }

    /// The result to send.
    pub fn to_value(&self) -> Value {
        let mut object = Map::new();
        for (name, state) in &self.extensions {
            object.insert(
                name.clone(),
                match state {
                    Ok(on) => json!(on),
                    Err(why) => json!(why),
                },
            );
        }
        if let Some(mask) = self.version_rolling_mask {
            object.insert("version-rolling.mask".to_owned(), json!(format!("{mask:08x}")));
        }
        Value::Object(object)
    }

    /// Whether the pool took up an extension.
    pub fn takes_up(&self, extension: &str) -> bool {
        self.extensions.iter().any(|(name, state)| name == extension && *state == Ok(true))
    }

    /// The mask to roll with, where version rolling is on.
    pub fn mask(&self) -> Option<u32> {
        self.version_rolling_mask.filter(|_| self.takes_up("version-rolling"))
    }
}

/// The result of `mining.subscribe`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscribeReply {
    /// What names the session, so that it may be resumed.
    pub session: Option<String>,
    /// What the pool puts before extranonce2.
    pub extranonce1: Vec<u8>,
    /// How many bytes extranonce2 has.
    pub extranonce2_size: usize,
}

impl SubscribeReply {
    /// Reads a result.
    pub fn read(result: &Value) -> Result<SubscribeReply, MessageError> {
        let wrong =
            || MessageError::new("subscribe result", result, "[[subscriptions], extranonce1, extranonce2_size]");
        let [subscriptions, extranonce1, size, ..] = result.as_array().ok_or_else(wrong)?.as_slice() else {
            return Err(wrong());
        };
        Ok(SubscribeReply {
            session: notify_session(subscriptions),
            extranonce1: bytes(extranonce1, "extranonce1")?,
            extranonce2_size: extranonce2_size(size)?,
        })
    }

    /// The result to send.
    pub fn to_value(&self) -> Value {
        let session = self.session.as_deref().unwrap_or_default();
        let subscriptions = json!([["mining.set_difficulty", session], ["mining.notify", session]]);
        json!([subscriptions, hex(&self.extranonce1), self.extranonce2_size])
    }
}

/// The id beside "mining.notify", in a list of pairs or in a single pair.
fn notify_session(subscriptions: &Value) -> Option<String> {
    let list = subscriptions.as_array()?;
    let pair = |pair: &Value| match pair.as_array()?.as_slice() {
        // Some pools leave the place of a session's name empty: they cannot resume one.
        [Value::String(name), Value::String(session), ..] if name == "mining.notify" && !session.is_empty() => {
            Some(session.clone())
        }
        _ => None,
    };
    list.iter().find_map(pair).or_else(|| pair(subscriptions))
}

/// Pools are seen with 2 to 16 bytes. With none, two miners of a session would search the same headers.
pub(super) fn extranonce2_size(value: &Value) -> Result<usize, MessageError> {
    let size = unsigned(value, "extranonce2_size").ok().filter(|size| (1..=16).contains(size));
    size.map(|size| size as usize)
        .ok_or_else(|| MessageError::new("extranonce2_size", value, "a number of bytes from 1 to 16"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn subscribe_in_the_forms_of_several_pools() {
        let read = |text: &str| SubscribeReply::read(&serde_json::from_str(text).unwrap());
        // Slush's pool, the protocol's first documentation.
        let first = r#"[[["mining.set_difficulty","b4b6693b72a50c7116db18d6497cac52"],
            ["mining.notify","ae6812eb4cd7735a302a8a9dd95cf71f"]],"08000002",4]"#;
        let reply = read(first).unwrap();
        assert_eq!(reply.session.as_deref(), Some("ae6812eb4cd7735a302a8a9dd95cf71f"));
        assert_eq!((reply.extranonce1, reply.extranonce2_size), (vec![8, 0, 0, 2], 4));
        // A single pair, and none.
        let pair = read(r#"[["mining.notify","x"],"f000000f",8]"#).unwrap();
        assert_eq!((pair.session.as_deref(), pair.extranonce2_size), (Some("x"), 8));
        assert_eq!(read(r#"[null,"00",16]"#).unwrap().session, None);
    }

    #[test]
    fn bad_fields_are_named() {
        let field = |value: Value| SubscribeReply::read(&value).unwrap_err().field;
        assert_eq!(field(json!(true)), "subscribe result");
        assert_eq!(field(json!([[], "00"])), "subscribe result");
        assert_eq!(field(json!([[], "0", 4])), "extranonce1");
        for size in [json!(0), json!(17), json!(-1), json!(null), json!(1.5)] {
            assert_eq!(field(json!([[], "00", size])), "extranonce2_size");
        }
        let mask = ConfigureReply::read(&json!({"version-rolling": true, "version-rolling.mask": "x"}));
        assert_eq!(mask.unwrap_err().field, "version-rolling.mask");
    }

    #[test]
    fn configure_as_bip310_shows_it() {
        let result = json!({"version-rolling": true, "version-rolling.mask": "18000000",
            "minimum-difficulty": false, "info": "no room"});
        let reply = ConfigureReply::read(&result).unwrap();
        assert_eq!(reply.mask(), Some(0x1800_0000));
        assert!(!reply.takes_up("minimum-difficulty"));
        assert_eq!(reply.to_value(), result);
        let off = json!({"version-rolling": false, "version-rolling.mask": "18000000"});
        assert_eq!(ConfigureReply::read(&off).unwrap().mask(), None);
    }

    proptest! {
        #[test]
        fn subscribe_round_trips(session in proptest::option::of("[a-z0-9]+"), extranonce1: Vec<u8>, extranonce2_size in 1usize..=16) {
            let reply = SubscribeReply { session, extranonce1, extranonce2_size };
            prop_assert_eq!(SubscribeReply::read(&reply.to_value()), Ok(reply));
        }
    }
}
