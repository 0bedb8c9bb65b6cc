//! AVX-512: sixteen lanes, with real rotations, and any function of three inputs in one instruction.

use super::kernel::{self, Hits};
use super::lanes::Lanes;
use crate::sha256::{Rounds, Schedule};
use std::arch::x86_64::{
    __m512i, _mm512_add_epi32, _mm512_cmple_epu32_mask, _mm512_ror_epi32, _mm512_set1_epi32, _mm512_set4_epi32,
    _mm512_setr_epi32, _mm512_shuffle_epi8, _mm512_srli_epi32, _mm512_ternarylogic_epi32,
};

/// Sixteen words, lane 0 first. Only [`scan`] and `avx512_asm` compute with them.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(super) struct Avx512(__m512i);

/// Truth tables for `vpternlogd`, whose inputs count as bits 2, 1 and 0 of the index.
const XOR3: i32 = 0b1001_0110;
const CHOOSE: i32 = 0b1100_1010;
const MAJORITY: i32 = 0b1110_1000;

/// Runs intrinsics that take and give plain values.
macro_rules! avx512 {
    ($value:expr) => {
        // SAFETY: values of this type are computed with only inside `scan` below and that of `avx512_asm`, which run
        // only where AVX-512 F and BW were detected (see `Lanes`), and the intrinsics used touch no memory.
        unsafe { $value }
    };
}

impl Avx512 {
    /// The same word in every lane, for memory that is filled before it is known that the instructions are there.
    pub(super) const fn filled(word: u32) -> Self {
        // SAFETY: both are 64 bytes, any of which are valid.
        Avx512(unsafe { std::mem::transmute::<[u32; 16], __m512i>([word; 16]) })
    }

    #[inline(always)]
    fn rotate_right<const N: i32>(self) -> Self {
        avx512!(Avx512(_mm512_ror_epi32::<N>(self.0)))
    }

    #[inline(always)]
    fn shift_right<const N: u32>(self) -> Self {
        avx512!(Avx512(_mm512_srli_epi32::<N>(self.0)))
    }

    #[inline(always)]
    fn of_three<const TABLE: i32>(self, y: Self, z: Self) -> Self {
        avx512!(Avx512(_mm512_ternarylogic_epi32::<TABLE>(self.0, y.0, z.0)))
    }
}

impl Lanes for Avx512 {
    const COUNT: u32 = 16;

    #[inline(always)]
    fn splat(word: u32) -> Self {
        avx512!(Avx512(_mm512_set1_epi32(word.cast_signed())))
    }

    #[inline(always)]
    fn count_from(first: u32) -> Self {
        Self::splat(first).add(avx512!(Avx512(_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15))))
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        avx512!(Avx512(_mm512_add_epi32(self.0, other.0)))
    }

    #[inline(always)]
    fn small_sigma0(self) -> Self {
        self.rotate_right::<7>().of_three::<XOR3>(self.rotate_right::<18>(), self.shift_right::<3>())
    }

    #[inline(always)]
    fn small_sigma1(self) -> Self {
        self.rotate_right::<17>().of_three::<XOR3>(self.rotate_right::<19>(), self.shift_right::<10>())
    }

    #[inline(always)]
    fn big_sigma0(self) -> Self {
        self.rotate_right::<2>().of_three::<XOR3>(self.rotate_right::<13>(), self.rotate_right::<22>())
    }

    #[inline(always)]
    fn big_sigma1(self) -> Self {
        self.rotate_right::<6>().of_three::<XOR3>(self.rotate_right::<11>(), self.rotate_right::<25>())
    }

    #[inline(always)]
    fn ch(self, y: Self, z: Self) -> Self {
        self.of_three::<CHOOSE>(y, z)
    }

    #[inline(always)]
    fn maj(self, y: Self, z: Self) -> Self {
        self.of_three::<MAJORITY>(y, z)
    }

    #[inline(always)]
    fn swap_bytes(self) -> Self {
        avx512!({
            let order = _mm512_set4_epi32(0x0c0d_0e0f, 0x0809_0a0b, 0x0405_0607, 0x0001_0203);
            Avx512(_mm512_shuffle_epi8(self.0, order))
        })
    }

    #[inline(always)]
    fn swapped_at_most(self, limit: u32) -> u32 {
        u32::from(avx512!(_mm512_cmple_epu32_mask(self.swap_bytes().0, Self::splat(limit).0)))
    }
}

/// The kernel for AVX-512.
///
/// # Safety
/// The processor must have AVX-512 F and BW.
#[target_feature(enable = "avx512f,avx512bw")]
pub(super) unsafe fn scan(
    schedule: &Schedule,
    versions: &[Rounds],
    first: u32,
    count: u32,
    limit: u32,
    hits: &mut Hits,
) {
    kernel::scan::<Avx512>(schedule, versions, first, count, limit, hits);
}
