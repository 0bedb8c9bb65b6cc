//! A pool, and a miner made of hand-written lines and the `bitcoin` crate: nothing here uses our message types.

use bitcoin::block::Header;
use bitcoin::consensus::deserialize;
use bitcoin::hashes::{Hash, sha256d};
use bitcoin::hex::{DisplayHex, FromHex};
use midstate_stratum::Difficulty;
use pool_sim::chain::Params;
use pool_sim::node::Node;
use pool_sim::pool::{Pool, PoolConfig, PoolEvent, ShareRecord};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc;
use std::time::Duration;
use tokio::runtime::Runtime;

/// Every hash is a share; half of them are blocks on regtest.
pub(super) const EASY: f64 = 1e-12;
/// What shares here put into the coinbase.
pub(super) const EXTRANONCE2: &str = "0000000000000001";

/// Dropped in this order: the pool needs the runtime.
pub(super) struct Setup {
    pub(super) pool: Pool,
    pub(super) node: Node,
    pub(super) events: mpsc::Receiver<PoolEvent>,
    _runtime: Runtime,
}

/// A pool at height 16, set up as usual but for a change.
pub(super) fn setup(change: impl FnOnce(&mut PoolConfig)) -> Setup {
    let node = Node::new(Params::regtest());
    node.premine(16, &pool_sim::anyone_can_spend().script_pubkey()).unwrap();
    setup_on(node, change)
}

/// A pool on a node that is there already.
pub(super) fn setup_on(node: Node, change: impl FnOnce(&mut PoolConfig)) -> Setup {
    let runtime = Runtime::new().unwrap();
    let pay_to = pool_sim::anyone_can_spend().script_pubkey();
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut config = PoolConfig::new(listen, Difficulty::new(EASY).unwrap(), pay_to);
    change(&mut config);
    let (sender, events) = mpsc::channel();
    let pool = runtime.block_on(Pool::start(node.clone(), config, move |event| drop(sender.send(event)))).unwrap();
    Setup { pool, node, events, _runtime: runtime }
}

impl Setup {
    /// Moves the tip on.
    pub(super) fn generate(&self) {
        self.node.generate(1, &pool_sim::anyone_can_spend().script_pubkey()).unwrap();
    }

    /// The shares that were judged since this was asked last.
    pub(super) fn shares(&self) -> Vec<ShareRecord> {
        let share = |event| match event {
            PoolEvent::Share(record) => Some(*record),
            _ => None,
        };
        self.events.try_iter().filter_map(share).collect()
    }

    pub(super) fn height(&self) -> u32 {
        self.node.tip().borrow().height
    }
}

/// A miner's end of the wire.
pub(super) struct Miner {
    pub(super) stream: TcpStream,
    lines: BufReader<TcpStream>,
    /// Calls of the pool that came while a reply was waited for.
    calls: Vec<Value>,
    pub(super) session: String,
    pub(super) extranonce1: String,
}

impl Miner {
    pub(super) fn connect(setup: &Setup) -> Miner {
        Miner::connect_to(setup.pool.address())
    }

    pub(super) fn connect_to(address: SocketAddr) -> Miner {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let lines = BufReader::new(stream.try_clone().unwrap());
        Miner { stream, lines, calls: Vec::new(), session: String::new(), extranonce1: String::new() }
    }

