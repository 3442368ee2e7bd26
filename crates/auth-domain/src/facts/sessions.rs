use super::{Decision, carry_out};
use crate::{
    Change, Changes, Event, FactKey, NewSession, Outcome, Scope, SessionId, State, Store, StoreError, Timestamp,
    UserId, archive::SessionRecord,
};

/// A session ends later.
struct ExtendSession {
    id: SessionId,
    user: UserId,
    expires_at: Timestamp,
    now: Timestamp,
}
/// An administrator opens a session for somebody.
struct OpenLiveSession {
    user: UserId,
    session: NewSession,
    event: Event,
}
/// An administrator lets a session go live.
struct VerifySession {
    id: SessionId,
    user: UserId,
    event: Event,
}
/// A session is closed.
struct CloseSession {
    id: SessionId,
    user: UserId,
    of: Option<UserId>,
    event: Event,
}
/// Sessions of a user are closed.
struct CloseSessions {
    user: UserId,
    keep: Option<SessionId>,
    event: Event,
}

impl dyn Store + '_ {
    /// Moves the end of a session that is verified and ends after `now` to `expires_at`, never backwards; stale when it
    /// is not.
    pub async fn extend_session(
        &self,
        id: SessionId,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<Outcome, StoreError> {
        let Some(user) = self.owner_of_session(id).await? else { return Ok(Outcome::Stale) };
        carry_out(self, ExtendSession { id, user, expires_at, now }).await
    }

    /// Stores a session of `user` that is live at once, and records `event`. Stale when the user is not there, not verified or
    /// disabled.
    pub async fn open_live_session(
        &self,
        user: UserId,
        session: &NewSession,
        event: &Event,
    ) -> Result<Outcome, StoreError> {
        carry_out(self, OpenLiveSession { user, session: session.clone(), event: event.clone() }).await
    }

    /// Makes a session of an account that ends after `event.at` live, and records `event` with its owner as the subject.
    pub async fn verify_session(&self, id: SessionId, event: &Event) -> Result<Outcome<UserId>, StoreError> {
        let Some(user) = self.owner_of_session(id).await? else { return Ok(Outcome::NotFound) };
        carry_out(self, VerifySession { id, user, event: event.clone() }).await
    }

    /// Closes a session of an account that ends after `event.at`, waiting for its code or live, if it is `of` the user given
    /// or nobody in particular is, and records `event` with its owner as the subject. Returns whose it was; `None` when there
    /// is none.
    pub async fn close_session(
        &self,
        id: SessionId,
        of: Option<UserId>,
        event: &Event,
    ) -> Result<Option<UserId>, StoreError> {
        let owner = self.owner_of_session(id).await?;
        let Some(user) = owner.filter(|owner| of.is_none_or(|of| of == *owner)) else { return Ok(None) };
        carry_out(self, CloseSession { id, user, of, event: event.clone() }).await
    }

    /// Closes all sessions of `user`, those waiting for their code included, but `keep` if that is given. Returns how many of
    /// the closed ones were live at `event.at`, and records `event` exactly if any was.
    pub async fn close_sessions(
        &self,
        user: UserId,
        keep: Option<SessionId>,
        event: &Event,
    ) -> Result<u64, StoreError> {
        carry_out(self, CloseSessions { user, keep, event: event.clone() }).await
    }
}

impl dyn Store + '_ {
    /// Whose a session is, which never changes; nobody's if it is a decoy.
    async fn owner_of_session(&self, id: SessionId) -> Result<Option<UserId>, StoreError> {
        let seen = self.view(&Scope { session: Some(id), ..Scope::default() }).await?;
        Ok(seen.session.and_then(|session| session.user_id))
    }
}

fn session(id: SessionId, user: UserId) -> Scope {
    Scope { user: Some(user), session: Some(id), ..Scope::default() }
}

