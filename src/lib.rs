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

pub mod backend;
pub mod engine;
pub mod job;
pub mod miner;
pub mod sha256;
pub mod upstream;
pub mod work;

#[cfg(test)]
pub(crate) mod testing {
    //! What several tests need.
    use crate::sha256::Header;

    /// The header of Bitcoin's first block.
    pub(crate) fn genesis() -> Header {
        Header(*include_bytes!("../tests/data/header-000000.bin"))
    }
}
