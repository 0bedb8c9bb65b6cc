//! What `mine` and `local` say: lines for people, or one JSON object a line.
//!
//! Every object has an `"event"`; fields may be added, never renamed or removed. `midstate mine --help` lists them.

use super::words::Words;
use hex::prelude::DisplayHex;
use midstate::backend::Identity;
use midstate::config::Secret;
use midstate::engine;
use midstate::job::{Job, Share};
use midstate::miner::{self, Stats};
use midstate::upstream::{self, SessionError};
use midstate_stratum::Target;
use serde::Serialize;
use std::borrow::Cow;
use std::io::{self, IsTerminal, Write, stderr, stdout};
use std::path::Path;
use std::time::{Duration, Instant};

/// The fields of `--json`, for `--help`.
pub(super) const JSON_HELP: &str = "\
With --json, one object a line; each has an \"event\":
  connected  url, extranonce1, extranonce2_size, version_mask, resumed
  job        id, height (null where the coinbase does not say), previous_block, difficulty, clean
  share      accepted, job, difficulty, hash, backend, kernel, round_trip_ms, code and reason (null if
             accepted)
  block      hash, height, previous_block
  hashrate   hashes_per_second_10s, …_60s, …_15m, hashes, devices: [{backend, kernel, device,
             hashes_per_second, hardware_errors, failures}]
  warning    url (null if not of a pool), message
  configuration  file (null if none), changes and restart (lists of texts: what is different since it was read
             before, and what of it only the next start brings about)
  error      message
  summary    blocks, height, tip, shares_found, shares_accepted, shares_rejected, shares_stale,
             shares_lost, hardware_errors, hashes, seconds";

/// How often the hashrate is said.
const HASHRATE_INTERVAL: Duration = Duration::from_secs(5);

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Line<'a> {
    Connected {
        url: String,
        extranonce1: String,
        extranonce2_size: usize,
        version_mask: String,
        resumed: bool,
    },
    Job {
        id: &'a str,
        height: Option<u32>,
        previous_block: String,
        difficulty: f64,
        clean: bool,
    },
    Share {
        accepted: bool,
        job: &'a str,
        difficulty: f64,
        hash: String,
        backend: &'static str,
        kernel: &'static str,
        round_trip_ms: f64,
        code: Option<i64>,
        reason: Option<&'a str>,
    },
    Block {
        hash: String,
        height: Option<u32>,
        previous_block: String,
    },
    Hashrate {
        hashes_per_second_10s: f64,
        hashes_per_second_60s: f64,
        hashes_per_second_15m: f64,
        hashes: u64,
        devices: Vec<DeviceLine>,
    },
    Warning {
        url: Option<&'a str>,
        message: String,
    },
    Configuration {
        file: Option<&'a Path>,
        changes: &'a [String],
        restart: &'a [String],
    },
    Error {
        message: String,
    },
    Summary {
        blocks: u64,
        height: Option<u32>,
        tip: Option<String>,
        shares_found: u64,
        shares_accepted: u64,
        shares_rejected: u64,
        shares_stale: u64,
        shares_lost: u64,
        hardware_errors: u64,
        hashes: u64,
        seconds: f64,
    },
}

