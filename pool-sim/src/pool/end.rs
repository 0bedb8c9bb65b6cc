//! Why a connection ends.

use super::wire::WRITE_WITHIN;
use midstate_stratum::message::MessageError;
use midstate_stratum::v2::FrameError;
use std::io;
use std::time::Duration;
use thiserror::Error;

/// A connection that authorizes nobody is ended after this.
pub(super) const AUTHORIZE_WITHIN: Duration = Duration::from_secs(60);

/// Why a connection ended.
#[derive(Debug, Error)]
pub(super) enum End {
    #[error("the miner closed the connection")]
    Closed,
    #[error("connection failed: {0}")]
    Io(#[from] io::Error),
    #[error("nobody authorized within {} s", AUTHORIZE_WITHIN.as_secs())]
    NotAuthorized,
    #[error("the miner took no line for {} s", WRITE_WITHIN.as_secs())]
    Stalled,
    #[error("too many unreadable lines")]
    Garbage,
    #[error("it was silent, and another connection resumed its session")]
    Taken,
    #[error("the scenario closed the connection")]
    Scenario,
    #[error("its part of the extranonce is gone, and it did not ask to hear of another: it must subscribe anew")]
    Extranonce,
    #[error("the pool stopped")]
    Stopped,
    #[error("no handshake in Noise: {0}")]
    Handshake(String),
    #[error("{0}")]
    Frame(FrameError),
    #[error("{0}; expected SetupConnection first")]
    NotSetUp(String),
    #[error("its SetupConnection was refused: {0}")]
    Refused(&'static str),
    #[error("no channel for {} s", AUTHORIZE_WITHIN.as_secs())]
    NoChannel,
    #[error("it cannot be told: {0}")]
    Unsayable(#[from] MessageError),
}
