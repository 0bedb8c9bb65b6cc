//! The fuzz target `template` as an ordinary test: on random bytes, and on an answer of a node with a few bytes or a field changed, which
//! reach further.
#![cfg(feature = "solo")]

#[path = "../fuzz/src/template.rs"]
#[expect(unreachable_pub, reason = "it is the fuzz package's")]
mod body;

use bitcoin::absolute::LockTime;
use bitcoin::{Amount, ScriptBuf, Transaction, TxIn, TxOut, Witness, consensus, transaction};
use body::template;
use proptest::prelude::*;
use serde_json::{Value, json};

/// A transaction that differs by its lock time; the odd ones have a witness.
fn transaction(number: u32) -> Transaction {
    let witness = if number % 2 == 1 { Witness::from_slice(&[[7; 64]]) } else { Witness::new() };
    Transaction {
        version: transaction::Version::TWO,
        lock_time: LockTime::from_consensus(number),
        input: vec![TxIn { witness, ..TxIn::default() }],
        output: vec![TxOut { value: Amount::from_sat(1), script_pubkey: ScriptBuf::new() }],
    }
}

/// What Bitcoin Core answers, with so many transactions.
fn answer(height: u32, transactions: u32) -> Value {
    let list = (0..transactions).map(transaction).map(|transaction| {
        json!({
            "data": consensus::encode::serialize_hex(&transaction), "txid": transaction.compute_txid().to_string(),
            "hash": transaction.compute_wtxid().to_string(), "depends": [], "fee": 100, "sigops": 0, "weight": 300,
        })
    });
    json!({
        "capabilities": ["proposal"], "version": 0x3000_0000, "rules": ["csv", "!segwit", "taproot"], "vbavailable": {}, "vbrequired": 0,
        "previousblockhash": "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206",
        "transactions": list.collect::<Vec<_>>(), "coinbaseaux": {}, "coinbasevalue": 5_000_000_000_u64, "longpollid": "x",
        "target": "7fffff".to_owned() + &"00".repeat(29), "mintime": 1, "mutable": ["time", "transactions", "prevblock"],
        "noncerange": "00000000ffffffff", "sigoplimit": 80_000, "sizelimit": 4_000_000, "weightlimit": 4_000_000,
        "curtime": 1_700_000_000, "bits": "207fffff", "height": height,
        "default_witness_commitment": "6a24aa21a9ed".to_owned() + &"11".repeat(32),
    })
}

fn answers() -> impl Strategy<Value = Value> {
    (prop::sample::select(vec![1, 16, 17, 128, 866_342]), 0_u32..6)
        .prop_map(|(height, transactions)| answer(height, transactions))
}

#[test]
fn right_answers() {
    for height in [0, 1, 16, 17, 866_342, u32::MAX] {
        for transactions in 0..6 {
            template(answer(height, transactions).to_string().as_bytes());
        }
    }
    let mut without_witnesses = answer(7, 1);
    without_witnesses.as_object_mut().unwrap().remove("default_witness_commitment");
    template(without_witnesses.to_string().as_bytes());
}

/// Values that fields have at their ends, and of other types.
fn odd() -> impl Strategy<Value = Value> {
    let hex = "([0-9A-F]{2}){0,80}".prop_map(|digits| json!(digits));
    prop_oneof![
        any::<i64>().prop_map(|number| json!(number)),
        any::<u64>().prop_map(|number| json!(number)),
        any::<u32>().prop_map(|number| json!(format!("{number:08x}"))),
        any::<String>().prop_map(|text| json!(text)),
        Just(json!(0)),
        Just(json!(u32::MAX)),
        Just(json!(i32::MIN)),
        Just(json!(1.5)),
        Just(json!("00".repeat(32))),
        Just(json!("FF".repeat(32))),
        Just(json!([{}])),
        Just(Value::Null),
        hex,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn random_bytes(bytes: Vec<u8>) {
        template(&bytes);
    }

    #[test]
    fn fields_changed(mut answer in answers(), field: prop::sample::Index, inner: prop::sample::Index, put in odd()) {
        let fields = answer.as_object_mut().unwrap();
        let name = fields.keys().nth(field.index(fields.len())).unwrap().clone();
        match fields[&name].as_array_mut().filter(|list| name == "transactions" && !list.is_empty()) {
            Some(list) => {
                let at = inner.index(list.len());
                list[at][["data", "txid"][inner.index(2)]] = put;
            }
            None => fields[&name] = put,
        }
        template(answer.to_string().as_bytes());
    }

    #[test]
    fn bytes_changed(answer in answers(), changes in proptest::collection::vec((any::<prop::sample::Index>(), 0usize..2, any::<u8>()), 1..4)) {
        let mut bytes = answer.to_string().into_bytes();
        for (at, removed, put) in changes {
            let at = at.index(bytes.len() - 1);
            // Digits reach further than others.
            let put = b"0123456789abcdef\"{}[],:\\"[usize::from(put) % 24];
            bytes.splice(at..at + removed, [put]);
        }
        template(&bytes);
    }
}
