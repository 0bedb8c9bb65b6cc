//! The SHA-256 instructions of `ARMv8`: two of them make four rounds, two more the next four schedule words.
//!
//! A vector holds four words of one nonce here, not one word of four nonces, so this is not the one kernel over lanes.
//! It leaves out the same, by whole vectors (see [`super::kernel`]): rounds 0 to 3 of the first hash, what the schedule
//! makes of padding, the schedule for all versions but one, and of the last rounds what the last word does not need.
//!
//! Each round instruction waits for the one before. So there are several streams, a nonce each, and their instructions
//! take turns.

use super::kernel::{Hit, Hits};
use super::lanes::Lanes;
use crate::sha256::{DIGEST_BITS, HEADER_BITS, IV, K, PADDING, Rounds, Schedule};
use std::arch::aarch64::{
    uint32x4_t, vaddq_u32, vdupq_n_u32, vextq_u32, vgetq_lane_u32, vsetq_lane_u32, vsha256h2q_u32, vsha256hq_u32,
    vsha256su0q_u32, vsha256su1q_u32,
};

/// Repeats a block for each value, as constants.
macro_rules! unrolled {
    ($I:ident in [$($value:literal)*] $body:block) => { $( { const $I: usize = $value; $body } )* };
}

/// Two streams and their constants fit into the registers.
const STREAMS: usize = 2;

/// The padding's one bit, first of four words.
const PADDING_QUAD: [u32; 4] = [PADDING, 0, 0, 0];

/// The eight variables of one stream.
#[derive(Clone, Copy)]
struct State {
    abcd: uint32x4_t,
    efgh: uint32x4_t,
}

/// The first hash's schedule words 16 to 63, with their round constants.
type Words = [uint32x4_t; 12];

/// The kernel for the SHA-256 instructions, as [`super::kernel::scan`].
///
/// # Safety
/// The processor must have NEON and the SHA-256 instructions.
#[target_feature(enable = "neon,sha2")]
pub(super) unsafe fn scan(
    schedule: &Schedule,
    versions: &[Rounds],
    first: u32,
    count: u32,
    limit: u32,
    hits: &mut Hits,
) {
    for done in (0..count).step_by(STREAMS) {
        let nonces: [u32; STREAMS] = std::array::from_fn(|stream| first.wrapping_add(done).wrapping_add(stream as u32));
        let mut words = [[vdupq_n_u32(0); 12]; STREAMS];
        for (words, nonce) in words.iter_mut().zip(nonces) {
            *words = first_schedule(schedule, nonce.swap_bytes());
        }
        for (version, rounds) in versions.iter().enumerate() {
            let last = last_words(first_hashes(rounds, nonces, &words));
            // One look at all streams, and only then a branch: with a branch for each, the compiler would move a stream's
            // instructions behind the branch before it, and the streams would not take turns.
            let small = last.map(|word| word.swap_bytes() <= limit);
            if small.into_iter().fold(false, |any, small| any | small) {
                let left = (count - done) as usize;
                let hit = |(nonce, small): (u32, bool)| small.then_some(Hit { version, nonce });
                hits.extend(nonces.into_iter().zip(small).take(left).filter_map(hit));
            }
        }
    }
}

/// The schedule of the header's second block, for one stream.
#[inline]
#[target_feature(enable = "neon,sha2")]
fn first_schedule(schedule: &Schedule, nonce: u32) -> Words {
    let [w0, w1, w2] = schedule.tail;
    let zero = vdupq_n_u32(0);
    let padding = quad(PADDING_QUAD);
    let length = quad([0, 0, 0, HEADER_BITS]);
    // The first steps are like the others, with what is known put in. Words `4 * i` to `4 * i + 3` go to `q[i % 4]`.
    let q0 = vsetq_lane_u32::<3>(nonce, quad([w0, w1, w2, 0]));
    let q4 = vsha256su1q_u32(vsha256su0q_u32(q0, padding), zero, length);
    let q5 = vsha256su1q_u32(padding, length, q4);
    let q6 = vsha256su1q_u32(zero, q4, q5);
    let q7 = vsha256su1q_u32(quad([0, 0, HEADER_BITS.small_sigma0(), schedule.w31_base]), q5, q6);
    let mut q = [q4, q5, q6, q7];
    let mut words = [zero; 12];
    unrolled!(I in [4 5 6 7] { words[I - 4] = with_constants::<I>(q[I % 4]); });
    unrolled!(I in [8 9 10 11 12 13 14 15] {
        q[I % 4] = next_words::<I>(q);
        words[I - 4] = with_constants::<I>(q[I % 4]);
    });
    words
}

/// The header's second block, from round 4 on.
#[inline]
#[target_feature(enable = "neon,sha2")]
fn first_hashes(rounds: &Rounds, nonces: [u32; STREAMS], words: &[Words; STREAMS]) -> [State; STREAMS] {
    let midstate = halves(rounds.midstate);
    let after_round_2 = halves(rounds.after_round_2);
    let mut states = [midstate; STREAMS];
    for (state, nonce) in states.iter_mut().zip(nonces) {
        // The variables move along by one, `d` and `h` out of sight.
        let nonce = vdupq_n_u32(nonce.swap_bytes());
        let a = vaddq_u32(vdupq_n_u32(rounds.round_3_a), nonce);
        let e = vaddq_u32(vdupq_n_u32(rounds.round_3_e), nonce);
        state.abcd = vextq_u32::<3>(a, after_round_2.abcd);
        state.efgh = vextq_u32::<3>(e, after_round_2.efgh);
    }
    four_known_rounds(&mut states, const { k_with(1, PADDING_QUAD) });
    four_known_rounds(&mut states, const { k_with(2, [0; 4]) });
    four_known_rounds(&mut states, const { k_with(3, [0, 0, 0, HEADER_BITS]) });
    unrolled!(I in [0 1 2 3 4 5 6 7 8 9 10 11] {
        for (state, words) in states.iter_mut().zip(words) {
            four_rounds(state, words[I]);
        }
    });
    for state in &mut states {
        state.abcd = vaddq_u32(state.abcd, midstate.abcd);
        state.efgh = vaddq_u32(state.efgh, midstate.efgh);
    }
    states
}

