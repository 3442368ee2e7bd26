use async_trait::async_trait;

use super::{Applied, StoreError, Verified};
use crate::{
    CodeHash, CredentialId, Event, LiveSession, NewSession, Page, Paged, PendingSignIn, Refusal, Session, SessionId,
    Timestamp, TokenDigest, UserId,
};

/// Whether a sign-in that somebody asked for could be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum SignInStored {
    /// It is: for whoever has the address, or as a decoy.
    Yes,
    /// It is not: a limit holds it back. Nothing was charged for it.
    Throttled(Refusal),
}

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

    /// Finds out whom an address leads to, and stores a sign-in that waits for its code, in one transaction:
    ///
    /// 1. If it has a restraint, it is judged by [`judge_asking`](crate::rules::judge_asking). When it is refused, the audit log
    ///    gets [`event_of_refusal`](crate::rules::event_of_refusal), but of each row that refuses only [once in a
    ///    while](crate::rules::is_to_be_told): once a day of wrong guesses, once in its span of a throttle.
    /// 2. Registrations for the address that have ended go, so that the new code does not revive them.
    /// 3. Whom it leads to, [`is_led_to`](crate::rules::is_led_to) says: the owner if there is one, else the newest registration.
    ///    One that is deleted meanwhile, or loses the address, is led to no longer.
    /// 4. Of the sign-in codes alive for the address, those that [`superseded`](crate::rules::superseded) names end.
    /// 5. It is charged for. Session, code and mail are stored. If it leads to nobody, they are a decoy: a session of nobody's, a
    ///    code that hashes to `decoy_hash`, and a mail of the class [`Decoy`](crate::MailClass::Decoy).
    async fn open_session(&self, sign_in: &PendingSignIn, decoy_hash: &CodeHash) -> Result<SignInStored, StoreError>;

    /// Moves the end of a session that is verified and ends after `now` to `expires_at`, never backwards; stale when it
    /// is not.
    async fn extend_session(&self, id: SessionId, expires_at: Timestamp, now: Timestamp)
    -> Result<Applied, StoreError>;

    /// Stores a session of `user` that is live at once, and records `event`. Stale when the user is not there, not verified or
    /// disabled.
    async fn open_live_session(&self, user: UserId, session: &NewSession, event: &Event)
    -> Result<Applied, StoreError>;

    /// Makes a session of an account that ends after `event.at` live, and records `event` with its owner as the subject.
    async fn verify_session(&self, id: SessionId, event: &Event) -> Result<Verified, StoreError>;

    /// Closes a session of an account that ends after `event.at`, waiting for its code or live, if it is `of` the user given
    /// or nobody in particular is, and records `event` with its owner as the subject. Returns whose it was; `None` when there
    /// is none.
    async fn close_session(
        &self,
        id: SessionId,
        of: Option<UserId>,
        event: &Event,
    ) -> Result<Option<UserId>, StoreError>;

    /// Closes all sessions of `user`, those waiting for their code included, but `keep` if that is given. Returns how many of
    /// the closed ones were live at `event.at`, and records `event` exactly if any was.
    async fn close_sessions(&self, user: UserId, keep: Option<SessionId>, event: &Event) -> Result<u64, StoreError>;

    /// Moves the last use of each session and key pair forward, never backwards; those that are gone are passed over.
    /// Each one's is a fact of its own: a failure may leave some of them recorded.
    async fn record_usage(&self, usage: &[(CredentialId, Timestamp)]) -> Result<(), StoreError>;
}
