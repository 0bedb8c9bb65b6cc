//! Why sessions end.

use super::PoolUrl;
use crate::sha256::Hash;
use midstate_stratum::message::{MessageError, RpcError};
use std::io;
use std::time::Duration;
use thiserror::Error;

/// Why a session ended, or could not begin.
#[derive(Debug, Error)]
pub enum SessionError {
    /// No connection.
    #[error("cannot connect to {url}: {source}")]
    Connect {
        /// Where to.
        url: PoolUrl,
        /// What the operating system said.
        source: io::Error,
    },
    /// The connection failed.
    #[error("connection to the pool failed: {0}")]
    Io(#[from] io::Error),
    /// The pool hung up.
    #[error("the pool closed the connection")]
    Closed,
    /// Nothing came for too long.
    #[error("the pool was silent for {} s", .0.as_secs())]
    Silent(Duration),
    /// A call had no answer for too long.
    #[error("the pool has not answered {call} for {} s", patience.as_secs())]
    Unanswered {
        /// Which.
        call: &'static str,
        /// How long it was waited for.
        patience: Duration,
    },
    /// The pool knows the user, and has nothing to do.
    #[error("the pool has given no job for {} s, though it knows the user", .0.as_secs())]
    NoJob(Duration),
    /// The pool sent many lines that make no sense, and none between them that does.
    #[error("the pool sent {0} lines one after the other that make no sense; is it a Stratum V1 pool?")]
    Nonsense(u32),
    /// The pool refused `mining.subscribe`.
    #[error("the pool refused to subscribe: {0}")]
    Subscribe(RpcError),
    /// The pool's answer to `mining.subscribe` makes no sense.
    #[error("subscribe: {0}")]
    BadSubscribe(MessageError),
    /// The pool does not know the user, or the password is wrong.
    #[error("the pool refused user {user:?} with this password: {reason}")]
    Unauthorized {
        /// The user.
        user: String,
        /// What the pool said.
        reason: String,
    },
    /// The pool rejected many shares, and accepted none between them.
    #[error("the pool rejected {0} shares one after the other")]
    Rejections(u32),
    /// The pool or node stays behind, and another does not.
    #[error("its jobs stay on an old tip, {0}, from which the chain has gone on")]
    OldTip(Hash),
    /// A pool or node that comes before this one is well again.
    #[error("{to} is well again")]
    Better {
        /// Which.
        to: String,
    },
    /// Other sources are wanted, and not this.
    #[error("it is no longer among the sources")]
    Removed,
    /// The node, where there is no pool.
    #[cfg(feature = "solo")]
    #[error(transparent)]
    Node(super::NodeError),
    /// The coinbase of a pool's job does not pay whom it should, or cannot be true. The job was not given to the miner.
    #[cfg(feature = "payout")]
    #[error("job {job:?}: {error}")]
    Payout {
        /// The job's id.
        job: String,
        /// What is wrong.
        error: super::PayoutError,
    },
    /// What only a pool of Stratum V2 can do wrong.
    #[cfg(feature = "v2")]
    #[error(transparent)]
    V2(#[from] super::V2Error),
    /// The pool asked for another connection.
    #[error("the pool asked to reconnect to {to}")]
    Reconnect {
        /// Where to: the same host, or one of the same parent domain.
        to: PoolUrl,
        /// How long to wait first.
        wait: Duration,
    },
}

impl SessionError {
    /// Whether a session could not begin in time, so that with more time it might.
    pub(super) fn is_slowness(&self) -> bool {
        match self {
            SessionError::Connect { source, .. } => source.kind() == io::ErrorKind::TimedOut,
            #[cfg(feature = "v2")]
            SessionError::V2(super::V2Error::Handshake(super::HandshakeError::Io(error))) => {
                error.kind() == io::ErrorKind::TimedOut
            }
            SessionError::Unanswered { call, .. } => !["mining.submit", "SubmitShares"].contains(call),
            SessionError::NoJob(_) => true,
            _ => false,
        }
    }

    /// Whether a connection ended and not what was agreed on it, so that the pool may know the session again on another.
    pub(super) fn leaves_the_session(&self) -> bool {
        matches!(
            self,
            SessionError::Connect { .. }
                | SessionError::Io(_)
                | SessionError::Closed
                | SessionError::Silent(_)
                | SessionError::Unanswered { .. }
                | SessionError::NoJob(_)
                | SessionError::Reconnect { .. }
        )
    }

    /// Whether the pool was left for what its jobs pay.
    pub(super) fn is_of_payout(&self) -> bool {
        match self {
            #[cfg(feature = "payout")]
            SessionError::Payout { .. } => true,
            _ => false,
        }
    }
}
