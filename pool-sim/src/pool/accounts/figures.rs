//! Sums that only grow, and fractions that wait to be whole.

use super::User;
use super::scheme::WHOLE;
use std::collections::HashMap;

/// Numbers by name, as they are stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures(HashMap<String, u128>);

impl Figures {
    /// How many shares were counted.
    pub const SHARES: &str = "shares";
    /// The number of the last share's record.
    pub const NUMBER: &str = "number";
    /// The count of the oldest share that a block may still ask for.
    pub const OLDEST: &str = "oldest";
    /// All work that was counted, in [`super::Work`]'s units.
    pub const WORK: &str = "work";
    /// The work since the pool's last block.
    pub const EFFORT: &str = "effort";
    /// How many blocks that work finds on average, in 2^-64.
    pub const EXPECTED: &str = "expected";
    /// How many transactions were booked.
    pub const TRANSACTIONS: &str = "transactions";
    /// What shares earned after the reserve was at its limit, in satoshis: nobody has it.
    pub const UNPAID: &str = "unpaid";
    /// What of the fee is no whole satoshi yet, in 2^-64.
    pub const FEE: &str = "fraction:fee";

    /// As they were stored.
    pub fn new(stored: impl IntoIterator<Item = (String, u128)>) -> Figures {
        Figures(stored.into_iter().collect())
    }

    /// What of a user's earnings is no whole satoshi yet, in 2^-64.
    pub fn fraction_of(user: &User) -> String {
        format!("fraction:user:{user}")
    }

    /// A number; zero if it is not there.
    pub fn get(&self, name: &str) -> u128 {
        self.0.get(name).copied().unwrap_or(0)
    }

    pub(super) fn set(&mut self, name: &str, value: u128) {
        match self.0.get_mut(name) {
            Some(old) => *old = value,
            None => drop(self.0.insert(name.to_owned(), value)),
        }
    }

    /// Adds 2^-64ths to a fraction, and takes out what is whole.
    pub(super) fn carry(&mut self, name: &str, parts: u128) -> u64 {
        let sum = self.get(name).saturating_add(parts);
        self.set(name, sum % WHOLE);
        (sum / WHOLE) as u64
    }
}
