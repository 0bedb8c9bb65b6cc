//! The channels of a connection.

use super::channel::Channel;
use crate::job::{Job, Share};
use midstate_stratum::message::MessageError;
use std::sync::Arc;
use tokio::time::Instant;

/// Those that are open, in the order in which they were opened.
#[derive(Debug, Default)]
pub(super) struct Channels(Vec<Channel>);

impl Channels {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = u32> {
        self.0.iter().map(|channel| channel.id)
    }

    pub(super) fn add(&mut self, channel: Channel) -> Result<(), MessageError> {
        if self.ids().any(|id| id == channel.id) {
            return Err(MessageError::new("channel_id", channel.id, "one that no other channel has"));
        }
        self.0.push(channel);
        Ok(())
    }

    /// Those of which a message is true that is said to a channel or to a group.
    pub(super) fn named(&mut self, id: u32) -> impl Iterator<Item = &mut Channel> {
        self.0.iter_mut().filter(move |channel| channel.is(id))
    }

    /// Whether something may be said to this channel or group.
    pub(super) fn check(&self, id: u32) -> Result<(), MessageError> {
        if self.0.iter().any(|channel| channel.is(id)) {
            return Ok(());
        }
        Err(MessageError::new("channel_id", id, "the channel that was opened, or its group"))
    }

    /// The channel itself.
    pub(super) fn get(&mut self, id: u32) -> Option<&mut Channel> {
        self.0.iter_mut().find(|channel| channel.id == id)
    }

    /// Takes a channel, or those of a group, away. The shares that had no answer on them.
    pub(super) fn close(&mut self, id: u32) -> Vec<Share> {
        let (closed, open) = std::mem::take(&mut self.0).into_iter().partition(|channel| channel.is(id));
        self.0 = open;
        closed.into_iter().flat_map(|mut channel: Channel| channel.submits.take()).collect()
    }

    /// What is worked on, in turns: the job of the first of these channels that has one, and beside it those of all others that build on
    /// the same block.
    pub(super) fn work(&self, first: &[u32]) -> Option<(Arc<Job>, Vec<Arc<Job>>)> {
        let place = self.0.iter().position(|channel| first.contains(&channel.id) && channel.job().is_some())?;
        let (before, from) = self.0.split_at(place);
        let mut jobs = from.iter().chain(before).filter_map(Channel::job);
        let job = Arc::clone(jobs.next()?);
        let beside = jobs.filter(|other| other.previous_block_hash == job.previous_block_hash).cloned().collect();
        Some((job, beside))
    }

    /// When the first of their jobs should go on with a later time.
    pub(super) fn stale_at(&self) -> Option<Instant> {
        self.0.iter().filter_map(Channel::stale_at).min()
    }

    /// Lets the jobs that should go on with a later time. Their channels.
    pub(super) fn go_on(&mut self) -> Vec<u32> {
        let now = Instant::now();
        let due = self.0.iter_mut().filter(|channel| channel.stale_at().is_some_and(|at| at <= now));
        due.map(|channel| {
            channel.later();
            channel.id
        })
        .collect()
    }

    /// Since when the pool owes an answer.
    pub(super) fn owed_since(&self) -> Option<Instant> {
        self.0.iter().filter_map(|channel| channel.submits.owed_since()).min()
    }

    /// The shares that will have no answer.
    pub(super) fn take_unanswered(&mut self) -> Vec<Share> {
        self.0.iter_mut().flat_map(|channel| channel.submits.take()).collect()
    }
}
