//! A store in a file: a `redb` database.
//!
//! | table | key | value |
//! |---|---|---|
//! | meta | `schema` | the schema's version |
//! | shares | count, from 1 on | user, work in units |
//! | records | count | the share's record, JSON |
//! | headers | the header's hash, as it is hashed | number, milliseconds since 1970 |
//! | blocks | number, from 0 on | [`super::super::BlockRecord`], JSON |
//! | payouts | number, from 0 on | [`super::super::PayoutRecord`], JSON |
//! | ledger | number, from 1 on | [`super::super::Transaction`], JSON |
//! | balances | account | satoshis |
//! | figures | name | [`super::super::Figures`] |

use super::{Entry, Headers, Saved, Store, StoreError};
use crate::pool::accounts::{Account, Change, Figures, Share, Work};
use bitcoin::BlockHash;
use bitcoin::hashes::Hash;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The schema that is written. The first had no payouts.
const SCHEMA: u64 = 2;

pub(super) const META: TableDefinition<&str, u64> = TableDefinition::new("meta");
pub(super) const SHARES: TableDefinition<u64, (&str, u128)> = TableDefinition::new("shares");
pub(super) const RECORDS: TableDefinition<u64, &str> = TableDefinition::new("records");
pub(super) const HEADERS: TableDefinition<[u8; 32], (u64, u64)> = TableDefinition::new("headers");
pub(super) const BLOCKS: TableDefinition<u64, &[u8]> = TableDefinition::new("blocks");
pub(super) const PAYOUTS: TableDefinition<u64, &[u8]> = TableDefinition::new("payouts");
pub(super) const LEDGER: TableDefinition<u64, &[u8]> = TableDefinition::new("ledger");
pub(super) const BALANCES: TableDefinition<&str, i64> = TableDefinition::new("balances");
pub(super) const FIGURES: TableDefinition<&str, u128> = TableDefinition::new("figures");

/// A store in a file.
#[derive(Clone, Debug)]
pub struct File {
    pub(super) database: Arc<Database>,
}

impl File {
    /// Opens a store, or makes a new one. After a crash it is as after the last commit.
    pub fn create(path: &Path) -> Result<File, StoreError> {
        let failed = |source| StoreError::Open { path: path.to_owned(), source };
        let database = Database::create(path).map_err(failed)?;
        let transaction = database.begin_write()?;
        if transaction.list_tables()?.next().is_none() {
            transaction.open_table(META)?.insert("schema", SCHEMA)?;
            transaction.open_table(SHARES)?;
            transaction.open_table(RECORDS)?;
            transaction.open_table(HEADERS)?;
            transaction.open_table(BLOCKS)?;
            transaction.open_table(PAYOUTS)?;
            transaction.open_table(LEDGER)?;
            transaction.open_table(BALANCES)?;
            transaction.open_table(FIGURES)?;
            transaction.commit()?;
        } else {
            transaction.abort()?;
        }
        let (file, schema) = File::checked(database, path)?;
        if schema < SCHEMA {
            let transaction = file.database.begin_write()?;
            transaction.open_table(META)?.insert("schema", SCHEMA)?;
            transaction.open_table(PAYOUTS)?;
            transaction.commit()?;
        }
        Ok(file)
    }

    /// Opens a store that must be there.
    pub fn open(path: &Path) -> Result<File, StoreError> {
        let failed = |source| StoreError::Open { path: path.to_owned(), source };
        Ok(File::checked(Database::open(path).map_err(failed)?, path)?.0)
    }

    /// A store and its schema.
    fn checked(database: Database, path: &Path) -> Result<(File, u64), StoreError> {
        let transaction = database.begin_read()?;
        let schema = match transaction.open_table(META) {
            Ok(meta) => meta.get("schema")?.map(|schema| schema.value()),
            Err(redb::TableError::Storage(error)) => return Err(error.into()),
            Err(_) => None,
        };
        match schema {
            Some(found) if found > SCHEMA => Err(StoreError::Newer { path: path.to_owned(), found, known: SCHEMA }),
            Some(found) => Ok((File { database: Arc::new(database) }, found)),
            None => Err(StoreError::Foreign { path: path.to_owned() }),
        }
    }

    /// The records of all shares that count, as JSON, the oldest first.
    pub fn records(&self) -> Result<Vec<String>, StoreError> {
        let records = self.database.begin_read()?.open_table(RECORDS)?;
        records.iter()?.map(|row| Ok(row?.1.value().to_owned())).collect()
    }

