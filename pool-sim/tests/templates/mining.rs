//! From a template to a block on the chain.

use crate::client::{Choice, Client, Work};
use crate::rig::Rig;
use bitcoin::absolute::LockTime;
use bitcoin::consensus::serialize;
use bitcoin::hashes::Hash;
use bitcoin::{
    Amount, CompactTarget, OutPoint, ScriptBuf, Sequence, Target, Transaction, TxIn, TxOut, Witness, transaction,
};
use pool_sim::node::Node;
use pool_sim::node::templates::TemplateEvent;
use std::collections::BTreeSet;
use template_distribution_sv2::NewTemplateOwned;

#[test]
fn a_solution_is_a_block_on_the_chain() {
    let rig = Rig::start();
    let before = rig.node.template();
    let (mut client, mut work) = Client::ready(rig.address);
    assert!(matches!(rig.event(), TemplateEvent::Joined { client: 1, vendor, .. } if vendor == "by hand"));
    let Work { template, tip } = &work;
    assert_eq!((template.version, template.coinbase_tx_version), (0x2000_0000, 2));
    // Height 17, as a push of one byte.
    assert_eq!((template.coinbase_prefix.as_bytes(), template.coinbase_tx_outputs_count), (&[1, 17][..], 1));
    assert_eq!(template.coinbase_tx_value_remaining, 50 * 100_000_000);
    // Nothing, and then a script of 38 bytes, which is the commitment.
    let outputs = template.coinbase_tx_outputs.as_bytes();
    assert_eq!(
        (&outputs[..9], &outputs[9..]),
        (&[0, 0, 0, 0, 0, 0, 0, 0, 38][..], before.witness_commitment.as_bytes())
    );
    assert_eq!(template.merkle_path.clone().into_inner().len(), 0);
    assert_eq!(tip.prev_hash.to_array(), before.previous_block_hash.to_byte_array());
    assert!(tip.header_timestamp >= before.current_time && tip.n_bits == 0x207f_ffff);
    assert_eq!(
        Target::from_le_bytes(tip.target.to_array()),
        Target::from_compact(CompactTarget::from_consensus(0x207f_ffff))
    );

    let mut ids = BTreeSet::new();
    for height in 17..47 {
        assert!(ids.last().is_none_or(|last| *last < work.id()) && ids.insert(work.id()));
        client.submit(&work.solve(&[1, 2, 3, 4]));
        let TemplateEvent::Solution { template_id, hash: Some(hash), refused: None, .. } = rig.event() else {
            panic!("it was refused");
        };
        assert_eq!((template_id, hash), (work.id(), rig.tip()));
        let block = rig.node.block(&hash).unwrap();
        assert_eq!((block.bip34_block_height(), block.txdata[0].output.len()), (Ok(height), 2));
        assert_eq!(block.header.version.to_consensus(), 0x2000_2000);
        assert!(block.check_merkle_root() && block.check_witness_commitment());
        work = client.work();
        assert_eq!(work.tip.prev_hash.to_array(), hash.to_byte_array());
    }
}

/// Pools, and the node itself: whoever finds a block, all of them go on from it.
#[test]
fn several_pools_mine_on_one_node() {
    let rig = Rig::start();
    let mut pools: Vec<_> = (0..3).map(|_| Client::ready(rig.address)).collect();
    for round in 0..6 {
        let hash = if round % 2 == 0 {
            rig.generate()
        } else {
            let (client, work) = &mut pools[round / 2];
            client.submit(&work.solve(&[round as u8]));
            assert_eq!(rig.verdict(), None);
            rig.tip()
        };
        for (client, work) in &mut pools {
            *work = client.work();
            assert_eq!(work.tip.prev_hash.to_array(), hash.to_byte_array());
        }
    }
    let ids: BTreeSet<_> = pools.iter().map(|(_, work)| work.id()).collect();
    assert_eq!(ids.len(), 3);
    // One that changes its mind about its coinbase has a template of now at once, and it is no new tip.
    let (client, work) = &mut pools[0];
    client.constrain(200, 0);
    let again = client.template();
    assert!(!again.future_template && again.template_id > work.id());
    let now = Work { template: again, tip: work.tip.clone() };
    client.submit(&now.solve(&[7]));
    assert_eq!(rig.verdict(), None);
}

