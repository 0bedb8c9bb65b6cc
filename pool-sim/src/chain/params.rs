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
        }
    }

    /// What a block at this height may create (`GetBlockSubsidy`).
    pub fn subsidy(&self, height: u32) -> Amount {
        let halvings = height / self.halving_interval;
        Amount::from_sat((50 * Amount::ONE_BTC.to_sat()).checked_shr(halvings).unwrap_or(0))
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
}
