//! `midstate config`: a file to begin with, and what is in force.

use super::CliError;
use super::resolve::{Explained, Origin, Settings, standard_place};
use super::settings::SettingArgs;
use clap::parser::ValueSource;
use clap::{ArgMatches, Subcommand};
use midstate::config::{TEMPLATE, Table};
use serde::Serialize;
use serde_json::Value;
use std::fs::OpenOptions;
use std::io::{self, Write, stdout};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Write a configuration file for `mine`, or explain what is in force
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  midstate config init                        writes config.toml where `mine` looks for it, each setting with its meaning
  midstate config init --output - | less
  midstate config check                       what `mine` would do, and whence each value comes
  midstate config check --json --url stratum+tcp://127.0.0.1:3333 --user alice | jq '.settings[] | select(.origin != \"default\")'")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Init(InitArgs),
    Check(Box<CheckArgs>),
}

/// Write a configuration file that says what each setting means, with a pool to fill in
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  midstate config init
  midstate config init --output rig1.toml; midstate mine --config rig1.toml")]
struct InitArgs {
    /// Where to; - is the standard output [default: config.toml in ~/.config/midstate, or what the system has for that]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write over a file that is there
    #[arg(long)]
    force: bool,
}

/// Explain what is in force for `mine`, which takes the same flags, and whence each value comes
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  midstate config check
  midstate config check --config rig1.toml --json

Mines nothing and joins nobody; passwords are not shown. Exit code 2 says that `mine` would not start, and why. With --json, one object: {\"file\",
\"warnings\":[…],\"settings\":[{\"pool\",\"setting\",\"value\",\"origin\",\"line\",\"name\"}]}. `file` is the one that was read, or null. `pool` counts from 1, and
is null where a setting is for all. `origin` is default, file, environment or flag; `line` is the file's, `name` that of the variable or flag,
and null elsewhere.")]
struct CheckArgs {
    #[command(flatten)]
    settings: SettingArgs,
}

/// Why there is no file.
#[derive(Debug, Error)]
pub(super) enum ConfigCommandError {
    #[error("{0:?} is there already; expected another --output, or --force to write over it")]
    Exists(PathBuf),
    #[error("this system has no place for configuration; expected --output FILE")]
    NoPlace,
    #[error("cannot write {path:?}: {source}")]
    Write { path: PathBuf, source: io::Error },
}

pub(super) fn run(args: &Args, matches: &ArgMatches) -> Result<(), CliError> {
    match (&args.command, matches.subcommand()) {
        (Command::Init(args), _) => init(args),
        (Command::Check(args), Some((_, matches))) => check(args, matches),
        // clap gives a command and its matches together.
        (Command::Check(_), None) => Ok(()),
    }
}

fn init(args: &InitArgs) -> Result<(), CliError> {
    let path = match &args.output {
        Some(path) if path == Path::new("-") => return Ok(stdout().write_all(TEMPLATE.as_bytes())?),
        Some(path) => path.clone(),
        None => standard_place().ok_or(ConfigCommandError::NoPlace)?,
    };
    match write(&path, args.force) {
        Ok(()) => Ok(writeln!(stdout(), "wrote {}: now fill in the pool", path.display())?),
        Err(source) if source.kind() == io::ErrorKind::AlreadyExists => Err(ConfigCommandError::Exists(path).into()),
        Err(source) => Err(ConfigCommandError::Write { path, source }.into()),
    }
}

/// Writes the file for its owner alone: a password may come to stand in it.
fn write(path: &Path, over: bool) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).truncate(over).create(over).create_new(!over);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(TEMPLATE.as_bytes())
}

#[derive(Serialize)]
struct Report<'a> {
    file: Option<&'a Path>,
    warnings: &'a [String],
    settings: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    pool: Option<usize>,
    setting: String,
    value: &'a Value,
    origin: &'static str,
    line: Option<usize>,
    name: Option<&'a str>,
}

impl<'a> Row<'a> {
    fn of(explained: &'a Explained) -> Row<'a> {
        let pool = if let Table::Pool(pool) = explained.table { Some(pool + 1) } else { None };
        let setting = match explained.table {
            Table::Backends => format!("backends.{}", explained.setting),
            _ => explained.setting.to_owned(),
        };
        let (origin, line, name) = match &explained.origin {
            Origin::Default => ("default", None, None),
            Origin::File(line) => ("file", *line, None),
            Origin::Environment(name) => ("environment", None, Some(name.as_str())),
            Origin::Flag(name) => ("flag", None, Some(name.as_str())),
        };
        Row { pool, setting, value: &explained.value, origin, line, name }
    }
}

fn check(args: &CheckArgs, matches: &ArgMatches) -> Result<(), CliError> {
    // The flag says how this command prints, and nothing of `mine`.
    let json = args.settings.json;
    let of_mine = json.filter(|_| matches.value_source("json") == Some(ValueSource::EnvVariable));
    let settings = Settings::read(&args.settings, matches, of_mine)?;
    let mut out = stdout().lock();
    if json.unwrap_or(settings.json) {
        let rows = settings.explained.iter().map(Row::of).collect();
        let report = Report { file: settings.file.as_deref(), warnings: &settings.warnings, settings: rows };
        serde_json::to_writer(&mut out, &report).map_err(io::Error::from)?;
        return Ok(writeln!(out)?);
    }
    match &settings.file {
        Some(file) => writeln!(out, "file: {}", file.display())?,
        None => writeln!(out, "file: none")?,
    }
    for warning in &settings.warnings {
        writeln!(out, "warning: {warning}")?;
    }
    let mut table = None;
    for explained in &settings.explained {
        if table != Some(explained.table) {
            table = Some(explained.table);
            match explained.table {
                Table::Pool(pool) => writeln!(out, "\npool {}", pool + 1)?,
                Table::Backends => writeln!(out, "\nbackends")?,
                Table::Top | Table::Defaults => writeln!(out)?,
            }
        }
        let value = match &explained.value {
            Value::Null => "-".to_owned(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        writeln!(out, "  {:<20} {value:<44} {}", explained.setting, explained.origin)?;
    }
    Ok(())
}
