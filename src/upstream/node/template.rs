//! A node's block template as a job, and a share of it as a block (BIP 22, BIP 23, BIP 34, BIP 141, BIP 145).

use crate::job::{Job, Root, Share, SplitCoinbase};
use crate::sha256::sha256d;
use crate::upstream::VERSION_MASK;
use bitcoin::absolute::LockTime;
use bitcoin::hashes::Hash as _;
use bitcoin::script::{Builder, PushBytesBuf};
use bitcoin::{Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, Witness, consensus, transaction};
use hex::prelude::DisplayHex;
use midstate_stratum::{CompactError, Target};
use serde::Deserialize;
use std::sync::Arc;
use thiserror::Error;

/// Bytes of the coinbase that differ between miners on one node, and that a miner rolls.
pub(super) const EXTRANONCE1_SIZE: usize = 4;
pub(super) const EXTRANONCE2_SIZE: usize = 4;
/// Hashes for a block at least, on average, as a power of two. On regtest every other hash is a block; a miner that took each of them
/// would drown in what it finds, as only one of a height counts.
const LEAST_WORK: u32 = 18;
/// How far a header's time may be beyond the template's. The network's limit is two hours.
const NTIME_ROLL: u32 = 600;
/// The longest tag: a coinbase's script has at most 100 bytes, and the height and the extranonces are in it too.
pub const MAX_TAG: usize = 80;
/// So many characters are shown of what makes no sense.
const LONGEST_SHOWN: usize = 100;

/// What of a template is read.
#[derive(Deserialize)]
struct Fields {
    version: i32,
    previousblockhash: String,
    transactions: Vec<TransactionFields>,
    coinbasevalue: u64,
    bits: String,
    height: u32,
    curtime: u32,
    longpollid: Option<String>,
    default_witness_commitment: Option<String>,
}

#[derive(Deserialize)]
struct TransactionFields {
    data: String,
    txid: String,
}

