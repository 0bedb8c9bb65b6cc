//! The one place where a share is judged.

use super::accounts::Entered;
use super::book::Terms;
use super::refusal::NTIME_AHEAD;
use super::seen::Earlier;
use super::{EXTRANONCE1_SIZE, EXTRANONCE2_SIZE, Judged, PoolEvent, PoolJob, Refusal, ShareRecord, Shared};
use crate::chain::Accepted;
use bitcoin::hashes::Hash;
use bitcoin::{Block, BlockHash};
use midstate_stratum::message::Submit;
use midstate_stratum::{Difficulty, Target};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

/// The connection that a share came through.
#[derive(Clone, Copy, Debug)]
pub(super) struct Submitter {
    pub(super) session: u64,
    /// If it subscribed.
    pub(super) extranonce1: Option<[u8; EXTRANONCE1_SIZE]>,
    /// Whether the share's user did.
    pub(super) is_authorized: bool,
    /// The version bits that may be rolled now.
    pub(super) mask: u32,
}

impl Shared {
    /// Judges a share. One that is a block reaches the node first, whatever the pool would refuse it for; if the node takes
    /// it, so does the pool. What it changes in the accounts is under way to the store.
    pub(super) fn judge(&self, from: Submitter, submit: Submit) -> (ShareRecord, Entered) {
        let number = self.judged.fetch_add(1, Ordering::Relaxed) + 1;
        let time = SystemTime::now();
        let built = self.build(from, &submit);
        // From before the node has a block until it is booked nobody else has the books: a job that is made between would be
        // divided as if it did not exist.
        let books = built.as_ref().is_ok_and(|(_, block, _)| is_block(block)).then(|| self.desk.lock());
        let (job, judged, verdict) = match built {
            Ok((job, block, mut judged)) => {
                let share = Earlier { number, accepted: false, time };
                let verdict = self.decide(&submit, &job, &block, &mut judged, share);
                (Some(job), Some(judged), verdict)
            }
            Err(refusal) => (None, None, Err(refusal)),
        };
        let Submit { user, job_id, extranonce2, ntime, nonce, version_bits } = submit;
        let Submitter { session, extranonce1, .. } = from;
        let record = ShareRecord {
            number,
            time,
            session,
            user,
            job: job_id,
            extranonce1,
            extranonce2,
            ntime,
            nonce,
            version_bits,
            judged,
            verdict,
        };
        let entered = match job {
            Some(job) if record.verdict.is_ok() || books.is_some() => {
                books.unwrap_or_else(|| self.desk.lock()).share(&record, &job, &self.node)
            }
            _ => Entered::default(),
        };
        (record, entered)
    }

    /// Waits until what a share changed is kept. One that cannot be kept is not accepted.
    pub(super) async fn keep(&self, record: &mut ShareRecord, entered: Entered) {
        let Entered { written, block, error } = entered;
        if let Some(written) = written
            && let Err(error) = written.done().await
        {
            let error = error.map_or_else(|| "its store is closed".to_owned(), |error| error.to_string());
            record.verdict = Err(Refusal::Unrecorded { error });
        }
        if let Some(error) = error {
            self.say(PoolEvent::Unbooked { error: error.to_string() });
        }
        if let Some(block) = block {
            self.say(PoolEvent::Reward(Box::new(block)));
        }
    }

    /// The block that a share claims to be, and what judges it.
    fn build(&self, from: Submitter, submit: &Submit) -> Result<(Arc<PoolJob>, Block, Judged), Refusal> {
        let extranonce1 = from.extranonce1.ok_or(Refusal::NotSubscribed)?;
        if !from.is_authorized {
            return Err(Refusal::Unauthorized { user: submit.user.clone() });
        }
        let unknown = || Refusal::UnknownJob { job: submit.job_id.clone() };
        let (job, Terms { difficulty, mask: first_mask }) =
            self.book.job(&submit.job_id, extranonce1).ok_or_else(unknown)?;
        let found = submit.extranonce2.len();
        if found != EXTRANONCE2_SIZE {
            return Err(Refusal::Extranonce2 { found, expected: EXTRANONCE2_SIZE });
        }
        let bits = submit.version_bits.unwrap_or(0);
        // A new mask holds at once, for older jobs too (BIP 310). What was under way meanwhile kept to the one that its job was
        // sent with, and so does a resumed session that has not agreed on one yet.
        let keeps_to_the_first = bits & !from.mask != 0 && bits & !first_mask == 0;
        let mask = if keeps_to_the_first { first_mask } else { from.mask };
        // Bits beyond the mask are refused later. Here they count: they are in the header that the miner hashed.
        let block = job
            .block(submit, &extranonce1, mask | bits)
            .map_err(|_| Refusal::Unbuildable { job: submit.job_id.clone() })?;
        let hash = block.block_hash();
        let (target, meets_target) = weigh(hash, difficulty);
        let judged = Judged {
            height: job.height,
            difficulty,
            target,
            mask,
            header: block.header,
            reached: Target::from_le_bytes(hash.to_byte_array()).difficulty(),
            meets_target,
            late: None,
            block: None,
        };
        Ok((job, block, judged))
    }

