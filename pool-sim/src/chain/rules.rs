//! Rules that need no coins: header, merkle root, coinbase, witness commitment, finality.

use super::coins::MAX_SIGOPS_COST;
use super::{BlockError, Params};
use bitcoin::absolute::LockTime;
use bitcoin::block::Header;
use bitcoin::hashes::Hash;
use bitcoin::script::Builder;
use bitcoin::{
    Amount, Block, ScriptBuf, Sequence, Target, Transaction, TxMerkleNode, VarInt, WitnessCommitment, WitnessMerkleNode,
};
use std::collections::HashSet;

/// How far in the future a block's time may be.
const MAX_FUTURE: u32 = 2 * 60 * 60;
/// The heaviest block, in weight units (BIP 141).
pub const MAX_WEIGHT: u64 = 4_000_000;
/// How a witness commitment's script begins: `OP_RETURN`, a push of 36 bytes, and the marker (BIP 141).
const COMMITMENT: [u8; 6] = [0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed];

/// `CheckProofOfWork`: the claimed target is possible, and met.
pub(super) fn check_proof_of_work(header: &Header, params: &Params) -> Result<(), BlockError> {
    let target = header.target();
    let hash = header.block_hash();
    if target == Target::ZERO || target > params.pow_limit || !target.is_met_by(hash) {
        return Err(BlockError::HighHash { hash });
    }
    Ok(())
}

/// `ContextualCheckBlockHeader`: the header against the chain below it, and against the clock.
pub(super) fn check_header(
    header: &Header,
    params: &Params,
    height: u32,
    median_time_past: u32,
    now: u32,
) -> Result<(), BlockError> {
    if header.bits != params.bits {
        return Err(BlockError::Bits { found: header.bits, expected: params.bits });
    }
    let time = header.time;
    if time <= median_time_past {
        return Err(BlockError::TimeTooOld { time, median_time_past });
    }
    let limit = now.saturating_add(MAX_FUTURE);
    if time > limit {
        return Err(BlockError::TimeTooNew { time, limit });
    }
    let version = header.version.to_consensus();
    if version < params.minimum_version(height) {
        return Err(BlockError::Version { version });
    }
    Ok(())
}

/// `CheckBlock`: what can be said of a block alone.
pub(super) fn check_block(block: &Block) -> Result<(), BlockError> {
    let (root, mutated) = merkle_root(block);
    if root != block.header.merkle_root {
        return Err(BlockError::MerkleRoot);
    }
    if mutated {
        return Err(BlockError::MerkleMutated);
    }
    // With all witnesses empty, the weight is four times the size.
    let count = VarInt::from(block.txdata.len()).size();
    let size = Header::SIZE + count + block.txdata.iter().map(Transaction::base_size).sum::<usize>();
    let weight = 4 * size as u64;
    let Some((coinbase, others)) = block.txdata.split_first() else { return Err(BlockError::Length { weight }) };
    if weight > MAX_WEIGHT {
        return Err(BlockError::Length { weight });
    }
    if !coinbase.is_coinbase() {
        return Err(BlockError::CoinbaseMissing);
    }
    if others.iter().any(Transaction::is_coinbase) {
        return Err(BlockError::CoinbaseMultiple);
    }
    block.txdata.iter().try_for_each(check_transaction)?;
    // What the spent outputs add is counted when the block is connected.
    let cost = block.txdata.iter().map(|tx| tx.total_sigop_cost(|_| None)).sum();
    if cost > MAX_SIGOPS_COST {
        return Err(BlockError::SigOps { cost });
    }
    Ok(())
}

/// `CheckTransaction`: what can be said of a transaction alone.
pub(super) fn check_transaction(tx: &Transaction) -> Result<(), BlockError> {
    if tx.input.is_empty() {
        return Err(BlockError::NoInputs);
    }
    if tx.output.is_empty() {
        return Err(BlockError::NoOutputs);
    }
    let mut total = Amount::ZERO;
    for output in &tx.output {
        // Bitcoin Core reads amounts as signed, and has another word for those below 0.
        if output.value > Amount::MAX_MONEY {
            return Err(BlockError::OutputTooLarge { amount: output.value });
        }
        total = total
            .checked_add(output.value)
            .filter(|total| *total <= Amount::MAX_MONEY)
            .ok_or(BlockError::OutputsTooLarge)?;
    }
    let mut seen = HashSet::new();
    for input in &tx.input {
        if !seen.insert(input.previous_output) {
            return Err(BlockError::InputTwice { input: input.previous_output });
        }
    }
    if tx.is_coinbase() {
        let length = tx.input[0].script_sig.len();
        if !(2..=100).contains(&length) {
            return Err(BlockError::CoinbaseLength { length });
        }
    } else if tx.input.iter().any(|input| input.previous_output.is_null()) {
        return Err(BlockError::NullInput);
    }
    Ok(())
}

