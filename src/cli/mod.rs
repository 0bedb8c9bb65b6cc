//! The command line: one file for each subcommand.

mod backends;
mod bench;
mod config;
mod devices;
#[cfg(feature = "local")]
mod local;
mod mine;
mod power;
mod reload;
mod report;
mod resolve;
mod search;
mod settings;
mod share_log;
mod words;

use clap::error::{ContextKind, ContextValue};
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};
use midstate::backend::{OpenError, SearchError};
use midstate::upstream::without_userinfo;
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
  midstate config init                a configuration file for `mine`, with all that can be set
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
    Config(config::Args),
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
    Settings(#[from] resolve::SettingsError),
    #[error(transparent)]
    Config(#[from] config::ConfigCommandError),
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
            CliError::Argument(_) | CliError::Settings(_) => true,
            CliError::Config(error) => !matches!(error, config::ConfigCommandError::Write { .. }),
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

/// What was asked for; where it makes no sense, the program ends here and says why.
fn parse() -> (Cli, ArgMatches) {
    let command = Cli::command().mut_subcommand("mine", settings::with_environment);
    let command = command.mut_subcommand("config", |config| config.mut_subcommand("check", settings::with_environment));
    let matches = command.try_get_matches().unwrap_or_else(|error| without_passwords(error).exit());
    match Cli::from_arg_matches(&matches) {
        Ok(cli) => (cli, matches),
        Err(error) => error.exit(),
    }
}

/// What clap says of a value that it refuses. It repeats the value, and in a URL people write passwords.
fn without_passwords(mut error: clap::Error) -> clap::Error {
    if let Some(ContextValue::String(value)) = error.get(ContextKind::InvalidValue) {
        let value = ContextValue::String(without_userinfo(value));
        error.insert(ContextKind::InvalidValue, value);
    }
    error
}

pub(crate) fn run() -> ExitCode {
    let (cli, matches) = parse();
    // clap gives a command and its matches together.
    let of_command = matches.subcommand().map_or(&matches, |(_, matches)| matches);
    let result = match cli.command {
        #[cfg(feature = "local")]
        Command::Local(args) => local::run(&args),
        Command::Mine(args) => mine::run(&args, of_command),
        Command::Config(args) => config::run(&args, of_command),
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
