//! Where the engine's threads take their slices: streams of work, in turns, cut up so that no two slices overlap.

use super::lock;
use crate::backend::Cancel;
use crate::work::{NonceRange, Work};
use std::collections::VecDeque;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// A stream of work, each with a tag that comes back with what is found in it.
pub type Source<T> = Box<dyn Iterator<Item = (Work, T)> + Send>;

pub(super) struct Feed<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    /// The one whose turn it is comes first. One that has ended is there no more.
    streams: VecDeque<Stream<T>>,
    stopped: bool,
}

struct Stream<T> {
    source: Source<T>,
    /// The work being cut up, and which of its nonces nobody took yet.
    current: Option<(Work, T, NonceRange)>,
}

impl<T> Default for Feed<T> {
    fn default() -> Self {
        let state = State { streams: VecDeque::new(), stopped: false };
        Feed { state: Mutex::new(state), changed: Condvar::new() }
    }
}

impl<T> Feed<T> {
    /// Replaces the streams. `cancel` ends the old work's epoch, at a moment when nobody can take a slice.
    pub(super) fn replace(&self, sources: Vec<Source<T>>, cancel: impl FnOnce()) {
        let mut state = lock(&self.state);
        state.streams = sources.into_iter().map(|source| Stream { source, current: None }).collect();
        cancel();
        self.changed.notify_all();
    }

    pub(super) fn stop(&self) {
        lock(&self.state).stopped = true;
        self.changed.notify_all();
    }

    /// Waits for this long, or until there is something new.
    pub(super) fn sleep(&self, time: Duration) {
        let state = lock(&self.state);
        if !state.stopped {
            drop(self.changed.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner));
        }
    }
}

/// What a thread gets.
pub(super) enum Taken<T> {
    /// Nonces that nobody else has, with the token of their epoch.
    Slice(Work, T, Cancel),
    /// The last stream has ended. One thread is told.
    End,
}

impl<T: Clone> Feed<T> {
    /// A slice of about `hashes` hashes; waits for work if there is none. `None` when the engine stops.
    pub(super) fn take(&self, hashes: u64, epoch: &Arc<AtomicU64>) -> Option<Taken<T>> {
        let mut state = lock(&self.state);
        loop {
            if state.stopped {
                return None;
            }
            let begun = !state.streams.is_empty();
            if let Some((work, tag)) = state.slice(hashes) {
                return Some(Taken::Slice(work, tag, Cancel::on_change_of(epoch)));
            }
            if begun {
                return Some(Taken::End);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl<T: Clone> State<T> {
    fn slice(&mut self, hashes: u64) -> Option<(Work, T)> {
        while let Some(mut stream) = self.streams.pop_front() {
            if let Some(slice) = stream.slice(hashes) {
                self.streams.push_back(stream);
                return Some(slice);
            }
        }
        None
    }
}

impl<T: Clone> Stream<T> {
    fn slice(&mut self, hashes: u64) -> Option<(Work, T)> {
        loop {
            if let Some((work, tag, left)) = &mut self.current {
                let nonces = hashes / work.midstates().len().max(1) as u64;
                let range = left.take_front(nonces.max(1));
                if !range.is_empty() {
                    return Some((work.over(range), tag.clone()));
                }
            }
            let (work, tag) = self.source.next()?;
            let left = work.range();
            self.current = Some((work, tag, left));
        }
    }
}
