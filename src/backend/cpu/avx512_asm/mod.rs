//! AVX-512 in an order of our own: the same sixteen lanes as [`super::avx512`], whose readable form that is, in assembly.
//!
//! # What binds
//!
//! Intel's servers have two ports for operations of 512 bits, and a hash is 149 of them: 74.6 cycles. A compiler's kernel
//! fills the two to nine tenths. Here nothing is spilt, what the next round waits for comes first, and rounds are in loops:
//! `generate.rs`, which writes `pass.s`, explains it. That leaves 3 % idle.
//!
//! # What is shared
//!
//! The first hash's schedule is computed once for sixteen nonces, by the one kernel's own function, into rows of memory
//! that the assembly reads as operands: one call for all versions of a header. With one version nothing is shared, and the
//! compiler's kernel, which keeps that schedule in registers, is as fast: it is taken then.

#[cfg(test)]
mod generate;
#[cfg(test)]
mod mutants;

use super::avx512::{self, Avx512};
use super::kernel::{self, Hits};
use super::lanes::Lanes;
use crate::sha256::{DIGEST_BITS, HEADER_BITS, IV, K, PADDING, Rounds, Schedule, round, small_sigma0, small_sigma1};
use std::mem::offset_of;

/// Versions in a call of the assembly, at most.
const VERSIONS: usize = 64;

/// What a version has.
#[repr(C)]
#[derive(Clone, Copy)]
struct Version {
    midstate: [u32; 8],
    /// The variables before round 4 of the first hash, less the nonce in `a` and `e`; `h` with W and K of the round.
    before_4: [u32; 8],
    /// `h` of rounds 5 and 6 with W and K, which no nonce has changed yet.
    sums_5_and_6: [u32; 2],
}

impl Version {
    const EMPTY: Version = Version { midstate: [0; 8], before_4: [0; 8], sums_5_and_6: [0; 2] };

    fn new(rounds: &Rounds) -> Version {
        let [a, b, c, _, e, f, g, _] = rounds.after_round_2;
        let h = g.wrapping_add(K[4].wrapping_add(PADDING));
        Version {
            midstate: rounds.midstate,
            before_4: [rounds.round_3_a, a, b, c, rounds.round_3_e, e, f, h],
            sums_5_and_6: [f.wrapping_add(K[5]), e.wrapping_add(K[6])],
        }
    }
}

/// Constants of the second hash.
#[repr(C)]
struct Constants {
    /// Round constants, with what is known beside them: `h` in rounds 1 to 3, and the padding.
    k: [u32; 64],
    /// The variables after round 0, less the first word in `a` and `e`.
    after_0: [u32; 8],
    /// What is known of schedule words 16 to 31.
    known: [u32; 16],
}

/// The variables of the second hash after round 0, less its first word in `a` and `e`.
const AFTER_0: [u32; 8] = round(IV, K[0]);

/// What the padding's words add to schedule word `t` of the second hash, from 16 to 31.
const fn known(t: usize) -> u32 {
    const fn padding(t: usize) -> u32 {
        match t {
            8 => PADDING,
            15 => DIGEST_BITS,
            // The digest's words are not known.
            _ => 0,
        }
    }
    padding(t - 16)
        .wrapping_add(padding(t - 7))
        .wrapping_add(small_sigma0(padding(t - 15)))
        .wrapping_add(small_sigma1(padding(t - 2)))
}

const CONSTANTS: Constants = {
    let mut k = K;
    let mut t = 1;
    while t < 4 {
        k[t] = k[t].wrapping_add(AFTER_0[8 - t]);
        t += 1;
    }
    k[8] = k[8].wrapping_add(PADDING);
    k[15] = k[15].wrapping_add(DIGEST_BITS);
    let mut words = [0; 16];
    let mut t = 16;
    while t < 32 {
        words[t - 16] = known(t);
        t += 1;
    }
    Constants { k, after_0: AFTER_0, known: words }
};