    pub(super) fn all<T: DeserializeOwned>(
        &self,
        table: TableDefinition<u64, &[u8]>,
        name: &'static str,
    ) -> Result<Vec<T>, StoreError> {
        let rows = match self.database.begin_read()?.open_table(table) {
            // An old store, which is only looked at.
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
            opened => opened?,
        };
        let read = |(key, value): (redb::AccessGuard<u64>, redb::AccessGuard<&[u8]>)| {
            serde_json::from_slice(value.value()).map_err(|error| broken(name, &key.value(), &error))
        };
        rows.iter()?.map(|row| read(row?)).collect()
    }

    pub(super) fn shares(&self, from: u64) -> Result<Vec<Share>, StoreError> {
        let shares = self.database.begin_read()?.open_table(SHARES)?;
        let share = |(count, share): (redb::AccessGuard<u64>, redb::AccessGuard<(&str, u128)>)| {
            let (user, work) = share.value();
            Share { count: count.value(), user: user.into(), work: Work::from_units(work) }
        };
        shares.range(from..)?.map(|row| Ok(share(row?))).collect()
    }

    /// What was kept.
    pub fn load(&self) -> Result<Saved, StoreError> {
        let transaction = self.database.begin_read()?;
        let figures = transaction.open_table(FIGURES)?;
        let figures: Result<Vec<_>, StoreError> = figures
            .iter()?
            .map(|row| row.map(|(name, value)| (name.value().to_owned(), value.value())).map_err(StoreError::from))
            .collect();
        let figures = Figures::new(figures?);
        let mut balances = Vec::new();
        for row in transaction.open_table(BALANCES)?.iter()? {
            let (account, amount) = row?;
            let read: Account = account.value().parse().map_err(|error| broken("balance", account.value(), &error))?;
            balances.push((read, amount.value()));
        }
        let shares = self.shares(figures.get(Figures::OLDEST) as u64)?;
        let (blocks, payouts) = (self.all(BLOCKS, "block")?, self.all(PAYOUTS, "payout")?);
        Ok(Saved { shares, blocks, payouts, balances, figures })
    }
}

impl Store for File {
    fn commit(&mut self, entries: &[Entry]) -> Result<(), StoreError> {
        let transaction = self.database.begin_write()?;
        {
            let mut shares = transaction.open_table(SHARES)?;
            let mut records = transaction.open_table(RECORDS)?;
            let mut headers = transaction.open_table(HEADERS)?;
            let mut blocks = transaction.open_table(BLOCKS)?;
            let mut payouts = transaction.open_table(PAYOUTS)?;
            let mut ledger = transaction.open_table(LEDGER)?;
            // What many shares change is written once.
            let (mut balances, mut figures) = (BTreeMap::new(), BTreeMap::new());
            for Entry { changes, share } in entries {
                for change in changes {
                    match change {
                        Change::Share(Share { count, user, work }) => {
                            shares.insert(count, (&**user, work.units()))?;
                            if let Some(share) = share {
                                records.insert(count, share.record.as_str())?;
                                headers
                                    .insert(share.header.to_byte_array(), (share.number, milliseconds(share.time)))?;
                            }
                        }
                        Change::Booked(number, booked) => drop(ledger.insert(number, &*json(booked)?)?),
                        Change::Block(number, block) => drop(blocks.insert(number, &*json(block)?)?),
                        Change::Payout(number, payout) => drop(payouts.insert(number, &*json(payout)?)?),
                        Change::Balance(account, amount) => drop(balances.insert(account, *amount)),
                        Change::Figure(name, value) => drop(figures.insert(name.as_str(), *value)),
                    }
                }
            }
            let mut table = transaction.open_table(BALANCES)?;
            for (account, amount) in balances {
                table.insert(account.to_string().as_str(), amount)?;
            }
            let mut table = transaction.open_table(FIGURES)?;
            for (name, value) in figures {
                table.insert(name, value)?;
            }
        }
        // Waits for the disk.
        Ok(transaction.commit()?)
    }
}

impl Headers for File {
    fn find(&self, header: BlockHash) -> Option<(u64, SystemTime)> {
        // If it cannot be read, nothing can be written either, and no share is answered with yes.
        let headers = self.database.begin_read().ok()?.open_table(HEADERS).ok()?;
        let (number, time) = headers.get(header.to_byte_array()).ok()??.value();
        Some((number, UNIX_EPOCH + Duration::from_millis(time)))
    }
}

fn json(value: &impl Serialize) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(value).map_err(|error| broken("entry", "", &error))
}

fn broken(table: &'static str, key: &(impl ToString + ?Sized), error: &dyn std::error::Error) -> StoreError {
    StoreError::Broken { table, key: key.to_string(), error: error.to_string() }
}

fn milliseconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