    /// Subscribed, to a given session if there is one, and authorized as alice.
    pub(super) fn ready(setup: &Setup, session: Option<&str>) -> Miner {
        let mut miner = Miner::connect(setup);
        miner.subscribe(session);
        assert_eq!(miner.call(r#"{"id":2,"method":"mining.authorize","params":["alice","x"]}"#)["result"], true);
        miner
    }

    pub(super) fn subscribe(&mut self, session: Option<&str>) {
        let subscribe = json!({"id": "s", "method": "mining.subscribe", "params": ["hand", session]});
        // Answers to lines that were sent without waiting for them come first.
        let mut reply = self.call(&subscribe.to_string());
        while reply["id"] != "s" {
            reply = self.reply();
        }
        assert_eq!(reply["error"], Value::Null);
        reply["result"][0][1][1].as_str().unwrap().clone_into(&mut self.session);
        reply["result"][1].as_str().unwrap().clone_into(&mut self.extranonce1);
        assert_eq!(reply["result"][2], 8);
    }

    pub(super) fn send(&mut self, line: &str) {
        self.stream.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    pub(super) fn read(&mut self) -> Value {
        let mut line = String::new();
        assert!(self.lines.read_line(&mut line).unwrap() > 0, "the pool hung up");
        serde_json::from_str(&line).unwrap()
    }

    /// Reads on until the pool hangs up.
    pub(super) fn read_to_end(&mut self) {
        let mut line = String::new();
        while self.lines.read_line(&mut line).unwrap() > 0 {}
    }

    pub(super) fn reply(&mut self) -> Value {
        loop {
            let line = self.read();
            if line.get("method").is_none() {
                return line;
            }
            self.calls.push(line);
        }
    }

    pub(super) fn call(&mut self, line: &str) -> Value {
        self.send(line);
        self.reply()
    }

    /// The parameters of the pool's next call of that name, also if it came before.
    pub(super) fn told(&mut self, method: &str) -> Value {
        loop {
            if let Some(at) = self.calls.iter().position(|call| call["method"] == method) {
                return self.calls.remove(at)["params"].clone();
            }
            let line = self.read();
            self.calls.push(line);
        }
    }

    /// The next job.
    pub(super) fn job(&mut self) -> Value {
        self.told("mining.notify")
    }

    /// Why a share is refused: code and message.
    pub(super) fn refusal(&mut self, share: &Value) -> Option<(i64, String)> {
        let reply = self.call(&json!({"id": 9, "method": "mining.submit", "params": share}).to_string());
        if reply["error"].is_null() {
            assert_eq!(reply["result"], true);
            return None;
        }
        assert!(reply["result"].is_null() && reply["error"][2].is_null(), "{reply}");
        Some((reply["error"][0].as_i64().unwrap(), reply["error"][1].as_str().unwrap().to_owned()))
    }

    /// The refusal's code, or 0 for an accepted share.
    pub(super) fn submit(&mut self, share: &Value) -> i64 {
        self.refusal(share).map_or(0, |(code, _)| code)
    }
}

/// A share of a job, searched for with the `bitcoin` crate: one that is a block, or one that is not.
pub(super) fn share(job: &Value, extranonce1: &str, seconds_later: i32, version_bits: u32, is_block: bool) -> Value {
    share_with(job, extranonce1, EXTRANONCE2, seconds_later, version_bits, is_block)
}

/// The same, with another extranonce2.
pub(super) fn share_with(
    job: &Value,
    extranonce1: &str,
    extranonce2: &str,
    seconds_later: i32,
    version_bits: u32,
    is_block: bool,
) -> Value {
    let text = |at: usize| job[at].as_str().unwrap();
    let word = |at: usize| u32::from_str_radix(text(at), 16).unwrap();
    let bytes = |digits: &str| Vec::<u8>::from_hex(digits).unwrap();
    let coinbase = bytes(&[text(2), extranonce1, extranonce2, text(3)].concat());
    let _: bitcoin::Transaction = deserialize(&coinbase).unwrap();
    let join = |hash: sha256d::Hash, branch: &Value| {
        sha256d::Hash::hash(&[&hash[..], &bytes(branch.as_str().unwrap())].concat())
    };
    let root = job[4].as_array().unwrap().iter().fold(sha256d::Hash::hash(&coinbase), join);
    let mut previous = bytes(text(1));
    previous.chunks_mut(4).for_each(<[u8]>::reverse);
    let ntime = word(7).checked_add_signed(seconds_later).unwrap();
    let found = (0..u32::MAX).find(|nonce| {
        let header = [
            &(word(5) | version_bits).to_le_bytes()[..],
            &previous,
            &root[..],
            &ntime.to_le_bytes(),
            &word(6).to_le_bytes(),
            &nonce.to_le_bytes(),
        ];
        let header: Header = deserialize(&header.concat()).unwrap();
        header.target().is_met_by(header.block_hash()) == is_block
    });
    let hex = |word: u32| word.to_be_bytes().to_lower_hex_string();
    json!(["alice", text(0), extranonce2, hex(ntime), hex(found.unwrap()), hex(version_bits)])
}
