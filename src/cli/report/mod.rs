//! What `mine` and `local` say: lines for people, or one JSON object a line.
//!
//! Every object has an `"event"`; fields may be added, never renamed or removed. `midstate mine --help` lists them.

mod line;
mod text;

pub(super) use line::JSON_HELP;
pub(super) use text::{difficulty, hashrate};

use super::words::Words;
use hex::prelude::DisplayHex;
use line::{DeviceLine, Line};
use midstate::backend::Identity;
use midstate::config::Secret;
use midstate::engine;
use midstate::job::Job;
use midstate::miner::{self, Stats};
use midstate::upstream::{self, SessionError};
use std::io::{self, IsTerminal, Write, stderr, stdout};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use text::{count, visible};

/// How often the hashrate is said.
const HASHRATE_INTERVAL: Duration = Duration::from_secs(5);

const GREEN: &str = "\x1b[32m";
const RED: &str = "\x1b[31m";
const BOLD: &str = "\x1b[1m";

/// Says what happens, in the form that was asked for.
pub(super) struct Reporter {
    json: bool,
    colour: bool,
    started: Instant,
    last_hashrate: Instant,
    workers: Vec<Identity>,
    words: Words,
    /// The height and the hash of the best block that was heard of.
    tip: Option<(Option<u32>, String)>,
}

impl Reporter {
    /// Shares are found by `workers`, by index.
    pub(super) fn new(json: bool, workers: Vec<Identity>) -> Reporter {
        let now = Instant::now();
        let colour = !json && stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Reporter { json, colour, started: now, last_hashrate: now, workers, words: Words::default(), tip: None }
    }

    /// Hides passwords in what others say.
    pub(super) fn hiding(self, words: Words) -> Reporter {
        Reporter { words, ..self }
    }

    /// Hides these too.
    pub(super) fn hide_too(&self, passwords: &[Secret]) {
        self.words.hide_too(passwords);
    }

    /// Says an event of the miner, if it is for saying.
    pub(super) fn event(&mut self, event: &miner::Event) -> io::Result<()> {
        match event {
            miner::Event::Upstream(event) => self.upstream(event),
            miner::Event::Engine(engine::Event::HardwareError { worker, candidate }) => {
                let who = self.worker(*worker);
                self.error(&format!("hardware error: {who} reported nonce {:#010x}, which is none", candidate.nonce))
            }
            miner::Event::Engine(engine::Event::Failed { error, retry, .. }) => {
                self.error(&format!("{error}; tried again in {:.1} s", retry.as_secs_f64()))
            }
            miner::Event::Engine(engine::Event::Found { .. } | engine::Event::Exhausted) => Ok(()),
            miner::Event::Stale(shares) => {
                self.note(&format!("{} not sent: the chain moved on", count(shares.len(), "stale share")))
            }
            miner::Event::BadJob { id, error } => self.error(&format!("job {id}: {error}")),
            miner::Event::Exhausted { id } => {
                self.error(&format!("job {id}: every header was searched; the search waits for another job"))
            }
            miner::Event::Stats(stats) => self.hashrate(stats),
        }
    }

