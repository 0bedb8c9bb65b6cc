//! The node over HTTP written by hand, as programs speak to Bitcoin Core.

mod common {
    pub(crate) mod http;
}

use bitcoin::consensus::{deserialize, encode::serialize_hex};
use bitcoin::hashes::Hash;
use bitcoin::hex::FromHex;
use bitcoin::{Amount, Block, OutPoint, Target, Transaction, TxMerkleNode, Witness, WitnessMerkleNode, block};
use common::http::post;
use pool_sim::chain::Params;
use pool_sim::node::{Auth, Node, RpcServer, serve};
use serde_json::{Value, json};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// alice:s3cret
const AUTH: &str = "YWxpY2U6czNjcmV0";
const ADDRESS: &str = "bcrt1qrxcucnxg57q5lrq8qnhjm2yg8sac3v3jejqq9h";

struct Setup {
    node: Node,
    server: RpcServer,
    runtime: Runtime,
}

fn setup() -> Setup {
    let runtime = Runtime::new().unwrap();
    let node = Node::new(Params::regtest());
    let listen = "127.0.0.1:0".parse().unwrap();
    let server = runtime.block_on(serve(node.clone(), listen, Auth::password("alice", "s3cret"))).unwrap();
    Setup { node, server, runtime }
}

impl Setup {
    /// Status line and body.
    fn post(&self, body: &str, auth: &str) -> (String, String) {
        post(self.server.address(), auth, body)
    }

    #[expect(clippy::needless_pass_by_value, reason = "the callers make their parameters on the spot")]
    fn answer(&self, method: &str, params: Value) -> Value {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
        let (status, body) = self.post(&body, AUTH);
        assert_eq!(status, "HTTP/1.1 200 OK");
        serde_json::from_str(&body).unwrap()
    }

