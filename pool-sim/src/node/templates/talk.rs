//! A pool's talk with the node, without a connection: what may be said when, and what is answered.

use super::solution::{Solution, SolutionError};
use crate::chain::{MAX_WEIGHT, bip34_script};
use crate::node::Template;
use crate::node::mempool::Room;
use bitcoin::hashes::Hash;
use bitcoin::{Amount, Target, TxOut, consensus};
use common_messages_sv2::{
    ERROR_CODE_SETUP_CONNECTION_PROTOCOL_VERSION_MISMATCH as VERSION_MISMATCH,
    ERROR_CODE_SETUP_CONNECTION_UNSUPPORTED_FEATURE_FLAGS as UNSUPPORTED_FLAGS,
    ERROR_CODE_SETUP_CONNECTION_UNSUPPORTED_PROTOCOL as UNSUPPORTED_PROTOCOL, MESSAGE_TYPE_SETUP_CONNECTION, Protocol,
    SetupConnectionErrorOwned, SetupConnectionOwned, SetupConnectionSuccess,
};
use midstate_stratum::message::MessageError;
use midstate_stratum::v2::{Frame, TemplateClientMessage, TemplateServerMessage, VERSION};
use std::collections::VecDeque;
use std::sync::Arc;
use template_distribution_sv2::{
    CoinbaseOutputConstraints, ERROR_CODE_REQUEST_TRANSACTION_DATA_STALE_TEMPLATE_ID as STALE,
    ERROR_CODE_REQUEST_TRANSACTION_DATA_TEMPLATE_ID_NOT_FOUND as NOT_FOUND, NewTemplateOwned,
    RequestTransactionDataErrorOwned, RequestTransactionDataSuccessOwned, SetNewPrevHashOwned, SubmitSolutionOwned,
};
use thiserror::Error;

/// So many templates are remembered: for one that is older, there are no transactions any more, and no block.
const MOST_TEMPLATES: usize = 64;
/// So many messages that make no sense are no bad luck.
const STORM: u32 = 30;
/// What a block weighs at most without transactions and without the pool's outputs (specification, 7.1).
const OWN_WEIGHT: u64 = 1168;

/// What came of a message.
#[derive(Debug)]
pub enum Heard {
    /// It is answered so.
    Answer(TemplateServerMessage),
    /// It is answered so, and that is the last word.
    Refusal(TemplateServerMessage),
    /// What the pool will put into coinbases is known: it waits for a template, see [`Talk::offer`].
    Constraints,
    /// The pool found what may be a block. There is no answer to it.
    Solution(Solution),
    /// It makes no sense, and the talk goes on without it. So it is with what belongs to an extension (specification, 3.4.1).
    Nothing(MessageError),
}

/// Why a talk ends.
#[derive(Debug, Error)]
pub enum TalkError {
    /// It was not the time for such a message.
    #[error("{came} came; expected {expected}")]
    OutOfOrder {
        /// Its name.
        came: &'static str,
        /// What may come.
        expected: &'static str,
    },
    /// There is no block with so much in its coinbase.
    #[error("coinbase_output_max_additional_size {size}; expected {most} bytes at most, as a block has no more room")]
    NoRoom {
        /// What the pool wants, in bytes.
        size: u32,
        /// What can be.
        most: u64,
    },
    /// Too many messages that make no sense.
    #[error("too many messages that cannot be read; of the last: {0}")]
    Storm(MessageError),
    /// A template that the protocol has no words for.
    #[error("{0}")]
    Unsayable(MessageError),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing was said.
    Silent,
    /// The connection is set up.
    SetUp,
    /// The pool said what it needs.
    Open(Room),
}

/// One pool's talk.
#[derive(Debug)]
pub struct Talk {
    stage: Stage,
    vendor: String,
    /// What was given, the newest last.
    given: VecDeque<Given>,
    unreadable: u32,
}

#[derive(Debug)]
struct Given {
    id: u64,
    template: Arc<Template>,
}

impl Default for Talk {
    fn default() -> Talk {
        Talk { stage: Stage::Silent, vendor: String::new(), given: VecDeque::new(), unreadable: 0 }
    }
}

