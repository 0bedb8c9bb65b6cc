//! The pool: a Stratum V1 server on the node's templates.
//!
//! One task watches the node and makes jobs; one task for each connection speaks to its miner. They share the book of
//! jobs, which knows on which terms each was sent, and what was submitted, so that a share is paid once whatever connection it
//! comes through.
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
mod obey;
mod record;
mod refusal;
mod seen;
mod session;
mod sessions;
mod tips;
mod vardiff;
mod wire;

pub use config::{PoolConfig, Port, PortError, PortText, parse_difficulty, parse_interval, parse_rate};
pub use event::PoolEvent;
pub use job::PoolJob;
pub use record::{Judged, ShareRecord};
pub use refusal::Refusal;
pub use vardiff::{Pace, Vardiff};

use crate::node::{Node, Template, Tip};
use accounts::{AccountsError, Desk, Figures, Pay};
use book::Book;
use seen::{Memory, Seen};
use sessions::Sessions;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use thiserror::Error;
use tips::Tips;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How many bytes extranonce1 and extranonce2 have.
pub const EXTRANONCE1_SIZE: usize = 4;
/// Enough that no miner runs out within a job.
pub const EXTRANONCE2_SIZE: usize = 8;

/// What all tasks of a pool share.
struct Shared {
    config: PoolConfig,
    node: Node,
    tips: Tips,
    book: Book,
    seen: Box<dyn Seen>,
    desk: Desk,
    /// The last share's number; counted on from the last one that is kept.
    judged: AtomicU64,
    /// The current job.
    jobs: watch::Receiver<Arc<PoolJob>>,
    /// How many connections there were.
    connections: AtomicU64,
    sessions: Sessions,
    started: Instant,
    on_event: Box<dyn Fn(PoolEvent) + Send + Sync>,
}

impl Shared {
    fn say(&self, event: PoolEvent) {
        (self.on_event)(event);
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
    /// There is nowhere for miners to connect.
    #[error("ports: none; expected one at least")]
    NoPort,
    /// The accounts do not open.
    #[error(transparent)]
    Accounts(#[from] AccountsError),
}

/// A pool that runs. Dropped, it stops at once.
pub struct Pool {
    first: SocketAddr,
    addresses: Vec<SocketAddr>,
    tasks: Vec<JoinHandle<()>>,
}

impl Pool {
    /// Listens for miners. `on_event` is called from the pool's tasks: keep it short.
    pub async fn start(
        node: Node,
        config: PoolConfig,
        on_event: impl Fn(PoolEvent) + Send + Sync + 'static,
    ) -> Result<Pool, PoolError> {
        let (mut listeners, mut addresses) = (Vec::new(), Vec::new());
        for Port { listen: address, .. } in &config.ports {
            let failed = |source| PoolError::Listen { address: *address, source };
            let listener = TcpListener::bind(address).await.map_err(failed)?;
            addresses.push(listener.local_addr().map_err(failed)?);
            listeners.push(listener);
        }
        let first = *addresses.first().ok_or(PoolError::NoPort)?;
        let book = Book::default();
        // Taken before the first template: a tip that comes between is seen as new.
        let tips = node.tip();
        let (desk, headers) = Desk::open(&config.accounts)?;
        let number = desk.lock().figure(Figures::NUMBER) as u64;
        // Blocks from before may be final by now, or not exist any more.
        let (template, pay, settled) = next(&node, &desk, &config);
        let (sender, jobs) = watch::channel(book.add(&template, pay, true).0);
        let faults = config.faults.clone();
        let shared = Arc::new(Shared {
            tips: Tips::new(tips.clone()),
            sessions: Sessions::new(&config).map_err(PoolError::Random)?,
            config,
            node,
            book,
            seen: Box::new(Memory::new(headers)),
            desk,
            judged: AtomicU64::new(number),
            jobs,
            connections: AtomicU64::new(0),
            started: Instant::now(),
            on_event: Box::new(on_event),
        });
        for event in settled {
            shared.say(event);
        }
        let mut tasks = vec![tokio::spawn(make_jobs(Arc::clone(&shared), sender, tips))];
        if let Some(faults) = faults {
            tasks.push(tokio::spawn(director::direct(Arc::clone(&shared), faults, first)));
        }
        for (port, listener) in listeners.into_iter().enumerate() {
            tasks.push(tokio::spawn(accept(Arc::clone(&shared), port, listener)));
        }
        Ok(Pool { first, addresses, tasks })
    }

    /// Where its first port listens.
    pub fn address(&self) -> SocketAddr {
        self.first
    }

    /// Where its ports listen, in order.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Makes a job for each new tip, and now and then.
async fn make_jobs(shared: Arc<Shared>, jobs: watch::Sender<Arc<PoolJob>>, mut tips: watch::Receiver<Tip>) {
    loop {
        let clean = tokio::select! {
            changed = tips.changed() => match changed {
                Ok(()) => true,
                Err(_) => return,
            },
            () = tokio::time::sleep(shared.config.renotify) => false,
        };
        // From now on the tip before is late.
        shared.tips.look();
        let (template, pay, settled) = next(&shared.node, &shared.desk, &shared.config);
        for event in settled {
            shared.say(event);
        }
        let (job, forgotten) = shared.book.add(&template, pay, clean);
        for id in &forgotten {
            shared.seen.forget(id);
        }
        shared.say(PoolEvent::Job { id: job.id.clone(), height: job.height, clean });
        jobs.send_replace(job);
    }
}

/// What the next job is made of, once the accounts know the best chain, and what that changed in them.
fn next(node: &Node, desk: &Desk, config: &PoolConfig) -> (Template, Pay, Vec<PoolEvent>) {
    // A block that is on its way to the node is booked before.
    let mut books = desk.lock();
    let settled = match books.settle(node) {
        Ok(blocks) => blocks.into_iter().map(|block| PoolEvent::Reward(Box::new(block))).collect(),
        Err(error) => vec![PoolEvent::Unbooked { error: error.to_string() }],
    };
    let mut template = node.template();
    template.bits = config.job_bits.unwrap_or(template.bits);
    let pay = books.pay(&template, &config.pay_to);
    (template, pay, settled)
}

async fn accept(shared: Arc<Shared>, port: usize, mut listener: TcpListener) {
    // Sessions end with this task.
    let mut sessions = tokio::task::JoinSet::new();
    loop {
        let (stream, peer) = loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok(accepted) => break accepted,
                    // Out of file descriptors, most likely: others will end.
                    Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                },
                until = shut(&shared) => {
                    let Ok(address) = listener.local_addr() else { continue };
                    drop(listener);
                    listener = director::reopen(address, until).await;
                }
            }
        };
        while sessions.try_join_next().is_some() {}
        let number = shared.connections.fetch_add(1, Ordering::Relaxed) + 1;
        sessions.spawn(session::serve(Arc::clone(&shared), number, port, stream, peer));
    }
}

/// Waits until a scenario lets nobody connect: until when.
async fn shut(shared: &Shared) -> Instant {
    match &shared.config.faults {
        Some(faults) => faults.is_shut().await,
        None => std::future::pending().await,
    }
}
