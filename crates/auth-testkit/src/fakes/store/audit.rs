use async_trait::async_trait;
use auth_domain::{Audit, Event, EventId, StoreError, UserId};

use super::InMemoryStore;

#[async_trait]
impl Audit for InMemoryStore {
    async fn list_events(
        &self,
        user: Option<UserId>,
        before: Option<EventId>,
        limit: u32,
    ) -> Result<Vec<Event>, StoreError> {
        let tables = self.transaction()?;
        let concerns = |event: &&Event| user.is_none() || event.actor == user || event.subject == user;
        let older = |event: &&Event| before.is_none_or(|before| event.id < before);
        let mut events: Vec<_> = tables.events.iter().filter(concerns).filter(older).cloned().collect();
        events.sort_by_key(|event| std::cmp::Reverse(event.id));
        events.truncate(usize::try_from(limit).expect("a small number"));
        Ok(events)
    }
}
