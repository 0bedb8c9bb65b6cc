//! The pool against a miner made of hand-written lines and the `bitcoin` crate.

mod accounts;
mod difficulty;
mod kill;
mod limits;
mod miner;
mod records;
mod sessions;
mod shares;
