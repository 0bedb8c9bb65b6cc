//! One scenario: a pool of Stratum V2 that does something wrong, then is well; and a miner that must say what is wrong, and mine again.

use crate::common::outlasting::{Outlasted, mine};
use crate::common::scripted::{PATIENCE, listener};
use crate::common::v2::{V2Pool, pool};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The job of a pool that is well.
pub(crate) const WELL: u32 = 777;

/// A line of the table.
pub(crate) struct Scenario {
    pub(crate) name: String,
    /// A part of what the miner must say. Empty where it must say nothing.
    says: String,
    script: Script,
    then: Then,
}

enum Script {
    /// On the bare connection, before the handshake.
    Wire(Box<dyn Fn(&mut TcpStream) + Send>),
    /// After the handshake.
    Stranger(Box<dyn Fn(&mut V2Pool) + Send>),
    /// In a session with a job, of which a share was accepted.
    Session(Box<dyn Fn(&mut V2Pool) + Send>),
}

/// What becomes of the connection after its script.
#[derive(Clone, Copy, PartialEq)]
enum Then {
    /// The pool is well on it.
    GoesOn,
    /// It stays as it is, for ever: the pool is well on others.
    Held,
    /// The pool drops it: it is well on others.
    Dropped,
}

fn scenario(name: impl Into<String>, says: impl Into<String>, script: Script, then: Then) -> Scenario {
    Scenario { name: name.into(), says: says.into(), script, then }
}

/// Something is wrong with the handshake: the miner must come back.
pub(crate) fn wire(
    name: impl Into<String>,
    says: impl Into<String>,
    script: impl Fn(&mut TcpStream) + Send + 'static,
) -> Scenario {
    scenario(name, says, Script::Wire(Box::new(script)), Then::Held)
}

/// A session cannot begin so: the miner must come back.
pub(crate) fn stranger(
    name: impl Into<String>,
    says: impl Into<String>,
    script: impl Fn(&mut V2Pool) + Send + 'static,
) -> Scenario {
    scenario(name, says, Script::Stranger(Box::new(script)), Then::Held)
}

/// A session begins in an odd way, and must go on.
pub(crate) fn odd(
    name: impl Into<String>,
    says: impl Into<String>,
    script: impl Fn(&mut V2Pool) + Send + 'static,
) -> Scenario {
    scenario(name, says, Script::Stranger(Box::new(script)), Then::GoesOn)
}

/// A session must end, and the miner must come back.
pub(crate) fn ends(
    name: impl Into<String>,
    says: impl Into<String>,
    script: impl Fn(&mut V2Pool) + Send + 'static,
) -> Scenario {
    scenario(name, says, Script::Session(Box::new(script)), Then::Held)
}

/// A session must go on.
pub(crate) fn goes_on(
    name: impl Into<String>,
    says: impl Into<String>,
    script: impl Fn(&mut V2Pool) + Send + 'static,
) -> Scenario {
    scenario(name, says, Script::Session(Box::new(script)), Then::GoesOn)
}

impl Scenario {
    /// The pool drops the connection after the script.
    pub(crate) fn dropped(self) -> Scenario {
        Scenario { then: Then::Dropped, ..self }
    }
}

/// What a pool knows at its end.
struct Served {
    well: Instant,
    /// The nonce of each share that came.
    nonces: Vec<u32>,
}

/// Runs a scenario, with the miner in this thread. What is wrong with the miner, or what it did well.
pub(crate) fn run(scenario: Scenario) -> Result<Outlasted, String> {
    let (listener, port) = listener();
    let done = Arc::new(AtomicBool::new(false));
    let says = scenario.says.clone();
    let server = {
        let done = Arc::clone(&done);
        std::thread::spawn(move || serve(&scenario, &listener, &done))
    };
    let mined = mine(pool(port), &WELL.to_string(), &done);
    done.store(true, Ordering::Relaxed);
    let served = server.join().map_err(|_| format!("the pool's script failed; the miner did {mined:?}"))?;
    mined?.judge(&says, served.nonces, served.well)
}

fn serve(scenario: &Scenario, listener: &TcpListener, done: &AtomicBool) -> Served {
    // What stays open, or its shares.
    let (mut pools, mut streams) = (Vec::new(), Vec::new());
    let mut well = Instant::now();
    if let Some(mut stream) = accept(listener, done) {
        let begun = |stream, script: &dyn Fn(&mut V2Pool), session: bool| {
            let mut pool = V2Pool::on(stream);
            if session {
                pool.set_up(0);
                pool.open();
                pool.work(1);
                let share = pool.share();
                pool.accept_all(share.sequence_number);
            }
            script(&mut pool);
            pool
        };
        let pool = match &scenario.script {
            Script::Wire(script) => {
                script(&mut stream);
                if scenario.then == Then::Held {
                    streams.push(stream);
                }
                None
            }
            Script::Stranger(script) => Some(begun(stream, script, false)),
            Script::Session(script) => Some(begun(stream, script, true)),
        };
        well = Instant::now();
        if let Some(mut pool) = pool {
            match scenario.then {
                Then::GoesOn => {
                    pool.work(WELL);
                    pool.serve(WELL);
                    pools.push((pool.nonces(), None));
                }
                Then::Held => pools.push((pool.nonces(), Some(pool))),
                Then::Dropped => pools.push((pool.nonces(), None)),
            }
        }
    }
    while let Some(stream) = accept(listener, done) {
        let mut pool = V2Pool::on(stream);
        pool.serve(WELL);
        pools.push((pool.nonces(), None));
    }
    Served { well, nonces: pools.into_iter().flat_map(|(nonces, _)| nonces).collect() }
}

/// The next connection, unless the miner is done.
fn accept(listener: &TcpListener, done: &AtomicBool) -> Option<TcpStream> {
    listener.set_nonblocking(true).unwrap();
    while !done.load(Ordering::Relaxed) {
        if let Ok((stream, _)) = listener.accept() {
            stream.set_nonblocking(false).unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            return Some(stream);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    None
}
