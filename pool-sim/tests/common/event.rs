//! What the program says with `--json`.

use serde_json::Value;
use std::io::BufRead;

/// The next event of that name.
pub(crate) fn event(stdout: &mut impl BufRead, name: &str) -> Value {
    loop {
        let mut line = String::new();
        assert!(stdout.read_line(&mut line).unwrap() > 0, "no {name} came");
        let event: Value = serde_json::from_str(&line).unwrap();
        if event["event"] == name {
            return event;
        }
    }
}