impl State {
    /// The session that the scope covers, if it is an account's and ends after `now`, and whose it is.
    fn session_of_account(&self, now: Timestamp) -> Option<(&SessionRecord, UserId)> {
        let owner = self.account()?.user.id;
        self.session.as_ref().filter(|session| now < session.expires_at).map(|session| (session, owner))
    }

    /// The user that the scope covers, if credentials of theirs are accepted.
    pub(super) fn is_active(&self) -> bool {
        self.account().is_some_and(|account| account.user.verified && account.user.enabled)
    }
}

impl Decision for ExtendSession {
    type Answer = Outcome;

    fn scope(&self) -> Scope {
        session(self.id, self.user)
    }

    fn turn(&self) -> Option<FactKey> {
        Some(FactKey::User(self.user))
    }

    fn decide(&self, state: &State, changes: &mut Changes) -> Result<Outcome, StoreError> {
        let live =
            state.session.as_ref().filter(|session| session.verified_at.is_some() && self.now < session.expires_at);
        let Some(session) = live else { return Ok(Outcome::Stale) };
        if session.expires_at < self.expires_at {
            changes.push(Change::ExtendSession { id: self.id, user: self.user, expires_at: self.expires_at });
        }
        Ok(Outcome::Done(()))
    }
}

impl Decision for OpenLiveSession {
    type Answer = Outcome;

    fn scope(&self) -> Scope {
        Scope { user: Some(self.user), ..Scope::default() }
    }

    fn turn(&self) -> Option<FactKey> {
        None
    }

    fn decide(&self, state: &State, changes: &mut Changes) -> Result<Outcome, StoreError> {
        if !state.is_active() {
            return Ok(Outcome::Stale);
        }
        changes.insert_session(&self.session, Some(self.user), Some(self.session.created_at));
        changes.record(self.event.clone());
        Ok(Outcome::Done(()))
    }
}

impl Decision for VerifySession {
    type Answer = Outcome<UserId>;

    fn scope(&self) -> Scope {
        session(self.id, self.user)
    }

    fn turn(&self) -> Option<FactKey> {
        None
    }

    fn decide(&self, state: &State, changes: &mut Changes) -> Result<Outcome<UserId>, StoreError> {
        let Some((session, owner)) = state.session_of_account(self.event.at) else { return Ok(Outcome::NotFound) };
        if session.verified_at.is_some() {
            return Ok(Outcome::Unchanged);
        }
        changes.push(Change::VerifySession { id: self.id, at: self.event.at });
        changes.record(self.event.clone().about(owner));
        Ok(Outcome::Done(owner))
    }
}

impl Decision for CloseSession {
    type Answer = Option<UserId>;

    fn scope(&self) -> Scope {
        session(self.id, self.user)
    }

    fn turn(&self) -> Option<FactKey> {
        FactKey::from_owner(self.of)
    }

    fn decide(&self, state: &State, changes: &mut Changes) -> Result<Option<UserId>, StoreError> {
        let Some((_, owner)) = state.session_of_account(self.event.at) else { return Ok(None) };
        changes.push(Change::DeleteSession { id: self.id, user: owner });
        changes.record(self.event.clone().about(owner));
        Ok(Some(owner))
    }
}

impl Decision for CloseSessions {
    type Answer = u64;

    fn scope(&self) -> Scope {
        Scope { user: Some(self.user), sessions: true, ..Scope::default() }
    }

    fn turn(&self) -> Option<FactKey> {
        Some(FactKey::User(self.user))
    }

    fn decide(&self, state: &State, changes: &mut Changes) -> Result<u64, StoreError> {
        let closed: Vec<_> = state.sessions.iter().filter(|session| Some(session.id) != self.keep).collect();
        let is_live = |session: &&&SessionRecord| session.verified_at.is_some() && self.event.at < session.expires_at;
        let live = closed.iter().filter(is_live).count();
        if !closed.is_empty() {
            changes.push(Change::DeleteSessions { user: self.user, keep: self.keep });
        }
        if live > 0 {
            changes.record(self.event.clone());
        }
        Ok(u64::try_from(live).unwrap_or(u64::MAX))
    }
}
