//! The mempool: what comes in, what blocks take out, and what a reorganisation brings back; and templates with transactions.

use bitcoin::absolute::LockTime;
use bitcoin::hashes::{Hash, sha256d};
use bitcoin::{
    Amount, Block, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxMerkleNode, TxOut, Txid, Witness, transaction,
};
use pool_sim::chain::{Accepted, Params};
use pool_sim::node::{Node, Template};
use proptest::prelude::*;

fn script() -> ScriptBuf {
    pool_sim::anyone_can_spend().script_pubkey()
}

fn node(height: u32) -> Node {
    let node = Node::new(Params::regtest());
    node.premine(height, &script()).unwrap();
    node
}

fn coinbase(node: &Node, height: u32) -> OutPoint {
    OutPoint::new(node.block(&node.hash_at(height).unwrap()).unwrap().txdata[0].compute_txid(), 0)
}

/// Spends outputs that anybody can spend, into outputs of these satoshis.
fn spend(inputs: &[OutPoint], outputs: &[u64]) -> Transaction {
    let input = |previous_output: &OutPoint| TxIn {
        previous_output: *previous_output,
        script_sig: ScriptBuf::new(),
        sequence: Sequence::MAX,
        witness: Witness::from_slice(&[[0x51]]),
    };
    let output = |value: &u64| TxOut { value: Amount::from_sat(*value), script_pubkey: script() };
    Transaction {
        version: transaction::Version::TWO,
        lock_time: LockTime::ZERO,
        input: inputs.iter().map(input).collect(),
        output: outputs.iter().map(output).collect(),
    }
}

/// The word for a transaction, or `None` for one that comes in.
fn word(node: &Node, transaction: Transaction) -> Option<String> {
    node.send_transaction(transaction, None).err().map(|error| error.to_string())
}

fn waiting(node: &Node) -> Vec<Txid> {
    node.mempool().iter().map(|pooled| pooled.txid).collect()
}

fn mine(mut block: Block) -> Block {
    while !block.header.target().is_met_by(block.block_hash()) {
        block.header.nonce += 1;
    }
    block
}

/// A coin of a regtest block, in satoshis.
const COIN: u64 = 5_000_000_000;

#[test]
fn each_reason_has_bitcoin_cores_word() {
    let node = node(110);
    // The next block is 111: coinbases up to 11 are mature.
    let [ripe, other, unripe] = [1, 2, 12].map(|height| coinbase(&node, height));
    let word = |transaction| word(&node, transaction).unwrap_or_default();
    assert_eq!(word(spend(&[unripe], &[1])), "bad-txns-premature-spend-of-coinbase");
    assert_eq!(word(spend(&[OutPoint::new(ripe.txid, 9)], &[1])), "bad-txns-inputs-missingorspent");
    assert_eq!(word(spend(&[ripe], &[COIN + 1])), "bad-txns-in-belowout");
    assert_eq!(word(spend(&[ripe, ripe], &[1])), "bad-txns-inputs-duplicate");
    assert_eq!(word(spend(&[], &[1])), "bad-txns-vin-empty");
    assert_eq!(word(spend(&[ripe], &[])), "bad-txns-vout-empty");
    let block = node.block(&node.hash_at(1).unwrap()).unwrap();
    assert_eq!(word(block.txdata[0].clone()), "Transaction outputs already in utxo set");
    assert_eq!(word(node.template().coinbase(&[0], &script())), "coinbase");
    let mut locked = spend(&[ripe], &[1]);
    locked.lock_time = LockTime::from_consensus(111);
    locked.input[0].sequence = Sequence::ZERO;
    assert_eq!(word(locked), "non-final");
    let mut heavy = spend(&[ripe], &[1]);
    heavy.input[0].witness.push(vec![0; 400_000]);
    assert_eq!(word(heavy), "tx-size");
    let mut costly = spend(&[ripe], &[1]);
    // Each costs 20 times four.
    costly.output[0].script_pubkey = ScriptBuf::from_bytes(vec![0xae; 201]);
    assert_eq!(word(costly), "bad-txns-too-many-sigops");

    let first = spend(&[ripe], &[COIN - 1_000]);
    assert_eq!((word(first.clone()), word(first.clone())), (String::new(), String::new()));
    assert_eq!(word(spend(&[other, ripe], &[1])), "txn-mempool-conflict");
    let after = spend(&[OutPoint::new(first.compute_txid(), 0)], &[COIN - 2_000]);
    assert_eq!(word(spend(&[OutPoint::new(first.compute_txid(), 1)], &[1])), "bad-txns-inputs-missingorspent");
    assert_eq!(word(after.clone()), "");
    assert_eq!(waiting(&node), [first.compute_txid(), after.compute_txid()]);
    let fees: Vec<_> = node.mempool().iter().map(|pooled| pooled.fee.to_sat()).collect();
    assert_eq!(fees, [1_000, 1_000]);
    node.generate(1, &script()).unwrap();
    assert_eq!(waiting(&node), []);
    assert_eq!(node.height_of(&after.compute_txid()), Some(111));
    assert_eq!(word(after), "Transaction outputs already in utxo set");
    // All that it made is spent.
    assert_eq!(word(first), "bad-txns-inputs-missingorspent");
}

