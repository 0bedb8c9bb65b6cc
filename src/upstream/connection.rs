//! A connection to a pool: TCP, through a SOCKS5 proxy where there is one, in TLS where the URL says so.

use super::{Pool, PoolUrl, Protocol, tls};
use socket2::{SockRef, TcpKeepalive};
use std::future::Future;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_socks::tcp::Socks5Stream;

/// How long a proxy may take to reach the pool, and TLS to begin behind it: Tor must build a circuit first.
const PROXY_STEP: Duration = Duration::from_secs(10);
/// A connection on which nothing moves is probed, so that one that a router forgot is noticed, and one that it would forget is
/// not.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// What a session reads from, and what it writes to.
pub(super) struct Connection {
    pub(super) reader: Box<dyn AsyncRead + Send + Unpin>,
    pub(super) writer: Box<dyn AsyncWrite + Send + Unpin>,
}

/// Connects to a URL, in the ways of a pool, with so long for each step.
pub(super) async fn connect(pool: &Pool, url: &PoolUrl, step: Duration) -> io::Result<Connection> {
    let limit = if pool.socks5.is_some() { step.max(PROXY_STEP) } else { step };
    let stream = within(limit, "no connection", open(pool, url)).await?;
    // A share must not wait for a packet to fill.
    stream.set_nodelay(true)?;
    keep_alive(&stream)?;
    if url.protocol == Protocol::V1Tls {
        let handshake = tls::handshake(&pool.trust, &url.host, stream);
        let stream = within(limit, "TLS has not begun; is it spoken at this port?", handshake).await?;
        let (reader, writer) = tokio::io::split(stream);
        Ok(Connection { reader: Box::new(reader), writer: Box::new(writer) })
    } else {
        let (reader, writer) = stream.into_split();
        Ok(Connection { reader: Box::new(reader), writer: Box::new(writer) })
    }
}

/// Has a connection probed while nothing moves on it.
pub(super) fn keep_alive(stream: &TcpStream) -> io::Result<()> {
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE / 3);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

async fn open(pool: &Pool, url: &PoolUrl) -> io::Result<TcpStream> {
    let to = (url.host.as_str(), url.port);
    match &pool.socks5 {
        None => TcpStream::connect(to).await,
        // The proxy looks the name up: with Tor, only it can, and nobody else is to know.
        Some(proxy) => {
            let stream = Socks5Stream::connect(proxy.as_str(), to).await;
            stream.map(Socks5Stream::into_inner).map_err(io::Error::other)
        }
    }
}

/// What this gives, or, after the limit, what has not happened.
pub(super) async fn within<T>(
    limit: Duration,
    failure: &str,
    done: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    timeout(limit, done).await.unwrap_or_else(|_| {
        let what = format!("after {} s, {failure}", limit.as_secs());
        Err(io::Error::new(io::ErrorKind::TimedOut, what))
    })
}
