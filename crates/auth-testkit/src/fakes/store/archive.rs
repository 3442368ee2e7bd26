//! All that the store holds, as a copy to another kind of store would have it.

use auth_domain::{
    StoreError,
    archive::{Batch, Record},
};

use super::InMemoryStore;

impl InMemoryStore {
    /// Everything that is stored, a batch for each table, in the order of [`Table::ALL`](auth_domain::archive::Table::ALL).
    ///
    /// # Errors
    /// While the store is away.
    pub fn archive(&self) -> Result<Vec<Batch>, StoreError> {
        let tables = self.transaction()?;
        Ok(vec![
            Batch::Users(sorted(&tables.users)),
            Batch::Emails(sorted(&tables.emails)),
            Batch::Sessions(sorted(&tables.sessions)),
            Batch::KeyPairs(sorted(&tables.key_pairs)),
            Batch::Codes(sorted(&tables.codes)),
            Batch::Outbox(sorted(&tables.mails)),
            Batch::MailAttempts(sorted(&tables.attempts)),
            Batch::KnownNetworks(sorted(&tables.known_networks)),
            Batch::Failures(sorted(&tables.failures)),
            Batch::Throttles(sorted(&tables.throttles)),
            Batch::Events(sorted(&tables.events)),
        ])
    }
}

fn sorted<R: Record>(records: &[R]) -> Vec<R> {
    let mut records = records.to_vec();
    records.sort_by_key(Record::position);
    records
}
