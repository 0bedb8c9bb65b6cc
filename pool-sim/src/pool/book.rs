//! The jobs that may still be answered: to whom they were sent, and what was submitted for them.

use super::{EXTRANONCE1_SIZE, PoolConfig, PoolJob};
use crate::node::Template;
use bitcoin::BlockHash;
use midstate_stratum::Difficulty;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many jobs are remembered. With a job every 30 s and at each tip, stale shares are known as such for minutes.
const REMEMBERED: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Book {
    pages: Mutex<Pages>,
}

#[derive(Debug, Default)]
struct Pages {
    jobs: HashMap<String, Page>,
    /// Ids, oldest first.
    order: VecDeque<String>,
    made: u64,
}

#[derive(Debug)]
struct Page {
    job: Arc<PoolJob>,
    /// The difficulty that the job was sent with, by extranonce1: its shares are judged by that, whatever came later and
    /// whatever connection they come through.
    sent: HashMap<[u8; EXTRANONCE1_SIZE], Difficulty>,
    /// Headers submitted for this job, from whatever session: extranonce1 is part of them.
    submitted: HashSet<BlockHash>,
}

impl Book {
    /// Makes a job of a template, and forgets the oldest.
    pub(super) fn add(&self, template: &Template, config: &PoolConfig, clean: bool) -> Arc<PoolJob> {
        let mut pages = self.lock();
        pages.made += 1;
        let id = format!("{:x}", pages.made);
        let job = Arc::new(PoolJob::new(id.clone(), template, config, clean));
        pages.jobs.insert(id.clone(), Page { job: Arc::clone(&job), sent: HashMap::new(), submitted: HashSet::new() });
        pages.order.push_back(id);
        if pages.order.len() > REMEMBERED
            && let Some(oldest) = pages.order.pop_front()
        {
            pages.jobs.remove(&oldest);
        }
        job
    }

    /// Notes that a job goes to whoever has this extranonce1.
    pub(super) fn send(&self, job: &str, extranonce1: [u8; EXTRANONCE1_SIZE], difficulty: Difficulty) {
        if let Some(page) = self.lock().jobs.get_mut(job) {
            page.sent.insert(extranonce1, difficulty);
        }
    }

    /// The job of that id and its difficulty, if it is remembered and went to this extranonce1.
    pub(super) fn job(&self, id: &str, extranonce1: [u8; EXTRANONCE1_SIZE]) -> Option<(Arc<PoolJob>, Difficulty)> {
        let pages = self.lock();
        let page = pages.jobs.get(id)?;
        Some((Arc::clone(&page.job), *page.sent.get(&extranonce1)?))
    }

    /// Notes that a header was submitted; false where it was before.
    pub(super) fn is_new(&self, job: &str, header: BlockHash) -> bool {
        self.lock().jobs.get_mut(job).is_some_and(|page| page.submitted.insert(header))
    }

    fn lock(&self) -> MutexGuard<'_, Pages> {
        // A panic cannot leave a page half-written.
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
