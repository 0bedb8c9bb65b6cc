//! Which kind of channel is opened.

use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// The kind of a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChannelKind {
    /// The pool gives the coinbase, and the miner rolls a part of its extranonce.
    #[default]
    Extended,
    /// The pool gives a merkle root: less to send, and nobody but the pool knows what the block pays.
    Standard,
}

/// No kind of channel.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?}; expected extended or standard")]
pub struct ChannelKindError(String);

impl FromStr for ChannelKind {
    type Err = ChannelKindError;

    fn from_str(text: &str) -> Result<ChannelKind, ChannelKindError> {
        match text {
            "extended" => Ok(ChannelKind::Extended),
            "standard" => Ok(ChannelKind::Standard),
            other => Err(ChannelKindError(other.to_owned())),
        }
    }
}

impl fmt::Display for ChannelKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ChannelKind::Extended => "extended",
            ChannelKind::Standard => "standard",
        })
    }
}
