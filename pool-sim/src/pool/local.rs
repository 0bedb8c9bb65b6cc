//! A pool's node: where its jobs come from, and where its blocks go.

use super::accounts::{Desk, Pay};
use super::payer::pay;
use super::tips::Tips;
use super::{PoolConfig, PoolEvent, PoolJob, Refusal, Shared};
use crate::chain::Accepted;
use crate::node::{Node, Template, Tip};
use bitcoin::Block;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// A node, and the accounts of the pool on it.
pub(super) struct Local {
    pub(super) config: PoolConfig,
    pub(super) node: Node,
    pub(super) tips: Tips,
    pub(super) desk: Desk,
}

impl Local {
    /// How late a job's shares are, zero if they are not, or why they come too late.
    pub(super) fn lateness(&self, job: &PoolJob) -> Result<Duration, Refusal> {
        // The tip itself, not the last job: a job that builds on another block is stale from that moment on.
        let known = self.tips.look();
        let grace = self.config.stale_grace;
        match known.lateness(job.previous_block_hash) {
            Some(late) if late.is_zero() || late < grace => Ok(late),
            _ => {
                let (height, tip, since) = (job.height, known.tip.height, known.since());
                Err(Refusal::Stale { job: job.id.clone(), height, tip, since, grace })
            }
        }
    }

    /// Gives a block to the node. If the node does not take it as its tip: its word for why.
    pub(super) fn submit_block(&self, block: &Block) -> Result<(), String> {
        match self.node.submit_block(block) {
            Ok(Accepted::Tip) => Ok(()),
            Ok(Accepted::SideChain) => Err("inconclusive".to_owned()),
            Ok(Accepted::Duplicate) => Err("duplicate".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// Makes a job for each new tip, and now and then.
pub(super) async fn make_jobs(shared: Arc<Shared>, jobs: watch::Sender<Arc<PoolJob>>, mut tips: watch::Receiver<Tip>) {
    let Some(local) = shared.source.local() else { return };
    let mut pays = true;
    loop {
        // After the job: miners do not wait for the disk.
        pays = pays && pay(&shared).await;
        let clean = tokio::select! {
            changed = tips.changed() => match changed {
                Ok(()) => true,
                Err(_) => return,
            },
            () = tokio::time::sleep(local.config.renotify) => false,
        };
        jobs.send_replace(make_job(&shared, local, clean));
    }
}

/// Makes a job for all.
pub(super) fn make_job(shared: &Shared, local: &Local, clean: bool) -> Arc<PoolJob> {
    let Local { config, node, tips: known, desk } = local;
    // From now on the tip before is late.
    known.look();
    let (template, pay, settled) = next(node, desk, config);
    for event in settled {
        shared.say(event);
    }
    let make = |number| PoolJob::new(number, &template, pay, config.version_mask, clean);
    let (job, forgotten) = shared.book.add(clean, make);
    for id in &forgotten {
        shared.seen.forget(id);
    }
    shared.say(PoolEvent::Job { id: job.id.clone(), height: job.height, clean });
    job
}

/// What the next job is made of, once the accounts know the best chain, and what that changed in them.
pub(super) fn next(node: &Node, desk: &Desk, config: &PoolConfig) -> (Template, Pay, Vec<PoolEvent>) {
    // A block that is on its way to the node is booked before.
    let mut books = desk.lock();
    let settled = match books.settle(node) {
        Ok(blocks) => blocks.into_iter().map(|block| PoolEvent::Reward(Box::new(block))).collect(),
        Err(error) => vec![PoolEvent::Unbooked { error: error.to_string() }],
    };
    let mut template = node.template();
    template.bits = config.job_bits.unwrap_or(template.bits);
    let pay = books.pay(&template, &config.pay_to);
    (template, pay, settled)
}
