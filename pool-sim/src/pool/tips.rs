//! The node's best block, since when it is that, and which was it before.

use crate::node::Tip;
use bitcoin::BlockHash;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Asks the node at each look, so that no share is judged by a tip that is gone.
#[derive(Debug)]
pub(super) struct Tips {
    node: watch::Receiver<Tip>,
    known: Mutex<Known>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) tip: Tip,
    since: Instant,
    before: Option<BlockHash>,
}

impl Tips {
    pub(super) fn new(node: watch::Receiver<Tip>) -> Tips {
        let known = Known { tip: *node.borrow(), since: Instant::now(), before: None };
        Tips { node, known: Mutex::new(known) }
    }

    /// What is known now. A tip's time begins when it is seen first.
    pub(super) fn look(&self) -> Known {
        // A panic cannot leave it half-written.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let tip = *self.node.borrow();
        if tip != known.tip {
            *known = Known { tip, since: Instant::now(), before: Some(known.tip.hash) };
        }
        *known
    }
}

impl Known {
    /// How long it has been the tip.
    pub(super) fn since(&self) -> Duration {
        self.since.elapsed()
    }

    /// How late work on that block is: zero for the tip, something for the one before it, `None` for any other.
    pub(super) fn lateness(&self, parent: BlockHash) -> Option<Duration> {
        if parent == self.tip.hash {
            return Some(Duration::ZERO);
        }
        (self.before == Some(parent)).then(|| self.since())
    }
}
