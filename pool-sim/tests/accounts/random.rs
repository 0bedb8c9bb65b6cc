//! Random books, quickly: a million of them in seconds.

use pool_sim::pool::accounts::{SchemeKind, Share, Terms, User, Weights, Work};

pub(super) const USERS: [&str; 4] = ["alice", "bob", "carol", "dave"];

/// All schemes.
pub(super) const SCHEMES: [SchemeKind; 5] =
    [SchemeKind::Pplns { window: 2 }, SchemeKind::Prop, SchemeKind::Solo, SchemeKind::Pps, SchemeKind::Fpps];

/// A stream of books and what is in them.
pub(super) struct Random(fastrand::Rng);

impl Random {
    pub(super) fn new(seed: u64) -> Random {
        Random(fastrand::Rng::with_seed(seed))
    }

    pub(super) fn hash(&mut self) -> [u8; 32] {
        let mut hash = [0; 32];
        self.0.fill(&mut hash);
        hash
    }

    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.0.u64(..limit)
    }

    /// Of any size, as many small ones as big ones.
    pub(super) fn up_to_bits(&mut self, bits: u64) -> u128 {
        self.0.u128(..) >> (128 - self.below(bits) - 1)
    }

    /// From a satoshi's few to 21 million coins; work from a fraction of a hash to more than mainnet's.
    pub(super) fn weights(&mut self) -> Weights {
        let reward = (self.up_to_bits(51) as u64).min(2_100_000_000_000_000);
        let subsidy = reward - self.below(reward + 1);
        Weights { network: Work::from_units(self.up_to_bits(100).max(1)), subsidy, reward }
    }

    /// Mostly usual fees, sometimes none or all.
    pub(super) fn terms(&mut self, scheme: SchemeKind) -> Terms {
        let fee = [0, 1, 10_000, 20_000, 999_999, 1_000_000, self.below(1_000_001) as u32][self.below(7) as usize];
        Terms { scheme, fee, reserve_limit: u64::MAX }
    }

    /// Some shares, none harder than a block, as the books count them.
    pub(super) fn shares(&mut self, users: &[User], network: Work, at_most: u64) -> Vec<Share> {
        let share = |count, random: &mut Random| Share {
            count,
            user: User::clone(&users[random.below(users.len() as u64) as usize]),
            // Some equal ones, for ties.
            work: Work::from_units(if random.below(4) == 0 { 65536 } else { random.up_to_bits(100).max(1) })
                .min(network),
        };
        (1..=self.below(at_most + 1)).map(|count| share(count, self)).collect()
    }
}

pub(super) fn users() -> Vec<User> {
    USERS.map(User::from).to_vec()
}
