use async_trait::async_trait;

use super::{Applied, StoreError};
use crate::{KeyPair, KeyPairId, LiveKeyPair, PendingKeyPair, Timestamp, TokenDigest, UserId};

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

    /// Stores a key pair with its code, and queues the mail. Stale when the address that the code goes to is not a
    /// verified one of the user any more.
    async fn create_key_pair(&self, pending: &PendingKeyPair) -> Result<Applied, StoreError>;

    /// Deletes a key pair that [`list_key_pairs`](Self::list_key_pairs) would return for `user`; stale when there is none.
    async fn delete_key_pair(&self, user: UserId, id: KeyPairId, now: Timestamp) -> Result<Applied, StoreError>;
}
