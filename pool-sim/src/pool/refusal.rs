//! Why a share is refused, with the numbers behind it.

use bitcoin::BlockHash;
use midstate_stratum::message::{Reject, RpcError};
use midstate_stratum::{Difficulty, Target};
use std::time::Duration;
use thiserror::Error;

/// How far a share's time may be beyond its job's, in seconds.
pub(super) const NTIME_AHEAD: u32 = 7000;

/// Why a share is refused, in the words that pools have for it.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum Refusal {
    /// Nobody subscribed on this connection.
    #[error("not subscribed")]
    NotSubscribed,
    /// The user did not authorize on this connection.
    #[error("unauthorized worker: {user:?}")]
    Unauthorized {
        /// Who.
        user: String,
    },
    /// The job was never sent to this session, or is forgotten.
    #[error("job not found: {job:?}")]
    UnknownJob {
        /// Its id.
        job: String,
    },
    /// What the miner put into the coinbase has not its size.
    #[error("extranonce2 has {found} bytes; expected {expected}")]
    Extranonce2 {
        /// How many bytes came.
        found: usize,
        /// How many there must be.
        expected: usize,
    },
    /// The time is before the job's.
    #[error("ntime {ntime}: before job's {earliest}")]
    TooEarly {
        /// The share's, in seconds since 1970.
        ntime: u32,
        /// The job's.
        earliest: u32,
    },
    /// The time is too far beyond the job's.
    #[error("ntime {ntime}: beyond job's {earliest} + {NTIME_AHEAD}")]
    TooLate {
        /// The share's, in seconds since 1970.
        ntime: u32,
        /// The job's.
        earliest: u32,
    },
    /// A version bit was rolled that may not be.
    #[error("version bits {bits:08x} outside mask {mask:08x}")]
    VersionBits {
        /// The share's version bits.
        bits: u32,
        /// Those that may be rolled.
        mask: u32,
    },
    /// The same header came before.
    #[error("duplicate of share no. {number}, {} {:.1} s ago", if *accepted { "accepted" } else { "refused" }, ago.as_secs_f64())]
    Duplicate {
        /// The number of the share that came before.
        number: u64,
        /// Whether that was accepted.
        accepted: bool,
        /// How long ago that was.
        ago: Duration,
    },
    /// The job builds on a block that is not the best any more.
    #[error(
        "stale: job {job} is for height {height}, tip is {tip} since {:.1} s; grace {} s",
        since.as_secs_f64(),
        grace.as_secs_f64()
    )]
    Stale {
        /// The job.
        job: String,
        /// The height of the block that it would be.
        height: u32,
        /// The best block's height.
        tip: u32,
        /// How long that has been the best.
        since: Duration,
        /// How long shares for the one before are accepted.
        grace: Duration,
    },
    /// The upstream made the job void.
    #[error("stale: job {job} is void since {:.1} s", since.as_secs_f64())]
    Void {
        /// The job.
        job: String,
        /// How long it has been void.
        since: Duration,
    },
    /// The upstream refused the share.
    #[error("the upstream refused it: {message} (code {code})")]
    Upstream {
        /// The upstream's code.
        code: i64,
        /// The upstream's words.
        message: String,
    },
    /// The upstream did not say a word on the share.
    #[error("the upstream cannot say whether it takes it: {why}")]
    NoUpstream {
        /// Why not.
        why: String,
    },
    /// The hash is above the target.
    #[error("low difficulty: {} < {asked}, hash {hash} > target {target}", below(*reached, *asked))]
    LowDifficulty {
        /// The difficulty that the hash reached.
        reached: f64,
        /// The one that the job was sent with.
        asked: Difficulty,
        /// The header's hash.
        hash: BlockHash,
        /// The target of the difficulty that was asked for.
        target: Target,
    },
    /// The pool's own coinbase cannot be put together.
    #[error("the pool cannot build the block of job {job:?}")]
    Unbuildable {
        /// The job.
        job: String,
    },
    /// The share is good, but the pool cannot keep it. A pool that says yes to what it may forget would owe what it does not know.
    #[error("the pool cannot record it: {error}")]
    Unrecorded {
        /// Why not.
        error: String,
    },
}

impl Refusal {
    /// Whether no miner that knows the protocol and listens to the pool has such shares, however slow its connection is.
    pub(super) fn is_nonsense(&self) -> bool {
        use Refusal::{Duplicate, Extranonce2, NotSubscribed, Unauthorized, UnknownJob, VersionBits};
        matches!(
            self,
            NotSubscribed
                | Unauthorized { .. }
                | UnknownJob { .. }
                | Extranonce2 { .. }
                | VersionBits { .. }
                | Duplicate { .. }
        )
    }

