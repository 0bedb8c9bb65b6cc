//! Payouts by transactions, from shares on the wire to outputs in the chain; and the program killed in between.

use super::miner::{Miner, Setup, setup_on, share_with};
use crate::common::event::event;
use crate::common::http::post;
use crate::common::running::{Running, program};
use bitcoin::{Address, Network, Script};
use midstate_stratum::Difficulty;
use pool_sim::chain::Params;
use pool_sim::node::Node;
use pool_sim::pool::accounts::{
    Account, AccountsConfig, Books, Entry, File, Found, Parts, Party, Payout, PayoutRecord, PayoutState, Saved, Store,
    User, Weights, Work,
};
use pool_sim::pool::{Pool, PoolConfig, PoolEvent};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::BufReader;
use std::path::Path;
use std::process::ChildStdout;
use std::time::{Duration, Instant};

fn address(number: u8) -> Address {
    Address::p2wsh(Script::from_bytes(&[0x51, number]), Network::Regtest)
}

fn paying(path: &Path) -> impl FnOnce(&mut PoolConfig) {
    let path = path.to_owned();
    move |config| {
        config.accounts.payout = Payout::Transactions { threshold: 1_000_000 };
        config.accounts.store = Some(path);
    }
}

/// What became of a payout, when it is that.
fn payout(setup: &Setup, state: PayoutState) -> PayoutRecord {
    loop {
        match setup.events.recv_timeout(Duration::from_secs(60)).unwrap() {
            PoolEvent::Payout(payout) if payout.state == state => return *payout,
            PoolEvent::Unbooked { error } => panic!("{error}"),
            _ => {}
        }
    }
}

