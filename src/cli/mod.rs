//! The command line: one file for each subcommand.

mod backends;
mod bench;
mod devices;
#[cfg(feature = "local")]
mod local;
mod mine;
mod power;
mod report;
mod search;
mod share_log;

use clap::{Parser, Subcommand};
use midstate::backend::{OpenError, SearchError};
use std::io::{self, Write};
use std::process::ExitCode;
use thiserror::Error;

/// Searches Bitcoin block headers for nonces on CPUs and GPUs.
#[derive(Parser)]
#[command(
    version,
    after_help = "\
Examples:
  midstate local                      a node, a pool and this miner in one process: watch blocks being mined
  midstate bench                      hashrate of everything that this machine can search with
  midstate mine --url stratum+tcp://127.0.0.1:3333 --user alice
  midstate devices                    what can search here, and what cannot and why

Exit codes: 0 done, 1 failed while running, 2 arguments that make no sense."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    #[cfg(feature = "local")]
    Local(local::Args),
    Mine(Box<mine::Args>),
    Search(search::Args),
    Bench(bench::Args),
    Devices(devices::Args),
}

/// Why a command ended badly.
#[derive(Debug, Error)]
enum CliError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Search(#[from] SearchError),
    #[error(transparent)]
    Argument(#[from] search::ArgumentError),
    #[error(transparent)]
    Mine(#[from] mine::MineError),
    #[error(transparent)]
    Bench(#[from] bench::BenchError),
    #[cfg(feature = "local")]
    #[error(transparent)]
    Local(#[from] local::LocalError),
    #[error("{0} of the inputs could not be searched")]
    Inputs(usize),
    #[error("{what}: {source}")]
    Io { what: &'static str, source: io::Error },
}

impl CliError {
    /// Whether other arguments would have helped.
    fn is_usage(&self) -> bool {
        use OpenError::{NoKernels, NotBuilt, UnknownBackend, UnknownKernel};
        match self {
            CliError::Open(error) => {
                matches!(error, UnknownBackend(_) | UnknownKernel(_) | NoKernels { .. } | NotBuilt)
            }
            CliError::Argument(_) => true,
            CliError::Mine(error) => error.is_usage(),
            _ => false,
        }
    }
}

impl From<io::Error> for CliError {
    fn from(source: io::Error) -> Self {
        CliError::Io { what: "output", source }
    }
}

pub(crate) fn run() -> ExitCode {
    let result = match Cli::parse().command {
        #[cfg(feature = "local")]
        Command::Local(args) => local::run(&args),
        Command::Mine(args) => mine::run(&args),
        Command::Search(args) => search::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Devices(args) => devices::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // The reader went away, as `head` does: nobody is left to tell.
        Err(CliError::Io { source, .. }) if source.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::from(if error.is_usage() { 2 } else { 1 })
        }
    }
}