/// What is wrong with a template.
#[derive(Debug, Error)]
pub enum TemplateError {
    /// A field is missing, or of another type.
    #[error("template: {}", shortened(&.0.to_string()))]
    Fields(#[from] serde_json::Error),
    /// A field that should be bytes in hex.
    #[error("template: {field} is {value:?}; expected {expected}")]
    Hex {
        /// Which.
        field: &'static str,
        /// What came, or how it begins.
        value: String,
        /// What should have come.
        expected: &'static str,
    },
    /// What should be a transaction is none: a block with it would be worth nothing.
    #[error("template: transactions[{index}].data: {error}; expected a transaction")]
    Transaction {
        /// Which.
        index: usize,
        /// What is wrong with it.
        error: consensus::encode::Error,
    },
    /// A transaction's name is not its own.
    #[error("template: transactions[{index}].txid: {value}; expected {expected}, the data's")]
    Txid {
        /// Which.
        index: usize,
        /// What came.
        value: Txid,
        /// What the data has.
        expected: Txid,
    },
    /// A target that is none.
    #[error("template: bits: {0}")]
    Bits(#[from] CompactError),
}

impl TemplateError {
    /// Of what came, no more than tells what it was: a transaction may have megabytes.
    fn hex(field: &'static str, value: &str, expected: &'static str) -> TemplateError {
        let value = shortened(value);
        TemplateError::Hex { field, value, expected }
    }
}

/// A text of up to so many characters, or how it begins.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST_SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A template, made into a job: what a node answered to `getblocktemplate` with `rules: ["segwit"]`, and a coinbase of our own.
pub struct Template {
    /// The job. Its shares are blocks, of 2^18 hashes on average at least.
    pub job: Arc<Job>,
    /// What to ask with for the next (`longpollid`), so that the node answers when there is something new.
    pub long_poll: Option<String>,
    /// All transactions but the coinbase, as they are in the block.
    transactions: Vec<Vec<u8>>,
    /// Whether the coinbase carries a commitment to witnesses, and so a witness of its own.
    witness: bool,
}

impl Template {
    /// Reads a template into a job of this id, which pays all to this script. In its coinbase stand the tag, cut to [`MAX_TAG`] bytes, and
    /// what tells miners on one node apart.
    pub fn read(
        template: serde_json::Value,
        id: String,
        pay_to: &ScriptBuf,
        tag: &[u8],
        extranonce1: [u8; EXTRANONCE1_SIZE],
    ) -> Result<Template, TemplateError> {
        let fields: Fields = serde_json::from_value(template)?;
        let mut transactions = Vec::new();
        let mut txids = Vec::new();
        for (index, transaction) in fields.transactions.iter().enumerate() {
            let data = bytes("transactions.data", &transaction.data)?;
            // A block whose transactions are not what they are said to be is refused, and that it is one should not be heard of first
            // when it is found.
            let read = consensus::deserialize::<Transaction>(&data);
            let expected = read.map_err(|error| TemplateError::Transaction { index, error })?.compute_txid();
            let value = Txid::from_byte_array(reversed("transactions.txid", &transaction.txid)?);
            if value != expected {
                return Err(TemplateError::Txid { index, value, expected });
            }
            transactions.push(data);
            txids.push(expected.to_byte_array());
        }
        let commitment = fields.default_witness_commitment.as_deref();
        let commitment = commitment.map(|script| bytes("default_witness_commitment", script)).transpose()?;
        let witness = commitment.is_some();
        let (coinbase1, coinbase2) = coinbase(fields.height, fields.coinbasevalue, pay_to, tag, commitment);
        let nbits = hex::decode_to_array(&fields.bits).map(u32::from_be_bytes);
        let nbits = nbits.map_err(|_| TemplateError::hex("bits", &fields.bits, "eight hex digits"))?;
        let job = Job {
            id,
            previous_block_hash: reversed("previousblockhash", &fields.previousblockhash)?,
            root: Root::Coinbase(SplitCoinbase {
                coinbase1,
                extranonce1: extranonce1.to_vec(),
                extranonce2_size: EXTRANONCE2_SIZE,
                coinbase2,
                merkle_branches: merkle_branches(txids),
            }),
            version: fields.version.cast_unsigned(),
            version_mask: VERSION_MASK,
            nbits,
            ntime: fields.curtime,
            session: 0,
            channel: None,
            ntime_roll: NTIME_ROLL,
            // Alone, only a block is worth anything; and one that is better than it has to be is as good.
            target: Target::from_compact(nbits)?.min(least_work()),
        };
        Ok(Template { job: Arc::new(job), long_poll: fields.longpollid, transactions, witness })
    }

    /// The whole block of a share of this job, in hex, as `submitblock` takes it.
    pub fn block(&self, share: &Share) -> String {
        // A template's job always has one.
        let coinbase = self.job.coinbase().map_or_else(Vec::new, |coinbase| coinbase.with(&share.origin.extranonce2));
        let mut block = share.header.0.to_vec();
        block.extend(consensus::serialize(&consensus::encode::VarInt::from(1 + self.transactions.len())));
        if self.witness {
            // The version, a mark that a witness follows, the inputs and outputs; a reserved value of zeros, and the lock time.
            let (start, rest) = coinbase.split_at(4);
            let (middle, lock_time) = rest.split_at(rest.len() - 4);
            block.extend([start, &[0, 1], middle, &[1, 32], &[0; 32], lock_time].concat());
        } else {
            block.extend(coinbase);
        }
        block.extend(self.transactions.iter().flatten());
        block.to_lower_hex_string()
    }
}

/// The target that one hash in 2^[`LEAST_WORK`] meets.
fn least_work() -> Target {
    let mut bytes = [0xff; 32];
    bytes[..4].copy_from_slice(&(u32::MAX >> LEAST_WORK).to_be_bytes());
    Target::from_be_bytes(bytes)
}

/// The coinbase without its witness, before and after the extranonces.
fn coinbase(
    height: u32,
    value: u64,
    pay_to: &ScriptBuf,
    tag: &[u8],
    commitment: Option<Vec<u8>>,
) -> (Vec<u8>, Vec<u8>) {
    // Heights 1 to 16 are OP_1 to OP_16 (BIP 34, as Bitcoin Core has it), which `push_int` knows.
    let height = Builder::new().push_int(i64::from(height));
    let before = height.as_bytes().len();
    let mut text = PushBytesBuf::new();
    // It is shorter than what can be pushed.
    let _ = text.extend_from_slice(&tag[..tag.len().min(MAX_TAG)]);
    let extranonces = [0; EXTRANONCE1_SIZE + EXTRANONCE2_SIZE];
    let script_sig = height.push_slice(extranonces).push_slice(text).into_script();
    let mut output = vec![TxOut { value: Amount::from_sat(value), script_pubkey: pay_to.clone() }];
    output.extend(commitment.map(|script| TxOut { value: Amount::ZERO, script_pubkey: script.into() }));
    let transaction = Transaction {
        version: transaction::Version::TWO,
        lock_time: LockTime::ZERO,
        input: vec![TxIn {
            previous_output: OutPoint::null(),
            script_sig,
            sequence: Sequence::MAX,
            witness: Witness::new(),
        }],
        output,
    };
    let mut coinbase1 = consensus::serialize(&transaction);
    // Version, count of inputs, null outpoint, the script's length, the height, and the length of the extranonces.
    let at = 4 + 1 + 36 + 1 + before + 1;
    let coinbase2 = coinbase1.split_off(at + extranonces.len());
    coinbase1.truncate(at);
    (coinbase1, coinbase2)
}

/// The hashes beside the coinbase's way to the merkle root, of the ids of all other transactions.
fn merkle_branches(mut level: Vec<[u8; 32]>) -> Vec<[u8; 32]> {
    let mut branches = Vec::new();
    while !level.is_empty() {
        branches.push(level.remove(0));
        // What has no partner is its own.
        let pair = |pair: &[[u8; 32]]| sha256d(&[pair[0], pair[pair.len() - 1]].concat()).0;
        level = level.chunks(2).map(pair).collect();
    }
    branches
}

fn bytes(field: &'static str, digits: &str) -> Result<Vec<u8>, TemplateError> {
    hex::decode_to_vec(digits).map_err(|_| TemplateError::hex(field, digits, "bytes in hex"))
}

/// A hash, which people write in reverse.
fn reversed(field: &'static str, digits: &str) -> Result<[u8; 32], TemplateError> {
    let hash = hex::decode_to_array(digits).map_err(|_| TemplateError::hex(field, digits, "64 hex digits"));
    let mut hash: [u8; 32] = hash?;
    hash.reverse();
    Ok(hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Origin;
    use bitcoin::{Block, merkle_tree};
    use serde_json::{Value, json};

    /// A transaction that differs by its lock time.
    fn transaction(number: u32) -> Transaction {
        Transaction {
            version: transaction::Version::TWO,
            lock_time: LockTime::from_consensus(number),
            input: vec![TxIn::default()],
            output: vec![TxOut { value: Amount::from_sat(1), script_pubkey: ScriptBuf::new() }],
        }
    }

    fn template(height: u32, transactions: u32) -> Value {
        let list = (0..transactions).map(transaction).map(|transaction| {
            json!({"data": consensus::encode::serialize_hex(&transaction), "txid": transaction.compute_txid().to_string()})
        });
        json!({
            "version": 0x2000_0000, "previousblockhash": "00".repeat(31) + "07", "transactions": list.collect::<Vec<_>>(),
            "coinbasevalue": 5_000_000_000_u64, "bits": "207fffff", "height": height, "curtime": 1_700_000_000,
            "longpollid": "x", "default_witness_commitment": "6a24aa21a9ed".to_owned() + &"11".repeat(32),
        })
    }

    fn read(template: Value) -> Result<Template, TemplateError> {
        Template::read(template, "1".to_owned(), &ScriptBuf::from(vec![0x51]), b"/midstate/", [1, 2, 3, 4])
    }

    /// The `bitcoin` crate reads the block, its height and its merkle root; however many transactions there are.
    #[test]
    fn blocks_are_what_the_bitcoin_crate_takes_for_blocks() {
        for (height, transactions) in
            [(1, 0), (2, 1), (16, 2), (17, 3), (127, 4), (128, 5), (822_528, 6), (40_000_000, 11)]
        {
            let template = read(template(height, transactions)).unwrap();
            let extranonce2 = vec![5, 6, 7, 8];
            let job = &template.job;
            let header = job.header(&job.merkle_root(&extranonce2), job.ntime).with_nonce(42);
            let origin = Origin { job: Arc::clone(job), extranonce2 };
            let share = Share { origin, hash: header.hash(), header, worker: 0 };
            let block: Block = consensus::encode::deserialize_hex(&template.block(&share)).unwrap();
            assert!(block.check_merkle_root());
            assert_eq!(block.txdata.len(), 1 + transactions as usize);
            let [coinbase, ..] = &block.txdata[..] else { panic!() };
            assert!(coinbase.is_coinbase());
            // The crate reads heights of OP_1 to OP_16 since they are minimal pushes.
            assert_eq!(block.bip34_block_height().ok(), Some(u64::from(height)).filter(|height| *height > 16));
            if height <= 16 {
                assert_eq!(u32::from(coinbase.input[0].script_sig.as_bytes()[0]), 0x50 + height);
            }
            assert_eq!(coinbase.output[0].value, Amount::from_sat(5_000_000_000));
            assert!(job.target < Target::from_compact(job.nbits).unwrap());
            assert_eq!(coinbase.input[0].witness.to_vec(), [vec![0; 32]]);
            let script = coinbase.input[0].script_sig.as_bytes();
            assert!(script.len() <= 100 && script.windows(8).any(|bytes| bytes == [1, 2, 3, 4, 5, 6, 7, 8]));
            assert!(script.ends_with(b"/midstate/"));
        }
    }

    #[test]
    fn branches_are_those_of_the_merkle_tree() {
        for count in 0..20 {
            let txids: Vec<Txid> = (0..count).map(|number| transaction(number).compute_txid()).collect();
            let coinbase = Txid::from_byte_array([9; 32]);
            let all = [coinbase].into_iter().chain(txids.iter().copied());
            let root = merkle_tree::calculate_root(all.map(Txid::to_raw_hash)).unwrap();
            let branches = merkle_branches(txids.into_iter().map(Txid::to_byte_array).collect());
            let folded = branches.iter().fold([9; 32], |left, right| sha256d(&[left, *right].concat()).0);
            assert_eq!(folded, root.to_byte_array());
        }
    }

    #[test]
    fn what_is_wrong_with_a_template_is_named() {
        for (field, value) in [
            ("bits", json!("nonsense")),
            ("bits", json!("ff800000")),
            ("previousblockhash", json!("00")),
            ("height", json!("one")),
            ("bits", json!("+207ffff")),
            ("bits", json!("0".repeat(1 << 20))),
            ("version", json!("0".repeat(1 << 20))),
            ("transactions", json!([{"data": "0", "txid": "00".repeat(32)}])),
            ("transactions", json!([{"data": "00", "txid": "00".repeat(32)}])),
            (
                "transactions",
                json!([{"data": consensus::encode::serialize_hex(&transaction(1)), "txid": "00".repeat(32)}]),
            ),
            ("default_witness_commitment", json!("6a2")),
            ("curtime", Value::Null),
        ] {
            let mut bad = template(20, 1);
            bad[field] = value;
            let error = read(bad).err().unwrap().to_string();
            assert!(error.contains("template: ") && error.len() < 300, "{error}");
        }
        let mut bad = template(20, 1);
        bad.as_object_mut().unwrap().remove("coinbasevalue");
        assert!(read(bad).err().unwrap().to_string().contains("coinbasevalue"));
    }
}
