//! What went to an upstream and what came of it.

use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Counts of an upstream. Shares that were handed on and are in no other count wait for its word.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpstreamCounts {
    /// How often it took the proxy as its miner.
    pub connections: u64,
    /// Its jobs.
    pub jobs: u64,
    /// Shares that went to it.
    pub handed_on: u64,
    /// Of these those that it accepted.
    pub accepted: u64,
    /// Those that it refused, by code.
    pub refused: BTreeMap<i64, u64>,
    /// Those that its connection ended on before its word.
    pub lost: u64,
}

impl UpstreamCounts {
    /// How many it refused.
    pub fn all_refused(&self) -> u64 {
        self.refused.values().sum()
    }

    /// As an object.
    pub fn to_json(&self) -> Value {
        let UpstreamCounts { connections, jobs, handed_on, accepted, refused, lost } = self;
        let refused: serde_json::Map<_, _> =
            refused.iter().map(|(code, count)| (code.to_string(), json!(count))).collect();
        json!({
            "connections": connections,
            "jobs": jobs,
            "handed_on": handed_on,
            "accepted": accepted,
            "refused": refused,
            "lost": lost,
        })
    }
}
