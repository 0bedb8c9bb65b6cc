//! Where jobs come from, and where shares go.
//!
//! An upstream is a task that keeps a session with a pool alive: it says what happens as [`Event`]s, takes shares
//! through its [`Handle`], and comes back by itself, with growing pauses, when the session ends. Where there are several pools it
//! goes on with the next, and returns to the first when that is well again. One that stays on an old tip for a minute is not well, where
//! another has a newer one.
//!
//! Whatever a pool does, it does not stop the miner for long: each step to the first job has a limit, as have silence, unanswered
//! shares and lines that make no sense, and a pool that is well has its miner back within five seconds. Nor does it fill
//! the memory: nothing is read from a pool while the miner has not taken what was read before. Only time that passes
//! counts here; what the clock says, or a pool says that it is, changes nothing. (Where a pool is held to pay an address, the time
//! in a job must go with its height; nothing waits for it.)

mod candidate;
mod connection;
mod error;
mod failover;
mod kept;
#[cfg(feature = "solo")]
mod node;
mod outbox;
mod pauses;
#[cfg(feature = "payout")]
mod payout;
mod session;
mod split;
mod tips;
mod tls;
mod url;
#[cfg(feature = "v2")]
mod v2;

pub use error::SessionError;
#[cfg(feature = "solo")]
pub use node::{Login, MAX_TAG, Node, NodeError, NodeUrl, Template, TemplateError, ZmqError, ZmqUrl};
#[cfg(feature = "payout")]
pub use payout::{Coinbase, CoinbaseError, Payout, PayoutError, PayoutParseError, PayoutWarning, Percentage};
pub use split::spawn;
pub use tls::{Fingerprint, Trust, TrustError};
pub use url::{PoolUrl, Protocol, UrlError, without_userinfo};
#[cfg(feature = "v2")]
pub use v2::{
    AuthorityKey, ChannelCount, ChannelCountError, ChannelKind, ChannelKindError, Device, Effect, Frame, FrameError,
    HandshakeError, KeyError, NominalHashrate, NominalHashrateError, Talk, V2Error,
};

use crate::job::{Job, Share};
use crate::sha256::Hash;
use midstate_stratum::Difficulty;
use midstate_stratum::message::{MessageError, RpcError};
use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// The version bits that may be rolled without a meaning of their own (BIP 320).
const VERSION_MASK: u32 = 0x1fff_e000;

/// How long a pool may take for each step up to its first job: to accept the connection, to begin TLS, to answer each call, to give
/// the job; and later, to take what is sent. An attempt that fails so is followed by the next at once, so that a pool whose
/// old connections stay dead has its miner back within five seconds.
const STEP: Duration = Duration::from_secs(4);
/// The same for a pool that was too slow several times running: it may be slow and not dead.
const SLOW_STEP: Duration = Duration::from_secs(30);
/// So many rejections without an acceptance between them are no bad luck, nor are so many messages that make no sense.
const STORM: u32 = 30;
/// So many events wait for the miner at most. A job is the largest, of up to half a line.
const EVENTS: usize = 128;

/// A number for a session that begins.
fn next_number() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

/// Something that gives jobs and takes shares.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// A pool.
    Pool(Pool),
    /// A node, to mine on alone.
    #[cfg(feature = "solo")]
    Node(Node),
}

impl Source {
    /// Its part of the time, beside those of the other sources; `None` where it is only for when those fail.
    pub fn quota(&self) -> Option<NonZeroU32> {
        match self {
            Source::Pool(pool) => pool.quota,
            #[cfg(feature = "solo")]
            Source::Node(node) => node.quota,
        }
    }

    /// Whether they are the same but for their quotas.
    fn is_same(&self, other: &Source) -> bool {
        let without = |source: &Source| {
            let mut source = source.clone();
            match &mut source {
                Source::Pool(pool) => pool.quota = None,
                #[cfg(feature = "solo")]
                Source::Node(node) => node.quota = None,
            }
            source
        };
        without(self) == without(other)
    }

    /// Its URL.
    pub fn url(&self) -> String {
        match self {
            Source::Pool(pool) => pool.url.to_string(),
            #[cfg(feature = "solo")]
            Source::Node(node) => node.url.to_string(),
        }
    }
}

impl From<Pool> for Source {
    fn from(pool: Pool) -> Source {
        Source::Pool(pool)
    }
}

/// A pool, and how to join it.
#[derive(Clone, Debug, PartialEq)]
pub struct Pool {
    /// Where it listens.
    pub url: PoolUrl,
    /// Who mines.
    pub credentials: Credentials,
    /// Whose certificates are taken for its own, where the URL says TLS.
    pub trust: Trust,
    /// For Stratum V2, whether a pool is joined though its URL has no authority's key: anybody in between may then be the pool.
    #[cfg(feature = "v2")]
    pub sv2_insecure: bool,
    /// For Stratum V2, which kind of channel is opened.
    #[cfg(feature = "v2")]
    pub sv2_channel: ChannelKind,
    /// For Stratum V2, how many channels are opened, each of which has its part of the hashrate.
    #[cfg(feature = "v2")]
    pub channels: ChannelCount,
    /// For Stratum V2, what the pool is told of the speed of each channel; its part of what is measured, where that is not said.
    #[cfg(feature = "v2")]
    pub nominal_hashrate: Option<NominalHashrate>,
    /// For Stratum V2, what the pool is told that the miner is.
    #[cfg(feature = "v2")]
    pub device: Device,
    /// Whether each message is said, both ways, as [`Event::Traced`].
    pub trace_messages: bool,
    /// A SOCKS5 proxy, as `HOST:PORT`, such as Tor's. It looks the pool's name up.
    pub socks5: Option<String>,
    /// The difficulty to ask for.
    pub suggest_difficulty: Option<Difficulty>,
    /// Its part of the time, beside those of the other sources. Without one it is joined when none of those that have one gives jobs; with
    /// none for any, the first that can be joined has all of it.
    pub quota: Option<NonZeroU32>,
    /// The difficulty below which the pool is asked never to go (BIP 310).
    pub minimum_difficulty: Option<Difficulty>,
    /// Whom each job's coinbase must pay: a session with a pool whose jobs do otherwise, or cannot be true, ends.
    #[cfg(feature = "payout")]
    pub verify_payout: Option<Payout>,
    /// Where that is not set and the user's name is an address, whether a session ends whose jobs do not pay it.
    #[cfg(feature = "payout")]
    pub strict: bool,
}

