use async_trait::async_trait;

use super::StoreError;
use crate::{Event, EventId, UserId};

/// The audit log. Facts write it, each with itself; here it is read.
#[async_trait]
pub trait Audit: Send + Sync {
    /// Up to `limit` events, newest first: older than `before` if that is given, and if a `user` is, only those that the user
    /// did or that are about the user.
    async fn list_events(
        &self,
        user: Option<UserId>,
        before: Option<EventId>,
        limit: u32,
    ) -> Result<Vec<Event>, StoreError>;
}