/// A transaction that pays this fee: it spends the coinbase of that height, which anybody can, with so much in its witness.
fn transaction(node: &Node, height: u32, fee: u64, padding: usize) -> Transaction {
    let spent = node.block(&node.hash_at(height).unwrap()).unwrap().txdata.remove(0);
    let mut witness = Witness::from_slice(&[vec![7; padding]]);
    witness.push([0x51]);
    let input = TxIn {
        previous_output: OutPoint::new(spent.compute_txid(), 0),
        script_sig: ScriptBuf::new(),
        sequence: Sequence::MAX,
        witness,
    };
    let script_pubkey = pool_sim::anyone_can_spend().script_pubkey();
    let value = spent.output[0].value - Amount::from_sat(fee);
    Transaction {
        version: transaction::Version::TWO,
        lock_time: LockTime::ZERO,
        input: vec![input],
        output: vec![TxOut { value, script_pubkey }],
    }
}

#[test]
fn transactions_are_in_templates_and_in_blocks() {
    let rig = Rig::start();
    rig.node.premine(100, &pool_sim::anyone_can_spend().script_pubkey()).unwrap();
    let (mut client, first) = Client::ready(rig.address);
    let (mut greedy, _) = Client::ready(rig.address);
    assert_eq!(client.transactions(first.id()), Ok(Vec::new()));
    let sent: Vec<_> = (1..=3).map(|height| transaction(&rig.node, height, 1000, 10)).collect();
    for transaction in &sent {
        rig.node.send_transaction(transaction.clone(), None).unwrap();
    }
    // Now and then it is looked whether fees grew.
    let mut template = client.template();
    let fees =
        |template: &NewTemplateOwned| template.coinbase_tx_value_remaining - first.template.coinbase_tx_value_remaining;
    while fees(&template) < 3000 {
        template = client.template();
    }
    assert!(!template.future_template && template.merkle_path.clone().into_inner().len() == 2);
    assert_eq!(client.transactions(template.template_id), Ok(sent.iter().map(serialize).collect()));
    // That of before can be mined on as well, and is no stale one.
    assert_eq!(client.transactions(first.id()), Ok(Vec::new()));
    // Who leaves no room has none of them.
    greedy.constrain(999_708, 0);
    while fees(&greedy.template()) > 0 {}
    greedy.constrain(0, u16::MAX);
    while fees(&greedy.template()) < 3000 {}

    let work = Work { template, tip: first.tip.clone() };
    client.submit(&work.solve(&[1, 2]));
    assert_eq!(rig.verdict(), None);
    let block = rig.node.block(&rig.tip()).unwrap();
    assert_eq!(block.txdata[1..], sent);
    assert!(block.check_merkle_root() && block.check_witness_commitment());
    assert!(rig.node.mempool().is_empty());
    assert_eq!(client.work().template.merkle_path.clone().into_inner().len(), 0);
}

/// A whole block's transactions go through; a pool that asks for them again and again, and reads nothing, is left.
#[test]
fn who_reads_nothing_is_left() {
    let rig = Rig::start();
    rig.node.premine(100, &pool_sim::anyone_can_spend().script_pubkey()).unwrap();
    for height in 1..=9 {
        let transaction = transaction(&rig.node, height, 1000, 390_000);
        rig.node.send_transaction(transaction, None).unwrap();
    }
    let (mut client, work) = Client::ready(rig.address);
    let list = client.transactions(work.id()).unwrap();
    assert_eq!((list.len(), list.iter().map(Vec::len).sum::<usize>() > 3_500_000), (9, true));
    for _ in 0..20 {
        client.ask(work.id());
    }
    assert_eq!(rig.left(), "it took nothing for 10 s");
}

