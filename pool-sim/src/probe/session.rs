//! A session that has joined the pool, and its shares.

use super::Probe;
use super::check::{Outcome, Stop, ensure};
use super::job::Job;
use super::reply::Reply;
use super::wire::Wire;
use super::work::{Wanted, difficulty, search};
use bitcoin::hashes::Hash;
use bitcoin::hex::{DisplayHex, FromHex};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// What is suggested where shares shall be easy: a pool takes it or has a floor of its own.
const EASY: f64 = 1e-12;
/// The bits that BIP 320 gives to miners.
pub(super) const BIP320: u32 = 0x1fff_e000;

/// How to join.
#[derive(Clone, Debug, Default)]
pub(super) struct Join {
    /// Agree on version rolling first.
    pub(super) roll_versions: bool,
    /// Ask for the lowest difficulty.
    pub(super) easy: bool,
    /// Resume this session.
    pub(super) resume: Option<String>,
    /// Begin with `mining.configure` of these parameters.
    pub(super) configure: Option<Value>,
}

/// What a pool says to `mining.subscribe`.
#[derive(Clone, Debug)]
pub(super) struct Subscribed {
    /// The id in the subscription to `mining.notify`.
    pub(super) session: Option<String>,
    pub(super) extranonce1: Vec<u8>,
    pub(super) extranonce2_size: usize,
}

impl Subscribed {
    pub(super) fn read(result: &Value) -> Result<Subscribed, String> {
        let extranonce1 = result[1].as_str().and_then(|text| Vec::<u8>::from_hex(text).ok());
        let size = result[2].as_u64().filter(|size| (1..=64).contains(size));
        let expected =
            || format!("subscribe: {result}; expected [subscriptions, extranonce1 in hex, extranonce2's size]");
        let (extranonce1, size) = extranonce1.zip(size).ok_or_else(expected)?;
        let pair = |pair: &Value| (pair[0] == "mining.notify").then(|| pair[1].as_str().map(str::to_owned)).flatten();
        let list = result[0].as_array().map_or(&[][..], Vec::as_slice);
        let session = list.iter().find_map(pair).or_else(|| pair(&result[0]));
        Ok(Subscribed { session, extranonce1, extranonce2_size: size as usize })
    }
}

/// A session with a job.
#[derive(Debug)]
pub(super) struct Joined {
    pub(super) wire: Wire,
    pub(super) subscribed: Subscribed,
    /// The newest job's parameters.
    pub(super) raw_job: Value,
    /// What the newest job's shares have to reach; 1 where the pool said nothing.
    pub(super) difficulty: f64,
    /// Said, and to hold from the next job.
    pub(super) next_difficulty: Option<f64>,
    /// The version bits that may be rolled.
    pub(super) mask: u32,
    /// Calls that a session has no use for.
    pub(super) strange: Vec<String>,
    /// From the authorization to the job.
    pub(super) job_after: Duration,
    user: String,
}

/// A share, in the words of the wire, so that each can be spoilt.
#[derive(Clone, Debug)]
pub(super) struct Share {
    pub(super) user: String,
    pub(super) job: Value,
    pub(super) extranonce2: String,
    pub(super) ntime: String,
    pub(super) nonce: String,
    pub(super) version_bits: Option<String>,
}

impl Share {
    pub(super) fn params(&self) -> Value {
        let mut params =
            vec![json!(self.user), self.job.clone(), json!(self.extranonce2), json!(self.ntime), json!(self.nonce)];
        params.extend(self.version_bits.as_ref().map(|bits| json!(bits)));
        Value::Array(params)
    }
}

/// What is peculiar about a share that is searched for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Peculiar {
    /// It does not reach the difficulty.
    pub(super) low: bool,
    /// Its extranonce2 has so many bytes more.
    pub(super) longer: isize,
    /// Its time, made of the job's.
    pub(super) time: Option<fn(u32, bool) -> u32>,
    /// Version bits that are changed, in or out of the mask.
    pub(super) version_bits: Option<u32>,
}

impl Probe {
    /// Joins and waits for the first job. Where nobody can, checks that need a session are skipped.
    pub(super) fn join(&self, how: &Join) -> Result<Joined, Stop> {
        if let Some(why) = &*self.cannot_join.borrow() {
            return Err(Stop::Skipped(format!("nobody can join: {why}")));
        }
        self.try_join(how).map_err(|why| {
            // A suggestion may have been too much; what is plain is tried again by others.
            if !how.easy && how.configure.is_none() {
                *self.cannot_join.borrow_mut() = Some(why.clone());
            }
            Stop::Skipped(format!("cannot join: {why}"))
        })
    }

