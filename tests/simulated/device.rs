//! A device that finds as many shares as it is told to.

use midstate::backend::{Backend, Cancel, Identity, SearchError};
use midstate::work::{Candidate, Work};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How many shares are still to be found.
pub(crate) type Due = Arc<AtomicU64>;

pub(crate) struct Device {
    identity: Identity,
    due: Due,
}

impl Device {
    pub(crate) fn boxed(due: &Due) -> Box<dyn Backend> {
        let identity = Identity { backend: "simulated", kernel: "none", device: String::new() };
        Box::new(Device { identity, due: Arc::clone(due) })
    }

    fn take(&self) -> bool {
        self.due.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |due| due.checked_sub(1)).is_ok()
    }
}

impl Backend for Device {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn search(&mut self, work: &Work, cancel: &Cancel, found: &mut dyn FnMut(Candidate)) -> Result<u64, SearchError> {
        let mut hashes = 0;
        for nonce in work.range().iter() {
            let candidate = Candidate { version: 0, nonce };
            let is_share = work.header(candidate).is_some_and(|header| work.target().is_met_by(&header.hash().0));
            while is_share && !self.take() {
                if cancel.is_cancelled() {
                    return Ok(hashes);
                }
                std::thread::sleep(Duration::from_micros(50));
            }
            hashes += 1;
            if is_share {
                found(candidate);
            }
        }
        Ok(hashes)
    }
}
