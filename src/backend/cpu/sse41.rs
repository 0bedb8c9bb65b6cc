//! SSE4.1 and SSSE3: four lanes. There is no rotation, so each is two shifts and an or.

use super::kernel::{self, Hits};
use super::lanes::{Lanes, sigmas_by_shifts};
use crate::sha256::{Rounds, Schedule};
use std::arch::x86_64::{
    __m128i, _mm_add_epi32, _mm_and_si128, _mm_castsi128_ps, _mm_cmpeq_epi32, _mm_min_epu32, _mm_movemask_ps,
    _mm_or_si128, _mm_set1_epi32, _mm_setr_epi8, _mm_setr_epi32, _mm_shuffle_epi8, _mm_slli_epi32, _mm_srli_epi32,
    _mm_xor_si128,
};

#[derive(Clone, Copy)]
struct Sse41(__m128i);

/// Runs intrinsics that take and give plain values.
macro_rules! sse41 {
    ($value:expr) => {
        // SAFETY: values of this type exist only inside `scan` below, which runs only where SSE4.1 and SSSE3 were detected (see
        // `Lanes`), and the intrinsics used touch no memory.
        unsafe { $value }
    };
}

impl Sse41 {
    #[inline(always)]
    fn rotate_right<const N: i32, const REST: i32>(self) -> Self {
        const { assert!(N + REST == 32) };
        sse41!(Sse41(_mm_or_si128(_mm_srli_epi32::<N>(self.0), _mm_slli_epi32::<REST>(self.0))))
    }

    #[inline(always)]
    fn shift_right<const N: i32>(self) -> Self {
        sse41!(Sse41(_mm_srli_epi32::<N>(self.0)))
    }

    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        sse41!(Sse41(_mm_xor_si128(self.0, other.0)))
    }

    #[inline(always)]
    fn and(self, other: Self) -> Self {
        sse41!(Sse41(_mm_and_si128(self.0, other.0)))
    }
}

impl Lanes for Sse41 {
    const COUNT: u32 = 4;

    #[inline(always)]
    fn splat(word: u32) -> Self {
        sse41!(Sse41(_mm_set1_epi32(word.cast_signed())))
    }

    #[inline(always)]
    fn count_from(first: u32) -> Self {
        Self::splat(first).add(sse41!(Sse41(_mm_setr_epi32(0, 1, 2, 3))))
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        sse41!(Sse41(_mm_add_epi32(self.0, other.0)))
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
        sse41!({
            let order = _mm_setr_epi8(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12);
            Sse41(_mm_shuffle_epi8(self.0, order))
        })
    }

    #[inline(always)]
    fn swapped_at_most(self, limit: u32) -> u32 {
        let value = self.swap_bytes().0;
        let limit = Self::splat(limit).0;
        // There is no unsigned comparison: x ≤ limit where min(x, limit) is x.
        let lanes = sse41!(_mm_movemask_ps(_mm_castsi128_ps(_mm_cmpeq_epi32(_mm_min_epu32(value, limit), value))));
        lanes.cast_unsigned()
    }
}

/// The kernel for SSE4.1 and SSSE3.
///
/// # Safety
/// The processor must have SSE4.1 and SSSE3.
#[target_feature(enable = "sse4.1,ssse3")]
pub(super) unsafe fn scan(
    schedule: &Schedule,
    versions: &[Rounds],
    first: u32,
    count: u32,
    limit: u32,
    hits: &mut Hits,
) {
    kernel::scan::<Sse41>(schedule, versions, first, count, limit, hits);
}
