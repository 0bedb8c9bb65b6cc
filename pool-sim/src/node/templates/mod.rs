//! The template server: the node gives pools of Stratum V2 what they mine on, and takes their blocks (specification, section 7).
//!
//! A pool says how much it will put into its coinbases, and is given a template at once; another for each new tip at once too, and
//! another when fees grew, now and then. It answers with the coinbase and the header of what it found: the block is put together here,
//! and the chain judges it as any other.
//!
//! Each pool's templates are remembered, so many of them: a solution of an older one is a block too, if the chain takes it.

mod session;
mod solution;
mod talk;

pub use solution::{Solution, SolutionError};
pub use talk::{Heard, Talk, TalkError};

use super::Node;
use bitcoin::BlockHash;
use midstate_stratum::v2::{Authority, AuthorityKey};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

/// So many pools at once.
const MOST_CLIENTS: usize = 100;

/// Where templates are served.
#[derive(Clone, Debug)]
pub struct TemplatesConfig {
    /// Where pools connect; port 0 for any that is free.
    pub listen: SocketAddr,
    /// Who vouches for the node.
    pub authority: Authority,
}

/// What happens between the node and the pools that have their templates of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplateEvent {
    /// A pool set up its connection.
    Joined {
        /// The connection, counted from 1.
        client: u64,
        /// From where.
        peer: SocketAddr,
        /// What it says that it is.
        vendor: String,
    },
    /// A connection was closed at once, as there are too many.
    TurnedAway {
        /// From where.
        peer: SocketAddr,
    },
    /// A pool found what it holds for a block.
    Solution {
        /// The connection.
        client: u64,
        /// The template's id.
        template_id: u64,
        /// The header's hash, if there is a header.
        hash: Option<BlockHash>,
        /// Why it is no block, or is not the new tip; `None` if it is.
        refused: Option<String>,
    },
    /// A pool said what cannot be read. Its connection goes on.
    Unreadable {
        /// The connection.
        client: u64,
        /// What is wrong with it.
        error: String,
    },
    /// A connection ended.
    Left {
        /// The connection.
        client: u64,
        /// Why.
        reason: String,
    },
}

/// A server that runs. Dropped, it ends, and so do its connections.
#[derive(Debug)]
pub struct TemplateServer {
    address: SocketAddr,
    authority: AuthorityKey,
    task: JoinHandle<()>,
}

impl TemplateServer {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// By what pools know that it is this node.
    pub fn authority(&self) -> AuthorityKey {
        self.authority
    }
}

impl Drop for TemplateServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What the connections have in common.
struct Server {
    node: Node,
    authority: Authority,
    /// The last template's.
    id: AtomicU64,
    say: Box<dyn Fn(TemplateEvent) + Send + Sync>,
}

/// Listens for pools. `on_event` is called from the connections' tasks: keep it short.
pub async fn serve(
    node: Node,
    config: TemplatesConfig,
    on_event: impl Fn(TemplateEvent) + Send + Sync + 'static,
) -> io::Result<TemplateServer> {
    let TemplatesConfig { listen, authority } = config;
    let listener = TcpListener::bind(listen).await?;
    let (address, key) = (listener.local_addr()?, authority.key());
    // Higher than any of a node that ran before, so that what was found for that is known to be no solution.
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let id = AtomicU64::new(since.as_millis() as u64);
    let server = Arc::new(Server { node, authority, id, say: Box::new(on_event) });
    let task = tokio::spawn(accept(server, listener));
    Ok(TemplateServer { address, authority: key, task })
}

async fn accept(server: Arc<Server>, listener: TcpListener) {
    // They end with this task.
    let mut clients = JoinSet::new();
    let mut client = 0;
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            // Out of file descriptors, most likely: others will end.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        while clients.try_join_next().is_some() {}
        if clients.len() >= MOST_CLIENTS {
            (server.say)(TemplateEvent::TurnedAway { peer });
            continue;
        }
        client += 1;
        clients.spawn(session::serve(Arc::clone(&server), client, stream, peer));
    }
}

impl Server {
    fn next_id(&self) -> u64 {
        self.id.fetch_add(1, Ordering::Relaxed) + 1
    }
}
