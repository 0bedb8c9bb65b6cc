//! What is wrong with a file, in words for people.

use super::lines::{Entry, Lines, Table, line};
use super::{BackendConfig, Config, PoolConfig};
use serde::de::value::Error as NoValue;
use serde::de::{Deserialize, Deserializer, Error as _, Visitor};
use thiserror::Error;

/// So much alike are a slip and what was meant: the share of letters that stand where they should, about.
const ALIKE: f64 = 0.8;

/// Settings that only some builds have, and the feature that brings them.
const OF_FEATURES: [(&str, &str); 14] = [
    ("verify_payout", "payout"),
    ("strict", "payout"),
    ("rpc_cookie", "solo"),
    ("pay_to", "solo"),
    ("tag", "solo"),
    ("zmq", "solo"),
    ("sv2_insecure", "v2"),
    ("sv2_channel", "v2"),
    ("channels", "v2"),
    ("nominal_hashrate", "v2"),
    ("device_vendor", "v2"),
    ("device_hardware", "v2"),
    ("device_firmware", "v2"),
    ("device_id", "v2"),
];

/// What is wrong with a configuration file. Lines are counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// It is no TOML.
    #[error("line {line}: {what}")]
    Syntax {
        /// Which line.
        line: usize,
        /// What is wrong, without what stands there: that may be a password.
        what: String,
    },
    /// No setting is called so.
    #[error("line {line}: {table}{setting:?}: no such setting; expected {expected}")]
    Unknown {
        /// Which line.
        line: usize,
        /// In which table.
        table: Table,
        /// How it is called.
        setting: String,
        /// The one with the nearest name, or all.
        expected: String,
    },
    /// A setting cannot have this value.
    #[error("line {line}: {table}{setting}: {what}")]
    Value {
        /// Which line.
        line: usize,
        /// In which table.
        table: Table,
        /// Which setting.
        setting: String,
        /// What came, except for passwords, and what was expected.
        what: String,
    },
}

impl ConfigError {
    pub(super) fn syntax(text: &str, error: &toml::de::Error) -> ConfigError {
        let at = error.span().map_or(0, |span| span.start);
        ConfigError::Syntax { line: line(text, at), what: error.message().to_owned() }
    }

    pub(super) fn value(lines: &Lines, table: Table, setting: &str, what: &str) -> ConfigError {
        let line = lines.line_or_table(table, setting);
        ConfigError::Value { line, table, setting: setting.to_owned(), what: what.to_owned() }
    }

    /// What `serde` found wrong, told by where it is.
    pub(super) fn told(text: &str, error: &toml::de::Error, lines: &Lines) -> ConfigError {
        let Some((bytes, entry)) = error.span().and_then(|bytes| lines.at(&bytes).map(|entry| (bytes, entry))) else {
            return ConfigError::syntax(text, error);
        };
        let Entry { table, setting, line, name, .. } = entry;
        let known = names(*table);
        if *name == bytes && !known.contains(&setting.as_str()) {
            let expected = expected(setting, known);
            return ConfigError::Unknown { line: *line, table: *table, setting: setting.clone(), expected };
        }
        let what = error.message().to_owned();
        ConfigError::Value { line: *line, table: *table, setting: setting.clone(), what }
    }
}

/// What was meant by a name that no setting has.
fn expected(name: &str, known: &[&str]) -> String {
    if let Some((_, feature)) = OF_FEATURES.iter().find(|(setting, _)| *setting == name && known.contains(&"url")) {
        return format!("a build with the feature `{feature}`");
    }
    let likeness = |known: &&&str| strsim::jaro_winkler(name, known);
    let nearest = known.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    match nearest.filter(|nearest| likeness(nearest) >= ALIKE) {
        Some(nearest) => format!("{nearest:?}, perhaps"),
        None => format!("one of {}", known.join(", ")),
    }
}

/// What the settings of a table are called.
pub(super) fn names(table: Table) -> &'static [&'static str] {
    match table {
        Table::Top => fields::<Config>(),
        Table::Backends => fields::<BackendConfig>(),
        Table::Defaults | Table::Pool(_) => fields::<PoolConfig>(),
    }
}

/// The names that a type asks for when it is read.
fn fields<'de, T: Deserialize<'de>>() -> &'static [&'static str] {
    /// Notes what it is asked for, and gives nothing.
    struct Names<'a>(&'a mut &'static [&'static str]);

    impl<'de> Deserializer<'de> for Names<'_> {
        type Error = NoValue;

        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, NoValue> {
            Err(NoValue::custom("no value"))
        }

        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            fields: &'static [&'static str],
            _: V,
        ) -> Result<V::Value, NoValue> {
            *self.0 = fields;
            Err(NoValue::custom("no value"))
        }

        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
            newtype_struct seq tuple tuple_struct map enum identifier ignored_any
        }
    }

    let mut names: &'static [&'static str] = &[];
    // It gets no value, and is not wanted: only what it asked for.
    let _ = T::deserialize(Names(&mut names));
    names
}
