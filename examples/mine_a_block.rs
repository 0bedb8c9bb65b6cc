//! Finds the nonce of Bitcoin's first block: a header, a range of nonces, a target, and a backend that searches them.
//!
//!     cargo run --release --example mine_a_block

use midstate::backend::{Cancel, Kind, Selection, open};
use midstate::engine::search_once;
use midstate::sha256::Header;
use midstate::work::{NonceRange, Work};
use midstate_stratum::Target;
use std::error::Error;

/// The header of Bitcoin's first block, without its nonce.
const GENESIS: &[u8; 80] = include_bytes!("../tests/data/header-000000.bin");

/// Every header with a hash that meets the header's own target, of those with a nonce in the range.
pub(crate) fn mine(header: Header, range: NonceRange) -> Result<Vec<Header>, Box<dyn Error>> {
    let mut backends = open(&Selection::of(Kind::Cpu))?;
    let work = Work::new(header, range, Target::from_compact(header.nbits())?);
    let found = search_once(&mut backends, &work, &Cancel::never())?;
    Ok(found.candidates.into_iter().filter_map(|candidate| work.header(candidate)).collect())
}

fn main() -> Result<(), Box<dyn Error>> {
    let header = Header(*GENESIS).with_nonce(0);
    for found in mine(header, NonceRange::inclusive(0, u32::MAX))? {
        println!("nonce {:10}: {}", found.nonce(), found.hash());
    }
    Ok(())
}
