//! Where jobs come from, and where shares go.
//!
//! An upstream is a task that keeps a session with a pool alive: it says what happens as [`Event`]s, takes shares
//! through its [`Handle`], and comes back by itself, with growing pauses, when the session ends.

mod pauses;
mod session;
mod url;

pub use session::{SessionError, spawn};
pub use url::{PoolUrl, UrlError};

use crate::job::{Job, Share};
use midstate_stratum::Difficulty;
use midstate_stratum::message::{MessageError, RpcError};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Who mines, and the pool's password for them.
#[derive(Clone)]
pub struct Credentials {
    /// The user, or `user.worker`.
    pub user: String,
    /// The password; pools read options such as `d=1024` from it.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Passwords have no business in logs.
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// What an upstream says.
#[derive(Debug)]
pub enum Event {
    /// A session stands, and the pool knows the user.
    Connected {
        /// What the pool tells this session apart by.
        extranonce1: Vec<u8>,
        /// How many bytes of the coinbase are the miner's.
        extranonce2_size: usize,
        /// Which version bits are the miner's.
        version_mask: u32,
    },
    /// New work. It takes the place of what was there.
    Job {
        /// The job.
        job: Arc<Job>,
        /// Its shares' difficulty.
        difficulty: Difficulty,
        /// Whether the pool said that older jobs are void.
        clean: bool,
    },
    /// The pool judged a share.
    Answered {
        /// The share.
        share: Box<Share>,
        /// How: accepted, or why not.
        verdict: Result<(), RpcError>,
        /// From sending to hearing.
        round_trip: Duration,
    },
    /// Shares that were sent or waited when the session ended. They will not be sent again: nobody knows which of them
    /// the pool has counted, and their job is gone.
    Lost(Vec<Share>),
    /// A message from the pool's operator to the miner's.
    Message(String),
    /// The pool sent what cannot be read. The session goes on without it.
    Unreadable(MessageError),
    /// The session ended, or could not begin.
    Disconnected {
        /// Why.
        error: SessionError,
        /// When the next is tried.
        retry: Duration,
    },
}

/// The way to an upstream's task. When it is dropped, the session ends.
#[derive(Debug)]
pub struct Handle {
    shares: mpsc::UnboundedSender<Share>,
}

impl Handle {
    /// Sends a share to the pool; its fate comes as [`Event::Answered`] or [`Event::Lost`].
    ///
    /// # Errors
    /// The upstream's task is gone: the share comes back.
    pub fn submit(&self, share: Share) -> Result<(), Box<Share>> {
        self.shares.send(share).map_err(|unsent| Box::new(unsent.0))
    }
}
