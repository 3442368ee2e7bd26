use async_trait::async_trait;

use super::{Applied, Requested, StoreError};
use crate::{Email, EmailAddition, EmailChange, EmailId, EmailRenewal, Event, UserId, VouchedEmail};

/// What became of an address that an administrator speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Vouched {
    /// It is stored.
    Yes,
    /// It was so already: nothing was done, and nothing recorded or queued.
    Already,
    /// It has another owner; nothing was stored.
    Taken,
    /// There is no such address, or what this builds on has changed; nothing was stored.
    Stale,
}

/// The addresses of an account.
#[async_trait]
pub trait Emails: Send + Sync {
    /// The addresses of `user`, oldest first.
    async fn list_emails(&self, user: UserId) -> Result<Vec<Email>, StoreError>;

    /// Adds an address with its code, and queues the mails. Stale when the account's addresses are no longer those that
    /// were seen, or when the address has found or lost an owner elsewhere. Records the event, as all of these do. Limits are judged
    /// and charged for as in [`open_session`](super::Sessions::open_session).
    async fn add_email(&self, addition: &EmailAddition) -> Result<Requested, StoreError>;

    /// Stores a new code for an unverified address, ends the older ones, and queues the mail. Stale when the address
    /// is not the account's any more, is verified, or has found or lost an owner elsewhere. Limits as above.
    async fn renew_email_code(&self, renewal: &EmailRenewal) -> Result<Requested, StoreError>;

    /// Makes an address the preferred one, and queues the notices. Stale when the account's addresses are no longer
    /// those that were seen.
    async fn prefer_email(&self, change: &EmailChange) -> Result<Applied, StoreError>;

    /// Removes an address with its codes, and queues the notices. Sessions that its codes opened live on; what waits for
    /// one of its codes can no longer be completed. Stale when the account's addresses are no longer those that were seen.
    async fn remove_email(&self, change: &EmailChange) -> Result<Applied, StoreError>;

    /// Gives an account an address that an administrator vouches for, or vouches for one that the account has; registrations
    /// for the address go. One that is vouched for already stays so. Stale when the account's addresses are no longer those that were seen.
    async fn vouch_for_email(&self, vouched: &VouchedEmail) -> Result<Vouched, StoreError>;

    /// Makes an address of an account a verified one, and records `event` with its owner as the subject; registrations for the
    /// address go. One that is verified already stays so.
    async fn verify_email(&self, id: EmailId, event: &Event) -> Result<Vouched, StoreError>;

    /// Whose the address is; `None` when there is none, or it is that of a registration.
    async fn find_email_owner(&self, id: EmailId) -> Result<Option<UserId>, StoreError>;
}
