//! `pool-sim probe URL`: checks a pool's conduct.

use super::events::say_text;
use super::{CliError, io_error, miners_password};
use clap::Args;
use pool_sim::probe::{Options, ProbeError, Progress, Report, TOPICS, run};
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Joins a Stratum V1 pool as a miner and checks its conduct against BIPs and the protocol as it is spoken.
///
/// Each check says passed, failed, unsupported or skipped, and what was seen. Without --slow it ends within 2 minutes.
#[derive(Args)]
#[command(after_help = "\
Examples:
  pool-sim probe stratum+tcp://127.0.0.1:3333
  pool-sim probe stratum+tcp://pool.example:3333 --user ADDRESS.rig --password-file secret --slow
  pool-sim probe 127.0.0.1:3333 --only job bip310.mask-subset --json
  pool-sim probe --list

The password is read from POOL_SIM_PROBE_PASSWORD or --password-file, and is \"x\" without them. It is sent to the pool and
shown nowhere.

With --json, one object a line; each has an \"event\": check, summary.

Exit codes: 0 no check failed, 1 some did or the pool cannot be reached, 2 arguments that make no sense.")]
pub(super) struct ProbeArgs {
    /// The pool, as stratum+tcp://HOST:PORT
    #[arg(required_unless_present = "list")]
    url: Option<String>,
    /// The user to authorize; some pools want ADDRESS.WORKER
    #[arg(long, value_name = "NAME", default_value = "probe")]
    user: String,
    /// A file whose first line is the user's password
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Also make the checks that take a minute or more
    #[arg(long)]
    slow: bool,
    /// Only these checks, by id or topic
    #[arg(long, value_name = "ID", num_args = 1..)]
    only: Vec<String>,
    /// List the checks and their rules
    #[arg(long)]
    list: bool,
    /// How many hashes may be spent on finding shares
    #[arg(long, value_name = "N", default_value_t = 300_000_000)]
    max_hashes: u64,
    /// How many threads search for shares [default: all]
    #[arg(long, value_name = "N")]
    threads: Option<std::num::NonZeroUsize>,
    /// How long an answer is waited for, in seconds
    #[arg(long, value_name = "S", default_value = "3", value_parser = parse_seconds)]
    patience: Duration,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
    /// Also write a report there, in `JUnit`'s XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.01..=60.0).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| format!("patience: {text:?}; expected 0.01 to 60 seconds"))
}

/// Makes the checks, prints what was found, and says how the program ends.
pub(super) fn main(arguments: &ProbeArgs) -> ExitCode {
    if arguments.list {
        list(arguments.json);
        return ExitCode::SUCCESS;
    }
    match probe(arguments) {
        Ok(report) if report.count("failed") == 0 => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error}");
            let is_argument = matches!(error, CliError::Probe(ProbeError::Url(_) | ProbeError::Unknown(_)));
            ExitCode::from(if is_argument { 2 } else { 1 })
        }
    }
}

fn probe(arguments: &ProbeArgs) -> Result<Report, CliError> {
    let mut options = Options::new(arguments.url.clone().unwrap_or_default(), &arguments.user);
    options.password = miners_password(arguments.password_file.as_deref(), "POOL_SIM_PROBE_PASSWORD")?;
    (options.slow, options.only) = (arguments.slow, arguments.only.clone());
    (options.max_hashes, options.patience) = (arguments.max_hashes, arguments.patience);
    options.threads = arguments.threads.map_or(options.threads, usize::from);

    let terminal = io::stderr().is_terminal();
    let report = run(&options, |progress| match progress {
        Progress::Begins { check, at, of } if terminal => {
            let _ = write!(io::stderr(), "\r\x1b[K[{}/{of}] {}", at + 1, check.id);
        }
        Progress::Ended(finding) if arguments.json => say_text(&finding.to_json().to_string()),
        _ => {}
    });
    if terminal {
        let _ = write!(io::stderr(), "\r\x1b[K");
    }
    let report = report?;
    if arguments.json {
        say_text(&report.summary().to_string());
    } else {
        say_text(report.to_string().trim_end());
    }
    if let Some(path) = &arguments.junit {
        let written = report.to_junit().and_then(|xml| std::fs::write(path, xml));
        written.map_err(io_error(format!("write {}", path.display())))?;
    }
    Ok(report)
}

fn list(json: bool) {
    for check in TOPICS.iter().flat_map(|topic| topic.checks) {
        if json {
            let object =
                serde_json::json!({"id": check.id, "title": check.title, "source": check.source, "slow": check.slow});
            say_text(&object.to_string());
        } else {
            let slow = if check.slow { " (slow)" } else { "" };
            say_text(&format!("{:<27} {}{slow}\n{:27} {}", check.id, check.title, "", check.source));
        }
    }
}
