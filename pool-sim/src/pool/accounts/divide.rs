//! How an amount is divided.

use super::work::mul_div;
use super::{User, Work};
use std::collections::BTreeMap;

/// A pool's fee of an amount, in parts per million, rounded down: the odd satoshi is the miners'.
pub fn fee(amount: u64, parts_per_million: u32) -> u64 {
    // At most the amount.
    mul_div(amount.into(), parts_per_million.into(), 1_000_000).0 as u64
}

/// Divides satoshis in proportion to work, by largest remainder: everybody has their part rounded down, and the satoshis that
/// are left go one each to those whose parts lost most by that; among equals, to whose name comes first. So the parts add up to
/// the amount, no part is a whole satoshi off, and the pool keeps nothing that is not called a fee.
///
/// `None` if there is no work to divide by.
pub fn divide(amount: u64, by: &BTreeMap<User, Work>) -> Option<BTreeMap<User, u64>> {
    let total: Work = by.values().copied().sum();
    if total == Work::ZERO {
        return None;
    }
    let part = |work: &Work| mul_div(amount.into(), work.units(), total.units());
    let mut parts: Vec<_> = by.iter().map(|(user, work)| (user, part(work))).collect();
    let given: u64 = parts.iter().map(|(_, (whole, _))| *whole as u64).sum();
    let left = (amount - given) as usize;
    // Stable: equals stay in the order of their names.
    parts.sort_by(|(_, (_, one)), (_, (_, other))| other.cmp(one));
    for (_, (whole, _)) in &mut parts[..left] {
        *whole += 1;
    }
    let parts = parts.into_iter().filter(|(_, (whole, _))| *whole > 0);
    Some(parts.map(|(user, (whole, _))| (User::clone(user), whole as u64)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(amount: u64, by: &[(&str, u128)]) -> Vec<u64> {
        let works = by.iter().map(|(user, work)| (User::from(*user), Work::from_units(*work))).collect();
        let parts = divide(amount, &works).unwrap();
        by.iter().map(|(user, _)| parts.get(*user).copied().unwrap_or(0)).collect()
    }

    #[test]
    fn odd_satoshis_go_to_the_largest_remainders() {
        // 3.33 each: the first name has the odd one.
        assert_eq!(parts(10, &[("b", 1), ("a", 1), ("c", 1)]), [3, 4, 3]);
        // 1.43, 2.86, 5.71.
        assert_eq!(parts(10, &[("a", 1), ("b", 2), ("c", 4)]), [1, 3, 6]);
        assert_eq!(parts(0, &[("a", 1)]), [0]);
        assert_eq!(parts(1, &[("a", 1), ("b", Work::MAX.units())]), [0, 1]);
        assert_eq!(divide(10, &BTreeMap::from([(User::from("a"), Work::ZERO)])), None);
    }

    #[test]
    fn fees_are_rounded_down() {
        assert_eq!([fee(999_999, 1), fee(1_000_000, 1), fee(99, 10_000), fee(7, 1_000_000)], [0, 1, 0, 7]);
        assert_eq!(fee(u64::MAX, 1_000_000), u64::MAX);
    }
}
