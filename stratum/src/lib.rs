//! Stratum V1 on the wire, for both sides: a pool's and a miner's.
//!
//! - [`Target`] and [`Difficulty`]: exact 256-bit arithmetic;
//! - [`message`]: every method, typed. Tolerant in reading, strict in writing;
//! - [`codec`]: lines of bounded length over a byte stream.

pub mod codec;
mod difficulty;
pub mod message;
mod target;

pub use difficulty::{Difficulty, DifficultyError};
pub use target::{CompactError, Target, TargetError};
