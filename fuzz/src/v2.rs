//! What the target `v2` does with its input. The miner's own tests run it too (`tests/v2_fuzz.rs`); it is no part of the
//! library here, for the same reason as `coinbase.rs`.

use midstate::job::{Job, JobStream, Share};
use midstate::upstream::{ChannelKind, Credentials, Effect, Event, Frame, Pool, PoolUrl, Talk};
use midstate::work::Candidate;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What the session's jobs carry.
const NUMBER: u64 = 5;
/// Types from here on are no messages, but what the miner does.
const SUBMIT: u8 = 0xf8;
const HASHRATE: u8 = 0xf9;
const GO_ON: u8 = 0xfa;
/// What a miner may say: to set up a connection, to open, change and close a channel, and shares.
const SAID: [u8; 7] = [0x00, 0x10, 0x13, 0x16, 0x18, 0x1a, 0x1b];

/// Hears frames, each of them a type, an extension, a length of two bytes and so many of payload, and does what the miner does between
/// them. Whatever comes, every job can be worked on, each share's fate is told once at most, what is sent is well formed, and errors are
/// short.
///
/// # Panics
/// When that does not hold.
pub fn v2(mut script: &[u8]) {
    let Some((first, rest)) = script.split_first() else { return };
    script = rest;
    let url: PoolUrl = "stratum2+tcp://pool.example:34254".parse().expect("a URL");
    let credentials = Credentials { user: "alice".to_owned(), password: String::new() };
    let mut pool = Pool::new(url.clone(), credentials);
    pool.trace_messages = first % 4 > 1;
    pool.sv2_channel = if first % 2 == 0 { ChannelKind::Extended } else { ChannelKind::Standard };
    pool.channels = if first & 4 == 0 { "1" } else { "3" }.parse().expect("a number");
    let talk = Talk::begin(&pool, &url, NUMBER, None).expect("what is said is short");
    let mut miner = Miner { talk, jobs: Vec::new(), fates: BTreeMap::new() };
    miner.act();
    while let [kind, extension, low, high, rest @ ..] = script {
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(rest.len());
        let (payload, rest) = rest.split_at(length);
        script = rest;
        let ended = match *kind {
            SUBMIT => miner.submit(),
            HASHRATE => miner.talk.set_hashrate(f64::from(*low) * 1e7).map_err(|error| error.to_string()),
            GO_ON => {
                miner.talk.go_on();
                Ok(())
            }
            kind => {
                let frame = Frame { extension: u16::from(*extension), kind, payload: payload.to_vec() };
                miner.talk.hear(frame).map_err(|error| error.to_string())
            }
        };
        miner.act();
        if let Err(error) = ended {
            return short(&error);
        }
    }
}

struct Miner {
    talk: Talk,
    jobs: Vec<Arc<Job>>,
    /// Whether each share's was told, by its nonce.
    fates: BTreeMap<u32, bool>,
}

impl Miner {
    fn submit(&mut self) -> Result<(), String> {
        let nonce = self.fates.len() as u32;
        let Some(job) = self.jobs.get(nonce as usize % self.jobs.len().max(1)) else { return Ok(()) };
        let mut stream = JobStream::new(Arc::clone(job), 1).expect("there is no more room than can be rolled");
        let (work, origin) = stream.next().expect("there is work");
        let header = work.header(Candidate { version: 0, nonce }).expect("there is a version");
        self.fates.insert(nonce, false);
        let share = Share { hash: header.hash(), header, origin, worker: 0 };
        self.talk.submit(share).map_err(|error| error.to_string())
    }

    /// Does what comes of what was heard.
    fn act(&mut self) {
        while let Some(effect) = self.talk.next_effect() {
            match effect {
                Effect::Send(bytes) => {
                    let [_, _, kind, low, middle, high, payload @ ..] = &bytes[..] else {
                        panic!("no header: {bytes:?}")
                    };
                    assert_eq!(u32::from_le_bytes([*low, *middle, *high, 0]) as usize, payload.len());
                    assert!(SAID.contains(kind), "{kind:#04x}");
                }
                Effect::Say(Event::Job { job, difficulty, beside, .. }) => {
                    assert!(difficulty.get() > 0.0 && self.talk.worked());
                    let tip = job.previous_block_hash;
                    self.jobs = std::iter::once(job).chain(beside).collect();
                    for job in &self.jobs {
                        assert_eq!((job.session, job.previous_block_hash), (NUMBER, tip));
                        let header = job.header(&job.merkle_root(&vec![0; job.extranonce2_size()]), job.ntime);
                        assert_eq!((header.version(), header.ntime()), (job.version, job.ntime));
                    }
                    let channels: BTreeSet<_> = self.jobs.iter().map(|job| job.channel).collect();
                    assert_eq!(channels.len(), self.jobs.len());
                }
                Effect::Say(Event::Answered { share, .. }) => self.told(&share),
                Effect::Say(Event::Lost(shares)) => shares.iter().for_each(|share| self.told(share)),
                Effect::Say(Event::Unreadable(error)) => short(&error.to_string()),
                Effect::Say(Event::Message(message)) => short(&message),
                Effect::Say(_) => {}
            }
        }
    }

    fn told(&mut self, share: &Share) {
        let told = self.fates.insert(share.header.nonce(), true);
        assert_eq!(told, Some(false), "of a share that was sent once");
    }
}

fn short(said: &str) {
    assert!(!said.is_empty() && said.len() < 1200, "{said}");
}
