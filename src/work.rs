//! What a backend is given to search, and what it returns.

use crate::sha256::{Header, Midstate};
use midstate_stratum::Target;
use std::sync::Arc;
use thiserror::Error;

/// A run of consecutive nonces, which may wrap from `0xffff_ffff` to 0. At most all 2^32 of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NonceRange {
    first: u32,
    count: u64,
}

/// A range of more nonces than there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("nonce range: {0} nonces asked for, there are 4294967296")]
pub struct RangeTooLong(pub u64);

impl NonceRange {
    /// All 2^32 nonces, from 0.
    pub const ALL: NonceRange = NonceRange { first: 0, count: 1 << 32 };

    /// `count` nonces from `first` on, wrapping.
    pub fn new(first: u32, count: u64) -> Result<NonceRange, RangeTooLong> {
        if count > Self::ALL.count { Err(RangeTooLong(count)) } else { Ok(NonceRange { first, count }) }
    }

    /// From `first` to `last`, both included, wrapping where `last` is below `first`.
    pub fn inclusive(first: u32, last: u32) -> NonceRange {
        NonceRange { first, count: u64::from(last.wrapping_sub(first)) + 1 }
    }

    /// The nonces at most `reach` away from `nonce` on either side, wrapping.
    pub fn around(nonce: u32, reach: u32) -> NonceRange {
        if reach >= 1 << 31 {
            return NonceRange::ALL;
        }
        NonceRange { first: nonce.wrapping_sub(reach), count: 2 * u64::from(reach) + 1 }
    }

    /// The first nonce.
    pub fn first(&self) -> u32 {
        self.first
    }

    /// How many nonces there are.
    pub fn len(&self) -> u64 {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether `nonce` is one of them.
    pub fn contains(&self, nonce: u32) -> bool {
        u64::from(nonce.wrapping_sub(self.first)) < self.count
    }

    /// Takes up to `count` nonces off the front.
    #[must_use]
    pub fn take_front(&mut self, count: u64) -> NonceRange {
        let taken = NonceRange { first: self.first, count: count.min(self.count) };
        // A count of 2^32 truncates to 0: all nonces on from `first` is `first` again.
        self.first = self.first.wrapping_add(taken.count as u32);
        self.count -= taken.count;
        taken
    }

    /// The nonces, in order.
    pub fn iter(self) -> impl Iterator<Item = u32> {
        (0..self.count).map(move |i| self.first.wrapping_add(i as u32))
    }
}

/// A header to search: under one or several versions, over a range of nonces, for hashes that meet a target.
///
/// Version rolling (BIP 310, BIP 320) gives several midstates with the same bytes after them, so that a kernel may
/// share one message schedule between them. A midstate and a nonce together are one hash.
#[derive(Clone, Debug)]
pub struct Work {
    header: Header,
    versions: Arc<[(u32, Midstate)]>,
    range: NonceRange,
    target: Target,
}

impl Work {
    /// Work on one header as it stands.
    pub fn new(header: Header, range: NonceRange, target: Target) -> Work {
        Self::with_versions(header, [header.version()], range, target)
    }

    /// Work on a header under each of several versions.
    pub fn with_versions(
        header: Header,
        versions: impl IntoIterator<Item = u32>,
        range: NonceRange,
        target: Target,
    ) -> Work {
        let versions = versions.into_iter().map(|v| (v, header.with_version(v).midstate())).collect();
        Work { header, versions, range, target }
    }

    /// The same work over other nonces.
    #[must_use]
    pub fn over(&self, range: NonceRange) -> Work {
        Work { range, ..self.clone() }
    }

    /// One midstate for each version; a [`Candidate`] names its own by the index here.
    pub fn midstates(&self) -> impl ExactSizeIterator<Item = &Midstate> {
        self.versions.iter().map(|(_, midstate)| midstate)
    }

    /// The 12 header bytes between the midstate and the nonce.
    pub fn tail(&self) -> [u8; 12] {
        self.header.tail()
    }

    /// The nonces to search.
    pub fn range(&self) -> NonceRange {
        self.range
    }

    /// What a hash must not exceed.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// How many hashes this work is.
    pub fn hashes(&self) -> u64 {
        self.range.len() * self.versions.len() as u64
    }

    /// The whole header of a candidate, or `None` where it names a version or a nonce that this work does not have.
    pub fn header(&self, candidate: Candidate) -> Option<Header> {
        let (version, _) = self.versions.get(candidate.version)?;
        self.range.contains(candidate.nonce).then(|| self.header.with_version(*version).with_nonce(candidate.nonce))
    }
}

/// A nonce that a backend says meets the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Candidate {
    /// Which of the work's versions, by index.
    pub version: usize,
    /// The nonce, as a number (the header holds it little-endian).
    pub nonce: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_wrap_and_split() {
        let mut range = NonceRange::around(1, 3);
        assert_eq!(range.iter().collect::<Vec<_>>(), [0xffff_fffe, 0xffff_ffff, 0, 1, 2, 3, 4]);
        assert!(range.contains(u32::MAX) && range.contains(4) && !range.contains(5));
        assert_eq!(range.take_front(3).iter().last(), Some(0));
        assert_eq!(range, NonceRange::inclusive(1, 4));
        assert_eq!(range.take_front(100).len(), 4);
        assert!(range.is_empty() && !range.contains(5));

        let mut all = NonceRange::ALL;
        assert_eq!(NonceRange::inclusive(7, 6).len(), all.len());
        assert_eq!(all.take_front(1 << 32).len(), 1 << 32);
        assert_eq!((all.first(), all.len()), (0, 0));
        assert_eq!(NonceRange::new(5, (1 << 32) + 1), Err(RangeTooLong((1 << 32) + 1)));
    }

    #[test]
    fn a_candidate_outside_the_work_has_no_header() {
        let genesis = crate::testing::genesis();
        let work = Work::with_versions(genesis, [1, 4], NonceRange::inclusive(10, 20), Target::MAX);
        assert_eq!(work.hashes(), 22);
        let header = work.header(Candidate { version: 1, nonce: 20 }).unwrap();
        assert_eq!((header.version(), header.nonce()), (4, 20));
        assert_eq!(work.header(Candidate { version: 1, nonce: 21 }), None);
        assert_eq!(work.header(Candidate { version: 2, nonce: 20 }), None);
    }
}
