//! The commands of `docs/stratum-v2-lab.md`, run as they stand there but for ports and directory.
#![cfg(feature = "v2")]

use std::collections::HashMap;
use std::env::consts::EXE_SUFFIX;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const PAGE: &str = include_str!("../docs/stratum-v2-lab.md");
/// What the page has for the key that the pool says.
const KEY: &str = "KEY";
/// A busy machine's miners may take so long to find what they find in a second or two.
const LIMIT: Duration = Duration::from_secs(60);

/// A command, and what is shown of what it says: a line each, with … for what is different each time.
struct Step {
    command: String,
    says: Vec<String>,
}

/// The blocks of the page: each of `sh` is a command, and one of `text` after it is what that says.
fn steps() -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut lines = PAGE.lines();
    while let Some(line) = lines.next() {
        let block = |lines: &mut std::str::Lines<'static>| -> Vec<String> {
            lines.take_while(|line| *line != "```").map(str::to_owned).collect()
        };
        match line {
            "```sh" => steps.extend(block(&mut lines).into_iter().map(|command| Step { command, says: Vec::new() })),
            "```text" => steps.last_mut().expect("a command before it").says = block(&mut lines),
            _ => {}
        }
    }
    steps
}

/// A program that runs, and what it said until now.
struct Running {
    child: Child,
    said: Arc<Mutex<String>>,
}

impl Running {
    fn start(program: &Path, arguments: &str, directory: &Path) -> Running {
        let mut command = Command::new(program);
        command.args(arguments.split_whitespace()).current_dir(directory);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let said = Arc::new(Mutex::new(String::new()));
        let pipes: [Box<dyn std::io::Read + Send>; 2] =
            [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
        for pipe in pipes {
            let said = Arc::clone(&said);
            std::thread::spawn(move || {
                for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                    *said.lock().unwrap() += &(line + "\n");
                }
            });
        }
        Running { child, said }
    }

    fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// Waits until it has said all these.
    fn hears(&self, lines: &[String]) {
        let begun = Instant::now();
        while let Some(missing) = lines.iter().find(|line| !is_said(&self.said(), line)) {
            assert!(begun.elapsed() < LIMIT, "{missing:?} is not said, but:\n{}", self.said());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether a line has all parts of this one, in order.
fn is_said(said: &str, shown: &str) -> bool {
    said.lines().any(|line| {
        shown
            .split('…')
            .map(str::trim)
            .try_fold(line, |rest, part| Some(&rest[rest.find(part)? + part.len()..]))
            .is_some()
    })
}

/// The pool's program. It is another package's, so it is there if the whole workspace was built, as for its tests; else it is built.
fn pool_sim() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_midstate")).with_file_name(format!("pool-sim{EXE_SUFFIX}"));
    if !program.exists() {
        let built = Command::new(env!("CARGO")).args(["build", "--locked", "-p", "pool-sim"]).status();
        assert!(built.unwrap().success());
    }
    program
}

#[test]
fn each_command_does_what_the_page_says() {
    let directory = tempfile::tempdir().unwrap();
    let free = || TcpListener::bind("127.0.0.1:0").unwrap();
    // All at once, so that they are different.
    let listeners: HashMap<&str, TcpListener> = ["34254", "3333", "18443", "8442"].map(|port| (port, free())).into();
    let ports: HashMap<&str, String> =
        listeners.iter().map(|(port, listener)| (*port, listener.local_addr().unwrap().port().to_string())).collect();
    drop(listeners);
    let mut key = None;
    let here = |text: &str, key: &Option<String>| {
        let moved = ports.iter().fold(text.to_owned(), |text, (port, free)| {
            text.replace(&format!("127.0.0.1:{port}"), &format!("127.0.0.1:{free}"))
        });
        moved.replace(&format!("/{KEY}"), &format!("/{}", key.as_deref().unwrap_or(KEY)))
    };
    let mut pool = None;
    let steps = steps();
    assert_eq!(steps.len(), 7);
    for step in steps {
        let command = here(&step.command, &key);
        let (program, arguments) = match command.strip_prefix("cargo run --release ").expect("a command of cargo's") {
            pool if pool.starts_with("-p pool-sim -- ") => (pool_sim(), &pool["-p pool-sim -- ".len()..]),
            miner => (PathBuf::from(env!("CARGO_BIN_EXE_midstate")), miner.strip_prefix("-- ").expect("the miner")),
        };
        let program = Running::start(&program, arguments, directory.path());
        let says: Vec<String> = step.says.iter().map(|line| here(line, &key)).collect();
        program.hears(&says);
        // The others make room for the next.
        if pool.is_none() {
            let said = program.said();
            let url = format!("stratum2+tcp://127.0.0.1:{}/", ports["34254"]);
            let rest = &said[said.find(&url).unwrap() + url.len()..];
            key = rest.split(|letter: char| !letter.is_alphanumeric()).next().map(str::to_owned);
            pool = Some(program);
        }
    }
    assert!(directory.path().join("lab/authority").is_file());
}
