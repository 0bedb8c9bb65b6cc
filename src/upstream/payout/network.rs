//! What heights and rewards a network can have.
//!
//! Only what is truly impossible is refused: a miner that leaves a pool on a wrong suspicion loses work.

use super::PayoutError;
use bitcoin::address::NetworkUnchecked;
use bitcoin::{Address, Amount, Network};

/// Heights per halving of the subsidy, on regtest and elsewhere.
const REGTEST_HALVING: u32 = 150;
const HALVING: u32 = 210_000;
/// The height of the halving in April 2024. Mainnet's blocks before it are older than this program.
const MAINNET_LEAST: u32 = 840_000;
/// The time of mainnet's first block.
const MAINNET_START: u32 = 1_231_006_505;
/// Seconds between blocks, as each retarget aims for.
const SPACING: u32 = 600;
/// So many blocks may come at once on mainnet, beside one a minute.
const BURST: u32 = 6;

/// The rules of a network; of two, where an address does not tell which is meant: the wider of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rules {
    mainnet: bool,
    /// Heights per halving.
    shortest: u32,
    longest: u32,
}

impl Rules {
    /// Those of the networks that an address may be of. The old forms of addresses are the same on testnets and on regtest.
    pub(super) fn of_address(address: &Address<NetworkUnchecked>) -> Rules {
        let valid = |network| address.is_valid_for_network(network);
        Rules {
            mainnet: valid(Network::Bitcoin),
            shortest: if valid(Network::Regtest) { REGTEST_HALVING } else { HALVING },
            longest: if valid(Network::Bitcoin) || valid(Network::Testnet) { HALVING } else { REGTEST_HALVING },
        }
    }

    /// Those of a network.
    #[cfg(feature = "solo")]
    pub(super) fn of(network: Network) -> Rules {
        let halving = if network == Network::Regtest { REGTEST_HALVING } else { HALVING };
        Rules { mainnet: network == Network::Bitcoin, shortest: halving, longest: halving }
    }

    /// So many heights at most a reorganisation takes back. On test chains, blocks of the least difficulty give way to few of a
    /// higher one.
    pub(super) fn deepest_reorganisation(self) -> u32 {
        if self.mainnet { 6 } else { 144 }
    }

    /// Whether a block of this time may have this height.
    pub(super) fn check_height(self, height: u32, ntime: u32) -> Result<(), PayoutError> {
        if !self.mainnet {
            return Ok(());
        }
        // Retargets keep the average near 600 s: in all the years to 2024, they let 4 % more blocks through.
        let due = u64::from(ntime.saturating_sub(MAINNET_START) / SPACING);
        let most = due + due / 10;
        if height < MAINNET_LEAST || u64::from(height) > most {
            let expected = format!("{MAINNET_LEAST} to {most}, as it is mainnet's and its ntime {ntime}");
            return Err(PayoutError::Height { height, expected });
        }
        Ok(())
    }

    /// Whether the next job's block may be so much higher and later than the last one's.
    pub(super) fn check_rise(self, (from, then): (u32, u32), (height, now): (u32, u32)) -> Result<(), PayoutError> {
        let most = from.saturating_add(BURST).saturating_add(now.saturating_sub(then) / 60);
        if self.mainnet && height > most {
            let expected = format!("{most} at most, as it was {from} in the job before");
            return Err(PayoutError::Height { height, expected });
        }
        Ok(())
    }

    /// Whether a block of this height may create and collect so much in all.
    pub(super) fn check_reward(self, height: u32, total: Amount, empty: bool) -> Result<(), PayoutError> {
        let (most, because) = if empty {
            (self.most_subsidy(height), "the subsidy, as there are no transactions that pay fees")
        } else {
            // Fees have no limit of their own, and some were paid by mistake; but all coins come from subsidies.
            (supply(height, self.longest), "as many as there are by then")
        };
        if total > most { Err(PayoutError::Reward { total, height, most, because }) } else { Ok(()) }
    }

    /// What a block of this height creates at most.
    pub(super) fn most_subsidy(self, height: u32) -> Amount {
        subsidy(height, self.longest)
    }

    /// What a block of this height creates at least, and gives up if it claims less.
    pub(super) fn subsidy(self, height: u32) -> Amount {
        subsidy(height, self.shortest)
    }
}

fn subsidy(height: u32, halving: u32) -> Amount {
    Amount::from_sat(5_000_000_000_u64.checked_shr(height / halving).unwrap_or(0))
}

