//! Who earns what.

use super::work::mul_div;
use super::{User, Work};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// A share that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// Counted shares have numbers from 1 on, without a gap.
    pub count: u64,
    /// Whose it is.
    pub user: User,
    /// What it proves, at most the work of a block: a harder share is a block for certain, and worth no more than that.
    pub work: Work,
}

/// What a share is weighed against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weights {
    /// The work that a block takes.
    pub network: Work,
    /// What the block may create anew, in satoshis.
    pub subsidy: u64,
    /// The subsidy and the fees of its transactions, in satoshis.
    pub reward: u64,
}

/// 2^64: parts of a satoshi, or of a block, are counted in this many.
pub(super) const WHOLE: u128 = 1 << 64;

/// A way to pay for shares.
pub trait Scheme: fmt::Debug + Send + Sync {
    /// What a share earns at once, be a block found or not, before the fee: in 2^-64 satoshis, rounded down.
    fn pays(&self, work: Work, weights: Weights) -> u128 {
        let _ = (work, weights);
        0
    }

    /// In which proportions a block is divided. Nothing, if the pool has it.
    ///
    /// `shares` are those that count, the newest last; `round` the first share's count after the block before; `finder` the one
    /// who found it, if that is known yet.
    fn divides(&self, shares: &[Share], round: u64, network: Work, finder: Option<&User>) -> BTreeMap<User, Work>;

    /// How many of these shares, from the oldest on, no block will ask for again; `round` is the first share's count after the
    /// last block that is final.
    fn forgets(&self, shares: &[Share], round: u64, network: Work) -> usize;
}

/// The schemes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemeKind {
    /// The last shares before a block, as many as make so many times a block's work, whoever found the blocks between. The one
    /// that is cut by the window's edge counts in part.
    Pplns {
        /// How many times.
        window: u32,
    },
    /// All shares since the block before.
    Prop,
    /// Who finds a block has it.
    Solo,
    /// Each share earns its chance of being a block times the subsidy, from the pool's reserve, which has the blocks.
    Pps,
    /// The same, with the fees of the transactions in the job's template.
    Fpps,
}

/// A text that names no scheme.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("scheme: {0:?}; expected pplns, pplns:N (N from 1 to 1000 times a block's work), prop, solo, pps or fpps")]
pub struct SchemeError(pub String);

impl FromStr for SchemeKind {
    type Err = SchemeError;

    fn from_str(text: &str) -> Result<SchemeKind, SchemeError> {
        Ok(match text {
            "pplns" => SchemeKind::Pplns { window: 2 },
            "prop" => SchemeKind::Prop,
            "solo" => SchemeKind::Solo,
            "pps" => SchemeKind::Pps,
            "fpps" => SchemeKind::Fpps,
            _ => {
                let window = text.strip_prefix("pplns:").and_then(|window| window.parse().ok());
                let window = window.filter(|window| (1..=1000).contains(window));
                SchemeKind::Pplns { window: window.ok_or_else(|| SchemeError(text.to_owned()))? }
            }
        })
    }
}

impl fmt::Display for SchemeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SchemeKind::Pplns { window } => write!(f, "pplns:{window}"),
            SchemeKind::Prop => f.write_str("prop"),
            SchemeKind::Solo => f.write_str("solo"),
            SchemeKind::Pps => f.write_str("pps"),
            SchemeKind::Fpps => f.write_str("fpps"),
        }
    }
}

impl SchemeKind {
    /// The scheme.
    pub fn scheme(self) -> Box<dyn Scheme> {
        match self {
            SchemeKind::Pplns { window } => Box::new(Pplns { window }),
            SchemeKind::Prop => Box::new(Prop),
            SchemeKind::Solo => Box::new(Solo),
            SchemeKind::Pps => Box::new(PerShare { with_fees: false }),
            SchemeKind::Fpps => Box::new(PerShare { with_fees: true }),
        }
    }
}

#[derive(Debug)]
struct Pplns {
    window: u32,
}

