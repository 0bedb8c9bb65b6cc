//! SHA-256 as FIPS 180-4 writes it, and the double hash of a block header.
//!
//! This is the reference: it is written to be read beside the standard, it is checked against the `sha2` crate and the
//! NIST vectors, and every nonce that any kernel reports is judged by it. Speed lives in [`crate::backend`].

mod compress;
mod header;
mod partial;

pub use compress::{IV, K, compress, schedule};
pub use header::{Hash, Header, Midstate, sha256, sha256d};
pub use partial::{Rounds, Schedule};

pub(crate) use compress::round;
#[cfg(target_arch = "x86_64")]
pub(crate) use compress::{small_sigma0, small_sigma1};
pub(crate) use partial::{DIGEST_BITS, HEADER_BITS, PADDING};
