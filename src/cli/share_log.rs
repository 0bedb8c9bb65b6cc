//! `--share-log`: a line of JSON for each share, once its fate is known, with all that judged it.

use super::report::difficulty;
use super::words::Words;
use hex::prelude::DisplayHex;
use midstate::backend::Identity;
use midstate::job::Share;
use midstate::miner::Event;
use midstate::upstream;
use serde::Serialize;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The fields, for `--help`.
pub(super) const HELP: &str = "\
Each line of --share-log has: time (seconds since 1970), fate (accepted, rejected, stale: not sent as the chain moved on, or
lost: no answer came), pool, job, channel (null but for Stratum V2), hash, difficulty (reached), share_difficulty and target
(asked for), block (whether it is one), version_mask, extranonce1, extranonce2, header, backend, kernel, device, round_trip_ms, code and reason (null if not
rejected).";

/// Writes the shares' fates to a file, to its end.
pub(super) struct ShareLog {
    file: File,
    workers: Vec<Identity>,
    words: Words,
    /// The pool that was joined last.
    pool: String,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
enum Fate {
    Accepted,
    Rejected,
    Stale,
    Lost,
}

#[derive(Serialize)]
struct Line<'a> {
    time: f64,
    fate: Fate,
    pool: &'a str,
    job: &'a str,
    channel: Option<u32>,
    hash: String,
    difficulty: f64,
    share_difficulty: f64,
    target: String,
    block: bool,
    version_mask: String,
    extranonce1: String,
    extranonce2: String,
    header: String,
    backend: Option<&'static str>,
    kernel: Option<&'static str>,
    device: Option<&'a str>,
    round_trip_ms: Option<f64>,
    code: Option<i64>,
    reason: Option<&'a str>,
}

impl ShareLog {
    /// Shares are found by `workers`, by index; `words` hides passwords in what the pool says.
    pub(super) fn open(path: &Path, workers: Vec<Identity>, words: Words) -> io::Result<ShareLog> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(ShareLog { file, workers, words, pool: String::new() })
    }

    /// Notes the shares whose fate an event tells.
    pub(super) fn event(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::Upstream(upstream::Event::Connected { url, .. }) => {
                self.pool.clone_from(url);
                Ok(())
            }
            Event::Upstream(upstream::Event::Answered { share, verdict, round_trip }) => {
                let (fate, error) = match verdict {
                    Ok(()) => (Fate::Accepted, None),
                    Err(error) => (Fate::Rejected, Some((error.code, error.message.as_str()))),
                };
                self.write(share, fate, Some(*round_trip), error)
            }
            Event::Upstream(upstream::Event::Lost(shares)) => self.write_all(shares, Fate::Lost),
            Event::Stale(shares) => self.write_all(shares, Fate::Stale),
            _ => Ok(()),
        }
    }

    fn write_all(&mut self, shares: &[Share], fate: Fate) -> io::Result<()> {
        shares.iter().try_for_each(|share| self.write(share, fate, None, None))
    }

    fn write(
        &mut self,
        share: &Share,
        fate: Fate,
        round_trip: Option<Duration>,
        error: Option<(i64, &str)>,
    ) -> io::Result<()> {
        let job = &share.origin.job;
        let worker = self.workers.get(share.worker);
        let reason = error.map(|(_, reason)| self.words.of(reason));
        let line = Line {
            time: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64(),
            fate,
            pool: &self.pool,
            job: &job.id,
            channel: job.channel,
            hash: share.hash.to_string(),
            difficulty: difficulty(share),
            share_difficulty: job.target.difficulty(),
            target: job.target.to_be_bytes().to_lower_hex_string(),
            block: share.is_block(),
            version_mask: format!("{:08x}", job.version_mask),
            extranonce1: job.coinbase().map(|coinbase| coinbase.extranonce1.to_lower_hex_string()).unwrap_or_default(),
            extranonce2: share.origin.extranonce2.to_lower_hex_string(),
            header: share.header.0.to_lower_hex_string(),
            backend: worker.map(|worker| worker.backend),
            kernel: worker.map(|worker| worker.kernel),
            device: worker.map(|worker| worker.device.as_str()),
            round_trip_ms: round_trip.map(|time| time.as_secs_f64() * 1000.0),
            code: error.map(|(code, _)| code),
            reason: reason.as_deref(),
        };
        let mut text = serde_json::to_vec(&line)?;
        text.push(b'\n');
        // In one piece, so that a reader never sees half a line.
        self.file.write_all(&text)
    }
}
