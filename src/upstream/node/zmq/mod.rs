//! New tips as a node announces them: Bitcoin Core's `hashblock`, over a ZMQ PUB socket.
//!
//! An announcement has three parts: the topic, the block's hash as people write it, and a count of the topic's messages. The count is
//! not needed: whatever was lost, the newest tip is the last that was announced, and any that is not the newest template's makes
//! the next be fetched.

mod wire;

use super::rpc::Client;
use super::{Answer, NodeError, PATIENCE, request};
use crate::upstream::connection::{keep_alive, within};
use crate::upstream::pauses::Pauses;
use crate::upstream::url::{host_and_port, without_userinfo, write_url};
use crate::upstream::{STEP, UrlError};
use serde_json::Value;
use std::fmt;
use std::future::pending;
use std::io;
use std::str::FromStr;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::{sleep, timeout};
use wire::Publisher;

const TOPIC: &[u8] = b"hashblock";
/// So many announcements wait at most. Nothing more is read from the node while they do.
const WAITING: usize = 8;

/// Where a node announces new tips: `tcp://HOST:PORT`, as in its `-zmqpubhashblock`, an IPv6 address in brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZmqUrl {
    /// A name or an address, without brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
}

impl FromStr for ZmqUrl {
    type Err = UrlError;

    fn from_str(url: &str) -> Result<ZmqUrl, UrlError> {
        let rest = url.strip_prefix("tcp://").ok_or_else(|| UrlError::Zmq(without_userinfo(url)))?;
        let (host, port) = host_and_port(url, rest).map_err(|_| UrlError::Zmq(without_userinfo(url)))?;
        // A node may listen on all addresses, but is at one.
        if host == "*" { Err(UrlError::Zmq(without_userinfo(url))) } else { Ok(ZmqUrl { host, port }) }
    }
}

impl fmt::Display for ZmqUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ZmqUrl { host, port } = self;
        write_url(f, "tcp", host, *port)
    }
}

/// Why a node's announcements are not heard.
#[derive(Debug, Error)]
pub enum ZmqError {
    /// Nobody there.
    #[error("no connection: {0}; is the node started with -zmqpubhashblock, and this address?")]
    Connect(io::Error),
    /// The connection failed.
    #[error("the connection failed: {0}")]
    Io(io::Error),
    /// The node hung up.
    #[error("the connection was closed")]
    Closed,
    /// Something else than ZMQ, which waits to be spoken to.
    #[error("no ZeroMQ handshake within {} s; is this the address of -zmqpubhashblock?", STEP.as_secs())]
    Silent,
    /// Something else than ZMQ. These were its first bytes.
    #[error("greeting {0:02x?}; expected ff, any eight bytes, 7f, 03: is this the address of -zmqpubhashblock?")]
    Greeting(Vec<u8>),
    /// A version before ZMTP 3.
    #[error("version {0}; expected 3 (ZeroMQ 4) or later")]
    Version(u8),
    /// The peer asks for a login.
    #[error("mechanism {0:?}; expected \"NULL\"")]
    Mechanism(String),
    /// The peer does not want us.
    #[error("refused: {0}")]
    Refused(String),
    /// After the greeting came something else than its end.
    #[error("the handshake ends without READY")]
    Handshake,
    /// ZMQ, but nothing that publishes.
    #[error("socket type {0:?}; expected \"PUB\" or \"XPUB\"")]
    SocketType(String),
    /// A frame that is none.
    #[error("frame flags {0:#04x}; expected 0 to 7")]
    Flags(u8),
    /// A frame that no node sends.
    #[error("a frame of {length} bytes; expected {limit} at most")]
    TooLong {
        /// What it claims.
        length: u64,
        /// What is read.
        limit: u64,
    },
}

impl From<io::Error> for ZmqError {
    fn from(error: io::Error) -> ZmqError {
        if error.kind() == io::ErrorKind::UnexpectedEof { ZmqError::Closed } else { ZmqError::Io(error) }
    }
}

/// What was heard.
pub(super) enum Heard {
    /// A template, since a tip was announced that the last is not on. It may be on that one all the same.
    Template(Value),
    /// Announcements are not heard. Said once, until one is.
    Nothing {
        /// Where they should be.
        url: ZmqUrl,
        /// Why.
        error: ZmqError,
    },
}

enum News {
    Tip([u8; 32]),
    Unheard(ZmqUrl, ZmqError),
}

