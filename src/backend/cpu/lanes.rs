//! The private lane trait: what the one kernel asks of an instruction set.

/// A vector of 32-bit lanes, each lane a different nonce.
///
/// The methods are safe although instruction sets have to be there for them. That holds because values of an
/// implementing type are made only inside the `scan` function of the type's own file, which is compiled for that
/// instruction set, and which [`super::Kernel`] calls only where it was detected.
pub(super) trait Lanes: Copy {
    /// How many lanes there are; below 32.
    const COUNT: u32;
    /// The same word in every lane.
    fn splat(word: u32) -> Self;
    /// `first`, `first + 1`, …, wrapping.
    fn count_from(first: u32) -> Self;
    /// Lane by lane, wrapping.
    fn add(self, other: Self) -> Self;
    /// The schedule's σ0: rotations right by 7 and 18, a shift by 3.
    fn small_sigma0(self) -> Self;
    /// The schedule's σ1: rotations right by 17 and 19, a shift by 10.
    fn small_sigma1(self) -> Self;
    /// The round's Σ0: rotations right by 2, 13 and 22.
    fn big_sigma0(self) -> Self;
    /// The round's Σ1: rotations right by 6, 11 and 25.
    fn big_sigma1(self) -> Self;
    /// Bits of `y` where `self` has ones, of `z` where it has zeros.
    fn ch(self, y: Self, z: Self) -> Self;
    /// The majority of each three bits.
    fn maj(self, y: Self, z: Self) -> Self;
    /// Reverses each lane's bytes.
    fn swap_bytes(self) -> Self;
    /// A bit for each lane, lane 0 lowest: whether its bytes, reversed, are at most `limit` as an unsigned number.
    fn swapped_at_most(self, limit: u32) -> u32;
}

/// The four functions of [`Lanes`] for instruction sets that make a rotation of shifts: a type's own `rotate_right::<N, 32 - N>`,
/// `shift_right` and `xor` make them all. (As methods of the trait these would need an intrinsic of one signature in every set.)
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
macro_rules! sigmas_by_shifts {
    () => {
        #[inline(always)]
        fn small_sigma0(self) -> Self {
            self.rotate_right::<7, 25>().xor(self.rotate_right::<18, 14>()).xor(self.shift_right::<3>())
        }

        #[inline(always)]
        fn small_sigma1(self) -> Self {
            self.rotate_right::<17, 15>().xor(self.rotate_right::<19, 13>()).xor(self.shift_right::<10>())
        }

        #[inline(always)]
        fn big_sigma0(self) -> Self {
            self.rotate_right::<2, 30>().xor(self.rotate_right::<13, 19>()).xor(self.rotate_right::<22, 10>())
        }

        #[inline(always)]
        fn big_sigma1(self) -> Self {
            self.rotate_right::<6, 26>().xor(self.rotate_right::<11, 21>()).xor(self.rotate_right::<25, 7>())
        }
    };
}
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub(super) use sigmas_by_shifts;
