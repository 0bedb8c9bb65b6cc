//! One lane in plain integers: the form for every processor.

use super::kernel::{self, Hits};
use super::lanes::Lanes;
use crate::sha256::{Rounds, Schedule};

impl Lanes for u32 {
    const COUNT: u32 = 1;

    #[inline(always)]
    fn splat(word: u32) -> Self {
        word
    }

    #[inline(always)]
    fn count_from(first: u32) -> Self {
        first
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.wrapping_add(other)
    }

    #[inline(always)]
    fn small_sigma0(self) -> Self {
        self.rotate_right(7) ^ self.rotate_right(18) ^ (self >> 3)
    }

    #[inline(always)]
    fn small_sigma1(self) -> Self {
        self.rotate_right(17) ^ self.rotate_right(19) ^ (self >> 10)
    }

    #[inline(always)]
    fn big_sigma0(self) -> Self {
        self.rotate_right(2) ^ self.rotate_right(13) ^ self.rotate_right(22)
    }

    #[inline(always)]
    fn big_sigma1(self) -> Self {
        self.rotate_right(6) ^ self.rotate_right(11) ^ self.rotate_right(25)
    }

    #[inline(always)]
    fn ch(self, y: Self, z: Self) -> Self {
        // One operation fewer than the definition.
        z ^ (self & (y ^ z))
    }

    #[inline(always)]
    fn maj(self, y: Self, z: Self) -> Self {
        (self & y) | ((self | y) & z)
    }

    #[inline(always)]
    fn swap_bytes(self) -> Self {
        u32::swap_bytes(self)
    }

    #[inline(always)]
    fn swapped_at_most(self, limit: u32) -> u32 {
        u32::from(u32::swap_bytes(self) <= limit)
    }
}

pub(super) fn scan(schedule: &Schedule, versions: &[Rounds], first: u32, count: u32, limit: u32, hits: &mut Hits) {
    kernel::scan::<u32>(schedule, versions, first, count, limit, hits);
}
