//! The pool's accounts, from shares on the wire to coinbases in the chain and entries in the store.

use super::miner::{EASY, Miner, Setup, setup, setup_on, share, share_with};
use bitcoin::{Address, Amount, Network, Script, TxOut};
use midstate_stratum::Difficulty;
use pool_sim::node::{Node, Template};
use pool_sim::pool::accounts::{Account, Audit, BlockRecord, BlockState, File, Party, Payout, SchemeKind};
use pool_sim::pool::{PoolConfig, PoolEvent};
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};

fn kept_in(path: &Path, scheme: SchemeKind, payout: Payout) -> impl FnOnce(&mut PoolConfig) {
    let path = path.to_owned();
    move |config| {
        config.accounts.terms.scheme = scheme;
        config.accounts.terms.fee = 10_000;
        config.accounts.payout = payout;
        config.accounts.store = Some(path);
    }
}

/// What the store has, once the pool has closed it: its tasks end after it is dropped.
fn audit(setup: Setup, path: &Path) -> Audit {
    drop(setup);
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        match File::open(path) {
            Ok(file) => return file.audit().unwrap(),
            Err(error) => assert!(Instant::now() < until, "{error}"),
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn reward(setup: &Setup, state: BlockState) -> BlockRecord {
    loop {
        let event = setup.events.recv_timeout(Duration::from_secs(60)).unwrap();
        match event {
            PoolEvent::Reward(block) if block.state == state => return *block,
            PoolEvent::Unbooked { error } => panic!("{error}"),
            _ => {}
        }
    }
}

fn address(number: u8) -> Address {
    Address::p2wsh(Script::from_bytes(&[0x51, number]), Network::Regtest)
}

/// A share in the name of somebody else on the same connection.
fn share_of(miner: &mut Miner, job: &Value, number: u8) {
    let user = format!("{}.rig{number}", address(number));
    miner.call(&json!({"id": 2, "method": "mining.authorize", "params": [user, "x"]}).to_string());
    let mut share = share_with(job, &miner.extranonce1, &format!("{number:016x}"), 0, 0, false);
    share[0] = json!(user);
    assert_eq!(miner.submit(&share), 0);
}

#[test]
fn a_coinbase_pays_many_and_the_ledger_says_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    // A window of 300 shares, so that all count.
    let setup = setup(kept_in(&path, SchemeKind::Pplns { window: 150 }, Payout::Coinbase));
    let mut miner = Miner::ready(&setup, None);
    let job = miner.job();
    for number in 2..=131 {
        share_of(&mut miner, &job, number);
    }
    // Names that are no addresses have balances.
    assert_eq!(miner.submit(&share(&job, &miner.extranonce1, 0, 0, false)), 0);
    setup.generate();
    let job = miner.job();
    // Comes after the job, which does not pay it.
    share_of(&mut miner, &job, 200);
    assert_eq!(miner.submit(&share(&job, &miner.extranonce1, 0, 0, true)), 0);
    let block = reward(&setup, BlockState::Immature);
    assert_eq!((block.parts.count, block.parts.owed.len(), block.parts.paid.len()), (131, 132, 100));
    // What the node took.
    let tip = *setup.node.tip().borrow();
    assert_eq!(tip.hash, block.hash);
    let coinbase = setup.node.block(&tip.hash).unwrap().txdata.remove(0);
    let (commitment, outputs) = coinbase.output.split_last().unwrap();
    assert!(commitment.script_pubkey.is_op_return());
    let pool = block.reward - block.parts.paid.values().sum::<u64>();
    let mut expected =
        vec![TxOut { value: Amount::from_sat(pool), script_pubkey: pool_sim::anyone_can_spend().script_pubkey() }];
    let paid = |(user, amount): (&std::sync::Arc<str>, &u64)| {
        let address: Address<bitcoin::address::NetworkUnchecked> = user.parse().unwrap();
        TxOut { value: Amount::from_sat(*amount), script_pubkey: address.assume_checked().script_pubkey() }
    };
    expected.extend(block.parts.paid.iter().map(paid));
    let sorted = |outputs: &[TxOut]| {
        let mut outputs = outputs.to_vec();
        outputs.sort_by_key(|output| (output.value, output.script_pubkey.clone()));
        outputs
    };
    assert_eq!(sorted(outputs), sorted(&expected));

    setup.node.generate(100, &pool_sim::anyone_can_spend().script_pubkey()).unwrap();
    reward(&setup, BlockState::Mature);
    let Audit { saved, faults } = audit(setup, &path);
    assert_eq!(faults, []);
    let balance =
        |account: Account| saved.balances.iter().find(|(at, _)| *at == account).map_or(0, |(_, amount)| *amount);
    assert_eq!(balance(Account::Chain), -5_000_000_000);
    assert_eq!(balance(Account::Paid), block.parts.paid.values().sum::<u64>().cast_signed());
    assert_eq!(balance(Account::Balance(Party::Fee)), 50_000_000);
    assert_eq!(balance(Account::Balance(Party::User("alice".into()))), (4_950_000_000 / 131) + 1);
    assert_eq!(balance(Account::Balance(Party::User(address(200).to_string().as_str().into()))), 0);
}

#[test]
fn dust_is_no_output() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let node = Node::new(pool_sim::chain::Params::regtest());
    // 23 halvings: 596 satoshis, and an output to a script's hash needs 330.
    node.generate(150 * 23, &pool_sim::anyone_can_spend().script_pubkey()).unwrap();
    let setup = setup_on(node, kept_in(&path, SchemeKind::Prop, Payout::Coinbase));
    let mut miner = Miner::ready(&setup, None);
    let job = miner.job();
    share_of(&mut miner, &job, 1);
    share_of(&mut miner, &job, 2);
    setup.generate();
    let job = miner.job();
    assert_eq!(miner.submit(&share(&job, &miner.extranonce1, 0, 0, true)), 0);
    let block = reward(&setup, BlockState::Immature);
    assert_eq!((block.reward, block.parts.owed.len(), block.parts.paid.len()), (596, 3, 0));
    let coinbase = setup.node.block(&block.hash).unwrap().txdata.remove(0);
    assert_eq!(coinbase.output[0].value.to_sat(), 596);
}

