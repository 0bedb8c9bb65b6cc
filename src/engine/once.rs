//! One piece of work to its end, on several backends at once.

use crate::backend::{Backend, Cancel, SearchError};
use crate::work::{Candidate, Work};
use std::panic::resume_unwind;
use std::thread;

/// What a whole piece of work gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Searched {
    /// Everything found, in order of version and nonce. Not re-hashed: this is what the backends said.
    pub candidates: Vec<Candidate>,
    /// How many hashes the backends counted.
    pub hashes: u64,
}

/// Searches `work` in equal parts, one for each backend, and waits for all of them.
pub fn search_once(backends: &mut [Box<dyn Backend>], work: &Work, cancel: &Cancel) -> Result<Searched, SearchError> {
    let part = work.range().len().div_ceil(backends.len().max(1) as u64);
    let mut rest = work.range();
    let results = thread::scope(|scope| {
        let search = |backend: &mut Box<dyn Backend>, work: Work| {
            backend.enter_thread();
            let mut candidates = Vec::new();
            let hashes = backend.search(&work, cancel, &mut |candidate| candidates.push(candidate))?;
            Ok(Searched { candidates, hashes })
        };
        let parts: Vec<_> = backends.iter_mut().map(|b| (b, work.over(rest.take_front(part)))).collect();
        let threads: Vec<_> = parts.into_iter().map(|(b, work)| scope.spawn(move || search(b, work))).collect();
        let results = threads.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
        results.collect::<Vec<_>>()
    });
    let mut all = Searched::default();
    for result in results {
        let searched = result?;
        all.candidates.extend(searched.candidates);
        all.hashes += searched.hashes;
    }
    all.candidates.sort_unstable();
    Ok(all)
}
