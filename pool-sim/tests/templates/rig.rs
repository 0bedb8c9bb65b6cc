//! A node with a template server, and what it tells.

use crate::client::SECRET;
use bitcoin::BlockHash;
use pool_sim::chain::Params;
use pool_sim::node::Node;
use pool_sim::node::templates::{TemplateEvent, TemplateServer, TemplatesConfig, serve};
use std::net::SocketAddr;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;
use tokio::runtime::Runtime;

pub(crate) struct Rig {
    pub(crate) node: Node,
    pub(crate) events: Receiver<TemplateEvent>,
    pub(crate) address: SocketAddr,
    // It ends before the runtime.
    _server: TemplateServer,
    _runtime: Runtime,
}

impl Rig {
    /// With a chain of 16 blocks.
    pub(crate) fn start() -> Rig {
        let node = Node::new(Params::regtest());
        node.premine(16, &pool_sim::anyone_can_spend().script_pubkey()).unwrap();
        let runtime = Runtime::new().unwrap();
        let (say, events) = mpsc::channel();
        let config = TemplatesConfig { listen: ([127, 0, 0, 1], 0).into(), authority: SECRET.parse().unwrap() };
        let server = runtime.block_on(serve(node.clone(), config, move |event| drop(say.send(event)))).unwrap();
        Rig { node, events, address: server.address(), _server: server, _runtime: runtime }
    }

    /// The next block, which is somebody else's.
    pub(crate) fn generate(&self) -> BlockHash {
        self.node.generate(1, &pool_sim::anyone_can_spend().script_pubkey()).unwrap()[0]
    }

    pub(crate) fn tip(&self) -> BlockHash {
        self.node.tip().borrow().hash
    }

    pub(crate) fn event(&self) -> TemplateEvent {
        self.events.recv_timeout(Duration::from_secs(30)).unwrap()
    }

    /// What became of the next solution: why it was refused.
    pub(crate) fn verdict(&self) -> Option<String> {
        loop {
            if let TemplateEvent::Solution { refused, .. } = self.event() {
                return refused;
            }
        }
    }

    /// Why the next connection ended.
    pub(crate) fn left(&self) -> String {
        loop {
            if let TemplateEvent::Left { reason, .. } = self.event() {
                return reason;
            }
        }
    }
}