impl Talk {
    /// Hears a message.
    pub fn hear(&mut self, frame: Frame) -> Result<Heard, TalkError> {
        // A protocol that nobody knows has an answer too.
        let is_stranger = frame.extension == 0
            && frame.kind == MESSAGE_TYPE_SETUP_CONNECTION
            && frame.payload.first().is_some_and(|protocol| *protocol > Protocol::TemplateDistributionProtocol as u8);
        if is_stranger && self.stage == Stage::Silent {
            return refusal(UNSUPPORTED_PROTOCOL, 0);
        }
        let message = match TemplateClientMessage::read(frame) {
            Ok(message) => message,
            Err(error) => {
                self.unreadable += 1;
                return if self.unreadable < STORM { Ok(Heard::Nothing(error)) } else { Err(TalkError::Storm(error)) };
            }
        };
        let came = message.name();
        match (self.stage, message) {
            (Stage::Silent, TemplateClientMessage::Setup(setup)) => self.set_up(&setup),
            (Stage::Silent, _) => Err(TalkError::OutOfOrder { came, expected: "SetupConnection" }),
            (Stage::SetUp | Stage::Open(_), TemplateClientMessage::Constraints(constraints)) => self.open(constraints),
            (Stage::SetUp, _) => Err(TalkError::OutOfOrder { came, expected: "CoinbaseOutputConstraints" }),
            (Stage::Open(_), TemplateClientMessage::RequestTransactions(request)) => {
                self.transactions(request.template_id).map(Heard::Answer).map_err(TalkError::Unsayable)
            }
            (Stage::Open(_), TemplateClientMessage::Solution(solution)) => Ok(Heard::Solution(self.solve(solution))),
            (Stage::Open(_), TemplateClientMessage::Setup(_)) => {
                Err(TalkError::OutOfOrder { came, expected: "it once" })
            }
        }
    }

    /// Gives the pool a template under this id, which must be greater than those before. A template for another block than the last is
    /// said for the future, and then that the future is now.
    pub fn offer(&mut self, id: u64, template: Arc<Template>) -> Result<Vec<TemplateServerMessage>, TalkError> {
        let is_new_tip = self.given.back().is_none_or(|last| !last.is_on(&template));
        let mut said = vec![new_template(id, &template, is_new_tip)];
        if is_new_tip {
            said.push(Ok(set_new_prev_hash(id, &template)));
        }
        if self.given.len() == MOST_TEMPLATES {
            self.given.pop_front();
        }
        self.given.push_back(Given { id, template });
        said.into_iter().collect::<Result<_, _>>().map_err(TalkError::Unsayable)
    }

    /// What was given last.
    pub fn last(&self) -> Option<&Template> {
        self.given.back().map(|given| &*given.template)
    }