    /// Whether a share of a job that was sent under one extranonce1 meets its target under another.
    pub(super) fn would_meet(
        &self,
        submit: &Submit,
        sent: [u8; EXTRANONCE1_SIZE],
        other: [u8; EXTRANONCE1_SIZE],
        mask: u32,
    ) -> bool {
        let Some((job, terms)) = self.book.job(&submit.job_id, sent) else { return false };
        let mask = mask | submit.version_bits.unwrap_or(0);
        job.block(submit, &other, mask).is_ok_and(|block| weigh(block.block_hash(), terms.difficulty).1)
    }

    fn decide(
        &self,
        submit: &Submit,
        job: &PoolJob,
        block: &Block,
        judged: &mut Judged,
        share: Earlier,
    ) -> Result<(), Refusal> {
        let hash = block.block_hash();
        let is_block = is_block(block);
        // What is neither share nor block is not remembered: rubbish would fill the memory.
        let is_remembered = judged.meets_target || is_block;
        let earlier = if is_remembered { self.seen.find(&job.id, hash) } else { None };
        let is_withheld = is_block && self.config.faults.as_ref().is_some_and(|faults| faults.withholds());
        if is_block && !is_withheld && earlier.is_none() {
            judged.block = Some(self.submit_block(block, job.height));
        }
        let verdict = match (&judged.block, earlier) {
            (Some(Ok(())), _) => Ok(()),
            _ => self.rules(submit, job, judged, hash, earlier),
        };
        if is_remembered && earlier.is_none() {
            let accepted = verdict.is_ok();
            // Another connection was quicker by a hair.
            if let Some(earlier) = self.seen.note(&job.id, hash, Earlier { accepted, ..share }) {
                return Err(duplicate(earlier));
            }
        }
        verdict
    }

    /// What holds for a share that is no block which the node took.
    fn rules(
        &self,
        submit: &Submit,
        job: &PoolJob,
        judged: &mut Judged,
        hash: BlockHash,
        earlier: Option<Earlier>,
    ) -> Result<(), Refusal> {
        let (ntime, earliest) = (submit.ntime, job.time);
        if ntime < earliest {
            return Err(Refusal::TooEarly { ntime, earliest });
        }
        if ntime > earliest.saturating_add(NTIME_AHEAD) {
            return Err(Refusal::TooLate { ntime, earliest });
        }
        if let Some(bits) = submit.version_bits.filter(|bits| bits & !judged.mask != 0) {
            return Err(Refusal::VersionBits { bits, mask: judged.mask });
        }
        if let Some(earlier) = earlier {
            return Err(duplicate(earlier));
        }
        // The tip itself, not the last job: a job that builds on another block is stale from that moment on.
        let known = self.tips.look();
        let lateness = known.lateness(job.previous_block_hash);
        let grace = self.config.stale_grace;
        let is_late = lateness != Some(Duration::ZERO);
        if is_late && lateness.is_none_or(|late| late >= grace) {
            let (height, tip, since) = (job.height, known.tip.height, known.since());
            return Err(Refusal::Stale { job: job.id.clone(), height, tip, since, grace });
        }
        if !judged.meets_target {
            let (reached, asked, target) = (judged.reached, judged.difficulty, judged.target);
            return Err(Refusal::LowDifficulty { reached, asked, hash, target });
        }
        judged.late = lateness.filter(|_| is_late);
        Ok(())
    }

