use super::{Auth, audit::tell};
use crate::{
    Actor, AuthError, Client, EventKind, LiveSession, Outcome, Session, SessionId, Timestamp, rules::extended_expiry,
};

/// A session in the list of its owner's sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedSession {
    /// The session.
    pub session: Session,
    /// Whether it is the one the list was asked for with.
    pub current: bool,
}

impl Auth {
    /// Moves the end of the caller's session to a lifetime from now, and returns the new end.
    ///
    /// # Errors
    /// [`AuthError::SessionAtMaximumAge`]; [`AuthError::InvalidCredential`] when it was closed meanwhile.
    pub async fn extend_session(&self, caller: &LiveSession) -> Result<Timestamp, AuthError> {
        let (session, now) = (&caller.session, self.now());
        let expires_at = extended_expiry(session, self.policy.session_kinds.lifetimes(&session.kind), now)?;
        match self.ports.store.extend_session(session.id, expires_at, now).await? {
            Outcome::Done(()) => Ok(expires_at),
            Outcome::Stale => Err(AuthError::InvalidCredential),
            other => Err(other.into()),
        }
    }

    /// The caller's live sessions, newest first.
    pub async fn list_sessions(&self, caller: &LiveSession) -> Result<Vec<ListedSession>, AuthError> {
        let sessions = self.ports.store.list_sessions(caller.user.id, self.now()).await?;
        let listed = |session: Session| ListedSession { current: session.id == caller.session.id, session };
        Ok(sessions.into_iter().map(listed).collect())
    }

    /// Closes one of the caller's own sessions.
    ///
    /// # Errors
    /// [`AuthError::NotFound`] when there is none, or it is somebody else's: the two cannot be told apart.
    pub async fn close_session(&self, caller: &LiveSession, id: SessionId, client: &Client) -> Result<(), AuthError> {
        let owner = caller.user.id;
        let event = self.event(EventKind::SessionClosed, &Actor::session(caller, client), self.now())?;
        let event = event.about(owner).detailed(id.to_string());
        self.ports.store.close_session(id, Some(owner), &event).await?.ok_or(AuthError::NotFound)?;
        tell(&event);
        Ok(())
    }

    /// Closes all of the caller's other sessions and returns how many were live. Sign-ins that wait for their code
    /// end too, uncounted.
    pub async fn close_other_sessions(&self, caller: &LiveSession, client: &Client) -> Result<u64, AuthError> {
        let event = self.event(EventKind::OtherSessionsClosed, &Actor::session(caller, client), self.now())?;
        let event = event.about(caller.user.id);
        let closed = self.ports.store.close_sessions(caller.user.id, Some(caller.session.id), &event).await?;
        if closed > 0 {
            tell(&event);
        }
        Ok(closed)
    }
}
