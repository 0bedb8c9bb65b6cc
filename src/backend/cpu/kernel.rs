//! The one kernel, for every instruction set.
//!
//! # What is not computed
//!
//! A nonce costs two compressions of 64 rounds and 48 new schedule words each. Of those
//!
//! - rounds 0 to 3 of the first, and what the schedule makes of constants, come ready in [`Rounds`] and [`Schedule`];
//! - several versions of a header share the first's schedule: it is computed once a nonce, and kept for all of them;
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
use crate::sha256::{DIGEST_BITS, HEADER_BITS, IV, K, PADDING, Rounds, Schedule, round};

/// A hash whose most significant word does not exceed the target's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    /// Which version, by index.
    pub(super) version: usize,
    /// The nonce, as a number.
    pub(super) nonce: u32,
}

pub(super) type Hits = Vec<Hit>;

/// Repeats a block for each value, as constants.
macro_rules! unrolled {
    ($t:ident in [$($value:literal)*] $body:block) => { $( { const $t: usize = $value; $body } )* };
}

/// Tests `count` nonces from `first` on, wrapping, under each version, and puts those into `hits` whose hash may meet a
/// target with the most significant word `limit`. Exactly those: lanes beyond the count are masked.
#[inline(always)]
pub(super) fn scan<V: Lanes>(
    schedule: &Schedule,
    versions: &[Rounds],
    first: u32,
    count: u32,
    limit: u32,
    hits: &mut Hits,
) {
    for done in (0..count).step_by(V::COUNT as usize) {
        let first = first.wrapping_add(done);
        let valid = if count - done < V::COUNT { (1 << (count - done)) - 1 } else { u32::MAX };
        let nonce = V::count_from(first).swap_bytes();
        if let [rounds] = versions {
            let words = &mut Rolling::new(schedule, nonce);
            report(0, last_word(rounds, nonce, words).swapped_at_most(limit) & valid, first, hits);
        } else {
            let mut ready = [V::splat(0); 64];
            prepare(schedule, nonce, &mut ready);
            for (version, rounds) in versions.iter().enumerate() {
                let lanes = last_word(rounds, nonce, &mut Ready(&ready)).swapped_at_most(limit) & valid;
                report(version, lanes, first, hits);
            }
        }
    }
}

/// Versions in parts of one size, of at most `most`, each with the index of its first: whoever shares the nonces' schedules among
/// a part computes them as seldom as can be.
#[cfg(target_arch = "x86_64")]
pub(super) fn parts(versions: &[Rounds], most: usize) -> impl Iterator<Item = (usize, &[Rounds])> {
    let parts = versions.len().div_ceil(most).max(1);
    let part = versions.len().div_ceil(parts).max(1);
    versions.chunks(part).enumerate().map(move |(i, versions)| (i * part, versions))
}

/// Computes the first hash's schedule words 16 to 63 with their round constants, for a byte-swapped nonce in each lane.
/// The others stay as they are.
#[inline(always)]
pub(super) fn prepare<V: Lanes>(schedule: &Schedule, nonce: V, ready: &mut [V; 64]) {
    let mut words = Rolling::new(schedule, nonce);
    unrolled!(T in [
        16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39
        40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63
    ] { ready[T] = words.next::<T>(); });
}

/// Puts the lanes whose bit is set into the hits.
#[inline(always)]
pub(super) fn report(version: usize, mut lanes: u32, first: u32, hits: &mut Hits) {
    while lanes != 0 {
        hits.push(Hit { version, nonce: first.wrapping_add(lanes.trailing_zeros()) });
        lanes &= lanes - 1;
    }
}

/// The first hash's schedule words 16 to 63 with their round constants.
///
/// A trait and not a closure: its methods have to be inlined always, or they would not be compiled for the instruction set.
trait Words<V> {
    /// Word `T`. To be called with 16 to 63, in order. A constant, so that the compiler sees one case at a time.
    fn next<const T: usize>(&mut self) -> V;
}

/// All of them, computed before.
struct Ready<'a, V>(&'a [V; 64]);

impl<V: Lanes> Words<V> for Ready<'_, V> {
    #[inline(always)]
    fn next<const T: usize>(&mut self) -> V {
        self.0[T]
    }
}

