//! The proxy: on our own pool, whose counts must agree with its own, and under all that an upstream may do.

#[path = "../common"]
mod common {
    pub(crate) mod running;
    pub(crate) mod search;
}
mod hostile;
mod miner;
mod mining;
mod program;
mod rig;
mod upstream;
