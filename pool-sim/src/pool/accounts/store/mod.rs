//! Where the accounts are kept.

mod audit;
mod file;
mod journal;

pub use audit::{Audit, Fault};
pub use file::File;
pub use journal::{Journal, Written};

use super::{Change, Saved};
use bitcoin::BlockHash;
use std::fmt;
use std::path::PathBuf;
use std::time::SystemTime;
use thiserror::Error;

/// What belongs together: all of it is stored, or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// What changed in the books.
    pub changes: Vec<Change>,
    /// The share that changed it, if one did.
    pub share: Option<StoredShare>,
}

/// A share as it is kept, beside what the books know of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredShare {
    /// Its header's hash: no other share has it, ever.
    pub header: BlockHash,
    /// Its record's number.
    pub number: u64,
    /// When it came.
    pub time: SystemTime,
    /// Its record, as JSON.
    pub record: String,
}

/// Knows headers from before.
pub trait Headers: fmt::Debug + Send + Sync {
    /// The number of the share that had this header, and when it came.
    fn find(&self, header: BlockHash) -> Option<(u64, SystemTime)>;
}

/// Keeps the accounts.
pub trait Store: fmt::Debug + Send {
    /// Keeps these. When it returns, no power failure loses them.
    fn commit(&mut self, entries: &[Entry]) -> Result<(), StoreError>;
}

/// Nothing came before.
#[derive(Clone, Copy, Debug)]
pub struct NoHeaders;

impl Headers for NoHeaders {
    fn find(&self, _: BlockHash) -> Option<(u64, SystemTime)> {
        None
    }
}

/// Why a store does not open or does not keep.
#[derive(Debug, Error)]
pub enum StoreError {
    /// It is open elsewhere, or no store, or not readable.
    #[error("cannot open the store {path}: {source}")]
    Open {
        /// Which.
        path: PathBuf,
        /// What the database says.
        source: redb::DatabaseError,
    },
    /// A later version of the program wrote it.
    #[error("the store {path} has schema {found}; expected {known} at most")]
    Newer {
        /// Which.
        path: PathBuf,
        /// Its schema.
        found: u64,
        /// The newest that is known.
        known: u64,
    },
    /// Another program's.
    #[error("the store {path} has no schema; expected one that pool-sim wrote")]
    Foreign {
        /// Which.
        path: PathBuf,
    },
    /// Disk full, most likely.
    #[error("the store failed: {0}")]
    Failed(Box<redb::Error>),
    /// Something in it is not what was written.
    #[error("the store's {table} {key} cannot be read: {error}")]
    Broken {
        /// Of which table.
        table: &'static str,
        /// Which.
        key: String,
        /// What is wrong with it.
        error: String,
    },
}

impl<E: Into<redb::Error>> From<E> for StoreError {
    fn from(error: E) -> StoreError {
        StoreError::Failed(Box::new(error.into()))
    }
}