    /// Whether the pool said what it will put into its coinbases: from then on there are templates for it.
    pub fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Open(_))
    }

    /// What its templates leave to it.
    pub(super) fn room(&self) -> Room {
        match self.stage {
            Stage::Open(room) => room,
            Stage::Silent | Stage::SetUp => Room::default(),
        }
    }

    /// What the pool says that it is.
    pub fn vendor(&self) -> &str {
        &self.vendor
    }

    fn set_up(&mut self, setup: &SetupConnectionOwned) -> Result<Heard, TalkError> {
        if setup.protocol != Protocol::TemplateDistributionProtocol {
            return refusal(UNSUPPORTED_PROTOCOL, 0);
        }
        if !(setup.min_version..=setup.max_version).contains(&VERSION) {
            return refusal(VERSION_MISMATCH, 0);
        }
        // The protocol has none.
        if setup.flags != 0 {
            return refusal(UNSUPPORTED_FLAGS, setup.flags);
        }
        self.stage = Stage::SetUp;
        self.vendor = setup.vendor.as_utf8_or_hex();
        let success = SetupConnectionSuccess { used_version: VERSION, flags: 0 };
        Ok(Heard::Answer(TemplateServerMessage::SetupSuccess(success)))
    }

    fn open(&mut self, constraints: CoinbaseOutputConstraints) -> Result<Heard, TalkError> {
        let (size, most) = (constraints.coinbase_output_max_additional_size, (MAX_WEIGHT - OWN_WEIGHT) / 4);
        if u64::from(size) > most {
            return Err(TalkError::NoRoom { size, most });
        }
        // The pool counts them as the limit of a block does.
        let sigops_cost = constraints.coinbase_output_max_additional_sigops.into();
        self.stage = Stage::Open(Room { weight: OWN_WEIGHT + 4 * u64::from(size), sigops_cost });
        Ok(Heard::Constraints)
    }

    fn find(&self, id: u64) -> Option<&Given> {
        self.given.iter().rfind(|given| given.id == id)
    }

    fn transactions(&self, template_id: u64) -> Result<TemplateServerMessage, MessageError> {
        let is_current = |given: &&Given| self.last().is_some_and(|last| given.is_on(last));
        let found = self.find(template_id);
        let Some(given) = found.filter(is_current) else {
            let error_code = fits("error_code", if found.is_some() { STALE } else { NOT_FOUND })?;
            let error = RequestTransactionDataErrorOwned { template_id, error_code };
            return Ok(TemplateServerMessage::TransactionsError(error));
        };
        let list = given.template.transactions.iter();
        let list = list.map(|pooled| fits("transaction_list", consensus::serialize(&*pooled.transaction)));
        Ok(TemplateServerMessage::Transactions(RequestTransactionDataSuccessOwned {
            template_id,
            // A block needs nothing else.
            excess_data: fits("excess_data", Vec::new())?,
            transaction_list: fits("transaction_list", list.collect::<Result<Vec<_>, _>>()?)?,
        }))
    }

    fn solve(&self, submitted: SubmitSolutionOwned) -> Solution {
        match self.find(submitted.template_id) {
            Some(given) => Solution::of(submitted, &given.template),
            None => {
                Solution { template_id: submitted.template_id, hash: None, block: Err(SolutionError::UnknownTemplate) }
            }
        }
    }
}

impl Given {
    /// Whether they are for the same place in the chain.
    fn is_on(&self, template: &Template) -> bool {
        self.template.previous_block_hash == template.previous_block_hash
    }
}

fn refusal(code: &'static str, flags: u32) -> Result<Heard, TalkError> {
    let error_code = fits("error_code", code).map_err(TalkError::Unsayable)?;
    Ok(Heard::Refusal(TemplateServerMessage::SetupError(SetupConnectionErrorOwned { flags, error_code })))
}

fn new_template(id: u64, template: &Template, is_future: bool) -> Result<TemplateServerMessage, MessageError> {
    let commitment = TxOut { value: Amount::ZERO, script_pubkey: template.witness_commitment.clone() };
    let path = template.merkle_branch().into_iter().map(Into::into).collect::<Vec<_>>();
    Ok(TemplateServerMessage::Template(NewTemplateOwned {
        template_id: id,
        future_template: is_future,
        version: template.version.cast_unsigned(),
        coinbase_tx_version: 2,
        coinbase_prefix: fits("coinbase_prefix", bip34_script(template.height).into_bytes())?,
        coinbase_tx_input_sequence: u32::MAX,
        coinbase_tx_value_remaining: template.coinbase_value.to_sat(),
        coinbase_tx_outputs_count: 1,
        coinbase_tx_outputs: fits("coinbase_tx_outputs", consensus::serialize(&commitment))?,
        coinbase_tx_locktime: 0,
        merkle_path: fits("merkle_path", path)?,
    }))
}

fn set_new_prev_hash(id: u64, template: &Template) -> TemplateServerMessage {
    TemplateServerMessage::SetNewPrevHash(SetNewPrevHashOwned {
        template_id: id,
        prev_hash: template.previous_block_hash.to_byte_array().into(),
        header_timestamp: template.current_time,
        n_bits: template.bits.to_consensus(),
        target: Target::from_compact(template.bits).to_le_bytes().into(),
    })
}

/// A field's value in the message's type, which has a greatest length.
fn fits<T: TryInto<U>, U>(field: &'static str, value: T) -> Result<U, MessageError> {
    value.try_into().map_err(|_| MessageError::new(field, "more than fits", "what the field's type holds"))
}
