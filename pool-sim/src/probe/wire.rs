//! A connection on which anything can be said, right or wrong. Lines are read as plain JSON, not with our message types: a
//! probe that shares a pool's reader shares its mistakes.

use super::reply::Reply;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::rc::Rc;
use std::time::{Duration, Instant};
use thiserror::Error;

/// Beyond this, what a pool sends is no line.
const MAX_LINE: usize = 8 << 20;
/// How much of a line is kept for the report, in characters.
const SHOWN: usize = 240;
/// How many lines of a check are kept.
const KEPT: usize = 24;

/// What stands between the probe and an answer.
#[derive(Debug, Error)]
pub(super) enum WireError {
    #[error("cannot connect to {0}: {1}")]
    Connect(SocketAddr, io::Error),
    #[error("the pool closed the connection")]
    Closed,
    #[error("no answer within {:.1} s", .0.as_secs_f64())]
    Silent(Duration),
    #[error("the connection failed: {0}")]
    Io(io::Error),
    #[error("the pool sent a line of more than {MAX_LINE} bytes")]
    TooLong,
    #[error("not JSON: {0}")]
    NotJson(String),
}

impl WireError {
    fn from_io(error: io::Error, waited: Duration) -> WireError {
        match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => WireError::Silent(waited),
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted => WireError::Closed,
            _ => WireError::Io(error),
        }
    }

    /// Silence lasted as long as all of its parts.
    fn after(self, waited: Duration) -> WireError {
        if let WireError::Silent(_) = self { WireError::Silent(waited) } else { self }
    }
}

/// What was said in a check, both ways, cut to a readable length.
#[derive(Clone, Debug)]
pub(super) struct Log {
    lines: Rc<RefCell<Vec<String>>>,
    secret: Rc<str>,
}

impl Log {
    /// A log that does not show a password. One of fewer than four letters is no secret, and is in many words.
    pub(super) fn new(password: &str) -> Log {
        let secret = if password.len() < 4 { "" } else { password };
        Log { lines: Rc::default(), secret: secret.into() }
    }

    pub(super) fn take(&self) -> Vec<String> {
        self.lines.take()
    }

    /// The text without the password, as it stands or in JSON.
    pub(super) fn veil(&self, text: &str) -> String {
        if self.secret.is_empty() {
            return text.to_owned();
        }
        let quoted = json!(&*self.secret).to_string();
        text.replace(&quoted[1..quoted.len() - 1], "***").replace(&*self.secret, "***")
    }

    fn note(&self, direction: char, bytes: &[u8]) {
        let mut lines = self.lines.borrow_mut();
        let count = lines.len();
        if count >= KEPT {
            if count == KEPT {
                lines.push("…".to_owned());
            }
            return;
        }
        // What is not shown is not looked at: it may be megabytes.
        let text = self.veil(&String::from_utf8_lossy(&bytes[..bytes.len().min(64 * SHOWN)]));
        let shown: String = text.trim_end().chars().take(SHOWN).collect();
        let shown = shown.escape_debug().to_string().replace("\\\"", "\"");
        let cut = if bytes.len() > SHOWN { format!("… ({} bytes)", bytes.len()) } else { String::new() };
        lines.push(format!("{direction} {shown}{cut}"));
    }
}

/// A connection to the pool.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// How much of the buffer has no newline.
    searched: usize,
    /// What the pool called and nobody asked for yet, in order: method and parameters.
    pub(super) calls: Vec<(String, Value)>,
    next_id: u64,
    log: Log,
    /// How long an answer is waited for.
    patience: Duration,
    deadline: Instant,
}

impl Wire {
    pub(super) fn connect(
        address: SocketAddr,
        patience: Duration,
        deadline: Instant,
        log: &Log,
    ) -> Result<Wire, WireError> {
        let connect = || {
            let stream = TcpStream::connect_timeout(&address, patience)?;
            stream.set_nodelay(true)?;
            stream.set_write_timeout(Some(patience))?;
            Ok(stream)
        };
        let stream = connect().map_err(|error| WireError::Connect(address, error))?;
        let (buffer, calls, log) = (Vec::new(), Vec::new(), log.clone());
        Ok(Wire { stream, buffer, searched: 0, calls, next_id: 100, log, patience, deadline })
    }

