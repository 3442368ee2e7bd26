use async_trait::async_trait;
use auth_domain::{
    Applied, CodeHash, CredentialId, Event, LiveSession, NewSession, Page, Paged, PendingSignIn, Session, SessionId,
    Sessions, SignInStored, Standing, StoreError, Timestamp, TokenDigest, UserId, Verified, rules::Asking,
};

use super::{
    InMemoryStore,
    accounts::paged,
    state::{EmailRow, SessionRow},
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
            .filter(|session| session.user_id == user && session.verified_at.is_some() && now < session.expires_at)
            .collect();
        sessions.sort_by_key(|session| std::cmp::Reverse((session.created_at, session.id)));
        Ok(sessions)
    }

    async fn open_session(&self, sign_in: &PendingSignIn, decoy_hash: &CodeHash) -> Result<SignInStored, StoreError> {
        let mut state = self.transaction()?;
        let charges = match state.judge_asking(sign_in.restraint.as_ref(), Asking::SignIn, &sign_in.code) {
            Ok(charges) => charges,
            Err(refusal) => return Ok(SignInStored::Throttled(refusal)),
        };
        state.remove_ended_registrations(&sign_in.code.address, sign_in.code.created_at);
        let owner = state.whose(&sign_in.code.address, sign_in.code.created_at).map(EmailRow::leads_to);
        state.charge(charges);
        match owner {
            Some(_) => state.store_sign_in(sign_in, owner),
            None => state.store_sign_in(&sign_in.clone().into_decoy(decoy_hash.clone()), None),
        }
        Ok(SignInStored::Yes)
    }

    async fn extend_session(
        &self,
        id: SessionId,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<Applied, StoreError> {
        let mut state = self.transaction()?;
        let alive = |row: &&mut SessionRow| row.new.id == id && row.verified_at.is_some() && now < row.expires_at;
        let Some(row) = state.sessions.iter_mut().find(alive) else { return Ok(Applied::Stale) };
        row.expires_at = row.expires_at.max(expires_at);
        if let Some(owner) = row.user_id {
            self.revoked(owner);
        }
        Ok(Applied::Yes)
    }

    async fn page_sessions(
        &self,
        user: Option<UserId>,
        now: Timestamp,
        page: Page,
    ) -> Result<Paged<Session>, StoreError> {
        let state = self.transaction()?;
        let of_account = |row: &&SessionRow| row.user_id.and_then(|id| state.standing(id)) == Some(Standing::Account);
        let mut sessions: Vec<_> = state.sessions.iter().filter(of_account).filter_map(as_session).collect();
        sessions.retain(|session| user.is_none_or(|user| session.user_id == user) && now < session.expires_at);
        sessions.sort_by_key(|session| std::cmp::Reverse(session.id));
        Ok(paged(sessions, page))
    }

    async fn open_live_session(
        &self,
        user: UserId,
        session: &NewSession,
        event: &Event,
    ) -> Result<Applied, StoreError> {
        let mut state = self.transaction()?;
        if !state.is_active(user) {
            return Ok(Applied::Stale);
        }
        state.sessions.push(SessionRow {
            new: session.clone(),
            user_id: Some(user),
            verified_at: Some(session.created_at),
            expires_at: session.expires_at,
            last_used_at: None,
        });
        state.events.push(event.clone());
        Ok(Applied::Yes)
    }

    async fn verify_session(&self, id: SessionId, event: &Event) -> Result<Verified, StoreError> {
        let mut state = self.transaction()?;
        let found = state.sessions.iter().position(|row| row.new.id == id && event.at < row.expires_at);
        let Some((position, owner)) = found.and_then(|at| Some((at, state.sessions[at].user_id?))) else {
            return Ok(Verified::Missing);
        };
        if state.standing(owner) != Some(Standing::Account) {
            return Ok(Verified::Missing);
        }
        if state.sessions[position].verified_at.is_some() {
            return Ok(Verified::Already);
        }
        state.sessions[position].verified_at = Some(event.at);
        state.events.push(event.clone().about(owner));
        Ok(Verified::Yes(owner))
    }

    async fn close_session(
        &self,
        id: SessionId,
        of: Option<UserId>,
        event: &Event,
    ) -> Result<Option<UserId>, StoreError> {
        let mut state = self.transaction()?;
        let open = state.sessions.iter().find(|row| row.new.id == id && event.at < row.expires_at);
        let owner = open.and_then(|row| row.user_id).filter(|owner| of.is_none_or(|of| of == *owner));
        let owner = owner.filter(|owner| state.standing(*owner) == Some(Standing::Account));
        let Some(owner) = owner else { return Ok(None) };
        state.remove_sessions(|row| row.new.id == id);
        state.events.push(event.clone().about(owner));
        self.revoked(owner);
        Ok(Some(owner))
    }

    async fn close_sessions(&self, user: UserId, keep: Option<SessionId>, event: &Event) -> Result<u64, StoreError> {
        let mut state = self.transaction()?;
        let goes = |row: &SessionRow| Some(row.new.id) != keep && row.user_id == Some(user);
        let is_live = |row: &SessionRow| row.verified_at.is_some() && event.at < row.expires_at;
        let live = state.sessions.iter().filter(|row| goes(row) && is_live(row)).count();
        if live > 0 {
            state.events.push(event.clone());
        }
        state.remove_sessions(goes);
        self.revoked(user);
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

fn as_session(row: &SessionRow) -> Option<Session> {
    Some(Session {
        id: row.new.id,
        user_id: row.user_id?,
        kind: row.new.kind.clone(),
        verified_at: row.verified_at,
        created_at: row.new.created_at,
        expires_at: row.expires_at,
        last_used_at: row.last_used_at,
        client: row.new.client.clone(),
    })
}