/// The last words of the hashes of the first hashes' digests: 60 rounds, and of round 60 the one variable.
#[inline]
#[target_feature(enable = "neon,sha2")]
fn last_words(digests: [State; STREAMS]) -> [u32; STREAMS] {
    let padding = quad(PADDING_QUAD);
    let length = quad([0, 0, 0, DIGEST_BITS]);
    let mut states = [halves(IV); STREAMS];
    for (state, digest) in states.iter_mut().zip(digests) {
        four_rounds(state, with_constants::<0>(digest.abcd));
    }
    for (state, digest) in states.iter_mut().zip(digests) {
        four_rounds(state, with_constants::<1>(digest.efgh));
    }
    four_known_rounds(&mut states, const { k_with(2, PADDING_QUAD) });
    four_known_rounds(&mut states, const { k_with(3, [0, 0, 0, DIGEST_BITS]) });

    let mut schedules = [[padding; 4]; STREAMS];
    for (q, State { abcd, efgh }) in schedules.iter_mut().zip(digests) {
        q[0] = vsha256su1q_u32(vsha256su0q_u32(abcd, efgh), padding, length);
        q[1] = vsha256su1q_u32(vsha256su0q_u32(efgh, padding), length, q[0]);
        q[2] = vsha256su1q_u32(padding, q[0], q[1]);
        q[3] = vsha256su1q_u32(vsha256su0q_u32(length, q[0]), q[1], q[2]);
    }
    unrolled!(I in [4 5 6 7] {
        for (state, q) in states.iter_mut().zip(schedules) {
            four_rounds(state, with_constants::<I>(q[I % 4]));
        }
    });
    unrolled!(I in [8 9 10 11 12 13 14] {
        for (state, q) in states.iter_mut().zip(&mut schedules) {
            q[I % 4] = next_words::<I>(*q);
            four_rounds(state, with_constants::<I>(q[I % 4]));
        }
    });
    let mut last = [0; STREAMS];
    for (last, (state, q)) in last.iter_mut().zip(states.into_iter().zip(schedules)) {
        // `h` after round 63 is `e` after round 60, which only the first of these four words goes into.
        let efgh = vsha256h2q_u32(state.efgh, state.abcd, with_constants::<15>(next_words::<15>(q)));
        *last = vgetq_lane_u32::<3>(efgh).wrapping_add(IV[7]);
    }
    last
}

/// Four rounds, with the sums of round constants and schedule words.
#[inline]
#[target_feature(enable = "neon,sha2")]
fn four_rounds(state: &mut State, words: uint32x4_t) {
    let State { abcd, efgh } = *state;
    state.abcd = vsha256hq_u32(abcd, efgh, words);
    state.efgh = vsha256h2q_u32(efgh, abcd, words);
}

/// Four rounds of each stream, with the same words.
#[inline]
#[target_feature(enable = "neon,sha2")]
fn four_known_rounds(states: &mut [State; STREAMS], words: [u32; 4]) {
    let words = quad(words);
    for state in states {
        four_rounds(state, words);
    }
}

/// Words `4 * I` to `4 * I + 3` of a schedule, of the sixteen before them in `q`: the oldest are in `q[I % 4]`.
#[inline]
#[target_feature(enable = "neon,sha2")]
fn next_words<const I: usize>(q: [uint32x4_t; 4]) -> uint32x4_t {
    vsha256su1q_u32(vsha256su0q_u32(q[I % 4], q[(I + 1) % 4]), q[(I + 2) % 4], q[(I + 3) % 4])
}

/// Words `4 * I` to `4 * I + 3`, each with its round constant.
#[inline]
#[target_feature(enable = "neon")]
fn with_constants<const I: usize>(words: uint32x4_t) -> uint32x4_t {
    vaddq_u32(words, quad(const { k_with(I, [0; 4]) }))
}

/// The constants of rounds `4 * i` to `4 * i + 3`, each with a word added.
const fn k_with(i: usize, words: [u32; 4]) -> [u32; 4] {
    let mut sums = [0; 4];
    let mut at = 0;
    while at < 4 {
        sums[at] = K[4 * i + at].wrapping_add(words[at]);
        at += 1;
    }
    sums
}

#[inline]
#[target_feature(enable = "neon")]
fn quad(words: [u32; 4]) -> uint32x4_t {
    // SAFETY: both are four words.
    unsafe { std::mem::transmute::<[u32; 4], uint32x4_t>(words) }
}

/// Eight variables, the first four in `abcd`.
#[inline]
#[target_feature(enable = "neon")]
fn halves(words: [u32; 8]) -> State {
    // SAFETY: both are eight words.
    let [abcd, efgh] = unsafe { std::mem::transmute::<[u32; 8], [uint32x4_t; 2]>(words) };
    State { abcd, efgh }
}