/// Fetches a template whenever a node announces a tip.
pub(super) struct Announcements {
    client: Client,
    /// None where there is nowhere to listen.
    news: Option<Receiver<News>>,
    fetch: Option<Fetch>,
    /// The tip that was announced last, unless it is known or being fetched.
    wanted: Option<[u8; 32]>,
}

/// A template on its way.
struct Fetch {
    /// The tip that was announced.
    wanted: [u8; 32],
    /// The tip that was known.
    known: [u8; 32],
    answer: Answer,
}

impl Announcements {
    /// Listens there until it is dropped.
    pub(super) fn new(url: Option<&ZmqUrl>, client: Client) -> Announcements {
        let news = url.map(|url| {
            let (sender, news) = channel(WAITING);
            let url = url.clone();
            tokio::spawn(async move {
                tokio::select! {
                    () = sender.closed() => {}
                    () = listen(&url, &sender) => {}
                }
            });
            news
        });
        Announcements { client, news, fetch: None, wanted: None }
    }

    /// What is heard next, where the newest template is on this tip. Dropped and called again, nothing is lost.
    pub(super) async fn next(&mut self, tip: [u8; 32]) -> Result<Heard, NodeError> {
        loop {
            // Where the long poll was first, what is on its way may be older.
            if let Some(overtaken) = self.fetch.take_if(|fetch| fetch.known != tip) {
                self.wanted.get_or_insert(overtaken.wanted);
            }
            if self.fetch.is_none()
                && let Some(wanted) = self.wanted.take()
                && wanted != tip
            {
                let client = self.client.clone();
                let answer = async move { client.call("getblocktemplate", request(None), PATIENCE).await };
                self.fetch = Some(Fetch { wanted, known: tip, answer: Box::pin(answer) });
            }
            tokio::select! {
                template = fetched(&mut self.fetch) => {
                    self.fetch = None;
                    return template.map(Heard::Template);
                }
                news = heard(&mut self.news) => match news {
                    News::Tip(tip) => self.wanted = Some(tip),
                    News::Unheard(url, error) => return Ok(Heard::Nothing { url, error }),
                }
            }
        }
    }
}

/// The template that is being fetched; never, where none is.
async fn fetched(fetch: &mut Option<Fetch>) -> Result<Value, NodeError> {
    match fetch {
        Some(fetch) => fetch.answer.as_mut().await,
        None => pending().await,
    }
}

async fn heard(news: &mut Option<Receiver<News>>) -> News {
    let next = match news {
        Some(news) => news.recv().await,
        None => None,
    };
    match next {
        Some(next) => next,
        None => pending().await,
    }
}

/// One subscription after the other.
async fn listen(url: &ZmqUrl, news: &Sender<News>) {
    let mut pauses = Pauses::new();
    let mut said = false;
    loop {
        let mut worked = false;
        let Err(error) = subscription(url, news, &mut worked).await else { return };
        if worked {
            pauses.reset();
            said = false;
        }
        if !said && news.send(News::Unheard(url.clone(), error)).await.is_err() {
            return;
        }
        said = true;
        sleep(pauses.next()).await;
    }
}

/// Passes announcements on until the connection ends; `Ok` when nobody listens any more.
async fn subscription(url: &ZmqUrl, news: &Sender<News>, worked: &mut bool) -> Result<(), ZmqError> {
    let connect = TcpStream::connect((url.host.as_str(), url.port));
    let stream = within(STEP, "no connection", connect).await.map_err(ZmqError::Connect)?;
    keep_alive(&stream)?;
    let subscribed = timeout(STEP, Publisher::subscribe(stream, TOPIC)).await;
    let mut publisher = subscribed.unwrap_or(Err(ZmqError::Silent))?;
    loop {
        if let Some(tip) = announced(&publisher.message().await?) {
            *worked = true;
            if news.send(News::Tip(tip)).await.is_err() {
                return Ok(());
            }
        }
    }
}

/// The tip that a message announces, in a header's byte order; none, where it is something else.
fn announced(parts: &[Vec<u8>]) -> Option<[u8; 32]> {
    let [topic, hash, count] = parts else { return None };
    let mut tip: [u8; 32] = hash.as_slice().try_into().ok()?;
    tip.reverse();
    (topic == TOPIC && count.len() == 4).then_some(tip)
}

#[cfg(test)]
mod tests;
