//! What every backend passes before it may search for anybody.
//!
//! The questions cover what kernels get wrong: the first and last nonce, ranges that wrap or are shorter than a vector,
//! every lane, several versions, easy targets with many winners and the real one with a single winner, and the count
//! of hashes. The answers come from the reference.

use super::{Backend, Cancel, SearchError};
use crate::sha256::Header;
use crate::work::{Candidate, NonceRange, Work};
use midstate_stratum::Target;
use thiserror::Error;

/// Why a backend was refused.
#[derive(Debug, Error)]
pub enum SelfTestError {
    /// It reported other nonces than the reference.
    #[error(
        "self-test failed: nonces {range:?} of header {header} gave {found} candidates, the reference gives {expected}; \
         first difference at {difference:?}"
    )]
    Candidates {
        /// The header searched.
        header: Box<Header>,
        /// Over which nonces.
        range: NonceRange,
        /// How many candidates the backend reported.
        found: usize,
        /// How many there are.
        expected: usize,
        /// The smallest candidate that only one of the two has.
        difference: Option<Candidate>,
    },
    /// It counted other than it searched.
    #[error("self-test failed: counted {counted} hashes where the work is {expected}")]
    Count {
        /// What the backend counted.
        counted: u64,
        /// What there was to count.
        expected: u64,
    },
    /// The device failed.
    #[error("self-test failed: {0}")]
    Search(#[from] SearchError),
}

/// Block 0 (the genesis block) and block 822,528, one of the first with a rolled version.
pub(crate) const HEADERS: [Header; 2] = [
    Header(*include_bytes!("../../tests/data/header-000000.bin")),
    Header(*include_bytes!("../../tests/data/header-822528.bin")),
];

/// Asks `backend` questions whose answers the reference knows.
pub fn self_test(backend: &mut dyn Backend) -> Result<(), SelfTestError> {
    for header in HEADERS {
        let real = Target::from_compact(header.nbits()).unwrap_or(Target::DIFFICULTY_1);
        check(backend, &Work::new(header, NonceRange::around(header.nonce(), 300), real))?;
        // Every other hash: every lane of any vector, and every place of any table, has winners and losers.
        let mut easy = [0xff; 32];
        easy[0] = 0x7f;
        let easy = Target::from_be_bytes(easy);
        let versions = [header.version(), header.version() ^ 0x1fff_e000];
        for range in [
            NonceRange::inclusive(0, 511),
            NonceRange::inclusive(0xffff_ff00, 0xffff_ffff),
            NonceRange::inclusive(0xffff_fff0, 0x0000_00f0),
            NonceRange::inclusive(0x7fff_ffc1, 0x8000_0043),
            NonceRange::inclusive(5, 5),
        ] {
            check(backend, &Work::with_versions(header, versions, range, easy))?;
        }
        // As many versions as suit it, so that every place for one is used.
        let versions = (0..backend.versions() as u32).map(|rolled| header.version() ^ rolled << 13);
        check(backend, &Work::with_versions(header, versions, NonceRange::inclusive(7, 77), easy))?;
        // Every hash wins: nothing may be lost where results come thick.
        check(backend, &Work::new(header, NonceRange::inclusive(1, 100), Target::MAX))?;
    }
    Ok(())
}

fn check(backend: &mut dyn Backend, work: &Work) -> Result<(), SelfTestError> {
    let mut found = Vec::new();
    let counted = backend.search(work, &Cancel::never(), &mut |candidate| found.push(candidate))?;
    found.sort_unstable();

    let tail = work.tail();
    let mut expected = Vec::new();
    for (version, midstate) in work.midstates().enumerate() {
        let wins = |nonce: &u32| work.target().is_met_by(&midstate.hash(&tail, *nonce).0);
        expected.extend(work.range().iter().filter(wins).map(|nonce| Candidate { version, nonce }));
    }
    expected.sort_unstable();

    if found != expected {
        let difference = found.iter().zip(&expected).find(|(f, e)| f != e).map(|(f, e)| *f.min(e));
        let (short, long) = if found.len() < expected.len() { (&found, &expected) } else { (&expected, &found) };
        return Err(SelfTestError::Candidates {
            header: Box::new(work.header(Candidate { version: 0, nonce: work.range().first() }).unwrap_or(HEADERS[0])),
            range: work.range(),
            found: found.len(),
            expected: expected.len(),
            difference: difference.or_else(|| long.get(short.len()).copied()),
        });
    }
    if counted != work.hashes() {
        return Err(SelfTestError::Count { counted, expected: work.hashes() });
    }
    Ok(())
}
