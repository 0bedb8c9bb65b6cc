//! The one kernel, for every instruction set.
//!
//! # What is not computed
//!
//! A nonce costs two compressions of 64 rounds and 48 new schedule words each. Of those
//!
//! - rounds 0 to 3 of the first, and what the schedule makes of constants, come ready in [`Partial`];
//! - words that are padding are constants: they melt into round constants, and vanish from sums;
//! - a hash meets a target only if its most significant word does. That is the digest's last word, `h`. In the last
//!   rounds the variables only move along: `h` after round 63 is `e` after round 60. So rounds 61 to 63 and their
//!   schedule words are left out, and the compiler drops what only they would have read;
//! - the lanes whose last word is small enough are few. The caller checks those in full, with the reference.
//!
//! # How it is written
//!
//! As a straight line of functions that are always inlined into one body: a round takes the eight variables and gives
//! them moved along by one, which costs nothing, since the moves are only names to the compiler. Loops over rounds are
//! unrolled by a macro, so that every index is a constant and the sixteen schedule words live in registers.

use super::lanes::Lanes;
use crate::sha256::{HEADER_BITS, IV, K, PADDING, Partial, round};

/// The nonces whose hash's most significant word does not exceed the target's.
pub(super) type Hits = Vec<u32>;

/// Length of the second message in bits: a digest.
const DIGEST_BITS: u32 = 256;

/// Repeats a block for each value, as constants.
macro_rules! unrolled {
    ($t:ident in [$($value:literal)*] $body:block) => { $( { let $t: usize = $value; $body } )* };
}

/// Tests `count` nonces from `first` on, wrapping, and puts those into `hits` whose hash may meet a target with the
/// most significant word `limit`. Exactly those nonces: lanes beyond the count are masked.
#[inline(always)]
pub(super) fn scan<V: Lanes>(partial: &Partial, first: u32, count: u32, limit: u32, hits: &mut Hits) {
    let mut done = 0;
    while done < count {
        let nonce = first.wrapping_add(done);
        let mut lanes = last_word(partial, V::count_from(nonce).swap_bytes()).swapped_at_most(limit);
        if lanes != 0 {
            let left = count - done;
            if left < V::COUNT {
                lanes &= (1 << left) - 1;
            }
            while lanes != 0 {
                hits.push(nonce.wrapping_add(lanes.trailing_zeros()));
                lanes &= lanes - 1;
            }
        }
        done += V::COUNT;
    }
}

/// The last word of the double hash, as SHA-256 writes it: byte-reversed, the number's most significant word.
#[inline(always)]
fn last_word<V: Lanes>(partial: &Partial, nonce: V) -> V {
    let digest = first_hash(partial, nonce);
    second_hash_last_word(digest)
}

/// The header's second block, from round 4 on.
#[inline(always)]
fn first_hash<V: Lanes>(partial: &Partial, nonce: V) -> [V; 8] {
    let [a, b, c, _, e, f, g, _] = partial.after_round_2.map(V::splat);
    let mut s = [V::splat(partial.round_3_a).add(nonce), a, b, c, V::splat(partial.round_3_e).add(nonce), e, f, g];

    s = step(s, V::splat(K[4].wrapping_add(PADDING)));
    unrolled!(t in [5 6 7 8 9 10 11 12 13 14] { s = step(s, V::splat(K[t])); });
    s = step(s, V::splat(K[15].wrapping_add(HEADER_BITS)));

    // The sixteen words 16 to 31, each with what of its four terms is not zero.
    let w16 = V::splat(partial.w16);
    let w17 = V::splat(partial.w17);
    let w18 = V::splat(partial.w18_base).add(nonce.small_sigma0());
    let w19 = V::splat(partial.w19_base).add(nonce);
    let w20 = w18.small_sigma1().add(V::splat(PADDING));
    let w21 = w19.small_sigma1();
    let w22 = w20.small_sigma1().add(V::splat(HEADER_BITS));
    let w23 = w21.small_sigma1().add(w16);
    let w24 = w22.small_sigma1().add(w17);
    let w25 = w23.small_sigma1().add(w18);
    let w26 = w24.small_sigma1().add(w19);
    let w27 = w25.small_sigma1().add(w20);
    let w28 = w26.small_sigma1().add(w21);
    let w29 = w27.small_sigma1().add(w22);
    let w30 = w28.small_sigma1().add(w23).add(V::splat(HEADER_BITS).small_sigma0());
    let w31 = w29.small_sigma1().add(w24).add(V::splat(partial.w31_base));
    let mut w = [w16, w17, w18, w19, w20, w21, w22, w23, w24, w25, w26, w27, w28, w29, w30, w31];
    s = step(s, V::splat(K[16].wrapping_add(partial.w16)));
    s = step(s, V::splat(K[17].wrapping_add(partial.w17)));
    unrolled!(t in [18 19 20 21 22 23 24 25 26 27 28 29 30 31] { s = step(s, w[t % 16].add(V::splat(K[t]))); });

    w[0] = w[14].small_sigma1().add(w[9]).add(V::splat(partial.w32_base));
    s = step(s, w[0].add(V::splat(K[32])));
    unrolled!(t in [33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63] {
        s = step(s, next_word(&mut w, t).add(V::splat(K[t])));
    });
    let mut digest = s;
    for (word, start) in digest.iter_mut().zip(partial.midstate) {
        *word = word.add(V::splat(start));
    }
    digest
}

