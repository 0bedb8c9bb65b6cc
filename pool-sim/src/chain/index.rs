//! The tree of headers.

use bitcoin::BlockHash;
use bitcoin::block::Header;
use bitcoin::pow::Work;
use std::collections::HashMap;

/// What is known of a block's validity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Validity {
    /// What it spends was never looked at, as its chain was never the best.
    Unchecked,
    /// It was on the best chain once.
    Valid,
    /// It, or a block below it, breaks a rule.
    Invalid,
}

/// A block in the index.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) header: Header,
    pub(super) height: u32,
    /// Of the whole chain up to here.
    pub(super) work: Work,
    pub(super) validity: Validity,
}

/// All headers that are known, each with its parent.
#[derive(Debug)]
pub(super) struct Index {
    entries: HashMap<BlockHash, Entry>,
}

impl Index {
    pub(super) fn new(genesis: Header) -> Index {
        let entry = Entry { header: genesis, height: 0, work: genesis.work(), validity: Validity::Valid };
        Index { entries: HashMap::from([(genesis.block_hash(), entry)]) }
    }

    pub(super) fn get(&self, hash: &BlockHash) -> Option<&Entry> {
        self.entries.get(hash)
    }

    /// Puts a header on its parent; `None` if that is not known.
    pub(super) fn insert(&mut self, header: Header, validity: Validity) -> Option<&Entry> {
        let parent = self.entries.get(&header.prev_blockhash)?;
        let entry = Entry { header, height: parent.height + 1, work: parent.work + header.work(), validity };
        Some(self.entries.entry(header.block_hash()).insert_entry(entry).into_mut())
    }

    pub(super) fn mark_valid(&mut self, hash: &BlockHash) {
        if let Some(entry) = self.entries.get_mut(hash) {
            entry.validity = Validity::Valid;
        }
    }

    /// Marks a block, and all that build on it.
    pub(super) fn invalidate(&mut self, hash: &BlockHash) {
        let Some(bad) = self.entries.get_mut(hash) else { return };
        bad.validity = Validity::Invalid;
        let height = bad.height;
        // From below upwards, so that a parent is marked before its children are looked at.
        let mut above: Vec<(u32, BlockHash, BlockHash)> = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.height > height)
            .map(|(hash, entry)| (entry.height, *hash, entry.header.prev_blockhash))
            .collect();
        above.sort_unstable();
        for (_, hash, parent) in above {
            let void = self.entries.get(&parent).is_some_and(|parent| parent.validity == Validity::Invalid);
            if let Some(entry) = self.entries.get_mut(&hash).filter(|_| void) {
                entry.validity = Validity::Invalid;
            }
        }
    }

    /// A block and all before it.
    pub(super) fn ancestry(&self, from: BlockHash) -> impl Iterator<Item = (BlockHash, &Entry)> {
        let mut next = Some(from);
        std::iter::from_fn(move || {
            let hash = next?;
            let entry = self.entries.get(&hash)?;
            next = (entry.height > 0).then_some(entry.header.prev_blockhash);
            Some((hash, entry))
        })
    }

    /// The median of a block's time and the ten before it (BIP 113).
    pub(super) fn median_time_past(&self, hash: &BlockHash) -> u32 {
        let mut times: Vec<u32> = self.ancestry(*hash).take(11).map(|(_, entry)| entry.header.time).collect();
        times.sort_unstable();
        times.get(times.len() / 2).copied().unwrap_or(0)
    }
}
