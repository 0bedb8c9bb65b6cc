//! The jobs that may still be answered, and on which terms they were sent to whom.

use super::{EXTRANONCE1_SIZE, PoolJob};
use crate::faults::JobChange;
use midstate_stratum::Difficulty;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many jobs for all are remembered. With a job every 30 s and at each tip, stale shares are known as such for minutes.
const REMEMBERED: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Book {
    pages: Mutex<Pages>,
}

#[derive(Debug, Default)]
struct Pages {
    jobs: HashMap<String, Page>,
    /// The jobs that were made for all, oldest first.
    order: VecDeque<Group>,
    /// How many of those were forgotten.
    forgotten: usize,
    /// The place of the last one that voids those before it.
    void_below: usize,
    made: u32,
}

/// A job that was made for all, and what was made of it for one session.
#[derive(Debug, Default)]
struct Group {
    ids: Vec<String>,
    /// To whom any of them went, and the latest time that it had.
    sent: HashMap<[u8; EXTRANONCE1_SIZE], u32>,
}

#[derive(Debug)]
struct Page {
    job: Arc<PoolJob>,
    /// Where it stands in the order, counted from the first job of all.
    place: usize,
    /// By extranonce1, so that they hold for a session that is resumed too.
    sent: HashMap<[u8; EXTRANONCE1_SIZE], Terms>,
}

/// What a job's shares are judged by, whatever changed later.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Terms {
    pub(super) difficulty: Difficulty,
    /// The version bits that could be rolled when it was sent.
    pub(super) mask: u32,
}

impl Book {
    /// Makes a job for all, of the number that `make` is given. With it come the ids of jobs that are forgotten now.
    pub(super) fn add(&self, voids: bool, make: impl FnOnce(u32) -> PoolJob) -> (Arc<PoolJob>, Vec<String>) {
        let mut pages = self.lock();
        let job = make(pages.number());
        pages.order.push_back(Group::default());
        let place = pages.forgotten + pages.order.len() - 1;
        if voids {
            pages.void_below = place;
        }
        let job = pages.write(job, place);
        let mut old = Vec::new();
        if pages.order.len() > REMEMBERED
            && let Some(Group { ids, .. }) = pages.order.pop_front()
        {
            pages.forgotten += 1;
            for id in &ids {
                pages.jobs.remove(id);
            }
            old = ids;
        }
        (job, old)
    }

    /// Makes a job of one that was made for all, for one session that needs another. It is forgotten with that one.
    pub(super) fn again(&self, job: &PoolJob, session: [u8; EXTRANONCE1_SIZE]) -> Arc<PoolJob> {
        self.odd(job, session, JobChange::default())
    }

    /// The same, with what a scenario changes.
    pub(super) fn odd(&self, job: &PoolJob, session: [u8; EXTRANONCE1_SIZE], change: JobChange) -> Arc<PoolJob> {
        let mut pages = self.lock();
        let number = pages.number();
        let place = pages.place(job);
        let last = pages.order[place - pages.forgotten].sent.get(&session).copied();
        let odd = job.again(number, last).changed(change);
        pages.write(odd, place)
    }

    /// Whether a job that went to that session can still be answered, so that nobody else may have its place.
    pub(super) fn is_living(&self, session: [u8; EXTRANONCE1_SIZE]) -> bool {
        let pages = self.lock();
        let void = pages.void_below.saturating_sub(pages.forgotten);
        pages.order.iter().skip(void).any(|group| group.sent.contains_key(&session))
    }

    /// The newest that builds on another block than this one.
    pub(super) fn before(&self, job: &PoolJob) -> Option<Arc<PoolJob>> {
        let pages = self.lock();
        let others = pages.jobs.values().filter(|page| page.job.previous_block_hash != job.previous_block_hash);
        others.max_by_key(|page| page.place).map(|page| Arc::clone(&page.job))
    }

    /// Notes that a job goes to whoever has this extranonce1.
    pub(super) fn send(&self, job: &str, extranonce1: [u8; EXTRANONCE1_SIZE], terms: Terms) {
        let mut pages = self.lock();
        let Some(page) = pages.jobs.get_mut(job) else { return };
        page.sent.insert(extranonce1, terms);
        let (place, time) = (page.place, page.job.time);
        let at = place - pages.forgotten;
        let last = pages.order[at].sent.entry(extranonce1).or_default();
        *last = time.max(*last);
    }

    /// The job of that id and its terms, if it is remembered and went to this extranonce1.
    pub(super) fn job(&self, id: &str, extranonce1: [u8; EXTRANONCE1_SIZE]) -> Option<(Arc<PoolJob>, Terms)> {
        let pages = self.lock();
        let page = pages.jobs.get(id)?;
        Some((Arc::clone(&page.job), *page.sent.get(&extranonce1)?))
    }

    fn lock(&self) -> MutexGuard<'_, Pages> {
        // A panic cannot leave a page half-written.
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pages {
    /// A number for a job.
    fn number(&mut self) -> u32 {
        self.made = self.made.wrapping_add(1);
        self.made
    }

    /// The place of a job. Were it forgotten, the newest would do.
    fn place(&self, job: &PoolJob) -> usize {
        let newest = self.forgotten + self.order.len() - 1;
        self.jobs.get(&job.id).map_or(newest, |page| page.place)
    }

    fn write(&mut self, job: PoolJob, place: usize) -> Arc<PoolJob> {
        let job = Arc::new(job);
        let at = place - self.forgotten;
        self.order[at].ids.push(job.id.clone());
        self.jobs.insert(job.id.clone(), Page { job: Arc::clone(&job), place, sent: HashMap::new() });
        job
    }
}

#[cfg(test)]
mod tests {
    use super::super::accounts::{AccountsConfig, Desk};
    use super::*;
    use crate::chain::Params;
    use crate::node::Node;

    #[test]
    fn jobs_are_forgotten_with_those_that_were_made_of_them() {
        let template = Node::new(Params::regtest()).template();
        let pay_to = crate::anyone_can_spend().script_pubkey();
        let (desk, _) = Desk::open(&AccountsConfig::default()).unwrap();
        let make = |number| PoolJob::new(number, &template, desk.lock().pay(&template, &pay_to), 0, true);
        let book = Book::default();
        let terms = Terms { difficulty: Difficulty::ONE, mask: 0 };
        let (first, _) = book.add(true, make);
        let again = book.again(&first, [0; 4]);
        book.send(&again.id, [0; 4], terms);
        assert_eq!((again.height, again.clean), (first.height, false));
        let [first_notify, notify] = [&first, &again].map(|job| job.notify());
        assert_ne!(notify.coinbase2, first_notify.coinbase2);
        assert_eq!(notify.coinbase2.len(), first_notify.coinbase2.len());
        for _ in 1..REMEMBERED {
            assert_eq!(book.add(false, make).1, [""; 0]);
        }
        assert_eq!(book.job(&again.id, [0; 4]).unwrap().1, terms);
        assert!(book.job(&again.id, [1; 4]).is_none() && book.job(&first.id, [0; 4]).is_none());
        let (newest, old) = book.add(false, make);
        assert_eq!(old, [first.id.clone(), again.id.clone()]);
        assert!(book.job(&again.id, [0; 4]).is_none());
        assert_ne!(book.again(&newest, [0; 4]).id, newest.id);
        assert_ne!(book.again(&first, [0; 4]).id, first.id);
    }
}
