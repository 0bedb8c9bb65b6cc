//! Which blocks a source has built on, so that an old one is known again.
//!
//! Each source is held against its own word only. Nobody can tell whether a tip is real without the chain's headers, so a pool
//! that lies could otherwise make all others look outdated.

use super::PayoutError;
use crate::sha256::Hash;
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

/// So many blocks are remembered.
const KEPT: usize = 64;
/// How long the highest is held against a source that goes back. After an hour the chain has gone on; where it has not, it may
/// be that somebody took blocks back on purpose, as on regtest, and then the miner must not stay away for ever.
const MEMORY: Duration = Duration::from_secs(3600);

/// What a source built on, over all its sessions.
#[derive(Debug, Default)]
pub(super) struct Tips {
    /// Previous blocks, each with the height of what is built on it; the newest last.
    seen: VecDeque<([u8; 32], u32)>,
    /// The highest of those heights, and when it was last built.
    highest: Option<(u32, Instant)>,
}

impl Tips {
    /// Notes what a job builds on, unless that is an old tip: one that the source left for a higher one, or that is lower than the
    /// highest by more than a reorganisation can be.
    pub(super) fn note(&mut self, tip: [u8; 32], height: u32, deepest: u32, now: Instant) -> Result<(), PayoutError> {
        let known = self.seen.iter().find(|(hash, _)| *hash == tip).map(|(_, height)| *height);
        if let Some(before) = known.filter(|before| *before != height) {
            let expected = format!("{before}, as in an earlier job on the same block");
            return Err(PayoutError::Height { height, expected });
        }
        let current = self.seen.back().is_some_and(|(hash, _)| *hash == tip);
        let highest = self.highest.filter(|(_, when)| now.duration_since(*when) < MEMORY).map(|(highest, _)| highest);
        if let Some(highest) = highest.filter(|highest| height < *highest && !current)
            && (known.is_some() || highest - height > deepest)
        {
            return Err(PayoutError::OldTip { tip: Hash(tip).to_string(), height, highest });
        }
        if !current {
            self.seen.retain(|(hash, _)| *hash != tip);
            self.seen.push_back((tip, height));
            if self.seen.len() > KEPT {
                self.seen.pop_front();
            }
        }
        if highest.is_none_or(|highest| highest <= height) {
            self.highest = Some((height, now));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of jobs on these blocks, with these heights, an hour's part after the other.
    fn history(jobs: &[(u8, u32)], apart: Duration) -> Vec<bool> {
        let (mut tips, start) = (Tips::default(), Instant::now());
        let take =
            |(at, (tip, height)): (u32, &(u8, u32))| tips.note([*tip; 32], *height, 6, start + apart * at).is_ok();
        (0..).zip(jobs).map(take).collect()
    }

    #[test]
    fn a_chain_goes_on_and_may_fork_a_little() {
        let soon = Duration::from_secs(30);
        // Job after job; one that was left out; two blocks of one height, of which now one and now the other is better.
        assert_eq!(history(&[(1, 100), (1, 100), (2, 101), (3, 104)], soon), [true; 4]);
        assert_eq!(history(&[(1, 100), (2, 100), (1, 100), (2, 100), (3, 101)], soon), [true; 5]);
        // A reorganisation to a lower tip that was not seen before, which then stays.
        assert_eq!(history(&[(1, 100), (2, 101), (3, 98), (3, 98), (4, 99)], soon), [true; 5]);
    }

    #[test]
    fn an_old_tip_is_known_again() {
        let soon = Duration::from_secs(30);
        assert_eq!(history(&[(1, 100), (2, 101), (1, 100), (2, 101), (3, 102)], soon), [true, true, false, true, true]);
        assert_eq!(history(&[(1, 100), (2, 94), (3, 93), (4, 101)], soon), [true, true, false, true]);
        // The same block cannot be built on at two heights.
        assert_eq!(history(&[(1, 100), (1, 101), (1, 99)], soon), [true, false, false]);
        // After an hour it is taken at its word.
        assert_eq!(history(&[(1, 100), (2, 101), (1, 100)], MEMORY), [true; 3]);
    }

    #[test]
    fn an_old_tip_is_said() {
        let (mut tips, now) = (Tips::default(), Instant::now());
        tips.note([1; 32], 100, 6, now).unwrap();
        tips.note([2; 32], 101, 6, now).unwrap();
        let error = tips.note([1; 32], 100, 6, now).unwrap_err().to_string();
        assert!(error.contains(&"01".repeat(32)) && error.contains("100") && error.contains("101"), "{error}");
    }

    #[test]
    fn the_memory_is_bounded() {
        let (mut tips, now) = (Tips::default(), Instant::now());
        for height in 1..1000_u32 {
            let mut tip = [0; 32];
            tip[..4].copy_from_slice(&height.to_le_bytes());
            tips.note(tip, height, 6, now).unwrap();
        }
        assert_eq!(tips.seen.len(), KEPT);
    }
}