#[derive(Debug)]
struct Prop;

#[derive(Debug)]
struct Solo;

#[derive(Debug)]
struct PerShare {
    with_fees: bool,
}

impl Scheme for Pplns {
    fn divides(&self, shares: &[Share], _: u64, network: Work, _: Option<&User>) -> BTreeMap<User, Work> {
        let mut left = network.times(self.window);
        let mut works = BTreeMap::new();
        for share in shares.iter().rev() {
            if left == Work::ZERO {
                break;
            }
            let counted = share.work.min(left);
            add(&mut works, &share.user, counted);
            left = left - counted;
        }
        works
    }

    fn forgets(&self, shares: &[Share], _: u64, network: Work) -> usize {
        // Twice as much is kept: a block that is under way may be harder.
        let mut left = network.times(self.window).times(2);
        for (at, share) in shares.iter().enumerate().rev() {
            if left == Work::ZERO {
                return at + 1;
            }
            left = left - share.work;
        }
        0
    }
}

impl Scheme for Prop {
    fn divides(&self, shares: &[Share], round: u64, _: Work, _: Option<&User>) -> BTreeMap<User, Work> {
        let mut works = BTreeMap::new();
        for share in &shares[shares.partition_point(|share| share.count < round)..] {
            add(&mut works, &share.user, share.work);
        }
        works
    }

    fn forgets(&self, shares: &[Share], round: u64, _: Work) -> usize {
        shares.partition_point(|share| share.count < round)
    }
}

impl Scheme for Solo {
    fn divides(&self, _: &[Share], _: u64, network: Work, finder: Option<&User>) -> BTreeMap<User, Work> {
        finder.map(|user| (User::clone(user), network)).into_iter().collect()
    }

    fn forgets(&self, shares: &[Share], _: u64, _: Work) -> usize {
        shares.len()
    }
}

impl Scheme for PerShare {
    fn pays(&self, work: Work, weights: Weights) -> u128 {
        let value = if self.with_fees { weights.reward } else { weights.subsidy };
        mul_div(u128::from(value) * WHOLE, work.min(weights.network).units(), weights.network.units()).0
    }

    fn divides(&self, _: &[Share], _: u64, _: Work, _: Option<&User>) -> BTreeMap<User, Work> {
        BTreeMap::new()
    }

    fn forgets(&self, shares: &[Share], _: u64, _: Work) -> usize {
        shares.len()
    }
}

fn add(works: &mut BTreeMap<User, Work>, user: &User, work: Work) {
    match works.get_mut(user) {
        Some(sum) => *sum += work,
        None => {
            works.insert(User::clone(user), work);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_shown() {
        for text in ["pplns:2", "pplns:1000", "prop", "solo", "pps", "fpps"] {
            assert_eq!(text.parse::<SchemeKind>().unwrap().to_string(), text);
        }
        assert_eq!("pplns".parse(), Ok(SchemeKind::Pplns { window: 2 }));
        for text in ["", "PPLNS", "pplns:", "pplns:0", "pplns:1001", "pplns:1.5", "score"] {
            let error = text.parse::<SchemeKind>().unwrap_err().to_string();
            assert!(error.contains(&format!("{text:?}")) && error.contains("expected"), "{error}");
        }
    }

    #[test]
    fn a_share_earns_its_chance_of_being_a_block() {
        let weights = Weights { network: Work::from_units(1000), subsidy: 100, reward: 150 };
        let (pps, fpps) = (SchemeKind::Pps.scheme(), SchemeKind::Fpps.scheme());
        let half = Work::from_units(500);
        assert_eq!((pps.pays(half, weights), fpps.pays(half, weights)), (50 * WHOLE, 75 * WHOLE));
        // A harder share than a block is one block.
        assert_eq!(pps.pays(Work::MAX, weights), 100 * WHOLE);
        assert_eq!(SchemeKind::Prop.scheme().pays(half, weights), 0);
    }
}
