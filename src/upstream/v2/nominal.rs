//! What a pool is told of the miner's speed.

use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// The hashrate that a pool is told, by which it chooses the difficulty.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NominalHashrate {
    /// So many hashes a second, whatever the miner does.
    Given(f64),
    /// So many times what is measured.
    Times(f64),
}

/// No hashrate.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?}; expected hashes a second such as 5e9, or a factor such as x2")]
pub struct NominalHashrateError(String);

impl NominalHashrate {
    /// What the pool is told of a miner that is so fast, in hashes a second.
    pub(super) fn of(self, measured: f64) -> f64 {
        match self {
            NominalHashrate::Given(hashrate) => hashrate,
            NominalHashrate::Times(factor) => measured * factor,
        }
    }
}

impl FromStr for NominalHashrate {
    type Err = NominalHashrateError;

    fn from_str(text: &str) -> Result<NominalHashrate, NominalHashrateError> {
        let number = |text: &str| text.parse().ok().filter(|number| (1e-9..=1e30).contains(number));
        let read = match text.strip_prefix('x') {
            Some(factor) => number(factor).map(NominalHashrate::Times),
            None => number(text).map(NominalHashrate::Given),
        };
        read.ok_or_else(|| NominalHashrateError(text.to_owned()))
    }
}

impl fmt::Display for NominalHashrate {
    /// As it is read.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NominalHashrate::Given(hashrate) => write!(f, "{hashrate}"),
            NominalHashrate::Times(factor) => write!(f, "x{factor}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::float_cmp, reason = "the products are exact")]
    fn hashrates_are_given_or_multiplied() {
        let read = |text: &str| text.parse::<NominalHashrate>();
        assert_eq!(read("5e9").unwrap().of(1.0), 5e9);
        assert_eq!(read("x2.5").unwrap().of(2e6), 5e6);
        assert_eq!([read("5e9").unwrap().to_string(), read("x2.5").unwrap().to_string()], ["5000000000", "x2.5"]);
        for wrong in ["", "x", "0", "-1", "x0", "2x", "nan", "inf", "1e31", "fast"] {
            assert!(read(wrong).unwrap_err().to_string().starts_with(&format!("{wrong:?}; expected")), "{wrong}");
        }
    }
}