    /// Sends bytes as they are.
    pub(super) fn send_raw(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        self.log.note('>', bytes);
        self.stream.write_all(bytes).map_err(|error| WireError::from_io(error, self.patience))
    }

    /// From now on, what the pool does not take within this fails.
    pub(super) fn write_within(&self, limit: Duration) -> Result<(), WireError> {
        self.stream.set_write_timeout(Some(limit)).map_err(WireError::Io)
    }

    pub(super) fn send(&mut self, line: &Value) -> Result<(), WireError> {
        self.send_raw(format!("{line}\n").as_bytes())
    }

    /// Says that nothing more will be sent; what comes is still read.
    pub(super) fn finish_sending(&self) {
        // Fails only where the connection is gone, which reading tells.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// The next line, whatever it is.
    pub(super) fn line(&mut self, wait: Duration) -> Result<Vec<u8>, WireError> {
        let end = self.deadline.min(Instant::now() + wait);
        let mut chunk = [0; 16 * 1024];
        loop {
            if let Some(at) = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=self.searched + at).collect();
                self.searched = 0;
                self.log.note('<', &line);
                return Ok(line);
            }
            self.searched = self.buffer.len();
            if self.buffer.len() > MAX_LINE {
                return Err(WireError::TooLong);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(WireError::Silent(wait));
            }
            self.stream.set_read_timeout(Some(left)).map_err(WireError::Io)?;
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(WireError::Closed),
                Ok(count) => self.buffer.extend_from_slice(&chunk[..count]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(WireError::from_io(error, wait)),
            }
        }
    }

    /// The next line as JSON.
    pub(super) fn value(&mut self, wait: Duration) -> Result<Value, WireError> {
        let line = self.line(wait)?;
        let shown = || WireError::NotJson(String::from_utf8_lossy(&line).chars().take(80).collect());
        serde_json::from_slice(&line).map_err(|_| shown())
    }

    /// The next reply, whosever; the pool's calls before it are kept.
    pub(super) fn reply(&mut self, wait: Duration) -> Result<Value, WireError> {
        let end = Instant::now() + wait;
        loop {
            let value = self.value(end.saturating_duration_since(Instant::now()))?;
            match value.get("method").and_then(Value::as_str) {
                Some(method) => self.calls.push((method.to_owned(), value["params"].clone())),
                None => return Ok(value),
            }
        }
    }

    /// Calls a method and waits for its reply, passing over replies to others.
    pub(super) fn call(&mut self, method: &str, params: &Value) -> Result<Reply, WireError> {
        self.next_id += 1;
        let id = self.next_id;
        let begin = Instant::now();
        self.send(&json!({"id": id, "method": method, "params": params}))?;
        loop {
            let left = self.patience.saturating_sub(begin.elapsed());
            let value = self.reply(left).map_err(|error| error.after(self.patience))?;
            if value["id"] == json!(id) {
                return Ok(Reply { value, took: begin.elapsed() });
            }
        }
    }

    /// The parameters of the pool's next call of that name, also if it came before.
    pub(super) fn told(&mut self, method: &str, wait: Duration) -> Result<Value, WireError> {
        let end = Instant::now() + wait;
        loop {
            if let Some(at) = self.calls.iter().position(|(name, _)| name == method) {
                return Ok(self.calls.remove(at).1);
            }
            let left = end.saturating_duration_since(Instant::now());
            self.hear(left).map_err(|error| error.after(wait))?;
        }
    }

    /// Reads one line; a call of the pool is kept.
    pub(super) fn hear(&mut self, wait: Duration) -> Result<(), WireError> {
        let value = self.value(wait)?;
        if let Some(method) = value.get("method").and_then(Value::as_str) {
            self.calls.push((method.to_owned(), value["params"].clone()));
        }
        Ok(())
    }

    /// Reads what comes within a time, so that the pool's calls are up to date. An end of the connection shows later.
    pub(super) fn listen(&mut self, wait: Duration) {
        let end = Instant::now() + wait;
        while self.hear(end.saturating_duration_since(Instant::now())).is_ok() {}
    }

    pub(super) fn patience(&self) -> Duration {
        self.patience
    }
}
