//! The pool against a miner made of hand-written lines and the `bitcoin` crate.

#[path = "../common"]
mod common {
    pub(crate) mod event;
    pub(crate) mod http;
    pub(crate) mod running;
}
mod accounts;
mod difficulty;
mod kill;
mod limits;
mod miner;
mod payouts;
mod porch;
mod records;
mod sessions;
mod shares;
