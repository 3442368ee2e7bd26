use async_trait::async_trait;

use super::StoreError;
use crate::{CredentialId, LiveSession, Page, Paged, Session, Timestamp, TokenDigest, UserId};

/// Sessions.
#[async_trait]
pub trait Sessions: Send + Sync {
    /// The session with this bearer, in whatever state, with its user; decoys are not found.
    ///
    /// One indexed read and no write: this is what every check asks.
    async fn find_session(&self, digest: &TokenDigest) -> Result<Option<LiveSession>, StoreError>;

    /// The user's verified sessions that end after `now`, newest first.
    async fn list_sessions(&self, user: UserId, now: Timestamp) -> Result<Vec<Session>, StoreError>;

    /// One page of the sessions that end after `now`, live or waiting for their code, of `user` or of every account, newest
    /// first.
    async fn page_sessions(
        &self,
        user: Option<UserId>,
        now: Timestamp,
        page: Page,
    ) -> Result<Paged<Session>, StoreError>;

    /// Moves the last use of each session and key pair forward, never backwards; those that are gone are passed over.
    /// Each one's is a fact of its own: a failure may leave some of them recorded.
    async fn record_usage(&self, usage: &[(CredentialId, Timestamp)]) -> Result<(), StoreError>;
}
