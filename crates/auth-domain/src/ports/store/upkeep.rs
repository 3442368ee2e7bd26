use async_trait::async_trait;

use super::StoreError;
use crate::Timestamp;

/// The store's own well-being.
#[async_trait]
pub trait Upkeep: Send + Sync {
    /// Whether the store can be reached and has the layout this build expects.
    async fn check_ready(&self) -> Result<(), StoreError>;

    /// Deletes up to `limit` each of: sessions and key pairs that ended, sign-ins, registrations and key pairs that
    /// nobody can complete any more, codes past `now` by themselves, mails settled a week ago or earlier, and events of
    /// `events_until` or earlier. Returns how many went, not counting what went along with them.
    async fn purge(&self, now: Timestamp, events_until: Timestamp, limit: u32) -> Result<u64, StoreError>;
}
