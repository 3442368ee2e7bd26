use tracing::info;

use super::Auth;
use crate::{Actor, Administrator, AuthError, Event, EventId, EventKind, InvalidInput, Page, Timestamp, UserId};

impl Auth {
    /// One page of the audit log, newest first: up to `limit` events (1 to 100) that are older than `before`, done by `user` or
    /// about them.
    ///
    /// # Errors
    /// [`InvalidInput::Page`] for another `limit`.
    pub async fn list_events(
        &self,
        _administrator: &Administrator,
        user: Option<UserId>,
        before: Option<EventId>,
        limit: i64,
    ) -> Result<Vec<Event>, AuthError> {
        let limit = u32::try_from(limit).ok().filter(|limit| (1..=Page::SIZE_AT_MOST).contains(limit));
        let limit = limit.ok_or(InvalidInput::Page)?;
        Ok(self.ports.store.list_events(user, before, limit).await?)
    }

    /// Something that `actor` does at `now`.
    pub(super) fn event(&self, kind: EventKind, actor: &Actor, now: Timestamp) -> Result<Event, AuthError> {
        Ok(Event::new(kind, actor, now, self.entropy())?)
    }
}

/// Tells the log, under the target `audit`, what the audit log has been told.
pub(super) fn tell(event: &Event) {
    let Event { id, kind, outcome, actor, subject, credential, ip, detail, at: _ } = event;
    info!(
        target: "audit",
        %id,
        outcome = outcome.as_str(),
        actor = actor.map(display),
        subject = subject.map(display),
        credential = credential.map(display),
        ip = ip.map(display),
        detail,
        "{}",
        kind.as_str()
    );
}
