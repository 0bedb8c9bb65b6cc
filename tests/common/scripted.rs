//! A pool of hand-written lines. It knows none of our message types, so that both halves cannot be wrong alike.

#![allow(dead_code, reason = "each test takes what it needs")]

use serde_json::{Value, json};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// No wait takes as long, unless something is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Where a pool may listen, and its port.
pub(crate) fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

pub(crate) fn url(port: u16) -> String {
    format!("stratum+tcp://127.0.0.1:{port}")
}

/// Waits until something holds.
pub(crate) fn wait(holds: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "it never holds");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What a session goes over.
pub(crate) trait Stream: Read + Write + Send {}

impl<S: Read + Write + Send> Stream for S {}

/// The pool's end of a session.
pub(crate) struct Pool {
    lines: BufReader<Box<dyn Stream>>,
    /// The connection itself, under what is spoken on it.
    pub(crate) socket: TcpStream,
    /// The parameters of each share that was read.
    pub(crate) submits: Vec<Value>,
}

impl Pool {
    /// One on a connection, with what is spoken on it.
    pub(crate) fn on(socket: TcpStream, spoken: impl FnOnce(TcpStream) -> Box<dyn Stream>) -> Pool {
        socket.set_nonblocking(false).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        let lines = BufReader::new(spoken(socket.try_clone().unwrap()));
        Pool { lines, socket, submits: Vec::new() }
    }

    /// Waits for a miner to connect.
    pub(crate) fn accept(listener: &TcpListener) -> Pool {
        listener.set_nonblocking(true).unwrap();
        let end = Instant::now() + PATIENCE;
        let stream = loop {
            match listener.accept() {
                Ok((stream, _)) => break stream,
                Err(error) => assert!(error.kind() == ErrorKind::WouldBlock && Instant::now() < end, "{error}"),
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        Pool::on(stream, |stream| Box::new(stream))
    }

    /// Waits for a miner, and answers everything that it asks before it works: extranonce1 is f000000f, extranonce2 has
    /// four bytes, the version mask is BIP 320's.
    pub(crate) fn welcome(listener: &TcpListener) -> Pool {
        Pool::begin(listener, "f000000f").0
    }

    /// The same with another extranonce1, for a miner that asks for this session.
    pub(crate) fn welcome_as(listener: &TcpListener, session: Option<&str>, extranonce1: &str) -> Pool {
        let (pool, asked) = Pool::begin(listener, extranonce1);
        assert_eq!(asked.as_str(), session);
        pool
    }

    /// A session that begins, and the one that the miner asked for.
    fn begin(listener: &TcpListener, extranonce1: &str) -> (Pool, Value) {
        let mut pool = Pool::accept(listener);
        let configure = pool.expect("mining.configure");
        pool.answer(&configure, &json!({"version-rolling": true, "version-rolling.mask": "1fffe000"}));
        let subscribe = pool.expect("mining.subscribe");
        pool.finish_welcome(&subscribe, &json!([[["mining.notify", "s"]], extranonce1, 4]));
        (pool, subscribe["params"][1].clone())
    }

    /// Answers the miner's subscription, and what it asks after it.
    pub(crate) fn finish_welcome(&mut self, subscribe: &Value, subscribed: &Value) {
        self.answer(subscribe, subscribed);
        let extranonce = self.expect("mining.extranonce.subscribe");
        self.answer(&extranonce, &json!(true));
        let authorize = self.expect("mining.authorize");
        self.answer(&authorize, &json!(true));
    }

    /// The miner's next line, or `None` where it hung up.
    pub(crate) fn read(&mut self) -> Option<Value> {
        let mut line = String::new();
        let length = match self.lines.read_line(&mut line) {
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof) => 0,
            length => length.unwrap(),
        };
        let call: Option<Value> = (length > 0).then(|| serde_json::from_str(&line).unwrap());
        if let Some(submit) = call.as_ref().filter(|call| call["method"] == "mining.submit") {
            self.submits.push(submit["params"].clone());
        }
        call
    }

    /// The miner's next line, which must be a call of this method.
    pub(crate) fn expect(&mut self, method: &str) -> Value {
        let call = self.read().expect("the miner hung up");
        assert_eq!(call["method"], method, "{call}");
        call
    }

    pub(crate) fn answer(&mut self, call: &Value, result: &Value) {
        self.send(json!({"id": call["id"], "result": result, "error": null}).to_string());
    }

    pub(crate) fn call(&mut self, method: &str, params: &Value) {
        self.send(json!({"id": null, "method": method, "params": params}).to_string());
    }

    /// A line as it stands.
    pub(crate) fn send(&mut self, line: impl Into<Vec<u8>>) {
        self.try_send(line).unwrap();
    }

    /// A line as it stands, where the miner may have hung up, or take nothing.
    pub(crate) fn try_send(&mut self, line: impl Into<Vec<u8>>) -> io::Result<()> {
        let mut line = line.into();
        line.push(b'\n');
        self.write(&line)
    }

    /// Bytes as they stand.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let stream = self.lines.get_mut();
        stream.write_all(bytes)?;
        stream.flush()
    }
}

/// The parameters of a `mining.notify`.
pub(crate) fn job(id: &str) -> Value {
    let coinbase1 = ["01000000", "01", &"00".repeat(32), "ffffffff", "0d", "03008d0c"].concat();
    let coinbase2 = ["00", "ffffffff", "01", "00f2052a01000000", "0151", "00000000"].concat();
    let (previous, branch) = ["0a0b0c0d".repeat(8), "11".repeat(32)].into();
    json!([id, previous, coinbase1, coinbase2, [branch], "20000000", "1d00ffff", "665f0000", false])
}
