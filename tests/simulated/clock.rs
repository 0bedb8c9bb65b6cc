//! Time that passes when the test says so, while sockets and threads go on as ever.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// What happened so far, counted by all who take part: when it stands still, everybody waits for the clock.
pub(crate) type Activity = Arc<AtomicU64>;

/// The runtime's clock, stopped.
pub(crate) struct Clock {
    activity: Activity,
    /// As long as a blocking task runs, tokio does not turn the clock by itself when all its tasks wait.
    _held: mpsc::Sender<()>,
}

impl Clock {
    /// Stops the clock of a runtime of one thread.
    pub(crate) fn stop(activity: &Activity) -> Clock {
        tokio::time::pause();
        let (held, until_dropped) = mpsc::channel::<()>();
        tokio::task::spawn_blocking(move || until_dropped.recv());
        Clock { activity: Arc::clone(activity), _held: held }
    }

    /// Lets so much time pass, and then everybody do what there is to do.
    pub(crate) async fn pass(&self, step: Duration) {
        tokio::time::advance(step).await;
        // A busy machine may take its time to carry a packet, or to wake the engine.
        let (mut before, mut quiet) = (self.activity.load(Ordering::Relaxed), 0);
        while quiet < 3 {
            let real = tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_micros(150)));
            real.await.unwrap();
            let now = self.activity.load(Ordering::Relaxed);
            quiet = if now == before { quiet + 1 } else { 0 };
            before = now;
        }
    }
}