    fn upstream(&mut self, event: &upstream::Event) -> io::Result<()> {
        match event {
            upstream::Event::Connected { url, extranonce1, extranonce2_size, version_mask, resumed } => {
                let line = Line::Connected {
                    url: url.clone(),
                    extranonce1: extranonce1.to_lower_hex_string(),
                    extranonce2_size: *extranonce2_size,
                    version_mask: format!("{version_mask:08x}"),
                    resumed: *resumed,
                };
                self.say(&line, "", || {
                    let what = if *resumed { "session resumed at" } else { "connected to" };
                    format!(
                        "{what} {url}: extranonce1 {}, version mask {version_mask:08x}",
                        extranonce1.to_lower_hex_string()
                    )
                })
            }
            upstream::Event::Job { job, difficulty, clean, beside } => self.job(job, difficulty.get(), *clean, beside),
            upstream::Event::Answered { share, verdict, round_trip } => {
                let who = self.worker(share.worker);
                let error = verdict.as_ref().err();
                let reason = error.map(|error| self.words.of(&error.message));
                let line = Line::Share {
                    accepted: error.is_none(),
                    job: &share.origin.job.id,
                    channel: share.origin.job.channel,
                    difficulty: difficulty(share),
                    hash: share.hash.to_string(),
                    backend: who.backend,
                    kernel: who.kernel,
                    round_trip_ms: round_trip.as_secs_f64() * 1000.0,
                    code: error.map(|error| error.code),
                    reason: reason.as_deref(),
                };
                let text = || match error {
                    None => format!("share accepted: difficulty {:.6}, {who}, {round_trip:.1?}", difficulty(share)),
                    Some(error) => {
                        let error = error.to_string();
                        let error = self.words.of(&error);
                        format!("share rejected: {error}; difficulty {:.6}, {who}", difficulty(share))
                    }
                };
                self.say(&line, if error.is_none() { GREEN } else { RED }, text)
            }
            upstream::Event::Lost(shares) => {
                let shares = count(shares.len(), "share");
                self.error(&format!("{shares} lost: the pool did not answer; not sent again"))
            }
            upstream::Event::NoMinimum(minimum) => self.error(&format!(
                "minimum-difficulty: the pool does not take it up; its difficulty may go below {}",
                minimum.get()
            )),
            upstream::Event::OldTip { url, tip } => {
                let message = format!("for a minute its jobs have been on {tip}, from which the chain has gone on");
                self.warning(Some(url), &message)
            }
            #[cfg(feature = "payout")]
            upstream::Event::Payout { url, warning } => self.warning(Some(url), &warning.to_string()),
            upstream::Event::Message(message) => self.note(&format!("the pool says: {}", self.words.of(message))),
            upstream::Event::Traced { url, sent, text } => {
                let way = if *sent { "->" } else { "<-" };
                let time = self.started.elapsed().as_secs_f64();
                writeln!(stderr().lock(), "{time:8.2}  {url} {way} {}", visible(&self.words.of(text)))
            }
            upstream::Event::Unreadable(error) => {
                let error = error.to_string();
                self.error(&format!("unreadable, passed over: {}", self.words.of(&error)))
            }
            #[cfg(feature = "solo")]
            upstream::Event::Unheard { url, error } => {
                let url = url.to_string();
                let message = format!("new tips are not heard as they are announced, but by long poll alone: {error}");
                self.warning(Some(&url), &message)
            }
            upstream::Event::Disconnected { url, error, retry, goes_on } => {
                // That error names it already.
                let pool = match error {
                    SessionError::Connect { .. } => String::new(),
                    _ => format!("{url}: "),
                };
                let error = error.to_string();
                let error = self.words.of(&error);
                let meanwhile = if *goes_on { ", the search goes on" } else { "" };
                self.error(&format!("{pool}{error}; next try in {:.1} s{meanwhile}", retry.as_secs_f64()))
            }
        }
    }

    fn job(&mut self, job: &Job, difficulty: f64, clean: bool, beside: &[Arc<Job>]) -> io::Result<()> {
        let height = job.height();
        let previous_block = midstate::sha256::Hash(job.previous_block_hash).to_string();
        self.tip = Some((height.map(|height| height - 1), previous_block.clone()));
        let (id, channel) = (&job.id, job.channel);
        let others = beside.iter().filter_map(|job| job.channel).collect();
        let line = Line::Job { id, channel, height, previous_block, difficulty, clean, beside: others };
        self.say(&line, "", || {
            let height = height.map_or_else(|| "?".to_owned(), |height| height.to_string());
            let channels = match beside.len() {
                0 => String::new(),
                others => format!(", beside those of {}", count(others, "other channel")),
            };
            format!("job {id}: block {height}, difficulty {difficulty:.6}{channels}")
        })
    }

    /// Says that the chain has a new block.
    pub(super) fn block(&mut self, hash: &str, height: Option<u32>, previous_block: &str) -> io::Result<()> {
        self.tip = Some((height, hash.to_owned()));
        let line = Line::Block { hash: hash.to_owned(), height, previous_block: previous_block.to_owned() };
        let height = height.map_or_else(String::new, |height| format!(" {height}"));
        self.say(&line, BOLD, || format!("block{height}: {hash}"))
    }

    fn hashrate(&mut self, stats: &Stats) -> io::Result<()> {
        if self.last_hashrate.elapsed() < HASHRATE_INTERVAL {
            return Ok(());
        }
        self.last_hashrate = Instant::now();
        let rate = stats.hashrate();
        let device = |worker: &engine::WorkerStats| DeviceLine {
            backend: worker.identity.backend,
            kernel: worker.identity.kernel,
            device: worker.identity.device.clone(),
            hashes_per_second: worker.hashrate.seconds_10,
            hardware_errors: worker.hardware_errors,
            failures: worker.failures,
        };
        let line = Line::Hashrate {
            hashes_per_second_10s: rate.seconds_10,
            hashes_per_second_60s: rate.seconds_60,
            hashes_per_second_15m: rate.minutes_15,
            hashes: stats.hashes(),
            devices: stats.workers.iter().map(device).collect(),
        };
        self.say(&line, "", || {
            format!(
                "hashrate: {} (10 s)  {} (60 s)  {} (15 min); {} accepted, {} rejected",
                hashrate(rate.seconds_10),
                hashrate(rate.seconds_60),
                hashrate(rate.minutes_15),
                stats.accepted,
                stats.rejected,
            )
        })
    }

