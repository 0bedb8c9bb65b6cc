//! What goes wrong with a pool of Stratum V2.

use midstate_stratum::message::MessageError;
use midstate_stratum::v2::{FrameError, HandshakeError};
use thiserror::Error;

/// Why a session of Stratum V2 ended, or could not begin.
#[derive(Debug, Error)]
pub enum V2Error {
    /// The URL has no authority's key.
    #[error(
        "{0}: no authority key, so anybody in between may be the pool; expected the pool's URL with its key, or --sv2-insecure"
    )]
    NoAuthority(String),
    /// There is no connection in Noise, or it is not the pool's.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// There is no further frame.
    #[error(transparent)]
    Frame(FrameError),
    /// The pool sent many messages that make no sense, and none between them that does.
    #[error("the pool sent {0} messages one after the other that make no sense; is it a pool of Stratum V2?")]
    Nonsense(u32),
    /// The pool refused `SetupConnection`.
    #[error("the pool refused SetupConnection: {code:?}{}", of_setup(code, *flags))]
    Setup {
        /// Its reason.
        code: String,
        /// What it does not support.
        flags: u32,
    },
    /// The pool chose a version that was not offered.
    #[error("used_version: {0}; expected 2, which alone was offered")]
    Version(u16),
    /// A share's extranonce is longer than the protocol has it.
    #[error("extranonce: more than 32 bytes; expected as many as the pool gave")]
    Extranonce,
    /// The pool opens no standard channels.
    #[error("the pool opens extended channels only; expected --sv2-channel extended")]
    ExtendedOnly,
    /// The pool refused to open a channel.
    #[error("the pool refused user {user:?} a channel: {code:?}{}", of_channel(code))]
    Open {
        /// The user.
        user: String,
        /// Its reason.
        code: String,
    },
    /// A channel was opened on which nothing can be mined, or something cannot be said.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// A new block, and a job for it that nobody knows: nothing that is there may be worked on.
    #[error("SetNewPrevHash: job_id: {0}; expected a job for the future that the pool sent before")]
    UnknownJob(u32),
    /// The pool closed the channel.
    #[error("the pool closed the channel: {0:?}")]
    ChannelClosed(String),
}

/// What a refusal of `SetupConnection` means.
fn of_setup(code: &str, flags: u32) -> String {
    match code {
        "unsupported-feature-flags" => format!("; it does not support flags {flags:#x}"),
        "unsupported-protocol" => "; is this its port for miners?".to_owned(),
        "protocol-version-mismatch" => "; version 2 was offered".to_owned(),
        _ => String::new(),
    }
}

/// What a refusal to open a channel means.
fn of_channel(code: &str) -> &'static str {
    match code {
        "unknown-user" | "invalid-user-identity" => "; check --user",
        "max-target-out-of-range" => "; check --minimum-difficulty",
        "standard-channels-not-supported-for-custom-work" => "; try --sv2-channel extended",
        "unsupported-min-extranonce-size" | "min-extranonce-size-too-large" => "; try --sv2-channel standard",
        "channel-capacity-exhausted" => "; it has no room for more miners",
        _ => "",
    }
}
