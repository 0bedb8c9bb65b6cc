//! SHA-NI: the processor's own SHA-256 instructions, three hashes at a time, each first hash beside a second.
//!
//! # What binds
//!
//! `sha256rnds2` does two rounds, and one can start in each cycle; a double hash needs sixty (below). But each waits
//! four cycles for the one before it, so one hash alone leaves three quarters of the unit idle: several have to run
//! side by side. `sha256msg1` and `sha256msg2`, four schedule words in six instructions, are costly to decode where
//! they are microcode, so schedule words had better not be computed twice.
//!
//! # Jobs, lanes and the pipeline
//!
//! The first hash's schedule does not depend on the midstate. So its words, round constants added, are computed once a
//! nonce, into memory, and serve all versions of the header: the first hash is then a row of loads and rounds. The
//! second hash's schedule depends on everything; it is as much work again as the rounds.
//!
//! A *job* is a double hash to do: one nonce under one version. A *lane* holds two of them, each in one pair of
//! registers: the first hash of a job, and the second hash of the job before. That way rounds without schedule always
//! run beside rounds with schedule, which fills the units better than the one after the other. There are three lanes,
//! as many as the registers hold, and each does every third job: three jobs are a *row*. The lanes follow each other at
//! a third of four rounds, so that while one turns its digest into the next block the others have rounds to do.
//!
//! That order is more than a compiler can be talked into, so the loop is assembly: `lanes.s`, which `generate.rs`
//! writes, and explains.
//!
//! # What is not computed
//!
//! What [`super::kernel`] leaves out is left out here, in steps of two rounds:
//!
//! - the first hash starts after round 3, with the nonce added to `a` and `e`: rounds 4 to 63 are thirty steps;
//! - the second hash's round 0 is an addition. So its groups of four rounds start at word 1, and rounds 1 to 60, after
//!   which the last word is known, are thirty steps in fifteen whole groups. Its schedule is grouped the same way.
//!
//! # No 256-bit instruction near
//!
//! While the upper half of any vector register is in use, each SHA instruction, which has to leave upper halves as they
//! are, must merge: measured, 50 cycles a hash. So the assembly begins with `vzeroupper`, and the functions here do not
//! enable AVX, lest the compiler use 256 bits in a loop. The assembly does use AVX, but only its 128-bit forms: with
//! three operands, they save moves.

#[cfg(test)]
mod generate;
#[cfg(test)]
mod mutants;

use super::kernel::{self, Hit, Hits};
use crate::sha256::{DIGEST_BITS, HEADER_BITS, IV, K, PADDING, Rounds, Schedule, round, small_sigma0};
use std::arch::x86_64::{
    __m128i, _mm_add_epi32, _mm_alignr_epi8, _mm_castps_si128, _mm_castsi128_ps, _mm_cmpeq_epi32, _mm_cvtsi32_si128,
    _mm_load_si128, _mm_min_epu32, _mm_movemask_ps, _mm_set1_epi32, _mm_setr_epi8, _mm_setzero_si128,
    _mm_sha256msg1_epu32, _mm_sha256msg2_epu32, _mm_shuffle_epi8, _mm_shuffle_epi32, _mm_shuffle_ps, _mm_slli_si128,
    _mm_store_si128,
};
use std::mem::offset_of;

/// How many lanes the assembly has.
const LANES: usize = 3;
/// Jobs in a call of the assembly, at most. A call costs one row more than it has.
const JOBS: usize = 1024;
/// Rows in the tables: beside the jobs' own, two in which the pipeline empties.
const ROWS: usize = JOBS.div_ceil(LANES) + 2;
/// Versions in a call of the assembly, at most.
const VERSIONS: usize = 64;
/// Nonces in a call of the assembly, at most. They matter where versions are few; more would leave the first cache.
const NONCES: usize = 128;
/// Nonces whose schedules are computed side by side.
const BESIDE: usize = 4;

const _: () = assert!(JOBS / VERSIONS >= BESIDE && JOBS.is_multiple_of(4) && NONCES.is_multiple_of(BESIDE));

