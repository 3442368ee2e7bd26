use async_trait::async_trait;

use super::StoreError;
use crate::{KeyPair, LiveKeyPair, Page, Paged, Timestamp, TokenDigest, UserId};

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
}
