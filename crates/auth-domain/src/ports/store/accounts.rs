use async_trait::async_trait;

use super::StoreError;
use crate::{Account, AccountFilter, Event, NewAccount, Page, Paged, UserChange, UserId};

/// What became of an account that an administrator makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Created {
    /// It is stored.
    Yes,
    /// Its alias is taken; nothing was stored.
    AliasTaken,
    /// Its address has an owner; nothing was stored.
    AddressTaken,
}

/// What became of a change to a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Changed {
    /// It was made.
    Yes,
    /// The user was that way already: nothing was done, and nothing recorded.
    Already,
    /// There is no such user, or nothing to take away.
    Missing,
    /// Nobody would be left to administer users: nothing was done.
    LastAdministrator,
}

/// Accounts, as administrators see them. Registrations that nobody completed are none.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// One page of the accounts that pass `filter`, oldest first.
    async fn page_accounts(&self, filter: &AccountFilter, page: Page) -> Result<Paged<Account>, StoreError>;

    /// The account of the user `id`.
    async fn find_account(&self, id: UserId) -> Result<Option<Account>, StoreError>;

    /// Stores an account, in one transaction. Alias and address are judged as for a registration, except that an address
    /// with an owner is told; registrations for the address go. Records all of the events.
    async fn create_account(&self, account: &NewAccount) -> Result<Created, StoreError>;

    /// Makes a change to a user by [`judge_change`](crate::rules::judge_change), and records `event`, in one transaction.
    async fn change_user(&self, id: UserId, change: &UserChange, event: &Event) -> Result<Changed, StoreError>;

    /// Deletes the user with addresses, sessions, key pairs and codes, so that their code mails are given up, and records
    /// `event`. Judged like any other change.
    async fn delete_user(&self, id: UserId, event: &Event) -> Result<Changed, StoreError>;
}