/// Four words, as in a vector register: lowest first.
#[repr(C, align(16))]
#[derive(Clone, Copy)]
struct Quad([u32; 4]);

const ZERO: Quad = Quad([0; 4]);

/// Round constants from round `first` on, by fours.
const fn constants<const N: usize>(first: usize) -> [Quad; N] {
    let mut quads = [ZERO; N];
    let mut i = 0;
    while i < 4 * N && first + i < 64 {
        quads[i / 4].0[i % 4] = K[first + i];
        i += 1;
    }
    quads
}

/// What a nonce has for the first hash, under every version.
///
/// The first four words hold the nonce's schedule word twice, in the places of `a` and `e`, since no round reads W + K
/// from there. The others are W + K of rounds 4 to 63.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
struct Nonce([Quad; 16]);

impl Nonce {
    /// With what the padding makes of rounds 4 to 15, which is all that is the same for all nonces.
    const EMPTY: Nonce = {
        let mut quads = constants(0);
        quads[1].0[0] = K[4].wrapping_add(PADDING);
        quads[3].0[3] = K[15].wrapping_add(HEADER_BITS);
        Nonce(quads)
    };
}

/// What a version has, the variables in the order of the SHA instructions: `f, e, b, a` and `h, g, d, c`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Version {
    /// After round 3 of the first hash, less the nonce in `a` and `e`.
    start_abef: Quad,
    start_cdgh: Quad,
    /// The midstate.
    abef: Quad,
    cdgh: Quad,
    /// After round 0 of the second hash, less the first hash's last `a` in `a` and `e`.
    second_abef: Quad,
}

/// The variables of the second hash after round 0, less its first word in `a` and `e`.
const AFTER_0: [u32; 8] = round(IV, K[0]);

const fn abef([a, b, _, _, e, f, _, _]: [u32; 8]) -> Quad {
    Quad([f, e, b, a])
}

const fn cdgh([_, _, c, d, _, _, g, h]: [u32; 8]) -> Quad {
    Quad([h, g, d, c])
}

impl Version {
    const EMPTY: Version = Version { start_abef: ZERO, start_cdgh: ZERO, abef: ZERO, cdgh: ZERO, second_abef: ZERO };

    fn new(rounds: &Rounds) -> Version {
        let [a, b, c, _, e, f, g, _] = rounds.after_round_2;
        let start = [rounds.round_3_a, a, b, c, rounds.round_3_e, e, f, g];
        let mut second = AFTER_0;
        second[0] = second[0].wrapping_add(rounds.midstate[0]);
        second[4] = second[4].wrapping_add(rounds.midstate[0]);
        Version {
            start_abef: abef(start),
            start_cdgh: cdgh(start),
            abef: abef(rounds.midstate),
            cdgh: cdgh(rounds.midstate),
            second_abef: abef(second),
        }
    }
}

/// Constants of the second hash, and of the first hash's schedule.
#[repr(C)]
struct Constants {
    /// Round constants from round 1 on.
    k: [Quad; 15],
    /// Half of the variables after round 0; the other half depends on the version.
    cdgh: Quad,
    /// The padding's words: in the last of words 5 to 8, all of words 9 to 12, and three of words 13 to 16.
    words_5_to_8: Quad,
    words_9_to_12: Quad,
    words_13_to_16: Quad,
    /// W + K where no other word is in it.
    sums_9_to_12: Quad,
    sums_13_to_14: Quad,
    /// Round constants of the first hash.
    first_k: [Quad; 16],
}

const CONSTANTS: Constants = Constants {
    k: constants(1),
    cdgh: cdgh(AFTER_0),
    words_5_to_8: Quad([0, 0, 0, PADDING]),
    words_9_to_12: ZERO,
    words_13_to_16: Quad([0, 0, DIGEST_BITS, 0]),
    sums_9_to_12: Quad([K[9], K[10], K[11], K[12]]),
    sums_13_to_14: Quad([K[13], K[14], 0, 0]),
    first_k: constants(0),
};

