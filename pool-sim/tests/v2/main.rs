//! The pool's half of Stratum V2, against a miner by hand on the crates of the reference implementation and the `bitcoin` crate.

mod channels;
mod client;
mod hostile;
mod mining;
#[path = "../common/noise.rs"]
mod noise;
mod program;
mod shares;
mod table;
