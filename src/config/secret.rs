//! A password.

use serde::{Deserialize, Deserializer, de::Error};
use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

/// A password: it is shown nowhere, and only [`Secret::reveal`] gives it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The password itself, for the pool and nobody else.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(password: String) -> Secret {
        Secret(password)
    }
}

impl FromStr for Secret {
    type Err = Infallible;

    fn from_str(password: &str) -> Result<Secret, Infallible> {
        Ok(Secret(password.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
        // The usual error would say what came in place of a text: a password of digits, for example.
        String::deserialize(deserializer).map(Secret).map_err(|_| D::Error::custom("expected a text in quotes"))
    }
}
