use async_trait::async_trait;
use auth_domain::{
    Account, AccountFilter, Accounts, Email, Membership, Page, Paged, RoleName, Standing, StoreError,
    archive::UserRecord, rules::holds,
};

use super::InMemoryStore;

#[async_trait]
impl Accounts for InMemoryStore {
    async fn page_accounts(&self, filter: &AccountFilter, page: Page) -> Result<Paged<Account>, StoreError> {
        let tables = self.transaction()?;
        let wanted = |row: &&UserRecord| {
            let holds_role = |role: &RoleName| holds(&row.user, &Membership::Role(role.clone()));
            row.standing == Standing::Account
                && filter.enabled.is_none_or(|enabled| row.user.enabled == enabled)
                && filter.role.as_ref().is_none_or(holds_role)
        };
        let account = |row: &UserRecord| Account {
            user: row.user.clone(),
            emails: tables.emails_of(row.user.id).iter().map(Email::from).collect(),
        };
        let mut accounts: Vec<_> = tables.users.iter().filter(wanted).map(account).collect();
        accounts.sort_by_key(|account| account.user.id);
        Ok(paged(accounts, page))
    }
}

/// The page that was asked for.
pub(super) fn paged<T>(all: Vec<T>, page: Page) -> Paged<T> {
    let items = u64::try_from(all.len()).expect("a count of rows");
    let (skipped, size) = (usize::try_from(page.offset()).unwrap_or(usize::MAX), usize::try_from(page.size()));
    Paged { on_page: all.into_iter().skip(skipped).take(size.expect("a small number")).collect(), items }
}