/// A double hash to do: where its nonce and its version are, as offsets in bytes from the start of [`Memory`].
#[repr(C)]
#[derive(Clone, Copy)]
struct Job {
    nonce: u32,
    version: u32,
}

/// What of a lane does not fit in registers. `generate.rs` says which quad is what.
type Lane = [Quad; 17];

/// Everything that the assembly reads and writes.
#[repr(C, align(64))]
struct Memory {
    lanes: [Lane; LANES],
    constants: Constants,
    versions: [Version; VERSIONS],
    /// By nonce, then by version. The last two rows are read but never finished.
    jobs: [Job; LANES * ROWS],
    /// Variables `f` and `e` after round 60 of the second hash, two jobs to a quad. They are two rows further down than
    /// the jobs in their table: the first two rows are of what the pipeline held before.
    results: [Quad; (LANES * ROWS).div_ceil(2)],
    nonces: [Nonce; NONCES],
}

/// The search with SHA instructions: its tables, some 55 kB, allocated once.
pub(super) struct ShaNi {
    memory: Box<Memory>,
    /// For how many versions the job table is laid out.
    versions: usize,
}

impl std::fmt::Debug for ShaNi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ShaNi").field("versions", &self.versions).finish_non_exhaustive()
    }
}

impl ShaNi {
    /// Allocates the tables. Runs on every processor; only [`scan`](Self::scan) needs the instructions.
    #[expect(clippy::large_stack_arrays, reason = "some 55 kB, and soon in their box")]
    pub(super) fn new() -> ShaNi {
        let mut search = ShaNi {
            memory: Box::new(Memory {
                lanes: [[ZERO; 17]; LANES],
                constants: CONSTANTS,
                versions: [Version::EMPTY; VERSIONS],
                jobs: [Job { nonce: 0, version: 0 }; LANES * ROWS],
                results: [ZERO; (LANES * ROWS).div_ceil(2)],
                nonces: [Nonce::EMPTY; NONCES],
            }),
            versions: 0,
        };
        search.lay_out(1);
        search
    }

    /// Tests `count` nonces from `first` on, wrapping, under each of the versions, and puts those into `hits` whose
    /// hash may meet a target with the most significant word `limit`. Exactly those.
    ///
    /// # Safety
    /// The processor must have SHA, SSE4.1, SSSE3 and AVX.
    #[target_feature(enable = "sha,sse4.1,ssse3")]
    pub(super) unsafe fn scan(
        &mut self,
        schedule: &Schedule,
        rounds: &[Rounds],
        first: u32,
        count: u32,
        limit: u32,
        hits: &mut Hits,
    ) {
        for (first_version, rounds) in kernel::parts(rounds, VERSIONS) {
            for (version, rounds) in self.memory.versions.iter_mut().zip(rounds) {
                *version = Version::new(rounds);
            }
            self.lay_out(rounds.len());
            let mut done = 0;
            while done < count {
                let nonces = (self.nonces() as u32).min(count - done);
                let nonce = first.wrapping_add(done);
                // SAFETY: the processor has what it must, says the caller; and no more nonces than fit.
                unsafe { self.hash(schedule, nonce, nonces as usize) };
                self.take_hits(nonces as usize, limit, |job| {
                    let version = first_version + job % rounds.len();
                    hits.push(Hit { version, nonce: nonce.wrapping_add((job / rounds.len()) as u32) });
                });
                done += nonces;
            }
        }
    }

    /// How many nonces a call of the assembly does: whole sets of schedules, so that none is computed in vain.
    fn nonces(&self) -> usize {
        (JOBS / self.versions / BESIDE * BESIDE).min(NONCES)
    }

