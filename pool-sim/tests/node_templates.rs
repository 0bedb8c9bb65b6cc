//! Templates and premined blocks: their times, and what a coinbase may claim.

use bitcoin::Amount;
use pool_sim::chain::Params;
use pool_sim::node::Node;
use std::time::{SystemTime, UNIX_EPOCH};

fn now() -> u32 {
    u32::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

#[test]
fn premined_blocks_leave_the_present_to_those_after_them() {
    let script = pool_sim::anyone_can_spend().script_pubkey();
    for count in [0, 1, 16, 400] {
        let node = Node::new(Params::regtest());
        let before = now();
        assert_eq!(node.premine(count, &script).unwrap().len() as u32, count);
        let template = node.template();
        assert_eq!(template.height, count + 1);
        assert!(template.min_time <= before, "{count} blocks: {} > {before}", template.min_time);
        assert!((before..=now()).contains(&template.current_time));
        let time = |height| node.block(&node.hash_at(height).unwrap()).unwrap().header.time;
        assert!((1..=count).all(|height| height == 1 || time(height) == time(height - 1) + 600));
    }
}

#[test]
fn blocks_made_at_once_move_the_time_on_by_as_little_as_they_must() {
    let node = Node::new(Params::regtest());
    let before = now();
    node.generate(60, &pool_sim::anyone_can_spend().script_pubkey()).unwrap();
    let template = node.template();
    // The median of the last 11 moves on a second each six blocks.
    assert!((before..=now() + 11).contains(&template.current_time));
    assert!(template.current_time >= template.min_time);
}

#[test]
fn the_subsidy_halves_each_150_blocks() {
    let node = Node::new(Params::regtest());
    let script = pool_sim::anyone_can_spend().script_pubkey();
    assert_eq!(node.template().coinbase_value, Amount::from_int_btc(50));
    node.premine(149, &script).unwrap();
    assert_eq!(node.template().coinbase_value, Amount::from_int_btc(25));
    // As in every block of Bitcoin Core's that has no transactions.
    let commitment = "6a24aa21a9ede2f61c3f71d1defd3fa999dfa36953755c690689799962b48bebd836974e8cf9";
    assert_eq!(node.template().witness_commitment.to_hex_string(), commitment);
}