#[derive(Serialize)]
struct DeviceLine {
    backend: &'static str,
    kernel: &'static str,
    device: String,
    hashes_per_second: f64,
    hardware_errors: u64,
    failures: u64,
}

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
            miner::Event::Engine(engine::Event::Found { .. }) => Ok(()),
            miner::Event::Stale(shares) => {
                self.note(&format!("{} not sent: the chain moved on", count(shares.len(), "stale share")))
            }
            miner::Event::BadJob { id, error } => self.error(&format!("job {id}: {error}")),
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
            upstream::Event::Job { job, difficulty, clean } => {
                let height = height(job);
                let previous_block = midstate::sha256::Hash(job.previous_block_hash).to_string();
                self.tip = Some((height.map(|height| height - 1), previous_block.clone()));
                let difficulty = difficulty.get();
                let line = Line::Job { id: &job.id, height, previous_block, difficulty, clean: *clean };
                self.say(&line, "", || {
                    let height = height.map_or_else(|| "?".to_owned(), |height| height.to_string());
                    format!("job {}: block {height}, difficulty {difficulty:.6}", job.id)
                })
            }
            upstream::Event::Answered { share, verdict, round_trip } => {
                let who = self.worker(share.worker);
                let error = verdict.as_ref().err();
                let reason = error.map(|error| self.words.of(&error.message));
                let line = Line::Share {
                    accepted: error.is_none(),
                    job: &share.origin.job.id,
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

const GREEN: &str = "\x1b[32m";
const RED: &str = "\x1b[31m";
const BOLD: &str = "\x1b[1m";

/// A text without characters that steer a terminal: pools' words are in it.
fn visible(text: &str) -> Cow<'_, str> {
    let steers = |character: char| character.is_control() && character != '\n';
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    let shown = |character: char| {
        if steers(character) { character.escape_default().to_string() } else { character.to_string() }
    };
    Cow::Owned(text.chars().map(shown).collect())
}

/// A hashrate with a unit that keeps it readable.
pub(super) fn hashrate(per_second: f64) -> String {
    let units = [(1e15, "PH/s"), (1e12, "TH/s"), (1e9, "GH/s"), (1e6, "MH/s"), (1e3, "kH/s")];
    match units.into_iter().find(|(unit, _)| per_second >= *unit) {
        Some((unit, name)) => format!("{:.2} {name}", per_second / unit),
        None => format!("{per_second:.0} H/s"),
    }
}

/// The difficulty that a share's hash reached.
pub(super) fn difficulty(share: &Share) -> f64 {
    Target::from_le_bytes(share.hash.0).difficulty()
}

fn count(number: usize, what: &str) -> String {
    match (number, what) {
        (1, _) => format!("1 {what}"),
        (_, "hash") => format!("{number} hashes"),
        _ => format!("{number} {what}s"),
    }
}

/// The height of a job's block, if that can be seen.
pub(super) fn height(job: &Job) -> Option<u32> {
    bip34_height(&job.coinbase()?.coinbase1)
}

/// The height that a coinbase begins its input with (BIP 34), if the part before the extranonces shows it.
///
/// The input's script follows the transaction's version (4 bytes), its count of inputs (1), the null outpoint (36) and
/// the script's length (1, as a script has at most 100 bytes).
fn bip34_height(coinbase1: &[u8]) -> Option<u32> {
    let script = coinbase1.get(42..)?;
    match *script.first()? {
        // OP_1 to OP_16.
        push @ 0x51..=0x60 => Some(u32::from(push - 0x50)),
        length @ 1..=4 => {
            let bytes = script.get(1..=usize::from(length))?;
            Some(bytes.iter().rev().fold(0, |height, byte| height << 8 | u32::from(*byte))).filter(|height| *height > 0)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pools_words_do_not_steer_the_terminal() {
        assert_eq!(visible("\x1b[2Jgone\r\u{9b}"), "\\u{1b}[2Jgone\\r\\u{9b}");
        assert_eq!(visible("two\nlines, µ"), "two\nlines, µ");
    }

    #[test]
    fn heights_are_read_from_coinbases() {
        let coinbase = |script: &[u8]| [&[0; 42][..], script].concat();
        assert_eq!(bip34_height(&coinbase(&[0x51, 0])), Some(1));
        assert_eq!(bip34_height(&coinbase(&[0x60])), Some(16));
        assert_eq!(bip34_height(&coinbase(&[1, 17])), Some(17));
        assert_eq!(bip34_height(&coinbase(&[2, 0xe8, 0x03])), Some(1000));
        assert_eq!(bip34_height(&coinbase(&[3, 0x00, 0x8d, 0x0c])), Some(822_528));
        assert_eq!(bip34_height(&coinbase(&[3, 0x00])), None);
        assert_eq!(bip34_height(&coinbase(&[])), None);
        assert_eq!(bip34_height(&[1, 2]), None);
    }

    #[test]
    fn hashrates_are_readable() {
        let texts = [0.0, 999.0, 1234.0, 52_000_000.0, 5.5e9].map(hashrate);
        assert_eq!(texts, ["0 H/s", "999 H/s", "1.23 kH/s", "52.00 MH/s", "5.50 GH/s"]);
    }
}
