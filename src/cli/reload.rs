//! Reading the configuration again while `mine` runs.

use super::report::Reporter;
use super::resolve::{Explained, Origin, Settings};
use super::settings::SettingArgs;
use clap::ArgMatches;
use midstate::config::Table;
use midstate::upstream::Source;
use serde_json::Value;
use std::io;

/// What is in force, and what flags and the environment say of it for good.
pub(super) struct Reload<'a> {
    args: &'a SettingArgs,
    matches: &'a ArgMatches,
    settings: Settings,
}

impl<'a> Reload<'a> {
    pub(super) fn new(args: &'a SettingArgs, matches: &'a ArgMatches, settings: Settings) -> Reload<'a> {
        Reload { args, matches, settings }
    }

    /// Reads it all again, and says what is different. Gives the pools and nodes that there are now; `None` where what was
    /// read is wrong, so that what was in force stays.
    pub(super) fn again(&mut self, reporter: &mut Reporter) -> io::Result<Option<Vec<Source>>> {
        let settings = match Settings::read(self.args, self.matches, self.args.json) {
            Ok(settings) => settings,
            Err(error) => {
                reporter.error(&format!("{error}; what was in force stays so"))?;
                return Ok(None);
            }
        };
        let (restart, changes): (Vec<_>, Vec<_>) =
            differences(&self.settings.explained, &settings.explained).partition(|change| change.needs_restart);
        let texts = |changes: Vec<Change>| changes.into_iter().map(|change| change.text).collect::<Vec<_>>();
        reporter.hide_too(&settings.passwords);
        reporter.configuration(settings.file.as_deref(), Some((&texts(changes), &texts(restart))))?;
        let new = |warning: &&String| !self.settings.warnings.contains(warning);
        settings.warnings.iter().filter(new).try_for_each(|warning| reporter.warning(None, warning))?;
        let sources = settings.sources.clone();
        self.settings = settings;
        Ok(Some(sources))
    }
}

/// A setting that is not as it was.
struct Change {
    text: String,
    needs_restart: bool,
}

fn differences<'e>(old: &'e [Explained], new: &'e [Explained]) -> impl Iterator<Item = Change> + 'e {
    let among = |list: &'e [Explained], name: String| list.iter().find(move |other| other.name() == name);
    let change = |setting: &Explained, text: String| Change {
        text: format!("{}: {text}", setting.name()),
        needs_restart: !matches!(setting.table, Table::Pool(_)),
    };
    // A pool that comes or goes brings no news in what is as always.
    let matters = |setting: &Explained| setting.origin != Origin::Default;
    let gone = old.iter().filter(move |old| matters(old) && among(new, old.name()).is_none());
    let gone = gone.map(move |old| change(old, format!("gone, was {}", shown(&old.value))));
    let changed = new.iter().filter_map(move |new| match among(old, new.name()) {
        Some(old) if new.same(old) => None,
        Some(old) => Some(change(new, format!("{}, was {}", shown(&new.value), shown(&old.value)))),
        None => matters(new).then(|| change(new, shown(&new.value))),
    });
    gone.chain(changed)
}

fn shown(value: &Value) -> String {
    if value.is_null() { "none".to_owned() } else { value.to_string() }
}
