//! A length of time as it is written in a scenario.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A length of time, as a text: `300ms`, `3s`, `2m`, `1h`, or several of them one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span(pub Duration);

impl Span {
    /// A year, and a bit less: far enough, and no sum of two overflows.
    pub(super) const LONGEST: Span = Span(Duration::from_secs(365 * 86_400 - 1));

    /// So many seconds.
    pub(super) const fn seconds(seconds: u64) -> Span {
        Span(Duration::from_secs(seconds))
    }
}

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Span, String> {
        let expected =
            || format!("time: {text:?}; expected a length such as \"300ms\", \"3s\" or \"2m\", below a year");
        let span = humantime::parse_duration(&text).map_err(|_| expected())?;
        if span <= Span::LONGEST.0 { Ok(Span(span)) } else { Err(expected()) }
    }
}

impl From<Span> for String {
    fn from(span: Span) -> String {
        humantime::format_duration(span.0).to_string()
    }
}