/// A block on a template, without a pool.
fn mine(node: &Node, template: &Template) -> bitcoin::BlockHash {
    let mut block = template.block(&pool_sim::anyone_can_spend().script_pubkey());
    while !block.header.target().is_met_by(block.block_hash()) {
        block.header.nonce += 1;
    }
    node.submit_block(&block).unwrap();
    block.block_hash()
}

#[test]
fn a_block_that_loses_its_place_is_booked_back() {
    let directory = tempfile::tempdir().unwrap();
    for (scheme, left) in [(SchemeKind::Prop, 0), (SchemeKind::Solo, 0), (SchemeKind::Pps, 3)] {
        let path = directory.path().join(scheme.to_string());
        let setup = setup(kept_in(&path, scheme, Payout::None));
        let other = setup.node.template();
        let mut miner = Miner::ready(&setup, None);
        let job = miner.job();
        assert_eq!(miner.submit(&share(&job, &miner.extranonce1, 1, 0, false)), 0);
        assert_eq!(miner.submit(&share(&job, &miner.extranonce1, 0, 0, true)), 0);
        let block = reward(&setup, BlockState::Immature);
        assert_eq!(block.parts.count, 2);
        let previous_block_hash = mine(&setup.node, &other);
        let time = other.current_time + 1;
        let next = Template { height: 18, previous_block_hash, min_time: time, current_time: time, ..other };
        mine(&setup.node, &next);
        assert_eq!(reward(&setup, BlockState::Orphaned).hash, block.hash);
        let Audit { saved, faults } = audit(setup, &path);
        assert_eq!(faults, []);
        // Two shares were paid for by PPS, whatever became of the block: by the reserve, to alice and the fee.
        assert_eq!(saved.balances.iter().filter(|(_, amount)| *amount != 0).count(), left, "{scheme}");
    }
}

#[test]
fn a_share_from_before_a_restart_is_a_duplicate() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let scheme = SchemeKind::Pplns { window: 2 };
    let first = setup(kept_in(&path, scheme, Payout::None));
    let node = first.node.clone();
    let mut miner = Miner::ready(&first, None);
    let job = miner.job();
    // Late enough for the next pool's first job.
    let old = share(&job, &miner.extranonce1, 3000, 0, false);
    assert_eq!(miner.submit(&old), 0);
    assert_eq!(audit(first, &path).faults, []);
    let second = setup_on(node, kept_in(&path, scheme, Payout::None));
    let mut miner = Miner::ready(&second, None);
    miner.job();
    let (code, why) = miner.refusal(&old).unwrap();
    assert!(code == 22 && why.starts_with("duplicate of share no. 1, accepted"), "{code} {why}");
    assert_eq!(second.shares().last().unwrap().number, 2);
    assert_eq!(audit(second, &path).saved.figures.get("shares"), 1);
}

#[test]
fn accounts_that_cannot_be_are_named() {
    let refused = |change: fn(&mut PoolConfig)| {
        let pay_to = pool_sim::anyone_can_spend().script_pubkey();
        let listen = "127.0.0.1:0".parse().unwrap();
        let mut config = PoolConfig::new(listen, Difficulty::new(EASY).unwrap(), pay_to);
        change(&mut config);
        let node = Node::new(pool_sim::chain::Params::regtest());
        let runtime = tokio::runtime::Runtime::new().unwrap();
        match runtime.block_on(pool_sim::pool::Pool::start(node, config, |_| {})) {
            Ok(_) => panic!("it starts"),
            Err(error) => error.to_string(),
        }
    };
    let fee = refused(|config| config.accounts.terms.fee = 1_000_001);
    assert_eq!(fee, "fee: 1000001 parts per million; expected 1000000 at most");
    let solo = refused(|config| {
        config.accounts.terms.scheme = SchemeKind::Solo;
        config.accounts.payout = Payout::Coinbase;
    });
    assert!(solo.starts_with("payout: coinbase; expected none"), "{solo}");
    let store = refused(|config| config.accounts.store = Some("/no/such/store".into()));
    assert!(store.contains("/no/such/store"), "{store}");
}
