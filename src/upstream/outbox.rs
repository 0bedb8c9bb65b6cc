//! What a session says, on its way to a miner that may be slower than the pool.

use super::Event;
use super::tips::Tip;
use crate::job::Share;
use std::collections::VecDeque;
use tokio::sync::mpsc::Sender;

/// Events in order. A session delivers them before it hears more, so a pool cannot say more than its miner takes.
pub(super) struct Outbox {
    events: Sender<Event>,
    waiting: VecDeque<Event>,
    /// Where it is noted what jobs build on.
    tip: Option<Tip>,
}

impl Outbox {
    pub(super) fn new(events: Sender<Event>) -> Outbox {
        Outbox { events, waiting: VecDeque::new(), tip: None }
    }

    pub(super) fn noting(self, tip: Tip) -> Outbox {
        Outbox { tip: Some(tip), ..self }
    }

    pub(super) fn say(&mut self, event: Event) {
        if let (Event::Job { job, .. }, Some(tip)) = (&event, &self.tip) {
            tip.note(job.previous_block_hash);
        }
        self.waiting.push_back(event);
    }

    /// Says that shares will not be sent, or not be answered, if there are any.
    pub(super) fn lose(&mut self, shares: Vec<Share>) {
        if !shares.is_empty() {
            self.say(Event::Lost(shares));
        }
    }

    /// Waits until the miner has room for everything that was said. Dropped and called again, nothing is lost.
    pub(super) async fn deliver(&mut self) {
        while !self.waiting.is_empty() {
            // Nobody listens only when the miner is going away, which the next share or line shows.
            let Ok(room) = self.events.reserve().await else { return self.waiting.clear() };
            if let Some(event) = self.waiting.pop_front() {
                room.send(event);
            }
        }
    }
}
