//! The chain's rules, each with Bitcoin Core's word for breaking it, and reorganisation.

use bitcoin::absolute::LockTime;
use bitcoin::block::Version;
use bitcoin::hashes::Hash;
use bitcoin::{
    Amount, Block, BlockHash, CompactTarget, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxMerkleNode, TxOut,
    Witness, transaction,
};
use pool_sim::chain::{Accepted, Chain, Params};
use pool_sim::node::Node;
use proptest::prelude::*;

fn script() -> ScriptBuf {
    pool_sim::anyone_can_spend().script_pubkey()
}

/// Puts the merkle root and the proof of work right, so that only the rule in question is broken.
fn seal(block: &mut Block) {
    if let Some(root) = block.compute_merkle_root() {
        block.header.merkle_root = root;
    }
    mine(block);
}

fn mine(block: &mut Block) {
    let target = bitcoin::Target::MAX_ATTAINABLE_REGTEST;
    while !target.is_met_by(block.block_hash()) {
        block.header.nonce += 1;
    }
}

fn node(height: u32) -> Node {
    let node = Node::new(Params::regtest());
    node.generate(height, &script()).unwrap();
    node
}

/// The word for a block that is good but for one change.
fn word(change: impl FnOnce(&mut Block)) -> String {
    let node = node(20);
    let mut block = node.template().block(&script());
    change(&mut block);
    match node.submit_block(&block) {
        Ok(accepted) => format!("{accepted:?}"),
        Err(error) => error.to_string(),
    }
}

fn sealed(change: impl FnOnce(&mut Block)) -> String {
    word(|block| {
        change(block);
        seal(block);
    })
}

fn spend(input: OutPoint, value: Amount) -> Transaction {
    let input =
        TxIn { previous_output: input, script_sig: ScriptBuf::new(), sequence: Sequence::MAX, witness: Witness::new() };
    let output = TxOut { value, script_pubkey: script() };
    Transaction {
        version: transaction::Version::TWO,
        lock_time: LockTime::ZERO,
        input: vec![input],
        output: vec![output],
    }
}

#[test]
fn genesis_is_regtests() {
    let genesis = Chain::new(Params::regtest()).tip();
    assert_eq!(genesis.to_string(), "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206");
}

#[test]
fn each_rule_has_its_word() {
    assert_eq!(sealed(|_| {}), "Tip");
    let losing = word(|block| {
        while bitcoin::Target::MAX_ATTAINABLE_REGTEST.is_met_by(block.block_hash()) {
            block.header.nonce += 1;
        }
    });
    assert_eq!(losing, "high-hash");
    assert_eq!(sealed(|block| block.header.prev_blockhash = BlockHash::all_zeros()), "prev-blk-not-found");
    assert_eq!(sealed(|block| block.header.bits = CompactTarget::from_consensus(0x207f_fffe)), "bad-diffbits");
    assert_eq!(sealed(|block| block.header.time = 1_300_000_000), "time-too-old");
    assert_eq!(sealed(|block| block.header.time += 3 * 60 * 60), "time-too-new");
    assert_eq!(sealed(|block| block.header.version = Version::from_consensus(3)), "bad-version(0x00000003)");
    let root = |block: &mut Block| {
        block.header.merkle_root = TxMerkleNode::all_zeros();
        mine(block);
    };
    assert_eq!(word(root), "bad-txnmrklroot");
    assert_eq!(sealed(|block| block.txdata.push(block.txdata[0].clone())), "bad-txns-duplicate");
    assert_eq!(sealed(|block| block.txdata[0].input[0].previous_output.vout = 0), "bad-cb-missing");
    let second = |block: &mut Block| {
        let mut coinbase = block.txdata[0].clone();
        coinbase.lock_time = LockTime::from_consensus(1);
        block.txdata.push(coinbase);
    };
    assert_eq!(sealed(second), "bad-cb-multiple");
    assert_eq!(sealed(|block| block.txdata[0].input[0].script_sig = ScriptBuf::from_bytes(vec![0])), "bad-cb-length");
    assert_eq!(
        sealed(|block| block.txdata[0].input[0].script_sig = ScriptBuf::from_bytes(vec![0; 101])),
        "bad-cb-length"
    );
    assert_eq!(
        sealed(|block| block.txdata[0].input[0].script_sig = ScriptBuf::from_bytes(vec![1, 99])),
        "bad-cb-height"
    );
    assert_eq!(sealed(|block| block.txdata[0].output[0].value += Amount::from_sat(1)), "bad-cb-amount");
    let reserved = |block: &mut Block| block.txdata[0].input[0].witness = Witness::from_slice(&[[0; 31]]);
    assert_eq!(sealed(reserved), "bad-witness-nonce-size");
    let commitment = |block: &mut Block| block.txdata[0].input[0].witness = Witness::from_slice(&[[1; 32]]);
    assert_eq!(sealed(commitment), "bad-witness-merkle-match");
    assert_eq!(sealed(|block| drop(block.txdata[0].output.pop())), "unexpected-witness");
    assert_eq!(sealed(|block| block.txdata[0].input[0].witness = Witness::new()), "Tip");
    let locked = |block: &mut Block| {
        block.txdata[0].lock_time = LockTime::from_consensus(21);
        block.txdata[0].input[0].sequence = Sequence::ZERO;
    };
    assert_eq!(sealed(locked), "bad-txns-nonfinal");
    let heavy =
        |block: &mut Block| block.txdata[0].output[1].script_pubkey = ScriptBuf::from_bytes(vec![0x6a; 1_000_000]);
    assert_eq!(sealed(heavy), "bad-blk-length");
    assert_eq!(sealed(|block| block.txdata[0].output.clear()), "bad-txns-vout-empty");
    assert_eq!(sealed(|block| block.txdata[0].output[0].value = Amount::MAX), "bad-txns-vout-toolarge");
}

