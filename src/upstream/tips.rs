//! Blocks that the chain has gone on from, and the sources that still build on them.
//!
//! A block is old once a source has left it for one that is not old. A new tip spreads in seconds, and a reorganisation may go back to a
//! block for a while; so a source that builds on an old one is given [`PATIENCE`]. All sources of a miner are believed here: one
//! that lies can make the others look outdated, but no longer than until their next block. (Where a pool is held to pay an address,
//! `payout` is stricter, and takes each at its own word.)

use crate::sha256::Hash;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// For so long a source may build on an old block.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// So many old blocks are remembered.
const KEPT: usize = 64;
/// And for so long. Where the chain has not gone on by then, somebody took blocks back on purpose, as on regtest.
const MEMORY: Duration = Duration::from_secs(3600);

/// The old blocks that are known, to all sources of a miner alike.
#[derive(Clone, Debug, Default)]
pub(super) struct Old(Arc<Mutex<Left>>);

/// Blocks that were left, each with when that was.
type Left = VecDeque<([u8; 32], Instant)>;

/// What a source builds on.
#[derive(Clone, Debug)]
pub(super) struct Tip {
    old: Old,
    last: watch::Sender<Last>,
}

/// The last block that a source built on.
#[derive(Clone, Copy, Debug, Default)]
struct Last {
    block: Option<[u8; 32]>,
    /// Since when it has been known to be old.
    since: Option<Instant>,
}

impl Old {
    /// Whether a block is old to a source that built on `last` before; else that is old from now on.
    fn is_old(&self, block: [u8; 32], last: Option<[u8; 32]>, now: Instant) -> bool {
        let mut old = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        old.retain(|(_, left)| now.duration_since(*left) < MEMORY);
        let is_old = |block| old.iter().any(|(known, _)| *known == block);
        if is_old(block) {
            return true;
        }
        if let Some(last) = last.filter(|last| *last != block && !is_old(*last)) {
            old.push_back((last, now));
            if old.len() > KEPT {
                old.pop_front();
            }
        }
        false
    }
}

impl Tip {
    /// Of a source that built on nothing yet.
    pub(super) fn new(old: Old) -> Tip {
        Tip { old, last: watch::Sender::default() }
    }

    /// A session with the source begins: what it was before it need not be any more.
    pub(super) fn begin(&self) {
        self.last.send_modify(|last| last.since = None);
    }

    /// Notes what a job of the source builds on.
    pub(super) fn note(&self, block: [u8; 32]) {
        let now = Instant::now();
        self.last.send_modify(|last| {
            let is_old = self.old.is_old(block, last.block, now);
            *last = Last { block: Some(block), since: is_old.then(|| last.since.unwrap_or(now)) };
        });
    }

    /// The block that the source's last job builds on, if it is old.
    pub(super) fn outdated(&self) -> Option<Hash> {
        let last = *self.last.borrow();
        last.block.filter(|_| last.since.is_some()).map(Hash)
    }

    /// Waits until the source has stayed on old blocks for too long, or where it has, until it builds on another.
    pub(super) async fn changed(&self, outdated: bool) {
        let mut last = self.last.subscribe();
        loop {
            let since = last.borrow_and_update().since;
            match since {
                None if outdated => return,
                Some(since) if !outdated => {
                    tokio::select! {
                        () = sleep_until(since + PATIENCE) => return,
                        _ = last.changed() => {}
                    }
                }
                // The sender is here: it does not end.
                _ => drop(last.changed().await),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is old of these blocks, each of a source by its number, so long after the one before.
    fn history(blocks: &[(usize, u8)], apart: Duration) -> Vec<bool> {
        let (old, start) = (Old::default(), Instant::now());
        let mut last = [None; 2];
        let mut is_old = |(at, (source, block)): (u32, &(usize, u8))| {
            let block = [*block; 32];
            old.is_old(block, last[*source].replace(block), start + apart * at)
        };
        (0..).zip(blocks).map(&mut is_old).collect()
    }

    const SOON: Duration = Duration::from_secs(30);

    #[test]
    fn a_chain_goes_on() {
        assert_eq!(history(&[(0, 1), (0, 1), (0, 2), (0, 3)], SOON), [false; 4]);
        // Two sources on two sides of a fork, which ends with the next block on either.
        assert_eq!(history(&[(0, 1), (1, 1), (0, 2), (1, 3), (0, 4), (1, 4)], SOON), [false; 6]);
    }

    #[test]
    fn what_was_left_is_old_for_the_same_source_and_for_others() {
        assert_eq!(
            history(&[(0, 1), (0, 2), (0, 1), (0, 2), (0, 1), (0, 3)], SOON),
            [false, false, true, false, true, false]
        );
        assert_eq!(history(&[(0, 1), (1, 1), (0, 2), (1, 1), (1, 2)], SOON), [false, false, false, true, false]);
        // To go back makes nothing old.
        assert_eq!(history(&[(0, 1), (0, 2), (0, 1), (1, 2)], SOON), [false, false, true, false]);
    }

    #[test]
    fn nothing_is_remembered_for_ever() {
        assert_eq!(history(&[(0, 1), (0, 2), (0, 1)], MEMORY), [false; 3]);
        let (old, now) = (Old::default(), Instant::now());
        assert!(!(1..200).any(|block| old.is_old([block; 32], Some([block - 1; 32]), now)));
        assert_eq!(old.0.lock().unwrap().len(), KEPT);
    }
}
