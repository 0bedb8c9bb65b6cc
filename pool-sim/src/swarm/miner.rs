//! One simulated miner: it comes, mines, leaves, and comes back.

use super::Shared;
use super::plan::{Place, exponential};
use super::session::{End, Session, bad, over};
use super::wire::Wire;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// Who left or was thrown out is back after this on average.
const AWAY: Duration = Duration::from_secs(1);

/// A miner's life.
pub(super) async fn live(shared: Arc<Shared>, mut place: Place, mut stopped: watch::Receiver<bool>) {
    tokio::select! {
        () = sleep(place.arrives) => {}
        () = over(&mut stopped) => return,
    }
    loop {
        let connected = tokio::select! {
            connected = connect(&shared, &place) => connected,
            () = over(&mut stopped) => return,
        };
        match connected {
            Ok(wire) => {
                let mut session = Session::new(&shared, &mut place, wire);
                let end = session.run(&mut stopped).await;
                session.end(&end);
                if matches!(end, End::Stopped) {
                    return;
                }
            }
            Err(End::Bad(reason)) => shared.figures().ended(false, &reason),
            Err(End::Left | End::Stopped) => {}
        }
        tokio::select! {
            () = sleep(exponential(AWAY, &mut place.random)) => {}
            () = over(&mut stopped) => return,
        }
    }
}

async fn connect(shared: &Shared, place: &Place) -> Result<Wire, End> {
    let begun = Instant::now();
    shared.figures().counts.tried += 1;
    let wire = Wire::on(shared, connect_to(shared, place.from).await?).await?;
    let mut figures = shared.figures();
    figures.counts.connected += 1;
    figures.open += 1;
    figures.connect.record(begun.elapsed());
    Ok(wire)
}

/// Connects to the pool, from that address if there is one.
pub(super) async fn connect_to(shared: &Shared, from: Option<IpAddr>) -> Result<TcpStream, End> {
    let socket = if shared.pool.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
    let socket = socket.map_err(bad("socket"))?;
    if let Some(from) = from {
        socket.bind(SocketAddr::new(from, 0)).map_err(bad("bind"))?;
    }
    let connected = timeout(shared.options.patience, socket.connect(shared.pool)).await;
    let stream = connected.map_err(|_| End::Bad("connect: no answer".to_owned()))?.map_err(bad("connect"))?;
    stream.set_nodelay(true).map_err(bad("socket"))?;
    Ok(stream)
}