#[test]
fn coins_are_spent_once_when_ripe_and_for_what_they_are_worth() {
    let node = node(110);
    let coinbase = |height| {
        let block = node.block(&node.hash_at(height).unwrap()).unwrap();
        OutPoint::new(block.txdata[0].compute_txid(), 0)
    };
    let fifty = Amount::from_int_btc(50);
    let word = |transactions: &[Transaction]| {
        let mut block = node.template().block(&script());
        // Without witnesses there is nothing to commit to.
        block.txdata[0].output.truncate(1);
        block.txdata[0].input[0].witness = Witness::new();
        block.txdata.extend_from_slice(transactions);
        seal(&mut block);
        node.submit_block(&block).map_or_else(|error| error.to_string(), |accepted| format!("{accepted:?}"))
    };
    // The next block is 111: coinbases up to 11 are ripe.
    assert_eq!(word(&[spend(coinbase(12), fifty)]), "bad-txns-premature-spend-of-coinbase");
    assert_eq!(word(&[spend(OutPoint::new(coinbase(1).txid, 5), fifty)]), "bad-txns-inputs-missingorspent");
    assert_eq!(word(&[spend(coinbase(1), fifty + Amount::from_sat(1))]), "bad-txns-in-belowout");
    let mut twice = spend(coinbase(1), fifty);
    twice.input.push(twice.input[0].clone());
    assert_eq!(word(&[twice]), "bad-txns-inputs-duplicate");
    let first = spend(coinbase(1), fifty);
    let chained = spend(OutPoint::new(first.compute_txid(), 0), Amount::from_int_btc(49));
    assert_eq!(word(&[chained.clone(), first.clone()]), "bad-txns-inputs-missingorspent");
    assert_eq!(word(&[first.clone(), chained]), "Tip");
    assert_eq!(word(&[first]), "bad-txns-inputs-missingorspent");
}

fn child(chain: &Chain, parent: BlockHash, salt: u32) -> Block {
    // A template is for the tip; a block elsewhere takes its place and height.
    let height = chain.height_of(&parent).unwrap() + 1;
    let node = Node::new(Params::regtest());
    let mut template = node.template();
    template.height = height;
    template.coinbase_value = chain.params().subsidy(height);
    let mut block = template.block(&script());
    block.txdata[0] = template.coinbase(&[&[4], &salt.to_le_bytes()[..]].concat(), &script());
    block.header.prev_blockhash = parent;
    block.header.time = chain.median_time_past(&parent) + 1 + salt % 5;
    seal(&mut block);
    block
}

#[test]
fn a_branch_that_breaks_a_rule_is_left_and_never_tried_again() {
    let mut chain = Chain::new(Params::regtest());
    let now = u32::MAX / 2;
    let genesis = chain.tip();
    let best = child(&chain, genesis, 0);
    assert_eq!(chain.accept(&best, now), Ok(Accepted::Tip));
    assert_eq!(chain.accept(&best, now), Ok(Accepted::Duplicate));
    // On a side branch nobody checks amounts; when it would be the best, they show.
    let mut greedy = child(&chain, genesis, 1);
    greedy.txdata[0].output[0].value += Amount::from_sat(1);
    seal(&mut greedy);
    assert_eq!(chain.accept(&greedy, now), Ok(Accepted::SideChain));
    let after = child(&chain, greedy.block_hash(), 2);
    assert_eq!(chain.accept(&after, now).unwrap_err().to_string(), "bad-cb-amount");
    assert_eq!((chain.tip(), chain.height()), (best.block_hash(), 1));
    assert_eq!(chain.accept(&after, now).unwrap_err().to_string(), "duplicate-invalid");
    assert_eq!(chain.accept(&greedy, now).unwrap_err().to_string(), "duplicate-invalid");
    let later = child(&chain, after.block_hash(), 3);
    assert_eq!(chain.accept(&later, now).unwrap_err().to_string(), "bad-prevblk");
    assert_eq!(chain.unspent().len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(50))]

    /// Blocks on random parents: the tip has the most work, and the coins are those of a chain that never saw another.
    #[test]
    fn after_any_reorganisation_the_chain_is_as_if_there_had_been_none(parents in proptest::collection::vec(any::<u32>(), 1..40)) {
        let mut chain = Chain::new(Params::regtest());
        let now = u32::MAX / 2;
        let mut hashes = vec![chain.tip()];
        for (salt, pick) in parents.iter().enumerate() {
            // Mostly near the end, so that branches grow long.
            let back = (pick % 4).min(hashes.len() as u32 - 1) as usize;
            let block = child(&chain, hashes[hashes.len() - 1 - back], salt as u32);
            chain.accept(&block, now).unwrap();
            hashes.push(block.block_hash());
        }
        let most = hashes.iter().map(|hash| chain.work_of(hash).unwrap()).max().unwrap();
        prop_assert_eq!(chain.work_of(&chain.tip()).unwrap(), most);
        let mut fresh = Chain::new(Params::regtest());
        for height in 1..=chain.height() {
            let block = chain.block(&chain.hash_at(height).unwrap()).unwrap();
            prop_assert_eq!(fresh.accept(block, now), Ok(Accepted::Tip));
        }
        prop_assert_eq!(fresh.tip(), chain.tip());
        prop_assert_eq!(fresh.unspent(), chain.unspent());
    }
}
