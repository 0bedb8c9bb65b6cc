//! Shares that are judged wrongly.

use super::{Fault, accepts, refuses, silent, spoil};
use serde_json::json;

pub(super) fn faults() -> Vec<(&'static str, Fault)> {
    let submit = "mining.submit";
    vec![
        ("submit.error-shape", spoil(submit, |_, line| line["error"] = json!("job not found"))),
        ("submit.unknown-job", refuses(20)),
        ("submit.empty-job", accepts()),
        ("submit.unknown-user", accepts()),
        ("submit.unknown-user", refuses(20)),
        ("submit.extranonce2-short", accepts()),
        ("submit.extranonce2-long", accepts()),
        ("submit.extranonce2-hex", refuses(21)),
        ("submit.ntime-early", accepts()),
        ("submit.ntime-late", accepts()),
        ("submit.ntime-late", refuses(23)),
        ("submit.ntime-hex", accepts()),
        ("submit.ntime-long", accepts()),
        ("submit.nonce-hex", accepts()),
        ("submit.nonce-long", accepts()),
        ("submit.nonce-empty", accepts()),
        ("submit.version-outside", accepts()),
        ("submit.version-unagreed", accepts()),
        ("submit.version-hex", accepts()),
        ("submit.low-difficulty", accepts()),
        ("submit.low-difficulty", refuses(20)),
        ("submit.too-few", accepts()),
        ("submit.types", accepts()),
        ("submit.after", silent(submit, |call| call.before > 10)),
        ("share.plain", refuses(23)),
        ("share.easy", refuses(23)),
        ("share.ntime", refuses(20)),
        ("share.version", refuses(20)),
        ("share.version-kept", refuses(23)),
        (
            "share.extranonce2",
            spoil(submit, |call, line| {
                if call.before == 1 {
                    line["result"] = json!(false);
                }
            }),
        ),
        ("share.second-worker", refuses(24)),
        ("share.held-difficulty", refuses(23)),
        ("share.after-refusals", refuses(24)),
        ("share.resumed", refuses(21)),
        ("duplicate.same", accepts()),
        ("duplicate.case", accepts()),
        ("duplicate.prefix", accepts()),
        ("duplicate.zeros", accepts()),
        ("duplicate.worker", accepts()),
        ("duplicate.version", accepts()),
        ("duplicate.connection", accepts()),
        ("duplicate.resumed", accepts()),
        ("duplicate.at-once", accepts()),
        (
            "duplicate.next",
            spoil(submit, |call, line| {
                if call.before == 2 {
                    line["result"] = json!(false);
                }
            }),
        ),
    ]
}
