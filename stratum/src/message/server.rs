//! What a pool calls.

use super::client::difficulty;
use super::fields::{MessageError, Params, hash, hex, swap_words, unsigned, word};
use super::reply::extranonce2_size;
use super::{Id, call_line, number};
use crate::Difficulty;
use serde_json::{Value, json};

/// A pool's call. Only `client.get_version` and `mining.ping` want a reply.
#[derive(Clone, Debug, PartialEq)]
pub enum ServerCall {
    /// `mining.notify`.
    Notify(Notify),
    /// `mining.set_difficulty`: holds from the next notify.
    SetDifficulty(Difficulty),
    /// `mining.set_extranonce`: holds from the next notify.
    SetExtranonce {
        /// The new extranonce1.
        extranonce1: Vec<u8>,
        /// The new size of extranonce2, in bytes.
        extranonce2_size: usize,
    },
    /// `mining.set_version_mask` (BIP 310), or `mining.set_version`, as some servers say it: holds at once.
    SetVersionMask(u32),
    /// `client.reconnect`.
    Reconnect {
        /// Where to, if not the same place.
        host: Option<String>,
        /// The port, if not the same.
        port: Option<u16>,
        /// How long to wait first, in seconds.
        wait: u64,
    },
    /// `client.show_message`.
    ShowMessage(String),
    /// `client.get_version`: answer the agent.
    GetVersion,
    /// `mining.ping`: answer "pong".
    Ping,
    /// A method that is not known here.
    Unknown(String),
}

/// A job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notify {
    /// The pool's name for it.
    pub job_id: String,
    /// The hash of the block to build on, in internal order. On the wire each of its words is reversed.
    pub previous_block_hash: [u8; 32],
    /// The coinbase up to extranonce1.
    pub coinbase1: Vec<u8>,
    /// The coinbase from after extranonce2 on.
    pub coinbase2: Vec<u8>,
    /// The hashes beside the coinbase's way to the merkle root, in internal order, lowest first.
    pub merkle_branches: Vec<[u8; 32]>,
    /// The block's version.
    pub version: u32,
    /// The block's compact target.
    pub nbits: u32,
    /// The block's time, in seconds since 1970.
    pub ntime: u32,
    /// Whether older jobs are void.
    pub clean_jobs: bool,
}

impl ServerCall {
    /// Gives a call its type.
    pub fn read(method: &str, params: &[Value]) -> Result<ServerCall, MessageError> {
        let list = Params(params);
        Ok(match method {
            "mining.notify" => ServerCall::Notify(Notify::read(&list)?),
            "mining.set_difficulty" => ServerCall::SetDifficulty(difficulty(list.get(0), "difficulty")?),
            "mining.set_extranonce" => ServerCall::SetExtranonce {
                extranonce1: list.bytes(0, "extranonce1")?,
                extranonce2_size: extranonce2_size(list.get(1))?,
            },
            "mining.set_version_mask" | "mining.set_version" => {
                ServerCall::SetVersionMask(word(list.get(0), "version_mask")?)
            }
            "client.reconnect" => ServerCall::Reconnect {
                host: list.get(0).as_str().filter(|host| !host.is_empty()).map(str::to_owned),
                port: match list.get(1) {
                    Value::Null => None,
                    value => Some(port(value)?),
                },
                wait: unsigned(list.get(2), "wait").unwrap_or(0),
            },
            "client.show_message" => ServerCall::ShowMessage(list.string(0, "message")?),
            "client.get_version" => ServerCall::GetVersion,
            "mining.ping" => ServerCall::Ping,
            other => ServerCall::Unknown(other.to_owned()),
        })
    }

