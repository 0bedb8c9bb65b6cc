//! What the target `config` does with its input. The miner's own tests run it too (`tests/config_fuzz.rs`); it is no part of the
//! library here, which `midstate-stratum` tests and so must not need the miner.

use midstate::config::{Config, ConfigError};

/// No other text has this in it.
const PASSWORD: &str = "Q7!zebra-9";

/// What is wrong with a file is said with its line, and without the passwords in it; what is right shows none either.
///
/// # Panics
/// When that does not hold.
pub fn config(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    read(&text);
    // In a text of several lines a password's line is no password.
    if text.contains(PASSWORD) || text.contains("\"\"\"") || text.contains("'''") {
        return;
    }
    // A password after each line, in each way that people write one.
    let ends = text.match_indices('\n').map(|(at, _)| at + 1).chain([text.len()]);
    for (i, end) in ends.take(16).enumerate() {
        let written = match i % 4 {
            0 => format!("password = \"{PASSWORD}\"\n"),
            1 => format!("password = {PASSWORD}\n"),
            2 => format!("password = \"{PASSWORD}\n"),
            _ => format!("password = [\"{PASSWORD}\"]\n"),
        };
        let line_break = if text[..end].ends_with('\n') { "" } else { "\n" };
        let said = read(&format!("{}{line_break}{written}{}", &text[..end], &text[end..]));
        assert!(!said.contains(PASSWORD), "{said}");
    }
}

/// What is said of a text, whether it is right or wrong.
fn read(text: &str) -> String {
    match Config::read(text) {
        Ok((config, _)) => format!("{config:?}"),
        Err(error) => {
            let (ConfigError::Syntax { line, .. }
            | ConfigError::Unknown { line, .. }
            | ConfigError::Value { line, .. }) = &error;
            let lines = text.split('\n').count();
            assert!((1..=lines).contains(line), "line {line} of {lines}");
            format!("{error}\n{error:?}")
        }
    }
}
