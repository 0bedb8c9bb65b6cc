//! NEON: four lanes. A rotation is a shift and a shift that inserts.

use super::kernel::{self, Hits};
use super::lanes::{Lanes, sigmas_by_shifts};
use crate::sha256::{Rounds, Schedule};
use std::arch::aarch64::{
    uint32x4_t, vaddq_u32, vaddvq_u32, vandq_u32, vbslq_u32, vcleq_u32, vdupq_n_u32, veorq_u32, vreinterpretq_u8_u32,
    vreinterpretq_u32_u8, vrev32q_u8, vshlq_n_u32, vshrq_n_u32, vsriq_n_u32,
};

#[derive(Clone, Copy)]
struct Neon(uint32x4_t);

/// Runs intrinsics that take and give plain values.
macro_rules! neon {
    ($value:expr) => {
        // SAFETY: values of this type exist only inside `scan` below, which runs only where NEON was detected (see
        // `Lanes`), and the intrinsics used touch no memory.
        unsafe { $value }
    };
}

impl Neon {
    #[inline(always)]
    fn of(words: [u32; 4]) -> Self {
        // SAFETY: both are four words.
        Neon(unsafe { std::mem::transmute::<[u32; 4], uint32x4_t>(words) })
    }

    #[inline(always)]
    fn rotate_right<const N: i32, const REST: i32>(self) -> Self {
        const { assert!(N + REST == 32) };
        neon!(Neon(vsriq_n_u32::<N>(vshlq_n_u32::<REST>(self.0), self.0)))
    }

    #[inline(always)]
    fn shift_right<const N: i32>(self) -> Self {
        neon!(Neon(vshrq_n_u32::<N>(self.0)))
    }

    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        neon!(Neon(veorq_u32(self.0, other.0)))
    }

    #[inline(always)]
    fn and(self, other: Self) -> Self {
        neon!(Neon(vandq_u32(self.0, other.0)))
    }
}

impl Lanes for Neon {
    const COUNT: u32 = 4;

    #[inline(always)]
    fn splat(word: u32) -> Self {
        neon!(Neon(vdupq_n_u32(word)))
    }

    #[inline(always)]
    fn count_from(first: u32) -> Self {
        Self::splat(first).add(Self::of([0, 1, 2, 3]))
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        neon!(Neon(vaddq_u32(self.0, other.0)))
    }

    sigmas_by_shifts!();

    #[inline(always)]
    fn ch(self, y: Self, z: Self) -> Self {
        neon!(Neon(vbslq_u32(self.0, y.0, z.0)))
    }

    #[inline(always)]
    fn maj(self, y: Self, z: Self) -> Self {
        // Where x and y agree it is theirs, else z's. The compiler shares x ^ y with the next round's y ^ z. (It would
        // also see through a bit select by one of them, and make four operations of those two.)
        y.xor(self.xor(y).and(y.xor(z)))
    }

    #[inline(always)]
    fn swap_bytes(self) -> Self {
        neon!(Neon(vreinterpretq_u32_u8(vrev32q_u8(vreinterpretq_u8_u32(self.0)))))
    }

    #[inline(always)]
    fn swapped_at_most(self, limit: u32) -> u32 {
        let value = self.swap_bytes().0;
        let limit = Self::splat(limit).0;
        let bits = Self::of([1, 2, 4, 8]).0;
        // There is no mask of a comparison's lanes: each lane's bit, summed.
        neon!(vaddvq_u32(vandq_u32(vcleq_u32(value, limit), bits)))
    }
}

/// The kernel for NEON.
///
/// # Safety
/// The processor must have NEON.
#[target_feature(enable = "neon")]
pub(super) unsafe fn scan(
    schedule: &Schedule,
    versions: &[Rounds],
    first: u32,
    count: u32,
    limit: u32,
    hits: &mut Hits,
) {
    kernel::scan::<Neon>(schedule, versions, first, count, limit, hits);
}