    /// Stratum's code and a word that programs can tell refusals by.
    pub fn kind(&self) -> (Reject, &'static str) {
        match self {
            Refusal::NotSubscribed => (Reject::NotSubscribed, "not-subscribed"),
            Refusal::Unauthorized { .. } => (Reject::Unauthorized, "unauthorized"),
            Refusal::UnknownJob { .. } => (Reject::JobNotFound, "unknown-job"),
            Refusal::Extranonce2 { .. } => (Reject::Other, "extranonce2"),
            Refusal::TooEarly { .. } | Refusal::TooLate { .. } => (Reject::Other, "ntime"),
            Refusal::VersionBits { .. } => (Reject::Other, "version-bits"),
            Refusal::Duplicate { .. } => (Reject::Duplicate, "duplicate"),
            Refusal::Stale { .. } | Refusal::Void { .. } => (Reject::JobNotFound, "stale"),
            Refusal::Upstream { code, message } => (reject(*code, message), "upstream"),
            Refusal::NoUpstream { .. } => (Reject::Other, "no-upstream"),
            Refusal::LowDifficulty { .. } => (Reject::LowDifficulty, "low-difficulty"),
            Refusal::Unbuildable { .. } => (Reject::Other, "unbuildable"),
            Refusal::Unrecorded { .. } => (Reject::Other, "unrecorded"),
        }
    }
}

impl From<&Refusal> for RpcError {
    fn from(refusal: &Refusal) -> RpcError {
        RpcError { code: refusal.kind().0.code(), message: refusal.to_string() }
    }
}

/// What an upstream's refusal stands for: by its code, or by its words where the code is none that pools share.
fn reject(code: i64, words: &str) -> Reject {
    let all = [
        (Reject::JobNotFound, "stale"),
        (Reject::Duplicate, "duplicate"),
        (Reject::LowDifficulty, "low difficulty"),
        (Reject::Unauthorized, "unauthorized"),
        (Reject::NotSubscribed, "not subscribed"),
    ];
    if let Some((reject, _)) = all.iter().find(|(reject, _)| reject.code() == code) {
        return *reject;
    }
    let words = words.to_lowercase();
    let said = all.iter().find(|(_, word)| code != Reject::Other.code() && words.contains(word));
    said.map_or(Reject::Other, |(reject, _)| *reject)
}

/// A difficulty to four digits, rounded down, so that it is below `asked` as it is shown too. As floats the two may be equal.
fn below(reached: f64, asked: Difficulty) -> f64 {
    let reached = reached.min(asked.get().next_down());
    let rounded = format!("{reached:.3e}").parse().unwrap_or(reached);
    if rounded <= reached {
        return rounded;
    }
    // One less in the last digit.
    let lower = rounded - 10f64.powi(reached.log10().floor() as i32 - 3);
    format!("{lower:.3e}").parse().unwrap_or(lower)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitcoin::hashes::Hash;

    #[test]
    fn the_numbers_are_said() {
        let secs = Duration::from_secs_f64;
        let low = |reached, asked| Refusal::LowDifficulty {
            reached,
            asked: Difficulty::new(asked).unwrap(),
            hash: BlockHash::all_zeros(),
            target: Target::MAX,
        };
        let (job, user) = ("12".to_owned(), "mallory".to_owned());
        for (refusal, code, said) in [
            (Refusal::Unauthorized { user }, 24, "unauthorized worker: \"mallory\""),
            (Refusal::UnknownJob { job: job.clone() }, 21, "job not found: \"12\""),
            (Refusal::Extranonce2 { found: 3, expected: 8 }, 20, "extranonce2 has 3 bytes; expected 8"),
            (
                Refusal::TooLate { ntime: 1_700_000_000, earliest: 1_699_990_000 },
                20,
                "ntime 1700000000: beyond job's 1699990000 + 7000",
            ),
            (Refusal::TooEarly { ntime: 1, earliest: 2 }, 20, "ntime 1: before job's 2"),
            (Refusal::VersionBits { bits: 1, mask: 0x1fff_e000 }, 20, "version bits 00000001 outside mask 1fffe000"),
            (
                Refusal::Duplicate { number: 812, accepted: true, ago: secs(2.12) },
                22,
                "duplicate of share no. 812, accepted 2.1 s ago",
            ),
            (
                Refusal::Stale { job, height: 101, tip: 102, since: secs(3.2), grace: secs(0.0) },
                21,
                "stale: job 12 is for height 101, tip is 102 since 3.2 s; grace 0 s",
            ),
        ] {
            assert_eq!((RpcError::from(&refusal).code, refusal.to_string().as_str()), (code, said));
        }
        for (code, message, ours) in
            [(21, "?", 21), (2, "Stale", 21), (-1, "Duplicate share", 22), (20, "stale", 20), (7, "no", 20)]
        {
            let refusal = Refusal::Upstream { code, message: message.to_owned() };
            assert_eq!(RpcError::from(&refusal).code, ours);
            let words = format!("the upstream refused it: {message} (code {code})");
            assert_eq!(refusal.to_string(), words);
        }
        let text = low(0.003_177, 1.0).to_string();
        assert!(text.starts_with("low difficulty: 0.003177 < 1, hash 0000"), "{text}");
        assert!(text.contains(&format!("> target {}", Target::MAX)), "{text}");
        // Even the nearest miss is shown as one.
        for (reached, said) in [(1.0, "0.9999 < 1,"), (0.999_99, "0.9999 < 1,"), (0.123_456, "0.1234 < 1,")] {
            assert!(low(reached, 1.0).to_string().contains(said), "{}", low(reached, 1.0));
        }
    }
}
