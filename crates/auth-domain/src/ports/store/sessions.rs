use async_trait::async_trait;

use super::{Applied, StoreError};
use crate::{CredentialId, LiveSession, PendingSignIn, Session, SessionId, Timestamp, TokenDigest, UserId};

/// Sessions.
#[async_trait]
pub trait Sessions: Send + Sync {
    /// The session with this bearer, in whatever state, with its user; decoys are not found.
    ///
    /// One indexed read and no write: this is what every check asks.
    async fn find_session(&self, digest: &TokenDigest) -> Result<Option<LiveSession>, StoreError>;

    /// The user's verified sessions that end after `now`, newest first.
    async fn list_sessions(&self, user: UserId, now: Timestamp) -> Result<Vec<Session>, StoreError>;

    /// Stores a sign-in that waits for its code, in one transaction:
    ///
    /// 1. Registrations for the address that have ended go, so that the new code does not revive them.
    /// 2. It is stale when the owner no longer has that address, as a verified one or as that of a registration.
    /// 3. Of the sign-in codes alive for the address, those that [`superseded`](crate::rules::superseded) names end.
    /// 4. Session, code and mail are stored.
    async fn open_session(&self, sign_in: &PendingSignIn) -> Result<Applied, StoreError>;

    /// Moves the end of a session that is verified and ends after `now` to `expires_at`, never backwards; stale when it
    /// is not.
    async fn extend_session(&self, id: SessionId, expires_at: Timestamp, now: Timestamp)
    -> Result<Applied, StoreError>;

    /// Closes one session of `user` that ends after `now`, waiting for its code or live; stale when there is none.
    async fn close_session(&self, user: UserId, id: SessionId, now: Timestamp) -> Result<Applied, StoreError>;

    /// Closes all sessions of `user` but `keep`, those waiting for their code included. Returns how many of the
    /// closed ones were live at `now`.
    async fn close_other_sessions(&self, user: UserId, keep: SessionId, now: Timestamp) -> Result<u64, StoreError>;

    /// Moves the last use of each session and key pair forward, never backwards; those that are gone are passed over.
    /// Each one's is a fact of its own: a failure may leave some of them recorded.
    async fn record_usage(&self, usage: &[(CredentialId, Timestamp)]) -> Result<(), StoreError>;
}
