//! Everything that a store keeps, apart from how it keeps it: what a copy from one kind of store to another carries.
//!
//! | file | what it holds |
//! |---|---|
//! | `records` | one plain record per table, with every field that is stored |
//! | `limits` | the records of what limits remember |
//! | `batch` | the list of tables, and records of one table together |
//! | `copying` | [`copy`]: everything from one store to another, compared before it counts |
//!
//! A table that is missing here would be left behind without a word. So an adapter matches on [`Table`] and [`Batch`]
//! without a `_` arm, and its tests hold [`Table::ALL`] against the database's own list.

mod batch;
mod copying;
mod limits;
mod records;

use async_trait::async_trait;

pub use batch::{Batch, Position, Record, Table};
pub use copying::{Copied, CopyError, copy};
pub use limits::{FailureRecord, KnownNetworkRecord, ThrottleRecord};
pub use records::{
    AttemptOutcome, AttemptRecord, CodeRecord, EmailRecord, KeyPairRecord, MailRecord, MailState, SessionRecord,
    UserRecord,
};

use crate::StoreError;

/// A store that stands still while it is read: nobody writes to it as long as this lives.
#[async_trait]
pub trait ArchiveSource: Send {
    /// The first `limit` records of `table` behind `after`, or from the beginning, in the order of their [`Position`].
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] for a row that does not parse: nothing is skipped, and nothing takes a default.
    async fn read(&mut self, table: Table, after: Option<Position>, limit: u32) -> Result<Batch, StoreError>;
}

/// A store that is written in one go. Until it is committed nobody sees any of it, and when it is dropped before that,
/// or its process dies, nothing of it stays. What it [reads](ArchiveSource::read) is what was appended.
#[async_trait]
pub trait ArchiveTarget: ArchiveSource {
    /// Stores these records as they are.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] for a record that this kind of store cannot keep exactly.
    async fn append(&mut self, batch: &Batch) -> Result<(), StoreError>;

    /// Makes everything that was appended durable, all at once.
    ///
    /// # Errors
    /// When the answer is lost on its way, it may have been committed all the same.
    async fn commit(self: Box<Self>) -> Result<(), StoreError>;
}
