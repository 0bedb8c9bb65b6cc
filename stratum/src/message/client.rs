//! What a miner calls.

use super::fields::{MessageError, Params, hash, hex, real, unsigned, word};
use super::{Id, call_line, number};
use crate::{Difficulty, Target};
use serde_json::{Map, Value, json};

/// A miner's call.
#[derive(Clone, Debug, PartialEq)]
pub enum ClientCall {
    /// `mining.configure` (BIP 310).
    Configure(Configure),
    /// `mining.subscribe`.
    Subscribe {
        /// The program and its version.
        agent: Option<String>,
        /// The session that should be resumed.
        session: Option<String>,
    },
    /// `mining.authorize`.
    Authorize {
        /// The user, or `user.worker`.
        user: String,
        /// The password, or options such as `d=1024`.
        password: String,
    },
    /// `mining.submit`.
    Submit(Submit),
    /// `mining.extranonce.subscribe`.
    ExtranonceSubscribe,
    /// `mining.suggest_difficulty`.
    SuggestDifficulty(Difficulty),
    /// `mining.suggest_target`.
    SuggestTarget(Target),
    /// `mining.get_transactions`.
    GetTransactions {
        /// The job.
        job_id: String,
    },
    /// `mining.ping`, which some programs send this way too.
    Ping,
    /// A method that is not known here.
    Unknown(String),
}

/// What `mining.configure` asks for (BIP 310).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Configure {
    /// The names of all extensions asked for, known or not, in order.
    pub extensions: Vec<String>,
    /// `version-rolling.mask`: the version bits that the miner can roll.
    pub version_rolling_mask: Option<u32>,
    /// `version-rolling.min-bit-count`: how many it needs at least.
    pub version_rolling_min_bit_count: Option<u64>,
    /// `minimum-difficulty.value`.
    pub minimum_difficulty: Option<Difficulty>,
}

/// A share, as `mining.submit` carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submit {
    /// The user, or `user.worker`.
    pub user: String,
    /// The job that it was found for.
    pub job_id: String,
    /// What the miner put into the coinbase.
    pub extranonce2: Vec<u8>,
    /// The header's time.
    pub ntime: u32,
    /// The nonce, as a number.
    pub nonce: u32,
    /// The version bits that the miner chose (BIP 310), where version rolling is on.
    pub version_bits: Option<u32>,
}

impl ClientCall {
    /// Gives a call its type.
    pub fn read(method: &str, params: &[Value]) -> Result<ClientCall, MessageError> {
        let list = Params(params);
        Ok(match method {
            "mining.configure" => ClientCall::Configure(Configure::read(&list)?),
            "mining.subscribe" => ClientCall::Subscribe {
                agent: list.get(0).as_str().map(str::to_owned),
                session: list.get(1).as_str().filter(|session| !session.is_empty()).map(str::to_owned),
            },
            "mining.authorize" => ClientCall::Authorize {
                user: list.string(0, "user")?,
                // Some programs send none.
                password: list.get(1).as_str().unwrap_or_default().to_owned(),
            },
            "mining.submit" => ClientCall::Submit(Submit {
                user: list.string(0, "user")?,
                job_id: list.string(1, "job_id")?,
                extranonce2: list.bytes(2, "extranonce2")?,
                ntime: list.word(3, "ntime")?,
                nonce: list.word(4, "nonce")?,
                version_bits: match list.get(5) {
                    Value::Null => None,
                    value => Some(word(value, "version_bits")?),
                },
            }),
            "mining.extranonce.subscribe" => ClientCall::ExtranonceSubscribe,
            "mining.suggest_difficulty" => ClientCall::SuggestDifficulty(difficulty(list.get(0), "difficulty")?),
            "mining.suggest_target" => ClientCall::SuggestTarget(Target::from_be_bytes(hash(list.get(0), "target")?)),
            "mining.get_transactions" => ClientCall::GetTransactions { job_id: list.string(0, "job_id")? },
            "mining.ping" => ClientCall::Ping,
            other => ClientCall::Unknown(other.to_owned()),
        })
    }

