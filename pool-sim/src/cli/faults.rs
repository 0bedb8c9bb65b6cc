//! Arguments for scenarios, and what is said of them.

use super::{CliError, io_error, say};
use clap::{Args, Subcommand};
use pool_sim::faults::{Faults, Scenario, ScenarioError, Verdict, builtin, builtin_text};
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// For `--help`.
pub(super) const HELP: &str = "\
With --scenario, things go wrong as a TOML file says, or one of those that are built in (`pool-sim scenario list`). At its end, at \
--seconds or by Ctrl-C, the event verdict says what the miner did wrong: scenario, clean, seconds, connections, faults, \
shares, due (to be accepted), told_otherwise (answered with something else than what was due, or not), counts by check, findings \
(each with check, session, at, what, advice) and ledger (the last shares that were told otherwise).";

/// The exit code where a miner did something wrong.
const FAULTY: u8 = 3;

#[derive(Args)]
pub(super) struct FaultArgs {
    /// What goes wrong: a TOML file, or the name of a scenario that is built in
    #[arg(long, value_name = "FILE|NAME")]
    scenario: Option<String>,
    /// Ends after so many seconds from the first connection on, instead of at the scenario's end
    #[arg(long, value_name = "SECONDS", requires = "scenario", value_parser = super::seconds)]
    seconds: Option<Duration>,
    /// Where the verdict is written as XML for `JUnit`'s readers
    #[arg(long, value_name = "FILE", requires = "scenario")]
    junit: Option<PathBuf>,
}

#[derive(Subcommand)]
pub(super) enum Show {
    /// Their names, and what each is for
    List,
    /// One of them, as a file to begin with
    Show {
        /// Its name
        name: String,
    },
}

impl Show {
    pub(super) fn run(&self) -> Result<(), ScenarioError> {
        let mut text = String::new();
        match self {
            Show::List => {
                for (name, _) in builtin() {
                    text += &[name, ": ", &Scenario::load(name)?.about, "\n"].concat();
                }
            }
            Show::Show { name } => {
                let source = io::Error::from(io::ErrorKind::NotFound);
                let unknown = ScenarioError::Read { name: name.clone(), source };
                text += builtin_text(name).ok_or(unknown)?;
            }
        }
        // A reader that went away wants no more.
        let _ = io::stdout().lock().write_all(text.as_bytes());
        Ok(())
    }
}

impl FaultArgs {
    /// What is to be played, if anything.
    pub(super) fn load(&self) -> Result<Option<Arc<Faults>>, ScenarioError> {
        let Some(name) = &self.scenario else { return Ok(None) };
        let mut scenario = Scenario::load(name)?;
        if let Some(seconds) = self.seconds {
            scenario.end.0 = seconds;
        }
        Ok(Some(Arc::new(Faults::new(scenario))))
    }

    /// Says the verdict, and writes it where it is wanted.
    pub(super) fn conclude(&self, json: bool, verdict: &Verdict) -> Result<ExitCode, CliError> {
        if json {
            say(json, &verdict.to_json());
        } else {
            // A reader that went away must not keep the code from being told.
            let _ = io::stdout().lock().write_all(verdict.to_text().as_bytes());
        }
        if let Some(path) = &self.junit {
            let xml = verdict.to_junit().map_err(io_error("write JUnit's XML"))?;
            std::fs::write(path, xml).map_err(io_error(format!("write {}", path.display())))?;
        }
        Ok(if verdict.is_clean() { ExitCode::SUCCESS } else { FAULTY.into() })
    }
}

/// Waits until the scenario's end: for ever, without one.
pub(super) async fn ended(faults: Option<&Arc<Faults>>) {
    match faults {
        Some(faults) => faults.ended().await,
        None => std::future::pending().await,
    }
}
