//! A simulated miner's end of the wire, whichever protocol it speaks.

use super::Shared;
use super::session::{End, bad};
use midstate_stratum::codec::{LineError, LineReader};
use midstate_stratum::v2::{ClientMessage, Frame, FrameError, Frames};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;

/// The longest frame that is read: with a job whose coinbase and path are as long as they may be.
const MOST: usize = 150_000;
/// What encryption adds to a frame: a tag to its header of six bytes, and one to its message.
const ADDED: u64 = 6 + 16 + 16;

pub(super) enum Wire {
    V1(LineReader<OwnedReadHalf>, OwnedWriteHalf),
    V2(Box<Frames<OwnedReadHalf, OwnedWriteHalf>>),
}

/// What the pool said.
pub(super) enum Said {
    Line(Result<Option<String>, LineError>),
    Frame(Result<Frame, FrameError>),
}

impl Wire {
    /// On a connection, with the handshake if there is to be one.
    pub(super) async fn on(shared: &Shared, stream: TcpStream) -> Result<Wire, End> {
        let (read, write) = stream.into_split();
        let Some(authority) = shared.authority else { return Ok(Wire::V1(LineReader::new(read), write)) };
        let shaken = timeout(shared.options.patience, Frames::begin(read, write, Some(authority), MOST)).await;
        let shaken = shaken.map_err(|_| End::Bad("handshake: no answer".to_owned()))?;
        shaken.map(|frames| Wire::V2(Box::new(frames))).map_err(|error| End::Bad(format!("handshake: {error}")))
    }

    /// The next thing that the pool says. Cancel-safe.
    pub(super) async fn next(&mut self) -> Said {
        match self {
            Wire::V1(reader, _) => Said::Line(reader.next_line().await),
            Wire::V2(frames) => Said::Frame(frames.next().await),
        }
    }

    /// Sends a line of V1. How many bytes that were.
    pub(super) async fn send_line(&mut self, mut line: String, patience: Duration) -> Result<u64, End> {
        let Wire::V1(_, writer) = self else { return Ok(0) };
        line.push('\n');
        written(timeout(patience, writer.write_all(line.as_bytes())).await)?;
        Ok(line.len() as u64)
    }

    /// Sends a message of V2. How many bytes that were.
    pub(super) async fn send_message(&mut self, message: ClientMessage, patience: Duration) -> Result<u64, End> {
        let Wire::V2(frames) = self else { return Ok(0) };
        let frame = message.into_bytes().map_err(|error| End::Bad(format!("write: {}", error.field)))?;
        let bytes = frame.len() as u64 - 6 + ADDED;
        written(timeout(patience, frames.send(frame)).await)?;
        Ok(bytes)
    }
}

fn written(sent: Result<std::io::Result<()>, tokio::time::error::Elapsed>) -> Result<(), End> {
    sent.map_err(|_| End::Bad("write: the pool takes no bytes".to_owned()))?.map_err(bad("write"))
}

/// How many bytes a frame had on its way.
pub(super) fn bytes_of(frame: &Frame) -> u64 {
    frame.payload.len() as u64 + ADDED
}
