//! A mining pool simulator and a minimal chain node, in one process.
//!
//! ```text
//! chain ◀──block── node ──template──▶ pool ──mining.notify──▶ miners
//!                   ▲                   ▲                        │
//!                   └──────block────────┴──────mining.submit─────┘
//! ```
//!
//! - [`chain`]: which blocks are valid, and which chain of them is the best;
//! - [`node`]: a mempool, block templates, and JSON-RPC as Bitcoin Core speaks it;
//! - [`pool`]: a Stratum server, of V1 and V2, that judges shares. It hashes with the `bitcoin` crate, never with a miner's kernels. Instead of
//!   on a node it may stand on another pool, as its miner ([`pool::Pool::proxy`]);
//! - [`faults`]: what goes wrong with it on command, and what miners make of that.
//!
//! [`start`] starts all of them. What speaks Stratum V2 needs an [`authority`]. Beside them, and of no use to them:
//!
//! - [`probe`]: checks the conduct of any pool, ours too, as its miner.
//! - [`swarm`]: thousands of miners on any pool, ours too, to see what it bears.

pub mod authority;
pub mod chain;
pub mod faults;
mod junit;
pub mod node;
pub mod pool;
mod priority;
pub mod probe;
mod simulator;
pub mod swarm;

pub use simulator::{Config, Simulator, StartError, start};

use bitcoin::{Address, Network, Script};

/// Where coins go if nobody says where: the script `OP_TRUE`, which anybody can spend (as P2WSH).
pub fn anyone_can_spend() -> Address {
    Address::p2wsh(Script::from_bytes(&[0x51]), Network::Regtest)
}
