//! Whether a share is a miner's mistake: not by what the pool meant to say, but by what reached the miner.

use super::Ledger;
use crate::faults::gate::Owner;
use crate::faults::{Check, Expect};
use crate::pool::{Refusal, ShareRecord};
use std::time::Instant;

impl Ledger {
    /// What is wrong with a share, and in which words.
    pub(super) fn judge(
        &self,
        record: &ShareRecord,
        owner: Option<Owner>,
        expect: &Expect,
        now: Instant,
    ) -> Vec<(Check, String)> {
        let Some(miner) = self.miners.get(&record.session) else { return Vec::new() };
        let mut found = Vec::new();
        let told = miner.jobs.get(&record.job);
        if let (Some(told), Some((place, by, at))) = (told, &miner.void)
            && told.place < *place
            && now.duration_since(*at) > expect.grace.0
        {
            let ago = now.duration_since(*at).as_secs_f64();
            found.push((
                Check::VoidJobs,
                format!("of job {:?}, which job {by:?} made void {ago:.1} s before", record.job),
            ));
        }
        let Err(refusal) = &record.verdict else { return found };
        let words = refusal.to_string();
        match refusal {
            // Judged above, or the pool's own fault: what a miner was not told, it cannot know.
            Refusal::Stale { .. }
            | Refusal::Void { .. }
            | Refusal::Unbuildable { .. }
            | Refusal::Unrecorded { .. }
            | Refusal::Upstream { .. }
            | Refusal::NoUpstream { .. } => {}
            Refusal::UnknownJob { .. } if self.known.contains(&record.job) => {
                found.push((Check::OldSessions, format!("of job {:?}, which another session was given", record.job)));
            }
            Refusal::UnknownJob { .. } if miner.harmed => {}
            Refusal::UnknownJob { .. } => found.push((Check::KnownJobs, words)),
            Refusal::Duplicate { number, .. } => {
                // If no answer came, it may try once more.
                if self.entries.iter().any(|entry| entry.number == *number && entry.said.is_some()) {
                    found.push((Check::Duplicates, words));
                }
            }
            Refusal::LowDifficulty { reached, asked, .. } => {
                let told = told.and_then(|told| told.difficulty);
                if told.is_some_and(|told| *reached >= told) || miner.harmed {
                } else if owner == Some(Owner::Another) {
                    found.push((Check::OldSessions, "it is right with another session's extranonce1".to_owned()));
                } else if owner == Some(Owner::Itself) {
                    if miner.asks_extranonce {
                        found.push((Check::Extranonce, "it is right with the extranonce1 before".to_owned()));
                    }
                } else if let Some(before) = miner.told.iter().find(|told| reached >= told) {
                    found.push((
                        Check::Difficulty,
                        format!("it meets {before}, as told before, and not the job's {asked}"),
                    ));
                } else {
                    found.push((Check::Hashes, words));
                }
            }
            Refusal::VersionBits { .. } => found.push((Check::Mask, words)),
            Refusal::TooEarly { .. } | Refusal::TooLate { .. } => found.push((Check::Time, words)),
            Refusal::Extranonce2 { .. } => found.push((Check::Extranonce2, words)),
            Refusal::NotSubscribed | Refusal::Unauthorized { .. } => found.push((Check::Joining, words)),
        }
        found
    }
}
