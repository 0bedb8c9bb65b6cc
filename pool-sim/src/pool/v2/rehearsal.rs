//! A pool that nobody can connect to, and connections of Stratum V2 to it that are played: what a fuzzer talks to.

use super::talk::Talk;
use crate::chain::Params;
use crate::node::Node;
use crate::pool::judge::Due;
use crate::pool::local::make_job;
use crate::pool::{Pool, PoolConfig, PoolError, PoolEvent, PoolJob, Port, Shared};
use bitcoin::CompactTarget;
use midstate_stratum::Difficulty;
use midstate_stratum::v2::Frame;
use std::net::SocketAddr;
use std::sync::Arc;

/// A pool for rehearsals. Its jobs claim mainnet's first target, so that no share is a block and nothing but [`Step::Job`] brings another.
pub struct Rehearsal {
    shared: Arc<Shared>,
    port: Port,
}

/// What happens on a connection.
#[derive(Clone, Debug)]
pub enum Step {
    /// A frame comes from the miner.
    Hear(Frame),
    /// No further frame came at once.
    Pause,
    /// There is a new job, on the same block or on a new one.
    Job {
        /// Whether there is a new block.
        is_new_tip: bool,
    },
    /// Time for looking at difficulties.
    Review,
}

impl Rehearsal {
    /// A pool on a new chain. With variable difficulty from a difficulty on that each hash meets. `on_event` is told what is said of it.
    pub fn new(on_event: impl Fn(PoolEvent) + Send + Sync + 'static) -> Result<Rehearsal, PoolError> {
        let easiest = Difficulty::new(1e-12).unwrap_or(Difficulty::ONE);
        let port = Port { shares_per_minute: Some(60.0), ..Port::new(SocketAddr::from(([127, 0, 0, 1], 0)), easiest) };
        let mut config = PoolConfig::on(vec![port.clone()], crate::anyone_can_spend().script_pubkey());
        config.job_bits = Some(CompactTarget::from_consensus(0x1d00_ffff));
        // The task that would make jobs is not started.
        let (shared, _, _) = Pool::prepare(Node::new(Params::regtest()), config, on_event)?;
        Ok(Rehearsal { shared, port })
    }

    /// Plays a connection from its beginning to its end. The frames that are sent, with their headers, and why it ended, if not for want of
    /// steps.
    pub fn play(&self, steps: impl IntoIterator<Item = Step>) -> (Vec<Vec<u8>>, Option<String>) {
        let job = Arc::clone(&self.shared.jobs.borrow());
        let mut talk = Talk::new(&self.shared, 0, &self.port, job);
        let mut frames = Vec::new();
        for step in steps {
            let done = match step {
                Step::Hear(frame) => match talk.hear(frame) {
                    // Without a store there is nothing to wait for.
                    Ok(Some((answer, Due::Keep(_)))) => talk.answer(answer),
                    Ok(_) => Ok(()),
                    Err(end) => Err(end),
                },
                Step::Pause => talk.acknowledge(),
                Step::Job { is_new_tip } => self.new_job(is_new_tip).map_or(Ok(()), |job| talk.set_job(&job)),
                Step::Review => talk.review(),
            };
            frames.extend(std::iter::from_fn(|| talk.next_frame()));
            if let Err(end) = done {
                return (frames, Some(end.to_string()));
            }
        }
        (frames, None)
    }

    /// The next job, on a new block if it is to be; a block that the node does not make brings none.
    fn new_job(&self, is_new_tip: bool) -> Option<Arc<PoolJob>> {
        let local = self.shared.source.local()?;
        if is_new_tip {
            local.node.generate(1, &local.config.pay_to).ok()?;
        }
        Some(make_job(&self.shared, local, is_new_tip))
    }
}
