//! `midstate search`: given headers, given nonces.

use super::CliError;
use super::backends::BackendArgs;
use midstate::backend::{Backend, Cancel};
use midstate::engine::search_once;
use midstate::sha256::Header;
use midstate::work::{NonceRange, Work};
use midstate_stratum::Target;
use serde::Serialize;
use std::io::{BufRead, BufWriter, Write, stderr, stdin, stdout};
use thiserror::Error;

/// Search given headers, and print the nonces that meet a target
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  # the first block ever, a million nonces to either side of its own
  midstate search --window 1000000 0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b\\
12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c
  # many headers, hex, one a line, on the GPU
  midstate search --backend gpu --window 5000 - < headers.txt

Prints for each header, in order, a line {\"header\",\"nonces\",\"hashes\"}. A header that cannot be read gets an error on
standard error, the others are searched, and the exit code is 1.")]
pub(super) struct Args {
    #[command(flatten)]
    backends: BackendArgs,
    /// Search this far to either side of each header's own nonce, wrapping
    #[arg(long, value_name = "N", default_value_t = 1 << 20, conflicts_with = "range")]
    window: u32,
    /// Search these nonces: A..B without B, A..=B with B; decimal or 0x…; wraps where B is below A
    #[arg(long, value_name = "A..B", value_parser = parse_range)]
    range: Option<NonceRange>,
    /// What hashes must not exceed: 64 hex digits, most significant first [default: the header's own target]
    #[arg(long, value_name = "HEX", value_parser = parse_target)]
    target: Option<Target>,
    /// 80-byte headers in hex, or - to read one a line from standard input
    #[arg(required = true, value_name = "HEADER|-")]
    headers: Vec<String>,
}

/// An argument or input that is not what it should be.
#[derive(Clone, Debug, Error)]
pub(super) enum ArgumentError {
    #[error("range: {0:?}; expected A..B or A..=B with nonces from 0 to 0xffffffff (B of A..B may be 0x100000000)")]
    Range(String),
    #[error("target: {0:?}; expected 64 hex digits, most significant first")]
    Target(String),
    #[error("header: {0:?} has {1} characters; expected 160 hex digits (80 bytes)")]
    HeaderLength(String, usize),
    #[error("header: {0:?} is not hex")]
    HeaderHex(String),
    #[error("header: nbits {0:#010x} is no target; give one with --target")]
    Nbits(u32),
}

#[derive(Serialize)]
struct Line {
    header: String,
    nonces: Vec<u32>,
    hashes: u64,
}

pub(super) fn run(args: &Args) -> Result<(), CliError> {
    let mut backends = args.backends.open()?;
    let mut out = BufWriter::new(stdout().lock());
    let mut failed = 0;
    let mut search = |text: &str, place: &str| -> Result<(), CliError> {
        match args.work(text) {
            Ok(work) => search_one(&mut backends, &work, text, &mut out),
            Err(error) => {
                failed += 1;
                writeln!(stderr(), "error: {place}{error}")?;
                Ok(())
            }
        }
    };
    for argument in &args.headers {
        if argument == "-" {
            for (number, line) in stdin().lock().split(b'\n').enumerate() {
                let line = line.map_err(|source| CliError::Io { what: "standard input", source })?;
                // What is not text is no header either, and no reason to leave the others.
                let line = String::from_utf8_lossy(&line);
                let line = line.trim();
                if !line.is_empty() {
                    search(line, &format!("line {}: ", number + 1))?;
                }
            }
        } else {
            search(argument, "")?;
        }
    }
    if failed > 0 { Err(CliError::Inputs(failed)) } else { Ok(()) }
}

fn search_one(
    backends: &mut [Box<dyn Backend>],
    work: &Work,
    header: &str,
    out: &mut impl Write,
) -> Result<(), CliError> {
    let searched = search_once(backends, work, &Cancel::never())?;
    let nonces = searched.candidates.iter().map(|candidate| candidate.nonce).collect();
    let line = Line { header: header.to_lowercase(), nonces, hashes: searched.hashes };
    serde_json::to_writer(&mut *out, &line).map_err(std::io::Error::from)?;
    writeln!(out)?;
    // A line at a time, so that long searches show what they have.
    out.flush()?;
    Ok(())
}

impl Args {
    fn work(&self, text: &str) -> Result<Work, ArgumentError> {
        let header = parse_header(text)?;
        let range = self.range.unwrap_or_else(|| NonceRange::around(header.nonce(), self.window));
        let target = match self.target {
            Some(target) => target,
            None => Target::from_compact(header.nbits()).map_err(|_| ArgumentError::Nbits(header.nbits()))?,
        };
        Ok(Work::new(header, range, target))
    }
}

fn parse_header(text: &str) -> Result<Header, ArgumentError> {
    if text.len() != 160 {
        return Err(ArgumentError::HeaderLength(text.chars().take(20).collect(), text.chars().count()));
    }
    hex::decode_to_array(text).map(Header).map_err(|_| ArgumentError::HeaderHex(text.to_owned()))
}

fn parse_target(text: &str) -> Result<Target, ArgumentError> {
    let bytes = hex::decode_to_array(text).map_err(|_| ArgumentError::Target(text.to_owned()))?;
    Ok(Target::from_be_bytes(bytes))
}

fn parse_range(text: &str) -> Result<NonceRange, ArgumentError> {
    let wrong = || ArgumentError::Range(text.to_owned());
    let nonce = |text: &str| parse_number(text).and_then(|number| u32::try_from(number).ok()).ok_or_else(wrong);
    let (first, last) = text.split_once("..").ok_or_else(wrong)?;
    let first = nonce(first)?;
    if let Some(last) = last.strip_prefix('=') {
        return Ok(NonceRange::inclusive(first, nonce(last)?));
    }
    let end = parse_number(last).filter(|end| *end <= 1 << 32).ok_or_else(wrong)?;
    let count = if end >= u64::from(first) { end - u64::from(first) } else { (1 << 32) - u64::from(first) + end };
    NonceRange::new(first, count).map_err(|_| wrong())
}

fn parse_number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let range = |text| parse_range(text).map(|range| (range.first(), range.len())).ok();
        assert_eq!(range("5..10"), Some((5, 5)));
        assert_eq!(range("5..=10"), Some((5, 6)));
        assert_eq!(range("0x10..0x100000000"), Some((16, (1 << 32) - 16)));
        assert_eq!(range("0..0x100000000"), Some((0, 1 << 32)));
        assert_eq!(range("0xffffffff..1"), Some((u32::MAX, 2)));
        for wrong in ["", "5", "5..", "..5", "a..b", "0..0x100000001", "0x100000000..5", "-1..5", "0..=0x100000000"] {
            assert_eq!(range(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn bad_headers_are_named() {
        assert!(parse_header("00").unwrap_err().to_string().contains("2 characters; expected 160"));
        assert!(parse_header(&"zz".repeat(80)).unwrap_err().to_string().contains("not hex"));
    }
}
