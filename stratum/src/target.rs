//! The number that a hash must not exceed.

use crate::Difficulty;
use ruint::aliases::U256;
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// A 256-bit target. A block hash, read as a little-endian number, meets it if it is not greater.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target(pub(crate) U256);

/// A compact target (nbits) that stands for none, by Bitcoin Core's rules (`arith_uint256::SetCompact`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CompactError {
    /// The sign bit is set, and the number is not zero.
    #[error("nbits: {0:#010x} is negative; expected a positive target")]
    Negative(u32),
    /// It does not fit 256 bits.
    #[error("nbits: {0:#010x} overflows 256 bits")]
    Overflow(u32),
    /// It is zero: no hash could meet it.
    #[error("nbits: {0:#010x} is zero; expected a positive target")]
    Zero(u32),
}

/// A text that is no target.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("target: {0:?}; expected 64 hex digits, most significant first")]
pub struct TargetError(pub String);

impl Target {
    /// Every hash meets this.
    pub const MAX: Target = Target(U256::MAX);
    /// The target of difficulty 1: 0xffff × 2^208.
    pub const DIFFICULTY_1: Target = Target(U256::from_limbs([0, 0, 0, 0x0000_0000_ffff_0000]));

    /// From 32 bytes, most significant first, as people write targets.
    pub const fn from_be_bytes(bytes: [u8; 32]) -> Target {
        Target(U256::from_be_bytes(bytes))
    }

    /// From 32 bytes, least significant first, as hashes are compared.
    pub const fn from_le_bytes(bytes: [u8; 32]) -> Target {
        Target(U256::from_le_bytes(bytes))
    }

    /// 32 bytes, most significant first.
    pub fn to_be_bytes(self) -> [u8; 32] {
        self.0.to_be_bytes()
    }

    /// 32 bytes, least significant first.
    pub fn to_le_bytes(self) -> [u8; 32] {
        self.0.to_le_bytes()
    }

    /// From the header's compact form: a byte of length, three of digits (Bitcoin Core, `arith_uint256::SetCompact`).
    pub fn from_compact(nbits: u32) -> Result<Target, CompactError> {
        let length = nbits >> 24;
        let digits = nbits & 0x007f_ffff;
        let value = if length <= 3 {
            U256::from(digits >> (8 * (3 - length)))
        } else {
            let shift = 8 * (length as usize - 3);
            if digits != 0 && shift + 32 - digits.leading_zeros() as usize > 256 {
                return Err(CompactError::Overflow(nbits));
            }
            if digits == 0 { U256::ZERO } else { U256::from(digits) << shift }
        };
        if value.is_zero() {
            return Err(CompactError::Zero(nbits));
        }
        if nbits & 0x0080_0000 != 0 {
            return Err(CompactError::Negative(nbits));
        }
        Ok(Target(value))
    }

    /// The header's compact form (Bitcoin Core, `arith_uint256::GetCompact`). It holds three digits of base 256, so it
    /// stands for this target or a smaller one.
    pub fn to_compact(self) -> u32 {
        let length = self.0.bit_len().div_ceil(8);
        let bytes = self.to_be_bytes();
        let digit = |at: usize| bytes.get(32 - length + at).map_or(0, |byte| u32::from(*byte));
        let digits = digit(0) << 16 | digit(1) << 8 | digit(2);
        // The highest bit would be the sign: such a number takes another digit, and loses its lowest.
        if digits & 0x0080_0000 == 0 { (length as u32) << 24 | digits } else { (length as u32 + 1) << 24 | digits >> 8 }
    }

    /// Whether a hash, in the order SHA-256 gives its bytes, is not greater than this.
    pub fn is_met_by(&self, hash: &[u8; 32]) -> bool {
        U256::from_le_bytes(*hash) <= self.0
    }

    /// The most significant 32 bits: a kernel's early reject.
    pub fn top_word(&self) -> u32 {
        (self.0.as_limbs()[3] >> 32) as u32
    }

    /// The difficulty nearest to this: [`Target::DIFFICULTY_1`] divided by it. Infinite for a target of zero.
    pub fn difficulty(&self) -> f64 {
        f64::from(Target::DIFFICULTY_1.0) / f64::from(self.0)
    }
}