    /// The line to send, without its newline. The id is null for what wants no reply.
    pub fn to_line(&self, id: &Id) -> String {
        let (method, params) = match self {
            ServerCall::Notify(notify) => ("mining.notify", notify.to_params()),
            ServerCall::SetDifficulty(difficulty) => ("mining.set_difficulty", json!([number(difficulty.get())])),
            ServerCall::SetExtranonce { extranonce1, extranonce2_size } => {
                ("mining.set_extranonce", json!([hex(extranonce1), extranonce2_size]))
            }
            ServerCall::SetVersionMask(mask) => ("mining.set_version_mask", json!([format!("{mask:08x}")])),
            ServerCall::Reconnect { host: None, port: None, wait: 0 } => ("client.reconnect", json!([])),
            ServerCall::Reconnect { host, port, wait } => ("client.reconnect", json!([host, port, wait])),
            ServerCall::ShowMessage(message) => ("client.show_message", json!([message])),
            ServerCall::GetVersion => ("client.get_version", json!([])),
            ServerCall::Ping => ("mining.ping", json!([])),
            ServerCall::Unknown(method) => (method.as_str(), json!([])),
        };
        call_line(id, method, &params)
    }
}

impl Notify {
    fn read(params: &Params) -> Result<Notify, MessageError> {
        let list = params.get(4);
        let branches = list.as_array().ok_or_else(|| MessageError::new("merkle_branches", list, "an array"))?;
        Ok(Notify {
            job_id: params.string(0, "job_id")?,
            previous_block_hash: swap_words(params.hash(1, "prevhash")?),
            coinbase1: params.bytes(2, "coinbase1")?,
            coinbase2: params.bytes(3, "coinbase2")?,
            merkle_branches: branches.iter().map(|branch| hash(branch, "merkle_branches")).collect::<Result<_, _>>()?,
            version: params.word(5, "version")?,
            nbits: params.word(6, "nbits")?,
            ntime: params.word(7, "ntime")?,
            clean_jobs: match params.get(8) {
                Value::Bool(clean) => *clean,
                other => return Err(MessageError::new("clean_jobs", other, "true or false")),
            },
        })
    }

    fn to_params(&self) -> Value {
        let branches: Vec<_> = self.merkle_branches.iter().map(|branch| hex(branch)).collect();
        json!([
            self.job_id,
            hex(&swap_words(self.previous_block_hash)),
            hex(&self.coinbase1),
            hex(&self.coinbase2),
            branches,
            format!("{:08x}", self.version),
            format!("{:08x}", self.nbits),
            format!("{:08x}", self.ntime),
            self.clean_jobs,
        ])
    }
}

