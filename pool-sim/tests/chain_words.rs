//! Words that depend on what the chain knows already: duplicates, and proposals. The order of rules is Bitcoin Core's.

use bitcoin::hashes::Hash;
use bitcoin::{Amount, Block, BlockHash, OutPoint, ScriptBuf, Transaction, Witness};
use pool_sim::chain::{Accepted, Chain, Params};
use pool_sim::node::Node;

/// Far in the future, so that no block is too new.
const NOW: u32 = u32::MAX / 2;

fn script() -> ScriptBuf {
    pool_sim::anyone_can_spend().script_pubkey()
}

/// A block on `parent`, one of many: `salt` tells them apart.
fn child(chain: &Chain, parent: BlockHash, salt: u8, change: impl FnOnce(&mut Block)) -> Block {
    let mut template = Node::new(Params::regtest()).template();
    template.height = chain.height_of(&parent).unwrap() + 1;
    template.coinbase_value = chain.params().subsidy(template.height);
    let mut block = template.block(&script());
    block.txdata[0] = template.coinbase(&[1, salt], &script());
    block.header.prev_blockhash = parent;
    block.header.time = chain.median_time_past(&parent) + 1;
    change(&mut block);
    if let Some(root) = block.compute_merkle_root() {
        block.header.merkle_root = root;
    }
    mine(&mut block, true);
    block
}

fn mine(block: &mut Block, wins: bool) {
    while block.header.target().is_met_by(block.block_hash()) != wins {
        block.header.nonce += 1;
    }
}

/// Sends the first output of a transaction on. Scripts are not run, so the witness may be anything.
fn spend(from: &Transaction, witness: Witness) -> Transaction {
    let mut tx = from.clone();
    tx.input[0].previous_output = OutPoint::new(from.compute_txid(), 0);
    tx.input[0].script_sig = ScriptBuf::new();
    tx.input[0].witness = witness;
    tx.output.truncate(1);
    tx
}

fn chain(height: u32) -> Chain {
    let mut chain = Chain::new(Params::regtest());
    for _ in 0..height {
        let block = child(&chain, chain.tip(), 0, |_| {});
        chain.accept(&block, NOW).unwrap();
    }
    chain
}

fn word(chain: &mut Chain, block: &Block) -> String {
    chain.accept(block, NOW).map_or_else(|error| error.to_string(), |accepted| format!("{accepted:?}"))
}

fn proposed(chain: &mut Chain, block: &Block) -> String {
    chain.check_proposal(block, NOW).map_or_else(|error| error.to_string(), |()| "good".to_owned())
}

#[test]
fn a_block_that_breaks_a_rule_is_known_to_unless_only_its_witnesses_do() {
    let mut chain = chain(3);
    let short = |block: &mut Block| block.txdata[0].input[0].script_sig = ScriptBuf::from_bytes(vec![0x55, 0x55]);
    let bad = child(&chain, chain.tip(), 1, short);
    assert_eq!(word(&mut chain, &bad), "bad-cb-height");
    assert_eq!(word(&mut chain, &bad), "duplicate-invalid");
    assert_eq!(proposed(&mut chain, &bad), "duplicate-invalid");
    let mut on_bad = child(&chain, chain.tip(), 2, |_| {});
    on_bad.header.prev_blockhash = bad.block_hash();
    mine(&mut on_bad, true);
    assert_eq!(word(&mut chain, &on_bad), "bad-prevblk");

    let good = child(&chain, chain.tip(), 3, |_| {});
    let mut stripped = good.clone();
    stripped.txdata[0].input[0].witness = Witness::from_slice(&[[9; 32]]);
    assert_eq!(stripped.block_hash(), good.block_hash());
    assert_eq!(word(&mut chain, &stripped), "bad-witness-merkle-match");
    assert_eq!(word(&mut chain, &stripped), "bad-witness-merkle-match");
    assert_eq!(word(&mut chain, &good), "Tip");
}

