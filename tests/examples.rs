//! The examples do what they say.

mod common {
    pub(crate) mod regtest;
}
#[path = "../examples/join_a_pool.rs"]
#[allow(dead_code, reason = "its main is for people")]
mod join_a_pool;
#[path = "../examples/mine_a_block.rs"]
#[allow(dead_code, reason = "its main is for people")]
mod mine_a_block;

use common::regtest::Regtest;
use midstate::sha256::Header;
use midstate::work::NonceRange;

const FIRST_BLOCK: &[u8; 80] = include_bytes!("data/header-000000.bin");

#[test]
fn a_block_is_mined() {
    let header = Header(*FIRST_BLOCK);
    let found = mine_a_block::mine(header.with_nonce(0), NonceRange::around(header.nonce(), 100_000)).unwrap();
    assert_eq!(found, [header]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_is_joined() {
    let pool = tokio::task::spawn_blocking(|| Regtest::start(2e-5, None)).await.unwrap();
    let stats = join_a_pool::join(&pool.url(), "alice", 3).await.unwrap();
    assert!(stats.accepted >= 3);
    assert_eq!((stats.rejected, stats.found), (0, stats.accepted + stats.stale + stats.lost));
    // A runtime must not end inside of another.
    tokio::task::spawn_blocking(move || drop(pool)).await.unwrap();
}
