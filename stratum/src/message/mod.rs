//! Every Stratum V1 message, typed.
//!
//! A line is a JSON object: a call (with a method) or a reply to one (with the call's id). [`Envelope`] tells them
//! apart; [`ClientCall`] and [`ServerCall`] give a call its type, [`ConfigureReply`] and [`SubscribeReply`] give a
//! result its own.
//!
//! Reading is tolerant: unknown methods, members and trailing parameters pass, numbers may come as strings, ids may be
//! any JSON value. Writing is strict: one form for each message, the one that all programs read.

mod client;
mod error;
mod fields;
mod reply;
mod server;

pub use client::{ClientCall, Configure, Submit};
pub use error::{Reject, RpcError};
pub use fields::MessageError;
pub use reply::{ConfigureReply, SubscribeReply, error_line, result_line};
pub use server::{Notify, ServerCall};

use serde_json::{Value, json};

/// A call's id, which its reply echoes: any JSON value, null for a call that wants no reply.
pub type Id = Value;

/// A line, as a call or a reply.
#[derive(Clone, Debug, PartialEq)]
pub enum Envelope {
    /// A call, or a notification where the id is null.
    Call {
        /// What the reply must echo.
        id: Id,
        /// The method's name.
        method: String,
        /// Its parameters.
        params: Vec<Value>,
    },
    /// A reply.
    Reply {
        /// The call's id.
        id: Id,
        /// The result, or why there is none.
        result: Result<Value, RpcError>,
    },
}

impl Envelope {
    /// Reads a line.
    pub fn parse(line: &str) -> Result<Envelope, MessageError> {
        let wrong = || MessageError::new("line", line, "a JSON object with a method or a result");
        let value: Value = serde_json::from_str(line).map_err(|_| wrong())?;
        let Value::Object(mut object) = value else { return Err(wrong()) };
        let id = object.remove("id").unwrap_or(Value::Null);
        match object.remove("method") {
            Some(Value::String(method)) => {
                let params = match object.remove("params") {
                    Some(Value::Array(params)) => params,
                    None | Some(Value::Null) => Vec::new(),
                    Some(other) => return Err(MessageError::new("params", &other, "an array")),
                };
                Ok(Envelope::Call { id, method, params })
            }
            None | Some(Value::Null) if object.contains_key("result") || object.contains_key("error") => {
                Ok(Envelope::Reply { id, result: RpcError::split(object) })
            }
            None => Err(wrong()),
            Some(other) => Err(MessageError::new("method", &other, "a string")),
        }
    }
}

fn call_line(id: &Id, method: &str, params: &Value) -> String {
    json!({"id": id, "method": method, "params": params}).to_string()
}

/// A real number, as an integer where it is one: some firmware reads no other.
fn number(value: f64) -> Value {
    // Every float below 2^53 without a fraction is an integer exactly.
    if value.fract() == 0.0 && value.abs() < 9_007_199_254_740_992.0 { json!(value as i64) } else { json!(value) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn calls_and_replies() {
        let call =
            Envelope::parse(r#"{"id":"auth","method":"mining.authorize","params":["a","b"],"extra":1}"#).unwrap();
        let params = vec![json!("a"), json!("b")];
        assert_eq!(call, Envelope::Call { id: json!("auth"), method: "mining.authorize".to_owned(), params });
        let bare = Envelope::parse(r#"{"method":"mining.ping"}"#).unwrap();
        assert_eq!(bare, Envelope::Call { id: Value::Null, method: "mining.ping".to_owned(), params: vec![] });
        let reply = Envelope::parse(r#"{"id":4,"result":true,"error":null}"#).unwrap();
        assert_eq!(reply, Envelope::Reply { id: json!(4), result: Ok(json!(true)) });
    }

    #[test]
    fn what_is_neither_is_named() {
        let error = |line: &str| Envelope::parse(line).unwrap_err();
        for line in ["", "nonsense", "[]", "{}", "5", r#"{"id":1}"#] {
            assert_eq!(error(line).field, "line", "{line}");
        }
        assert_eq!(error(r#"{"method":5}"#).field, "method");
        assert_eq!(error(r#"{"method":"a","params":{"b":1}}"#).field, "params");
        assert!(error(&"x".repeat(10_000)).to_string().len() < 300);
    }

    #[test]
    fn numbers_are_integers_where_they_can() {
        assert_eq!(number(512.0).to_string(), "512");
        assert_eq!(number(0.5).to_string(), "0.5");
        assert_eq!(number(1e20).to_string(), "1e+20");
    }

    proptest! {
        #[test]
        fn no_line_panics(line in ".*") {
            let _ = Envelope::parse(&line);
        }

        #[test]
        fn no_parameters_panic(method in prop_oneof![
                Just("mining.configure"), Just("mining.subscribe"), Just("mining.authorize"), Just("mining.submit"),
                Just("mining.suggest_difficulty"), Just("mining.suggest_target"), Just("mining.get_transactions"),
                Just("mining.notify"), Just("mining.set_difficulty"), Just("mining.set_extranonce"),
                Just("mining.set_version_mask"), Just("client.reconnect"), Just("client.show_message")],
            params in proptest::collection::vec(prop_oneof![
                Just(Value::Null), any::<bool>().prop_map(Value::from), any::<f64>().prop_map(Value::from),
                "[0-9a-f]{0,70}".prop_map(Value::from), ".*".prop_map(Value::from),
                proptest::collection::vec("[0-9a-f]{64}".prop_map(Value::from), 0..3).prop_map(Value::from)], 0..10)) {
            let _ = ClientCall::read(method, &params);
            let _ = ServerCall::read(method, &params);
            let _ = SubscribeReply::read(&Value::from(params.clone()));
            let _ = ConfigureReply::read(&Value::from(params));
        }
    }
}