    /// The line to send, without its newline.
    pub fn to_line(&self, id: &Id) -> String {
        let (method, params) = match self {
            ClientCall::Configure(configure) => ("mining.configure", configure.to_params()),
            ClientCall::Subscribe { agent, session: None } => {
                ("mining.subscribe", json!(agent.iter().collect::<Vec<_>>()))
            }
            ClientCall::Subscribe { agent, session } => ("mining.subscribe", json!([agent, session])),
            ClientCall::Authorize { user, password } => ("mining.authorize", json!([user, password])),
            ClientCall::Submit(submit) => ("mining.submit", submit.to_params()),
            ClientCall::ExtranonceSubscribe => ("mining.extranonce.subscribe", json!([])),
            ClientCall::SuggestDifficulty(difficulty) => {
                ("mining.suggest_difficulty", json!([number(difficulty.get())]))
            }
            ClientCall::SuggestTarget(target) => ("mining.suggest_target", json!([target.to_string()])),
            ClientCall::GetTransactions { job_id } => ("mining.get_transactions", json!([job_id])),
            ClientCall::Ping => ("mining.ping", json!([])),
            ClientCall::Unknown(method) => (method.as_str(), json!([])),
        };
        call_line(id, method, &params)
    }
}

impl Configure {
    fn read(params: &Params) -> Result<Configure, MessageError> {
        let list = params.get(0);
        let names = list.as_array().ok_or_else(|| MessageError::new("extensions", list, "an array of names"))?;
        let nothing = Map::new();
        let options = params.get(1).as_object().unwrap_or(&nothing);
        Ok(Configure {
            extensions: names.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect(),
            version_rolling_mask: options
                .get("version-rolling.mask")
                .map(|mask| word(mask, "version-rolling.mask"))
                .transpose()?,
            version_rolling_min_bit_count: options
                .get("version-rolling.min-bit-count")
                .map(|count| unsigned(count, "version-rolling.min-bit-count"))
                .transpose()?,
            minimum_difficulty: options
                .get("minimum-difficulty.value")
                .map(|value| difficulty(value, "minimum-difficulty.value"))
                .transpose()?,
        })
    }

    fn to_params(&self) -> Value {
        let mut options = Map::new();
        if let Some(mask) = self.version_rolling_mask {
            options.insert("version-rolling.mask".to_owned(), json!(format!("{mask:08x}")));
        }
        if let Some(count) = self.version_rolling_min_bit_count {
            options.insert("version-rolling.min-bit-count".to_owned(), json!(count));
        }
        if let Some(difficulty) = self.minimum_difficulty {
            options.insert("minimum-difficulty.value".to_owned(), number(difficulty.get()));
        }
        json!([self.extensions, options])
    }
}

impl Submit {
    fn to_params(&self) -> Value {
        let mut params = vec![
            json!(self.user),
            json!(self.job_id),
            json!(hex(&self.extranonce2)),
            json!(format!("{:08x}", self.ntime)),
            json!(format!("{:08x}", self.nonce)),
        ];
        params.extend(self.version_bits.map(|bits| json!(format!("{bits:08x}"))));
        Value::Array(params)
    }
}