/// Computed one by one: the sixteen that the next one may need.
struct Rolling<'a, V> {
    schedule: &'a Schedule,
    nonce: V,
    words: [V; 16],
}

impl<'a, V: Lanes> Rolling<'a, V> {
    #[inline(always)]
    fn new(schedule: &'a Schedule, nonce: V) -> Self {
        Rolling { schedule, nonce, words: [V::splat(0); 16] }
    }
}

impl<V: Lanes> Words<V> for Rolling<'_, V> {
    #[inline(always)]
    fn next<const T: usize>(&mut self) -> V {
        let Schedule { w16, w17, w18_base, w19_base, w31_base, w32_base, .. } = *self.schedule;
        let w = &self.words;
        // Each with what of its four terms is not zero; word `i` is at `i % 16`.
        let word = match T {
            16 => V::splat(w16),
            17 => V::splat(w17),
            18 => V::splat(w18_base).add(self.nonce.small_sigma0()),
            19 => V::splat(w19_base).add(self.nonce),
            20 => w[2].small_sigma1().add(V::splat(PADDING)),
            21 => w[3].small_sigma1(),
            22 => w[4].small_sigma1().add(V::splat(HEADER_BITS)),
            23..=29 => w[(T - 2) % 16].small_sigma1().add(w[(T - 7) % 16]),
            30 => w[12].small_sigma1().add(w[7]).add(V::splat(HEADER_BITS).small_sigma0()),
            31 => w[13].small_sigma1().add(w[8]).add(V::splat(w31_base)),
            32 => w[14].small_sigma1().add(w[9]).add(V::splat(w32_base)),
            _ => next_word(w, T),
        };
        self.words[T % 16] = word;
        match T {
            16 => V::splat(K[16].wrapping_add(w16)),
            17 => V::splat(K[17].wrapping_add(w17)),
            _ => word.add(V::splat(K[T])),
        }
    }
}

/// The last word of the double hash, as SHA-256 writes it: byte-reversed, the number's most significant word.
#[inline(always)]
fn last_word<V: Lanes>(rounds: &Rounds, nonce: V, words: &mut impl Words<V>) -> V {
    let digest = first_hash(rounds, nonce, words);
    second_hash_last_word(digest)
}

/// The header's second block, from round 4 on.
#[inline(always)]
fn first_hash<V: Lanes>(rounds: &Rounds, nonce: V, words: &mut impl Words<V>) -> [V; 8] {
    let [a, b, c, _, e, f, g, _] = rounds.after_round_2.map(V::splat);
    let mut s = [V::splat(rounds.round_3_a).add(nonce), a, b, c, V::splat(rounds.round_3_e).add(nonce), e, f, g];

    s = step(s, V::splat(K[4].wrapping_add(PADDING)));
    unrolled!(T in [5 6 7 8 9 10 11 12 13 14] { s = step(s, V::splat(K[T])); });
    s = step(s, V::splat(K[15].wrapping_add(HEADER_BITS)));
    unrolled!(T in [
        16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39
        40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63
    ] { s = step(s, words.next::<T>()); });
    let mut digest = s;
    for (word, start) in digest.iter_mut().zip(rounds.midstate) {
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
    unrolled!(T in [1 2 3 4 5 6 7] { s = step(s, digest[T].add(V::splat(K[T]))); });
    s = step(s, V::splat(K[8].wrapping_add(PADDING)));
    unrolled!(T in [9 10 11 12 13 14] { s = step(s, V::splat(K[T])); });
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
    unrolled!(T in [16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31] { s = step(s, w[T % 16].add(V::splat(K[T]))); });
    unrolled!(T in [32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60] {
        w[T % 16] = next_word(&w, T);
        s = step(s, w[T % 16].add(V::splat(K[T])));
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

/// Schedule word `t`, of the sixteen before it; word `i` is at `i % 16`.
#[inline(always)]
fn next_word<V: Lanes>(w: &[V; 16], t: usize) -> V {
    w[(t - 2) % 16].small_sigma1().add(w[(t - 7) % 16]).add(w[(t - 15) % 16].small_sigma0()).add(w[t % 16])
}
