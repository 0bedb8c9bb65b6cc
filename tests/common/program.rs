//! The program as a person starts it.

#![allow(dead_code, reason = "each test takes what it needs")]

use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// No program of these tests takes as long, unless something is broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program that runs; killed when dropped.
pub(crate) struct Program {
    pub(crate) child: Child,
    pub(crate) lines: Receiver<String>,
    errors: Option<JoinHandle<String>>,
}

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: Vec<String>,
    pub(crate) err: String,
}

/// The program with these arguments, as words, on a machine where nothing is configured.
pub(crate) fn midstate(arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_midstate"));
    command.args(arguments.split_whitespace()).env("XDG_CONFIG_HOME", "/nonexistent");
    let ours = |name: &str| name.starts_with("MIDSTATE_") && name != "MIDSTATE_CACHE";
    for (name, _) in std::env::vars().filter(|(name, _)| ours(name)) {
        command.env_remove(name);
    }
    command
}

/// Runs it to its end, without input.
pub(crate) fn run(arguments: &str) -> Ended {
    Program::start(&mut midstate(arguments), "").end()
}

impl Program {
    pub(crate) fn start(command: &mut Command, input: impl AsRef<[u8]>) -> Program {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A program that does not read it is no worry.
        let _ = child.stdin.take().unwrap().write_all(input.as_ref());
        let out = BufReader::new(child.stdout.take().unwrap());
        let mut err = child.stderr.take().unwrap();
        let (sender, lines) = channel();
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let errors = std::thread::spawn(move || {
            let mut text = String::new();
            err.read_to_string(&mut text).unwrap();
            text
        });
        Program { child, lines, errors: Some(errors) }
    }

    /// Waits for the next line.
    fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("it says no more")
    }

    /// Waits for a line with this in it, and gives all lines up to it.
    pub(crate) fn lines_to(&self, text: &str) -> Vec<String> {
        let mut lines = vec![self.line()];
        while lines.last().is_none_or(|line| !line.contains(text)) {
            lines.push(self.line());
        }
        lines
    }

    /// Waits for the next event.
    pub(crate) fn next(&self) -> Value {
        serde_json::from_str(&self.line()).unwrap()
    }

    /// Waits for the next event of this name.
    pub(crate) fn event(&self, name: &str) -> Value {
        std::iter::repeat_with(|| self.next()).find(|event| event["event"] == name).unwrap_or_default()
    }

    #[cfg(unix)]
    pub(crate) fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap().success());
    }

    pub(crate) fn end(mut self) -> Ended {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "it does not end");
            std::thread::sleep(Duration::from_millis(10));
        };
        let err = self.errors.take().unwrap().join().unwrap();
        let ended = Ended { code: status.code(), out: self.lines.iter().collect(), err };
        assert!(!ended.err.contains("panicked"), "{ended:?}");
        ended
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    pub(crate) fn json(&self) -> Vec<Value> {
        self.out.iter().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{self:?}"))).collect()
    }

    pub(crate) fn messages(&self) -> Vec<String> {
        let events = self.json().into_iter().filter(|event| event["event"] == "error");
        events.map(|event| event["message"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) fn summary(&self) -> Value {
        let last = self.json().pop().unwrap();
        assert_eq!(last["event"], "summary");
        last
    }
}

pub(crate) fn keys(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}
