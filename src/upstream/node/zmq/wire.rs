//! What a subscriber needs of ZMTP 3.0: the greeting, the handshake of the NULL mechanism, and messages (RFC 23 of zeromq.org; RFC 37
//! for the PING of ZMTP 3.1).
//!
//! Our own, as the crate `zeromq` (0.7) sets no limit to a frame: it reserves whatever length nine bytes claim, and a process that
//! is refused so much memory is aborted. Here a frame's claim is believed only as its bytes come, and most of a long one is dropped.

use super::ZmqError;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, copy, sink};

/// What every peer begins with, before the number of its version.
const SIGNATURE: [u8; 10] = [0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f];
/// Its length, of which the rest after the version is: the mechanism in twenty bytes, whether the peer is its server, and filler.
const GREETING: usize = 64;
/// The bits of a frame's first byte. All others are zero.
const MORE: u8 = 1;
const LONG: u8 = 2;
const COMMAND: u8 = 4;
/// So much of a frame is kept. What is subscribed to needs 32 bytes, a handshake some fifty.
const KEPT: u64 = 512;
/// No node's message is as long: a block has four megabytes at most.
const LARGEST: u64 = 64 << 20;
/// So many parts of a message are kept, one more than announcements have: it shows that there are too many.
const PARTS: usize = 4;

/// A publisher that was subscribed to.
pub(super) struct Publisher<S> {
    stream: BufReader<S>,
}

/// A message's part, or a command.
struct Frame {
    command: bool,
    more: bool,
    /// Its first [`KEPT`] bytes.
    body: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Publisher<S> {
    /// Greets a publisher, and asks for the messages whose first part begins with this topic, of up to 254 bytes.
    pub(super) async fn subscribe(stream: S, topic: &[u8]) -> Result<Publisher<S>, ZmqError> {
        let mut stream = BufReader::new(stream);
        stream.write_all(&greeting()).await?;
        let mut theirs = [0; GREETING];
        // Older versions' greetings are shorter.
        let (start, rest) = theirs.split_at_mut(SIGNATURE.len() + 1);
        stream.read_exact(start).await?;
        // The eight bytes in the middle are for still older peers, and mean nothing.
        if start[0] != SIGNATURE[0] || start[9] & 1 == 0 {
            return Err(ZmqError::Greeting(start.to_vec()));
        }
        if start[10] < 3 {
            return Err(ZmqError::Version(start[10]));
        }
        stream.read_exact(rest).await?;
        let mechanism = rest[1..21].split(|byte| *byte == 0).next().unwrap_or_default();
        if mechanism != b"NULL" {
            return Err(ZmqError::Mechanism(text(mechanism)));
        }
        let mut publisher = Publisher { stream };
        publisher.stream.write_all(&short(COMMAND, b"\x05READY\x0bSocket-Type\x00\x00\x00\x03SUB")).await?;
        publisher.ready().await?;
        publisher.stream.write_all(&short(0, &[&[1], topic].concat())).await?;
        Ok(publisher)
    }

    /// Waits until the peer says what it is.
    async fn ready(&mut self) -> Result<(), ZmqError> {
        let frame = self.frame().await?;
        match name_and_rest(&frame.body) {
            Some((b"READY", properties)) if frame.command => {
                let kind = property(properties, b"Socket-Type").unwrap_or_default();
                if matches!(kind, b"PUB" | b"XPUB") { Ok(()) } else { Err(ZmqError::SocketType(text(kind))) }
            }
            // Its reason's length stands before it.
            Some((b"ERROR", reason)) if frame.command => {
                Err(ZmqError::Refused(text(reason.get(1..).unwrap_or_default())))
            }
            _ => Err(ZmqError::Handshake),
        }
    }

    /// The next message, in parts: the first four of them, and the first 512 bytes of each. Dropped, it may leave a message in
    /// the middle.
    pub(super) async fn message(&mut self) -> Result<Vec<Vec<u8>>, ZmqError> {
        let mut parts = Vec::new();
        loop {
            let Frame { command, more, body } = self.frame().await?;
            if command {
                self.command(&body).await?;
                continue;
            }
            if parts.len() < PARTS {
                parts.push(body);
            }
            if !more {
                return Ok(parts);
            }
        }
    }

    /// A PING, whose context after two bytes of time comes back in a PONG; all others mean nothing to a subscriber.
    async fn command(&mut self, body: &[u8]) -> Result<(), ZmqError> {
        if let Some((b"PING", rest)) = name_and_rest(body) {
            let context = rest.get(2..).unwrap_or_default();
            // It has sixteen bytes at most.
            let pong = [b"\x04PONG", &context[..context.len().min(16)]].concat();
            self.stream.write_all(&short(COMMAND, &pong)).await?;
        }
        Ok(())
    }

    async fn frame(&mut self) -> Result<Frame, ZmqError> {
        let flags = self.stream.read_u8().await?;
        if flags & !(MORE | LONG | COMMAND) != 0 {
            return Err(ZmqError::Flags(flags));
        }
        let length = match flags & LONG {
            0 => self.stream.read_u8().await?.into(),
            _ => self.stream.read_u64().await?,
        };
        if length > LARGEST {
            return Err(ZmqError::TooLong { length, limit: LARGEST });
        }
        let kept = length.min(KEPT);
        let mut body = vec![0; kept as usize];
        self.stream.read_exact(&mut body).await?;
        let rest = length - kept;
        if copy(&mut (&mut self.stream).take(rest), &mut sink()).await? < rest {
            return Err(ZmqError::Closed);
        }
        Ok(Frame { command: flags & COMMAND != 0, more: flags & MORE != 0, body })
    }
}

/// Ours: version 3.0, the NULL mechanism, no server.
fn greeting() -> [u8; GREETING] {
    let mut greeting = [0; GREETING];
    greeting[..SIGNATURE.len()].copy_from_slice(&SIGNATURE);
    greeting[10] = 3;
    greeting[12..16].copy_from_slice(b"NULL");
    greeting
}

/// A frame whose body is shorter than 256 bytes.
fn short(flags: u8, body: &[u8]) -> Vec<u8> {
    [&[flags, body.len() as u8], body].concat()
}

/// A command's name, and what follows it.
fn name_and_rest(body: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = body.split_first()?;
    rest.split_at_checked(usize::from(*length))
}

/// The value of a property in a handshake: names with a byte of length, values with four.
fn property<'a>(mut properties: &'a [u8], wanted: &[u8]) -> Option<&'a [u8]> {
    loop {
        let (name, rest) = name_and_rest(properties)?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let (value, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        if name.eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
        properties = rest;
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
