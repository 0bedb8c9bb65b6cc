//! How the gap in a coinbase is divided, so that no two miners ever search the same headers.
//!
//! ```text
//! a pool on a node       │ session's own (4) │ miner's extranonce2 (8) │
//! a pool on an upstream  │ upstream's extranonce1 │ session's own │ miner's extranonce2 │
//!                                                 └──── upstream's extranonce2 ────────┘
//! ```

use super::EXTRANONCE1_SIZE;
use midstate_stratum::message::MessageError;

/// The longest extranonce1 of an upstream: with the rest, a coinbase's script has 100 bytes at most.
const LONGEST: usize = 64;

/// The parts of a gap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Space {
    /// What comes before the session's own part: an upstream's extranonce1.
    before: Vec<u8>,
    /// How many bytes are the session's own, up to [`EXTRANONCE1_SIZE`].
    own: usize,
    /// How many bytes the miner chooses.
    pub(super) extranonce2_size: usize,
}

impl Space {
    /// All of it is the pool's: each session has four bytes, and eight are enough that no miner runs out within a job.
    pub(super) fn whole() -> Space {
        Space { before: Vec::new(), own: EXTRANONCE1_SIZE, extranonce2_size: super::EXTRANONCE2_SIZE }
    }

    /// Divides what an upstream gave. Half of its extranonce2, up to four bytes, tells sessions apart; of an odd number the miner
    /// has the greater part.
    pub(super) fn of_upstream(extranonce1: Vec<u8>, extranonce2_size: usize) -> Result<Space, MessageError> {
        if extranonce2_size < 2 {
            let expected = "2 bytes at least: one to tell miners apart, and one for each to choose";
            return Err(MessageError::new("extranonce2_size", extranonce2_size, expected));
        }
        if extranonce1.len() > LONGEST {
            let found = format!("{} bytes", extranonce1.len());
            return Err(MessageError::new("extranonce1", found, "64 bytes at most"));
        }
        let own = (extranonce2_size / 2).min(EXTRANONCE1_SIZE);
        Ok(Space { before: extranonce1, own, extranonce2_size: extranonce2_size - own })
    }

    /// How many sessions have a place in it.
    pub(super) fn places(&self) -> u64 {
        1 << (8 * self.own)
    }

    /// Whether a session's number has a place in it.
    pub(super) fn holds(&self, number: [u8; EXTRANONCE1_SIZE]) -> bool {
        u64::from(u32::from_be_bytes(number)) < self.places()
    }

    /// What stands before a miner's extranonce2, by its session's number.
    pub(super) fn extranonce1(&self, number: [u8; EXTRANONCE1_SIZE]) -> Vec<u8> {
        [&self.before[..], self.own(&number)].concat()
    }

    /// What the upstream knows as extranonce2: the session's part and the miner's.
    pub(super) fn extranonce2(&self, number: [u8; EXTRANONCE1_SIZE], chosen: &[u8]) -> Vec<u8> {
        [self.own(&number), chosen].concat()
    }

    /// How many bytes there are in all.
    pub(super) fn size(&self) -> usize {
        self.before.len() + self.own + self.extranonce2_size
    }

    fn own<'a>(&self, number: &'a [u8; EXTRANONCE1_SIZE]) -> &'a [u8] {
        &number[EXTRANONCE1_SIZE - self.own..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_upstreams_extranonce2_is_divided() {
        for (size, own, left) in [(2, 1, 1), (3, 1, 2), (4, 2, 2), (5, 2, 3), (8, 4, 4), (16, 4, 12)] {
            let space = Space::of_upstream(vec![0xaa; 3], size).unwrap();
            assert_eq!((space.own, space.extranonce2_size, space.places()), (own, left, 256u64.pow(own as u32)));
        }
        let error = Space::of_upstream(vec![], 1).unwrap_err().to_string();
        assert!(error.starts_with("extranonce2_size: 1; expected 2 bytes at least"), "{error}");
        assert_eq!(Space::of_upstream(vec![0; 65], 4).unwrap_err().field, "extranonce1");
    }

    proptest! {
        /// What a miner hashes is what the upstream puts together, and two sessions never hash the same.
        #[test]
        fn parts_add_up(before in proptest::collection::vec(any::<u8>(), 0..12), size in 2usize..=16, one: u32, other: u32,
                        chosen: [u8; 16]) {
            let space = Space::of_upstream(before.clone(), size).unwrap();
            let [one, other] = [one, other].map(|number| (u64::from(number) % space.places()) as u32);
            let chosen = &chosen[..space.extranonce2_size];
            let [one_whole, other_whole] = [one, other].map(|number| {
                let number = number.to_be_bytes();
                let whole = [&space.extranonce1(number)[..], chosen].concat();
                assert_eq!(whole, [&before[..], &space.extranonce2(number, chosen)].concat());
                assert!(space.holds(number) && whole.len() == space.size() && space.size() == before.len() + size);
                whole
            });
            prop_assert_eq!(one == other, one_whole == other_whole);
            if let Ok(beyond) = u32::try_from(space.places()) {
                prop_assert!(!space.holds(beyond.to_be_bytes()));
            }
        }
    }
}
