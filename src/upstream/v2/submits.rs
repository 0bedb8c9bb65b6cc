//! Shares on their way, and what becomes of them.
//!
//! A pool acknowledges several at once, by the number of the last; it refuses each by itself, and at once. So what is
//! acknowledged are all up to that number that were not refused.

use crate::job::Share;
use crate::upstream::Event;
use midstate_stratum::message::{MessageError, Reject, RpcError};
use std::collections::BTreeMap;
use tokio::time::Instant;

/// So many shares may wait for an answer. Then the oldest is given up.
const MOST_UNANSWERED: usize = 10_000;

/// The shares of a channel.
#[derive(Debug)]
pub(super) struct Submits {
    /// By their sequence number.
    pending: BTreeMap<u32, Pending>,
    next: u32,
    /// Refusals since the last acceptance.
    pub(super) refusals: u32,
    /// When the pool last answered a share.
    answered: Instant,
}

#[derive(Debug)]
struct Pending {
    share: Box<Share>,
    sent: Instant,
}

impl Submits {
    pub(super) fn new() -> Submits {
        Submits { pending: BTreeMap::new(), next: 1, refusals: 0, answered: Instant::now() }
    }

    /// Notes a share that is going to be sent: its sequence number, and the one that is given up for it.
    pub(super) fn add(&mut self, share: Share) -> (u32, Option<Share>) {
        let given_up = (self.pending.len() >= MOST_UNANSWERED).then(|| self.pending.pop_first()).flatten();
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        self.pending.insert(number, Pending { share: Box::new(share), sent: Instant::now() });
        (number, given_up.map(|(_, pending)| *pending.share))
    }

    /// All up to this one were accepted.
    pub(super) fn accepted(&mut self, last: u32) -> Result<Vec<Event>, MessageError> {
        if last >= self.next {
            let expected = "the number of a share that was submitted";
            return Err(MessageError::new("last_sequence_number", last, expected));
        }
        let waiting = last.checked_add(1).map_or_else(BTreeMap::new, |next| self.pending.split_off(&next));
        let accepted = std::mem::replace(&mut self.pending, waiting);
        (self.answered, self.refusals) = (Instant::now(), 0);
        Ok(accepted.into_values().map(|pending| pending.answered(Ok(()))).collect())
    }

    /// This one was refused.
    pub(super) fn refused(&mut self, number: u32, code: &str) -> Result<Event, MessageError> {
        let pending = self.pending.remove(&number).ok_or_else(|| {
            MessageError::new("sequence_number", number, "the number of a share that waits for an answer")
        })?;
        self.answered = Instant::now();
        self.refusals += 1;
        Ok(pending.answered(Err(reason(code))))
    }

    /// Since when the pool owes an answer.
    pub(super) fn owed_since(&self) -> Option<Instant> {
        self.pending.first_key_value().map(|(_, pending)| pending.sent.max(self.answered))
    }

    /// Those that will have no answer.
    pub(super) fn take(&mut self) -> Vec<Share> {
        std::mem::take(&mut self.pending).into_values().map(|pending| *pending.share).collect()
    }
}

impl Pending {
    fn answered(self, verdict: Result<(), RpcError>) -> Event {
        Event::Answered { share: self.share, verdict, round_trip: self.sent.elapsed() }
    }
}

/// A refusal's code, with the number that Stratum V1 has for it.
fn reason(code: &str) -> RpcError {
    let kind = match code {
        "stale-share" | "invalid-job-id" => Reject::JobNotFound,
        "duplicate-share" => Reject::Duplicate,
        "difficulty-too-low" => Reject::LowDifficulty,
        "invalid-channel-id" => Reject::NotSubscribed,
        _ => Reject::Other,
    };
    RpcError { code: kind.code(), message: code.to_owned() }
}
