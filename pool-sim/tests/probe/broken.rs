//! A pool with one fault: our own pool behind a man in the middle who spoils it. All else is as it should be.

use serde_json::Value;
use std::collections::HashMap;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::spawn;
use std::time::Duration;

/// What happens to bytes on their way to the pool.
pub(crate) enum Up {
    Pass,
    /// They never arrive.
    Drop,
    /// The connection falls silent for good, and stays open.
    Mute,
    /// It is ended.
    End,
    /// The whole pool falls silent, for everybody.
    Die,
    /// They arrive later.
    Late(Duration),
}

/// A call of the miner, or of the pool where the id is null and no answer follows.
#[derive(Clone, Default)]
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) params: Value,
    /// The connection, counted from 0.
    pub(crate) connection: u32,
    /// How many calls of this method the connection made before.
    pub(crate) before: usize,
}

type Upward = dyn Fn(&[u8], u32) -> Up + Send + Sync;
type Downward = dyn Fn(&Call, Value) -> Vec<Value> + Send + Sync;

/// What is wrong with a pool.
#[derive(Clone)]
pub(crate) struct Fault {
    /// What the miner says: each chunk of bytes as it is read, and the connection.
    pub(crate) up: Arc<Upward>,
    /// What the pool says: a call of its own, or the answer to one of the miner's. Gives the lines that arrive.
    pub(crate) down: Arc<Downward>,
    /// What is said as soon as somebody connects.
    pub(crate) greeting: &'static str,
}

impl Fault {
    /// None at all.
    pub(crate) fn none() -> Fault {
        Fault { up: Arc::new(|_, _| Up::Pass), down: Arc::new(|_, line| vec![line]), greeting: "" }
    }
}

/// Starts the man in the middle. His threads end with the program.
pub(crate) fn behind(pool: SocketAddr, fault: Fault) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let dead = Arc::new(AtomicU32::new(0));
    spawn(move || {
        for (connection, miner) in listener.incoming().enumerate() {
            let (Ok(miner), Ok(pool)) = (miner, TcpStream::connect(pool)) else { continue };
            let (dead, fault) = (Arc::clone(&dead), fault.clone());
            let _ = miner.set_nodelay(true);
            let _ = pool.set_nodelay(true);
            spawn(move || serve(miner, pool, &fault, connection as u32, &dead));
        }
    });
    address
}

fn serve(mut miner: TcpStream, pool: TcpStream, fault: &Fault, connection: u32, dead: &AtomicU32) {
    let _ = miner.write_all(fault.greeting.as_bytes());
    let calls = Arc::new(Mutex::new(HashMap::new()));
    let (to_miner, from_pool) = (miner.try_clone().unwrap(), pool.try_clone().unwrap());
    let (known, spoils) = (Arc::clone(&calls), fault.clone());
    spawn(move || downward(from_pool, to_miner, &spoils, connection, &known));
    upward(miner, pool, fault, connection, dead, &calls);
}

type Calls = Mutex<HashMap<String, Call>>;

fn upward(mut miner: TcpStream, mut pool: TcpStream, fault: &Fault, connection: u32, dead: &AtomicU32, calls: &Calls) {
    let mut chunk = vec![0; 64 * 1024];
    let mut line = Vec::new();
    let mut counts: HashMap<String, usize> = HashMap::new();
    let mut mute = false;
    loop {
        let bytes = match miner.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => &chunk[..count],
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        for byte in bytes {
            if *byte == b'\n' {
                note(&line, connection, &mut counts, calls);
                line.clear();
            } else {
                line.push(*byte);
            }
        }
        if mute || dead.load(Ordering::Relaxed) > 0 {
            continue;
        }
        let sent = match (fault.up)(bytes, connection) {
            Up::Pass => pool.write_all(bytes),
            Up::Drop => Ok(()),
            Up::Mute => {
                mute = true;
                Ok(())
            }
            Up::End => break,
            Up::Die => {
                dead.store(1, Ordering::Relaxed);
                Ok(())
            }
            Up::Late(time) => {
                std::thread::sleep(time);
                pool.write_all(bytes)
            }
        };
        if sent.is_err() {
            break;
        }
    }
    let _ = pool.shutdown(Shutdown::Write);
}

/// Remembers a call, so that its answer is known as such.
fn note(line: &[u8], connection: u32, counts: &mut HashMap<String, usize>, calls: &Calls) {
    let Ok(value) = serde_json::from_slice::<Value>(line) else { return };
    let Some(method) = value.get("method").and_then(Value::as_str) else { return };
    let count = counts.entry(method.to_owned()).or_default();
    let call = Call { method: method.to_owned(), params: value["params"].clone(), connection, before: *count };
    *count += 1;
    calls.lock().unwrap().insert(value["id"].to_string(), call);
}

fn downward(pool: TcpStream, mut miner: TcpStream, fault: &Fault, connection: u32, calls: &Calls) {
    for line in BufReader::new(pool).lines() {
        let Ok(line) = line else { break };
        let value: Value = serde_json::from_str(&line).unwrap();
        let call = match value.get("method").and_then(Value::as_str) {
            Some(method) => Call { method: method.to_owned(), params: value["params"].clone(), connection, before: 0 },
            None => calls.lock().unwrap().get(&value["id"].to_string()).cloned().unwrap_or_default(),
        };
        for line in (fault.down)(&call, value) {
            if miner.write_all(format!("{line}\n").as_bytes()).is_err() {
                return;
            }
        }
    }
    let _ = miner.shutdown(Shutdown::Both);
}
