use async_trait::async_trait;

use super::{Applied, StoreError};
use crate::{Email, EmailAddition, EmailChange, EmailRenewal, UserId};

/// The addresses of an account.
#[async_trait]
pub trait Emails: Send + Sync {
    /// The addresses of `user`, oldest first.
    async fn list_emails(&self, user: UserId) -> Result<Vec<Email>, StoreError>;

    /// Adds an address with its code, and queues the mails. Stale when the account's addresses are no longer those that
    /// were seen, or when the address has found or lost a verified owner elsewhere.
    async fn add_email(&self, addition: &EmailAddition) -> Result<Applied, StoreError>;

    /// Stores a new code for an unverified address, ends the older ones, and queues the mail. Stale when the address
    /// is not the account's any more, is verified, or has found or lost a verified owner elsewhere.
    async fn renew_email_code(&self, renewal: &EmailRenewal) -> Result<Applied, StoreError>;

    /// Makes an address the preferred one, and queues the notices. Stale when the account's addresses are no longer
    /// those that were seen.
    async fn prefer_email(&self, change: &EmailChange) -> Result<Applied, StoreError>;

    /// Removes an address with its codes, and queues the notices. Sessions that its codes opened live on; what waits for
    /// one of its codes can no longer be completed. Stale when the account's addresses are no longer those that were seen.
    async fn remove_email(&self, change: &EmailChange) -> Result<Applied, StoreError>;
}