#[test]
fn what_can_be_said_of_a_block_alone_is_said_first() {
    let mut chain = chain(102);
    let ripe: Vec<_> = [1, 2].map(|at| chain.block(&chain.hash_at(at).unwrap()).unwrap().txdata[0].clone()).into();
    let good = child(&chain, chain.tip(), 1, |block| {
        // Without witnesses there is nothing to commit to.
        block.txdata[0].output.truncate(1);
        block.txdata[0].input[0].witness = Witness::new();
        block.txdata.extend(ripe.iter().map(|tx| spend(tx, Witness::new())));
    });
    assert_eq!(word(&mut chain, &good), "Tip");
    // The same header over a list that repeats its end: not a duplicate, but a forgery (CVE-2012-2459).
    let mut doubled = good.clone();
    doubled.txdata.push(doubled.txdata[2].clone());
    assert_eq!(word(&mut chain, &doubled), "bad-txns-duplicate");
    assert_eq!(word(&mut chain, &good), "Duplicate");
    let mut orphan = good.clone();
    orphan.txdata.clear();
    orphan.header.prev_blockhash = good.header.block_hash();
    mine(&mut orphan, true);
    assert_eq!(word(&mut chain, &orphan), "bad-txnmrklroot");
    orphan.header.merkle_root = Hash::all_zeros();
    mine(&mut orphan, true);
    assert_eq!(word(&mut chain, &orphan), "bad-blk-length");
}

#[test]
fn weight_and_signature_operations_have_limits() {
    // OP_CHECKMULTISIG counts 20 where nothing says how many keys, and each of those four times.
    let with_script = |byte: u8, length: usize| {
        let mut chain = chain(3);
        let script = ScriptBuf::from_bytes(vec![byte; length]);
        let block = child(&chain, chain.tip(), 1, |block| block.txdata[0].output[0].script_pubkey = script);
        word(&mut chain, &block)
    };
    assert_eq!(with_script(0xae, 1_000), "Tip");
    assert_eq!(with_script(0xae, 1_001), "bad-blk-sigops");
    assert_eq!(with_script(0x51, 900_000), "Tip");
    assert_eq!(with_script(0x51, 1_000_000), "bad-blk-length");
    // Only with its witnesses is it too heavy.
    let mut chain = chain(102);
    let ripe = chain.block(&chain.hash_at(1).unwrap()).unwrap().txdata[0].clone();
    let block = child(&chain, chain.tip(), 1, |block| {
        block.txdata.push(spend(&ripe, Witness::from_slice(&[vec![0; 4_000_000]])));
        let root = block.witness_root().unwrap();
        let commitment = Block::compute_witness_commitment(&root, &[0; 32]);
        let script = [&[0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed][..], commitment.as_byte_array()].concat();
        block.txdata[0].output[1].script_pubkey = ScriptBuf::from_bytes(script);
    });
    assert_eq!(word(&mut chain, &block), "bad-blk-weight");
}

#[test]
fn proposals_are_judged_without_work_and_leave_no_trace() {
    let mut chain = chain(3);
    let before = (chain.tip(), chain.unspent());
    let mut good = child(&chain, chain.tip(), 1, |_| {});
    mine(&mut good, false);
    assert_eq!(proposed(&mut chain, &good), "good");
    assert_eq!(proposed(&mut chain, &good), "good");
    let greedy = child(&chain, chain.tip(), 2, |block| block.txdata[0].output[0].value += Amount::ONE_SAT);
    assert_eq!(proposed(&mut chain, &greedy), "bad-cb-amount");
    assert_eq!((chain.tip(), chain.unspent()), before);

    let side = child(&chain, chain.hash_at(2).unwrap(), 4, |_| {});
    assert_eq!(proposed(&mut chain, &side), "inconclusive-not-best-prevblk");
    assert_eq!(chain.accept(&side, NOW), Ok(Accepted::SideChain));
    assert_eq!(proposed(&mut chain, &side), "duplicate-inconclusive");
    let tip = chain.block(&chain.tip()).unwrap().clone();
    assert_eq!(proposed(&mut chain, &tip), "duplicate");
}
