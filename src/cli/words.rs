//! What others say, without our passwords in it.
//!
//! A pool may repeat the password that it refuses. Whoever reads what this program prints need not read that. Only what comes
//! from outside is searched: to hide a password such as `1234` in a hash would tell what it is.

use super::resolve::NO_PASSWORD;
use midstate::config::Secret;
use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

/// What stands in a password's place.
const HIDDEN: &str = "(password)";
/// Where a text was cut off, as errors do with long ones.
const CUT: char = '…';
/// A shorter password is hidden only where it stands alone: it is a part of too many words.
const SHORT: usize = 4;

/// Hides passwords in texts. Clones hide the same ones.
#[derive(Clone, Default)]
pub(super) struct Words {
    /// As they may be written; the longest first, as one may be a part of another.
    hidden: Arc<Mutex<Vec<String>>>,
}

impl Words {
    pub(super) fn hiding(passwords: &[Secret]) -> Words {
        let words = Words::default();
        words.hide_too(passwords);
        words
    }

    /// Hides these from now on, beside those before.
    pub(super) fn hide_too(&self, passwords: &[Secret]) {
        let mut hidden = self.hidden.lock().unwrap_or_else(PoisonError::into_inner);
        let secret = passwords.iter().map(Secret::reveal).filter(|password| !["", NO_PASSWORD].contains(password));
        for password in secret {
            // As it is, as errors quote it, and as JSON does.
            let quoted = [format!("{password:?}"), serde_json::Value::from(password).to_string()];
            hidden.extend(quoted.iter().map(|text| text[1..text.len() - 1].to_owned()).chain([password.to_owned()]));
        }
        hidden.sort_unstable_by(|a, b| b.len().cmp(&a.len()).then(a.cmp(b)));
        hidden.dedup();
    }

    /// A text from outside, as it may be shown.
    pub(super) fn of<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let hidden = self.hidden.lock().unwrap_or_else(PoisonError::into_inner);
        hidden.iter().fold(Cow::Borrowed(text), |text, password| {
            let text = if text.contains(password.as_str()) { Cow::Owned(without(&text, password)) } else { text };
            if text.contains(CUT) { Cow::Owned(without_beginning(&text, password)) } else { text }
        })
    }
}

fn without(text: &str, password: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(password) {
        let (before, after) = (&rest[..at], &rest[at + password.len()..]);
        let joined = before.chars().next_back().or(shown.chars().next_back()).is_some_and(char::is_alphanumeric)
            || after.chars().next().is_some_and(char::is_alphanumeric);
        shown.push_str(before);
        shown.push_str(if password.len() < SHORT && joined { password } else { HIDDEN });
        rest = after;
    }
    shown + rest
}

/// Hides what is left of a password in a text that was cut off in the middle of it.
fn without_beginning(text: &str, password: &str) -> String {
    // The longest first, as it ends like shorter ones may.
    let beginnings = password.char_indices().rev().map(|(end, _)| &password[..end]);
    let beginnings = beginnings.filter(|beginning| beginning.len() >= SHORT);
    let cut = |text: String, beginning: &str| text.replace(&format!("{beginning}{CUT}"), &format!("{HIDDEN}{CUT}"));
    beginnings.fold(text.to_owned(), cut)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_hidden_in_what_others_say() {
        let words = Words::hiding(&["horse", "horseback", "a\"b\\c", "abc", "x"].map(|word| word.to_owned().into()));
        for (said, shown) in [
            ("no horse here", "no (password) here"),
            ("horsehorse", "(password)(password)"),
            ("horseback", "(password)"),
            (r#"it answered "a\"b\\c""#, r#"it answered "(password)""#),
            (r#"a"b\c"#, "(password)"),
            ("abc, dabc, abcd, abc", "(password), dabc, abcd, (password)"),
            ("0x1f x", "0x1f x"),
            ("a horseba… (99 bytes)", "a (password)… (99 bytes)"),
            ("a hors… (99 bytes)", "a (password)… (99 bytes)"),
            ("a hor… (99 bytes)", "a hor… (99 bytes)"),
        ] {
            assert_eq!(words.of(said), shown, "{said}");
        }
        words.hide_too(&["cow".to_owned().into()]);
        assert_eq!(words.clone().of("horse, cow"), "(password), (password)");
    }
}
