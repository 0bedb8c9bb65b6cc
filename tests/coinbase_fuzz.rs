//! The fuzz target `coinbase` as an ordinary test: on random bytes, and on real coinbases with a few bytes changed, which reach
//! further.
#![cfg(feature = "payout")]

#[path = "../fuzz/src/coinbase.rs"]
#[expect(unreachable_pub, reason = "it is the fuzz package's")]
mod body;

use body::coinbase;
use proptest::prelude::*;

/// Of mainnet's block 866,342 without its witness, and of its first block.
const SEEDS: [&[u8]; 2] = [include_bytes!("data/coinbase-866342.bin"), include_bytes!("data/coinbase-000000.bin")];

#[test]
fn real_coinbases() {
    for seed in SEEDS {
        coinbase(seed);
        for end in 0..seed.len() {
            coinbase(&seed[..end]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn random_bytes(bytes: Vec<u8>) {
        coinbase(&bytes);
    }

    #[test]
    fn nearly_right_coinbases(seed in prop::sample::select(&SEEDS[..]),
                              changes in proptest::collection::vec((any::<prop::sample::Index>(), 0usize..2, any::<[u8; 2]>(), 0usize..3), 1..4)) {
        let mut bytes = seed.to_vec();
        for (at, removed, added, count) in changes {
            let at = at.index(bytes.len());
            bytes.splice(at..at + removed, added[..count.min(2)].iter().copied());
        }
        coinbase(&bytes);
    }
}
