//! AVX2: eight lanes. There is no rotation, so each is two shifts and an or.

use super::kernel::{self, Hits};
use super::lanes::{Lanes, sigmas_by_shifts};
use crate::sha256::{Rounds, Schedule};
use std::arch::x86_64::{
    __m256i, _mm256_add_epi32, _mm256_and_si256, _mm256_castsi256_ps, _mm256_cmpeq_epi32, _mm256_min_epu32,
    _mm256_movemask_ps, _mm256_or_si256, _mm256_set1_epi32, _mm256_setr_epi8, _mm256_setr_epi32, _mm256_shuffle_epi8,
    _mm256_slli_epi32, _mm256_srli_epi32, _mm256_xor_si256,
};

#[derive(Clone, Copy)]
struct Avx2(__m256i);

/// Runs intrinsics that take and give plain values.
macro_rules! avx2 {
    ($value:expr) => {
        // SAFETY: values of this type exist only inside `scan` below, which runs only where AVX2 was detected (see
        // `Lanes`), and the intrinsics used touch no memory.
        unsafe { $value }
    };
}

impl Avx2 {
    #[inline(always)]
    fn rotate_right<const N: i32, const REST: i32>(self) -> Self {
        const { assert!(N + REST == 32) };
        avx2!(Avx2(_mm256_or_si256(_mm256_srli_epi32::<N>(self.0), _mm256_slli_epi32::<REST>(self.0))))
    }

    #[inline(always)]
    fn shift_right<const N: i32>(self) -> Self {
        avx2!(Avx2(_mm256_srli_epi32::<N>(self.0)))
    }

    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        avx2!(Avx2(_mm256_xor_si256(self.0, other.0)))
    }

    #[inline(always)]
    fn and(self, other: Self) -> Self {
        avx2!(Avx2(_mm256_and_si256(self.0, other.0)))
    }
}

impl Lanes for Avx2 {
    const COUNT: u32 = 8;

    #[inline(always)]
    fn splat(word: u32) -> Self {
        avx2!(Avx2(_mm256_set1_epi32(word.cast_signed())))
    }

    #[inline(always)]
    fn count_from(first: u32) -> Self {
        Self::splat(first).add(avx2!(Avx2(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7))))
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        avx2!(Avx2(_mm256_add_epi32(self.0, other.0)))
    }

    sigmas_by_shifts!();

    #[inline(always)]
    fn ch(self, y: Self, z: Self) -> Self {
        z.xor(self.and(y.xor(z)))
    }

    #[inline(always)]
    fn maj(self, y: Self, z: Self) -> Self {
        // Where x and y agree it is theirs, else z's. The compiler shares x ^ y with the next round's y ^ z.
        y.xor(self.xor(y).and(y.xor(z)))
    }

    #[inline(always)]
    fn swap_bytes(self) -> Self {
        avx2!({
            #[rustfmt::skip]
            let order = _mm256_setr_epi8(
                3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12,
                3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12,
            );
            Avx2(_mm256_shuffle_epi8(self.0, order))
        })
    }

    #[inline(always)]
    fn swapped_at_most(self, limit: u32) -> u32 {
        let value = self.swap_bytes().0;
        let limit = Self::splat(limit).0;
        // There is no unsigned comparison: x ≤ limit where min(x, limit) is x.
        let lanes =
            avx2!(_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_min_epu32(value, limit), value))));
        lanes.cast_unsigned()
    }
}

/// The kernel for AVX2.
///
/// # Safety
/// The processor must have AVX2.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn scan(
    schedule: &Schedule,
    versions: &[Rounds],
    first: u32,
    count: u32,
    limit: u32,
    hits: &mut Hits,
) {
    kernel::scan::<Avx2>(schedule, versions, first, count, limit, hits);
}
