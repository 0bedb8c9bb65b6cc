//! How many channels are opened.

use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// So many channels on one connection, 1 to [`ChannelCount::MOST`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelCount(u8);

/// No such number.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?}; expected 1 to {most} channels", most = ChannelCount::MOST)]
pub struct ChannelCountError(String);

impl ChannelCount {
    /// With more of them, each would have its turn too seldom: a turn is some 200 ms on each thread.
    pub const MOST: u8 = 128;

    /// So many; `None` where there cannot be as many, or as few.
    pub fn new(count: u8) -> Option<ChannelCount> {
        (1..=ChannelCount::MOST).contains(&count).then_some(ChannelCount(count))
    }

    /// The number.
    pub fn get(self) -> u8 {
        self.0
    }
}

impl Default for ChannelCount {
    fn default() -> ChannelCount {
        ChannelCount(1)
    }
}

impl FromStr for ChannelCount {
    type Err = ChannelCountError;

    fn from_str(text: &str) -> Result<ChannelCount, ChannelCountError> {
        let count = text.parse().ok().and_then(ChannelCount::new);
        count.ok_or_else(|| ChannelCountError(text.to_owned()))
    }
}

impl fmt::Display for ChannelCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
