//! The one place where a share is judged.

use super::accounts::Entered;
use super::book::Terms;
use super::refusal::NTIME_AHEAD;
use super::seen::Earlier;
use super::upstream::Handing;
use super::{EXTRANONCE1_SIZE, Judged, PoolEvent, PoolJob, Refusal, ShareRecord, Shared, Source};
use bitcoin::BlockHash;
use bitcoin::block::Version;
use bitcoin::hashes::Hash;
use midstate_stratum::message::{Reject, Submit};
use midstate_stratum::{Difficulty, Target};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

/// The connection that a share came through.
#[derive(Clone, Debug)]
pub(super) struct Submitter {
    pub(super) session: u64,
    /// The session's number that the share's job was sent under, if the connection subscribed.
    pub(super) number: Option<[u8; EXTRANONCE1_SIZE]>,
    /// What the miner takes for extranonce1 now.
    pub(super) extranonce1: Option<Vec<u8>>,
    /// Whether the share's user is authorized.
    pub(super) is_authorized: bool,
    /// The version bits that may be rolled now.
    pub(super) mask: u32,
    /// The share's whole version, as Stratum V2 says it; V1 says the bits that were rolled.
    pub(super) version: Option<u32>,
}

/// What is to be done before a share is answered.
pub(super) enum Due {
    /// What it changed in the accounts is to be kept.
    Keep(Entered),
    /// The upstream is to judge it. The job's family comes with it.
    HandOn(Handing, String),
}

impl Shared {
    /// Judges a share. One that is a block reaches the node first, whatever the pool would refuse it for; if the node takes
    /// it, so does the pool. What it changes in the accounts is under way to the store. One that an upstream pays for is to be
    /// handed on.
    pub(super) fn judge(&self, from: Submitter, submit: Submit) -> (ShareRecord, Due) {
        let number = self.judged.fetch_add(1, Ordering::Relaxed) + 1;
        let time = SystemTime::now();
        let built = self.build(&from, &submit);
        // From before the node has a block until it is booked nobody else has the books: a job that is made between would be
        // divided as if it did not exist.
        let is_block = built.as_ref().is_ok_and(|(_, judged)| judged.is_block());
        let books = self.source.local().filter(|_| is_block).map(|local| local.desk.lock());
        let is_withheld = is_block && self.faults.as_ref().is_some_and(|faults| faults.withholds());
        let (job, judged, verdict) = match built {
            Ok((job, mut judged)) => {
                let share = Earlier { number, accepted: false, time };
                let verdict = self.decide(&from, &submit, &job, &mut judged, is_block && !is_withheld, share);
                (Some(job), Some(judged), verdict)
            }
            Err(refusal) => (None, None, Err(refusal)),
        };
        let place = job.as_ref().zip(from.number);
        let record = ShareRecord {
            number,
            time,
            session: from.session,
            user: submit.user.clone(),
            job: submit.job_id.clone(),
            extranonce1: place.map(|(job, number)| job.space.extranonce1(number)).or(from.extranonce1),
            extranonce2: submit.extranonce2.clone(),
            ntime: submit.ntime,
            nonce: submit.nonce,
            version_bits: submit.version_bits,
            judged,
            verdict,
        };
        let due = match (&self.source, job) {
            (Source::Node(local), Some(job)) if record.verdict.is_ok() || books.is_some() => {
                Due::Keep(books.unwrap_or_else(|| local.desk.lock()).share(&record, &job, &local.node))
            }
            (Source::Upstream(_), Some(job)) if !is_withheld => {
                match self.handing(&record, &job, from.number, submit) {
                    Some(handing) => Due::HandOn(handing, job.family.clone()),
                    None => Due::Keep(Entered::default()),
                }
            }
            _ => Due::Keep(Entered::default()),
        };
        (record, due)
    }

    /// A share that an upstream pays for, or that may be a block there: it is handed on, also where it seems to be too late here.
    fn handing(
        &self,
        record: &ShareRecord,
        job: &PoolJob,
        number: Option<[u8; EXTRANONCE1_SIZE]>,
        submit: Submit,
    ) -> Option<Handing> {
        let (upstream, of) = self.source.upstream().zip(job.upstream())?;
        let judged = record.judged.as_ref()?;
        let is_due = weigh(judged.hash, of.difficulty).1;
        let is_wanted = matches!(record.verdict, Ok(()) | Err(Refusal::Void { .. })) && (is_due || judged.is_block());
        let extranonce2 = job.space.extranonce2(number?, &submit.extranonce2);
        is_wanted.then(|| upstream.handing(job, of, Submit { extranonce2, ..submit }, judged.header, is_due))?
    }

