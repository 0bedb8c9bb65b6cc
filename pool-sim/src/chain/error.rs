//! Why a block is refused.

use bitcoin::{Amount, BlockHash, CompactTarget, OutPoint};
use thiserror::Error;

/// A broken rule. It displays as the word that Bitcoin Core's `submitblock` answers (BIP 22); its fields, which `Debug`
/// shows, carry the numbers behind the word.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[expect(missing_docs, reason = "the fields are named by what they hold, and the words are Bitcoin Core's")]
pub enum BlockError {
    #[error("high-hash")]
    HighHash { hash: BlockHash },
    #[error("prev-blk-not-found")]
    PreviousNotFound { previous: BlockHash },
    #[error("bad-prevblk")]
    PreviousInvalid { previous: BlockHash },
    #[error("inconclusive-not-best-prevblk")]
    NotOnTip { previous: BlockHash },
    #[error("duplicate")]
    Duplicate,
    #[error("duplicate-inconclusive")]
    DuplicateInconclusive,
    #[error("duplicate-invalid")]
    DuplicateInvalid,
    #[error("bad-diffbits")]
    Bits { found: CompactTarget, expected: CompactTarget },
    #[error("time-too-old")]
    TimeTooOld { time: u32, median_time_past: u32 },
    #[error("time-too-new")]
    TimeTooNew { time: u32, limit: u32 },
    #[error("bad-version(0x{:08x})", version)]
    Version { version: i32 },
    #[error("bad-txnmrklroot")]
    MerkleRoot,
    #[error("bad-txns-duplicate")]
    MerkleMutated,
    #[error("bad-blk-length")]
    Length { weight: u64 },
    #[error("bad-blk-weight")]
    Weight { weight: u64 },
    #[error("bad-blk-sigops")]
    SigOps { cost: usize },
    #[error("bad-cb-missing")]
    CoinbaseMissing,
    #[error("bad-cb-multiple")]
    CoinbaseMultiple,
    #[error("bad-cb-length")]
    CoinbaseLength { length: usize },
    #[error("bad-cb-height")]
    CoinbaseHeight { height: u32 },
    #[error("bad-cb-amount")]
    CoinbaseAmount { claimed: Amount, allowed: Amount },
    #[error("bad-witness-nonce-size")]
    WitnessReservedValue,
    #[error("bad-witness-merkle-match")]
    WitnessCommitment,
    #[error("unexpected-witness")]
    UnexpectedWitness,
    #[error("bad-txns-vin-empty")]
    NoInputs,
    #[error("bad-txns-vout-empty")]
    NoOutputs,
    #[error("bad-txns-vout-toolarge")]
    OutputTooLarge { amount: Amount },
    #[error("bad-txns-txouttotal-toolarge")]
    OutputsTooLarge,
    #[error("bad-txns-inputs-duplicate")]
    InputTwice { input: OutPoint },
    #[error("bad-txns-prevout-null")]
    NullInput,
    #[error("bad-txns-nonfinal")]
    NotFinal,
    #[error("bad-txns-BIP30")]
    OutputExists { output: OutPoint },
    #[error("bad-txns-inputs-missingorspent")]
    MissingInput { input: OutPoint },
    #[error("bad-txns-premature-spend-of-coinbase")]
    PrematureSpend { input: OutPoint, depth: u32 },
    #[error("bad-txns-in-belowout")]
    OutputsExceedInputs,
}

impl BlockError {
    /// Whether another block with the same header might be valid, as a header does not commit to witnesses by itself
    /// (`BLOCK_MUTATED`).
    pub(super) fn is_about_witnesses(&self) -> bool {
        matches!(self, BlockError::WitnessReservedValue | BlockError::WitnessCommitment | BlockError::UnexpectedWitness)
    }
}
