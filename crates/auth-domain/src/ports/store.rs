use std::sync::Arc;

use async_trait::async_trait;

use crate::{
    AddressKey, ClaimedMail, CodeGuess, KnownAddress, LiveSession, MailId, PendingSignIn, Registration, Session,
    SessionId, Settlement, Timestamp, TokenDigest, User, UserId,
};

/// Everything that is remembered.
///
/// One method is one fact and one transaction: when it returns `Ok`, all of it is durable; when it returns `Err`,
/// either all of it or nothing of it happened. Dropping the returned future never leaves half of it behind.
///
/// Absence is an answer (`None`, [`Applied::Stale`]), failure is a [`StoreError`], and no implementation turns one
/// into the other: a database that is down must not look like a signed-out user.
pub trait Store: Users + Sessions + Codes + Outbox + Upkeep {}

impl<T: Users + Sessions + Codes + Outbox + Upkeep + ?Sized> Store for T {}

/// Why a store could not answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Something unique exists already. Ids and secrets are random, so this is a bug or a broken random source.
    #[error("{0:?} exists already")]
    Duplicate(Duplicate),
    /// The store is out of reach, busy beyond its time limit, or out of space.
    #[error("the store is unavailable")]
    Unavailable(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// A row does not make sense: it was written by something else, or damaged.
    #[error("corrupt row in {table}, id {id}: {reason}")]
    Corrupt {
        /// The row's table.
        table: &'static str,
        /// The row's id.
        id: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl StoreError {
    /// The store could not be asked, for this reason.
    pub fn unavailable(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Unavailable(Arc::from(reason.into()))
    }
}

/// What exists already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duplicate {
    /// An id.
    Id,
    /// A user's alias.
    Alias,
    /// A verified address.
    Address,
    /// A credential's digest.
    Credential,
}

/// Whether a fact could be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Applied {
    /// It was.
    Yes,
    /// It was not: what it builds on is gone or was changed by somebody else.
    Stale,
}

/// What became of a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Registered {
    /// It is stored.
    Yes,
    /// Its alias is taken; nothing was stored.
    AliasTaken,
    /// Its address was registered or freed meanwhile; nothing was stored.
    Stale,
}

/// What became of a guess at a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Redeemed {
    /// It was right: the session is live, the address and its user are verified, the code is used.
    Yes {
        /// The session that is live now.
        session_id: SessionId,
        /// Whose it is.
        user_id: UserId,
    },
    /// It was right, but the account is disabled. The code is used, nothing else changed.
    Disabled,
    /// It was wrong, or there was nothing to guess at. A wrong guess has been counted.
    Refused,
}

/// Users and their addresses.
#[async_trait]
pub trait Users: Send + Sync {
    /// The user `id`, verified or not. Registrations nobody completed are no users yet.
    async fn find_user(&self, id: UserId) -> Result<Option<User>, StoreError>;

    /// Whom `address` leads to: its verified owner, else a registration waiting for it that has not ended by `now`.
    /// Decoys lead nowhere.
    async fn find_address(&self, address: &AddressKey, now: Timestamp) -> Result<Option<KnownAddress>, StoreError>;

    /// Stores a registration at `registration.sign_in.code.created_at`, in one transaction:
    ///
    /// 1. The alias is judged by [`judge_alias`](crate::rules::judge_alias); a taken one ends it here.
    /// 2. The address has a verified owner exactly if the registration is a decoy, else it is stale.
    /// 3. Registrations that it replaces (for the same address, or holding the alias past their end) go, with all
    ///    that hangs on them.
    /// 4. User, address, session, code and mail are stored, the codes that it supersedes end, as in
    ///    [`open_session`](Sessions::open_session).
    async fn register_user(&self, registration: &Registration) -> Result<Registered, StoreError>;

    /// Deletes the user with addresses, sessions and codes, so that their code mails are given up. Stale when there is
    /// no such user; a registration that nobody completed is none.
    async fn delete_user(&self, id: UserId) -> Result<Applied, StoreError>;
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

    /// Stores a sign-in that waits for its code, in one transaction:
    ///
    /// 1. Registrations for the address that have ended go, so that the new code does not revive them.
    /// 2. It is stale when the owner no longer has that address.
    /// 3. Of the codes alive for the address, those that [`superseded`](crate::rules::superseded) names end.
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

    /// Moves the last use of each session forward, never backwards; sessions that are gone are passed over. Each
    /// session's is a fact of its own: a failure may leave some of them recorded.
    async fn record_usage(&self, usage: &[(SessionId, Timestamp)]) -> Result<(), StoreError>;
}

/// Verification codes.
#[async_trait]
pub trait Codes: Send + Sync {
    /// Judges a guess by [`judge`](crate::rules::judge) and stores the outcome, in one transaction.
    ///
    /// A right guess makes the session live and verifies the address and the user. Refused, with the code used, when
    /// the address has meanwhile been verified by somebody else; refused, with nothing changed, when the session has
    /// ended.
    async fn redeem_code(&self, guess: &CodeGuess, now: Timestamp) -> Result<Redeemed, StoreError>;
}

/// Mails that are owed.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Claims up to `limit` mails that are due at `now` and not held by anyone, codes before notices and decoys, for
    /// one attempt each. Until `lease_until` nobody else gets them. A damaged mail is logged and passed over, so that it
    /// does not hold up the others.
    async fn claim_mails(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> Result<Vec<ClaimedMail>, StoreError>;

    /// Records how attempt `attempt` ended, and what the mail server said. Delivery also brings the end of the
    /// mail's code forward to [`LIFE_AFTER_HAND_OVER`](crate::CodeState::LIFE_AFTER_HAND_OVER) from `now`.
    ///
    /// Stale when another attempt has been made since, or the mail is settled or gone.
    async fn settle_mail(
        &self,
        id: MailId,
        attempt: u32,
        settlement: Settlement,
        reply: &str,
        now: Timestamp,
    ) -> Result<Applied, StoreError>;
}

/// The store's own well-being.
#[async_trait]
pub trait Upkeep: Send + Sync {
    /// Whether the store can be reached and has the layout this build expects.
    async fn check_ready(&self) -> Result<(), StoreError>;

    /// Deletes up to `limit` each of: sessions that ended, sign-ins and registrations that nobody can complete any
    /// more, codes past `now` by themselves, and mails settled a week ago or earlier. Returns how many went, not counting
    /// what went along with them.
    async fn purge(&self, now: Timestamp, limit: u32) -> Result<u64, StoreError>;
}
