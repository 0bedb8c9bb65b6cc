//! Stratum on the wire, for both sides: a pool's and a miner's.
//!
//! - [`Target`] and [`Difficulty`]: exact 256-bit arithmetic;
//! - [`message`]: every method of Stratum V1, typed. Tolerant in reading, strict in writing;
//! - [`may_reconnect`]: where a pool may send its miners;
//! - [`codec`]: lines of bounded length over a byte stream;
//! - `v2`, with the feature of that name: the frames and messages of Stratum V2.

pub mod codec;
mod difficulty;
pub mod message;
mod reconnect;
mod target;
#[cfg(feature = "v2")]
pub mod v2;

pub use difficulty::{Difficulty, DifficultyError};
pub use reconnect::may_reconnect;
pub use target::{CompactError, Target, TargetError};
