use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use auth_domain::{ApiKey, Auth, AuthError, CredentialId, LiveKeyPair, LiveSession, Timestamp, TokenDigest, UserId};
use futures_util::FutureExt;

use crate::{Memory, Remembered, flights::Found, forgotten::Epoch};

/// The check of an [`Auth`], answered from a [`Memory`] where that can be believed.
///
/// What is remembered is not the credential as the store knows it, but what the program makes of it: `V`, such as the
/// answer to be sent, so that it is made once and not at every check.
pub struct CachedChecks<V> {
    auth: Arc<Auth>,
    memory: Arc<Memory<V>>,
    of_session: fn(&LiveSession) -> V,
    of_key_pair: fn(&LiveKeyPair) -> V,
}

impl<V: Send + Sync + 'static> CachedChecks<V> {
    /// Checks by `auth`, remembered in `memory`, which the store that `auth` works on must tell what to forget.
    pub fn new(
        auth: Arc<Auth>,
        memory: Arc<Memory<V>>,
        of_session: fn(&LiveSession) -> V,
        of_key_pair: fn(&LiveKeyPair) -> V,
    ) -> Self {
        Self { auth, memory, of_session, of_key_pair }
    }

    /// What they are remembered in.
    pub fn memory(&self) -> &Memory<V> {
        &self.memory
    }

    /// What was made of the session with this bearer.
    ///
    /// # Errors
    /// Those of [`Auth::check_session`].
    pub async fn check_session(&self, bearer: &str) -> Result<Arc<Remembered<V>>, AuthError> {
        let digest = self.auth.recognise_bearer(bearer)?;
        let look_up = || self.look_up_session(digest).boxed();
        self.noted(self.memory.recall(digest, self.auth.now(), look_up).await?)
    }

    /// What was made of the key pair of these two halves.
    ///
    /// # Errors
    /// Those of [`Auth::check_key_pair`].
    pub async fn check_key_pair(&self, api_key: &str, api_secret: &str) -> Result<Arc<Remembered<V>>, AuthError> {
        let (key, secret) = self.auth.recognise_key_pair(api_key, api_secret)?;
        // By both halves: a secret with somebody else's key must not be found.
        let digest = secret.with(&key);
        let look_up = || self.look_up_key_pair(key.clone(), secret, digest).boxed();
        self.noted(self.memory.recall(digest, self.auth.now(), look_up).await?)
    }

    fn look_up_session(&self, digest: TokenDigest) -> impl Future<Output = Found<V>> + Send + 'static {
        let (auth, epoch, value_of) = (Arc::clone(&self.auth), self.memory.epoch(), self.of_session);
        async move {
            let live = auth.look_up_session(&digest).await?;
            let credential = CredentialId::Session(live.session.id);
            Ok(remembered(digest, live.user.id, credential, live.session.expires_at, epoch, value_of(&live)))
        }
    }

    fn look_up_key_pair(
        &self,
        key: ApiKey,
        secret: TokenDigest,
        digest: TokenDigest,
    ) -> impl Future<Output = Found<V>> + Send + 'static {
        let (auth, epoch, value_of) = (Arc::clone(&self.auth), self.memory.epoch(), self.of_key_pair);
        async move {
            let live = auth.look_up_key_pair(&key, &secret).await?;
            let credential = CredentialId::KeyPair(live.key_pair.id);
            Ok(remembered(digest, live.user.id, credential, live.key_pair.expires_at, epoch, value_of(&live)))
        }
    }

    fn noted(&self, found: Arc<Remembered<V>>) -> Result<Arc<Remembered<V>>, AuthError> {
        let now = self.auth.now();
        // While the look-up was under way, its time may have come.
        if now >= found.ends_at {
            return Err(AuthError::InvalidCredential);
        }
        // Uses are noted once in each second.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the low half tells seconds apart")]
        let second = now.unix_seconds() as u32;
        if found.noted_in.load(Ordering::Relaxed) != second {
            found.noted_in.store(second, Ordering::Relaxed);
            self.auth.note_use(found.credential, now);
        }
        Ok(found)
    }
}

fn remembered<V>(
    digest: TokenDigest,
    user: UserId,
    credential: CredentialId,
    ends_at: Timestamp,
    epoch: Epoch,
    value: V,
) -> Arc<Remembered<V>> {
    Arc::new(Remembered { digest, user, credential, ends_at, epoch, noted_in: AtomicU32::new(0), value })
}
