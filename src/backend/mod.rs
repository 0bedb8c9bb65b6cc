//! Everything that can search nonces, behind one trait.
//!
//! A [`Backend`] searches on the thread that calls it; threads, slices of the nonce space and the re-hash of what is
//! found belong to [`crate::engine`]. [`registry`] lists what this machine has; [`self_test`] is what each backend
//! passes when it is opened.

pub mod cpu;
#[cfg(feature = "gpu")]
pub mod gpu;
pub mod registry;
pub mod scalar;
pub(crate) mod self_test;
mod throttle;

pub use registry::{Device, GpuOptions, Kind, OpenError, Selection, devices, open};
pub use self_test::{SelfTestError, self_test};
pub use throttle::{Throttle, ThrottleError};

use crate::work::{Candidate, Work};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use thiserror::Error;

/// Something that can search nonces.
///
/// What every implementation promises:
///
/// - it reports exactly the nonces that meet the target, under each midstate: none missed, none invented, ranges that
///   wrap or end at `0xffff_ffff` included;
/// - it says exactly how many hashes it did (a midstate with a nonce is one hash);
/// - it returns within 50 ms of being cancelled;
/// - it passes [`self_test`] when it is opened, or is refused by name.
pub trait Backend: Send {
    /// What this is, for people and for `--json`.
    fn identity(&self) -> &Identity;

    /// With how many versions in a work it is fastest; any number is searched.
    fn versions(&self) -> usize {
        1
    }

    /// Called by the thread that is going to drive it, before its first search there. The thread is this backend's own.
    fn enter_thread(&mut self) {}

    /// Searches `work` until its end or until `cancel` says so, calls `found` for each hash that meets the target, and
    /// returns how many hashes it did: `work.hashes()` unless cancelled.
    ///
    /// When cancelled, what was counted was searched, and what was found in it was reported.
    ///
    /// # Errors
    /// The device failed; the backend may be used again, but nothing is known of this work.
    fn search(&mut self, work: &Work, cancel: &Cancel, found: &mut dyn FnMut(Candidate)) -> Result<u64, SearchError>;
}

/// Names of a backend, as the command line and `--json` use them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The kind: `scalar`, `cpu` or `gpu`.
    pub backend: &'static str,
    /// The form of the kernel, such as `avx512` or `wgsl`.
    pub kernel: &'static str,
    /// The device, such as an adapter's name; for the CPU its cores where they are of several kinds, else empty.
    pub device: String,
}

impl std::fmt::Display for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.device.as_str() {
            "" => write!(f, "{}/{}", self.backend, self.kernel),
            device => write!(f, "{}/{} ({device})", self.backend, self.kernel),
        }
    }
}

/// A device that failed while it searched.
#[derive(Debug, Error)]
#[error("{backend}: {what}")]
pub struct SearchError {
    /// Which backend, as [`Identity`] displays it.
    pub backend: String,
    /// What the device or its driver said.
    pub what: String,
}

/// Tells a search to stop: work belongs to an epoch, and is over when the epoch is.
#[derive(Clone, Debug)]
pub struct Cancel {
    epoch: Arc<AtomicU64>,
    mine: u64,
}

impl Cancel {
    /// A token that is cancelled once `epoch` has moved on from what it is now.
    pub fn on_change_of(epoch: &Arc<AtomicU64>) -> Cancel {
        Cancel { epoch: Arc::clone(epoch), mine: epoch.load(Ordering::Acquire) }
    }

    /// A token that never cancels.
    pub fn never() -> Cancel {
        Cancel::on_change_of(&Arc::new(AtomicU64::new(0)))
    }

    /// Whether to stop: one relaxed load, cheap enough for every few thousand hashes.
    pub fn is_cancelled(&self) -> bool {
        self.epoch.load(Ordering::Relaxed) != self.mine
    }
}
