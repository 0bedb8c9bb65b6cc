//! How hard a share is, as a real number, and its exact target.

use crate::Target;
use ruint::aliases::{U256, U512};
use std::fmt;
use thiserror::Error;

/// A share's difficulty: finite, above zero, and small enough that some hash can meet it.
///
/// Difficulty `d` stands for the target ⌊0xffff × 2^208 / d⌋ ("bdiff"), for the exact value of the float.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Difficulty(f64);

/// A number that is no difficulty.
#[derive(Clone, Debug, PartialEq, Error)]
#[error("difficulty: {0}; expected a number above 0 and below 2.7e67")]
pub struct DifficultyError(pub String);

impl Difficulty {
    /// What holds until a pool says otherwise.
    pub const ONE: Difficulty = Difficulty(1.0);

    /// Checks a number.
    pub fn new(value: f64) -> Result<Difficulty, DifficultyError> {
        let difficulty = Difficulty(value);
        if value.is_finite() && value > 0.0 && !difficulty.exact_target().is_zero() {
            Ok(difficulty)
        } else {
            Err(DifficultyError(value.to_string()))
        }
    }

    /// The number.
    pub fn get(self) -> f64 {
        self.0
    }

    /// ⌊0xffff × 2^208 / d⌋, or [`Target::MAX`] where that is greater.
    pub fn to_target(self) -> Target {
        Target(self.exact_target())
    }

    fn exact_target(self) -> U256 {
        // d is mantissa × 2^exponent, exactly. So the quotient is a shift of 0xffff × 2^208 and an integer division.
        let bits = self.0.to_bits();
        let fraction = bits & ((1 << 52) - 1);
        let biased = ((bits >> 52) & 0x7ff) as i32;
        let (mantissa, exponent) = if biased == 0 { (fraction, -1074) } else { (fraction | 1 << 52, biased - 1075) };
        let one = U512::from(Target::DIFFICULTY_1.0);
        let quotient = if exponent <= 0 {
            // Below 2^-200 the target is beyond 256 bits whatever the mantissa, and the shift would be beyond 512.
            if exponent < -200 {
                return U256::MAX;
            }
            (one << exponent.unsigned_abs() as usize) / U512::from(mantissa)
        } else {
            // ⌊⌊n / 2^e⌋ / m⌋ is ⌊n / (2^e × m)⌋. A shift by more than there are bits gives zero.
            (one >> exponent.unsigned_abs() as usize) / U512::from(mantissa)
        };
        U256::saturating_from(quotient)
    }
}

impl fmt::Display for Difficulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Wide = ruint::Uint<1024, 16>;

    fn target(difficulty: f64) -> Target {
        Difficulty::new(difficulty).unwrap().to_target()
    }

    #[test]
    fn known_targets() {
        assert_eq!(target(1.0), Target::DIFFICULTY_1);
        assert_eq!(target(2.0).to_string(), format!("000000007fff8{:051}", 0));
        // 0xffff × 2^208 / 0xffff is 2^208.
        assert_eq!(target(65535.0).to_string(), format!("{:012}1{:052}", 0, 0)[1..].to_owned());
        assert_eq!(target(0.5).to_string(), format!("00000001fffe{:052}", 0));
        // Regtest's limit: 0x7fffff × 2^232 is difficulty 0xffff × 2^208 / that.
        let regtest = Target::from_compact(0x207f_ffff).unwrap();
        assert!((regtest.difficulty() - 4.656_542_373_906_925e-10).abs() < 1e-24);
        assert_eq!(target(1e-60), Target::MAX);
        assert_eq!(target(f64::MIN_POSITIVE), Target::MAX);
        assert_eq!(
            target(2f64.powi(-31)),
            Target::from_be_bytes({
                let mut bytes = [0; 32];
                bytes[..3].copy_from_slice(&[0x7f, 0xff, 0x80]);
                bytes
            })
        );
    }

    #[test]
    fn numbers_that_are_no_difficulty() {
        for wrong in [0.0, -0.0, -1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, 2.8e67] {
            let error = Difficulty::new(wrong).unwrap_err().to_string();
            assert!(error.contains("difficulty") && error.contains("expected"), "{error}");
        }
        assert!(Difficulty::new(2.6e67).is_ok());
    }

    proptest! {
        /// The quotient t of n / d is the only integer with t × d ≤ n < (t + 1) × d. Checked by multiplication.
        #[test]
        fn targets_are_exact(mantissa in 1u64..1 << 53, exponent in -90i32..120) {
            let difficulty = mantissa as f64 * 2f64.powi(exponent);
            prop_assume!(Difficulty::new(difficulty).is_ok());
            let target = target(difficulty);
            prop_assume!(target != Target::MAX);
            let t = Wide::from(target.0);
            let (mut d, mut n) = (Wide::from(mantissa), Wide::from(Target::DIFFICULTY_1.0));
            if exponent < 0 { n <<= exponent.unsigned_abs() as usize } else { d <<= exponent as usize }
            prop_assert!(t * d <= n && n < (t + Wide::from(1)) * d);
        }

        #[test]
        fn integers_agree_with_rust_bitcoin(difficulty in 1u64..1 << 50) {
            let limit = bitcoin::Target::from_be_bytes(Target::DIFFICULTY_1.to_be_bytes());
            let theirs = bitcoin::Target::from_be_bytes(target(difficulty as f64).to_be_bytes());
            // They go the other way: from a target to a difficulty, rounded down.
            let back = limit.difficulty_float() / theirs.difficulty_float();
            prop_assert!((back * difficulty as f64 - 1.0).abs() < 1e-9);
        }
    }
}