/// `ContextualCheckBlock`: what depends on the height and on the time.
pub(super) fn check_in_context(
    block: &Block,
    params: &Params,
    height: u32,
    median_time_past: u32,
) -> Result<(), BlockError> {
    let time = if height >= params.csv_height { median_time_past } else { block.header.time };
    if !block.txdata.iter().all(|tx| is_final(tx, height, time)) {
        return Err(BlockError::NotFinal);
    }
    let coinbase = &block.txdata[0];
    let script = coinbase.input[0].script_sig.as_bytes();
    if height >= params.bip34_height && !script.starts_with(bip34_script(height).as_bytes()) {
        return Err(BlockError::CoinbaseHeight { height });
    }
    check_witness(block, coinbase, height >= params.segwit_height)?;
    let weight = block.weight().to_wu();
    if weight > MAX_WEIGHT {
        return Err(BlockError::Weight { weight });
    }
    Ok(())
}

/// `IsFinalTx`, at a height and a time in seconds since 1970.
pub(super) fn is_final(tx: &Transaction, height: u32, time: u32) -> bool {
    let passed = match tx.lock_time {
        LockTime::Blocks(lock) => lock.to_consensus_u32() < height,
        LockTime::Seconds(lock) => lock.to_consensus_u32() < time,
    };
    tx.lock_time == LockTime::ZERO || passed || tx.input.iter().all(|input| input.sequence == Sequence::MAX)
}

/// `CheckWitnessMalleation` (BIP 141): the coinbase commits to all witnesses, or there are none.
fn check_witness(block: &Block, coinbase: &Transaction, segwit: bool) -> Result<(), BlockError> {
    let Some(commitment) = coinbase_commitment(coinbase).filter(|_| segwit) else {
        let any = block.txdata.iter().any(|tx| tx.input.iter().any(|input| !input.witness.is_empty()));
        return if any { Err(BlockError::UnexpectedWitness) } else { Ok(()) };
    };
    let witness = &coinbase.input[0].witness;
    let reserved = witness.nth(0).filter(|value| witness.len() == 1 && value.len() == 32);
    let reserved = reserved.ok_or(BlockError::WitnessReservedValue)?;
    let root = block.witness_root().unwrap_or_else(WitnessMerkleNode::all_zeros);
    if Block::compute_witness_commitment(&root, reserved) != commitment {
        return Err(BlockError::WitnessCommitment);
    }
    Ok(())
}

/// The witness commitment in a coinbase: of several, the last (BIP 141).
pub fn coinbase_commitment(coinbase: &Transaction) -> Option<WitnessCommitment> {
    let script = |output: &bitcoin::TxOut| {
        let digest = output.script_pubkey.as_bytes().strip_prefix(&COMMITMENT)?.get(..32)?;
        WitnessCommitment::from_slice(digest).ok()
    };
    coinbase.output.iter().rev().find_map(script)
}

/// How a coinbase's script must begin at a height (BIP 34), as Bitcoin Core serialises it: `OP_1` to `OP_16` for
/// the first.
pub fn bip34_script(height: u32) -> ScriptBuf {
    Builder::new().push_int(height.into()).into_script()
}

/// The merkle root, zeros if there are no transactions, and whether some level ends in two equal nodes: then another list of transactions has the same root
/// (CVE-2012-2459).
fn merkle_root(block: &Block) -> (TxMerkleNode, bool) {
    let mut mutated = false;
    let mut level: Vec<TxMerkleNode> =
        block.txdata.iter().map(|tx| TxMerkleNode::from_raw_hash(tx.compute_txid().to_raw_hash())).collect();
    while level.len() > 1 {
        mutated |= level.as_chunks::<2>().0.iter().any(|[left, right]| left == right);
        level = level
            .chunks(2)
            .map(|pair| {
                let (left, right) = (pair[0], pair[pair.len() - 1]);
                TxMerkleNode::hash(&[left.to_byte_array(), right.to_byte_array()].concat())
            })
            .collect();
    }
    (level.first().copied().unwrap_or_else(TxMerkleNode::all_zeros), mutated)
}
