//! A job's coinbase transaction, read by the `bitcoin` crate.

use crate::job::{Job, MAX_EXTRANONCE2_SIZE, bip34_height};
use bitcoin::{Amount, Script, Transaction, consensus};
use hex::prelude::DisplayHex;
use std::ops::RangeInclusive;
use thiserror::Error;

/// How long a coinbase's script may be, in bytes, as a rule of consensus.
const SCRIPT_LENGTH: RangeInclusive<usize> = 2..=100;
/// So many bytes of what cannot be read are shown.
const SHOWN: usize = 16;

/// A coinbase transaction that the network could take, as far as it can be told without the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coinbase {
    transaction: Transaction,
    total: Amount,
}

/// What is wrong with a coinbase.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{field}: {value}; expected {expected}")]
pub struct CoinbaseError {
    /// Which part.
    pub field: &'static str,
    /// What it is.
    pub value: String,
    /// What it should be.
    pub expected: &'static str,
}

fn error<T>(field: &'static str, value: impl Into<String>, expected: &'static str) -> Result<T, CoinbaseError> {
    Err(CoinbaseError { field, value: value.into(), expected })
}

impl Coinbase {
    /// A job's coinbase, with zeros for extranonce2.
    pub fn of(job: &Job) -> Result<Coinbase, CoinbaseError> {
        let Some(coinbase) = job.coinbase() else {
            return error("coinbase", "none, but a merkle root", "one, as in jobs of extended channels");
        };
        let size = coinbase.extranonce2_size;
        let Some(extranonce2) = [0; MAX_EXTRANONCE2_SIZE].get(..size) else {
            return error("extranonce2_size", size.to_string(), "16 at most");
        };
        Coinbase::read(&coinbase.with(extranonce2))
    }

    /// Reads a coinbase as it is hashed: without its witness.
    pub fn read(bytes: &[u8]) -> Result<Coinbase, CoinbaseError> {
        let transaction: Transaction = match consensus::deserialize(bytes) {
            Ok(transaction) => transaction,
            Err(reason) => {
                let start = bytes[..bytes.len().min(SHOWN)].to_lower_hex_string();
                let value = format!("{} bytes that begin with {start:?} ({reason})", bytes.len());
                return error("coinbase", value, "one transaction");
            }
        };
        let [input] = &transaction.input[..] else {
            return error("coinbase inputs", transaction.input.len().to_string(), "one");
        };
        if !input.witness.is_empty() {
            return error("coinbase witness", "there is one", "none, as the merkle root is made without it");
        }
        if !input.previous_output.is_null() {
            return error("coinbase input", input.previous_output.to_string(), "one that spends nothing");
        }
        if !SCRIPT_LENGTH.contains(&input.script_sig.len()) {
            return error("coinbase script", format!("{} bytes", input.script_sig.len()), "2 to 100 bytes");
        }
        if transaction.output.is_empty() {
            return error("coinbase outputs", "none", "one at least");
        }
        let values = transaction.output.iter().map(|output| output.value);
        let total = values.clone().try_fold(Amount::ZERO, Amount::checked_add).filter(|sum| *sum <= Amount::MAX_MONEY);
        let Some(total) = total else {
            let largest = values.max().unwrap_or_default();
            return error("coinbase outputs", format!("{largest} in one of them"), "21000000 BTC together at most");
        };
        Ok(Coinbase { transaction, total })
    }

    /// The transaction.
    pub fn transaction(&self) -> &Transaction {
        &self.transaction
    }

    /// What all outputs hold together.
    pub fn total(&self) -> Amount {
        self.total
    }

    /// What the outputs with this script hold together.
    pub fn paid_to(&self, script: &Script) -> Amount {
        let theirs = self.transaction.output.iter().filter(|output| output.script_pubkey.as_script() == script);
        // The sum of all of them is no more than there are coins.
        theirs.map(|output| output.value).sum()
    }

