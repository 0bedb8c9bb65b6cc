//! A configuration file, and the program that reads it.

#![allow(dead_code, reason = "each test takes what it needs")]

use super::program::{Ended, Program, midstate};
use super::scripted::url;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

/// A file that says that alice mines at these ports of this machine.
pub(crate) fn pools(ports: &[u16]) -> String {
    let pool = |port: &u16| format!("[[pool]]\nurl = \"{}\"\nuser = \"alice\"\n", url(*port));
    ports.iter().map(pool).collect::<Vec<_>>().concat()
}

/// A directory with a configuration file.
pub(crate) struct Place {
    pub(crate) directory: TempDir,
    pub(crate) file: PathBuf,
}

impl Place {
    pub(crate) fn with(text: &str) -> Place {
        let directory = TempDir::new().unwrap();
        let file = directory.path().join("config.toml");
        std::fs::write(&file, text).unwrap();
        Place { directory, file }
    }

    /// The program with these arguments and this file.
    pub(crate) fn midstate(&self, arguments: &str) -> Command {
        let mut command = midstate(arguments);
        command.arg("--config").arg(&self.file);
        command
    }

    pub(crate) fn write(&self, text: &str) {
        std::fs::write(&self.file, text).unwrap();
    }
}

/// Runs a program to its end, without input.
pub(crate) fn end(command: &mut Command) -> Ended {
    Program::start(command, "").end()
}
