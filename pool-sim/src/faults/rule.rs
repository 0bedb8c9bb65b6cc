//! A scenario's rules: what goes wrong, and when.

use super::Span;
use serde::{Deserialize, Serialize};

/// One thing that goes wrong.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// When.
    #[serde(default)]
    pub when: When,
    /// What.
    pub what: Fault,
}

/// When something goes wrong. Times count from the first connection, for a rule that is added later from then. At most one of `at`, `every`, `job` and `share`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// Once, then; a fault of lines takes the next that fits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Span>,
    /// Again and again, this far apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every: Option<Span>,
    /// With the job of that number, counted from 1 over all that were sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<u64>,
    /// With the share of that number, counted from 1 over all that came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share: Option<u64>,
    /// Not before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Span>,
    /// Not from then on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Span>,
    /// How likely it is each time, from 0 to 1; chance is the seed's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// At most so often.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    /// For a fault of lines: which; all, if it does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lines: Option<Vec<Kind>>,
}

/// What a line is that goes to a miner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// `mining.notify`.
    Notify,
    /// `mining.set_difficulty`.
    Difficulty,
    /// The answer to a share.
    Answer,
    /// The reply to `mining.configure`.
    Configure,
    /// The reply to `mining.subscribe`.
    Subscribe,
    /// The reply to `mining.authorize`.
    Authorize,
    /// The reply to `mining.extranonce.subscribe`.
    ExtranonceSubscribe,
    /// Any other reply.
    Reply,
    /// Any other call of the pool's.
    Call,
}

/// What goes wrong. Faults of lines befall what the pool says; faults of jobs make another job of the pool's, of which it knows;
/// deeds are done to all that are connected.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// Lines: it is not sent.
    Drop,
    /// Lines: it is sent later; others pass it by.
    Delay {
        /// By how much.
        by: Span,
    },
    /// Lines: it is sent after the next one, or after a second.
    Reorder,
    /// Lines: it is sent twice.
    Duplicate,
    /// Lines: only its first bytes are sent, and the newline.
    Truncate {
        /// So many.
        keep: usize,
    },
    /// Lines: bytes are replaced by others, by chance, so that it is no JSON any more.
    Corrupt {
        /// So many.
        bytes: usize,
    },
    /// Lines: it is sent byte by byte; whatever follows waits.
    Drip {
        /// How fast.
        bytes_per_second: u32,
    },
    /// Replies: the id is one that nobody sent.
    WrongId,
    /// Lines: a number as id becomes a text.
    StringIds,
    /// Answers to shares: a no, whatever the share is; if it is accepted, the pool counts it nevertheless.
    Reject {
        /// Stratum's, 20 to 25.
        code: i64,
        /// In which form.
        #[serde(default)]
        form: Form,
    },
    /// Jobs: their time is off.
    Clock {
        /// By so many seconds; below zero is behind.
        ahead: i64,
    },
    /// Jobs: their coinbase pays a stranger.
    PayStranger,
    /// Jobs: a share that is a block does not reach the node, and is accepted.
    WithholdBlocks,
    /// Deed: connections are closed.
    Close,
    /// Deed: the pool's half of connections is closed; it reads on.
    HalfClose,
    /// Deed: nothing is said.
    Silent {
        /// For so long.
        lasting: Span,
    },
    /// Deed: nobody can connect.
    Refuse {
        /// For so long.
        lasting: Span,
    },
    /// Deed: connections are closed, and nobody can connect, as when a pool's program starts anew.
    Restart {
        /// Whether it knows no session any more.
        forget: bool,
        /// For so long.
        lasting: Span,
    },
    /// Deed: difficulty jumps, with a job.
    Difficulty {
        /// By what it is multiplied.
        factor: f64,
    },
    /// Deed: another extranonce1, with a job.
    Extranonce,
    /// Deed: other version bits may be rolled, with a job.
    Mask {
        /// Which, as eight hex digits.
        mask: String,
        /// Under which of the two names it is said.
        #[serde(default)]
        method: MaskMethod,
    },
    /// Deed: `client.reconnect`.
    Reconnect {
        /// Where to; the same place, if it does not say.
        host: Option<String>,
        /// The port; if there is a host only, one where the pool waits for whoever follows.
        port: Option<u16>,
        /// After how long, in seconds.
        #[serde(default)]
        wait: u64,
    },
    /// Deed: jobs one after the other.
    Jobs {
        /// How many.
        count: u32,
        /// Whether each voids those before.
        clean: bool,
    },
    /// Deed: a job for the tip before this one, if there was one.
    StaleJob,
    /// Deed: the chain has a new block.
    Tip,
    /// Deed: what is no message.
    Garbage {
        /// Which.
        form: Garbage,
    },
    /// Deed: `client.show_message`.
    Message {
        /// What it says.
        text: String,
    },
    /// Deed: `client.get_version`, which wants an answer.
    GetVersion,
    /// Deed: `mining.ping`, which wants an answer.
    Ping,
}

/// How a pool says no.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// `[code, "words", null]`.
    #[default]
    List,
    /// `[code, "words"]`.
    Pair,
    /// `"words"`.
    Text,
    /// `{"code": code, "message": "words"}`.
    Object,
    /// The result is false, the error null, and a `reject-reason` beside them.
    Reason,
    /// The result is false, and nothing else.
    False,
}

/// The two names under which pools change the mask.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum MaskMethod {
    /// BIP 310's.
    #[default]
    #[serde(rename = "mining.set_version_mask")]
    SetVersionMask,
    /// As some servers have it.
    #[serde(rename = "mining.set_version")]
    SetVersion,
}

/// What is no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Garbage {
    /// A line that is no UTF-8.
    Utf8,
    /// A line of 1 MiB.
    Long,
    /// An empty line.
    Empty,
    /// Half a message.
    Half,
    /// A list, a thousand deep.
    Deep,
    /// A method that nobody knows, with an id.
    Method,
}

/// To what a fault happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Lines,
    Jobs,
    Deed,
}

impl Fault {
    pub(super) fn class(&self) -> Class {
        match self {
            Fault::Drop
            | Fault::Delay { .. }
            | Fault::Reorder
            | Fault::Duplicate
            | Fault::Truncate { .. }
            | Fault::Corrupt { .. }
            | Fault::Drip { .. }
            | Fault::WrongId
            | Fault::StringIds
            | Fault::Reject { .. } => Class::Lines,
            Fault::Clock { .. } | Fault::PayStranger | Fault::WithholdBlocks => Class::Jobs,
            _ => Class::Deed,
        }
    }

    /// Whether its line can be of this kind.
    pub(super) fn fits(&self, kind: Kind) -> bool {
        match self {
            Fault::Reject { .. } => !matches!(kind, Kind::Notify | Kind::Difficulty | Kind::Call),
            Fault::WrongId => !matches!(kind, Kind::Notify | Kind::Difficulty | Kind::Call),
            _ => true,
        }
    }

    /// The kinds where the rule names none.
    pub(super) fn usual_lines(&self) -> Option<&'static [Kind]> {
        matches!(self, Fault::Reject { .. }).then_some(&[Kind::Answer])
    }
}
