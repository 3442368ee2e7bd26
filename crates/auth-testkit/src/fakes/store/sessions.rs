use async_trait::async_trait;
use auth_domain::{
    CredentialId, LiveSession, Page, Paged, Session, Sessions, Standing, StoreError, Timestamp, TokenDigest, UserId,
    archive::SessionRecord,
};

use super::{InMemoryStore, accounts::paged};

#[async_trait]
impl Sessions for InMemoryStore {
    async fn find_session(&self, digest: &TokenDigest) -> Result<Option<LiveSession>, StoreError> {
        let tables = self.transaction()?;
        let session = tables.sessions.iter().find(|row| row.digest == *digest).and_then(as_session);
        Ok(session.and_then(|session| {
            let user = tables.users.iter().find(|row| row.user.id == session.user_id)?.user.clone();
            Some(LiveSession { session, user })
        }))
    }

    async fn list_sessions(&self, user: UserId, now: Timestamp) -> Result<Vec<Session>, StoreError> {
        let tables = self.transaction()?;
        let mut sessions: Vec<_> = tables.sessions.iter().filter_map(as_session).collect();
        sessions.retain(|session| session.user_id == user && session.is_verified() && now < session.expires_at);
        sessions.sort_by_key(|session| std::cmp::Reverse((session.created_at, session.id)));
        Ok(sessions)
    }

    async fn page_sessions(
        &self,
        user: Option<UserId>,
        now: Timestamp,
        page: Page,
    ) -> Result<Paged<Session>, StoreError> {
        let tables = self.transaction()?;
        let mut sessions: Vec<_> = tables.sessions.iter().filter_map(as_session).collect();
        sessions.retain(|session| {
            user.is_none_or(|user| session.user_id == user)
                && now < session.expires_at
                && tables.standing(session.user_id) == Some(Standing::Account)
        });
        sessions.sort_by_key(|session| std::cmp::Reverse(session.id));
        Ok(paged(sessions, page))
    }

    async fn record_usage(&self, usage: &[(CredentialId, Timestamp)]) -> Result<(), StoreError> {
        let mut tables = self.transaction()?;
        for (id, at) in usage {
            let last_used_at = match id {
                CredentialId::Session(id) => {
                    tables.sessions.iter_mut().find(|row| row.id == *id).map(|row| &mut row.last_used_at)
                }
                CredentialId::KeyPair(id) => {
                    tables.key_pairs.iter_mut().find(|row| row.id == *id).map(|row| &mut row.last_used_at)
                }
            };
            if let Some(last) = last_used_at {
                *last = (*last).max(Some(*at));
            }
        }
        Ok(())
    }
}

fn as_session(row: &SessionRecord) -> Option<Session> {
    Some(Session {
        id: row.id,
        user_id: row.user_id?,
        kind: row.kind.clone(),
        verified_at: row.verified_at,
        created_at: row.created_at,
        expires_at: row.expires_at,
        last_used_at: row.last_used_at,
        client: row.client.clone(),
    })
}
