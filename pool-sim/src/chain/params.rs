//! The numbers that differ between networks.

use bitcoin::{Amount, CompactTarget, Network, Target};

/// What holds on a network.
#[derive(Clone, Debug)]
pub struct Params {
    /// Which.
    pub network: Network,
    /// The easiest target that a block may have.
    pub pow_limit: Target,
    /// The compact target that every block must have, as nothing is retargeted.
    pub bits: CompactTarget,
    /// After so many blocks the subsidy halves.
    pub halving_interval: u32,
    /// From this height on a coinbase begins with its height, and versions below 2 are refused (BIP 34).
    pub bip34_height: u32,
    /// From this height on versions below 3 are refused (BIP 66).
    pub bip66_height: u32,
    /// From this height on versions below 4 are refused (BIP 65).
    pub bip65_height: u32,
    /// From this height on lock times are judged by the median time past (BIP 113).
    pub csv_height: u32,
    /// From this height on a coinbase commits to witnesses (BIP 141).
    pub segwit_height: u32,
}

impl Params {
    /// Bitcoin Core's regtest: no retargeting, a halving each 150 blocks, all soft forks active from the first block
    /// on (`CRegTestParams`).
    pub fn regtest() -> Params {
        Params {
            network: Network::Regtest,
            pow_limit: Target::MAX_ATTAINABLE_REGTEST,
            bits: CompactTarget::from_consensus(0x207f_ffff),
            halving_interval: 150,
            bip34_height: 1,
            bip66_height: 1,
            bip65_height: 1,
            csv_height: 1,
            segwit_height: 0,
        }
    }

    /// What a block at this height may create (`GetBlockSubsidy`).
    pub fn subsidy(&self, height: u32) -> Amount {
        let halvings = height / self.halving_interval;
        Amount::from_sat((50 * Amount::ONE_BTC.to_sat()).checked_shr(halvings).unwrap_or(0))
    }

    /// The lowest version that a block at this height may have.
    pub(super) fn minimum_version(&self, height: u32) -> i32 {
        let active = [self.bip34_height, self.bip66_height, self.bip65_height];
        // A version of 2 came with BIP 34, 3 with BIP 66, 4 with BIP 65.
        (2..).zip(active).filter(|(_, from)| height >= *from).map(|(version, _)| version).max().unwrap_or(i32::MIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subsidies_halve_and_end() {
        let params = Params::regtest();
        let subsidy = |height| params.subsidy(height).to_sat();
        let btc = 100_000_000;
        assert_eq!([0, 149, 150, 299, 300].map(subsidy), [50 * btc, 50 * btc, 25 * btc, 25 * btc, 25 * btc / 2]);
        assert_eq!([150 * 33 - 1, 150 * 33, 150 * 64, u32::MAX].map(subsidy), [1, 0, 0, 0]);
    }

    #[test]
    fn versions_rise_with_the_soft_forks() {
        // Mainnet's heights.
        let params =
            Params { bip34_height: 227_931, bip66_height: 363_725, bip65_height: 388_381, ..Params::regtest() };
        let minimum = [227_930, 227_931, 363_725, 388_380, 388_381].map(|height| params.minimum_version(height));
        assert_eq!(minimum, [i32::MIN, 2, 3, 3, 4]);
    }
}
