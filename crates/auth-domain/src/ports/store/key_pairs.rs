use async_trait::async_trait;

use super::{Applied, Requested, StoreError, Verified};
use crate::{
    Event, KeyPair, KeyPairId, LiveKeyPair, NewKeyPair, Page, Paged, PendingKeyPair, Timestamp, TokenDigest, UserId,
};

/// Key pairs.
#[async_trait]
pub trait KeyPairs: Send + Sync {
    /// The key pair with this secret, in whatever state, with its user.
    ///
    /// One indexed read and no write: this is what every check of a key pair asks.
    async fn find_key_pair(&self, secret: &TokenDigest) -> Result<Option<LiveKeyPair>, StoreError>;

    /// The user's key pairs that end after `now`, newest first: those that are verified, and those whose code could
    /// still be redeemed.
    async fn list_key_pairs(&self, user: UserId, now: Timestamp) -> Result<Vec<KeyPair>, StoreError>;

    /// One page of the key pairs that [`list_key_pairs`](Self::list_key_pairs) would return, of `user` or of everybody, newest
    /// first.
    async fn page_key_pairs(
        &self,
        user: Option<UserId>,
        now: Timestamp,
        page: Page,
    ) -> Result<Paged<KeyPair>, StoreError>;

    /// Stores a key pair with its code, queues the mail, and records the event. Stale when the address that the code goes to
    /// is not a verified one of the user any more. Limits are judged and charged for as in
    /// [`open_session`](super::Sessions::open_session).
    async fn create_key_pair(&self, pending: &PendingKeyPair) -> Result<Requested, StoreError>;

    /// Stores a key pair that works at once, and records `event`. Stale when its user is not there, not verified or disabled.
    async fn create_live_key_pair(&self, key_pair: &NewKeyPair, event: &Event) -> Result<Applied, StoreError>;

    /// Makes a key pair that ends after `event.at` work, and records `event` with its owner as the subject.
    async fn verify_key_pair(&self, id: KeyPairId, event: &Event) -> Result<Verified, StoreError>;

    /// Deletes a key pair that [`list_key_pairs`](Self::list_key_pairs) would return at `event.at`, if it is `of` the user
    /// given or nobody in particular is, and records `event` with its owner as the subject. Returns whose it was; `None` when
    /// there is none.
    async fn delete_key_pair(
        &self,
        id: KeyPairId,
        of: Option<UserId>,
        event: &Event,
    ) -> Result<Option<UserId>, StoreError>;
}