/// Everything that the assembly reads and writes.
struct Memory {
    constants: Constants,
    /// The byte-swapped nonces in row 0, and W + K of the first hash's round `t` in row `t`, from 7 on.
    rows: [Avx512; 64],
    versions: [Version; VERSIONS],
    /// Variable `e` after round 60 of the second hash, by version.
    results: [Avx512; VERSIONS],
}

/// The search, with its tables: some 13 kB, allocated once.
pub(super) struct Avx512Asm(Box<Memory>);

impl Avx512Asm {
    /// Allocates the tables. Runs on every processor; only [`scan`](Self::scan) needs the instructions.
    pub(super) fn new() -> Avx512Asm {
        let mut rows = [Avx512::filled(0); 64];
        for (row, k) in rows.iter_mut().zip(K).take(16).skip(7) {
            *row = Avx512::filled(k);
        }
        rows[15] = Avx512::filled(K[15].wrapping_add(HEADER_BITS));
        let versions = [Version::EMPTY; VERSIONS];
        let results = [Avx512::filled(0); VERSIONS];
        Avx512Asm(Box::new(Memory { constants: CONSTANTS, rows, versions, results }))
    }

    /// Tests `count` nonces from `first` on, wrapping, under each of the versions, and puts those into `hits` whose
    /// hash may meet a target with the most significant word `limit`. Exactly those.
    ///
    /// # Safety
    /// The processor must have AVX-512 F and BW.
    #[target_feature(enable = "avx512f,avx512bw")]
    pub(super) unsafe fn scan(
        &mut self,
        schedule: &Schedule,
        rounds: &[Rounds],
        first: u32,
        count: u32,
        limit: u32,
        hits: &mut Hits,
    ) {
        if let [_] = rounds {
            // SAFETY: the processor has what it must, says the caller.
            unsafe { avx512::scan(schedule, rounds, first, count, limit, hits) };
            return;
        }
        for (first_version, rounds) in kernel::parts(rounds, VERSIONS) {
            let Memory { constants, rows, versions, results } = &mut *self.0;
            for (version, rounds) in versions.iter_mut().zip(rounds) {
                *version = Version::new(rounds);
            }
            for done in (0..count).step_by(Avx512::COUNT as usize) {
                let first = first.wrapping_add(done);
                let valid = if count - done < Avx512::COUNT { (1 << (count - done)) - 1 } else { u32::MAX };
                rows[0] = Avx512::count_from(first).swap_bytes();
                kernel::prepare(schedule, rows[0], rows);
                let versions = &versions[..rounds.len()];
                // SAFETY: the processor has what it must, says the caller. There is at least one version, as chunks are
                // never empty, and at most VERSIONS, each with a row of results.
                unsafe { passes(constants, rows, versions.as_ptr_range().start, versions.as_ptr_range().end, results) };
                for (version, e) in results.iter().take(rounds.len()).enumerate() {
                    let lanes = e.add(Avx512::splat(IV[7])).swapped_at_most(limit) & valid;
                    kernel::report(first_version + version, lanes, first, hits);
                }
            }
        }
    }
}

/// A call of the assembly: hashes the sixteen nonces of the rows under each version, and puts `e` after round 60 of the
/// second hash into a row of results for each.
///
/// # Safety
/// The processor must have AVX-512 F. `version` and `end` must be the ends of a slice that is not empty, and has no more
/// versions than there are results.
#[unsafe(naked)]
unsafe extern "sysv64" fn passes(
    constants: &Constants,
    rows: &[Avx512; 64],
    version: *const Version,
    end: *const Version,
    results: &mut [Avx512; VERSIONS],
) {
    // SAFETY: by the ABI the arguments are in rdi, rsi, rdx, rcx and r8. The code uses only registers that a callee may
    // change, and no stack. It reads the constants at offsets from `offset_of!` plus less than the field's size, the 64
    // rows, and the versions up to the end, and writes a row of results for each version. Rows are aligned to 64.
    std::arch::naked_asm!(
        include_str!("pass.s"),
        k = const offset_of!(Constants, k),
        after_0 = const offset_of!(Constants, after_0),
        known = const offset_of!(Constants, known),
    )
}
