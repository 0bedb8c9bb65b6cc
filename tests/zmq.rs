//! Tips that a node announces over ZMQ. The node is `pool-sim`'s; the publisher plays what libzmq sends.
//! `scripts/interop/zmq` has libzmq itself in its place, and `scripts/interop/solo` Bitcoin Core.
#![cfg(feature = "solo")]

use bitcoin::hashes::Hash;
use midstate::upstream::{Event, Handle, Login, Node, Source, ZmqError, spawn};
use midstate_stratum::Difficulty;
use pool_sim::node::Auth;
use pool_sim::pool::PoolConfig;
use pool_sim::{Config, Simulator, anyone_can_spend};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::Receiver;
use tokio::time::timeout;

/// No wait takes as long, unless something is broken; and it is shorter than a long poll.
const PATIENCE: Duration = Duration::from_secs(45);
/// The greeting and READY of libzmq 4.3.5.
const HANDSHAKE: &str = "ff00000000000000017f03014e554c4c00000000000000000000000000000000\
                         0000000000000000000000000000000000000000000000000000000000000000\
                         04190552454144590b536f636b65742d5479706500000003505542";

async fn simulator() -> Simulator {
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let pool = PoolConfig::new(listen, Difficulty::ONE, anyone_can_spend().script_pubkey());
    let rpc = Some((listen, Auth::password("alice", "secret")));
    pool_sim::start(Config { rpc, templates: None, pool, premine: 0 }, |_| {}).await.unwrap()
}

