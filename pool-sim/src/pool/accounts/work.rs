//! Work as an integer, and exact division.

use midstate_stratum::Target;
use ruint::aliases::{U256, U512};
use serde::{Deserialize, Serialize};
use std::ops::{Add, AddAssign, Sub};

/// Work: how many hashes it takes on average to meet a target, in 65,536ths of a hash, rounded down: ⌊2^272 / (target + 1)⌋,
/// as Bitcoin's chain work with 16 more bits. So it can be added up without an error, and shares below difficulty 2^-32, which
/// are usual on regtest, still differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Work(u128);

impl Work {
    /// No work.
    pub const ZERO: Work = Work(0);
    /// More counts as this: 2^88 hashes, hundreds of times what a block of mainnet takes. Sixteen million such shares can be
    /// added up.
    pub const MAX: Work = Work((1 << 104) - 1);

    /// The work that meeting a target proves.
    pub fn of(target: Target) -> Work {
        let tries = U512::from(U256::from_be_bytes(target.to_be_bytes())) + U512::from(1);
        let work = (U512::from(1) << 272usize) / tries;
        Work(u128::try_from(work).unwrap_or(u128::MAX)).min(Work::MAX)
    }

    /// In 65,536ths of a hash.
    pub const fn from_units(units: u128) -> Work {
        Work(units)
    }

    /// In 65,536ths of a hash.
    pub const fn units(self) -> u128 {
        self.0
    }

    /// So many times as much.
    #[must_use]
    pub fn times(self, count: u32) -> Work {
        Work(self.0.saturating_mul(count.into()))
    }

    /// In hashes, for people.
    pub fn hashes(self) -> f64 {
        self.0 as f64 / 65536.0
    }
}

impl Add for Work {
    type Output = Work;

    fn add(self, other: Work) -> Work {
        Work(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Work {
    fn add_assign(&mut self, other: Work) {
        *self = *self + other;
    }
}

impl Sub for Work {
    type Output = Work;

    fn sub(self, other: Work) -> Work {
        Work(self.0.saturating_sub(other.0))
    }
}

impl std::iter::Sum for Work {
    fn sum<I: Iterator<Item = Work>>(works: I) -> Work {
        works.fold(Work::ZERO, Add::add)
    }
}

/// ⌊a × b / c⌋ and what remains of a × b. Zero if `c` is; what is beyond 128 bits is the greatest that there is.
pub(super) fn mul_div(a: u128, b: u128, c: u128) -> (u128, u128) {
    if c == 0 {
        return (0, 0);
    }
    if let Some(product) = a.checked_mul(b) {
        return (product / c, product % c);
    }
    let (quotient, remainder) = (U256::from(a) * U256::from(b)).div_rem(U256::from(c));
    (quotient.saturating_to(), remainder.saturating_to())
}

#[cfg(test)]
mod tests {
    use super::*;
    use midstate_stratum::Difficulty;
    use proptest::prelude::*;

    #[test]
    fn a_target_s_work_is_the_chain_s_with_sixteen_more_bits() {
        assert_eq!(Work::of(Target::MAX).units(), 1 << 16);
        // Regtest: every second hash.
        assert_eq!(Work::of(Target::from_compact(0x207f_ffff).unwrap()).units() >> 16, 2);
        assert_eq!(Work::of(Target::DIFFICULTY_1).units() >> 16, 0x1_0001_0001);
        assert_eq!(Work::of(Difficulty::new(1e60).unwrap().to_target()), Work::MAX);
    }

    proptest! {
        #[test]
        fn work_agrees_with_rust_bitcoin(bytes: [u8; 32], zeros in 0usize..22) {
            let mut bytes = bytes;
            bytes[..zeros].fill(0);
            let theirs = bitcoin::Target::from_be_bytes(bytes).to_work();
            let theirs = u128::from_be_bytes(theirs.to_be_bytes()[16..].try_into().unwrap());
            prop_assume!(theirs < 1 << 88);
            prop_assert_eq!(Work::of(Target::from_be_bytes(bytes)).units() >> 16, theirs);
        }

        /// The only quotient and remainder with q × c + r = a × b and r < c, checked by multiplication.
        #[test]
        fn division_is_exact(a: u128, b in 0..u128::from(u64::MAX), c in 1..u128::MAX) {
            let c = c.max(b);
            let (q, r) = mul_div(a, b, c);
            prop_assert!(r < c);
            prop_assert_eq!(U256::from(q) * U256::from(c) + U256::from(r), U256::from(a) * U256::from(b));
        }
    }
}
