//! Stratum V2 for miners: the same jobs, judge, book and accounts as V1, by another wire.
//!
//! A connection has channels; a channel is to the pool what a session of V1 is: it has a place in the coinbase for itself, a user, and
//! a difficulty, and a job is judged by what the channel was told before the job was sent.
//!
//! - `session`: the connection, from the handshake to its end;
//! - `talk`: what is heard and said on it, without a connection;
//! - `opening`: how channels begin, change and end;
//! - `channel`: one channel;
//! - `said`: messages to miners, made of jobs and refusals;
//! - [`Rehearsal`]: connections that are played without a network.

mod channel;
mod opening;
mod rehearsal;
mod said;
mod session;
mod talk;

pub use rehearsal::{Rehearsal, Step};
pub(super) use session::run;
