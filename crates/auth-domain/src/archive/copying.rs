use tracing::info;

use super::{ArchiveSource, ArchiveTarget, Position, Table};
use crate::{KeyId, StoreError};

/// How many records are in memory at a time.
const TOGETHER: u32 = 1000;
/// After how many records of a table it is said how far the copy is.
const SAID_EVERY: u64 = 100_000;

/// What a copy has moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// The tables in the order in which they were copied, and how many records each has.
    pub tables: Vec<(Table, u64)>,
}

/// Why nothing was copied. Each message is one line that stands alone, its source aside.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The source cannot be read.
    #[error("the source cannot be read")]
    Source(#[source] StoreError),
    /// The target cannot be written.
    #[error("the target cannot be written")]
    Target(#[source] StoreError),
    /// Something is there already.
    #[error("the target is not empty: there are records in its table {0}")]
    NotEmpty(Table),
    /// The installation to be would not accept what hangs on this key.
    #[error("server key {key} is missing: {position} of {table} hangs on it")]
    KeyMissing {
        /// The key.
        key: KeyId,
        /// The first table that needs it.
        table: Table,
        /// The first record that needs it.
        position: Position,
    },
    /// What was read back is not what was written.
    #[error("{position} of {table} is not in the target as it is in the source")]
    Differs {
        /// The table.
        table: Table,
        /// The first record that differs, is missing or is there in addition.
        position: Position,
    },
    /// The target did not say whether it has committed.
    #[error("the target did not confirm the last step: see whether it is empty before anything else")]
    Unconfirmed(#[source] StoreError),
}

/// Copies everything from `source` to `target`, which must be empty.
///
/// Once all of it is written, both are read again in the same order and compared record by record; only then is it
/// committed. Whatever goes wrong before leaves the target empty. `keys` are the server keys that the target's
/// installation will use: a record that hangs on any other is refused, since its credential would be.
pub async fn copy(
    source: &mut dyn ArchiveSource,
    mut target: Box<dyn ArchiveTarget>,
    keys: &[KeyId],
) -> Result<Copied, CopyError> {
    for table in Table::ALL {
        if !target.read(*table, None, 1).await.map_err(CopyError::Target)?.is_empty() {
            return Err(CopyError::NotEmpty(*table));
        }
    }
    let mut tables = Vec::with_capacity(Table::ALL.len());
    for table in Table::ALL {
        tables.push((*table, write(source, target.as_mut(), *table, keys).await?));
    }
    for (table, count) in &tables {
        compare(source, target.as_mut(), *table).await?;
        info!(%table, count, "compared, nothing differs");
    }
    target.commit().await.map_err(CopyError::Unconfirmed)?;
    Ok(Copied { tables })
}

/// Writes all records of `table`, and returns how many there are.
async fn write(
    source: &mut dyn ArchiveSource,
    target: &mut dyn ArchiveTarget,
    table: Table,
    keys: &[KeyId],
) -> Result<u64, CopyError> {
    let (mut after, mut count) = (None, 0);
    loop {
        let batch = source.read(table, after.take(), TOGETHER).await.map_err(CopyError::Source)?;
        if batch.is_empty() {
            info!(%table, count, "copied");
            return Ok(count);
        }
        if let Some((position, key)) = batch.first_without_its_key(keys) {
            return Err(CopyError::KeyMissing { key, table, position });
        }
        target.append(&batch).await.map_err(CopyError::Target)?;
        count += batch.len() as u64;
        after = batch.last();
        if count.is_multiple_of(SAID_EVERY) {
            info!(%table, count, "copying");
        }
    }
}

/// Reads all records of `table` on both sides, side by side.
async fn compare(
    source: &mut dyn ArchiveSource,
    target: &mut dyn ArchiveTarget,
    table: Table,
) -> Result<(), CopyError> {
    let mut after = None;
    loop {
        let expected = source.read(table, after.clone(), TOGETHER).await.map_err(CopyError::Source)?;
        let found = target.read(table, after, TOGETHER).await.map_err(CopyError::Target)?;
        if let Some(position) = expected.first_difference(&found) {
            return Err(CopyError::Differs { table, position });
        }
        if expected.is_empty() {
            return Ok(());
        }
        after = expected.last();
    }
}