    fn call(&self, method: &str, params: Value) -> Value {
        let answer = self.answer(method, params);
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    fn code(&self, method: &str, params: Value) -> i64 {
        let answer = self.answer(method, params);
        assert!(answer.get("result").is_none(), "{method}: {answer}");
        answer["error"]["code"].as_i64().unwrap()
    }
}

#[test]
fn manners_are_bitcoin_cores() {
    let setup = setup();
    // 1.x: both keys, and errors as HTTP statuses. One line that ends in a newline.
    let (status, body) = setup.post(r#"{"id":"x","method":"getblockcount","params":[]}"#, AUTH);
    assert_eq!(status, "HTTP/1.1 200 OK");
    assert!(body.ends_with('\n') && body.lines().count() == 1);
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), json!({"result": 0, "error": null, "id": "x"}));
    let status = |body: &str, auth: &str| setup.post(body, auth).0;
    assert!(status(r#"{"id":1,"method":"dance"}"#, AUTH).contains("404"));
    assert!(status(r#"{"id":1,"method":7}"#, AUTH).contains("400"));
    assert!(status(r#"{"id":1}"#, AUTH).contains("400"));
    assert!(status(r#"{"id":1,"method":"getblockhash","params":[99]}"#, AUTH).contains("500"));
    assert!(status("rubbish", AUTH).contains("500"));
    assert!(status(r#"{"id":1,"method":"getblockcount"}"#, "d3Jvbmc6d3Jvbmc=").contains("401"));
    // Several at once, and names instead of places.
    let (_, body) = setup.post(r#"[{"id":1,"method":"getblockcount"},{"id":2,"method":"dance"},5]"#, AUTH);
    let answers: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(answers[0]["result"], 0);
    assert_eq!((&answers[1]["error"]["code"], &answers[2]["error"]["code"]), (&json!(-32601), &json!(-32600)));
    assert!(setup.call("getblockhash", json!({"height": 0})).as_str().unwrap().starts_with("0f9188f13cb7b2c7"));
    assert_eq!(setup.code("getblockhash", json!({"depth": 0})), -8);
}

#[test]
fn blocks_are_made_found_and_shown() {
    let setup = setup();
    let hashes = setup.call("generatetoaddress", json!([3, ADDRESS]));
    assert_eq!(hashes.as_array().unwrap().len(), 3);
    assert_eq!(setup.call("getblockcount", json!([])), 3);
    assert_eq!(setup.call("getbestblockhash", json!([])), hashes[2]);
    assert_eq!(setup.call("getblockhash", json!([2])), hashes[1]);
    let raw = setup.call("getblock", json!([hashes[1], 0]));
    let block: Block = deserialize(&Vec::from_hex(raw.as_str().unwrap()).unwrap()).unwrap();
    assert_eq!(json!(block.block_hash()), hashes[1]);
    let shown = setup.call("getblock", json!([hashes[1]]));
    assert_eq!((&shown["height"], &shown["confirmations"], &shown["nTx"]), (&json!(2), &json!(2), &json!(1)));
    assert_eq!((&shown["previousblockhash"], &shown["nextblockhash"]), (&hashes[0], &hashes[2]));
    assert_eq!(shown["size"], block.total_size());
    assert_eq!(shown["strippedsize"], block.total_size() - block.txdata[0].total_size() + block.txdata[0].base_size());
    assert_eq!(shown["tx"], json!([block.txdata[0].compute_txid()]));
    let whole = setup.call("getblock", json!([hashes[1], 2]));
    assert_eq!(whole["tx"][0]["vout"][0]["value"], 50.0);
    assert_eq!(whole["tx"][0]["hex"], serialize_hex(&block.txdata[0]));
    assert_eq!(setup.call("getblockheader", json!([hashes[1], false])), serialize_hex(&block.header));
    assert_eq!(setup.call("getblockheader", json!([hashes[1]]))["merkleroot"], json!(block.header.merkle_root));
    let info = setup.call("getblockchaininfo", json!([]));
    assert_eq!((&info["chain"], &info["blocks"], &info["bits"]), (&json!("regtest"), &json!(3), &json!("207fffff")));
    assert_eq!(info["chainwork"], format!("{:064x}", 8));
    assert_eq!(setup.call("getmininginfo", json!([]))["blocks"], 3);
    let valid = setup.call("validateaddress", json!([ADDRESS]));
    assert_eq!((&valid["isvalid"], &valid["witness_version"]), (&json!(true), &json!(0)));
    assert_eq!(setup.call("validateaddress", json!(["bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"]))["isvalid"], false);

    assert_eq!(setup.code("getblock", json!([format!("{:064x}", 1)])), -5);
    assert_eq!(setup.code("getblock", json!(["zz"])), -8);
    assert_eq!(setup.code("getblock", json!([5])), -3);
    assert_eq!(setup.code("getblock", json!([])), -1);
    assert_eq!(setup.code("getblockhash", json!([-1])), -8);
    assert_eq!(setup.code("generatetoaddress", json!([1, "nobody"])), -5);
    assert_eq!(setup.code("submitblock", json!(["00"])), -22);
}

/// A block made of a template's words alone.
fn block(template: &Value) -> Block {
    let text = |key: &str| template[key].as_str().unwrap().to_owned();
    let height = template["height"].as_i64().unwrap();
    let script = bitcoin::script::Builder::new().push_int(height).push_int(7).into_script();
    let output = |value: u64, script: &str| bitcoin::TxOut {
        value: Amount::from_sat(value),
        script_pubkey: bitcoin::ScriptBuf::from_hex(script).unwrap(),
    };
    let coinbase = Transaction {
        version: bitcoin::transaction::Version::ONE,
        lock_time: bitcoin::absolute::LockTime::ZERO,
        input: vec![bitcoin::TxIn { script_sig: script, ..bitcoin::TxIn::default() }],
        output: vec![
            output(template["coinbasevalue"].as_u64().unwrap(), "51"),
            output(0, &text("default_witness_commitment")),
        ],
    };
    let transactions = template["transactions"].as_array().unwrap().iter();
    let transaction = |shown: &Value| deserialize(&Vec::from_hex(shown["data"].as_str().unwrap()).unwrap()).unwrap();
    let header = block::Header {
        version: block::Version::from_consensus(template["version"].as_i64().unwrap() as i32),
        prev_blockhash: text("previousblockhash").parse().unwrap(),
        merkle_root: TxMerkleNode::all_zeros(),
        time: template["curtime"].as_u64().unwrap() as u32,
        bits: bitcoin::CompactTarget::from_unprefixed_hex(&text("bits")).unwrap(),
        nonce: 0,
    };
    let txdata = [coinbase].into_iter().chain(transactions.map(transaction)).collect();
    let mut block = Block { header, txdata };
    block.header.merkle_root = block.compute_merkle_root().unwrap();
    block
}

fn mined(mut block: Block) -> Block {
    while !block.header.target().is_met_by(block.block_hash()) {
        block.header.nonce += 1;
    }
    block
}

#[test]
fn a_template_becomes_a_block() {
    let setup = setup();
    assert_eq!(setup.code("getblocktemplate", json!([])), -8);
    assert_eq!(setup.code("getblocktemplate", json!([{"rules": ["csv"]}])), -8);
    assert_eq!(setup.code("getblocktemplate", json!([{"mode": "dance"}])), -8);
    let rules = json!([{"rules": ["segwit"]}]);
    let template = setup.call("getblocktemplate", rules.clone());
    assert_eq!(template["coinbaseaux"], json!({"flags": ""}));
    assert_eq!(template["target"], format!("{:x}", Target::MAX_ATTAINABLE_REGTEST));
    assert!(template["mintime"].as_u64().unwrap() <= template["curtime"].as_u64().unwrap());

    let bare = block(&template);
    let mut unmined = bare.clone();
    unmined.txdata[0].input[0].witness.push([0; 32]);
    let proposal =
        |block: &Block| setup.call("getblocktemplate", json!([{"mode": "proposal", "data": serialize_hex(block)}]));
    assert_eq!(proposal(&unmined), Value::Null);
    // A proposal is taken as it stands, as in Bitcoin Core.
    assert_eq!(proposal(&bare), "bad-witness-nonce-size");
    let mut greedy = unmined.clone();
    greedy.txdata[0].output[0].value += Amount::ONE_SAT;
    greedy.header.merkle_root = greedy.compute_merkle_root().unwrap();
    assert_eq!(proposal(&greedy), "bad-cb-amount");

    // What is submitted may lack the coinbase's witness: the reserved value is implied.
    let block = mined(bare);
    let submit = |block: &Block| setup.call("submitblock", json!([serialize_hex(block)]));
    assert_eq!(submit(&block), Value::Null);
    assert_eq!(submit(&block), "duplicate");
    assert_eq!(submit(&mined(greedy)), "inconclusive");
    let kept = setup.node.block(&block.block_hash()).unwrap();
    assert!(kept.check_witness_commitment());
    assert_eq!(kept.witness_root(), Some(WitnessMerkleNode::all_zeros()));
    assert_eq!(setup.call("getbestblockhash", json!([])), json!(block.block_hash()));
    assert_ne!(setup.call("getblocktemplate", rules)["longpollid"], template["longpollid"]);
}

#[test]
fn a_long_poll_ends_with_the_tip() {
    let setup = setup();
    let template = setup.call("getblocktemplate", json!([{"rules": ["segwit"]}]));
    let started = Instant::now();
    let next = std::thread::scope(|scope| {
        let poll = json!([{"rules": ["segwit"], "longpollid": template["longpollid"]}]);
        let waiting = scope.spawn(|| setup.call("getblocktemplate", poll));
        std::thread::sleep(Duration::from_millis(500));
        assert!(!waiting.is_finished());
        setup.call("generatetoaddress", json!([1, ADDRESS]));
        waiting.join().unwrap()
    });
    assert_eq!(next["height"], 2);
    assert!(started.elapsed() < Duration::from_secs(30));
    // An id of an older tip does not wait.
    setup.call("getblocktemplate", json!([{"rules": ["segwit"], "longpollid": template["longpollid"]}]));
    assert!(started.elapsed() < Duration::from_secs(30));
}

/// A transaction that spends an output anybody can spend.
fn spend(point: OutPoint, value: u64) -> Transaction {
    let witness = Witness::from_slice(&[[0x51]]);
    let script_pubkey = pool_sim::anyone_can_spend().script_pubkey();
    Transaction {
        version: bitcoin::transaction::Version::TWO,
        lock_time: bitcoin::absolute::LockTime::ZERO,
        input: vec![bitcoin::TxIn { previous_output: point, witness, ..bitcoin::TxIn::default() }],
        output: vec![bitcoin::TxOut { value: Amount::from_sat(value), script_pubkey }],
    }
}

#[test]
fn transactions_are_sent_shown_and_mined() {
    let setup = setup();
    setup.node.premine(101, &pool_sim::anyone_can_spend().script_pubkey()).unwrap();
    let coinbase = setup.node.block(&setup.node.hash_at(1).unwrap()).unwrap().txdata[0].compute_txid();
    let rules = json!([{"rules": ["segwit"]}]);
    let before = setup.call("getblocktemplate", rules.clone());
    let first = spend(OutPoint::new(coinbase, 0), 4_999_999_000);
    let second = spend(OutPoint::new(first.compute_txid(), 0), 4_999_998_500);
    let [id, other_id] = [&first, &second].map(Transaction::compute_txid);
    let send = |transaction: &Transaction| json!([serialize_hex(transaction)]);
    let refused = |params: Value| {
        let answer = setup.answer("sendrawtransaction", params);
        (answer["error"]["code"].as_i64().unwrap(), answer["error"]["message"].as_str().unwrap().to_owned())
    };
    assert_eq!(refused(send(&second)), (-25, "bad-txns-inputs-missingorspent".to_owned()));
    assert_eq!(refused(json!(["00"])).0, -22);
    let dear = "Fee exceeds maximum configured by user (e.g. -maxtxfee, maxfeerate)";
    assert_eq!(refused(send(&spend(OutPoint::new(coinbase, 0), 1))), (-25, dear.to_owned()));
    assert_eq!(refused(json!([serialize_hex(&first), 0.00001])), (-25, dear.to_owned()));
    assert_eq!(refused(json!([serialize_hex(&first), true])), (-3, "Amount is not a number or string".to_owned()));
    assert_eq!(setup.call("sendrawtransaction", json!([serialize_hex(&first), "0.1"])), json!(id));
    assert_eq!(setup.call("sendrawtransaction", send(&first)), json!(id));
    assert_eq!(setup.call("sendrawtransaction", json!([serialize_hex(&second), 0])), json!(other_id));
    let rival = spend(OutPoint::new(coinbase, 0), 4_999_999_001);
    assert_eq!(refused(send(&rival)), (-26, "txn-mempool-conflict".to_owned()));

    assert_eq!(setup.call("getrawmempool", json!([])), json!([id, other_id]));
    assert_eq!(
        setup.call("getrawmempool", json!([false, true])),
        json!({"txids": [id, other_id], "mempool_sequence": 2})
    );
    let shown = setup.call("getrawmempool", json!([true]));
    let [shown, other] = [id, other_id].map(|id| shown[id.to_string()].clone());
    assert_eq!((&shown["depends"], &shown["spentby"]), (&json!([]), &json!([other_id])));
    assert_eq!((&other["depends"], &other["spentby"]), (&json!([id]), &json!([])));
    assert_eq!((&shown["fees"]["base"], &shown["vsize"]), (&json!(0.00001), &json!(first.vsize())));
    assert_eq!((&shown["wtxid"], &shown["height"]), (&json!(first.compute_wtxid()), &json!(101)));
    let info = setup.call("getmempoolinfo", json!([]));
    assert_eq!((&info["size"], &info["total_fee"]), (&json!(2), &json!(0.000_015)));
    assert_eq!(info["bytes"], first.vsize() + second.vsize());
    assert_eq!(setup.call("getmininginfo", json!([]))["pooledtx"], 2);

    // BIP 22 and 145.
    let template = setup.call("getblocktemplate", rules);
    let entry = |transaction: &Transaction, depends: Value, fee: u32| {
        json!({
            "data": serialize_hex(transaction), "txid": transaction.compute_txid(), "hash": transaction.compute_wtxid(),
            "depends": depends, "fee": fee, "sigops": 0, "weight": transaction.weight().to_wu(),
        })
    };
    assert_eq!(template["transactions"], json!([entry(&first, json!([]), 1_000), entry(&second, json!([1]), 500)]));
    assert_eq!(template["coinbasevalue"], before["coinbasevalue"].as_u64().unwrap() + 1_500);
    assert_ne!(template["longpollid"], before["longpollid"]);
    assert!(template["longpollid"].as_str().unwrap().starts_with(template["previousblockhash"].as_str().unwrap()));
    let whole = mined(block(&template));
    assert_eq!((whole.txdata.len(), setup.call("submitblock", json!([serialize_hex(&whole)]))), (3, Value::Null));
    assert_eq!(setup.call("getrawmempool", json!([])), json!([]));
    assert_eq!(refused(send(&second)), (-27, "Transaction outputs already in utxo set".to_owned()));

    assert_eq!(setup.call("getrawtransaction", json!([id])), serialize_hex(&first));
    let shown = setup.call("getrawtransaction", json!([id, true]));
    assert_eq!((&shown["blockhash"], &shown["confirmations"]), (&json!(whole.block_hash()), &json!(1)));
    assert_eq!(setup.call("getrawtransaction", json!([id, 0, whole.block_hash()])), serialize_hex(&first));
    assert_eq!(setup.code("getrawtransaction", json!([id, 0, template["previousblockhash"]])), -5);
    assert_eq!(setup.code("getrawtransaction", json!([rival.compute_txid()])), -5);
    assert_eq!(setup.code("getrawtransaction", json!(["zz"])), -8);
}

#[test]
fn stop_ends_the_server() {
    let setup = setup();
    setup.call("stop", json!([]));
    let Setup { server, runtime, .. } = setup;
    let address = server.address();
    runtime.block_on(async {
        server.stop_requested().await;
        server.stop().await;
    });
    assert!(TcpStream::connect(address).is_err());
}