    /// Gives a block to the node. If the node does not take it as its tip: its word for why.
    fn submit_block(&self, block: &Block, height: u32) -> Result<(), String> {
        let said = match self.node.submit_block(block) {
            Ok(Accepted::Tip) => Ok(()),
            Ok(Accepted::SideChain) => Err("inconclusive".to_owned()),
            Ok(Accepted::Duplicate) => Err("duplicate".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        self.say(PoolEvent::Block { hash: block.block_hash(), height, refused: said.clone().err() });
        said
    }
}

fn is_block(block: &Block) -> bool {
    block.header.target().is_met_by(block.block_hash())
}

fn duplicate(of: Earlier) -> Refusal {
    let Earlier { number, accepted, time } = of;
    // The calendar may be set back.
    Refusal::Duplicate { number, accepted, ago: time.elapsed().unwrap_or_default() }
}

/// The target of a difficulty, and whether a hash meets it: in 256-bit integers, never in floats.
fn weigh(hash: BlockHash, difficulty: Difficulty) -> (Target, bool) {
    let target = difficulty.to_target();
    (target, target.is_met_by(hash.as_byte_array()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitcoin::CompactTarget;
    use proptest::prelude::*;
    use proptest::test_runner::{Config, TestRunner};

    /// A hash that is one below a target, equal to it, one above it; without those beyond 256 bits.
    fn around(target: bitcoin::Target) -> impl Iterator<Item = (i32, BlockHash)> {
        let bytes = target.to_le_bytes();
        let step = |from: [u8; 32], edge: u8, add: u8| {
            let mut bytes = from;
            for byte in &mut bytes {
                let carries = *byte == edge;
                *byte = byte.wrapping_add(add);
                if !carries {
                    return Some(BlockHash::from_byte_array(bytes));
                }
            }
            None
        };
        let below = step(bytes, 0, 0xff).map(|hash| (-1, hash));
        let above = step(bytes, 0xff, 1).map(|hash| (1, hash));
        [below, Some((0, BlockHash::from_byte_array(bytes))), above].into_iter().flatten()
    }

    fn check(runs: u32, test: impl Fn(u64, i32, u32) -> Result<(), TestCaseError>) {
        let mut runner = TestRunner::new_with_rng(
            Config { cases: runs, max_global_rejects: runs * 4, failure_persistence: None, ..Config::default() },
            proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
        );
        let input = (1u64..1 << 53, -90i32..120, any::<u32>());
        runner.run(&input, |(mantissa, exponent, nbits)| test(mantissa, exponent, nbits)).unwrap();
    }

    /// A million shares: at targets from everything to a single hash, one below, at and one above.
    #[test]
    fn shares_are_judged_as_rust_bitcoin_judges_them() {
        let shares = std::cell::Cell::new(0);
        check(350_000, |mantissa, exponent, _| {
            let Ok(difficulty) = Difficulty::new(mantissa as f64 * 2f64.powi(exponent)) else { return Ok(()) };
            let theirs = bitcoin::Target::from_le_bytes(difficulty.to_target().to_le_bytes());
            for (side, hash) in around(theirs) {
                let (target, meets) = weigh(hash, difficulty);
                prop_assert_eq!(meets, theirs.is_met_by(hash));
                prop_assert_eq!(meets, side <= 0);
                prop_assert_eq!(target.to_le_bytes(), theirs.to_le_bytes());
                shares.set(shares.get() + 1);
            }
            Ok(())
        });
        assert!(shares.get() >= 1_000_000, "{}", shares.get());
    }

    /// The same for blocks: the node's judge is theirs, and ours agrees.
    #[test]
    fn blocks_are_judged_as_rust_bitcoin_judges_them() {
        check(350_000, |_, _, nbits| {
            // Theirs knows neither sign nor overflow, which no chain accepts.
            let Ok(ours) = Target::from_compact(nbits) else { return Ok(()) };
            let theirs = bitcoin::Target::from_compact(CompactTarget::from_consensus(nbits));
            prop_assert_eq!(ours.to_le_bytes(), theirs.to_le_bytes());
            for (side, hash) in around(theirs) {
                prop_assert_eq!(ours.is_met_by(hash.as_byte_array()), theirs.is_met_by(hash));
                prop_assert_eq!(theirs.is_met_by(hash), side <= 0);
            }
            Ok(())
        });
    }
}
