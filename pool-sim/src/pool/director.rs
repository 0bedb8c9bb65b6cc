//! Does a scenario's deeds when their time comes.

use super::Shared;
use crate::faults::{Fault, Faults};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// How often it looks.
const TICK: Duration = Duration::from_millis(20);
/// How long it tries to listen again at an address that it just left.
const PAUSE: Duration = Duration::from_millis(100);

/// Plays the scenario for ever. `beside` is an address of the pool's.
pub(super) async fn direct(shared: Arc<Shared>, faults: Arc<Faults>, beside: SocketAddr) {
    let mut ticks = tokio::time::interval(TICK);
    let mut decoys = Decoys::default();
    loop {
        ticks.tick().await;
        for mut deed in faults.deeds() {
            if let Fault::Reconnect { host: Some(host), port: port @ None, .. } = &mut deed {
                *port = decoys.port(&faults, beside, host).await;
            }
            act(&shared, &faults, deed);
        }
    }
}

fn act(shared: &Shared, faults: &Faults, deed: Fault) {
    match &deed {
        Fault::Tip => {
            // The node may refuse it only if its clock is off: there is no new tip then. An upstream's tip is its own.
            let _ = shared.source.local().map(|local| local.node.generate(1, &local.config.pay_to));
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

/// Where those come who follow `client.reconnect` to another host, by that host.
#[derive(Default)]
struct Decoys {
    ports: HashMap<String, u16>,
    /// They end with it.
    listeners: JoinSet<()>,
}

impl Decoys {
    /// The port for a host: it listens from the first time on.
    async fn port(&mut self, faults: &Arc<Faults>, beside: SocketAddr, host: &str) -> Option<u16> {
        if let Some(port) = self.ports.get(host) {
            return Some(*port);
        }
        let listener = TcpListener::bind((beside.ip(), 0)).await.ok()?;
        let port = listener.local_addr().ok()?.port();
        let (faults, host) = (Arc::clone(faults), host.to_owned());
        self.ports.insert(host.clone(), port);
        self.listeners.spawn(async move {
            while let Ok((_stream, _)) = listener.accept().await {
                faults.followed(&host);
            }
        });
        Some(port)
    }
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
