//! The node's template server, over real sockets, with a pool that is played by hand.

mod client;
mod fuzz;
mod hostile;
mod mining;
#[path = "../common/noise.rs"]
mod noise;
mod rig;
#[path = "../common/script.rs"]
mod script;
