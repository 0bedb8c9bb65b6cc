//! What is said with `--json`: an object a line.

use serde::Serialize;
use std::path::Path;

/// The fields of `--json`, for `--help`.
pub(in crate::cli) const JSON_HELP: &str = "\
With --json, one object a line; each has an \"event\":
  connected  url, extranonce1, extranonce2_size, version_mask, resumed
  job        id, channel (null but for Stratum V2), height (null where the coinbase does not say), previous_block,
             difficulty, clean, beside (the channels whose jobs are searched in turns with it)
  share      accepted, job, channel, difficulty, hash, backend, kernel, round_trip_ms, code and reason (null if
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

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub(super) enum Line<'a> {
    Connected {
        url: String,
        extranonce1: String,
        extranonce2_size: usize,
        version_mask: String,
        resumed: bool,
    },
    Job {
        id: &'a str,
        channel: Option<u32>,
        height: Option<u32>,
        previous_block: String,
        difficulty: f64,
        clean: bool,
        beside: Vec<u32>,
    },
    Share {
        accepted: bool,
        job: &'a str,
        channel: Option<u32>,
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
pub(super) struct DeviceLine {
    pub(super) backend: &'static str,
    pub(super) kernel: &'static str,
    pub(super) device: String,
    pub(super) hashes_per_second: f64,
    pub(super) hardware_errors: u64,
    pub(super) failures: u64,
}