    /// Lays out the job table for so many versions, from 1 to [`VERSIONS`].
    fn lay_out(&mut self, versions: usize) {
        if self.versions == versions {
            return;
        }
        self.versions = versions;
        for (i, job) in self.memory.jobs.iter_mut().enumerate() {
            // Jobs beyond the last nonce are read, though not asked about: they may do any nonce.
            let nonce = (i / versions).min(NONCES - 1);
            job.nonce = (offset_of!(Memory, nonces) + nonce * size_of::<Nonce>()) as u32;
            job.version = (offset_of!(Memory, versions) + i % versions * size_of::<Version>()) as u32;
        }
    }

    /// Hashes so many nonces under each version, into the results.
    ///
    /// # Safety
    /// The processor must have SHA, SSE4.1, SSSE3 and AVX, and `nonces` must not exceed [`nonces`](Self::nonces).
    #[target_feature(enable = "sha,sse4.1,ssse3")]
    unsafe fn hash(&mut self, schedule: &Schedule, first: u32, nonces: usize) {
        let Memory { constants, nonces: prepared, .. } = &mut *self.memory;
        let (sets, _) = prepared.as_chunks_mut();
        for (i, set) in sets.iter_mut().take(nonces.div_ceil(BESIDE)).enumerate() {
            prepare(schedule, &constants.first_k, first.wrapping_add((BESIDE * i) as u32), set);
        }
        let rows = (nonces * self.versions).div_ceil(LANES);
        let end = (rows + 2) * LANES * size_of::<Job>();
        // SAFETY: the processor has what it must. It is this object's memory, whose jobs `lay_out` all made valid. The
        // end is at most ROWS rows, since `nonces * versions` is at most JOBS by what `Self::nonces` divides.
        unsafe { lanes(&raw mut *self.memory, 0, end) };
    }

    /// Calls `hit` with the index of each job of the last so many nonces that may meet the limit.
    #[target_feature(enable = "sse4.1,ssse3")]
    fn take_hits(&self, nonces: usize, limit: u32, mut hit: impl FnMut(usize)) {
        let jobs = nonces * self.versions;
        let start = _mm_set1_epi32(IV[7].cast_signed());
        let limit = _mm_set1_epi32(limit.cast_signed());
        let swapped = _mm_setr_epi8(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12);
        let (results, _) = self.memory.results[2 * LANES / 2..].as_chunks();
        for (i, [low, high]) in results.iter().take(jobs.div_ceil(4)).enumerate() {
            let e = odd_words(load(low), load(high));
            let word = _mm_shuffle_epi8(_mm_add_epi32(e, start), swapped);
            // There is no unsigned comparison: x ≤ limit where min(x, limit) is x.
            let within = _mm_cmpeq_epi32(_mm_min_epu32(word, limit), word);
            let mut lanes = _mm_movemask_ps(_mm_castsi128_ps(within));
            while lanes != 0 {
                let job = 4 * i + lanes.trailing_zeros() as usize;
                if job < jobs {
                    hit(job);
                }
                lanes &= lanes - 1;
            }
        }
    }
}

/// A call of the assembly: does the jobs from offset `at` in their table on, to the two rows before offset `end`.
///
/// # Safety
/// The processor must have SHA and AVX. `at` and `end` must be whole rows, `at` before `end`, `end` not beyond the
/// table; and each job between must hold offsets of a nonce and of a version in the memory.
#[unsafe(naked)]
unsafe extern "sysv64" fn lanes(memory: *mut Memory, at: usize, end: usize) {
    // SAFETY: by the ABI, `memory` is in rdi, `at` in rsi and `end` in rdx. The code uses only registers that a callee
    // may change, and no stack. It reads and writes `memory` only: constants and lanes, at offsets from `offset_of!`
    // plus less than the field's size; jobs and results, at the offsets given, as far as whole rows; and the nonces and
    // versions that the jobs name. All these are aligned to 16, but for jobs and results, which need not be.
    std::arch::naked_asm!(
        include_str!("lanes.s"),
        lane_0 = const offset_of!(Memory, lanes),
        lane_1 = const offset_of!(Memory, lanes) + size_of::<Lane>(),
        lane_2 = const offset_of!(Memory, lanes) + 2 * size_of::<Lane>(),
        jobs = const offset_of!(Memory, jobs),
        results = const offset_of!(Memory, results),
        k = const offset_of!(Memory, constants.k),
        cdgh_0 = const offset_of!(Memory, constants.cdgh),
        words_5_to_8 = const offset_of!(Memory, constants.words_5_to_8),
        words_9_to_12 = const offset_of!(Memory, constants.words_9_to_12),
        words_13_to_16 = const offset_of!(Memory, constants.words_13_to_16),
        sums_9_to_12 = const offset_of!(Memory, constants.sums_9_to_12),
        sums_13_to_14 = const offset_of!(Memory, constants.sums_13_to_14),
    )
}