impl Pool {
    /// A pool, joined in the usual way.
    pub fn new(url: PoolUrl, credentials: Credentials) -> Pool {
        Pool {
            url,
            credentials,
            trust: Trust::default(),
            #[cfg(feature = "v2")]
            sv2_insecure: false,
            #[cfg(feature = "v2")]
            sv2_channel: ChannelKind::default(),
            #[cfg(feature = "v2")]
            channels: ChannelCount::default(),
            #[cfg(feature = "v2")]
            nominal_hashrate: None,
            #[cfg(feature = "v2")]
            device: Device::default(),
            trace_messages: false,
            socks5: None,
            suggest_difficulty: None,
            quota: None,
            minimum_difficulty: None,
            #[cfg(feature = "payout")]
            verify_payout: None,
            #[cfg(feature = "payout")]
            strict: false,
        }
    }
}

/// Who mines, and the pool's password for them.
#[derive(Clone, PartialEq, Eq)]
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
        /// The pool's or the node's.
        url: String,
        /// What the pool tells this session apart by.
        extranonce1: Vec<u8>,
        /// How many bytes of the coinbase are the miner's.
        extranonce2_size: usize,
        /// Which version bits are the miner's.
        version_mask: u32,
        /// Whether it is an earlier session, which the pool knew again: shares that waited for it are sent.
        resumed: bool,
    },
    /// New work. It takes the place of what was there.
    Job {
        /// The job.
        job: Arc<Job>,
        /// Its shares' difficulty.
        difficulty: Difficulty,
        /// Whether the pool said that older jobs are void.
        clean: bool,
        /// Where the session has several channels, their jobs, to be searched in turns with this one.
        beside: Vec<Arc<Job>>,
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
    /// Shares that were sent or waited when the session ended, or that the pool left without an answer while thousands came after
    /// them. They will not be sent again: nobody knows which of them the pool has counted.
    Lost(Vec<Share>),
    /// The pool does not take up what was asked of it: its difficulty may go below the minimum.
    NoMinimum(Difficulty),
    /// A message from the pool's operator to the miner's.
    Message(String),
    /// A job's coinbase is not as one could wish; it is worked on nevertheless. Said once a session.
    #[cfg(feature = "payout")]
    Payout {
        /// The pool's.
        url: String,
        /// What is to be known.
        warning: PayoutWarning,
    },
    /// New tips are not heard as the node announces them, but by long poll alone; announcements are tried again. Said once, until one
    /// is heard.
    #[cfg(feature = "solo")]
    Unheard {
        /// Where they should be.
        url: ZmqUrl,
        /// Why.
        error: ZmqError,
    },
    /// For a minute, jobs have been on a block from which the chain has gone on. They are worked on, unless another source has a job on
    /// a newer one. Said once, until there is a job on another.
    OldTip {
        /// The pool's or the node's.
        url: String,
        /// The block.
        tip: Hash,
    },
    /// A message, where the pool's are to be traced. Passwords may stand in it.
    Traced {
        /// The pool's.
        url: String,
        /// Whether it is the miner's own.
        sent: bool,
        /// What it says, in a form for people.
        text: String,
    },
    /// The pool sent what cannot be read. The session goes on without it.
    Unreadable(MessageError),
    /// The session ended, or could not begin.
    Disconnected {
        /// From which pool or node.
        url: String,
        /// Why.
        error: SessionError,
        /// When the next is tried, with this pool or another.
        retry: Duration,
        /// Whether the last job is still worth a search: its session goes on, or the pool may know it again, and its shares will wait
        /// for that.
        goes_on: bool,
    },
}

/// The way to an upstream's task. When it is dropped, the session ends.
#[derive(Debug)]
pub struct Handle {
    shares: mpsc::UnboundedSender<Share>,
    sources: watch::Sender<Vec<Source>>,
    hashrate: watch::Sender<f64>,
}

impl Handle {
    /// Sends a share to the pool; its fate comes as [`Event::Answered`] or [`Event::Lost`].
    ///
    /// # Errors
    /// The upstream's task is gone: the share comes back.
    pub fn submit(&self, share: Share) -> Result<(), Box<Share>> {
        self.shares.send(share).map_err(|unsent| Box::new(unsent.0))
    }

    /// Says how fast the miner is, in hashes a second: some pools are told, so that they choose the difficulty by it.
    pub fn set_hashrate(&self, hashrate: f64) {
        self.hashrate.send_replace(hashrate);
    }

    /// Goes on with other sources. What is known of those that stay is kept, their order is the new one, and a session with one of
    /// them goes on; it is left as soon as one that now comes before it is well. With none, no session stands until there are some.
    pub fn set_sources(&self, sources: Vec<Source>) {
        self.sources.send_replace(sources);
    }
}
