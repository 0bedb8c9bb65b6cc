//! Mainnet's first 176 blocks, through the same rules as regtest's.

use bitcoin::consensus::deserialize;
use bitcoin::hex::FromHex;
use bitcoin::{Amount, Block, CompactTarget, Network, Target};
use pool_sim::chain::{Accepted, Chain, Params};

/// 2026.
const NOW: u32 = 1_780_000_000;

/// Mainnet before its first retarget and its first soft fork.
fn early_mainnet() -> Params {
    Params {
        network: Network::Bitcoin,
        pow_limit: Target::MAX_ATTAINABLE_MAINNET,
        bits: CompactTarget::from_consensus(0x1d00_ffff),
        halving_interval: 210_000,
        bip34_height: 227_931,
        bip66_height: 363_725,
        bip65_height: 388_381,
        csv_height: 419_328,
        segwit_height: 481_824,
    }
}

fn blocks() -> Vec<Block> {
    let lines = include_str!("data/mainnet-blocks-000000-000175.hex").lines();
    lines.map(|line| deserialize(&Vec::from_hex(line).unwrap()).unwrap()).collect()
}

#[test]
fn the_first_blocks_are_accepted() {
    let blocks = blocks();
    let mut chain = Chain::new(early_mainnet());
    assert_eq!(chain.tip(), blocks[0].block_hash());
    for block in &blocks[1..] {
        assert_eq!(chain.accept(block, NOW), Ok(Accepted::Tip));
    }
    assert_eq!(chain.height(), 175);
    // Each block's 50 coins are there, whoever has them now; the first block's cannot be spent.
    let unspent: Amount = chain.unspent().values().map(|output| output.value).sum();
    assert_eq!(unspent, Amount::from_int_btc(175 * 50));
    // Block 170 holds the first payment, which spends the coinbase of block 9.
    let payment = &blocks[170].txdata[1];
    assert_eq!(payment.compute_txid().to_string(), "f4184fc596403b9d638783cf57adfe4c75c605f6356fbc91338530e9831e9e16");
    assert!(!chain.unspent().contains_key(&payment.input[0].previous_output));
    // 170 blocks of difficulty 1 and the five after: work that anybody can multiply out.
    assert_eq!(format!("{:x}", chain.work_of(&chain.tip()).unwrap()), format!("{:064x}", 176 * 0x1_0001_0001u64));
}

#[test]
fn a_changed_payment_is_refused() {
    let blocks = blocks();
    let mut chain = Chain::new(early_mainnet());
    for block in &blocks[1..170] {
        chain.accept(block, NOW).unwrap();
    }
    let mut greedy = blocks[170].clone();
    greedy.txdata[1].output[0].value += Amount::ONE_SAT;
    assert_eq!(chain.accept(&greedy, NOW).unwrap_err().to_string(), "bad-txnmrklroot");
    greedy.header.merkle_root = greedy.compute_merkle_root().unwrap();
    assert_eq!(chain.accept(&greedy, NOW).unwrap_err().to_string(), "high-hash");
    assert_eq!(chain.accept(&blocks[170], NOW), Ok(Accepted::Tip));
    assert_eq!(chain.accept(&blocks[172], NOW).unwrap_err().to_string(), "prev-blk-not-found");
}
