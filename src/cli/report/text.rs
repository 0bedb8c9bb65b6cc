//! How things look to people.

use midstate::job::Share;
use midstate_stratum::Target;
use std::borrow::Cow;

/// A text without characters that steer a terminal: pools' words are in it.
pub(super) fn visible(text: &str) -> Cow<'_, str> {
    let steers = |character: char| character.is_control() && character != '\n';
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    let shown = |character: char| {
        if steers(character) { character.escape_default().to_string() } else { character.to_string() }
    };
    Cow::Owned(text.chars().map(shown).collect())
}

/// A hashrate with a unit that keeps it readable.
pub(in crate::cli) fn hashrate(per_second: f64) -> String {
    let units = [(1e15, "PH/s"), (1e12, "TH/s"), (1e9, "GH/s"), (1e6, "MH/s"), (1e3, "kH/s")];
    match units.into_iter().find(|(unit, _)| per_second >= *unit) {
        Some((unit, name)) => format!("{:.2} {name}", per_second / unit),
        None => format!("{per_second:.0} H/s"),
    }
}

/// The difficulty that a share's hash reached.
pub(in crate::cli) fn difficulty(share: &Share) -> f64 {
    Target::from_le_bytes(share.hash.0).difficulty()
}

pub(super) fn count(number: usize, what: &str) -> String {
    match (number, what) {
        (1, _) => format!("1 {what}"),
        (_, "hash") => format!("{number} hashes"),
        _ => format!("{number} {what}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pools_words_do_not_steer_the_terminal() {
        assert_eq!(visible("\x1b[2Jgone\r\u{9b}"), "\\u{1b}[2Jgone\\r\\u{9b}");
        assert_eq!(visible("two\nlines, µ"), "two\nlines, µ");
    }

    #[test]
    fn hashrates_are_readable() {
        let texts = [0.0, 999.0, 1234.0, 52_000_000.0, 5.5e9].map(hashrate);
        assert_eq!(texts, ["0 H/s", "999 H/s", "1.23 kH/s", "52.00 MH/s", "5.50 GH/s"]);
    }
}
