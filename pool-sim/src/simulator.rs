//! Node, JSON-RPC, template server and pool, started together.

use crate::chain::{BlockError, Params};
use crate::node::templates::{self, TemplateServer, TemplatesConfig};
use crate::node::{Auth, Node, RpcServer, serve};
use crate::pool::{Pool, PoolConfig, PoolError, PoolEvent};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use thiserror::Error;

/// What to start.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where JSON-RPC is served, port 0 for any that is free, and who may call. `None` leaves it out.
    pub rpc: Option<(SocketAddr, Auth)>,
    /// Where other pools have templates of the node. `None` leaves it out.
    pub templates: Option<TemplatesConfig>,
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
    /// The same for templates.
    #[error("cannot listen on {address} for pools that want templates: {source}")]
    Templates {
        /// Where.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The pool does not start.
    #[error(transparent)]
    Pool(#[from] PoolError),
}

/// A node, its JSON-RPC, its template server and a pool on it, all running. Dropped, the pool and the template server stop and JSON-RPC
/// goes on; [`Simulator::stop`] ends all.
pub struct Simulator {
    node: Node,
    rpc: Option<RpcServer>,
    templates: Option<TemplateServer>,
    pool: Pool,
}

/// Starts a regtest node with a new chain, its JSON-RPC, its template server, and a pool. `on_event` is called from the tasks of the latter
/// two: keep it short.
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
    let on_event = Arc::new(on_event);
    let templates = match config.templates {
        Some(config) => {
            let failed = |address| move |source| StartError::Templates { address, source };
            let (failed, on_event) = (failed(config.listen), Arc::clone(&on_event));
            let say = move |event| on_event(PoolEvent::Templates(event));
            Some(templates::serve(node.clone(), config, say).await.map_err(failed)?)
        }
        None => None,
    };
    let pool = Pool::start(node.clone(), config.pool, move |event| on_event(event)).await?;
    Ok(Simulator { node, rpc, templates, pool })
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

    /// Where pools have templates, and by what they know that it is this node.
    pub fn templates(&self) -> Option<&TemplateServer> {
        self.templates.as_ref()
    }

    /// Waits until somebody calls the method `stop`: for ever, without JSON-RPC.
    pub async fn stop_requested(&self) {
        match &self.rpc {
            Some(rpc) => rpc.stop_requested().await,
            None => std::future::pending().await,
        }
    }

    /// Closes the connections of miners and pools, answers what JSON-RPC was asked already, and ends.
    pub async fn stop(self) {
        drop((self.pool, self.templates));
        if let Some(rpc) = self.rpc {
            rpc.stop().await;
        }
    }
}
