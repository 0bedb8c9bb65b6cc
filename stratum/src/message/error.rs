//! Errors on the wire.

use serde_json::{Map, Value, json};
use std::fmt;

/// What the other side refused, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RpcError {
    /// The code; 20 where none was given.
    pub code: i64,
    /// The reason, in the words of whoever refused.
    pub message: String,
}

impl fmt::Display for RpcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (code {})", self.message, self.code)
    }
}

impl std::error::Error for RpcError {}

impl RpcError {
    /// Tells a reply's result from its error, in all the forms that are seen: `[code, "message", …]`, an object, a bare
    /// string, `true`, and `result: false` with a `reject-reason` beside it.
    pub(super) fn split(mut reply: Map<String, Value>) -> Result<Value, RpcError> {
        let result = reply.remove("result").unwrap_or(Value::Null);
        match reply.remove("error") {
            None | Some(Value::Null | Value::Bool(false)) => {}
            Some(error) => return Err(RpcError::read(&error)),
        }
        match reply.remove("reject-reason") {
            Some(reason) if result != Value::Bool(true) && !reason.is_null() => Err(RpcError::read(&reason)),
            _ => Ok(result),
        }
    }

    fn read(value: &Value) -> RpcError {
        let (code, message) = match value {
            Value::Array(parts) => (parts.first(), parts.get(1)),
            Value::Object(object) => (object.get("code"), object.get("message")),
            other => (None, Some(other)),
        };
        let message = match message {
            Some(Value::String(text)) => text.clone(),
            _ => value.to_string(),
        };
        let code = code.and_then(|code| code.as_i64().or_else(|| code.as_str()?.trim().parse().ok()));
        RpcError { code: code.unwrap_or(Reject::Other.code()), message }
    }

    /// The form that is written: `[code, "message", null]`.
    pub(super) fn to_value(&self) -> Value {
        json!([self.code, self.message, null])
    }
}

/// Why a pool refuses a share, or a call: the codes that all pools share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reject {
    /// Anything else: the message says what.
    Other,
    /// The job is not known, or void.
    JobNotFound,
    /// The same share came before.
    Duplicate,
    /// The hash does not meet the share's target.
    LowDifficulty,
    /// The user did not authorize, or is not known.
    Unauthorized,
    /// No subscribe came before.
    NotSubscribed,
}

impl Reject {
    /// The code on the wire.
    pub fn code(self) -> i64 {
        match self {
            Reject::Other => 20,
            Reject::JobNotFound => 21,
            Reject::Duplicate => 22,
            Reject::LowDifficulty => 23,
            Reject::Unauthorized => 24,
            Reject::NotSubscribed => 25,
        }
    }

    /// The word for it, stable; details may follow it in a message.
    pub fn word(self) -> &'static str {
        match self {
            Reject::Other => "Other",
            Reject::JobNotFound => "Job not found",
            Reject::Duplicate => "Duplicate share",
            Reject::LowDifficulty => "Low difficulty share",
            Reject::Unauthorized => "Unauthorized worker",
            Reject::NotSubscribed => "Not subscribed",
        }
    }

    /// The error, with details such as the numbers behind it.
    pub fn because(self, details: impl fmt::Display) -> RpcError {
        RpcError { code: self.code(), message: format!("{}: {details}", self.word()) }
    }
}

impl From<Reject> for RpcError {
    fn from(reject: Reject) -> RpcError {
        RpcError { code: reject.code(), message: reject.word().to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use crate::message::Envelope;
    use serde_json::Value;

    #[test]
    fn every_form_in_the_wild_is_read() {
        let error = |line: &str| match Envelope::parse(line) {
            Ok(Envelope::Reply { result, .. }) => result.map_err(|error| (error.code, error.message)),
            other => panic!("{line}: {other:?}"),
        };
        let err = |code, message: &str| Err((code, message.to_owned()));
        assert_eq!(error(r#"{"id":1,"result":null,"error":[21,"Job not found",null]}"#), err(21, "Job not found"));
        assert_eq!(error(r#"{"id":1,"result":null,"error":[23,"Low"]}"#), err(23, "Low"));
        assert_eq!(error(r#"{"id":1,"result":false,"error":"stale"}"#), err(20, "stale"));
        assert_eq!(error(r#"{"id":1,"error":{"code":24,"message":"who?"}}"#), err(24, "who?"));
        assert_eq!(
            error(r#"{"id":1,"result":false,"error":null,"reject-reason":"Above target"}"#),
            err(20, "Above target")
        );
        assert_eq!(error(r#"{"id":1,"error":["21","Job not found"]}"#), err(21, "Job not found"));
        assert_eq!(error(r#"{"id":1,"result":null,"error":[]}"#), err(20, "[]"));
        assert_eq!(error(r#"{"id":1,"result":true,"error":null,"reject-reason":"x"}"#), Ok(Value::Bool(true)));
        assert_eq!(error(r#"{"id":1,"result":false,"error":null}"#), Ok(Value::Bool(false)));
        assert_eq!(error(r#"{"id":1,"result":true,"error":false}"#), Ok(Value::Bool(true)));
    }
}