    /// Has the upstream judge a share, and says what came of it.
    pub(super) async fn hand_on(&self, record: &mut ShareRecord, handing: Handing, family: &str) {
        let Some(upstream) = self.source.upstream() else { return };
        let is_due = handing.is_due;
        record.verdict = match upstream.ask(record.number, handing).await {
            // It is a block that is easier than an upstream's share, and no block to this upstream.
            Err(Refusal::Upstream { code, .. }) if !is_due && code == Reject::LowDifficulty.code() => return,
            word => word,
        };
        if let Some(judged) = record.judged.as_ref().filter(|_| record.verdict.is_err()) {
            self.seen.refuse(family, judged.hash);
        }
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

    /// The header that a share claims, and what judges it.
    fn build(&self, from: &Submitter, submit: &Submit) -> Result<(Arc<PoolJob>, Judged), Refusal> {
        let number = from.number.ok_or(Refusal::NotSubscribed)?;
        if !from.is_authorized {
            return Err(Refusal::Unauthorized { user: submit.user.clone() });
        }
        let unknown = || Refusal::UnknownJob { job: submit.job_id.clone() };
        let (job, Terms { difficulty, mask: first_mask }) =
            self.book.job(&submit.job_id, number).ok_or_else(unknown)?;
        let (found, expected) = (submit.extranonce2.len(), job.space.extranonce2_size);
        if found != expected {
            return Err(Refusal::Extranonce2 { found, expected });
        }
        let bits = submit.version_bits.unwrap_or(0);
        // A new mask holds at once, for older jobs too (BIP 310). What was under way meanwhile kept to the one that its job was
        // sent with, and so does a resumed session that has not agreed on one yet.
        let keeps_to_the_first = bits & !from.mask != 0 && bits & !first_mask == 0;
        let mask = if keeps_to_the_first { first_mask } else { from.mask };
        // Bits beyond the mask are refused later. Here they count: they are in the header that the miner hashed.
        let mut header = job.header(submit, number, mask | bits);
        if let Some(version) = from.version {
            header.version = Version::from_consensus(version.cast_signed());
        }
        let hash = header.block_hash();
        let (target, meets_target) = weigh(hash, difficulty);
        let judged = Judged {
            height: job.height,
            difficulty,
            target,
            mask,
            header,
            hash,
            reached: Target::from_le_bytes(hash.to_byte_array()).difficulty(),
            meets_target,
            late: None,
            block: None,
        };
        Ok((job, judged))
    }

    /// Whether a share of a job that was sent under one session's number meets its target under another.
    pub(super) fn would_meet(
        &self,
        submit: &Submit,
        sent: [u8; EXTRANONCE1_SIZE],
        other: [u8; EXTRANONCE1_SIZE],
        mask: u32,
    ) -> bool {
        let Some((job, terms)) = self.book.job(&submit.job_id, sent) else { return false };
        let mask = mask | submit.version_bits.unwrap_or(0);
        weigh(job.header(submit, other, mask).block_hash(), terms.difficulty).1
    }

    fn decide(
        &self,
        from: &Submitter,
        submit: &Submit,
        job: &PoolJob,
        judged: &mut Judged,
        is_block: bool,
        share: Earlier,
    ) -> Result<(), Refusal> {
        let hash = judged.hash;
        // What is neither share nor block is not remembered: rubbish would fill the memory.
        let is_remembered = judged.meets_target || judged.is_block();
        let earlier = if is_remembered { self.seen.find(&job.family, hash) } else { None };
        if is_block && earlier.is_none() {
            judged.block = self.submit_block(from, submit, job, judged)?;
        }
        let verdict = match (&judged.block, earlier) {
            (Some(Ok(())), _) => Ok(()),
            _ => self.rules(from, submit, job, judged, earlier),
        };
        if is_remembered && earlier.is_none() {
            let accepted = verdict.is_ok();
            // Another connection was quicker by a hair.
            if let Some(earlier) = self.seen.note(&job.family, hash, Earlier { accepted, ..share }) {
                return Err(duplicate(earlier));
            }
        }
        verdict
    }

    /// What holds for a share that is no block which the node took.
    fn rules(
        &self,
        from: &Submitter,
        submit: &Submit,
        job: &PoolJob,
        judged: &mut Judged,
        earlier: Option<Earlier>,
    ) -> Result<(), Refusal> {
        let (ntime, earliest) = (submit.ntime, job.time);
        if ntime < earliest {
            return Err(Refusal::TooEarly { ntime, earliest });
        }
        if ntime > earliest.saturating_add(NTIME_AHEAD) {
            return Err(Refusal::TooLate { ntime, earliest });
        }
        let bits = from.version.map_or(submit.version_bits.unwrap_or(0), |version| version ^ job.version());
        if bits & !judged.mask != 0 {
            return Err(Refusal::VersionBits { bits, mask: judged.mask });
        }
        if let Some(earlier) = earlier {
            return Err(duplicate(earlier));
        }
        let late = self.source.lateness(job)?;
        if !judged.meets_target {
            let Judged { reached, difficulty: asked, hash, target, .. } = *judged;
            return Err(Refusal::LowDifficulty { reached, asked, hash, target });
        }
        judged.late = Some(late).filter(|late| *late > Duration::ZERO);
        Ok(())
    }

    /// Gives a block to the node, if there is one. If the node does not take it as its tip: its word for why.
    fn submit_block(
        &self,
        from: &Submitter,
        submit: &Submit,
        job: &PoolJob,
        judged: &Judged,
    ) -> Result<Option<Result<(), String>>, Refusal> {
        let (Source::Node(local), Some(number)) = (&self.source, from.number) else { return Ok(None) };
        let unbuildable = |_| Refusal::Unbuildable { job: submit.job_id.clone() };
        let block = job.block(judged.header, submit, number).map_err(unbuildable)?;
        let said = local.submit_block(&block);
        self.say(PoolEvent::Block { hash: judged.hash, height: job.height, refused: said.clone().err() });
        Ok(Some(said))
    }
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