/// All subsidies up to this height. That of the first block, which nobody can spend, is not among them.
fn supply(height: u32, halving: u32) -> Amount {
    let eras = (0..64).map(|era: u32| {
        let (first, last) = ((era * halving).max(1), (era * halving + (halving - 1)).min(height));
        let blocks = if first <= last { last - first + 1 } else { 0 };
        u64::from(blocks) * subsidy(era * halving, halving).to_sat()
    });
    Amount::from_sat(eras.sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(address: &str) -> Rules {
        Rules::of_address(&address.parse().unwrap())
    }

    const MAINNET: &str = "15MdAHnkxt9TMC2Rj595hsg8Hnv693pPBB";
    const TESTNET: &str = "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx";
    const REGTEST: &str = "bcrt1qrxcucnxg57q5lrq8qnhjm2yg8sac3v3jejqq9h";
    const EITHER: &str = "2N83imGV3gPwBzKJQvWJ7cRUY2SpUyU6A5e";

    #[test]
    fn subsidies_halve_and_add_up() {
        let sats = |height, halving| subsidy(height, halving).to_sat();
        assert_eq!(
            [0, 209_999, 210_000, 866_342].map(|h| sats(h, HALVING)),
            [5e9, 5e9, 2.5e9, 3.125e8].map(|s| s as u64)
        );
        assert_eq!(
            [149, 150, 299, 300].map(|h| sats(h, REGTEST_HALVING)),
            [5e9, 5e9 / 2.0, 2.5e9, 1.25e9].map(|s| s as u64)
        );
        assert_eq!((sats(6_930_000, HALVING), sats(u32::MAX, 150)), (0, 0));
        assert_eq!([1, 17].map(|height| supply(height, HALVING).to_sat()), [5_000_000_000, 85_000_000_000]);
        // Bitcoin's well-known limit, less the first block's.
        assert_eq!(supply(u32::MAX, HALVING).to_sat(), 2_099_999_997_690_000 - 5_000_000_000);
        for halving in [REGTEST_HALVING, HALVING] {
            for height in [1, 149, 150, 151, 420_001] {
                assert_eq!(supply(height, halving) - supply(height - 1, halving), subsidy(height, halving));
            }
        }
    }

    #[test]
    fn an_address_tells_its_network() {
        assert_eq!(rules(MAINNET), Rules { mainnet: true, shortest: HALVING, longest: HALVING });
        assert_eq!(rules(TESTNET), Rules { mainnet: false, shortest: HALVING, longest: HALVING });
        assert_eq!(rules(REGTEST), Rules { mainnet: false, shortest: REGTEST_HALVING, longest: REGTEST_HALVING });
        assert_eq!(rules(EITHER), Rules { mainnet: false, shortest: REGTEST_HALVING, longest: HALVING });
    }

    #[test]
    fn heights_of_mainnet_go_with_the_time() {
        // Block 866,342 is of 19 October 2024.
        let (height, ntime) = (866_342, 1_729_334_970);
        let mainnet = rules(MAINNET);
        assert_eq!(mainnet.check_height(height, ntime), Ok(()));
        for wrong in [0, 1, 839_999, 920_000, u32::MAX] {
            let error = mainnet.check_height(wrong, ntime).unwrap_err().to_string();
            assert!(error.starts_with(&format!("height: {wrong}; expected 840000 to ")), "{error}");
            assert_eq!(rules(EITHER).check_height(wrong, ntime), Ok(()));
        }
        let rise = |to, seconds| mainnet.check_rise((height, ntime), (to, ntime + seconds));
        assert_eq!([rise(height + 6, 0), rise(height + 66, 3600), rise(0, 0)], [Ok(()), Ok(()), Ok(())]);
        assert!(rise(height + 7, 0).is_err() && rise(u32::MAX, 7200).is_err());
        // A clock that goes back, and chains on which anybody can make blocks.
        assert_eq!(mainnet.check_rise((height, ntime), (height + 1, 0)), Ok(()));
        assert_eq!(rules(TESTNET).check_rise((1, ntime), (10_000, ntime)), Ok(()));
    }

    #[test]
    fn a_reward_is_the_subsidy_and_what_fees_there_can_be() {
        let btc = |amount| Amount::from_btc(amount).unwrap();
        let mainnet = rules(MAINNET);
        // The largest fees ever were 291 BTC, paid by mistake.
        assert_eq!(mainnet.check_reward(866_342, btc(3.125 + 291.0), false), Ok(()));
        assert_eq!(mainnet.check_reward(866_342, btc(3.125), true), Ok(()));
        let error = mainnet.check_reward(866_342, btc(3.126), true).unwrap_err();
        assert!(
            error.to_string().starts_with("reward: 3.12600000 BTC at height 866342; expected 3.12500000 BTC at most"),
            "{error}"
        );
        assert!(mainnet.check_reward(866_342, btc(20_000_000.0), false).is_err());
        assert!(rules(REGTEST).check_reward(17, btc(851.0), false).is_err());
        // Where it may be one of two networks, it may be what either allows.
        assert_eq!(rules(EITHER).check_reward(300, btc(50.0), true), Ok(()));
        assert_eq!(rules(EITHER).subsidy(300), btc(12.5));
    }
}
