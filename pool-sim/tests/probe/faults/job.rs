//! Jobs that cannot become a block, or not one of this chain.

use super::{Fault, coinbase, notify, param, spoil};
use serde_json::json;

/// A coinbase up to the script's length, and one whose only output pays too much.
const COINBASE: &str = "01000000010000000000000000000000000000000000000000000000000000000000000000ffffffff";
const TOO_MUCH: &str = "ffffffff01ffffffffffffff7f0000000000";
/// A hash of six zero bytes, with its words as they are in the header.
const UNSWAPPED: &str = "1111111111111111111111111111111111111111111111111111000000000000";

pub(super) fn faults() -> Vec<(&'static str, Fault)> {
    vec![
        ("job.shape", notify(|params| drop(params.pop()))),
        ("job.id", param("mining.notify", 0, json!(5))),
        ("job.difficulty", param("mining.set_difficulty", 0, json!(0))),
        ("job.coinbase", coinbase(|one, _| one.replace_range(10..12, "01"))),
        ("job.coinbase", coinbase(|_, two| two.truncate(20))),
        (
            "job.script-size",
            coinbase(|one, two| {
                let size = u8::from_str_radix(&one[82..84], 16).unwrap() + 90;
                one.replace_range(82..84, &format!("{size:02x}"));
                two.insert_str(0, &"00".repeat(90));
            }),
        ),
        // The height 5 has an opcode of its own; and a push with a size byte more than it needs.
        ("job.height", coinbase(|one, _| one.replace_range(84..88, "0105"))),
        ("job.height", coinbase(|one, _| one.replace_range(84..86, "4c"))),
        // The output's script is the extranonces.
        (
            "job.extranonce",
            coinbase(|one, two| {
                *one = format!("{COINBASE}020111ffffffff0100f2052a010000000c");
                "00000000".clone_into(two);
            }),
        ),
        ("job.outputs", coinbase(|one, two| (*one, *two) = (format!("{COINBASE}0e0111"), TOO_MUCH.to_owned()))),
        ("job.no-witness", coinbase(|one, _| one.insert_str(8, "0001"))),
        ("job.commitment", coinbase(|_, two| *two = two.replace("6a24aa21a9ed", "6a23aa21a9ed"))),
        ("job.branches", param("mining.notify", 4, json!(["00".repeat(32)]))),
        ("job.version", param("mining.notify", 5, json!("00000001"))),
        ("job.nbits", param("mining.notify", 6, json!("ff7fffff"))),
        ("job.nbits", param("mining.notify", 6, json!("20ffffff"))),
        ("job.ntime", param("mining.notify", 7, json!("495fab29"))),
        ("job.prevhash", notify(|params| (params[1], params[6]) = (json!(UNSWAPPED), json!("1b00ffff")))),
        (
            "job.agreement",
            spoil("mining.notify", |call, line| {
                line["params"][6] = json!(format!("207ffff{}", call.connection % 2));
            }),
        ),
        ("job.clean-first", param("mining.notify", 8, json!(false))),
    ]
}
