//! A connection to a pool: TCP, through a SOCKS5 proxy where there is one, in TLS where the URL says so.

use super::{Pool, PoolUrl, tls};
use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_socks::tcp::Socks5Stream;

/// How long a pool may take to accept a connection, the handshakes of proxy and TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection on which nothing moves is probed, so that one that a router forgot is noticed, and one that it would forget is
/// not.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// What a session reads from, and what it writes to.
pub(super) struct Connection {
    pub(super) reader: Box<dyn AsyncRead + Send + Unpin>,
    pub(super) writer: Box<dyn AsyncWrite + Send + Unpin>,
}

/// Connects to a URL, in the ways of a pool.
pub(super) async fn connect(pool: &Pool, url: &PoolUrl) -> io::Result<Connection> {
    timeout(CONNECT_TIMEOUT, open(pool, url)).await.map_err(|_| {
        let what = format!("nothing came of it in {} s", CONNECT_TIMEOUT.as_secs());
        io::Error::new(io::ErrorKind::TimedOut, what)
    })?
}

async fn open(pool: &Pool, url: &PoolUrl) -> io::Result<Connection> {
    let to = (url.host.as_str(), url.port);
    let stream = match &pool.socks5 {
        None => TcpStream::connect(to).await?,
        // The proxy looks the name up: with Tor, only it can, and nobody else is to know.
        Some(proxy) => Socks5Stream::connect(proxy.as_str(), to).await.map_err(io::Error::other)?.into_inner(),
    };
    // A share must not wait for a packet to fill.
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE / 3);
    SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
    if url.tls {
        let (reader, writer) = tokio::io::split(tls::handshake(&pool.trust, &url.host, stream).await?);
        Ok(Connection { reader: Box::new(reader), writer: Box::new(writer) })
    } else {
        let (reader, writer) = stream.into_split();
        Ok(Connection { reader: Box::new(reader), writer: Box::new(writer) })
    }
}
