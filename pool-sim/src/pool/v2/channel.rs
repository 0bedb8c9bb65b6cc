//! One channel: whose it is, where it searches, how hard its shares are, and which of them wait for their acknowledgement.

use super::said;
use crate::pool::book::Terms;
use crate::pool::difficulty::SessionDifficulty;
use crate::pool::sessions::Claim;
use crate::pool::{EXTRANONCE1_SIZE, PoolJob};
use midstate_stratum::v2::ServerMessage;
use midstate_stratum::{Difficulty, Target};
use mining_sv2::{SetTargetOwned, SubmitSharesSuccess};

/// What a channel's miner works with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A coinbase, of whose extranonce it chooses a part.
    Extended,
    /// A merkle root: the whole extranonce is the pool's, and what an extended channel's miner chooses is zero.
    Standard,
}

pub(super) struct Channel<'a> {
    pub(super) id: u32,
    pub(super) kind: Kind,
    pub(super) user: String,
    /// Its place in the coinbase. It ends with the channel.
    claim: Claim<'a>,
    /// For the next job.
    pub(super) difficulty: SessionDifficulty<'a>,
    /// What the miner was told last.
    pub(super) told: Difficulty,
    batch: Option<Batch>,
    /// The part of its work that no acknowledgement had yet, as those are in whole numbers.
    rest: f64,
}

/// Accepted shares that are not acknowledged yet.
#[derive(Clone, Copy, Debug)]
struct Batch {
    last: u32,
    count: u32,
    /// The sum of their difficulties.
    work: f64,
}

impl<'a> Channel<'a> {
    pub(super) fn new(
        id: u32,
        kind: Kind,
        user: String,
        mut claim: Claim<'a>,
        difficulty: SessionDifficulty<'a>,
    ) -> Channel<'a> {
        claim.forget_at_end();
        let told = difficulty.current();
        Channel { id, kind, user, claim, difficulty, told, batch: None, rest: 0.0 }
    }

    /// Its number, as sessions of V1 have one.
    pub(super) fn number(&self) -> [u8; EXTRANONCE1_SIZE] {
        self.claim.extranonce1()
    }

    /// What the pool puts into the coinbase for it: of a standard channel, all there is.
    pub(super) fn prefix(&self, job: &PoolJob) -> Vec<u8> {
        let extranonce1 = job.space.extranonce1(self.number());
        match self.kind {
            Kind::Extended => extranonce1,
            Kind::Standard => [extranonce1, fixed_extranonce2(job)].concat(),
        }
    }

    /// What its shares of a job are judged by that is sent now.
    pub(super) fn terms(&self, job: &PoolJob) -> Terms {
        Terms { difficulty: self.told, mask: said::mask(job) }
    }

    /// The target for jobs that are sent from now on, if it is another.
    pub(super) fn set_target(&mut self) -> Option<ServerMessage> {
        let difficulty = self.difficulty.current();
        if difficulty == self.told {
            return None;
        }
        self.told = difficulty;
        let maximum_target = difficulty.to_target().to_le_bytes().into();
        Some(ServerMessage::SetTarget(SetTargetOwned { channel_id: self.id, maximum_target }))
    }

    /// A share was accepted. True if it is the first that waits.
    pub(super) fn accepted(&mut self, sequence_number: u32, difficulty: Difficulty) -> bool {
        let is_first = self.batch.is_none();
        let batch = self.batch.get_or_insert(Batch { last: sequence_number, count: 0, work: 0.0 });
        batch.last = sequence_number;
        batch.count = batch.count.saturating_add(1);
        batch.work += difficulty.get();
        is_first
    }

    /// The acknowledgement of all that were accepted since the last one.
    pub(super) fn acknowledge(&mut self) -> Option<ServerMessage> {
        let Batch { last, count, work } = self.batch.take()?;
        let work = work + self.rest;
        self.rest = work.fract();
        Some(ServerMessage::SubmitSuccess(SubmitSharesSuccess {
            channel_id: self.id,
            last_sequence_number: last,
            new_submits_accepted_count: count,
            new_shares_sum: work as u64,
        }))
    }
}

/// What stands in the place of a standard channel's extranonce2.
pub(super) fn fixed_extranonce2(job: &PoolJob) -> Vec<u8> {
    vec![0; job.space.extranonce2_size]
}

/// The lowest difficulty whose target is not above this one. `None` for a target that no hash meets.
pub(super) fn least(target: Target) -> Option<Difficulty> {
    if target == Target::MAX {
        return Difficulty::new(f64::MIN_POSITIVE).ok();
    }
    let nearest = target.difficulty();
    // A float is off by little.
    let mut candidates = std::iter::successors(Some(nearest), |value| Some(value.next_up())).take(5);
    candidates.find_map(|value| Difficulty::new(value).ok().filter(|difficulty| difficulty.to_target() <= target))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_miners_target_is_kept(bytes: [u8; 32], length in 1usize..=32) {
            let mut short = [0; 32];
            short[..length].copy_from_slice(&bytes[..length]);
            let target = Target::from_le_bytes(short);
            match least(target) {
                Some(difficulty) => {
                    prop_assert!(difficulty.to_target() <= target);
                    // It is the nearest, but for what a float can say.
                    prop_assert!(difficulty.get() <= target.difficulty() * (1.0 + 1e-14));
                }
                None => prop_assert!(short == [0; 32] || length < 5),
            }
        }
    }

    #[test]
    fn targets_at_the_ends() {
        // Every difficulty will do.
        assert!(least(Target::MAX).unwrap().get() < 1e-300);
        assert_eq!(least(Target::DIFFICULTY_1), Some(Difficulty::ONE));
        assert_eq!(least(Target::from_le_bytes([0; 32])), None);
    }
}