fn port(value: &Value) -> Result<u16, MessageError> {
    unsigned(value, "port")
        .ok()
        .and_then(|port| u16::try_from(port).ok())
        .filter(|port| *port != 0)
        .ok_or_else(|| MessageError::new("port", value, "a number from 1 to 65535"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Envelope;
    use proptest::prelude::*;

    fn read(line: &str) -> Result<ServerCall, MessageError> {
        match Envelope::parse(line)? {
            Envelope::Call { method, params, .. } => ServerCall::read(&method, &params),
            reply @ Envelope::Reply { .. } => panic!("{reply:?}"),
        }
    }

    /// The example of the protocol's first documentation (slush's pool): a job for testnet's block 25,096, as the height in
    /// its coinbase says.
    const NOTIFY: &str = r#"{"params": ["bf", "4d16b6f85af6e2198f44ae2a6de67f78487ae5611b77c6c0440b921e00000000",
        "01000000010000000000000000000000000000000000000000000000000000000000000000ffffffff20020862062f503253482f04b8864e5008",
        "072f736c7573682f000000000100f2052a010000001976a914d23fcdf86f7e756a64a7a9688ef9903327048ed988ac00000000", [],
        "00000002", "1c2ac4af", "504e86b9", false], "id": null, "method": "mining.notify"}"#;

    #[test]
    fn notify_as_the_first_pool_documented_it() {
        let Ok(ServerCall::Notify(notify)) = read(NOTIFY) else { panic!("{:?}", read(NOTIFY)) };
        assert_eq!(notify.job_id, "bf");
        // Its hash ends in zeros in internal order: the numerically high end.
        assert_eq!(notify.previous_block_hash[..4], [0xf8, 0xb6, 0x16, 0x4d]);
        assert_eq!(notify.previous_block_hash[28..], [0, 0, 0, 0]);
        assert_eq!((notify.version, notify.nbits, notify.ntime), (2, 0x1c2a_c4af, 0x504e_86b9));
        assert!(!notify.clean_jobs && notify.merkle_branches.is_empty());
        assert_eq!(notify.coinbase1.len() + 4 + 4 + notify.coinbase2.len(), 58 + 8 + 51);
    }

    #[test]
    fn other_programs_forms_are_read() {
        assert_eq!(
            read(r#"{"method":"mining.set_version","params":["1fffe000"]}"#),
            Ok(ServerCall::SetVersionMask(0x1fff_e000))
        );
        let elsewhere =
            |host: &str, wait| ServerCall::Reconnect { host: Some(host.to_owned()), port: Some(3333), wait };
        assert_eq!(read(r#"{"method":"client.reconnect","params":["a.b","3333","5"]}"#), Ok(elsewhere("a.b", 5)));
        assert_eq!(read(r#"{"method":"client.reconnect","params":["a.b",3333]}"#), Ok(elsewhere("a.b", 0)));
        let same = ServerCall::Reconnect { host: None, port: None, wait: 0 };
        assert_eq!(read(r#"{"method":"client.reconnect","params":[]}"#), Ok(same));
    }

    #[test]
    fn bad_fields_are_named() {
        let with = |from: &str, to: &str| {
            assert!(NOTIFY.contains(from));
            read(&NOTIFY.replacen(from, to, 1)).unwrap_err().field
        };
        assert_eq!(with("4d16b6f8", "4d16b6"), "prevhash");
        assert_eq!(with("\"0100", "\"100"), "coinbase1");
        assert_eq!(with("\"072f", "\"zz2f"), "coinbase2");
        assert_eq!(with("[]", "[\"00\"]"), "merkle_branches");
        assert_eq!(with("[]", "5"), "merkle_branches");
        assert_eq!(with("00000002", "0000000002"), "version");
        assert_eq!(with("1c2ac4af", ""), "nbits");
        assert_eq!(with("504e86b9", "now"), "ntime");
        assert_eq!(with("false", "\"no\""), "clean_jobs");
        for size in ["0", "17", "-1", "\"x\"", "1e9"] {
            let line = format!(r#"{{"method":"mining.set_extranonce","params":["00",{size}]}}"#);
            assert_eq!(read(&line).unwrap_err().field, "extranonce2_size", "{size}");
        }
        for value in ["0", "-1", "1e300", "\"NaN\"", "null"] {
            let line = format!(r#"{{"method":"mining.set_difficulty","params":[{value}]}}"#);
            let error = read(&line).unwrap_err();
            assert_eq!(error.field, "difficulty", "{value}");
        }
        assert_eq!(read(r#"{"method":"client.reconnect","params":["a",70000]}"#).unwrap_err().field, "port");
    }

    prop_compose! {
        fn notify()(job_id in ".*", previous_block_hash: [u8; 32], coinbase1: Vec<u8>, coinbase2: Vec<u8>,
                    merkle_branches in proptest::collection::vec(any::<[u8; 32]>(), 0..15),
                    version: u32, nbits: u32, ntime: u32, clean_jobs: bool) -> Notify {
            Notify { job_id, previous_block_hash, coinbase1, coinbase2, merkle_branches, version, nbits, ntime, clean_jobs }
        }
    }

    fn call() -> impl Strategy<Value = ServerCall> {
        prop_oneof![
            notify().prop_map(ServerCall::Notify),
            (1e-9..1e30f64).prop_map(|value| ServerCall::SetDifficulty(Difficulty::new(value).unwrap())),
            (any::<Vec<u8>>(), 1usize..=16).prop_map(|(extranonce1, extranonce2_size)| {
                ServerCall::SetExtranonce { extranonce1, extranonce2_size }
            }),
            any::<u32>().prop_map(ServerCall::SetVersionMask),
            ("[a-z.]{1,20}", 1u16.., any::<u64>())
                .prop_map(|(host, port, wait)| { ServerCall::Reconnect { host: Some(host), port: Some(port), wait } }),
            ".*".prop_map(ServerCall::ShowMessage),
            Just(ServerCall::GetVersion),
            Just(ServerCall::Ping),
        ]
    }

    proptest! {
        #[test]
        fn calls_round_trip(call in call()) {
            prop_assert_eq!(read(&call.to_line(&Value::Null)), Ok(call));
        }
    }
}
