use crate::{
    Administrator, AuthError, Bearer, Client, EventKind, NewSession, Outcome, Page, Paged, Session, SessionId,
    Timestamp, UserId,
    use_cases::{Auth, audit::tell},
};

/// A session that an administrator opened for a user: live at once.
#[derive(Debug)]
pub struct GivenSession {
    /// The session's secret.
    pub bearer: Bearer,
    /// The session's id.
    pub session_id: SessionId,
    /// When the session ends.
    pub expires_at: Timestamp,
}

impl Auth {
    /// One page of the sessions that have not ended, live or waiting for their code, of `user` or of everybody, newest first.
    pub async fn page_sessions(
        &self,
        _administrator: &Administrator,
        user: Option<UserId>,
        page: Page,
    ) -> Result<Paged<Session>, AuthError> {
        Ok(self.ports.store.page_sessions(user, self.now(), page).await?)
    }

    /// Opens a session for a user, live at once. It counts as asked for by the administrator's own `client`.
    ///
    /// # Errors
    /// [`InvalidInput::SessionKind`](crate::InvalidInput::SessionKind); [`AuthError::NotFound`] when there is no such user;
    /// [`AuthError::UserNotActive`] when the session would not be accepted.
    pub async fn give_session(
        &self,
        administrator: &Administrator,
        user: UserId,
        kind: Option<&str>,
        client: &Client,
    ) -> Result<GivenSession, AuthError> {
        let (kind, lifetimes) = self.policy.session_kinds.choose(kind)?;
        let now = self.now();
        let bearer = Bearer::mint(&self.keys, self.entropy())?;
        let session = NewSession {
            id: SessionId::mint(now, self.entropy())?,
            digest: bearer.digest(),
            key_id: bearer.key_id(),
            kind,
            created_at: now,
            expires_at: now.plus(lifetimes.lifetime),
            client: client.clone(),
        };
        let event = self.event(EventKind::SessionOpened, administrator.actor(), now)?.about(user);
        let event = event.detailed(session.id.to_string());
        if self.ports.store.open_live_session(user, &session, &event).await? == Outcome::Stale {
            return Err(self.why_not_active(user).await?);
        }
        tell(&event);
        Ok(GivenSession { bearer, session_id: session.id, expires_at: session.expires_at })
    }

    /// Lets a session that waits for its code go live. One that is verified already is acknowledged.
    ///
    /// # Errors
    /// [`AuthError::NotFound`].
    pub async fn verify_session(&self, administrator: &Administrator, id: SessionId) -> Result<(), AuthError> {
        let event = self.event(EventKind::SessionVerified, administrator.actor(), self.now())?.detailed(id.to_string());
        match self.ports.store.verify_session(id, &event).await? {
            Outcome::Done(owner) => {
                tell(&event.about(owner));
                Ok(())
            }
            Outcome::Unchanged => Ok(()),
            other => Err(other.into()),
        }
    }

    /// Closes anybody's session.
    ///
    /// # Errors
    /// [`AuthError::NotFound`].
    pub async fn end_session(&self, administrator: &Administrator, id: SessionId) -> Result<(), AuthError> {
        let event = self.event(EventKind::SessionClosed, administrator.actor(), self.now())?.detailed(id.to_string());
        let owner = self.ports.store.close_session(id, None, &event).await?.ok_or(AuthError::NotFound)?;
        tell(&event.about(owner));
        Ok(())
    }

    /// Closes all sessions of a user and returns how many were live.
    pub async fn end_sessions(&self, administrator: &Administrator, user: UserId) -> Result<u64, AuthError> {
        let event = self.event(EventKind::OtherSessionsClosed, administrator.actor(), self.now())?.about(user);
        let closed = self.ports.store.close_sessions(user, None, &event).await?;
        if closed > 0 {
            tell(&event);
        }
        Ok(closed)
    }

    /// Why a user can be given no credential that works at once.
    pub(super) async fn why_not_active(&self, user: UserId) -> Result<AuthError, AuthError> {
        let found = self.ports.store.find_user(user).await?;
        Ok(if found.is_some() { AuthError::UserNotActive } else { AuthError::NotFound })
    }
}
