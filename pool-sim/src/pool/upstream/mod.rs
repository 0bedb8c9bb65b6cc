//! A pool that is itself a miner of another one: jobs come from its upstream, and shares that reach the upstream's difficulty go
//! there.
//!
//! ```text
//! upstream ──mining.notify──▶ connection ──PoolJob──▶ sessions ──▶ miners
//!     ▲                           ▲                       │
//!     └──────mining.submit────────┴───────Handing─────────┘
//! ```
//!
//! One task holds the connection, and reconnects. Sessions hand shares to it, and are told the upstream's word. While it is away,
//! shares wait for a while: if the upstream goes on with the same session they are good. Nothing is called accepted that the
//! upstream did not accept.

mod connection;
mod counts;
mod event;
mod url;

pub(super) use connection::run;
pub use counts::UpstreamCounts;
pub use event::{UpstreamEvent, UpstreamVerdict};
pub use url::{UpstreamUrl, UrlError};

use super::{Limits, PoolJob, Port, Refusal};
use crate::faults::Faults;
use bitcoin::block::Header;
use midstate_stratum::Difficulty;
use midstate_stratum::message::Submit;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// For so long the upstream's word on a share is waited for, be it away or not.
pub(super) const WORD_WITHIN: Duration = Duration::from_secs(10);
/// How many shares wait to be handed on at most; others wait for their turn to wait.
const WAITING: usize = 1024;

/// How a proxy is set up.
#[derive(Clone, Debug)]
pub struct ProxyConfig {
    /// Whose miner it is.
    pub upstream: UpstreamConfig,
    /// Where it listens, and how it treats who comes there. No difficulty is above the upstream's, whatever a port says.
    pub ports: Vec<Port>,
    /// For so long after its connection ended, a session can be resumed.
    pub resume_within: Duration,
    /// A connection that said nothing for so long loses its session to one that asks for it.
    pub silent_after: Duration,
    /// What one connection and one address may take.
    pub limits: Limits,
    /// What goes wrong between it and its miners, if anything is to.
    pub faults: Option<Arc<Faults>>,
}

impl ProxyConfig {
    /// The usual setup.
    pub fn new(upstream: UpstreamConfig, ports: Vec<Port>) -> ProxyConfig {
        ProxyConfig {
            upstream,
            ports,
            resume_within: Duration::from_secs(600),
            silent_after: Duration::from_secs(60),
            limits: Limits::default(),
            faults: None,
        }
    }

    /// The same, with a scenario: it says what sessions begin with.
    #[must_use]
    pub fn with_faults(mut self, faults: &Arc<Faults>) -> ProxyConfig {
        if let Some(start) = faults.scenario().pool.difficulty.and_then(|value| Difficulty::new(value).ok()) {
            self.ports.iter_mut().for_each(|port| port.start = start);
        }
        self.faults = Some(Arc::clone(faults));
        self
    }
}

/// An upstream, and as whom to mine there.
#[derive(Clone)]
pub struct UpstreamConfig {
    /// Where it is.
    pub url: UpstreamUrl,
    /// The user that all shares are for.
    pub user: String,
    /// The user's password.
    pub password: String,
}

impl fmt::Debug for UpstreamConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the password.
        f.debug_struct("UpstreamConfig").field("url", &self.url).field("user", &self.user).finish_non_exhaustive()
    }
}

/// What the upstream said of a job.
#[derive(Debug)]
pub(super) struct UpstreamJob {
    /// The upstream's name for it.
    pub(super) id: String,
    /// Jobs are counted over all sessions.
    number: u64,
    /// The upstream's session that it is of.
    session: u64,
    /// What the upstream pays for.
    pub(super) difficulty: Difficulty,
    /// Its time, and when it came.
    pub(super) time: u32,
    pub(super) came: Instant,
}

/// A share on its way to the upstream.
#[derive(Debug)]
pub(super) struct Handing {
    /// The pool's name for its job.
    job: String,
    /// The upstream's session that its job is of.
    session: u64,
    submit: Submit,
    /// Whether it reaches the upstream's difficulty: if not, it is a block.
    pub(super) is_due: bool,
}