/// The chain judges, with its own words, what the server can make a block of.
#[test]
fn a_wrong_solution_is_no_block() {
    let rig = Rig::start();
    let (mut client, work) = Client::ready(rig.address);
    let claimed = work.template.coinbase_tx_value_remaining;
    let choice = |script: &[u8], claimed, witness| Choice { script: script.to_vec(), claimed, witness };
    let right = work.solve(&[1]);
    let changed = |change: &dyn Fn(&mut template_distribution_sv2::SubmitSolutionOwned)| {
        let mut solution = right.clone();
        change(&mut solution);
        solution
    };
    let mut of_height_18 = work.clone();
    of_height_18.template.coinbase_prefix = vec![1, 18].try_into().unwrap();
    let mut uncommitted = work.clone();
    let outputs = uncommitted.template.coinbase_tx_outputs.as_bytes().to_vec();
    let wrong = [&outputs[..outputs.len() - 1], &[outputs[outputs.len() - 1] ^ 1]].concat();
    uncommitted.template.coinbase_tx_outputs = wrong.try_into().unwrap();
    let mut early = work.clone();
    early.tip.header_timestamp = 1_300_000_000;
    let mut old = work.clone();
    old.template.version = 0x8000_0000;
    let cases = [
        ("a template that is none", changed(&|s| s.template_id += 1), "template_id of no template"),
        ("no coinbase", changed(&|s| s.coinbase_tx = Vec::new().try_into().unwrap()), "coinbase_tx: "),
        (
            "a coinbase cut short",
            changed(&|s| {
                let bytes = s.coinbase_tx.as_bytes();
                s.coinbase_tx = bytes[..bytes.len() - 1].to_vec().try_into().unwrap();
            }),
            "coinbase_tx: ",
        ),
        (
            "a coinbase and more",
            changed(&|s| {
                s.coinbase_tx = [s.coinbase_tx.as_bytes(), &[0]].concat().try_into().unwrap();
            }),
            "coinbase_tx: ",
        ),
        ("no proof of work", work.search(&choice(&[1], claimed, true), false), "high-hash"),
        ("another's height", of_height_18.solve(&[1]), "bad-cb-height"),
        ("more than there is", work.solve_with(&choice(&[1], claimed + 1, true)), "bad-cb-amount"),
        ("a script that is too long", work.solve_with(&choice(&[0; 99], claimed, true)), "bad-cb-length"),
        ("another commitment", uncommitted.solve(&[1]), "bad-witness-merkle-match"),
        ("a time before the chain's", early.solve(&[1]), "time-too-old"),
        ("a version of old", old.solve(&[1]), "bad-version(0x80002000)"),
    ];
    for (name, solution, word) in cases {
        client.submit(&solution);
        let refused = rig.verdict().unwrap_or_else(|| panic!("{name} was taken"));
        assert!(refused.starts_with(word), "{name}: {refused}");
    }
    // The node knows what the commitment needs; the pool is well again.
    client.submit(&work.solve_with(&choice(&[2], claimed, false)));
    assert_eq!(rig.verdict(), None);
    let next = client.work();
    // What comes late is a block nevertheless, as it was made of what the pool was given; twice, it is none.
    client.submit(&right);
    assert_eq!(rig.verdict().as_deref(), Some("inconclusive"));
    client.submit(&right);
    assert_eq!(rig.verdict().as_deref(), Some("duplicate"));
    client.submit(&next.solve(&[3]));
    assert_eq!(rig.verdict(), None);
}

#[test]
fn templates_are_remembered_but_not_for_ever() {
    let rig = Rig::start();
    let (mut client, first) = Client::ready(rig.address);
    assert_eq!(client.transactions(first.id()), Ok(Vec::new()));
    assert_eq!(client.transactions(first.id() + 1), Err("template-id-not-found".to_owned()));
    let mut last = first.clone();
    for _ in 0..63 {
        rig.generate();
        last = client.work();
    }
    assert_eq!(client.transactions(last.id()), Ok(Vec::new()));
    assert_eq!(client.transactions(first.id()), Err("stale-template-id".to_owned()));
    rig.generate();
    client.work();
    assert_eq!(client.transactions(first.id()), Err("template-id-not-found".to_owned()));
    client.submit(&first.solve(&[1]));
    assert!(rig.verdict().is_some_and(|refused| refused.starts_with("template_id")));
    // Nor are they another's.
    let (mut other, _) = Client::ready(rig.address);
    assert_eq!(other.transactions(last.id()), Err("template-id-not-found".to_owned()));
}