impl From<Difficulty> for Target {
    fn from(difficulty: Difficulty) -> Target {
        difficulty.to_target()
    }
}

impl FromStr for Target {
    type Err = TargetError;

    /// From 64 hex digits, most significant first.
    fn from_str(text: &str) -> Result<Target, TargetError> {
        hex::decode_to_array(text).map(Target::from_be_bytes).map_err(|_| TargetError(text.to_owned()))
    }
}

impl fmt::Display for Target {
    /// 64 hex digits, most significant first.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:064x}", self.0)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn compact_forms_of_real_blocks() {
        let text = |nbits| Target::from_compact(nbits).unwrap().to_string();
        assert_eq!(text(0x1d00_ffff), Target::DIFFICULTY_1.to_string());
        assert_eq!(text(0x1b04_04cb), "00000000000404cb000000000000000000000000000000000000000000000000");
        assert_eq!(text(0x207f_ffff), "7fffff0000000000000000000000000000000000000000000000000000000000");
        assert_eq!(text(0x0312_3456), format!("{:064x}", 0x0012_3456));
        assert_eq!(text(0x0112_3456), format!("{:064x}", 0x12));
    }

    #[test]
    fn compact_forms_that_are_no_target() {
        // The cases of Bitcoin Core's arith_uint256_tests.cpp, bignum_SetCompact.
        for zero in [0, 0x0012_3456, 0x0100_3456, 0x0200_0056, 0x0300_0000, 0x0400_0000, 0x0092_3456, 0x0180_3456] {
            assert_eq!(Target::from_compact(zero), Err(CompactError::Zero(zero)));
        }
        for negative in [0x01fe_dcba, 0x0492_3456] {
            assert_eq!(Target::from_compact(negative), Err(CompactError::Negative(negative)));
        }
        assert_eq!(Target::from_compact(0xff12_3456), Err(CompactError::Overflow(0xff12_3456)));
        assert_eq!(Target::from_compact(0x2101_0000), Err(CompactError::Overflow(0x2101_0000)));
        assert!(Target::from_compact(0x2100_ffff).is_ok());
    }

    #[test]
    fn texts_that_are_no_target() {
        for wrong in ["", "00", &"0".repeat(63), &"0".repeat(65), &"g".repeat(64)] {
            let error = wrong.parse::<Target>().unwrap_err().to_string();
            assert!(error.contains("target") && error.contains("64 hex digits"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn compact_forms_are_those_of_rust_bitcoin(bytes: [u8; 32], shift in 0usize..256) {
            let target = Target(Target::from_be_bytes(bytes).0 >> shift);
            let theirs = bitcoin::Target::from_be_bytes(target.to_be_bytes()).to_compact_lossy().to_consensus();
            prop_assert_eq!(target.to_compact(), theirs);
            if let Ok(back) = Target::from_compact(theirs) {
                prop_assert!(back <= target);
                prop_assert_eq!(back.to_compact(), theirs);
            }
        }

        #[test]
        fn agrees_with_rust_bitcoin(nbits: u32) {
            let theirs = bitcoin::Target::from_compact(bitcoin::CompactTarget::from_consensus(nbits));
            // Theirs does not look for overflow, and takes the sign for a digit in the shortest forms.
            prop_assume!(nbits & 0x0080_0000 == 0);
            match Target::from_compact(nbits) {
                Ok(ours) => prop_assert_eq!(ours.to_be_bytes(), theirs.to_be_bytes()),
                Err(CompactError::Overflow(_)) => {}
                Err(_) => prop_assert_eq!(theirs, bitcoin::Target::ZERO),
            }
        }

        #[test]
        fn bytes_round_trip(bytes: [u8; 32]) {
            let target = Target::from_be_bytes(bytes);
            prop_assert_eq!(target.to_be_bytes(), bytes);
            prop_assert_eq!(Target::from_le_bytes(target.to_le_bytes()), target);
            prop_assert_eq!(target.to_string().parse(), Ok(target));
            prop_assert!(target.is_met_by(&target.to_le_bytes()));
            prop_assert_eq!(target.top_word(), u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
        }
    }
}
