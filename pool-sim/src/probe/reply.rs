//! A pool's answer, read in all the forms that are seen.

use super::check::{Outcome, Stop};
use serde_json::Value;
use std::time::Duration;

/// An answer and how long it took.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) value: Value,
    pub(super) took: Duration,
}

impl Reply {
    pub(super) fn result(&self) -> &Value {
        &self.value["result"]
    }

    /// Whether it says no: by an error, or by the result `false`, as several pools do.
    pub(super) fn is_refusal(&self) -> bool {
        !self.value["error"].is_null() || self.result() == &Value::Bool(false)
    }

    /// The error's code, if it has one.
    pub(super) fn code(&self) -> Option<i64> {
        let error = &self.value["error"];
        error.get(0).or_else(|| error.get("code")).and_then(Value::as_i64)
    }

    /// Code and message, for people.
    pub(super) fn why(&self) -> String {
        match &self.value["error"] {
            Value::Null => self.value.get("reject-reason").map_or_else(|| "false".to_owned(), Value::to_string),
            error => error.to_string(),
        }
    }

    /// The result; an error means that the pool does not have this.
    pub(super) fn supported(&self) -> Result<&Value, Stop> {
        if self.is_refusal() { Err(Stop::Unsupported(format!("refused: {}", self.why()))) } else { Ok(self.result()) }
    }

    /// Passes if it refuses, with one of these codes.
    pub(super) fn refused_with(&self, codes: &[i64]) -> Outcome {
        let expected = codes.iter().map(i64::to_string).collect::<Vec<_>>().join(" or ");
        if !self.is_refusal() {
            return Err(Stop::Failed(format!("accepted ({}); expected an error of code {expected}", self.result())));
        }
        match self.code() {
            Some(code) if codes.contains(&code) => Ok(format!("refused: {}", self.why())),
            Some(code) => {
                Err(Stop::Failed(format!("refused with code {code}: {}; expected code {expected}", self.why())))
            }
            None => Err(Stop::Failed(format!("refused without a code: {}; expected code {expected}", self.why()))),
        }
    }

    /// Passes if it refuses, however.
    pub(super) fn refused(&self) -> Outcome {
        if self.is_refusal() {
            Ok(format!("refused: {}", self.why()))
        } else {
            Err(Stop::Failed(format!("accepted ({}); expected an error", self.result())))
        }
    }

    /// Passes if it says true.
    pub(super) fn accepted(&self) -> Outcome {
        if !self.is_refusal() && self.result() == &Value::Bool(true) {
            Ok(format!("accepted in {:.0} ms", self.took.as_secs_f64() * 1e3))
        } else {
            Err(Stop::Failed(format!("answered {}; expected true", self.value)))
        }
    }
}
