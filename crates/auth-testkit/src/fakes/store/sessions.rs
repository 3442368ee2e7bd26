use async_trait::async_trait;
use auth_domain::{
    Applied, CredentialId, LiveSession, PendingSignIn, Session, SessionId, Sessions, StoreError, Timestamp,
    TokenDigest, UserId,
};

use super::{
    InMemoryStore,
    state::{SessionRow, Standing},
};

#[async_trait]
impl Sessions for InMemoryStore {
    async fn find_session(&self, digest: &TokenDigest) -> Result<Option<LiveSession>, StoreError> {
        let state = self.transaction()?;
        let session = state.sessions.iter().find(|row| row.new.digest == *digest).and_then(as_session);
        Ok(session.and_then(|session| {
            let row = state.users.iter().find(|row| row.user.id == session.user_id)?;
            Some(LiveSession { session, user: row.user.clone() })
        }))
    }

    async fn list_sessions(&self, user: UserId, now: Timestamp) -> Result<Vec<Session>, StoreError> {
        let state = self.transaction()?;
        let mut sessions: Vec<_> = state
            .sessions
            .iter()
            .filter_map(as_session)
            .filter(|session| session.user_id == user && session.verified && now < session.expires_at)
            .collect();
        sessions.sort_by_key(|session| std::cmp::Reverse((session.created_at, session.id)));
        Ok(sessions)
    }

    async fn open_session(&self, sign_in: &PendingSignIn) -> Result<Applied, StoreError> {
        let mut state = self.transaction()?;
        state.remove_ended_registrations(&sign_in.code.address, sign_in.code.created_at);
        if let Some(owner) = sign_in.session.owner {
            let registering = state.standing(owner.user_id) == Some(Standing::Registration);
            let still_theirs = state.emails.iter().any(|email| {
                email.id == owner.email_id
                    && email.user_id == owner.user_id
                    && email.address.key() == sign_in.code.address
                    && (email.verified || registering)
            });
            if !still_theirs {
                return Ok(Applied::Stale);
            }
        }
        state.store_sign_in(sign_in);
        Ok(Applied::Yes)
    }

    async fn extend_session(
        &self,
        id: SessionId,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<Applied, StoreError> {
        let mut state = self.transaction()?;
        let alive = |row: &&mut SessionRow| row.new.id == id && row.verified && now < row.expires_at;
        let Some(row) = state.sessions.iter_mut().find(alive) else { return Ok(Applied::Stale) };
        row.expires_at = row.expires_at.max(expires_at);
        Ok(Applied::Yes)
    }

    async fn close_session(&self, user: UserId, id: SessionId, now: Timestamp) -> Result<Applied, StoreError> {
        let mut state = self.transaction()?;
        let theirs = |row: &SessionRow| row.new.id == id && belongs_to(row, user) && now < row.expires_at;
        if !state.sessions.iter().any(theirs) {
            return Ok(Applied::Stale);
        }
        state.remove_sessions(theirs);
        Ok(Applied::Yes)
    }

    async fn close_other_sessions(&self, user: UserId, keep: SessionId, now: Timestamp) -> Result<u64, StoreError> {
        let mut state = self.transaction()?;
        let others = |row: &SessionRow| row.new.id != keep && belongs_to(row, user);
        let live = state.sessions.iter().filter(|row| others(row) && row.verified && now < row.expires_at).count();
        state.remove_sessions(others);
        Ok(u64::try_from(live).expect("a count of rows"))
    }

    async fn record_usage(&self, usage: &[(CredentialId, Timestamp)]) -> Result<(), StoreError> {
        let mut state = self.transaction()?;
        for (id, at) in usage {
            let last_used_at = match id {
                CredentialId::Session(id) => {
                    state.sessions.iter_mut().find(|row| row.new.id == *id).map(|row| &mut row.last_used_at)
                }
                CredentialId::KeyPair(id) => {
                    state.key_pairs.iter_mut().find(|row| row.new.id == *id).map(|row| &mut row.last_used_at)
                }
            };
            if let Some(last) = last_used_at {
                *last = (*last).max(Some(*at));
            }
        }
        Ok(())
    }
}

fn belongs_to(row: &SessionRow, user: UserId) -> bool {
    row.new.owner.is_some_and(|owner| owner.user_id == user)
}

fn as_session(row: &SessionRow) -> Option<Session> {
    Some(Session {
        id: row.new.id,
        user_id: row.new.owner?.user_id,
        kind: row.new.kind.clone(),
        verified: row.verified,
        created_at: row.new.created_at,
        expires_at: row.expires_at,
        last_used_at: row.last_used_at,
        client: row.new.client.clone(),
    })
}
