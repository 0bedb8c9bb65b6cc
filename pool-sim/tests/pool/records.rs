//! What the pool's record of a share says, and the numbers in its refusals.

use super::miner::{EXTRANONCE2, Miner, Setup, setup, share};
use bitcoin::consensus::encode::serialize_hex;
use bitcoin::hashes::Hash;
use midstate_stratum::Difficulty;
use pool_sim::pool::Refusal;
use serde_json::{Value, json};
use std::time::Duration;

const HARD: f64 = 1e6;

fn hard() -> Setup {
    setup(|config| config.ports[0].start = Difficulty::new(HARD).unwrap())
}

/// A share, with one of its parameters exchanged.
fn with(share: &Value, at: usize, value: &str) -> Value {
    let mut share = share.clone();
    share[at] = json!(value);
    share
}

#[test]
fn a_record_says_what_judged_the_share() {
    let setup = setup(|_| {});
    let mut miner = Miner::connect(&setup);
    miner.call(
        r#"{"id":0,"method":"mining.configure","params":[["version-rolling"],{"version-rolling.mask":"0000e000"}]}"#,
    );
    miner.subscribe(None);
    miner.call(r#"{"id":1,"method":"mining.authorize","params":["alice.rig.1","d=1e-11"]}"#);
    let job = miner.job();
    let mut good = share(&job, &miner.extranonce1, 5, 0x2000, false);
    good[0] = json!("alice.rig.1");
    assert_eq!(miner.submit(&good), 0);
    let mut block = share(&job, &miner.extranonce1, 6, 0, true);
    block[0] = json!("alice.rig.1");
    assert_eq!(miner.submit(&block), 0);

    // The event is said before the answer: it is there.
    let shares = setup.shares();
    let [first, second] = &shares[..] else { panic!("{shares:?}") };
    assert_eq!((first.number, first.session, first.user.as_str()), (1, 1, "alice.rig.1"));
    assert_eq!((first.worker(), first.job.as_str()), (Some("rig.1"), job[0].as_str().unwrap()));
    assert_eq!(first.verdict, Ok(()));
    let judged = first.judged.as_ref().unwrap();
    assert_eq!((judged.height, judged.mask, judged.difficulty.get()), (17, 0xe000, 1e-11));
    assert!(judged.meets_target && judged.late.is_none() && judged.block.is_none());
    // The header is the one that was hashed, and the numbers are its own.
    let hash = judged.header.block_hash();
    assert_eq!(judged.header.version.to_consensus(), 0x2000_2000);
    assert!(bitcoin::Target::from_be_bytes(judged.target.to_be_bytes()).is_met_by(hash));
    let reached = bitcoin::Target::from_le_bytes(hash.to_byte_array()).difficulty_float();
    assert!((judged.reached / reached - 1.0).abs() < 1e-9);
    let said = first.to_json();
    assert_eq!(said["header"], serialize_hex(&judged.header));
    assert_eq!((&said["ntime"], &said["nonce"], &said["version_bits"]), (&good[3], &good[4], &good[5]));
    assert_eq!((&said["extranonce1"], &said["extranonce2"]), (&json!(miner.extranonce1), &json!(EXTRANONCE2)));
    assert_eq!((&said["hash"], &said["share_difficulty"]), (&json!(hash.to_string()), &json!(1e-11)));
    assert_eq!((&said["accepted"], &said["refusal"], &said["node"]), (&json!(true), &Value::Null, &Value::Null));

    assert_eq!(second.judged.as_ref().unwrap().block, Some(Ok(())));
    assert_eq!((&second.to_json()["block"], &second.to_json()["node"]), (&json!(true), &json!("accepted")));
}

#[test]
fn every_refusal_says_its_numbers_and_is_recorded() {
    let setup = hard();
    let mut miner = Miner::connect(&setup);
    let any = json!(["mallory", "1", EXTRANONCE2, "00000000", "00000000"]);
    assert_eq!(miner.refusal(&any), Some((25, "not subscribed".to_owned())));
    miner.subscribe(None);
    assert_eq!(miner.refusal(&any), Some((24, "unauthorized worker: \"mallory\"".to_owned())));
    miner.call(r#"{"id":1,"method":"mining.authorize","params":["alice",""]}"#);
    let job = miner.job();
    let good = share(&job, &miner.extranonce1, 0, 0, false);
    let (_, why) = miner.refusal(&good).unwrap();
    let judged = setup.shares().pop().unwrap().judged.unwrap();
    let numbers = format!("< 1000000, hash {} > target {}", judged.header.block_hash(), judged.target);
    assert!(why.starts_with("low difficulty: 0.0000") && why.ends_with(&numbers), "{why}");

    assert_eq!(miner.refusal(&with(&good, 1, "zz")), Some((21, "job not found: \"zz\"".to_owned())));
    let three = Some((20, "extranonce2 has 3 bytes; expected 8".to_owned()));
    assert_eq!(miner.refusal(&with(&good, 2, "010203")), three);
    let earliest = u32::from_str_radix(job[7].as_str().unwrap(), 16).unwrap();
    let late = share(&job, &miner.extranonce1, 7001, 0, false);
    let said = format!("ntime {}: beyond job's {earliest} + 7000", earliest + 7001);
    assert_eq!(miner.refusal(&late), Some((20, said)));
    let early = share(&job, &miner.extranonce1, -1, 0, false);
    assert_eq!(miner.refusal(&early), Some((20, format!("ntime {}: before job's {earliest}", earliest - 1))));
    // The last second counts as good.
    assert_eq!(miner.submit(&share(&job, &miner.extranonce1, 7000, 0, false)), 23);
    let rolled = share(&job, &miner.extranonce1, 0, 1, false);
    assert_eq!(miner.refusal(&rolled), Some((20, "version bits 00000001 outside mask 00000000".to_owned())));

    let kinds: Vec<_> = setup.shares().iter().map(|record| record.verdict.as_ref().unwrap_err().kind().1).collect();
    let rest = ["unknown-job", "extranonce2", "ntime", "ntime", "low-difficulty", "version-bits"];
    assert_eq!(kinds, rest);
}

#[test]
fn a_duplicate_names_the_share_that_came_before() {
    let setup = setup(|_| {});
    let mut miner = Miner::ready(&setup, None);
    let job = miner.job();
    let good = share(&job, &miner.extranonce1, 0, 0, false);
    assert_eq!(miner.submit(&with(&good, 1, "zz")), 21);
    assert_eq!(miner.submit(&good), 0);
    let (code, why) = miner.refusal(&good).unwrap();
    assert!(code == 22 && why.starts_with("duplicate of share no. 2, accepted 0.") && why.ends_with(" s ago"), "{why}");
    setup.generate();
    let stale = share(&job, &miner.extranonce1, 1, 0, false);
    assert_eq!(miner.submit(&stale), 21);
    let (code, why) = miner.refusal(&stale).unwrap();
    assert!(code == 22 && why.starts_with("duplicate of share no. 4, refused 0."), "{why}");
    let last = setup.shares().pop().unwrap();
    assert!(matches!(last.verdict, Err(Refusal::Duplicate { number: 4, accepted: false, .. })), "{last:?}");
}

#[test]
fn a_share_for_the_tip_before_is_good_within_the_grace_and_says_so() {
    let setup = setup(|config| config.stale_grace = Duration::from_secs(3600));
    let mut miner = Miner::ready(&setup, None);
    let job = miner.job();
    setup.generate();
    assert_eq!(miner.submit(&share(&job, &miner.extranonce1, 0, 0, false)), 0);
    // A block for the tip before reaches the node all the same, which has another; as a share it is good.
    assert_eq!(miner.submit(&share(&job, &miner.extranonce1, 1, 0, true)), 0);
    let next = miner.job();
    assert_eq!(miner.submit(&share(&next, &miner.extranonce1, 0, 0, false)), 0);
    let shares = setup.shares();
    let judged: Vec<_> = shares.iter().map(|record| record.judged.as_ref().unwrap()).collect();
    assert!(judged[0].late.is_some() && judged[1].late.is_some() && judged[2].late.is_none());
    assert_eq!(judged[1].block, Some(Err("inconclusive".to_owned())));
    // Of two tips ago it is stale.
    setup.generate();
    let (code, why) = miner.refusal(&share(&job, &miner.extranonce1, 2, 0, false)).unwrap();
    let said = format!("stale: job {} is for height 17, tip is 18 since 0.", job[0].as_str().unwrap());
    assert!(code == 21 && why.starts_with(&said) && why.ends_with("; grace 3600 s"), "{why}");
}

#[test]
fn a_mask_holds_at_once_and_what_was_under_way_keeps_its_own() {
    let setup = setup(|_| {});
    let mut miner = Miner::connect(&setup);
    let configure = |mask: &str| {
        json!({"id": 1, "method": "mining.configure", "params": [["version-rolling"], {"version-rolling.mask": mask}]})
            .to_string()
    };
    miner.call(&configure("00006000"));
    miner.subscribe(None);
    miner.call(r#"{"id":1,"method":"mining.authorize","params":["alice",""]}"#);
    let job = miner.job();
    miner.call(&configure("00018000"));
    // By the new mask, by the one that the job was sent with, and by neither alone.
    for (bits, code) in [(0x8000, 0), (0x4000, 0), (0xc000, 20), (0x2_0000, 20)] {
        assert_eq!(miner.submit(&share(&job, &miner.extranonce1, 0, bits, false)), code, "{bits:x}");
    }
    let masks: Vec<_> = setup.shares().iter().map(|record| record.judged.as_ref().unwrap().mask).collect();
    assert_eq!(masks, [0x1_8000, 0x6000, 0x1_8000, 0x1_8000]);
}
