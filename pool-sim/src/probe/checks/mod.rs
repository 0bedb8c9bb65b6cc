//! The table of checks, by topic.

mod bip310;
mod duplicate;
mod job;
mod limits;
mod order;
mod robust;
mod session;
mod share;
mod submit;
mod timing;

use super::check::Topic;

/// Every topic, in the order in which they are tried: what the later ones need is checked by the earlier ones.
pub const TOPICS: &[Topic] = &[
    Topic { name: "order", title: "Order of messages", checks: order::CHECKS },
    Topic { name: "session", title: "Sessions and extranonces", checks: session::CHECKS },
    Topic { name: "bip310", title: "Extensions (BIP 310)", checks: bip310::CHECKS },
    Topic { name: "job", title: "Jobs", checks: job::CHECKS },
    Topic { name: "submit", title: "Strictness with shares", checks: submit::CHECKS },
    Topic { name: "share", title: "Real shares", checks: share::CHECKS },
    Topic { name: "duplicate", title: "Duplicates", checks: duplicate::CHECKS },
    Topic { name: "robust", title: "Robustness", checks: robust::CHECKS },
    Topic { name: "limits", title: "Limits", checks: limits::CHECKS },
    Topic { name: "timing", title: "Timing", checks: timing::CHECKS },
];

/// The protocol's first documentation, by the pool that brought it up, and what programs made of it since.
const STRATUM: &str = "Stratum V1, slush's pool's documentation";
const DE_FACTO: &str = "Stratum V1 as pools and miners speak it";
const CODES: &str = "Stratum V1 error codes: 20 other, 21 job not found, 22 duplicate, 23 low difficulty, 24 unauthorized, 25 not subscribed";
