//! Group commit: whatever comes while the disk is busy is committed together next.

use super::{Entry, Store, StoreError};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use tokio::sync::oneshot;

/// At most so many entries are one commit, so that the first does not wait for ever more.
const MOST: usize = 4096;

/// A promise that an entry is kept.
#[derive(Debug)]
pub struct Written(oneshot::Receiver<Result<(), Arc<StoreError>>>);

impl Written {
    /// Waits until it is kept. `None` stands for a store that is gone.
    pub async fn done(self) -> Result<(), Option<Arc<StoreError>>> {
        self.0.await.map_err(|_| None)?.map_err(Some)
    }
}

struct Job {
    entry: Entry,
    written: oneshot::Sender<Result<(), Arc<StoreError>>>,
}

/// The one who writes to a store. Dropped, it writes what it was given before.
#[derive(Debug)]
pub struct Journal {
    jobs: Option<Sender<Job>>,
    writer: Option<JoinHandle<()>>,
}

impl Journal {
    /// Starts a thread that writes: a commit waits for the disk, which no task may.
    pub fn new(store: Box<dyn Store>) -> Journal {
        let (sender, jobs) = channel();
        Journal { jobs: Some(sender), writer: Some(thread::spawn(move || write(store, &jobs))) }
    }

    /// Hands an entry over. Entries are kept in the order in which they are handed over.
    pub fn enter(&self, entry: Entry) -> Written {
        let (written, promise) = oneshot::channel();
        if let Some(jobs) = &self.jobs {
            // A writer that is gone drops the promise.
            let _ = jobs.send(Job { entry, written });
        }
        Written(promise)
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

fn write(mut store: Box<dyn Store>, jobs: &Receiver<Job>) {
    let mut broken: Option<Arc<StoreError>> = None;
    while let Ok(first) = jobs.recv() {
        let (entries, promises): (Vec<_>, Vec<_>) =
            [first].into_iter().chain(jobs.try_iter().take(MOST - 1)).map(|job| (job.entry, job.written)).unzip();
        // After a failure the books know of what the store does not: nothing that follows would fit.
        if broken.is_none() {
            broken = store.commit(&entries).err().map(Arc::new);
        }
        for promise in promises {
            // A miner that went away does not wait.
            let _ = promise.send(broken.clone().map_or(Ok(()), Err));
        }
    }
}
