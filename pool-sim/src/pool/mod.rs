//! The pool: a Stratum server (V1, and V2 in `v2`) on the node's templates, or on another pool's jobs.
//!
//! One task watches the node and makes jobs, or speaks to the upstream, whose jobs they are; connections wait on the `porch` until they
//! say something; then one task for each speaks to its miner. They share the book of jobs, which knows on which terms each was sent,
//! and what was submitted, so that a share is paid once whatever connection it comes through.
//!
//! A share's way: its session hands it to `judge`, which makes a [`ShareRecord`] of it and books what it earns; when the store has
//! both, the record is said as an event, in full, and the miner is answered.

pub mod accounts;
mod book;
mod config;
mod difficulty;
mod director;
mod end;
mod event;
mod job;
mod judge;
mod limits;
mod local;
mod obey;
mod payer;
mod porch;
mod record;
mod refusal;
mod seen;
mod session;
mod sessions;
mod source;
mod space;
mod tips;
mod upstream;
mod v2;
mod vardiff;
mod wire;

pub use config::{PoolConfig, Port, PortError, PortText, parse_difficulty, parse_interval, parse_rate};
pub use event::PoolEvent;
pub use job::PoolJob;
pub use limits::Limits;
pub use record::{Judged, ShareRecord};
pub use refusal::Refusal;
pub use upstream::{
    ProxyConfig, UpstreamConfig, UpstreamCounts, UpstreamEvent, UpstreamUrl, UpstreamVerdict, UrlError,
};
pub use v2::{Rehearsal, Step};
pub use vardiff::{Pace, Vardiff};

use crate::faults::Faults;
use crate::node::{Node, Tip};
use accounts::{AccountsError, Desk, Figures};
use book::Book;
use job::Origin;
use limits::Visitors;
use local::{Local, make_jobs, next};
use porch::Porch;
use seen::{Memory, Seen};
use sessions::{Claim, Sessions};
use source::Source;
use space::Space;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;
use thiserror::Error;
use tips::Tips;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How many bytes tell sessions apart: extranonce1, but for what an upstream puts before it.
pub const EXTRANONCE1_SIZE: usize = 4;
/// How many bytes extranonce2 has on a node: enough that no miner runs out within a job.
pub const EXTRANONCE2_SIZE: usize = 8;

/// What all tasks of a pool share.
struct Shared {
    ports: Vec<Port>,
    limits: Limits,
    faults: Option<Arc<Faults>>,
    source: Source,
    book: Book,
    seen: Box<dyn Seen>,
    /// The last share's number; counted on from the last one that is kept.
    judged: AtomicU64,
    /// The current job.
    jobs: watch::Receiver<Arc<PoolJob>>,
    /// How many connections there were.
    connections: AtomicU64,
    sessions: Sessions,
    visitors: Arc<Visitors>,
    started: Instant,
    on_event: Box<dyn Fn(PoolEvent) + Send + Sync>,
}

impl Shared {
    fn say(&self, event: PoolEvent) {
        (self.on_event)(event);
    }

    /// The session of that id, if there is one to be had; else a new one, if it has a place.
    fn take(&self, asked: Option<&str>, space: &Space) -> Option<Claim<'_>> {
        self.sessions.take(asked, Instant::now(), space.places(), |session| self.book.is_living(session))
    }
}

/// Why a pool does not start.
#[derive(Debug, Error)]
pub enum PoolError {
    /// The port is taken, most likely.
    #[error("cannot listen on {address} for miners: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The system has no random numbers for the sessions' ids.
    #[error("cannot make ids for sessions: {0}")]
    Random(io::Error),
    /// The system has no thread for those who connect.
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
    /// There is nowhere for miners to connect.
    #[error("ports: none; expected one at least")]
    NoPort,
    /// A port that another pool's jobs cannot be served at.
    #[error("port {0}: Stratum V2; expected V1, as the jobs of an upstream may change in ways that V2 has no word for")]
    ProxyV2(SocketAddr),
    /// The accounts do not open.
    #[error(transparent)]
    Accounts(#[from] AccountsError),
}

/// What the tasks of a pool on a node share, and what makes jobs of the node's tips.
type Prepared = (Arc<Shared>, watch::Sender<Arc<PoolJob>>, watch::Receiver<Tip>);

/// A pool that runs. Dropped, it stops at once.
pub struct Pool {
    first: SocketAddr,
    addresses: Vec<SocketAddr>,
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<()>>,
    porch: Option<Porch>,
}

impl Pool {
    /// Listens for miners. `on_event` is called from the pool's tasks: keep it short.
    pub async fn start(
        node: Node,
        config: PoolConfig,
        on_event: impl Fn(PoolEvent) + Send + Sync + 'static,
    ) -> Result<Pool, PoolError> {
        let listeners = listen(&config.ports).await?;
        let (shared, sender, tips) = Pool::prepare(node, config, on_event)?;
        let jobs = tokio::spawn(make_jobs(Arc::clone(&shared), sender, tips));
        Pool::run(shared, listeners, jobs)
    }

