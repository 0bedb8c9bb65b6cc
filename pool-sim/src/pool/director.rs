//! Does a scenario's deeds when their time comes.

use super::Shared;
use crate::faults::{Fault, Faults};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

/// How often it looks.
const TICK: Duration = Duration::from_millis(20);
/// How long it tries to listen again at an address that it just left.
const PAUSE: Duration = Duration::from_millis(100);

/// Plays the scenario for ever.
pub(super) async fn direct(shared: Arc<Shared>, faults: Arc<Faults>) {
    let mut ticks = tokio::time::interval(TICK);
    loop {
        ticks.tick().await;
        for deed in faults.deeds() {
            act(&shared, &faults, deed);
        }
    }
}

fn act(shared: &Shared, faults: &Faults, deed: Fault) {
    match &deed {
        Fault::Tip => {
            // The node may refuse it only if its clock is off: there is no new tip then.
            let _ = shared.node.generate(1, &shared.config.pay_to);
        }
        Fault::Refuse { lasting } => faults.shut(lasting.0),
        Fault::Restart { forget, lasting } => {
            if *forget {
                shared.sessions.forget_all();
            }
            faults.shut(lasting.0);
        }
        _ => {}
    }
    faults.tell(deed);
}

/// Waits, where a scenario sends miners to another host, for those who go there. The port.
pub(super) async fn decoy(faults: &Arc<Faults>, beside: SocketAddr) -> Option<(u16, JoinHandle<()>)> {
    let host = faults.scenario().rules.iter().find_map(|rule| match &rule.what {
        Fault::Reconnect { host: Some(host), port: None, .. } => Some(host.clone()),
        _ => None,
    })?;
    let listener = TcpListener::bind((beside.ip(), 0)).await.ok()?;
    let port = listener.local_addr().ok()?.port();
    let faults = Arc::clone(faults);
    let task = tokio::spawn(async move {
        while let Ok((_stream, _)) = listener.accept().await {
            faults.followed(&host);
        }
    });
    Some((port, task))
}

/// Listens again once the pool may be reached.
pub(super) async fn reopen(address: SocketAddr, at: std::time::Instant) -> TcpListener {
    sleep_until(Instant::from_std(at)).await;
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return listener,
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}
