use super::Auth;
use crate::{AuthError, Bearer, CredentialId, LiveSession, rules::session_is_accepted};

impl Auth {
    /// Who holds `bearer`, and what they may do.
    ///
    /// One of three things, and callers can rely on it:
    ///
    /// | answer | meaning |
    /// |---|---|
    /// | `Ok` | valid: a completed look-up found a live, verified session of an enabled user |
    /// | [`AuthError::InvalidCredential`] | invalid: refused by arithmetic, or a completed look-up found nothing live |
    /// | [`AuthError::Store`] | unknown: the look-up could not be completed |
    pub async fn check_session(&self, bearer: &str) -> Result<LiveSession, AuthError> {
        let bearer = Bearer::parse(bearer, &self.keys).ok_or(AuthError::InvalidCredential)?;
        let found = self.ports.store.find_session(&bearer.digest()).await?;
        let now = self.now();
        let live = found.filter(|found| session_is_accepted(found, now)).ok_or(AuthError::InvalidCredential)?;
        self.usage.note(CredentialId::Session(live.session.id), now);
        Ok(live)
    }
}