    /// A pool on a node, with its first job, that nobody can connect to yet and that makes no further jobs.
    fn prepare(
        node: Node,
        config: PoolConfig,
        on_event: impl Fn(PoolEvent) + Send + Sync + 'static,
    ) -> Result<Prepared, PoolError> {
        let book = Book::default();
        // Taken before the first template: a tip that comes between is seen as new.
        let tips = node.tip();
        config.accounts.check(&config.pay_to)?;
        let (desk, headers) = Desk::open(&config.accounts)?;
        let number = desk.lock().figure(Figures::NUMBER) as u64;
        // Blocks from before may be final by now, or not exist any more.
        let (template, pay, settled) = next(&node, &desk, &config);
        let first = book.add(true, |number| PoolJob::new(number, &template, pay, config.version_mask, true)).0;
        let (sender, jobs) = watch::channel(first);
        let sessions = Sessions::new(config.first_extranonce1, config.resume_within, config.silent_after);
        let shared = Arc::new(Shared {
            limits: config.limits,
            visitors: Arc::default(),
            ports: config.ports.clone(),
            faults: config.faults.clone(),
            sessions: sessions.map_err(PoolError::Random)?,
            source: Source::Node(Box::new(Local { tips: Tips::new(tips.clone()), config, node, desk })),
            book,
            seen: Box::new(Memory::new(headers)),
            judged: AtomicU64::new(number),
            jobs,
            connections: AtomicU64::new(0),
            started: Instant::now(),
            on_event: Box::new(on_event),
        });
        for event in settled {
            shared.say(event);
        }
        Ok((shared, sender, tips))
    }

    /// Listens for miners, and is itself a miner of another pool. Miners are answered from the upstream's first job on.
    /// `on_event` is called from the pool's tasks: keep it short.
    pub async fn proxy(
        config: ProxyConfig,
        on_event: impl Fn(PoolEvent) + Send + Sync + 'static,
    ) -> Result<Pool, PoolError> {
        if let Some(port) = config.ports.iter().find(|port| port.authority.is_some()) {
            return Err(PoolError::ProxyV2(port.listen));
        }
        let listeners = listen(&config.ports).await?;
        let (sender, jobs) = watch::channel(Arc::new(PoolJob::none()));
        let (upstream, shares) = upstream::Upstream::new();
        let sessions = Sessions::new(0, config.resume_within, config.silent_after);
        let shared = Arc::new(Shared {
            ports: config.ports,
            limits: config.limits,
            visitors: Arc::default(),
            faults: config.faults,
            sessions: sessions.map_err(PoolError::Random)?,
            source: Source::Upstream(upstream),
            book: Book::default(),
            seen: Box::new(Memory::new(Box::new(accounts::NoHeaders))),
            judged: AtomicU64::new(0),
            jobs,
            connections: AtomicU64::new(0),
            started: Instant::now(),
            on_event: Box::new(on_event),
        });
        let jobs = tokio::spawn(upstream::run(Arc::clone(&shared), config.upstream, sender, shares));
        Pool::run(shared, listeners, jobs)
    }

    fn run(shared: Arc<Shared>, listeners: Vec<TcpListener>, jobs: JoinHandle<()>) -> Result<Pool, PoolError> {
        let mut pool =
            Pool { first: ([0; 4], 0).into(), addresses: Vec::new(), shared, tasks: vec![jobs], porch: None };
        for listener in &listeners {
            let address = listener.local_addr();
            let failed = |source| PoolError::Listen { address: pool.shared.ports[pool.addresses.len()].listen, source };
            pool.addresses.push(address.map_err(failed)?);
        }
        pool.first = *pool.addresses.first().ok_or(PoolError::NoPort)?;
        if let Some(faults) = &pool.shared.faults {
            let directed = director::direct(Arc::clone(&pool.shared), Arc::clone(faults), pool.first);
            pool.tasks.push(tokio::spawn(directed));
        }
        pool.porch = Some(Porch::open(Arc::clone(&pool.shared), listeners).map_err(PoolError::Thread)?);
        Ok(pool)
    }

    /// Where its first port listens.
    pub fn address(&self) -> SocketAddr {
        self.first
    }

    /// Where its ports listen, in order.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// What went to its upstream, and what came of it, if it has one.
    pub fn upstream(&self) -> Option<UpstreamCounts> {
        self.shared.source.upstream().map(upstream::Upstream::counts)
    }
}

async fn listen(ports: &[Port]) -> Result<Vec<TcpListener>, PoolError> {
    let mut listeners = Vec::new();
    for Port { listen: address, .. } in ports {
        let listener = TcpListener::bind(address).await;
        listeners.push(listener.map_err(|source| PoolError::Listen { address: *address, source })?);
    }
    Ok(listeners)
}

impl Drop for Pool {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}
