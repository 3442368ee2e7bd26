use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use auth_domain::{
    StoreError,
    archive::{ArchiveSource, ArchiveTarget, Batch, Position, Record, Table},
};

/// Everything that is stored, in memory. Clones share what is committed, and nothing else.
#[derive(Debug, Clone, Default)]
pub struct InMemoryArchive {
    batches: Vec<Batch>,
    committed: Arc<Mutex<Option<Vec<Batch>>>>,
    leaky: Option<Table>,
}

impl InMemoryArchive {
    /// An archive that holds these records, at most one batch per table.
    pub fn holding(batches: Vec<Batch>) -> Self {
        Self { batches, ..Self::default() }
    }

    /// An archive that loses the last record of every batch of `table`.
    pub fn losing(table: Table) -> Self {
        Self { leaky: Some(table), ..Self::default() }
    }

    /// What was committed; `None` when nothing was.
    pub fn committed(&self) -> Option<Vec<Batch>> {
        self.committed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

macro_rules! for_each_table {
    ($($tables:ident)+) => {
        fn page(batch: &Batch, after: Option<&Position>, limit: usize) -> Batch {
            match batch {
                $(Batch::$tables(records) => Batch::$tables(page_of(records, after, limit)),)+
            }
        }

        fn empty(table: Table) -> Batch {
            match table {
                $(Table::$tables => Batch::$tables(Vec::new()),)+
            }
        }

        fn extend(batch: &mut Batch, more: &Batch, kept: usize) {
            match (batch, more) {
                $((Batch::$tables(records), Batch::$tables(more)) => records.extend_from_slice(&more[..kept]),)+
                _ => panic!("two tables"),
            }
        }
    };
}

for_each_table!(Users Emails Sessions KeyPairs Codes Outbox MailAttempts KnownNetworks Failures Throttles Events);

fn page_of<R: Record>(records: &[R], after: Option<&Position>, limit: usize) -> Vec<R> {
    let behind = records.iter().filter(|record| after.is_none_or(|after| record.position() > *after));
    behind.take(limit).cloned().collect()
}

#[async_trait]
impl ArchiveSource for InMemoryArchive {
    async fn read(&mut self, table: Table, after: Option<Position>, limit: u32) -> Result<Batch, StoreError> {
        let found = self.batches.iter().find(|batch| batch.table() == table);
        Ok(found.map_or_else(|| empty(table), |batch| page(batch, after.as_ref(), limit as usize)))
    }
}

#[async_trait]
impl ArchiveTarget for InMemoryArchive {
    async fn append(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let kept = batch.len() - usize::from(self.leaky == Some(batch.table()));
        let position = self.batches.iter().position(|known| known.table() == batch.table());
        let position = position.unwrap_or_else(|| {
            self.batches.push(empty(batch.table()));
            self.batches.len() - 1
        });
        extend(&mut self.batches[position], batch, kept);
        Ok(())
    }

    async fn commit(self: Box<Self>) -> Result<(), StoreError> {
        *self.committed.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.batches);
        Ok(())
    }
}
