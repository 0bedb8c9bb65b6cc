//! What goes wrong with a pool of Stratum V2.

use super::AuthorityKey;
use midstate_stratum::message::MessageError;
use std::io;
use thiserror::Error;

/// Why a session of Stratum V2 ended, or could not begin.
#[derive(Debug, Error)]
pub enum V2Error {
    /// The URL has no authority's key.
    #[error(
        "{0}: no authority key, so anybody in between may be the pool; expected the pool's URL with its key, or --sv2-insecure"
    )]
    NoAuthority(String),
    /// The handshake did not come to its end.
    #[error("Noise handshake: {0}; is Stratum V2 spoken at this port?")]
    Handshake(io::Error),
    /// The other side's answer is not what it must be.
    #[error(
        "Noise handshake: the answer cannot be decrypted; either it was changed on its way, or this is no port of Stratum V2"
    )]
    NotNoise,
    /// The certificate is of a later version of the protocol.
    #[error("the pool's certificate has version {0}; expected 0")]
    CertificateVersion(u16),
    /// The certificate holds no more.
    #[error(
        "the pool's certificate expired at {until}, {}; tell the pool's operator, or set this machine's clock, if that is wrong",
        ago(*now, *until)
    )]
    Expired {
        /// Until when it held, in seconds since 1970.
        until: u32,
        /// What this machine's clock says.
        now: u32,
    },
    /// The certificate does not hold yet.
    #[error("the pool's certificate holds from {from} on, in {} s; is this machine's clock right?", from - now)]
    NotYetValid {
        /// From when on it holds, in seconds since 1970.
        from: u32,
        /// What this machine's clock says.
        now: u32,
    },
    /// Somebody else than the authority signed it.
    #[error(
        "the pool's certificate is not signed by the authority {0}; either the key in the URL is not the pool's, or somebody in between takes its place"
    )]
    WrongAuthority(AuthorityKey),
    /// What came is not what was sent.
    #[error("a frame cannot be decrypted: it was changed on its way, or the connection is out of step")]
    Tampered,
    /// More than any message has.
    #[error("a frame of more than {most} bytes; expected a message to a miner, which is shorter")]
    Oversized {
        /// The limit.
        most: usize,
    },
    /// The connection ended in the middle of a frame.
    #[error("the pool closed the connection within a frame, after {0} bytes of it")]
    Truncated(usize),
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

fn ago(now: u32, then: u32) -> String {
    format!("{} s ago", now.saturating_sub(then))
}