    /// Joins plainly.
    pub(super) fn join_plain(&self) -> Result<Joined, Stop> {
        self.join(&Join::default())
    }

    /// Joins asking for easy shares.
    pub(super) fn join_easy(&self, roll_versions: bool) -> Result<Joined, Stop> {
        self.join(&Join { roll_versions, easy: true, ..Join::default() })
            .or_else(|_| self.join(&Join { roll_versions, ..Join::default() }))
    }

    fn try_join(&self, how: &Join) -> Result<Joined, String> {
        let mut wire = self.connect().map_err(|error| error.to_string())?;
        let mut mask = 0;
        let configure = how.configure.clone().or_else(|| {
            let options = json!([["version-rolling"], {"version-rolling.mask": format!("{BIP320:08x}")}]);
            how.roll_versions.then_some(options)
        });
        if let Some(params) = configure {
            let reply = wire.call("mining.configure", &params).map_err(|error| format!("mining.configure: {error}"))?;
            let given =
                reply.result()["version-rolling.mask"].as_str().and_then(|text| u32::from_str_radix(text, 16).ok());
            mask = given.unwrap_or(0) & BIP320;
        }
        let agent = concat!("pool-sim-probe/", env!("CARGO_PKG_VERSION"));
        let params = how.resume.as_ref().map_or_else(|| json!([agent]), |session| json!([agent, session]));
        let reply = wire.call("mining.subscribe", &params).map_err(|error| format!("mining.subscribe: {error}"))?;
        let subscribed = Subscribed::read(reply.result())?;
        let options = &self.options;
        let suggested = json!({"id": "suggest", "method": "mining.suggest_difficulty", "params": [EASY]});
        if how.easy {
            wire.send(&suggested).map_err(|error| error.to_string())?;
        }
        let reply = wire
            .call("mining.authorize", &json!([options.user, options.password]))
            .map_err(|error| format!("mining.authorize: {error}"))?;
        if reply.is_refusal() {
            return Err(format!("user {:?} is not authorized: {}", options.user, reply.why()));
        }
        let begin = Instant::now();
        let user = options.user.clone();
        let mut joined = Joined {
            wire,
            subscribed,
            raw_job: Value::Null,
            difficulty: 1.0,
            next_difficulty: None,
            mask,
            strange: Vec::new(),
            job_after: Duration::ZERO,
            user,
        };
        joined.update();
        while joined.raw_job.is_null() {
            let left = self.first_job_within().saturating_sub(begin.elapsed());
            joined
                .wire
                .hear(left)
                .map_err(|error| format!("no job after {:.1} s: {error}", begin.elapsed().as_secs_f64()))?;
            joined.update();
        }
        joined.job_after = begin.elapsed();
        Ok(joined)
    }
}

impl Joined {
    /// Takes in what the pool called so far, in its order.
    pub(super) fn update(&mut self) {
        let mut extranonce = None;
        for (method, params) in std::mem::take(&mut self.wire.calls) {
            match method.as_str() {
                "mining.set_difficulty" => self.next_difficulty = params[0].as_f64(),
                "mining.set_extranonce" => extranonce = Some(params),
                "mining.set_version_mask" => {
                    let mask = params[0].as_str().and_then(|text| u32::from_str_radix(text, 16).ok());
                    self.mask &= mask.unwrap_or(u32::MAX);
                }
                "mining.notify" => {
                    self.difficulty = self.next_difficulty.unwrap_or(self.difficulty);
                    if let Some(params) = extranonce.take()
                        && let Ok(next) = Subscribed::read(&json!([null, params[0], params[1]]))
                    {
                        self.subscribed = Subscribed { session: self.subscribed.session.take(), ..next };
                    }
                    self.raw_job = params;
                }
                _ => self.strange.push(method),
            }
        }
    }

    /// The newest job; one that cannot be read has a check of its own.
    pub(super) fn job(&self) -> Result<Job, Stop> {
        Job::read(&self.raw_job).map_err(|error| Stop::Skipped(format!("the job cannot be read: {error}")))
    }

    pub(super) fn submit(&mut self, share: &Share) -> Result<Reply, Stop> {
        let reply = self.wire.call("mining.submit", &share.params())?;
        Ok(reply)
    }

    /// A share that is nothing but well formed.
    pub(super) fn some_share(&self, probe: &Probe) -> Result<Share, Stop> {
        let (job, size) = (self.job()?, self.subscribed.extranonce2_size);
        Ok(Share {
            user: self.user.clone(),
            job: job.id,
            extranonce2: next_extranonce2(probe, size).to_lower_hex_string(),
            ntime: format!("{:08x}", job.time),
            nonce: "00000001".to_owned(),
            version_bits: None,
        })
    }

