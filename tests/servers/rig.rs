//! One scenario: a server that does something wrong, then is well; and a miner that must say what is wrong, and mine again.

use crate::common::joined::pool;
use crate::common::outlasting::{Outlasted, mine};
use crate::common::scripted::{Pool, job};
use midstate::upstream::{self, Protocol, Trust};
use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A line of the table.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// A part of what the miner must say. Empty where it must say nothing.
    says: &'static str,
    wrong: Wrong,
    tls: Option<(Trust, Arc<ServerConfig>)>,
}

enum Wrong {
    /// With the port, before the miner is there, and for so long after: nobody takes a connection.
    Port { script: fn(&Socket) -> Vec<TcpStream>, time: Duration },
    /// On each of so many connections.
    Connection { from: From, script: Box<dyn Fn(&mut Pool) + Send>, then: Then, times: usize },
}

/// Where a script begins.
#[derive(Clone, Copy, PartialEq)]
enum From {
    /// The bare connection, before TLS.
    Wire,
    /// A connection on which nothing was said.
    Stranger,
    /// A session with a job, of which a share was accepted.
    Session,
}

/// What becomes of the connection after its script.
#[derive(Clone, Copy, PartialEq)]
enum Then {
    /// The server is well on it.
    GoesOn,
    /// It stays as it is, for ever: the server is well on others.
    Held,
    /// The server drops it: it is well on others.
    Dropped,
}

fn scenario(
    name: &'static str,
    says: &'static str,
    (from, then): (From, Then),
    script: impl Fn(&mut Pool) + Send + 'static,
) -> Scenario {
    let wrong = Wrong::Connection { from, script: Box::new(script), then, times: 1 };
    Scenario { name, says, wrong, tls: None }
}

/// Something is wrong with the port for a time. What the script makes is kept so long.
pub(crate) fn port(
    name: &'static str,
    says: &'static str,
    time: Duration,
    script: fn(&Socket) -> Vec<TcpStream>,
) -> Scenario {
    Scenario { name, says, wrong: Wrong::Port { script, time }, tls: None }
}

/// Something is wrong on the wire, below TLS: the miner must come back.
pub(crate) fn wire(name: &'static str, says: &'static str, script: fn(&mut Pool)) -> Scenario {
    scenario(name, says, (From::Wire, Then::Held), script)
}

/// A session cannot begin so: the miner must come back.
pub(crate) fn stranger(
    name: &'static str,
    says: &'static str,
    script: impl Fn(&mut Pool) + Send + 'static,
) -> Scenario {
    scenario(name, says, (From::Stranger, Then::Held), script)
}

/// A session begins in an odd way, and must go on.
pub(crate) fn odd(name: &'static str, says: &'static str, script: impl Fn(&mut Pool) + Send + 'static) -> Scenario {
    scenario(name, says, (From::Stranger, Then::GoesOn), script)
}

/// A session must end, and the miner must come back.
pub(crate) fn ends(name: &'static str, says: &'static str, script: impl Fn(&mut Pool) + Send + 'static) -> Scenario {
    scenario(name, says, (From::Session, Then::Held), script)
}

/// A session must go on.
pub(crate) fn goes_on(name: &'static str, says: &'static str, script: impl Fn(&mut Pool) + Send + 'static) -> Scenario {
    scenario(name, says, (From::Session, Then::GoesOn), script)
}

impl Scenario {
    /// The server drops the connection after the script.
    pub(crate) fn dropped(mut self) -> Scenario {
        if let Wrong::Connection { then, .. } = &mut self.wrong {
            *then = Then::Dropped;
        }
        self
    }

    /// It does it on so many connections.
    pub(crate) fn times(mut self, number: usize) -> Scenario {
        if let Wrong::Connection { times, .. } = &mut self.wrong {
            *times = number;
        }
        self
    }

    /// In TLS, with a miner that trusts so.
    pub(crate) fn tls(mut self, trust: Trust, config: &Arc<ServerConfig>) -> Scenario {
        self.tls = Some((trust, Arc::clone(config)));
        self
    }
}

/// What a server knows at its end.
struct Served {
    well: Instant,
    submits: Vec<Value>,
}

/// Runs a scenario, with the miner in this thread. What is wrong with the miner, or what it did well.
pub(crate) fn run(scenario: Scenario) -> Result<Outlasted, String> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let held = match scenario.wrong {
        Wrong::Port { script, .. } => script(&socket),
        Wrong::Connection { .. } => {
            socket.listen(128).unwrap();
            Vec::new()
        }
    };
    let mut pool = pool(address.port());
    if let Some((trust, _)) = &scenario.tls {
        pool = upstream::Pool { trust: trust.clone(), ..pool };
        pool.url.protocol = Protocol::V1Tls;
        "localhost".clone_into(&mut pool.url.host);
    }
    let done = Arc::new(AtomicBool::new(false));
    let says = scenario.says;
    let server = {
        let done = Arc::clone(&done);
        std::thread::spawn(move || serve(&scenario, socket, held, &done))
    };
    let mined = mine(pool, "well", &done);
    done.store(true, Ordering::Relaxed);
    let served = server.join().map_err(|_| format!("the server's script failed; the miner did {mined:?}"))?;
    let nonces = served.submits.iter().map(|submit| submit[4].to_string()).collect();
    mined?.judge(says, nonces, served.well)
}

