//! Midstate: a double-SHA256 mining engine.
//!
//! Work flows one way and results the other:
//!
//! ```text
//! upstream ──Job──▶ miner ──Work──▶ engine ──▶ backend (CPU, GPU)
//!     ▲                               │
//!     └────────────Share──────────────┘  (re-hashed before it leaves)
//! ```
//!
//! | module | idea |
//! |---|---|
//! | [`sha256`] | the readable reference that judges every kernel |
//! | [`work`] | what a backend is given, and what it returns |
//! | [`backend`] | everything that can search nonces, behind one trait |
//! | [`engine`] | threads, nonce ranges, cancellation, hashrate |
//! | [`job`] | a pool's job as an endless stream of work |
//! | [`upstream`] | where jobs come from |
//! | [`miner`] | joins an upstream to the engine |
//! | [`config`] | the configuration file |

pub mod backend;
pub mod config;
pub mod engine;
pub mod job;
pub mod miner;
pub mod sha256;
pub mod upstream;
pub mod work;

#[cfg(test)]
pub(crate) mod testing {
    //! What several tests need.
    use crate::job::{Job, Origin, Root, Share, SplitCoinbase};
    use crate::sha256::Header;
    use midstate_stratum::Target;
    use std::sync::Arc;

    /// The header of Bitcoin's first block.
    pub(crate) fn genesis() -> Header {
        Header(*include_bytes!("../tests/data/header-000000.bin"))
    }

    /// A job that asks for nothing, with four bytes of extranonce2.
    pub(crate) fn job() -> Job {
        Job {
            id: "1".to_owned(),
            previous_block_hash: [0; 32],
            root: Root::Coinbase(SplitCoinbase {
                coinbase1: Vec::new(),
                extranonce1: Vec::new(),
                extranonce2_size: 4,
                coinbase2: Vec::new(),
                merkle_branches: Vec::new(),
            }),
            version: 0,
            version_mask: 0,
            nbits: 0,
            ntime: 0,
            ntime_roll: 0,
            target: Target::MAX,
            session: 0,
            channel: None,
        }
    }

    /// A share of that job.
    pub(crate) fn share(nonce: u32) -> Share {
        let job = job();
        let header = job.header(&[0; 32], 0).with_nonce(nonce);
        Share { origin: Origin { job: Arc::new(job), extranonce2: vec![0; 4] }, header, hash: header.hash(), worker: 0 }
    }
}
