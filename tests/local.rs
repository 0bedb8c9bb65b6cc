//! `midstate local`: node, pool and miner in one process, on every backend. The blocks are judged by the `bitcoin` crate.

use bitcoin::consensus::deserialize;
use bitcoin::hex::FromHex;
use bitcoin::{Block, BlockHash, Target};
use serde_json::Value;
use std::process::Command;

const BLOCKS: u64 = 4;

fn mines(backends: &[&str]) {
    let directory = tempfile::tempdir().unwrap();
    let saved = directory.path().join("blocks");
    let mut command = Command::new(env!("CARGO_BIN_EXE_midstate"));
    command.args(["local", "--json", "--blocks", &BLOCKS.to_string()]).arg("--save-blocks").arg(&saved);
    for backend in backends {
        command.args(["--backend", backend]);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let events: Vec<Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")))
        .collect();
    let of = |name: &str| events.iter().filter(|event| event["event"] == name).collect::<Vec<_>>();

    let [summary] = of("summary")[..] else { panic!("{events:?}") };
    assert_eq!(summary["blocks"], BLOCKS);
    assert_eq!(summary["height"], 16 + BLOCKS);
    assert_eq!(summary["shares_rejected"], 0);
    assert_eq!(summary["shares_lost"], 0);
    assert_eq!(summary["hardware_errors"], 0);
    assert!(summary["hashes"].as_u64().unwrap() > 0 && summary["seconds"].as_f64().unwrap() > 0.0);
    assert_eq!(of("connected").len(), 1);
    assert_eq!(of("error").len(), 0, "{events:?}");
    let blocks: Vec<_> = of("block").iter().map(|block| block["hash"].as_str().unwrap().to_owned()).collect();
    assert_eq!(blocks.len() as u64, BLOCKS);
    assert_eq!(summary["tip"], *blocks.last().unwrap());
    for share in of("share") {
        assert_eq!(share["accepted"], true);
        assert!(backends.contains(&share["backend"].as_str().unwrap()));
    }

    let saved = std::fs::read_to_string(saved).unwrap();
    let mut previous: BlockHash = bitcoin::constants::genesis_block(bitcoin::Network::Regtest).block_hash();
    let mut hashes = Vec::new();
    for line in saved.lines() {
        let block: Block = deserialize(&Vec::from_hex(line).unwrap()).unwrap();
        assert_eq!(block.header.prev_blockhash, previous);
        assert!(block.check_merkle_root() && block.check_witness_commitment());
        block.header.validate_pow(Target::MAX_ATTAINABLE_REGTEST).unwrap();
        previous = block.block_hash();
        hashes.push(previous.to_string());
    }
    assert_eq!(hashes[16..], blocks);
}

#[test]
fn on_the_cpu() {
    mines(&["cpu"]);
}

#[cfg(feature = "gpu")]
#[test]
fn on_the_gpu() {
    mines(&["gpu"]);
}

#[cfg(feature = "gpu")]
#[test]
fn on_both_at_once() {
    mines(&["cpu", "gpu"]);
}