/// Makes a block. Its hash, in a header's byte order.
fn block(simulator: &Simulator) -> [u8; 32] {
    simulator.node().generate(1, &anyone_can_spend().script_pubkey()).unwrap()[0].to_byte_array()
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// In front of a node: everything passes but long polls, which are never answered.
async fn without_long_poll(node: SocketAddr) -> SocketAddr {
    let (listener, address) = listener().await;
    tokio::spawn(async move {
        while let Ok((miner, _)) = listener.accept().await {
            let (to_node, miner) = (TcpStream::connect(node).await.unwrap(), miner.into_split());
            let (mut answers, mut to_node) = to_node.into_split();
            let (mut requests, mut to_miner) = (BufReader::new(miner.0), miner.1);
            tokio::spawn(async move { copy(&mut answers, &mut to_miner).await });
            tokio::spawn(async move {
                loop {
                    let (mut request, mut length) = (String::new(), 0);
                    while !request.ends_with("\r\n\r\n") {
                        let start = request.len();
                        assert!(requests.read_line(&mut request).await? > 0, "the miner hung up");
                        let line = request[start..].to_ascii_lowercase();
                        length = line.strip_prefix("content-length:").map_or(length, |n| n.trim().parse().unwrap());
                    }
                    let mut body = vec![0; length];
                    requests.read_exact(&mut body).await?;
                    if !String::from_utf8_lossy(&body).contains("longpollid") {
                        to_node.write_all(&[request.as_bytes(), &body].concat()).await?;
                    }
                }
                #[expect(unreachable_code, reason = "it says what an error is here")]
                Ok::<(), std::io::Error>(())
            });
        }
    });
    address
}

fn join(node: SocketAddr, zmq: SocketAddr) -> (Handle, Receiver<Event>) {
    spawn(vec![Source::Node(Node {
        url: format!("http://{node}").parse().unwrap(),
        login: Login::Password { user: "alice".to_owned(), password: "secret".to_owned() },
        pay_to: "bcrt1qrxcucnxg57q5lrq8qnhjm2yg8sac3v3jejqq9h".parse().unwrap(),
        tag: Vec::new(),
        quota: None,
        zmq: Some(format!("tcp://{zmq}").parse().unwrap()),
    })])
}

async fn next(events: &mut Receiver<Event>) -> Event {
    timeout(PATIENCE, events.recv()).await.expect("nothing was said").unwrap()
}

/// The block that the next job comes after; whatever else is said before it must be the connection.
async fn job(events: &mut Receiver<Event>) -> [u8; 32] {
    loop {
        match next(events).await {
            Event::Job { job, .. } => return job.previous_block_hash,
            Event::Connected { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

/// Shakes hands as libzmq does, and waits for the subscription.
async fn subscriber(listener: &TcpListener) -> TcpStream {
    let (mut stream, _) = timeout(PATIENCE, listener.accept()).await.expect("nobody came").unwrap();
    stream.write_all(&hex::decode_to_vec(HANDSHAKE).unwrap()).await.unwrap();
    let mut said = [0; 64 + 27 + 12];
    stream.read_exact(&mut said).await.unwrap();
    assert!(said.ends_with(b"\x00\x0a\x01hashblock"));
    stream
}

fn announcement(mut tip: [u8; 32], count: u32) -> Vec<u8> {
    tip.reverse();
    [&b"\x01\x09hashblock\x01\x20"[..], &tip, b"\0\x04", &count.to_le_bytes()].concat()
}

/// Also where the connection breaks between two.
#[test]
fn an_announcement_brings_a_job() {
    Runtime::new().unwrap().block_on(async {
        let simulator = simulator().await;
        let (publisher, zmq) = listener().await;
        let (_handle, mut events) = join(without_long_poll(simulator.rpc_address().unwrap()).await, zmq);
        job(&mut events).await;
        let mut stream = subscriber(&publisher).await;
        for count in 0..6 {
            let tip = block(&simulator);
            stream.write_all(&announcement(tip, count)).await.unwrap();
            assert_eq!(job(&mut events).await, tip);
            if count % 2 == 1 {
                drop(stream);
                // It is the first word of it.
                assert!(matches!(next(&mut events).await, Event::Unheard { error: ZmqError::Closed, .. }));
                stream = subscriber(&publisher).await;
            }
        }
        simulator.stop().await;
    });
}

/// By announcement or by long poll, whichever is first: one job for each block, whatever else is announced.
#[test]
fn one_job_for_each_tip() {
    Runtime::new().unwrap().block_on(async {
        let simulator = simulator().await;
        let (publisher, zmq) = listener().await;
        let (_handle, mut events) = join(simulator.rpc_address().unwrap(), zmq);
        let first = job(&mut events).await;
        let mut stream = subscriber(&publisher).await;
        let mut before = first;
        for count in 0..20 {
            let tip = block(&simulator);
            let long = [b"\x02\0\0\0\0\0\x10\0\0".to_vec(), vec![9; 0x10_0000]].concat();
            let all = [
                // Counts that lack some, old tips, other topics, short messages, long ones.
                announcement(tip, 3 * count),
                announcement(before, 3 * count + 1),
                announcement([7; 32], 0),
                b"\x01\x06hashtx\x01\x20".iter().copied().chain([1; 32]).chain(*b"\0\x04\0\0\0\0").collect(),
                b"\x01\x09hashblock\0\x01x\0\x00".to_vec(),
                long,
                announcement(tip, 3 * count + 2),
            ];
            stream.write_all(&all.concat()).await.unwrap();
            assert_eq!(job(&mut events).await, tip);
            before = tip;
        }
        // Many in a row: some are passed over, but none comes twice, and none after one that is newer.
        let tips: Vec<_> = (0..50).map(|_| block(&simulator)).collect();
        let count = |count: usize| u32::try_from(count).unwrap();
        let all: Vec<_> = tips.iter().enumerate().map(|(at, tip)| announcement(*tip, count(at))).collect();
        stream.write_all(&all.concat()).await.unwrap();
        let mut rest = tips.as_slice();
        while !rest.is_empty() {
            let next = job(&mut events).await;
            let at = rest.iter().position(|tip| *tip == next).expect("it is old, or came twice");
            rest = &rest[at + 1..];
        }
        simulator.stop().await;
    });
}

/// Mining goes on by long poll, without more words.
#[test]
fn what_is_not_heard_is_said_once() {
    Runtime::new().unwrap().block_on(async {
        let simulator = simulator().await;
        let (nobody, zmq) = listener().await;
        let (_handle, mut events) = join(simulator.rpc_address().unwrap(), zmq);
        job(&mut events).await;
        for _ in 0..3 {
            drop(timeout(PATIENCE, nobody.accept()).await.expect("nobody came").unwrap());
        }
        let Event::Unheard { url, error } = next(&mut events).await else { panic!("it was not said") };
        assert_eq!(url.to_string(), format!("tcp://{zmq}"));
        // Closed, or reset.
        assert!(matches!(error, ZmqError::Closed | ZmqError::Io(_)), "{error}");
        for _ in 0..3 {
            let tip = block(&simulator);
            assert_eq!(job(&mut events).await, tip);
        }
        drop(nobody);
        let tip = block(&simulator);
        assert_eq!(job(&mut events).await, tip);
        simulator.stop().await;
    });
}
