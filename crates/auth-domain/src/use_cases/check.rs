use super::Auth;
use crate::{
    ApiKey, ApiSecret, AuthError, Bearer, CredentialId, LiveKeyPair, LiveSession, Timestamp, TokenDigest,
    rules::{key_pair_is_accepted, session_is_accepted, use_is_worth_noting},
};

/// The check, whole and in its steps. A check has one of three answers, and callers can rely on it:
///
/// | answer | meaning |
/// |---|---|
/// | `Ok` | valid: a completed look-up found a live, verified credential of an enabled user |
/// | [`AuthError::InvalidCredential`] | invalid: refused by arithmetic, or a completed look-up found nothing live |
/// | [`AuthError::Store`] | unknown: the look-up could not be completed |
///
/// The steps are for those who remember what a look-up found: recognise, look up, note the use. What is remembered need not be
/// recognised again, as long as the [server keys](Self::key_changes) are the same.
impl Auth {
    /// Who holds `bearer`, and what they may do.
    pub async fn check_session(&self, bearer: &str) -> Result<LiveSession, AuthError> {
        let live = self.look_up_session(&self.recognise_bearer(bearer)?).await?;
        self.note_use(CredentialId::Session(live.session.id), live.session.last_used_at, self.now());
        Ok(live)
    }

    /// Who holds this key pair, and what they may do.
    pub async fn check_key_pair(&self, api_key: &str, api_secret: &str) -> Result<LiveKeyPair, AuthError> {
        let (key, secret) = self.recognise_key_pair(api_key, api_secret)?;
        let live = self.look_up_key_pair(&key, &secret).await?;
        self.note_use(CredentialId::KeyPair(live.key_pair.id), live.key_pair.last_used_at, self.now());
        Ok(live)
    }

    /// What the store knows `bearer` by. An invented one is refused here, by arithmetic alone.
    pub fn recognise_bearer(&self, bearer: &str) -> Result<TokenDigest, AuthError> {
        Bearer::digest_of(bearer, &self.keys).ok_or(AuthError::InvalidCredential)
    }

    /// What the store knows the halves of a key pair by. Invented ones are refused here, by arithmetic alone.
    pub fn recognise_key_pair(&self, api_key: &str, api_secret: &str) -> Result<(ApiKey, TokenDigest), AuthError> {
        let key = ApiKey::parse(api_key, &self.keys).ok_or(AuthError::InvalidCredential)?;
        let secret = ApiSecret::digest_of(api_secret, &self.keys).ok_or(AuthError::InvalidCredential)?;
        Ok((key, secret))
    }

    /// How often the server keys were replaced: what was recognised before counts for nothing once this has moved on.
    pub fn key_changes(&self) -> u64 {
        self.keys.changes()
    }

    /// The session that the store knows by `bearer`, if it is accepted now.
    pub async fn look_up_session(&self, bearer: &TokenDigest) -> Result<LiveSession, AuthError> {
        let found = self.ports.store.find_session(bearer).await?;
        let now = self.now();
        found.filter(|found| session_is_accepted(found, now)).ok_or(AuthError::InvalidCredential)
    }

    /// The key pair that the store knows by `secret`, if its public half is `key` and it is accepted now.
    pub async fn look_up_key_pair(&self, key: &ApiKey, secret: &TokenDigest) -> Result<LiveKeyPair, AuthError> {
        let found = self.ports.store.find_key_pair(secret).await?;
        let now = self.now();
        let accepted = |found: &LiveKeyPair| found.key_pair.api_key == *key && key_pair_is_accepted(found, now);
        found.filter(accepted).ok_or(AuthError::InvalidCredential)
    }

    /// Notes that a credential was used, to be written down with the next batch, if that is [worth it](use_is_worth_noting) after the
    /// `last` use that is known. Returns whether it was.
    pub fn note_use(&self, credential: CredentialId, last: Option<Timestamp>, now: Timestamp) -> bool {
        use_is_worth_noting(last, now) && self.usage.note(credential, now)
    }
}
