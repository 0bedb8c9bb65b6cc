//! The pool against a miner made of hand-written lines and the `bitcoin` crate.

mod miner;
mod sessions;
mod shares;
