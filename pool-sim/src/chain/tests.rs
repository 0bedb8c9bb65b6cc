//! A whole modern block of mainnet, with the outputs that it really spent: what rules need no chain below it.

use super::store::{Coin, Store};
use super::{BlockError, Params, coins, rules};
use bitcoin::consensus::deserialize;
use bitcoin::{Amount, Block, CompactTarget, Network, ScriptBuf, Target, TxOut};
use std::io::Read;
use std::path::Path;

const HEIGHT: u32 = 866_342;

fn read(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    let file = std::fs::File::open(path).unwrap();
    let mut bytes = Vec::new();
    ruzstd::decoding::StreamingDecoder::new(file).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

fn block() -> Block {
    deserialize(&read("mainnet-block-866342.bin.zst")).unwrap()
}

/// Mainnet's numbers as they are at that height.
fn params() -> Params {
    Params {
        network: Network::Bitcoin,
        pow_limit: Target::MAX_ATTAINABLE_MAINNET,
        bits: CompactTarget::from_consensus(0x1703_0ecd),
        halving_interval: 210_000,
        bip34_height: 227_931,
        bip66_height: 363_725,
        bip65_height: 388_381,
        csv_height: 419_328,
        segwit_height: 481_824,
    }
}

/// The outputs that the block spends, but for those that it makes itself.
fn spent(block: &Block) -> Store {
    let list: serde_json::Value = serde_json::from_slice(&read("mainnet-block-866342-spent-utxos.zst")).unwrap();
    let list = list.as_array().unwrap();
    let inputs: Vec<_> = block.txdata.iter().skip(1).flat_map(|tx| &tx.input).collect();
    assert_eq!(list.len(), inputs.len());
    let mut store = Store::default();
    for (input, spent) in inputs.iter().zip(list) {
        let height = spent["creation_height"].as_u64().unwrap() as u32;
        let output = TxOut {
            value: Amount::from_sat(spent["txout"]["value"].as_u64().unwrap()),
            script_pubkey: ScriptBuf::from_hex(spent["txout"]["script_pubkey"].as_str().unwrap()).unwrap(),
        };
        if height < HEIGHT {
            let coin = Coin { output, height, coinbase: spent["is_coinbase"].as_bool().unwrap() };
            store.put_coin(input.previous_output, coin);
        }
    }
    store
}

#[test]
fn a_real_block_keeps_every_rule() {
    let (block, params) = (block(), params());
    rules::check_proof_of_work(&block.header, &params).unwrap();
    rules::check_header(&block.header, &params, HEIGHT, block.header.time - 1, block.header.time).unwrap();
    rules::check_block(&block).unwrap();
    rules::check_in_context(&block, &params, HEIGHT, block.header.time - 1).unwrap();

    let mut store = spent(&block);
    let coins = |store: &Store| store.coins().map(|(point, coin)| (*point, coin.clone())).collect::<Vec<_>>();
    let mut before = coins(&store);
    let undo = coins::connect(&mut store, &block, HEIGHT, &params).unwrap();
    // All that was there is spent.
    assert!(before.iter().all(|(point, _)| store.coin(point).is_none()));
    coins::disconnect(&mut store, &block, undo);
    let mut after = coins(&store);
    before.sort_by_key(|(point, _)| *point);
    after.sort_by_key(|(point, _)| *point);
    assert_eq!(before, after);
}

#[test]
fn a_satoshi_more_than_a_real_block_s_fees_is_too_much() {
    let (mut block, params) = (block(), params());
    let mut store = spent(&block);
    let claimed: Amount = block.txdata[0].output.iter().map(|output| output.value).sum();
    block.txdata[0].output[0].value += Amount::ONE_SAT;
    let error = coins::connect(&mut store, &block, HEIGHT, &params).unwrap_err();
    let allowed = claimed;
    assert_eq!(error, BlockError::CoinbaseAmount { claimed: claimed + Amount::ONE_SAT, allowed });
    assert_eq!(error.to_string(), "bad-cb-amount");
}

#[test]
fn a_real_block_s_witnesses_are_committed_to() {
    let (mut block, params) = (block(), params());
    let check = |block: &Block| rules::check_in_context(block, &params, HEIGHT, block.header.time - 1);
    let signed = block.txdata.iter_mut().skip(1).flat_map(|tx| &mut tx.input).find(|input| !input.witness.is_empty());
    signed.unwrap().witness.push([7]);
    // The merkle root of transaction ids does not see it; the commitment does.
    rules::check_block(&block).unwrap();
    assert_eq!(check(&block), Err(BlockError::WitnessCommitment));
}
