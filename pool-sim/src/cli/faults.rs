//! Arguments for scenarios and faults on command, and what is said of them.

use super::{CliError, io_error, say};
use clap::{ArgGroup, Args, Subcommand};
use pool_sim::faults::{Control, ControlAddress, Faults, Scenario, ScenarioError, Verdict, builtin, builtin_text};
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
(each with check, session, at, what, advice) and ledger (the last shares that were told otherwise).

With --control, faults come as lines of JSON while it runs, each answered by one: {\"fault\":F,\"when\":W}, with F and W as in a \
scenario's rules, adds a rule (times and numbers count from then; a deed without a moment is done at once), and {\"cmd\":C} with \
verdict, rules or clear. `pool-sim control ADDRESS LINE…` sends them, or nc does. Only this host can reach it unless --control-open \
is given: no password is asked, and whoever reaches it can make the pool misbehave.";

/// The exit code where a miner did something wrong.
const FAULTY: u8 = 3;

#[derive(Args)]
#[command(group(ArgGroup::new("played").args(["scenario", "control"]).multiple(true)))]
pub(super) struct FaultArgs {
    /// What goes wrong: a TOML file, or the name of a scenario that is built in
    #[arg(long, value_name = "FILE|NAME")]
    scenario: Option<String>,
    /// Ends after so many seconds from the first connection on, instead of at the scenario's end
    #[arg(long, value_name = "SECONDS", requires = "played", value_parser = super::seconds)]
    seconds: Option<Duration>,
    /// Where the verdict is written as XML for `JUnit`'s readers
    #[arg(long, value_name = "FILE", requires = "played")]
    junit: Option<PathBuf>,
    /// Where faults are commanded, as lines of JSON: 127.0.0.1:PORT, or on Unix a path with a / in it
    #[arg(long, value_name = "ADDRESS")]
    control: Option<ControlAddress>,
    /// Lets --control be at an address that other hosts reach
    #[arg(long, requires = "control")]
    control_open: bool,
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
        let mut scenario = match &self.scenario {
            Some(name) => Scenario::load(name)?,
            None if self.control.is_some() => Scenario::empty(),
            None => return Ok(None),
        };
        if let Some(seconds) = self.seconds {
            scenario.end.0 = seconds;
        }
        Ok(Some(Arc::new(Faults::new(scenario))))
    }

    /// What is wrong with the arguments, if anything is.
    pub(super) fn check(&self) -> Result<(), String> {
        match &self.control {
            Some(address) if !self.control_open && !address.is_local() => Err(format!(
                "--control: {address}; expected a loopback address such as 127.0.0.1:3300, or --control-open beside it: no \
                 password is asked, and whoever reaches it can make the pool misbehave"
            )),
            _ => Ok(()),
        }
    }

    /// Takes commands where that is wanted.
    pub(super) async fn listen(&self, faults: Option<&Arc<Faults>>) -> Result<Option<Control>, CliError> {
        let Some((address, faults)) = self.control.as_ref().zip(faults) else { return Ok(None) };
        let control = Control::listen(address, Arc::clone(faults)).await;
        control.map(Some).map_err(io_error(format!("listen on {address} for commands")))
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
