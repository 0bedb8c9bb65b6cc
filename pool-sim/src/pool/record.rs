//! What is known of a share: what came, what judged it, and what became of it.

use super::Refusal;
use bitcoin::BlockHash;
use bitcoin::block::Header;
use bitcoin::consensus::encode::serialize_hex;
use bitcoin::hex::DisplayHex;
use midstate_stratum::{Difficulty, Target};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A share and its judgement.
#[derive(Clone, Debug)]
pub struct ShareRecord {
    /// Shares are counted from 1 on, the refused ones too.
    pub number: u64,
    /// When it came.
    pub time: SystemTime,
    /// The connection that it came through.
    pub session: u64,
    /// The user as authorized, such as `alice.rig1`.
    pub user: String,
    /// The job's id.
    pub job: String,
    /// What the pool put before extranonce2; none if the connection has not subscribed. It stays with a session that is resumed.
    pub extranonce1: Option<Vec<u8>>,
    /// What the miner put into the coinbase.
    pub extranonce2: Vec<u8>,
    /// The header's time.
    pub ntime: u32,
    /// The nonce.
    pub nonce: u32,
    /// The version bits that the miner chose, if it said any.
    pub version_bits: Option<u32>,
    /// What judged it; none where no header could be built, as the job is unknown or the like.
    pub judged: Option<Judged>,
    /// Whether it is accepted, or why not.
    pub verdict: Result<(), Refusal>,
}

/// What judged a share.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The height of the block that it would be.
    pub height: u32,
    /// The difficulty that its job was sent with.
    pub difficulty: Difficulty,
    /// That difficulty's target.
    pub target: Target,
    /// The version bits that may be rolled.
    pub mask: u32,
    /// The header.
    pub header: Header,
    /// Its hash.
    pub hash: BlockHash,
    /// The difficulty that its hash reached.
    pub reached: f64,
    /// Whether the hash meets the target. A block that does not is accepted all the same.
    pub meets_target: bool,
    /// How late it was, where it came for the tip before, and was accepted nevertheless.
    pub late: Option<Duration>,
    /// If it is a block and the node was asked: what the node said, in its word where it did not take it as its tip.
    pub block: Option<Result<(), String>>,
}

impl Judged {
    /// Whether the hash meets the header's own target.
    pub(super) fn is_block(&self) -> bool {
        self.header.target().is_met_by(self.hash)
    }
}

impl ShareRecord {
    /// The worker: what comes after the user's first dot.
    pub fn worker(&self) -> Option<&str> {
        self.user.split_once('.').map(|(_, worker)| worker)
    }

    /// Whether it is work that was done, be it accepted or too late.
    pub(super) fn work(&self) -> Option<Difficulty> {
        let judged = self.judged.as_ref().filter(|judged| judged.meets_target)?;
        let is_work = matches!(self.verdict, Ok(()) | Err(Refusal::Stale { .. } | Refusal::Void { .. }));
        is_work.then_some(judged.difficulty)
    }

    /// A JSON object with all its members always: null stands for what is not known.
    pub fn to_json(&self) -> Value {
        let word = |word: u32| format!("{word:08x}");
        let refusal = self.verdict.as_ref().err();
        let judged = self.judged.as_ref();
        let node = judged.and_then(|judged| judged.block.as_ref());
        json!({
            "number": self.number,
            "time": self.time.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64()),
            "session": self.session,
            "user": self.user,
            "worker": self.worker(),
            "job": self.job,
            "height": judged.map(|judged| judged.height),
            "extranonce1": self.extranonce1.as_ref().map(DisplayHex::to_lower_hex_string),
            "extranonce2": self.extranonce2.to_lower_hex_string(),
            "ntime": word(self.ntime),
            "nonce": word(self.nonce),
            "version_bits": self.version_bits.map(word),
            "version": judged.map(|judged| word(judged.header.version.to_consensus().cast_unsigned())),
            "version_mask": judged.map(|judged| word(judged.mask)),
            "header": judged.map(|judged| serialize_hex(&judged.header)),
            "hash": judged.map(|judged| judged.hash),
            "difficulty": judged.map(|judged| judged.reached),
            "share_difficulty": judged.map(|judged| judged.difficulty.get()),
            "target": judged.map(|judged| judged.target.to_string()),
            "accepted": refusal.is_none(),
            "late": judged.and_then(|judged| judged.late).map(|late| late.as_secs_f64()),
            "block": node.is_some(),
            "node": node.map(|node| node.as_ref().map_or_else(String::as_str, |()| "accepted")),
            "code": refusal.map(|refusal| refusal.kind().0.code()),
            "refusal": refusal.map(|refusal| refusal.kind().1),
            "reason": refusal.map(ToString::to_string),
        })
    }
}
