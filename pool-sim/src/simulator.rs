//! Node, JSON-RPC and pool, started together.

use crate::chain::{BlockError, Params};
use crate::node::{Auth, Node, RpcServer, serve};
use crate::pool::{Pool, PoolConfig, PoolError, PoolEvent};
use std::io;
use std::net::SocketAddr;
use thiserror::Error;

/// What to start.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where JSON-RPC is served, port 0 for any that is free, and who may call. `None` leaves it out.
    pub rpc: Option<(SocketAddr, Auth)>,
    /// The pool; its `pay_to` is paid by the premined blocks too.
    pub pool: PoolConfig,
    /// How many blocks are mined at once, dated before now.
    pub premine: u32,
}

/// Why nothing started.
#[derive(Debug, Error)]
pub enum StartError {
    /// The node refused its own block.
    #[error("cannot premine: {0}")]
    Premine(BlockError),
    /// The port for JSON-RPC is taken, most likely.
    #[error("cannot listen on {address} for JSON-RPC: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The pool does not start.
    #[error(transparent)]
    Pool(#[from] PoolError),
}

/// A node, its JSON-RPC and a pool on it, all running. Dropped, the pool stops and JSON-RPC goes on;
/// [`Simulator::stop`] ends both.
pub struct Simulator {
    node: Node,
    rpc: Option<RpcServer>,
    pool: Pool,
}

/// Starts a regtest node with a new chain, its JSON-RPC, and a pool. `on_event` is called from the pool's tasks: keep it
/// short.
pub async fn start(
    config: Config,
    on_event: impl Fn(PoolEvent) + Send + Sync + 'static,
) -> Result<Simulator, StartError> {
    let node = Node::new(Params::regtest());
    node.premine(config.premine, &config.pool.pay_to).map_err(StartError::Premine)?;
    let rpc = match config.rpc {
        Some((address, auth)) => {
            let failed = |source| StartError::Listen { address, source };
            Some(serve(node.clone(), address, auth).await.map_err(failed)?)
        }
        None => None,
    };
    let pool = Pool::start(node.clone(), config.pool, on_event).await?;
    Ok(Simulator { node, rpc, pool })
}

impl Simulator {
    /// The node.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Where miners connect: the pool's first port.
    pub fn pool_address(&self) -> SocketAddr {
        self.pool.address()
    }

    /// Where miners connect: all of the pool's ports, in order.
    pub fn pool_addresses(&self) -> &[SocketAddr] {
        self.pool.addresses()
    }

    /// Where JSON-RPC is served.
    pub fn rpc_address(&self) -> Option<SocketAddr> {
        self.rpc.as_ref().map(RpcServer::address)
    }

    /// Waits until somebody calls the method `stop`: for ever, without JSON-RPC.
    pub async fn stop_requested(&self) {
        match &self.rpc {
            Some(rpc) => rpc.stop_requested().await,
            None => std::future::pending().await,
        }
    }

    /// Closes the miners' connections, answers what JSON-RPC was asked already, and ends.
    pub async fn stop(self) {
        drop(self.pool);
        if let Some(rpc) = self.rpc {
            rpc.stop().await;
        }
    }
}