/// By the `bitcoin` crate: what a coinbase's way up the tree comes to, and what the coinbase commits to.
#[test]
fn templates_carry_transactions() {
    for count in 0..20 {
        let node = node(130);
        for height in 1..=count {
            assert_eq!(word(&node, spend(&[coinbase(&node, height)], &[COIN - 7])), None);
        }
        let template = node.template();
        assert_eq!(template.transactions.len(), count as usize);
        assert_eq!(template.coinbase_value.to_sat(), COIN + 7 * u64::from(count));
        let mut block = template.block(&script());
        let join = |left: sha256d::Hash, right: &[u8; 32]| {
            sha256d::Hash::hash(&[left.as_byte_array(), right].map(|half| &half[..]).concat())
        };
        let root = template.merkle_branch().iter().fold(block.txdata[0].compute_txid().to_raw_hash(), join);
        assert_eq!(Some(TxMerkleNode::from_raw_hash(root)), block.compute_merkle_root());
        assert!(block.check_merkle_root() && block.check_witness_commitment());
        // A satoshi more than the fees is too much.
        block.txdata[0].output[0].value += Amount::ONE_SAT;
        block.header.merkle_root = block.compute_merkle_root().unwrap();
        assert_eq!(node.submit_block(&mine(block)).unwrap_err().to_string(), "bad-cb-amount");
        assert_eq!(node.submit_block(&mine(template.block(&script()))), Ok(Accepted::Tip));
        assert_eq!(waiting(&node), []);
    }
}

#[test]
fn what_is_full_is_full_and_blocks_take_what_fits() {
    let node = node(200);
    let heavy = |height| {
        let mut transaction = spend(&[coinbase(&node, height)], &[1]);
        transaction.input[0].witness.push(vec![0; 390_000]);
        transaction
    };
    let mut came = Vec::new();
    for height in 1..=51 {
        assert_eq!(word(&node, heavy(height)), None, "{height}");
        came.push(heavy(height).compute_txid());
    }
    assert_eq!(word(&node, heavy(52)).unwrap(), "mempool full");
    // What spends of one that has no place has none either.
    let after = spend(&[OutPoint::new(came[50], 0)], &[1]);
    assert_eq!(word(&node, after.clone()), None);
    let template = node.template();
    assert_eq!(template.transactions.iter().map(|pooled| pooled.txid).collect::<Vec<_>>(), came[..10]);
    assert_eq!(node.submit_block(&mine(template.block(&script()))), Ok(Accepted::Tip));
    assert_eq!(waiting(&node), [&came[10..], &[after.compute_txid()]].concat());
    node.generate(5, &script()).unwrap();
    assert_eq!(waiting(&node), []);
    // Many small ones.
    let wide = [52, 53, 54].map(|height| spend(&[coinbase(&node, height)], &[1; 1_667]));
    let coins = wide.iter().flat_map(|tx| (0..1_667).map(|vout| OutPoint::new(tx.compute_txid(), vout)));
    let coins: Vec<_> = coins.collect();
    for transaction in wide {
        assert_eq!(word(&node, transaction), None);
    }
    node.generate(1, &script()).unwrap();
    let words: Vec<_> = coins.iter().map(|coin| word(&node, spend(&[*coin], &[1]))).collect();
    assert_eq!(words[..5_000].iter().flatten().next(), None);
    assert_eq!(words[5_000].as_deref(), Some("mempool full"));
}

