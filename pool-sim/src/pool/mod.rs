//! The pool: a Stratum V1 server on the node's templates.
//!
//! One task watches the node and makes jobs; one task for each connection speaks to its miner. They share the book of
//! jobs, which also knows what was submitted, so that a share is paid once whatever connection it comes through.

mod book;
mod extranonces;
mod job;
mod session;
mod vardiff;

pub use job::PoolJob;
pub use vardiff::{Pace, Vardiff};

use crate::node::{Node, Tip};
use bitcoin::{BlockHash, ScriptBuf};
use book::Book;
use extranonces::Extranonces;
use midstate_stratum::Difficulty;
use midstate_stratum::message::RpcError;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How many bytes extranonce1 and extranonce2 have.
pub const EXTRANONCE1_SIZE: usize = 4;
/// Enough that no miner runs out within a job.
pub const EXTRANONCE2_SIZE: usize = 8;

/// How the pool is set up.
#[derive(Clone, Debug)]
pub struct PoolConfig {
    /// Where it listens; port 0 takes any that is free.
    pub listen: SocketAddr,
    /// What a session begins with.
    pub start_difficulty: Difficulty,
    /// Whom blocks pay.
    pub pay_to: ScriptBuf,
    /// A new job comes this often, if no new tip brings one.
    pub renotify: Duration,
    /// The version bits that miners may roll (BIP 320).
    pub version_mask: u32,
    /// What miners' passwords must contain, if anything.
    pub password: Option<String>,
    /// The first session's extranonce1; each further one counts on.
    pub first_extranonce1: u32,
}

impl PoolConfig {
    /// The usual setup.
    pub fn new(listen: SocketAddr, start_difficulty: Difficulty, pay_to: ScriptBuf) -> PoolConfig {
        PoolConfig {
            listen,
            start_difficulty,
            pay_to,
            renotify: Duration::from_secs(30),
            version_mask: 0x1fff_e000,
            password: None,
            first_extranonce1: 1,
        }
    }
}

/// What happens in the pool.
#[derive(Clone, Debug)]
pub enum PoolEvent {
    /// A miner connected.
    Joined {
        /// The session, counted from 1.
        session: u64,
        /// From where.
        peer: SocketAddr,
    },
    /// A miner's connection ended.
    Left {
        /// The session.
        session: u64,
        /// Why.
        reason: String,
    },
    /// There is a new job.
    Job {
        /// Its id.
        id: String,
        /// The height of the block that it would be.
        height: u32,
        /// Whether it voids the older ones.
        clean: bool,
    },
    /// A share was judged.
    Share {
        /// The session.
        session: u64,
        /// The user who submitted it.
        user: String,
        /// The job.
        job: String,
        /// The verdict.
        verdict: Result<(), RpcError>,
    },
    /// A share was a block, and the node judged it.
    Block {
        /// Its hash.
        hash: BlockHash,
        /// Its height.
        height: u32,
        /// Why the node refused it, in the node's word; `None` if it is the new tip.
        refused: Option<String>,
    },
    /// A miner sent what cannot be read. The session goes on.
    Unreadable {
        /// The session.
        session: u64,
        /// What is wrong with it.
        error: String,
    },
}

/// What all tasks of a pool share.
struct Shared {
    config: PoolConfig,
    node: Node,
    book: Book,
    /// The current job.
    jobs: watch::Receiver<Arc<PoolJob>>,
    extranonces: Extranonces,
    on_event: Box<dyn Fn(PoolEvent) + Send + Sync>,
}

impl Shared {
    fn say(&self, event: PoolEvent) {
        (self.on_event)(event);
    }
}

/// A pool that runs. Dropped, it stops at once.
pub struct Pool {
    address: SocketAddr,
    tasks: Vec<JoinHandle<()>>,
}

impl Pool {
    /// Listens for miners. `on_event` is called from the pool's tasks: keep it short.
    pub async fn start(
        node: Node,
        config: PoolConfig,
        on_event: impl Fn(PoolEvent) + Send + Sync + 'static,
    ) -> io::Result<Pool> {
        let listener = TcpListener::bind(config.listen).await?;
        let address = listener.local_addr()?;
        let book = Book::default();
        // Taken before the first template: a tip that comes between is seen as new.
        let tips = node.tip();
        let (sender, jobs) = watch::channel(book.add(&node.template(), &config, true));
        let extranonces = Extranonces::new(config.first_extranonce1);
        let on_event = Box::new(on_event);
        let shared = Arc::new(Shared { config, node, book, jobs, extranonces, on_event });
        let tasks =
            vec![tokio::spawn(make_jobs(Arc::clone(&shared), sender, tips)), tokio::spawn(accept(shared, listener))];
        Ok(Pool { address, tasks })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
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
        let job = shared.book.add(&shared.node.template(), &shared.config, clean);
        shared.say(PoolEvent::Job { id: job.id.clone(), height: job.height, clean });
        jobs.send_replace(job);
    }
}

async fn accept(shared: Arc<Shared>, listener: TcpListener) {
    // Sessions end with this task.
    let mut sessions = tokio::task::JoinSet::new();
    for session in 1.. {
        let (stream, peer) = loop {
            match listener.accept().await {
                Ok(accepted) => break accepted,
                // Out of file descriptors, most likely: others will end.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        };
        while sessions.try_join_next().is_some() {}
        sessions.spawn(session::serve(Arc::clone(&shared), session, stream, peer));
    }
}