    /// Says what went wrong, and that the program goes on.
    pub(super) fn error(&mut self, message: &str) -> io::Result<()> {
        self.say(&Line::Error { message: message.to_owned() }, RED, || message.to_owned())
    }

    /// Says what had better not be so, of a pool or of all.
    pub(super) fn warning(&self, url: Option<&str>, message: &str) -> io::Result<()> {
        let line = Line::Warning { url, message: message.to_owned() };
        let of = url.map_or_else(String::new, |url| format!("{url}: "));
        self.say(&line, BOLD, || format!("warning: {of}{message}"))
    }

    /// Says which configuration file was read, and what is different since it was read before.
    pub(super) fn configuration(&self, file: Option<&Path>, again: Option<(&[String], &[String])>) -> io::Result<()> {
        let (changes, restart) = again.unwrap_or_default();
        self.say(&Line::Configuration { file, changes, restart }, "", || {
            let name = file.map_or_else(|| "no file".to_owned(), |file| file.display().to_string());
            let changes = changes.iter().map(|change| format!("\n          {change}"));
            let restart = restart.iter().map(|change| format!("\n          at the next start: {change}"));
            let different: String = changes.chain(restart).collect();
            match again {
                None => format!("configuration: {name}"),
                Some(_) if different.is_empty() => format!("configuration read again: {name}; nothing changed"),
                Some(_) => format!("configuration read again: {name}{different}"),
            }
        })
    }

    /// Says something that only people care about.
    pub(super) fn note(&mut self, message: &str) -> io::Result<()> {
        if self.json { Ok(()) } else { self.print("", message) }
    }

    /// Says the final counters. Where the chain itself is at hand, `blocks` and `tip` are its own.
    pub(super) fn summary(&mut self, stats: &Stats, chain: Option<(u64, u32, String)>) -> io::Result<()> {
        let (blocks, height, tip) = match chain {
            Some((blocks, height, tip)) => (blocks, Some(height), Some(tip)),
            None => match self.tip.take() {
                Some((height, tip)) => (stats.blocks, height, Some(tip)),
                None => (stats.blocks, None, None),
            },
        };
        let seconds = stats.elapsed.as_secs_f64();
        let line = Line::Summary {
            blocks,
            height,
            tip: tip.clone(),
            shares_found: stats.found,
            shares_accepted: stats.accepted,
            shares_rejected: stats.rejected,
            shares_stale: stats.stale,
            shares_lost: stats.lost,
            hardware_errors: stats.hardware_errors(),
            hashes: stats.hashes(),
            seconds,
        };
        self.say(&line, BOLD, || {
            format!(
                "{}, {} accepted, {} rejected, {} stale, {} lost, {}; {} in {seconds:.1} s ({}){}",
                count(blocks as usize, "block"),
                count(stats.accepted as usize, "share"),
                stats.rejected,
                stats.stale,
                stats.lost,
                count(stats.hardware_errors() as usize, "hardware error"),
                count(stats.hashes() as usize, "hash"),
                hashrate(stats.hashes() as f64 / seconds.max(1e-9)),
                height.zip(tip).map_or_else(String::new, |(height, tip)| format!("\nheight {height}, tip {tip}")),
            )
        })
    }

    fn say(&self, line: &Line, style: &str, text: impl FnOnce() -> String) -> io::Result<()> {
        if !self.json {
            return self.print(style, &text());
        }
        let mut out = stdout().lock();
        serde_json::to_writer(&mut out, line)?;
        writeln!(out)?;
        out.flush()
    }

    fn print(&self, style: &str, text: &str) -> io::Result<()> {
        let time = self.started.elapsed().as_secs_f64();
        let (style, end) = if self.colour && !style.is_empty() { (style, "\x1b[0m") } else { ("", "") };
        writeln!(stdout().lock(), "{time:8.2}  {style}{}{end}", visible(text))
    }

    fn worker(&self, index: usize) -> Identity {
        let unknown = || Identity { backend: "?", kernel: "?", device: String::new() };
        self.workers.get(index).cloned().unwrap_or_else(unknown)
    }
}