fn serve(scenario: &Scenario, socket: Socket, held: Vec<TcpStream>, done: &AtomicBool) -> Served {
    let mut pools = Vec::new();
    let mut well = Instant::now();
    let tls = scenario.tls.as_ref().map(|(_, config)| config);
    let listener = match &scenario.wrong {
        Wrong::Port { time, .. } => {
            std::thread::sleep(*time);
            drop(held);
            socket.listen(128).unwrap();
            well = Instant::now();
            TcpListener::from(socket)
        }
        Wrong::Connection { from, script, then, times } => {
            let listener = TcpListener::from(socket);
            for _ in 0..*times {
                let Some(stream) = accept(&listener, done) else { break };
                let mut pool = speak(stream, tls.filter(|_| *from != From::Wire));
                if *from == From::Session {
                    welcome(&mut pool);
                    asked(&mut pool, "first");
                }
                script(&mut pool);
                well = Instant::now();
                match then {
                    Then::GoesOn => {
                        pool.call("mining.notify", &job("well"));
                        answer(&mut pool);
                        pools.push((pool.submits, None));
                    }
                    Then::Held => pools.push((pool.submits.clone(), Some(pool))),
                    Then::Dropped => pools.push((pool.submits, None)),
                }
            }
            listener
        }
    };
    while let Some(stream) = accept(&listener, done) {
        let mut pool = speak(stream, tls);
        answer(&mut pool);
        pools.push((pool.submits, None));
    }
    Served { well, submits: pools.into_iter().flat_map(|(submits, _)| submits).collect() }
}

/// The next connection, unless the miner is done.
fn accept(listener: &TcpListener, done: &AtomicBool) -> Option<TcpStream> {
    listener.set_nonblocking(true).unwrap();
    while !done.load(Ordering::Relaxed) {
        if let Ok((stream, _)) = listener.accept() {
            return Some(stream);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    None
}

fn speak(stream: TcpStream, tls: Option<&Arc<ServerConfig>>) -> Pool {
    Pool::on(stream, |stream| match tls {
        None => Box::new(stream),
        Some(config) => Box::new(StreamOwned::new(ServerConnection::new(Arc::clone(config)).unwrap(), stream)),
    })
}

/// Answers everything, as a server that is well, until the miner hangs up. Whoever authorizes gets the job `well`.
fn answer(pool: &mut Pool) {
    while let Some(call) = pool.read() {
        let result = match call["method"].as_str() {
            Some("mining.configure") => json!({"version-rolling": true, "version-rolling.mask": "1fffe000"}),
            Some("mining.subscribe") => json!([[["mining.notify", "s"]], "f000000f", 4]),
            _ => json!(true),
        };
        let answer = json!({"id": call["id"], "result": result, "error": null}).to_string();
        if pool.try_send(answer).is_err() {
            return;
        }
        if call["method"] == "mining.authorize" {
            pool.call("mining.notify", &job("well"));
        }
    }
}

/// Takes a miner in, all but its first job.
pub(crate) fn welcome(pool: &mut Pool) {
    let configure = pool.expect("mining.configure");
    pool.answer(&configure, &json!({"version-rolling": true, "version-rolling.mask": "1fffe000"}));
    let subscribe = pool.expect("mining.subscribe");
    pool.answer(&subscribe, &json!([[["mining.notify", "s"]], "f000000f", 4]));
    authorize(pool, r#""result":true,"error":null"#);
}

/// Answers what follows on subscribe, with this for authorize.
pub(crate) fn authorize(pool: &mut Pool, answer: &str) {
    let extranonce = pool.expect("mining.extranonce.subscribe");
    pool.answer(&extranonce, &json!(true));
    let authorize = pool.expect("mining.authorize");
    reply(pool, &authorize, answer);
}

/// An answer to a call, but for the id.
pub(crate) fn reply(pool: &mut Pool, call: &Value, answer: &str) {
    pool.send(format!(r#"{{"id":{},{answer}}}"#, call["id"]));
}

/// A job, whose share is accepted.
pub(crate) fn asked(pool: &mut Pool, id: &str) {
    let submit = share_of(pool, &job(id));
    pool.answer(&submit, &json!(true));
}

/// The share of a job.
pub(crate) fn share_of(pool: &mut Pool, job: &Value) -> Value {
    pool.call("mining.notify", job);
    pool.expect("mining.submit")
}
