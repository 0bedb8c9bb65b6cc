//! What of a header's hash does not depend on the nonce.
//!
//! The nonce is word 3 of the second block, so three rounds and several schedule words are the same for all nonces, and
//! many more have constant parts: words 4 to 15 of that block are padding. Kernels on every device start from here.
//!
//! With σ0, σ1 the schedule's functions and the padding put in, the schedule's first new words are
//!
//! ```text
//! w16 = σ0(w1) + w0                      known
//! w17 = σ1(w15) + σ0(w2) + w1            known
//! w18 = σ1(w16) + w2          + σ0(w3)   w18_base + σ0(nonce)
//! w19 = σ1(w17) + σ0(w4)      + w3       w19_base + nonce
//! w31 = w15 + σ0(w16)         + …        w31_base + …
//! w32 = σ0(w17) + w16         + …        w32_base + …
//! ```
//!
//! None of these words sees the midstate. So versions of a header, which differ in their midstates alone, share the whole
//! schedule of the first hash: it is computed once a nonce, however many versions are searched (overt `AsicBoost`).

use super::compress::{K, round, small_sigma0, small_sigma1};
use super::header::Midstate;

/// The nonce-independent part of the first hash's schedule: the same for all versions of a header.
///
/// `nonce` below is the schedule word: the header's nonce with its bytes swapped, since the header holds it
/// little-endian and SHA-256 reads words big-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Words 0 to 2: the header's last 12 bytes before the nonce.
    pub tail: [u32; 3],
    /// Schedule word 16.
    pub w16: u32,
    /// Schedule word 17.
    pub w17: u32,
    /// Schedule word 18 less σ0(nonce).
    pub w18_base: u32,
    /// Schedule word 19 less the nonce.
    pub w19_base: u32,
    /// The known part of schedule word 31: w15 + σ0(w16).
    pub w31_base: u32,
    /// The known part of schedule word 32: σ0(w17) + w16.
    pub w32_base: u32,
}

/// The nonce-independent part of the first hash's rounds, for one version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rounds {
    /// The chaining value that the last round's variables are added to.
    pub midstate: [u32; 8],
    /// The variables after round 2.
    pub after_round_2: [u32; 8],
    /// After round 3, `a` is this plus the nonce.
    pub round_3_a: u32,
    /// After round 3, `e` is this plus the nonce.
    pub round_3_e: u32,
}

/// The second block's word 4: the padding's one bit.
pub(crate) const PADDING: u32 = 0x8000_0000;
/// The second block's word 15: the length of a header in bits.
pub(crate) const HEADER_BITS: u32 = 80 * 8;
/// The second hash's word 15: the length of a digest in bits.
pub(crate) const DIGEST_BITS: u32 = 32 * 8;

impl Schedule {
    /// Prepares the schedule for the 12 header bytes that follow the first 64.
    pub fn new(tail: &[u8; 12]) -> Schedule {
        let [w0, w1, w2] = [0, 4, 8].map(|at| u32::from_be_bytes([tail[at], tail[at + 1], tail[at + 2], tail[at + 3]]));
        let w16 = small_sigma0(w1).wrapping_add(w0);
        let w17 = small_sigma1(HEADER_BITS).wrapping_add(small_sigma0(w2)).wrapping_add(w1);
        Schedule {
            tail: [w0, w1, w2],
            w16,
            w17,
            w18_base: small_sigma1(w16).wrapping_add(w2),
            w19_base: small_sigma1(w17).wrapping_add(small_sigma0(PADDING)),
            w31_base: HEADER_BITS.wrapping_add(small_sigma0(w16)),
            w32_base: small_sigma0(w17).wrapping_add(w16),
        }
    }

    /// Prepares the rounds under a midstate.
    pub fn rounds(&self, midstate: &Midstate) -> Rounds {
        let mut after_round_2 = midstate.0;
        for (k, w) in K.into_iter().zip(self.tail) {
            after_round_2 = round(after_round_2, k.wrapping_add(w));
        }
        let round_3 = round(after_round_2, K[3]);
        Rounds { midstate: midstate.0, after_round_2, round_3_a: round_3[0], round_3_e: round_3[4] }
    }
}

#[cfg(test)]
mod tests {
    use super::super::compress::schedule;
    use super::*;

    #[test]
    fn agrees_with_the_whole_schedule() {
        let header = crate::testing::genesis();
        let nonce = header.nonce().swap_bytes();
        let tail = header.tail();
        let known = Schedule::new(&tail);
        let rounds = known.rounds(&header.midstate());
        let mut block = [0; 16];
        block[..3].copy_from_slice(&known.tail);
        block[3] = nonce;
        block[4] = PADDING;
        block[15] = HEADER_BITS;
        let w = schedule(&block);
        assert_eq!(known.w16, w[16]);
        assert_eq!(known.w17, w[17]);
        assert_eq!(known.w18_base.wrapping_add(small_sigma0(nonce)), w[18]);
        assert_eq!(known.w19_base.wrapping_add(nonce), w[19]);
        assert_eq!(known.w31_base.wrapping_add(small_sigma1(w[29])).wrapping_add(w[24]), w[31]);
        assert_eq!(known.w32_base.wrapping_add(small_sigma1(w[30])).wrapping_add(w[25]), w[32]);

        let mut state = rounds.midstate;
        for t in 0..4 {
            state = round(state, K[t].wrapping_add(w[t]));
        }
        assert_eq!(state[0], rounds.round_3_a.wrapping_add(nonce));
        assert_eq!(state[4], rounds.round_3_e.wrapping_add(nonce));
        assert_eq!([state[1], state[2], state[3]], rounds.after_round_2[..3]);
        assert_eq!([state[5], state[6], state[7]], rounds.after_round_2[4..7]);
    }
}