pub(super) fn difficulty(value: &Value, field: &'static str) -> Result<Difficulty, MessageError> {
    let wrong = || MessageError::new(field, value, "a number above 0 and below 2.7e67");
    Difficulty::new(real(value, field).map_err(|_| wrong())?).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Envelope;
    use proptest::prelude::*;

    fn read(line: &str) -> Result<ClientCall, MessageError> {
        match Envelope::parse(line)? {
            Envelope::Call { method, params, .. } => ClientCall::read(&method, &params),
            reply @ Envelope::Reply { .. } => panic!("{reply:?}"),
        }
    }

    #[test]
    fn configure_as_bip310_shows_it() {
        // The example of BIP 310, section "mining.configure".
        let line = r#"{"method": "mining.configure", "id": 1, "params": [["minimum-difficulty", "version-rolling"],
            {"minimum-difficulty.value": 2048, "version-rolling.mask": "1fffe000", "version-rolling.min-bit-count": 2}]}"#;
        let expected = Configure {
            extensions: vec!["minimum-difficulty".to_owned(), "version-rolling".to_owned()],
            version_rolling_mask: Some(0x1fff_e000),
            version_rolling_min_bit_count: Some(2),
            minimum_difficulty: Some(Difficulty::new(2048.0).unwrap()),
        };
        assert_eq!(read(line), Ok(ClientCall::Configure(expected)));
    }

    #[test]
    fn submit_as_the_first_pool_documented_it() {
        // Slush's pool, the protocol's first documentation; and with version bits, as BIP 310 shows it.
        let line = r#"{"params": ["slush.miner1", "bf", "00000001", "504e86ed", "b2957c02"], "id": 4, "method": "mining.submit"}"#;
        let submit = Submit {
            user: "slush.miner1".to_owned(),
            job_id: "bf".to_owned(),
            extranonce2: vec![0, 0, 0, 1],
            ntime: 0x504e_86ed,
            nonce: 0xb295_7c02,
            version_bits: None,
        };
        assert_eq!(read(line), Ok(ClientCall::Submit(submit.clone())));
        let line = line.replace("\"b2957c02\"", "\"b2957c02\",\"00006000\"");
        assert_eq!(read(&line), Ok(ClientCall::Submit(Submit { version_bits: Some(0x6000), ..submit })));
    }

    #[test]
    fn other_programs_forms_are_read() {
        let half = ClientCall::SuggestDifficulty(Difficulty::new(0.5).unwrap());
        assert_eq!(read(r#"{"id":3,"method":"mining.suggest_difficulty","params":["0.5"]}"#), Ok(half));
        let anonymous = ClientCall::Authorize { user: "a".to_owned(), password: String::new() };
        assert_eq!(read(r#"{"id":3,"method":"mining.authorize","params":["a"]}"#), Ok(anonymous));
        let bare = ClientCall::Subscribe { agent: None, session: None };
        assert_eq!(read(r#"{"id":1,"method":"mining.subscribe","params":[]}"#), Ok(bare));
        let unknown = ClientCall::Unknown("mining.dance".to_owned());
        assert_eq!(read(r#"{"id":1,"method":"mining.dance","params":[1]}"#), Ok(unknown));
    }

    #[test]
    fn bad_fields_are_named() {
        let field = |line: &str| read(line).unwrap_err().field;
        assert_eq!(field(r#"{"method":"mining.submit","params":["u","j","0","00000000","00000000"]}"#), "extranonce2");
        assert_eq!(field(r#"{"method":"mining.submit","params":["u","j","00","000000000","00000000"]}"#), "ntime");
        assert_eq!(field(r#"{"method":"mining.submit","params":["u","j","00","00000000",7]}"#), "nonce");
        assert_eq!(field(r#"{"method":"mining.submit","params":["u"]}"#), "job_id");
        assert_eq!(field(r#"{"method":"mining.submit","params":["u","j","00","0","0","zz"]}"#), "version_bits");
        for value in ["0", "-1", "1e300", "\"NaN\"", "null", "\"inf\""] {
            let line = format!(r#"{{"method":"mining.suggest_difficulty","params":[{value}]}}"#);
            assert_eq!(field(&line), "difficulty", "{value}");
        }
    }

    prop_compose! {
        fn submit()(user in ".*", job_id in ".*", extranonce2: Vec<u8>, ntime: u32, nonce: u32,
                    version_bits: Option<u32>) -> Submit {
            Submit { user, job_id, extranonce2, ntime, nonce, version_bits }
        }
    }

    fn call() -> impl Strategy<Value = ClientCall> {
        let difficulty = || (1e-9..1e30f64).prop_map(|value| Difficulty::new(value).unwrap());
        let configure = (
            proptest::collection::vec(".*", 0..5),
            any::<Option<u32>>(),
            any::<Option<u64>>(),
            proptest::option::of(difficulty()),
        );
        let configure = configure.prop_map(|(extensions, mask, count, minimum_difficulty)| {
            let (version_rolling_mask, version_rolling_min_bit_count) = (mask, count);
            Configure { extensions, version_rolling_mask, version_rolling_min_bit_count, minimum_difficulty }
        });
        let session = proptest::option::of("[a-z0-9]{1,10}");
        prop_oneof![
            submit().prop_map(ClientCall::Submit),
            configure.prop_map(ClientCall::Configure),
            (".*", session).prop_map(|(agent, session)| ClientCall::Subscribe { agent: Some(agent), session }),
            (".*", ".*").prop_map(|(user, password)| ClientCall::Authorize { user, password }),
            Just(ClientCall::ExtranonceSubscribe),
            Just(ClientCall::Ping),
            difficulty().prop_map(ClientCall::SuggestDifficulty),
            any::<[u8; 32]>().prop_map(|bytes| ClientCall::SuggestTarget(Target::from_be_bytes(bytes))),
            ".*".prop_map(|job_id| ClientCall::GetTransactions { job_id }),
        ]
    }

    proptest! {
        #[test]
        fn calls_round_trip(call in call()) {
            prop_assert_eq!(read(&call.to_line(&json!(7))), Ok(call));
        }
    }
}