/// Computes W + K of the first hash for some nonces, side by side, since each word waits for the ones before it.
///
/// Never inlined, so that no loop of a caller compiled for AVX leaves upper halves in use here.
#[target_feature(enable = "sha,sse4.1,ssse3")]
#[inline(never)]
fn prepare(schedule: &Schedule, k: &[Quad; 16], first: u32, nonces: &mut [Nonce; BESIDE]) {
    // The known terms of words 16 to 19; of 20 to 23; of 28 to 31. Those of 24 to 27 are zero.
    let known_16 = Quad([schedule.w16, schedule.w17, schedule.w18_base, schedule.w19_base]);
    let known_20 = Quad([PADDING, 0, HEADER_BITS, schedule.w16]);
    let known_28 = Quad([0, 0, small_sigma0(HEADER_BITS), schedule.w31_base]);

    let mut w = [[_mm_setzero_si128(); 4]; BESIDE];
    macro_rules! groups {
        ($($g:literal)*) => { $( for (i, (w, nonce)) in w.iter_mut().zip(&mut *nonces).enumerate() {
            // The last sixteen words, oldest first.
            let (a, b, c, d) = (w[$g % 4], w[($g + 1) % 4], w[($g + 2) % 4], w[($g + 3) % 4]);
            w[$g % 4] = match $g {
                4 => {
                    let n = _mm_cvtsi32_si128(first.wrapping_add(i as u32).swap_bytes().cast_signed());
                    store(&mut nonce.0[0], _mm_shuffle_epi32(n, 0b00_01_00_01));
                    // σ0(nonce) to word 18, the nonce to word 19.
                    _mm_add_epi32(_mm_sha256msg1_epu32(_mm_slli_si128(n, 12), _mm_setzero_si128()), load(&known_16))
                }
                5 => _mm_sha256msg2_epu32(load(&known_20), d),
                6 => _mm_sha256msg2_epu32(_mm_alignr_epi8(d, c, 4), d),
                7 => _mm_sha256msg2_epu32(_mm_add_epi32(load(&known_28), _mm_alignr_epi8(d, c, 4)), d),
                _ => _mm_sha256msg2_epu32(_mm_add_epi32(_mm_sha256msg1_epu32(a, b), _mm_alignr_epi8(d, c, 4)), d),
            };
            store(&mut nonce.0[$g], _mm_add_epi32(w[$g % 4], load(&k[$g])));
        } )* };
    }
    groups!(4 5 6 7 8 9 10 11 12 13 14 15);
}

#[inline(always)]
fn load(quad: &Quad) -> __m128i {
    // SAFETY: x86-64 has SSE2; a quad is 16 bytes, aligned to 16.
    unsafe { _mm_load_si128((&raw const *quad).cast()) }
}

#[inline(always)]
fn store(quad: &mut Quad, words: __m128i) {
    // SAFETY: x86-64 has SSE2; a quad is 16 bytes, aligned to 16.
    unsafe { _mm_store_si128((&raw mut *quad).cast(), words) }
}

/// Words 1 and 3 of both.
#[inline(always)]
fn odd_words(low: __m128i, high: __m128i) -> __m128i {
    // SAFETY: x86-64 has SSE2.
    unsafe { _mm_castps_si128(_mm_shuffle_ps::<0b11_01_11_01>(_mm_castsi128_ps(low), _mm_castsi128_ps(high))) }
}
