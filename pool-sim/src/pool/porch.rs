//! Where connections are until they say something.
//!
//! The porch has a thread of its own, which steps back where the pool's others want a processor. It makes a session of a connection when
//! its first byte is there to be read, or after a second: so those who come and go as fast as they can do not hold up the miners. How
//! fast connections are let in is not limited: the backlog would be full of those who left, and a miner that comes would wait for a
//! second and more until it tries again.

use super::limits::Visit;
use super::{Origin, PoolEvent, PoolJob, Shared, director, session};
use crate::priority::step_back;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// How far its thread steps back: on a busy machine it still has a tenth of what one of the others has.
const STEP: i32 = 10;
/// Who was silent for so long stays, it seems, and is told of like any other.
const SHY: Duration = Duration::from_secs(1);

/// The porch of a pool. Dropped, it ends, and all sessions with it.
pub(super) struct Porch {
    open: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Porch {
    fn drop(&mut self) {
        drop(self.open.take());
        // What the thread shares with the pool, the store too, must not outlive the pool. A panic there was said already.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// A connection that was let in.
struct Guest {
    stream: TcpStream,
    peer: SocketAddr,
    visit: Visit,
}

impl Porch {
    /// Lets connections in at these listeners, the pool's ports in order. Their sessions are tasks of the runtime that this is called on.
    pub(super) fn open(shared: Arc<Shared>, listeners: Vec<TcpListener>) -> io::Result<Porch> {
        let (open, closed) = oneshot::channel::<()>();
        let pool = Handle::current();
        let listeners = listeners.into_iter().map(TcpListener::into_std).collect::<io::Result<Vec<_>>>()?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let watch = async move {
            let mut ports = JoinSet::new();
            for (port, listener) in listeners.into_iter().enumerate() {
                // It is in non-blocking mode, and fails without a runtime only.
                let Ok(listener) = TcpListener::from_std(listener) else { return };
                ports.spawn(welcome(Arc::clone(&shared), pool.clone(), port, listener));
            }
            let _ = closed.await;
        };
        let thread = std::thread::Builder::new().name("porch".to_owned()).spawn(move || {
            step_back(STEP);
            runtime.block_on(watch);
        })?;
        Ok(Porch { open: Some(open), thread: Some(thread) })
    }
}

async fn welcome(shared: Arc<Shared>, pool: Handle, port: usize, mut listener: TcpListener) {
    // Without a job there is nothing to say: what miners are told at first depends on it.
    let is_there = |job: &Arc<PoolJob>| !matches!(job.origin, Origin::Nowhere);
    if shared.jobs.clone().wait_for(is_there).await.is_err() {
        return;
    }
    let (mut guests, mut sessions) = (JoinSet::new(), JoinSet::new());
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => if let Some(visit) = enter(&shared, peer) {
                    guests.spawn(first_word(Guest { stream, peer, visit }));
                },
                // Out of file descriptors, most likely: others will end.
                Err(_) => sleep(Duration::from_millis(100)).await,
            },
            Some(spoke) = guests.join_next() => if let Ok(Some(Guest { stream, peer, visit })) = spoke {
                while sessions.try_join_next().is_some() {}
                let number = shared.connections.fetch_add(1, Ordering::Relaxed) + 1;
                // It leaves one runtime, and joins the other from within.
                let Ok(stream) = stream.into_std() else { continue };
                let shared = Arc::clone(&shared);
                let session = async move {
                    let _visit = visit;
                    if let Ok(stream) = TcpStream::from_std(stream) {
                        session::serve(shared, number, port, stream, peer).await;
                    }
                };
                sessions.spawn_on(session, &pool);
            },
            until = shut(&shared) => {
                let Ok(address) = listener.local_addr() else { continue };
                drop(listener);
                listener = director::reopen(address, until).await;
            }
        }
    }
}

/// Whether its address may have another connection.
fn enter(shared: &Shared, peer: SocketAddr) -> Option<Visit> {
    let limit = shared.limits.connections;
    match shared.visitors.enter(peer.ip(), limit) {
        Ok(visit) => Some(visit),
        Err(full) => {
            if full.is_news {
                shared.say(PoolEvent::TurnedAway { peer, limit });
            }
            None
        }
    }
}

/// Waits until there is something to read, which stays to be read, or for long. `None` if it left before.
async fn first_word(guest: Guest) -> Option<Guest> {
    let is_gone = matches!(timeout(SHY, guest.stream.peek(&mut [0])).await, Ok(Ok(0) | Err(_)));
    (!is_gone).then_some(guest)
}

/// Waits until a scenario lets nobody connect: until when.
async fn shut(shared: &Shared) -> Instant {
    match &shared.faults {
        Some(faults) => faults.is_shut().await,
        None => std::future::pending().await,
    }
}