    /// Searches for a share of the newest job. It is no block wherever a share need not be one, since pools take any block.
    pub(super) fn find(&mut self, probe: &Probe, peculiar: &Peculiar) -> Result<Share, Stop> {
        // A block that came meanwhile voids the job.
        for _ in 0..8 {
            self.wire.listen(Duration::from_millis(30));
            self.update();
            let (job, share) = (self.job()?, self.search(probe, peculiar)?);
            self.wire.listen(Duration::from_millis(1));
            self.update();
            if self.job()?.previous == job.previous {
                return Ok(share);
            }
        }
        Err(Stop::Skipped("the pool's tip changes faster than a share is found".to_owned()))
    }

    fn search(&self, probe: &Probe, peculiar: &Peculiar) -> Result<Share, Stop> {
        let job = self.job()?;
        let network = difficulty(job.target());
        let avoidable = peculiar.low || self.difficulty < network;
        let wanted =
            Wanted { difficulty: self.difficulty, low: peculiar.low, no_block: avoidable.then(|| job.target()) };
        let left = probe.hashes_left.get();
        if wanted.hashes() * 1.5 > left as f64 {
            let (d, hashes) = (self.difficulty, wanted.hashes());
            return Err(Stop::Skipped(format!(
                "a share of difficulty {d} takes some {hashes:.0} hashes; {left} of --max-hashes are left"
            )));
        }
        let size = self.subscribed.extranonce2_size.saturating_add_signed(peculiar.longer);
        let extranonce2 = next_extranonce2(probe, size);
        let time = peculiar.time.map_or(job.time, |change| change(job.time, avoidable));
        let bits = peculiar.version_bits.unwrap_or(0);
        // The bits that are rolled take the place of the job's; those beyond are what the miner hashed.
        let rolled = self.mask | bits;
        let version = (job.version & !rolled) | ((job.version ^ bits) & rolled);
        let coinbase = job.coinbase_bytes(&self.subscribed.extranonce1, &extranonce2);
        let header = job.header(&coinbase, version, time);
        let until = probe.deadline.get();
        let (nonce, done) = search(&header, &wanted, probe.options.threads, left, until);
        probe.hashes_left.set(left.saturating_sub(done));
        let none = || Stop::Skipped(format!("no share of difficulty {} in {done} hashes", self.difficulty));
        Ok(Share {
            user: self.user.clone(),
            job: job.id,
            extranonce2: extranonce2.to_lower_hex_string(),
            ntime: format!("{time:08x}"),
            nonce: format!("{:08x}", nonce.ok_or_else(none)?),
            version_bits: (rolled != 0).then(|| format!("{:08x}", version & rolled)),
        })
    }

    /// Whether a share of another session of this job is by luck a share or a block in this one too.
    pub(super) fn would_take(&self, share: &Share) -> Result<bool, Stop> {
        let job = self.job()?;
        let number = |text: &str| u32::from_str_radix(text, 16).unwrap_or(0);
        let extranonce2 = Vec::<u8>::from_hex(&share.extranonce2).unwrap_or_default();
        let coinbase = job.coinbase_bytes(&self.subscribed.extranonce1, &extranonce2);
        let mut header = job.header(&coinbase, job.version, number(&share.ntime));
        header[76..].copy_from_slice(&number(&share.nonce).to_le_bytes());
        let hash = bitcoin::BlockHash::hash(&header);
        let reached = difficulty(bitcoin::Target::from_le_bytes(hash.to_byte_array()));
        Ok(reached >= self.difficulty || job.target().is_met_by(hash))
    }

    /// Passes if the session still answers.
    pub(super) fn lives(&mut self, probe: &Probe) -> Outcome {
        let mut share = self.some_share(probe)?;
        share.job = json!("deadbeef");
        let failed = |error| Stop::Failed(format!("afterwards the session is dead: {error}"));
        let reply = self.wire.call("mining.submit", &share.params()).map_err(failed)?;
        ensure(reply.is_refusal(), || "afterwards a share of an unknown job is accepted".to_owned())?;
        Ok("the session lives".to_owned())
    }
}

/// An extranonce2 that no other share of the probe has, as far as so few bytes allow.
fn next_extranonce2(probe: &Probe, size: usize) -> Vec<u8> {
    let number = probe.extranonce2.get();
    probe.extranonce2.set(number + 1);
    let mut bytes = [&[0; 64][..], &number.to_be_bytes()].concat();
    bytes.drain(..bytes.len() - size.min(64));
    bytes
}
