//! A simulated miner's shares, from the job to `mining.submit`.

use super::search::{Want, Work};
use super::session::{End, Session};
use super::wire::Wire;
use midstate_stratum::message::{ClientCall, Notify, Submit};
use midstate_stratum::v2::ClientMessage;
use mining_sv2::SubmitSharesExtendedOwned;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;
use tokio::sync::oneshot;

/// A share that is being searched for.
pub(super) struct Searched {
    /// The job's, whatever job comes meanwhile.
    work: Arc<Work>,
    want: Want,
    nonce: oneshot::Receiver<u32>,
}

impl Session<'_> {
    pub(super) fn on_job(&mut self, job: Notify) {
        let Some(extranonce1) = &self.extranonce1 else { return };
        let (tip, is_new, is_first) =
            (job.previous_block_hash, Some(job.previous_block_hash) != self.tip, self.mining_since.is_none());
        {
            let mut figures = self.shared.figures();
            if is_new {
                figures.tip(tip, self.mining_since);
            }
            if is_first {
                self.mining_since = Some(Instant::now());
                figures.mining += 1;
                figures.first_job.record(self.begun.elapsed());
            }
        }
        self.tip = Some(tip);
        let is_void = is_new || job.clean_jobs;
        let Ok(work) = Work::new(job, extranonce1, &self.extranonce2, self.difficulty) else {
            self.work = None;
            self.shared.figures().counts.unreadable += 1;
            return;
        };
        self.work = Some(Arc::new(work));
        // What is searched for a job that still holds is as good.
        if is_void {
            self.search = None;
        }
    }

    /// What was searched for was found, or no nonce is left: the next job brings new ones.
    pub(super) async fn on_found(&mut self, nonce: Option<u32>) -> Result<(), End> {
        let Some((nonce, Searched { work, want, .. })) = nonce.zip(self.search.take()) else {
            self.work = None;
            return Ok(());
        };
        self.submit(&work, nonce, want).await
    }

    /// False if there is nothing to be found.
    pub(super) fn start_search(&mut self) -> bool {
        let Some(work) = &self.work else { return false };
        let usual = if self.shared.options.blocks { Want::Any } else { Want::NoBlock };
        let is_block = self.shared.is_block_wanted.swap(false, Ordering::Relaxed);
        let want = if is_block { Want::Block } else { usual };
        let Some(hashes) = work.hashes(want) else {
            let mut figures = self.shared.figures();
            figures.counts.withheld += 1;
            figures.notice = Some(format!(
                "difficulty: {}; each share would be a block of this chain; expected less, or --blocks",
                self.difficulty
            ));
            return false;
        };
        let options = &self.shared.options;
        let asked = hashes * options.miners as f64 / options.interval.as_secs_f64();
        if asked > options.max_hashes_per_second && want == usual {
            self.shared.figures().notice = Some(format!(
                "difficulty: {}; {} miners need {asked:.3e} hashes a second for that, and --max-hashes-per-second allows {:.3e}; shares are fewer",
                self.difficulty, options.miners, options.max_hashes_per_second
            ));
        }
        let nonce = self.shared.search.find(Arc::clone(work), self.nonce, want);
        self.search = Some(Searched { work: Arc::clone(work), want, nonce });
        true
    }

    async fn submit(&mut self, work: &Work, nonce: u32, want: Want) -> Result<(), End> {
        self.nonce = nonce.wrapping_add(1);
        let id = self.next_id;
        self.next_id += 1;
        let submit = Submit {
            user: self.user(),
            job_id: work.job_id.clone(),
            extranonce2: work.extranonce2.clone(),
            ntime: work.ntime,
            nonce,
            version_bits: None,
        };
        {
            let mut figures = self.shared.figures();
            figures.counts.submitted += 1;
            if want == Want::Block {
                figures.block();
            }
        }
        self.pending.push_back((id, Instant::now()));
        match self.wire {
            Wire::V1(..) => self.send(ClientCall::Submit(submit).to_line(&json!(id))).await,
            Wire::V2(_) => {
                let share = SubmitSharesExtendedOwned {
                    channel_id: self.channel.id,
                    sequence_number: id as u32,
                    // It is a number's text.
                    job_id: submit.job_id.parse().unwrap_or_default(),
                    nonce,
                    ntime: submit.ntime,
                    version: work.version,
                    extranonce: submit
                        .extranonce2
                        .try_into()
                        .map_err(|_| End::Bad("extranonce: too long".to_owned()))?,
                };
                self.say(ClientMessage::SubmitExtended(share)).await
            }
        }
    }
}

/// The nonce that is searched for. Cancel-safe.
pub(super) async fn found(search: &mut Option<Searched>) -> Result<u32, oneshot::error::RecvError> {
    match search {
        Some(search) => (&mut search.nonce).await,
        None => std::future::pending().await,
    }
}
