//! Reading one field of a message, with an error that names it.

use serde_json::Value;
use std::fmt;
use thiserror::Error;

/// A field that is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{field}: {value}; expected {expected}")]
pub struct MessageError {
    /// The field's name.
    pub field: &'static str,
    /// What came, cut to a readable length.
    pub value: String,
    /// What should have come.
    pub expected: &'static str,
}

/// How much of a bad value an error shows.
const SHOWN: usize = 80;

impl MessageError {
    /// An error about a field.
    pub fn new(field: &'static str, value: impl fmt::Display, expected: &'static str) -> MessageError {
        let value = value.to_string();
        let value = match value.char_indices().nth(SHOWN) {
            Some((end, _)) => format!("{}… ({} bytes)", &value[..end], value.len()),
            None => value,
        };
        MessageError { field, value, expected }
    }
}

/// A list of parameters, read by position.
pub(super) struct Params<'a>(pub(super) &'a [Value]);

impl<'a> Params<'a> {
    /// The parameter at a place; a missing one is null.
    pub(super) fn get(&self, at: usize) -> &'a Value {
        self.0.get(at).unwrap_or(&Value::Null)
    }

    pub(super) fn string(&self, at: usize, field: &'static str) -> Result<String, MessageError> {
        match self.get(at) {
            Value::String(text) => Ok(text.clone()),
            // Some pools number their jobs.
            Value::Number(number) => Ok(number.to_string()),
            other => Err(MessageError::new(field, other, "a string")),
        }
    }

    /// Eight hex digits, big-endian.
    pub(super) fn word(&self, at: usize, field: &'static str) -> Result<u32, MessageError> {
        word(self.get(at), field)
    }

    pub(super) fn bytes(&self, at: usize, field: &'static str) -> Result<Vec<u8>, MessageError> {
        bytes(self.get(at), field)
    }

    /// 64 hex digits, as they stand.
    pub(super) fn hash(&self, at: usize, field: &'static str) -> Result<[u8; 32], MessageError> {
        hash(self.get(at), field)
    }
}

pub(super) fn word(value: &Value, field: &'static str) -> Result<u32, MessageError> {
    let digits = value.as_str().map(|text| text.strip_prefix("0x").unwrap_or(text));
    digits
        .filter(|digits| (1..=8).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .and_then(|digits| u32::from_str_radix(digits, 16).ok())
        .ok_or_else(|| MessageError::new(field, value, "8 hex digits"))
}

pub(super) fn bytes(value: &Value, field: &'static str) -> Result<Vec<u8>, MessageError> {
    let read = value.as_str().and_then(|digits| hex::decode_to_vec(digits).ok());
    read.ok_or_else(|| MessageError::new(field, value, "an even number of hex digits"))
}

pub(super) fn hash(value: &Value, field: &'static str) -> Result<[u8; 32], MessageError> {
    let read = value.as_str().and_then(|digits| hex::decode_to_array(digits).ok());
    read.ok_or_else(|| MessageError::new(field, value, "64 hex digits"))
}

/// A real number, also as a string: cpuminer-opt sends difficulties so.
pub(super) fn real(value: &Value, field: &'static str) -> Result<f64, MessageError> {
    let read = value.as_f64().or_else(|| value.as_str().and_then(|text| text.trim().parse().ok()));
    read.ok_or_else(|| MessageError::new(field, value, "a number"))
}

pub(super) fn unsigned(value: &Value, field: &'static str) -> Result<u64, MessageError> {
    let read = value.as_u64().or_else(|| value.as_str().and_then(|text| text.parse().ok()));
    read.ok_or_else(|| MessageError::new(field, value, "a whole number"))
}

/// Reverses each word of a hash: Stratum's order of prevhash, which is its own inverse.
pub(super) fn swap_words(hash: [u8; 32]) -> [u8; 32] {
    std::array::from_fn(|i| hash[i / 4 * 4 + 3 - i % 4])
}

pub(super) fn hex(bytes: &[u8]) -> String {
    hex::prelude::DisplayHex::to_lower_hex_string(bytes)
}
