//! What a pool tells of itself.

use super::ShareRecord;
use super::accounts::{BlockRecord, PayoutRecord};
use super::upstream::UpstreamEvent;
use crate::node::templates::TemplateEvent;
use bitcoin::BlockHash;
use midstate_stratum::Difficulty;
use std::net::SocketAddr;

/// What happens in the pool.
#[derive(Clone, Debug)]
pub enum PoolEvent {
    /// A miner connected, and said something or stayed for a second.
    Joined {
        /// The connection, counted from 1.
        session: u64,
        /// From where.
        peer: SocketAddr,
        /// To which of the pool's ports, counted from 0.
        port: usize,
    },
    /// A connection was closed at once, as its address has too many. Said once, until one of them ends.
    TurnedAway {
        /// From where.
        peer: SocketAddr,
        /// How many an address may have.
        limit: u32,
    },
    /// A miner subscribed.
    Subscribed {
        /// The session.
        session: u64,
        /// What the pool puts before extranonce2.
        extranonce1: Vec<u8>,
        /// Whether it goes on with a session that was there before.
        resumed: bool,
    },
    /// A miner's connection ended.
    Left {
        /// The session.
        session: u64,
        /// Why.
        reason: String,
    },
    /// There is a new job.
    Job {
        /// Its id.
        id: String,
        /// The height of the block that it would be.
        height: u32,
        /// Whether it voids the older ones.
        clean: bool,
    },
    /// A miner was told another difficulty, for the job that follows.
    Difficulty {
        /// The session.
        session: u64,
        /// What it was told.
        difficulty: Difficulty,
    },
    /// A share was judged, and is kept if it counts. The miner is answered after this was said.
    Share(Box<ShareRecord>),
    /// A share was a block, and the node judged it.
    Block {
        /// Its hash.
        hash: BlockHash,
        /// Its height.
        height: u32,
        /// Why the node refused it, in the node's word; `None` if it is the new tip.
        refused: Option<String>,
    },
    /// A block of the pool's is booked, final, or orphaned.
    Reward(Box<BlockRecord>),
    /// A payout is booked and about to be sent, final, or reversed.
    Payout(Box<PayoutRecord>),
    /// Something cannot be booked.
    Unbooked {
        /// Why.
        error: String,
    },
    /// Something happened between the pool and its upstream.
    Upstream(UpstreamEvent),
    /// Something happened between the pool's node and another pool, which has its templates of it.
    Templates(TemplateEvent),
    /// A miner sent what cannot be read. The session goes on.
    Unreadable {
        /// The session.
        session: u64,
        /// What is wrong with it.
        error: String,
    },
}
