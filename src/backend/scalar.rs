//! The reference in a loop: slow, and right by inspection.

use super::{Backend, Cancel, Identity, SearchError};
use crate::work::{Candidate, Work};

/// How many hashes pass between two looks at the cancel token: 2 to 4 ms.
const CHUNK: u64 = 1 << 11;

/// Searches with [`crate::sha256`]'s reference, one hash at a time.
#[derive(Debug)]
pub struct Scalar {
    identity: Identity,
}

impl Scalar {
    /// Always there.
    pub fn new() -> Scalar {
        Scalar { identity: Identity { backend: "scalar", kernel: "reference", device: String::new() } }
    }
}

impl Default for Scalar {
    fn default() -> Self {
        Self::new()
    }
}

impl Backend for Scalar {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn search(&mut self, work: &Work, cancel: &Cancel, found: &mut dyn FnMut(Candidate)) -> Result<u64, SearchError> {
        let tail = work.tail();
        let mut hashes = 0;
        let mut rest = work.range();
        while !rest.is_empty() && !cancel.is_cancelled() {
            let chunk = rest.take_front(CHUNK);
            for (version, midstate) in work.midstates().enumerate() {
                for nonce in chunk.iter() {
                    if work.target().is_met_by(&midstate.hash(&tail, nonce).0) {
                        found(Candidate { version, nonce });
                    }
                }
                hashes += chunk.len();
            }
        }
        Ok(hashes)
    }
}