/// The hash of the first hash's digest: only its last word, so only 61 rounds.
#[inline(always)]
fn second_hash_last_word<V: Lanes>(digest: [V; 8]) -> V {
    // Round 0 works on constants alone, but for its word.
    const AFTER_0: [u32; 8] = round(IV, K[0]);
    let mut s = AFTER_0.map(V::splat);
    s[0] = s[0].add(digest[0]);
    s[4] = s[4].add(digest[0]);
    unrolled!(t in [1 2 3 4 5 6 7] { s = step(s, digest[t].add(V::splat(K[t]))); });
    s = step(s, V::splat(K[8].wrapping_add(PADDING)));
    unrolled!(t in [9 10 11 12 13 14] { s = step(s, V::splat(K[t])); });
    s = step(s, V::splat(K[15].wrapping_add(DIGEST_BITS)));

    let [w0, w1, w2, w3, w4, w5, w6, w7] = digest;
    let w8 = V::splat(PADDING);
    let w15 = V::splat(DIGEST_BITS);
    let w16 = w1.small_sigma0().add(w0);
    let w17 = w2.small_sigma0().add(w1).add(w15.small_sigma1());
    let w18 = w16.small_sigma1().add(w3.small_sigma0()).add(w2);
    let w19 = w17.small_sigma1().add(w4.small_sigma0()).add(w3);
    let w20 = w18.small_sigma1().add(w5.small_sigma0()).add(w4);
    let w21 = w19.small_sigma1().add(w6.small_sigma0()).add(w5);
    let w22 = w20.small_sigma1().add(w7.small_sigma0()).add(w6).add(w15);
    let w23 = w21.small_sigma1().add(w16).add(w7).add(w8.small_sigma0());
    let w24 = w22.small_sigma1().add(w17).add(w8);
    let w25 = w23.small_sigma1().add(w18);
    let w26 = w24.small_sigma1().add(w19);
    let w27 = w25.small_sigma1().add(w20);
    let w28 = w26.small_sigma1().add(w21);
    let w29 = w27.small_sigma1().add(w22);
    let w30 = w28.small_sigma1().add(w23).add(w15.small_sigma0());
    let w31 = w29.small_sigma1().add(w24).add(w16.small_sigma0()).add(w15);
    let mut w = [w16, w17, w18, w19, w20, w21, w22, w23, w24, w25, w26, w27, w28, w29, w30, w31];
    unrolled!(t in [16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31] { s = step(s, w[t % 16].add(V::splat(K[t]))); });
    unrolled!(t in [32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60] {
        s = step(s, next_word(&mut w, t).add(V::splat(K[t])));
    });
    s[4].add(V::splat(IV[7]))
}

/// One round: the eight variables, and round constant + schedule word.
#[inline(always)]
fn step<V: Lanes>([a, b, c, d, e, f, g, h]: [V; 8], kw: V) -> [V; 8] {
    let t1 = h.add(kw).add(e.big_sigma1()).add(e.ch(f, g));
    let t2 = a.big_sigma0().add(a.maj(b, c));
    [t1.add(t2), a, b, c, d.add(t1), e, f, g]
}

/// Schedule word `t`, put in the place of word `t - 16`.
#[inline(always)]
fn next_word<V: Lanes>(w: &mut [V; 16], t: usize) -> V {
    let word = w[(t - 2) % 16].small_sigma1().add(w[(t - 7) % 16]).add(w[(t - 15) % 16].small_sigma0()).add(w[t % 16]);
    w[t % 16] = word;
    word
}
