use async_trait::async_trait;
use auth_domain::{Lockout, Lockouts, StoreError};

use super::InMemoryStore;

#[async_trait]
impl Lockouts for InMemoryStore {
    async fn list_untold_lockouts(&self, failures_in_a_row: u32, limit: u32) -> Result<Vec<Lockout>, StoreError> {
        let tables = self.transaction()?;
        let mut untold: Vec<_> = tables
            .failures
            .iter()
            .filter(|row| row.failures.in_a_row >= failures_in_a_row && row.failures.owner_told_at.is_none())
            .collect();
        untold.sort_by_key(|row| (row.failures.in_a_row, row.address_key.clone(), row.network));
        let lockouts = untold.into_iter().map(|row| {
            let owned = tables
                .emails
                .iter()
                .find(|email| (email.verified || email.vouched) && email.address_key == row.address_key);
            let mail_to = owned.map(|email| email.address.clone());
            Lockout { address: row.address_key.clone(), network: row.network, mail_to }
        });
        Ok(lockouts.take(usize::try_from(limit).expect("a small number")).collect())
    }
}
