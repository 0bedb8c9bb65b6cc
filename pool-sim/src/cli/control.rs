//! `pool-sim control ADDRESS LINE…`: commands to a pool that runs.

use super::{CliError, io_error};
use clap::Args;
use pool_sim::faults::ControlAddress;
use serde_json::Value;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::Duration;

/// A pool answers at once.
const PATIENCE: Duration = Duration::from_secs(10);

/// Commands faults to a pool that was started with --control, and prints its answers
#[derive(Args)]
#[command(after_help = "\
Examples:
  pool-sim --control 127.0.0.1:3300
  pool-sim control 127.0.0.1:3300 '{\"fault\":\"close\"}'
  pool-sim control 127.0.0.1:3300 '{\"fault\":{\"delay\":{\"by\":\"2s\"}},\"when\":{\"lines\":[\"answer\"],\"times\":10}}'
  pool-sim control 127.0.0.1:3300 '{\"cmd\":\"rules\"}' '{\"cmd\":\"clear\"}' '{\"cmd\":\"verdict\"}'

Faults and their moments are those of scenarios: `pool-sim scenario list` and `pool-sim scenario show NAME` have examples of all.

Exit codes: 0 all was done, 1 the pool cannot be reached or a line is answered by an error, 2 arguments that make no sense.")]
pub(super) struct ControlArgs {
    /// Where the pool takes commands
    address: ControlAddress,
    /// Commands, each a JSON object; without any, lines of standard input
    lines: Vec<String>,
}

/// A way to the pool.
trait Stream: Read + Write {}
impl<S: Read + Write> Stream for S {}

impl ControlArgs {
    pub(super) fn run(&self) -> Result<ExitCode, CliError> {
        let failed = || io_error(format!("reach {}", self.address));
        let mut stream = BufReader::new(self.connect().map_err(failed())?);
        let mut is_well = true;
        let given: Box<dyn Iterator<Item = io::Result<String>>> = if self.lines.is_empty() {
            Box::new(io::stdin().lock().lines())
        } else {
            Box::new(self.lines.iter().cloned().map(Ok))
        };
        for line in given {
            // A command is one line.
            let line = line.map_err(io_error("read standard input"))?.replace(['\n', '\r'], " ");
            stream.get_mut().write_all(format!("{line}\n").as_bytes()).map_err(failed())?;
            let mut answer = String::new();
            if stream.read_line(&mut answer).map_err(failed())? == 0 {
                return Err(failed()(io::ErrorKind::UnexpectedEof.into()));
            }
            is_well &= serde_json::from_str::<Value>(&answer).is_ok_and(|answer| answer["event"] != "error");
            // A reader that went away wants no more.
            let _ = io::stdout().lock().write_all(answer.as_bytes());
        }
        Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn connect(&self) -> io::Result<Box<dyn Stream>> {
        match &self.address {
            ControlAddress::Tcp(address) => {
                let stream = TcpStream::connect_timeout(address, PATIENCE)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                Ok(Box::new(stream))
            }
            #[cfg(unix)]
            ControlAddress::Unix(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                Ok(Box::new(stream))
            }
        }
    }
}
