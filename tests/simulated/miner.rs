//! A whole miner on a simulated device, driven by a task of its own.

use super::clock::{Activity, Clock};
use super::device::{Device, Due};
use midstate::engine::Engine;
use midstate::miner::{Event, Miner, Stats};
use midstate::upstream::{Source, spawn};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// A miner at work, and what is noted of its events.
pub(crate) struct Driven<N> {
    /// What it should mine on from now on.
    pub(crate) sources: mpsc::UnboundedSender<Vec<Source>>,
    task: JoinHandle<(Stats, N)>,
}

impl<N: Send + 'static> Driven<N> {
    /// Starts one on these sources; each of its events is noted.
    pub(crate) fn start(
        sources: Vec<Source>,
        due: &Due,
        activity: &Activity,
        mut notes: N,
        note: impl Fn(&mut N, &Event) + Send + 'static,
    ) -> Driven<N> {
        let (found, from_engine) = mpsc::unbounded_channel();
        let (counted, activity) = (Arc::clone(activity), Arc::clone(activity));
        let engine = Engine::start(vec![Device::boxed(due)], move |event| {
            counted.fetch_add(1, Ordering::Relaxed);
            let _ = found.send(event);
        });
        let (upstream, from_upstream) = spawn(sources);
        let mut miner = Miner::new(engine.unwrap(), from_engine, upstream, from_upstream);
        let (sources, mut wanted) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            loop {
                tokio::select! {
                    event = miner.next() => {
                        if !matches!(event, Event::Stats(_)) {
                            activity.fetch_add(1, Ordering::Relaxed);
                        }
                        note(&mut notes, &event);
                    }
                    wanted = wanted.recv() => match wanted {
                        Some(wanted) => miner.set_sources(wanted),
                        None => break,
                    },
                }
            }
            let (stats, said) = miner.finish(Duration::from_secs(10)).await;
            for event in &said {
                note(&mut notes, event);
            }
            (stats, notes)
        });
        Driven { sources, task }
    }

    /// Stops it. The final counters, and what was noted.
    pub(crate) async fn finish(self, clock: &Clock) -> (Stats, N) {
        drop(self.sources);
        while !self.task.is_finished() {
            clock.pass(Duration::from_secs(1)).await;
        }
        self.task.await.unwrap()
    }
}

/// Runs a test whose clock is turned by hand.
pub(crate) fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(test);
    // Tasks that wait for the clock wait for ever.
    runtime.shutdown_background();
}