    /// The block's height, which the script must begin with (BIP 34): as `OP_1` to `OP_16`, or as the shortest push of the number, as
    /// Bitcoin Core has it. No block is valid without, on any chain of today.
    pub fn height(&self) -> Result<u32, CoinbaseError> {
        let script = &self.transaction.input[0].script_sig;
        if let Some(height) = bip34_height(script.as_bytes()) {
            return Ok(height);
        }
        let start = script.as_bytes()[..script.len().min(SHOWN)].to_lower_hex_string();
        error("height", format!("none in a script that begins with {start:?}"), "one as BIP 34 has it")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{Root, SplitCoinbase};
    use crate::testing;
    use bitcoin::Address;
    use bitcoin::script::Builder;
    use proptest::prelude::*;

    /// Mainnet's block 866,342 (MARA Pool), without its witness.
    const REAL: &[u8] = include_bytes!("../../../tests/data/coinbase-866342.bin");
    /// That of its first block.
    const GENESIS: &[u8] = include_bytes!("../../../tests/data/coinbase-000000.bin");

    fn with_script(script: &Script) -> Result<Coinbase, CoinbaseError> {
        let mut transaction = Coinbase::read(REAL).unwrap().transaction;
        transaction.input[0].script_sig = script.into();
        Coinbase::read(&consensus::serialize(&transaction))
    }

    #[test]
    fn real_coinbases_are_read() {
        let coinbase = Coinbase::read(REAL).unwrap();
        let txid = "3521e329fe2ab1449b1a9b6b135a8a40a6b071eaeef5fcbccdea85e465c9c453";
        assert_eq!(coinbase.transaction().compute_txid().to_string(), txid);
        assert_eq!((coinbase.height(), coinbase.total().to_sat()), (Ok(866_342), 317_526_183));
        let pool: Address<_> = "15MdAHnkxt9TMC2Rj595hsg8Hnv693pPBB".parse().unwrap();
        assert_eq!(coinbase.paid_to(&pool.assume_checked().script_pubkey()), coinbase.total());
        assert_eq!(coinbase.paid_to(Script::from_bytes(&[0x51])), Amount::ZERO);

        // A pool's on testnet, as the protocol's first documentation shows it (slush's pool, 2012).
        let documented = "01000000010000000000000000000000000000000000000000000000000000000000000000ffffffff20020862062f503253482f\
            04b8864e50080800000200000001072f736c7573682f000000000100f2052a010000001976a914d23fcdf86f7e756a64a7a9688ef990332704\
            8ed988ac00000000";
        let bytes: Vec<u8> = hex::decode_to_vec(documented).unwrap();
        let coinbase = Coinbase::read(&bytes).unwrap();
        assert_eq!((coinbase.height(), coinbase.total().to_sat()), (Ok(25_096), 5_000_000_000));

        // The first is older than BIP 34: its script begins with its nbits.
        let coinbase = Coinbase::read(GENESIS).unwrap();
        let txid = "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b";
        assert_eq!(coinbase.transaction().compute_txid().to_string(), txid);
        assert_eq!(coinbase.total().to_sat(), 5_000_000_000);
    }

    #[test]
    fn heights_are_what_bitcoin_core_takes() {
        for height in [1, 2, 16, 17, 127, 128, 255, 256, 32_767, 32_768, 866_342, 8_388_607, 8_388_608, 0x7fff_ffff] {
            let script = Builder::new().push_int(i64::from(height)).push_slice([0; 8]).into_script();
            assert_eq!(with_script(&script).unwrap().height(), Ok(height));
        }
        // A push of 10 and of 0 bytes more than needed, nothing, no number at all, minus one, and one that is too large.
        let wrong: [&[u8]; 8] =
            [&[1, 10, 0], &[2, 0x11, 0], &[0, 0], &[0xac, 0], &[0x4f, 0], &[1, 0x81], &[5, 1, 2, 3, 4, 5], &[3, 1]];
        for script in wrong {
            let error = with_script(Script::from_bytes(script)).unwrap().height().unwrap_err();
            assert!(error.field == "height" && error.value.contains(&script.to_lower_hex_string()), "{error}");
        }
    }

    #[test]
    fn what_is_no_coinbase_is_named() {
        let real = Coinbase::read(REAL).unwrap().transaction;
        let refused = |change: &dyn Fn(&mut Transaction)| {
            let mut transaction = real.clone();
            change(&mut transaction);
            Coinbase::read(&consensus::serialize(&transaction)).unwrap_err().field
        };
        assert_eq!(refused(&|t| t.input.push(t.input[0].clone())), "coinbase inputs");
        assert_eq!(refused(&|t| t.input[0].witness.push([0; 32])), "coinbase witness");
        assert_eq!(refused(&|t| t.input[0].previous_output.vout = 0), "coinbase input");
        assert_eq!(refused(&|t| t.input[0].script_sig = vec![1].into()), "coinbase script");
        assert_eq!(refused(&|t| t.input[0].script_sig = vec![1; 101].into()), "coinbase script");
        assert_eq!(refused(&|t| t.output.clear()), "coinbase outputs");
        for value in [u64::MAX, Amount::MAX_MONEY.to_sat()] {
            assert_eq!(refused(&|t| t.output[1].value = Amount::from_sat(value)), "coinbase outputs");
        }
        for bytes in [&REAL[..REAL.len() - 1], &[REAL, &[0]].concat(), &[], b"garbage"] {
            let error = Coinbase::read(bytes).unwrap_err();
            assert!(error.field == "coinbase" && error.value.starts_with(&bytes.len().to_string()), "{error}");
        }
    }

    proptest! {
        #[test]
        fn a_job_is_put_together_in_its_order(extranonce1 in 0usize..5, size in 1usize..9) {
            // The script of the real one is 99 bytes long; its last bytes stand for the extranonces.
            let end = 42 + 99;
            let start = end - extranonce1 - size;
            let mut bytes = REAL.to_vec();
            bytes[end - size..end].fill(0);
            let of = |extranonce2_size| {
                let root = Root::Coinbase(SplitCoinbase {
                    coinbase1: bytes[..start].to_vec(),
                    extranonce1: bytes[start..end - size].to_vec(),
                    extranonce2_size,
                    coinbase2: bytes[end..].to_vec(),
                    merkle_branches: Vec::new(),
                });
                Coinbase::of(&Job { root, ..testing::job() })
            };
            prop_assert_eq!(of(size), Coinbase::read(&bytes));
            prop_assert_eq!(of(usize::MAX).unwrap_err().field, "extranonce2_size");
            let given = Job { root: Root::Given([0; 32]), ..testing::job() };
            prop_assert_eq!(Coinbase::of(&given).unwrap_err().field, "coinbase");
        }
    }
}
