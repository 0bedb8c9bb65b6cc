//! What the pool says to a miner: shares and blocks, stale jobs, difficulty, options, rubbish.

use super::miner::{EASY, Miner, setup, setup_on, share};
use bitcoin::{Amount, OutPoint, Transaction, TxIn, TxOut, Witness};
use pool_sim::node::Node;
use pool_sim::pool::PoolEvent;
use serde_json::json;
use std::io::Write;
use std::time::Duration;

#[test]
fn a_share_that_is_a_block_becomes_the_tip_and_brings_a_new_job() {
    let setup = setup(|_| {});
    let mut miner = Miner::connect(&setup);
    miner.call(
        r#"{"id":0,"method":"mining.configure","params":[["version-rolling"],{"version-rolling.mask":"00006000"}]}"#,
    );
    let subscribed = miner.call(r#"{"id":1,"method":"mining.subscribe","params":["hand"]}"#);
    subscribed["result"][1].as_str().unwrap().clone_into(&mut miner.extranonce1);
    assert_eq!(miner.call(r#"{"id":"auth","method":"mining.authorize","params":["alice","x"]}"#)["result"], true);
    assert_eq!(miner.told("mining.set_difficulty"), json!([EASY]));
    let job = miner.job();
    assert_eq!(job[8], true);
    let block = share(&job, &miner.extranonce1, 0, 0x2000, true);
    assert_eq!(miner.submit(&block), 0);
    let next = miner.job();
    assert_eq!(next[8], true);
    assert_ne!(next[0], job[0]);
    assert_ne!(next[1], job[1]);
    let tip = *setup.node.tip().borrow();
    assert_eq!(tip.height, 17);
    assert_eq!(setup.node.block(&tip.hash).unwrap().header.version.to_consensus(), 0x2000_2000);
    assert!(setup.events.iter().any(|event| matches!(event, PoolEvent::Block { height: 17, refused: None, .. })));
    assert_eq!(miner.submit(&block), 22);
}

/// Transactions of the mempool are in the job's merkle branches, and in the block that a share makes.
#[test]
fn a_block_takes_the_transactions_with_it() {
    let anybody = pool_sim::anyone_can_spend().script_pubkey();
    let node = Node::new(pool_sim::chain::Params::regtest());
    node.premine(110, &anybody).unwrap();
    let coin = |height| OutPoint::new(node.block(&node.hash_at(height).unwrap()).unwrap().txdata[0].compute_txid(), 0);
    let spend = |height| Transaction {
        version: bitcoin::transaction::Version::TWO,
        lock_time: bitcoin::absolute::LockTime::ZERO,
        input: vec![TxIn { previous_output: coin(height), witness: Witness::from_slice(&[[0x51]]), ..TxIn::default() }],
        output: vec![TxOut { value: Amount::from_sat(4_999_999_900), script_pubkey: anybody.clone() }],
    };
    let sent: Vec<_> = (1..=5).map(|height| node.send_transaction(spend(height), None).unwrap()).collect();
    let setup = setup_on(node.clone(), |_| {});
    let mut miner = Miner::ready(&setup, None);
    let job = miner.job();
    assert_eq!(job[4].as_array().unwrap().len(), 3);
    assert_eq!(miner.submit(&share(&job, &miner.extranonce1, 0, 0, true)), 0);
    let block = node.block(&node.tip().borrow().hash).unwrap();
    assert_eq!(block.txdata[1..].iter().map(Transaction::compute_txid).collect::<Vec<_>>(), sent);
    assert_eq!(block.txdata[0].output[0].value.to_sat(), 5_000_000_500);
    assert!(block.check_merkle_root() && block.check_witness_commitment());
    // The next job has none.
    assert_eq!((miner.job()[4].clone(), node.mempool().len()), (json!([]), 0));
}

#[test]
fn a_stale_block_reaches_the_node_all_the_same() {
    let setup = setup(|_| {});
    let mut miner = Miner::ready(&setup, None);
    let job = miner.job();
    setup.generate();
    let block = share(&job, &miner.extranonce1, 0, 0, true);
    let (code, why) = miner.refusal(&block).unwrap();
    assert!(code == 21 && why.contains("stale"), "{code} {why}");
    let refused = setup.events.iter().find_map(|event| match event {
        PoolEvent::Block { refused, .. } => Some(refused),
        _ => None,
    });
    assert_eq!(refused.unwrap().as_deref(), Some("inconclusive"));
    assert_eq!(miner.submit(&block), 22);
}

#[test]
fn a_share_is_judged_by_the_difficulty_of_its_job() {
    let setup = setup(|_| {});
    let mut miner = Miner::ready(&setup, None);
    assert_eq!(miner.told("mining.set_difficulty"), json!([EASY]));
    let old = miner.job();
    miner.send(r#"{"id":3,"method":"mining.suggest_difficulty","params":["1000"]}"#);
    assert_eq!(miner.call(r#"{"id":4,"method":"mining.ping","params":[]}"#)["result"], "pong");
    // The old job's shares are as easy as they were.
    let losing = share(&old, &miner.extranonce1, 0, 0, false);
    assert_eq!(miner.submit(&losing), 0);
    assert_eq!(miner.submit(&losing), 22);
    setup.generate();
    assert_eq!(miner.told("mining.set_difficulty"), json!([1000]));
    let new = miner.job();
    assert_eq!(miner.submit(&share(&new, &miner.extranonce1, 0, 0, false)), 23);
}

#[test]
fn extranonce1_is_unique_and_passwords_carry_options() {
    let setup = setup(|config| config.ports[0].password = Some("s3cret".to_owned()));
    let mut miners: Vec<_> = (0..5).map(|_| Miner::connect(&setup)).collect();
    let mut seen = std::collections::HashSet::new();
    for miner in &mut miners {
        let reply = miner.call(r#"{"id":null,"method":"mining.subscribe"}"#);
        assert!(seen.insert(reply["result"][1].as_str().unwrap().to_owned()));
        let again = miner.call(r#"{"id":2,"method":"mining.subscribe","params":["x/1",null]}"#);
        assert_eq!(again["result"][1], reply["result"][1]);
    }
    let reply = miners[0].call(r#"{"id":5,"method":"mining.authorize","params":["bob","wrong"]}"#);
    assert_eq!(reply["error"][0], 24);
    assert!(!reply.to_string().contains("s3cret"));
    let reply = miners[0].call(r#"{"id":6,"method":"mining.authorize","params":["bob","s3cret,d=512"]}"#);
    assert_eq!(reply["result"], true);
    assert_eq!(miners[0].told("mining.set_difficulty"), json!([512]));
}

#[test]
fn configure_answers_every_extension() {
    let setup = setup(|_| {});
    let mut miner = Miner::connect(&setup);
    let reply = miner.call(
        r#"{"id":1,"method":"mining.configure","params":[["version-rolling","minimum-difficulty","subscribe-extranonce","info","dance"],
        {"version-rolling.mask":"ffffffff","version-rolling.min-bit-count":2,"minimum-difficulty.value":64}]}"#
            .replace('\n', " ")
            .as_str(),
    );
    assert_eq!(
        reply["result"],
        json!({"version-rolling": true, "version-rolling.mask": "1fffe000", "minimum-difficulty": true,
               "subscribe-extranonce": true, "info": true, "dance": false})
    );
    miner.call(r#"{"id":1,"method":"mining.subscribe","params":[]}"#);
    miner.call(r#"{"id":2,"method":"mining.authorize","params":["a","d=1"]}"#);
    assert_eq!(miner.told("mining.set_difficulty"), json!([64]));
}

#[test]
fn rubbish_is_refused_by_name_and_the_session_lives() {
    let setup = setup(|_| {});
    let mut miner = Miner::connect(&setup);
    for (line, field) in [
        ("garbage", "line"),
        ("[1,2]", "line"),
        (r#"{"id":1,"method":7}"#, "method"),
        (r#"{"id":1,"method":"mining.submit","params":{}}"#, "params"),
        (r#"{"id":1,"method":"mining.configure","params":[5]}"#, "extensions"),
        (r#"{"id":1,"method":"mining.suggest_difficulty","params":[0]}"#, "difficulty"),
        (r#"{"id":1,"method":"mining.suggest_difficulty","params":[-1]}"#, "difficulty"),
        (r#"{"id":1,"method":"mining.suggest_difficulty","params":["NaN"]}"#, "difficulty"),
        (r#"{"id":1,"method":"mining.suggest_difficulty","params":[1e300]}"#, "difficulty"),
        (r#"{"id":1,"method":"mining.dance","params":[]}"#, "mining.dance"),
    ] {
        let reply = miner.call(line);
        assert_eq!(reply["error"][0], 20, "{line}: {reply}");
        assert!(reply["error"][1].as_str().unwrap().contains(field), "{line}: {reply}");
    }
    miner.stream.write_all(&vec![b'x'; 1_000_000]).unwrap();
    let reply = miner.call("");
    assert!(reply["error"][1].as_str().unwrap().contains("longer than"), "{reply}");
    miner.stream.write_all(b"\xff\xfe\n").unwrap();
    assert!(miner.reply()["error"][1].as_str().unwrap().contains("UTF-8"));
    // After all that, it can mine. Calls sent together are answered in order.
    miner.send("{\"id\":\"a\",\"method\":\"mining.subscribe\"}\n{\"id\":[1],\"method\":\"mining.authorize\",\"params\":[\"u\"]}");
    assert_eq!(miner.reply()["id"], "a");
    assert_eq!(miner.reply()["id"], json!([1]));
    miner.job();
}

#[test]
fn a_job_comes_now_and_then_and_a_miner_that_vanishes_harms_nobody() {
    let setup = setup(|config| config.renotify = Duration::from_millis(200));
    let mut miner = Miner::ready(&setup, None);
    let gone = Miner::ready(&setup, None);
    drop(gone);
    let first = miner.job();
    let second = miner.job();
    assert_eq!((&second[8], &second[1]), (&json!(false), &first[1]));
    // The older job is still good: its previous block is the tip.
    assert_eq!(miner.submit(&share(&first, &miner.extranonce1, 0, 0, true)), 0);
    assert_eq!(setup.height(), 17);
}