/// A block of a template, mined into a chain of its own: nobody's transactions are in it.
fn branch(node: &Node, from: u32, length: u32) -> Vec<Block> {
    let other = Node::new(Params::regtest());
    for height in 1..=from {
        other.submit_block(&node.block(&node.hash_at(height).unwrap()).unwrap()).unwrap();
    }
    (0..length)
        .map(|_| {
            let mut template: Template = other.template();
            // Another block than the one that is there.
            template.current_time += 1;
            let block = mine(template.block(&script()));
            other.submit_block(&block).unwrap();
            block
        })
        .collect()
}

#[test]
fn what_a_reorganisation_takes_out_of_the_chain_waits_again() {
    let node = node(110);
    let first = spend(&[coinbase(&node, 1)], &[COIN]);
    let second = spend(&[OutPoint::new(first.compute_txid(), 0)], &[COIN]);
    let third = spend(&[OutPoint::new(second.compute_txid(), 0)], &[COIN]);
    for transaction in [&first, &second] {
        assert_eq!(word(&node, transaction.clone()), None);
        node.generate(1, &script()).unwrap();
    }
    assert_eq!(word(&node, third.clone()), None);
    let fresh = spend(&[coinbase(&node, 12)], &[COIN]);
    // Mature at 112, and no more when the best chain is shorter.
    assert_eq!(word(&node, fresh), None);
    let updates = node.template().mempool_updates;
    let blocks = branch(&node, 110, 3);
    for block in &blocks[..2] {
        assert_eq!(node.submit_block(block), Ok(Accepted::SideChain));
        assert_eq!((waiting(&node).len(), node.template().mempool_updates), (2, updates));
    }
    assert_eq!(node.submit_block(&blocks[2]), Ok(Accepted::Tip));
    // In an order that a block may have, before what came later.
    let expected = [&first, &second, &third].map(Transaction::compute_txid);
    assert_eq!(waiting(&node)[..3], expected);
    assert_eq!(node.height_of(&expected[0]), None);
    assert!(node.template().mempool_updates > updates);
    node.generate(1, &script()).unwrap();
    assert_eq!((waiting(&node), node.height_of(&expected[2])), (vec![], Some(114)));
}

#[derive(Clone, Debug)]
enum Step {
    /// Spend the coin of that place among all that ever were, into so many.
    Send(usize, u64),
    Mine,
    /// Forget so many blocks.
    Reorganise(u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (any::<prop::sample::Index>(), 1..4u64).prop_map(|(at, outputs)| Step::Send(at.index(1_000), outputs)),
        2 => Just(Step::Mine),
        1 => (1..4u32).prop_map(Step::Reorganise),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    /// Whatever comes, every template makes a block that the chain takes, and nothing that came in is lost: it waits, or the chain
    /// has it, unless the chain has another that spends the same.
    #[test]
    fn every_template_is_a_block(steps in proptest::collection::vec(step(), 1..60)) {
        let node = node(104);
        let mut coins: Vec<_> = (1..=4).map(|height| (coinbase(&node, height), COIN)).collect();
        let mut sent = Vec::new();
        for step in steps {
            match step {
                Step::Send(at, outputs) => {
                    let (point, value) = coins[at % coins.len()];
                    let transaction = spend(&[point], &vec![value / outputs; outputs as usize]);
                    if node.send_transaction(transaction.clone(), None).is_ok() {
                        let txid = transaction.compute_txid();
                        coins.extend((0..outputs as u32).map(|vout| (OutPoint::new(txid, vout), value / outputs)));
                        sent.push((point, txid));
                    }
                }
                Step::Mine => {
                    let template = node.template();
                    prop_assert_eq!(template.transactions.len(), waiting(&node).len());
                    prop_assert_eq!(node.submit_block(&mine(template.block(&script()))), Ok(Accepted::Tip));
                }
                Step::Reorganise(depth) => {
                    let height = node.tip().borrow().height;
                    let from = height.saturating_sub(depth).max(104);
                    for block in branch(&node, from, height - from + 1) {
                        node.submit_block(&block).unwrap();
                    }
                    prop_assert_eq!(node.tip().borrow().height, height + 1);
                }
            }
            let waits = waiting(&node);
            for (point, txid) in &sent {
                let is_there = waits.contains(txid) || node.height_of(txid).is_some();
                let rival = sent.iter().any(|(other, rival)| {
                    other == point && rival != txid && (waits.contains(rival) || node.height_of(rival).is_some())
                });
                prop_assert!(is_there != rival, "{}", txid);
            }
        }
    }
}
