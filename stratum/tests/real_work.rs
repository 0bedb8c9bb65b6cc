//! Messages that led to real proof of work. A byte out of order anywhere, and the hash would meet no target.

use bitcoin::block::Header;
use bitcoin::consensus::deserialize;
use bitcoin::hashes::{Hash, sha256d};
use midstate_stratum::Target;
use midstate_stratum::message::{ClientCall, Envelope, Notify, ServerCall, Submit, SubscribeReply};

fn server_call(line: &str) -> ServerCall {
    match Envelope::parse(line).unwrap() {
        Envelope::Call { method, params, .. } => ServerCall::read(&method, &params).unwrap(),
        reply @ Envelope::Reply { .. } => panic!("{reply:?}"),
    }
}

fn notify(line: &str) -> Notify {
    match server_call(line) {
        ServerCall::Notify(notify) => notify,
        other => panic!("{other:?}"),
    }
}

/// The header that a miner of this job hashes, put together by the protocol's rules and the `bitcoin` crate.
fn header(job: &Notify, extranonce: &[u8], ntime: u32, nonce: u32) -> Header {
    let coinbase = [&job.coinbase1, extranonce, &job.coinbase2].concat();
    deserialize::<bitcoin::Transaction>(&coinbase).unwrap();
    let join = |root: sha256d::Hash, branch: &[u8; 32]| sha256d::Hash::hash(&[&root[..], branch].concat());
    let root = job.merkle_branches.iter().fold(sha256d::Hash::hash(&coinbase), join);
    let bytes = [
        &job.version.to_le_bytes()[..],
        &job.previous_block_hash,
        &root[..],
        &ntime.to_le_bytes(),
        &job.nbits.to_le_bytes(),
        &nonce.to_le_bytes(),
    ];
    deserialize(&bytes.concat()).unwrap()
}

/// The examples of the protocol's first documentation (slush's pool, 2012; on the Bitcoin wiki as "Stratum mining protocol")
/// are one conversation, and its share was good enough for a block of testnet.
#[test]
fn the_first_documented_share_meets_its_jobs_own_target() {
    let subscribed = r#"{"id": 1, "result": [[["mining.set_difficulty", "b4b6693b72a50c7116db18d6497cac52"],
        ["mining.notify", "ae6812eb4cd7735a302a8a9dd95cf71f"]], "08000002", 4], "error": null}"#;
    let Envelope::Reply { result: Ok(subscribed), .. } = Envelope::parse(subscribed).unwrap() else { panic!() };
    let subscribed = SubscribeReply::read(&subscribed).unwrap();
    let job = notify(
        r#"{"params": ["bf", "4d16b6f85af6e2198f44ae2a6de67f78487ae5611b77c6c0440b921e00000000",
        "01000000010000000000000000000000000000000000000000000000000000000000000000ffffffff20020862062f503253482f04b8864e5008",
        "072f736c7573682f000000000100f2052a010000001976a914d23fcdf86f7e756a64a7a9688ef9903327048ed988ac00000000", [],
        "00000002", "1c2ac4af", "504e86b9", false], "id": null, "method": "mining.notify"}"#,
    );
    let submit =
        r#"{"params": ["slush.miner1", "bf", "00000001", "504e86ed", "b2957c02"], "id": 4, "method": "mining.submit"}"#;
    let Envelope::Call { method, params, .. } = Envelope::parse(submit).unwrap() else { panic!() };
    let ClientCall::Submit(Submit { extranonce2, ntime, nonce, .. }) = ClientCall::read(&method, &params).unwrap()
    else {
        panic!()
    };
    assert_eq!(extranonce2.len(), subscribed.extranonce2_size);

    let header = header(&job, &[subscribed.extranonce1, extranonce2].concat(), ntime, nonce);
    // Testnet's block 25,095.
    let previous = "00000000440b921e1b77c6c0487ae5616de67f788f44ae2a5af6e2194d16b6f8";
    assert_eq!(header.prev_blockhash.to_string(), previous);
    let hash = header.block_hash();
    assert_eq!(hash.to_string(), "000000002076870fe65a2b6eeed84fa892c0db924f1482243a6247d931dcab32");
    assert!(Target::from_compact(job.nbits).unwrap().is_met_by(hash.as_byte_array()));
}

/// Mainnet's block 170, which holds the first payment: as the job that it could have been, with the payment's txid as the only
/// merkle branch.
#[test]
fn block_170_as_a_job_has_the_hash_of_block_170() {
    let line = r#"{"id":null,"method":"mining.notify","params":["170",
        "0a84bd55d08a7978683f85da183d4f97dbd12b3e1f2c846a2a22cfee00000000",
        "01000000010000000000000000000000000000000000000000000000000000000000000000ffffffff0704ffff00",
        "ffffffff0100f2052a01000000434104d46c4968bde02899d2aa0963367c7a6ce34eec332b32e42e5f3407e052d64ac625da6f0718e7b302140434bd725706957c092db53805b821a85b23a7ac61725bac00000000",
        ["169e1e83e930853391bc6f35f605c6754cfead57cf8387639d3b4096c54f18f4"],
        "00000001","1d00ffff","496ab951",true]}"#;
    let job = notify(line);
    let header = header(&job, &[0x1d, 0x01, 0x02], job.ntime, 0x709e_3e28);
    let hash = header.block_hash();
    assert_eq!(hash.to_string(), "00000000d1145790a8694403d4063f323d499e655c83426834d4ce2f8dd4a2ee");
    assert!(Target::DIFFICULTY_1.is_met_by(hash.as_byte_array()));
    // What is written is what was read.
    assert_eq!(notify(&ServerCall::Notify(job.clone()).to_line(&serde_json::Value::Null)), job);
}
