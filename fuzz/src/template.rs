//! What the target `template` does with its input. The miner's own tests run it too (`tests/template_fuzz.rs`); it is no part of the
//! library here, for the same reason as `coinbase.rs`.

use bitcoin::hashes::Hash;
use bitcoin::{Block, ScriptBuf, Transaction, consensus};
use midstate::job::{Job, Origin, Share};
use midstate::upstream::Template;
use std::sync::Arc;

/// What is read gives a job whose coinbase, merkle root and block the `bitcoin` crate agrees with, whatever is rolled; and whatever is
/// refused is named, in few words.
///
/// # Panics
/// When that does not hold.
pub fn template(answer: &[u8]) {
    // What is no JSON never comes so far.
    let Ok(answer) = serde_json::from_slice::<serde_json::Value>(answer) else { return };
    let pay_to = ScriptBuf::from(vec![0x51]);
    let template = match Template::read(answer.clone(), "1".to_owned(), &pay_to, b"/midstate/", [1, 2, 3, 4]) {
        Ok(template) => template,
        Err(error) => {
            let said = error.to_string();
            return assert!(said.starts_with("template: ") && said.len() < 600, "{said}");
        }
    };
    let text = |field: &str| answer[field].as_str().map(str::to_ascii_lowercase);
    for number in [0, 0xfe, u128::MAX] {
        let job = Arc::clone(&template.job);
        let Job { version, version_mask, ntime, .. } = &*job;
        let extranonce2 = number.to_le_bytes()[..job.extranonce2_size()].to_vec();
        let coinbase = job.coinbase().expect("a template has one").with(&extranonce2);
        let coinbase: Transaction = consensus::deserialize(&coinbase).expect("a coinbase");
        assert!(coinbase.is_coinbase() && coinbase.input[0].script_sig.len() <= 100);
        assert_eq!(coinbase.output[0].script_pubkey, pay_to);
        assert_eq!(Some(coinbase.output[0].value.to_sat()), answer["coinbasevalue"].as_u64());

        let header = job.header(&job.merkle_root(&extranonce2), *ntime);
        let header = header.with_version(version ^ version_mask).with_nonce(7);
        let share = Share { hash: header.hash(), header, origin: Origin { job, extranonce2 }, worker: 0 };
        let block: Block = consensus::encode::deserialize_hex(&template.block(&share)).expect("a block");
        assert!(block.check_merkle_root());
        assert_eq!(block.block_hash().to_byte_array(), share.hash.0);
        assert_eq!(Some(block.header.prev_blockhash.to_string()), text("previousblockhash"));
        assert_eq!(Some(format!("{:08x}", block.header.bits.to_consensus())), text("bits"));
        assert_eq!(Some(u64::from(block.header.time)), answer["curtime"].as_u64());
        assert_eq!(block.txdata[0].compute_txid(), coinbase.compute_txid());
        let names = block.txdata[1..].iter().map(|transaction| Some(transaction.compute_txid().to_string()));
        let given = answer["transactions"].as_array().expect("they were read").iter();
        assert!(names.eq(given.map(|given| given["txid"].as_str().map(str::to_ascii_lowercase))));
    }
}
