//! On which line of a file each setting stands.

use std::fmt;
use std::ops::Range;
use toml::de::{DeTable, DeValue, Error};

/// A table of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// What stands before the first `[…]`.
    Top,
    /// `[defaults]`.
    Defaults,
    /// `[backends]`.
    Backends,
    /// The `[[pool]]` of this index.
    Pool(usize),
}

impl fmt::Display for Table {
    /// As the start of a sentence about a setting; pools are counted from 1.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Table::Top => Ok(()),
            Table::Defaults => write!(f, "defaults: "),
            Table::Backends => write!(f, "backends: "),
            Table::Pool(index) => write!(f, "pool {}: ", index + 1),
        }
    }
}

/// A setting, and where it is written.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) table: Table,
    pub(super) setting: String,
    pub(super) line: usize,
    /// The bytes of its name.
    pub(super) name: Range<usize>,
    /// The bytes of its value.
    value: Range<usize>,
}

/// The places of a file's settings.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    /// A table stands before what is in it.
    entries: Vec<Entry>,
    /// Where each `[[pool]]` begins.
    pools: Vec<usize>,
}

impl Lines {
    /// Those of a text that is TOML.
    pub(super) fn of(text: &str) -> Result<Lines, Error> {
        let mut lines = Lines::default();
        let document = DeTable::parse(text)?;
        lines.note(text, Table::Top, document.get_ref());
        for (name, value) in document.get_ref() {
            match (name.get_ref().as_ref(), value.get_ref()) {
                ("defaults", DeValue::Table(table)) => lines.note(text, Table::Defaults, table),
                ("backends", DeValue::Table(table)) => lines.note(text, Table::Backends, table),
                ("pool", DeValue::Array(pools)) => {
                    for (index, pool) in pools.iter().enumerate() {
                        lines.pools.push(line(text, pool.span().start));
                        if let DeValue::Table(table) = pool.get_ref() {
                            lines.note(text, Table::Pool(index), table);
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(lines)
    }

    fn note(&mut self, text: &str, table: Table, settings: &DeTable) {
        for (name, value) in settings {
            self.entries.push(Entry {
                table,
                setting: name.get_ref().to_string(),
                line: line(text, name.span().start),
                name: name.span(),
                value: value.span(),
            });
        }
    }

    /// The line of a setting, counted from 1, if the file has it.
    pub fn line(&self, table: Table, setting: &str) -> Option<usize> {
        self.entries.iter().find(|entry| entry.table == table && entry.setting == setting).map(|entry| entry.line)
    }

    /// The line of a setting, or else where its table begins.
    pub(super) fn line_or_table(&self, table: Table, setting: &str) -> usize {
        let begins = || match table {
            Table::Pool(index) => self.pools.get(index).copied(),
            Table::Top => None,
            Table::Defaults => self.line(Table::Top, "defaults"),
            Table::Backends => self.line(Table::Top, "backends"),
        };
        self.line(table, setting).or_else(begins).unwrap_or(1)
    }

    /// The innermost setting that these bytes belong to.
    pub(super) fn at(&self, bytes: &Range<usize>) -> Option<&Entry> {
        let around = |place: &Range<usize>| place.start <= bytes.start && bytes.end <= place.end;
        self.entries.iter().rev().find(|entry| around(&entry.name) || around(&entry.value))
    }
}

/// The line of a byte, counted from 1.
pub(super) fn line(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}
