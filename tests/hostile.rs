//! Servers that do wrong, over real sockets. Whatever they do, the miner says what is wrong, and once the server is well, a share is
//! accepted within five seconds; each share's fate is told once, and none is sent twice.
//!
//! The tables are in `tests/servers/`. A line is a name, what the miner must say, and what the server does.

mod common {
    pub(crate) mod certificate;
    pub(crate) mod joined;
    pub(crate) mod scripted;
}
mod servers {
    pub(crate) mod connecting;
    pub(crate) mod joining;
    pub(crate) mod messages;
    pub(crate) mod rig;
}

use servers::{connecting, joining, messages, rig};
use std::time::Duration;

/// All at once: most of them wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_miner_outlasts_every_server() {
    let tables = [
        ("connecting", connecting::table()),
        ("TLS", connecting::tls()),
        ("joining", joining::table()),
        ("framing", messages::framing()),
        ("jobs", messages::jobs()),
        ("verdicts", messages::verdicts()),
        ("floods", messages::floods()),
    ];
    let mut running = Vec::new();
    for (group, table) in tables {
        for scenario in table {
            running.push((group, scenario.name, tokio::spawn(rig::run(scenario))));
        }
    }
    let (number, mut failures, mut longest) = (running.len(), Vec::new(), Duration::ZERO);
    for (group, name, scenario) in running {
        match scenario.await {
            Ok(Ok(took)) => longest = longest.max(took),
            Ok(Err(what)) => failures.push(format!("{group}: {name}: {what}")),
            Err(panic) => failures.push(format!("{group}: {name}: {panic}")),
        }
    }
    println!("{number} servers; the longest until mining again: {longest:.1?}");
    assert!(failures.is_empty(), "{} of {number}:\n{}", failures.len(), failures.join("\n"));
}
