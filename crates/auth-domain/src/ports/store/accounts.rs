use async_trait::async_trait;

use super::StoreError;
use crate::{Account, AccountFilter, Page, Paged};

/// Accounts, as administrators see them. Registrations that nobody completed are none.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// One page of the accounts that pass `filter`, oldest first.
    async fn page_accounts(&self, filter: &AccountFilter, page: Page) -> Result<Paged<Account>, StoreError>;
}
