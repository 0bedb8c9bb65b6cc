//! `pool-sim probe`: what it says of our own pool, and that it finds the fault of pools that have one.

mod broken;
mod faults;
mod ours;
mod program;