/// A share that waits for the upstream's word.
#[derive(Debug)]
struct Asked {
    /// The proxy's number of the share.
    number: u64,
    handing: Handing,
    answer: oneshot::Sender<Result<(), Refusal>>,
}

/// The way to the upstream, for sessions.
#[derive(Debug)]
pub(super) struct Upstream {
    queue: mpsc::Sender<Asked>,
    state: Mutex<State>,
    counts: Mutex<UpstreamCounts>,
}

#[derive(Debug)]
struct State {
    /// The upstream's session, counted from 1.
    session: u64,
    /// Jobs with a number below this are void.
    void_below: u64,
    /// Since when: the moment of the last job that voids others, or of the last new session.
    void_since: Instant,
    /// Since when the upstream is away, if it is.
    away_since: Option<Instant>,
    /// The version bits that may be rolled now.
    mask: u32,
}

impl Upstream {
    /// The way, and its other end.
    pub(super) fn new() -> (Upstream, Shares) {
        let (queue, shares) = mpsc::channel(WAITING);
        let now = Instant::now();
        let state = State { session: 0, void_below: 0, void_since: now, away_since: Some(now), mask: 0 };
        (Upstream { queue, state: Mutex::new(state), counts: Mutex::default() }, Shares(shares))
    }

    /// What was counted until now.
    pub(super) fn counts(&self) -> UpstreamCounts {
        self.lock_counts().clone()
    }

    /// Why shares of a job are not accepted any more, if so.
    pub(super) fn refusal(&self, job: &PoolJob, of: &UpstreamJob) -> Option<Refusal> {
        let state = self.state();
        let since = state.void_since.elapsed();
        match state.away() {
            // Until then the share's own wait may be over in time.
            Some(away) if away >= WORD_WITHIN => Some(Refusal::NoUpstream { why: is_away(away) }),
            _ if of.session != state.session || of.number < state.void_below => {
                Some(Refusal::Void { job: job.id.clone(), since })
            }
            _ => None,
        }
    }

    /// When jobs became void last.
    pub(super) fn void_since(&self) -> Duration {
        self.state().void_since.elapsed()
    }

    /// A share as the upstream wants it, if its job is of the present session: another's would be unknown.
    pub(super) fn handing(
        &self,
        job: &PoolJob,
        of: &UpstreamJob,
        submit: Submit,
        header: Header,
        is_due: bool,
    ) -> Option<Handing> {
        let state = self.state();
        if of.session != state.session {
            return None;
        }
        let (rolled, mask) = (job.rolled(&header), state.mask);
        // A mask that became narrower meanwhile does not undo what was rolled before.
        let mask = mask | rolled;
        let version_bits = (mask != 0).then(|| header.version.to_consensus().cast_unsigned() & mask);
        let submit = Submit { job_id: of.id.clone(), version_bits, ..submit };
        Some(Handing { job: job.id.clone(), session: of.session, submit, is_due })
    }

    /// The upstream's word on a share.
    pub(super) async fn ask(&self, number: u64, handing: Handing) -> Result<(), Refusal> {
        let (answer, word) = oneshot::channel();
        let asked = Asked { number, handing, answer };
        let word = async {
            self.queue.send(asked).await.ok()?;
            word.await.ok()
        };
        let away = || self.state().away();
        let why = match timeout(WORD_WITHIN, word).await {
            Ok(Some(word)) => return word,
            Ok(None) => "its connection ended before it answered; whether it counts the share is not known".to_owned(),
            Err(_) => away().map_or_else(
                || {
                    let within = WORD_WITHIN.as_secs();
                    format!("it did not answer within {within} s; whether it counts the share is not known")
                },
                is_away,
            ),
        };
        Err(Refusal::NoUpstream { why })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic cannot leave it half-written.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_counts(&self) -> MutexGuard<'_, UpstreamCounts> {
        // The same.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn away(&self) -> Option<Duration> {
        self.away_since.map(|since| since.elapsed())
    }
}

fn is_away(since: Duration) -> String {
    format!("it is away since {:.1} s", since.as_secs_f64())
}

/// Where the connection takes shares from.
pub(super) struct Shares(mpsc::Receiver<Asked>);