/// A payout that is kept, and that nobody sent: a pool died in between. The next one sends it, and no other.
#[test]
fn what_was_booked_before_a_death_is_sent_after_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let anybody = pool_sim::anyone_can_spend().script_pubkey();
    let node = Node::new(Params::regtest());
    let hash = node.premine(1, &anybody).unwrap()[0];
    node.premine(100, &address(9).script_pubkey()).unwrap();
    let booked = {
        let mut file = File::create(&path).unwrap();
        let mut books = Books::new(AccountsConfig::default().terms, Saved::default()).unwrap();
        let alice = User::from(address(1).to_string());
        let owed = BTreeMap::from([(Account::Balance(Party::User(User::clone(&alice))), 5_000_000_000)]);
        let weights = Weights { network: Work::from_units(1), subsidy: 5_000_000_000, reward: 5_000_000_000 };
        let parts = Some(Parts { owed, ..Parts::default() });
        books.block(Found { hash, height: 1, time: 0, finder: alice, weights, parts, is_active: true }).unwrap();
        books.settle(101, |height| node.hash_at(height)).unwrap();
        let made =
            pool_sim::pool::accounts::pay_out(&mut books, &node, Some(1_000_000), &anybody).unwrap().made.unwrap();
        file.commit(&[Entry { changes: books.take_changes(), share: None }]).unwrap();
        made
    };
    assert_eq!(node.mempool().len(), 0);
    let setup = setup_on(node.clone(), paying(&path));
    let until = Instant::now() + Duration::from_secs(60);
    while node.mempool().is_empty() {
        assert!(Instant::now() < until, "it is not sent");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(node.mempool()[0].txid, booked.txid);
    setup.node.generate(101, &anybody).unwrap();
    assert_eq!(payout(&setup, PayoutState::Paid), PayoutRecord { state: PayoutState::Paid, ..booked.clone() });
    assert_eq!(node.block(&node.hash_at(102).unwrap()).unwrap().txdata[1], booked.transaction);
    drop(setup);
    let until = Instant::now() + Duration::from_secs(60);
    let file = loop {
        match File::open(&path) {
            Ok(file) => break file,
            Err(error) => assert!(Instant::now() < until, "{error}"),
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let audit = file.audit().unwrap();
    assert_eq!((audit.faults, audit.saved.payouts.len()), (vec![], 1));
}

#[test]
fn payouts_that_cannot_be_are_named() {
    let refused = |threshold, pay_to: &Address| {
        let listen = "127.0.0.1:0".parse().unwrap();
        let mut config = PoolConfig::new(listen, Difficulty::ONE, pay_to.script_pubkey());
        config.accounts.payout = Payout::Transactions { threshold };
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let started = runtime.block_on(Pool::start(Node::new(Params::regtest()), config, |_| {}));
        started.err().expect("it starts").to_string()
    };
    let dust = refused(545, &pool_sim::anyone_can_spend());
    assert_eq!(dust, "payout threshold: 545 satoshis; expected 546 at least, as less is dust");
    let locked = refused(546, &address(1));
    assert!(locked.starts_with("payout: transactions; expected that blocks pay to bcrt1q"), "{locked}");
}

/// A pool's process.
struct Life {
    process: Running,
    stdout: BufReader<ChildStdout>,
    ready: Value,
}

impl Life {
    fn start(directory: &Path, store: &Path) -> Life {
        let mut command = program(&["--json", "--listen", "127.0.0.1:0", "--rpc", "127.0.0.1:0", "--premine", "0"]);
        command.args(["--start-difficulty", "1e-12", "--payout", "transactions", "--payout-threshold", "1000"]);
        command.args(["--rpc-user", "alice", "--rpc-password", "s3cret"]);
        command.arg("--data-dir").arg(directory).arg("--store").arg(store);
        let mut process = Running(command.spawn().unwrap());
        let mut life = Life { stdout: BufReader::new(process.0.stdout.take().unwrap()), process, ready: Value::Null };
        life.ready = life.event("ready");
        life
    }

    /// Its next event of that name.
    fn event(&mut self, name: &str) -> Value {
        event(&mut self.stdout, name)
    }

    #[expect(clippy::needless_pass_by_value, reason = "the callers make their parameters on the spot")]
    fn call(&self, method: &str, params: Value) -> Value {
        let body = json!({"id": 1, "method": method, "params": params}).to_string();
        // alice:s3cret
        let (_, answer) = post(self.ready["rpc"].as_str().unwrap(), "YWxpY2U6czNjcmV0", &body);
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer["error"], Value::Null, "{method}");
        answer["result"].clone()
    }

    fn generate(&self, count: u32) {
        self.call("generatetoaddress", json!([count, address(9).to_string()]));
    }

    /// Ends it as a person would: what it said is kept.
    fn stop(mut self) {
        self.call("stop", json!([]));
        assert!(self.process.0.wait().unwrap().success());
    }

    /// Ends it as a power failure would.
    fn kill(mut self) {
        self.process.0.kill().unwrap();
        self.process.0.wait().unwrap();
    }
}

/// What `pool-sim accounts` shows of a store that adds up.
fn accounts(store: &Path) -> Value {
    let shown = program(&["accounts", "--json", "--store"]).arg(store).output().unwrap();
    assert!(shown.status.success(), "{shown:?}");
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(shown["faults"], json!([]));
    shown
}

/// Killed when a payout is booked, it pays in its next life, and once; or, if its coins are lost with the chain, the balance is back.
#[test]
fn a_killed_pool_pays_once() {
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path().join("store");
    let mut life = Life::start(directory.path(), &store);
    let mut miner = Miner::connect_to(life.ready["listen"].as_str().unwrap().parse().unwrap());
    miner.subscribe(None);
    let user = format!("{}.rig", address(1));
    let authorize = json!({"id": 2, "method": "mining.authorize", "params": [user, "x"]});
    assert_eq!(miner.call(&authorize.to_string())["result"], true);
    let job = miner.job();
    let mut share = share_with(&job, &miner.extranonce1, "0000000000000001", 0, 0, true);
    share[0] = json!(user);
    assert_eq!(miner.submit(&share), 0);
    assert_eq!(life.event("reward")["height"], 1);
    life.generate(100);
    let booked = life.event("payout");
    let (txid, owner) = (booked["txid"].as_str().unwrap().to_owned(), address(1).to_string());
    assert_eq!((&booked["state"], &booked["owed"]), (&json!("sending"), &json!({owner.as_str(): 5_000_000_000_u64})));
    let blocks: Vec<Value> =
        (1..=101).map(|height| life.call("getblock", json!([life.call("getblockhash", json!([height])), 0]))).collect();
    life.kill();
    let shown = accounts(&store);
    assert_eq!((&shown["payouts"][0]["txid"], &shown["payouts"][0]["state"]), (&json!(txid), &json!("sending")));
    assert_eq!(shown["accounts"], json!({"chain": -5_000_000_000_i64, "sending": 5_000_000_000_i64}));
    // Help says what each field is.
    for (arguments, shown) in [(&["--help"][..], &booked), (&["accounts", "--help"], &shown["payouts"][0])] {
        let help = String::from_utf8(program(arguments).output().unwrap().stdout).unwrap();
        for key in shown.as_object().unwrap().keys() {
            assert!(help.split(|c: char| !c.is_alphanumeric()).any(|word| word == key), "{key}");
        }
    }
    let other_store = directory.path().join("other");
    std::fs::copy(&store, &other_store).unwrap();

    // With the chain as it was.
    let mut life = Life::start(directory.path(), &store);
    for block in &blocks {
        assert_eq!(life.call("submitblock", json!([block])), Value::Null);
    }
    let until = Instant::now() + Duration::from_secs(60);
    while life.call("getrawmempool", json!([])) != json!([txid]) {
        assert!(Instant::now() < until, "it is not sent");
        std::thread::sleep(Duration::from_millis(20));
    }
    life.generate(1);
    let raw = life.call("getrawtransaction", json!([txid, true]));
    assert_eq!(raw["confirmations"], 1);
    let script = address(1).script_pubkey().to_hex_string();
    let outputs = raw["vout"].as_array().unwrap();
    assert_eq!((outputs.len(), &outputs[0]["scriptPubKey"]["hex"]), (1, &json!(script)));
    life.generate(100);
    let paid = life.event("payout");
    assert_eq!((&paid["txid"], &paid["state"], &paid["fee"]), (&json!(txid), &json!("paid"), &booked["fee"]));
    life.stop();
    let shown = accounts(&store);
    let fee = booked["fee"].as_i64().unwrap();
    let expected = json!({"chain": -5_000_000_000_i64, "paid": 5_000_000_000 - fee, "network_fees": fee});
    assert_eq!((&shown["accounts"], shown["payouts"].as_array().unwrap().len()), (&expected, 1));

    // Without it.
    let mut life = Life::start(directory.path(), &other_store);
    life.generate(1);
    life.event("job");
    life.generate(100);
    let back = life.event("payout");
    assert_eq!((&back["txid"], &back["state"]), (&json!(txid), &json!("reversed")));
    life.stop();
    let shown = accounts(&other_store);
    let balance = format!("balance:user:{owner}");
    assert_eq!(shown["accounts"], json!({"chain": -5_000_000_000_i64, balance.as_str(): 5_000_000_000_i64}));
}
