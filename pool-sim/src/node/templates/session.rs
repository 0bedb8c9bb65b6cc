//! One pool's connection.

use super::{Heard, Server, Solution, Talk, TalkError, TemplateEvent};
use crate::chain::Accepted;
use crate::node::Template;
use midstate_stratum::message::MessageError;
use midstate_stratum::v2::{FrameError, Frames, HandshakeError, TemplateServerMessage};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at, sleep, timeout};

/// A pool that has not said what it needs after this long is none.
const OPEN_WITHIN: Duration = Duration::from_secs(10);
/// A pool that does not take a message within this is gone.
const TAKE_WITHIN: Duration = Duration::from_secs(10);
/// A pool may say something so often, on average; the rest waits, in the end at the pool.
const PACE: Duration = Duration::from_millis(5);
/// How often it is looked whether fees grew.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// The longest frame that a pool sends, encrypted: a solution, with a coinbase of 64 KiB, and some room.
const MOST: usize = (1 << 16) + (1 << 10);

#[derive(Debug, Error)]
enum End {
    #[error("{0}")]
    Handshake(#[from] HandshakeError),
    #[error("{0}")]
    Frame(#[from] FrameError),
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("it said nothing for {} s", OPEN_WITHIN.as_secs())]
    Silent,
    #[error("it took nothing for {} s", TAKE_WITHIN.as_secs())]
    Stalled,
    #[error("{0}")]
    Talk(#[from] TalkError),
    #[error("{0}")]
    Unsayable(#[from] MessageError),
    #[error("refused with {0}")]
    Refused(String),
}

/// Speaks with a pool until one of the two goes away.
pub(super) async fn serve(server: Arc<Server>, client: u64, stream: TcpStream, peer: SocketAddr) {
    let end = match begin(&server, stream).await {
        Ok(frames) => {
            let mut session = Session { server: &server, client, peer, frames, talk: Talk::default() };
            session.run().await.err()
        }
        Err(end) => Some(end),
    };
    let reason = end.map_or_else(|| "the node stopped".to_owned(), |end| end.to_string());
    (server.say)(TemplateEvent::Left { client, reason });
}

type Connection = Frames<OwnedReadHalf, OwnedWriteHalf>;

async fn begin(server: &Server, stream: TcpStream) -> Result<Connection, End> {
    // A tip does not wait for more to be said.
    stream.set_nodelay(true)?;
    let (reader, writer) = stream.into_split();
    let handshake = Frames::accept(reader, writer, &server.authority, MOST);
    Ok(timeout(OPEN_WITHIN, handshake).await.map_err(|_| End::Silent)??)
}

struct Session<'a> {
    server: &'a Server,
    client: u64,
    peer: SocketAddr,
    frames: Connection,
    talk: Talk,
}

impl Session<'_> {
    /// Until the connection ends; or the node, without an error.
    async fn run(&mut self) -> Result<(), End> {
        let mut tips = self.server.node.tip();
        let mut pace = interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut look = interval_at(Instant::now() + LOOK_EVERY, LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let late = sleep(OPEN_WITHIN);
        tokio::pin!(late);
        loop {
            let is_open = self.talk.is_open();
            tokio::select! {
                biased;
                tip = tips.changed(), if is_open => match tip {
                    Ok(()) => self.offer_news().await?,
                    Err(_) => return Ok(()),
                },
                () = &mut late, if !is_open => return Err(End::Silent),
                frame = async { pace.tick().await; self.frames.next().await } => {
                    let heard = self.talk.hear(frame?)?;
                    self.act(heard).await?;
                }
                _ = look.tick(), if is_open => self.offer_news().await?,
            }
        }
    }

    async fn act(&mut self, heard: Heard) -> Result<(), End> {
        let client = self.client;
        match heard {
            Heard::Answer(message) => {
                if matches!(message, TemplateServerMessage::SetupSuccess(_)) {
                    let vendor = self.talk.vendor().to_owned();
                    (self.server.say)(TemplateEvent::Joined { client, peer: self.peer, vendor });
                }
                self.send(message).await
            }
            Heard::Refusal(message) => {
                let said = message.to_string();
                self.send(message).await?;
                Err(End::Refused(said))
            }
            Heard::Constraints => self.offer().await,
            Heard::Solution(solution) => {
                self.submit(solution);
                Ok(())
            }
            Heard::Nothing(error) => {
                (self.server.say)(TemplateEvent::Unreadable { client, error: error.to_string() });
                Ok(())
            }
        }
    }

    /// Gives the pool the node's template of now.
    async fn offer(&mut self) -> Result<(), End> {
        let template = self.server.node.template_with(self.talk.room());
        self.give(template).await
    }

    /// The same, if it is on another block than the last, or pays more.
    async fn offer_news(&mut self) -> Result<(), End> {
        let template = self.server.node.template_with(self.talk.room());
        let is_news = self.talk.last().is_none_or(|last| {
            last.previous_block_hash != template.previous_block_hash || last.coinbase_value < template.coinbase_value
        });
        if is_news { self.give(template).await } else { Ok(()) }
    }

    async fn give(&mut self, template: Template) -> Result<(), End> {
        for message in self.talk.offer(self.server.next_id(), Arc::new(template))? {
            self.send(message).await?;
        }
        Ok(())
    }

    fn submit(&self, solution: Solution) {
        let Solution { template_id, hash, block } = solution;
        let refused = match block {
            Err(error) => Some(error.to_string()),
            Ok(block) => match self.server.node.submit_block(&block) {
                Ok(Accepted::Tip) => None,
                Ok(Accepted::SideChain) => Some("inconclusive".to_owned()),
                Ok(Accepted::Duplicate) => Some("duplicate".to_owned()),
                Err(error) => Some(error.to_string()),
            },
        };
        (self.server.say)(TemplateEvent::Solution { client: self.client, template_id, hash, refused });
    }

    async fn send(&mut self, message: TemplateServerMessage) -> Result<(), End> {
        let bytes = message.into_bytes()?;
        timeout(TAKE_WITHIN, self.frames.send(bytes)).await.map_err(|_| End::Stalled)??;
        Ok(())
    }
}
