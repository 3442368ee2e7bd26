use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use auth_domain::{
    ApiKey, ApiSecret, Auth, AuthError, Bearer, CredentialId, LiveKeyPair, LiveSession, Revocations, Timestamp,
    TokenDigest,
};
use futures_util::FutureExt;

use crate::{Memory, Remembered, flights::Found, forgotten::Epoch, last_use::LastUse};

/// The check of an [`Auth`], answered from a [`Memory`] where that can be believed.
///
/// What is remembered is not the credential as the store knows it, but what the program makes of it: `V`, such as the
/// answer to be sent, so that it is made once and not at every check.
pub struct CachedChecks<V> {
    auth: Arc<Auth>,
    memory: Arc<Memory<V>>,
    of_session: fn(&LiveSession) -> V,
    of_key_pair: fn(&LiveKeyPair) -> V,
    /// How often the server keys had been replaced when what is remembered was recognised.
    key_changes: AtomicU64,
}

/// What there is of a credential without waiting for anybody.
pub enum Recalled<V> {
    /// It is remembered, and good.
    Known(Arc<Remembered<V>>),
    /// It is for the [look-up](CachedChecks::look_up) to tell.
    Unknown(Recognised),
}

/// A credential that some server key of ours made, and of which nothing is remembered.
pub struct Recognised {
    digest: TokenDigest,
    epoch: Epoch,
    kind: Kind,
}

enum Kind {
    Session,
    KeyPair { key: ApiKey, secret: TokenDigest },
}

impl<V: Send + Sync + 'static> CachedChecks<V> {
    /// Checks by `auth`, remembered in `memory`, which the store that `auth` works on must tell what to forget.
    pub fn new(
        auth: Arc<Auth>,
        memory: Arc<Memory<V>>,
        of_session: fn(&LiveSession) -> V,
        of_key_pair: fn(&LiveKeyPair) -> V,
    ) -> Self {
        let key_changes = AtomicU64::new(auth.key_changes());
        Self { auth, memory, of_session, of_key_pair, key_changes }
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
        self.found(self.recall_session(bearer)?).await
    }

    /// What was made of the key pair of these two halves.
    ///
    /// # Errors
    /// Those of [`Auth::check_key_pair`].
    pub async fn check_key_pair(&self, api_key: &str, api_secret: &str) -> Result<Arc<Remembered<V>>, AuthError> {
        self.found(self.recall_key_pair(api_key, api_secret)?).await
    }

    /// The part of [`check_session`](Self::check_session) that waits for nobody. Of what is in use, that is nearly always all of it.
    ///
    /// # Errors
    /// [`AuthError::InvalidCredential`] for an invented bearer.
    pub fn recall_session(&self, bearer: &str) -> Result<Recalled<V>, AuthError> {
        if let Some(known) = self.recall(|| Bearer::unchecked_digest_of(bearer)) {
            return Ok(Recalled::Known(known));
        }
        // Before it is recognised: should the keys be replaced meanwhile, what is found now is not believed later.
        let epoch = self.memory.epoch();
        let digest = self.auth.recognise_bearer(bearer)?;
        Ok(Recalled::Unknown(Recognised { digest, epoch, kind: Kind::Session }))
    }

    /// The same for [`check_key_pair`](Self::check_key_pair).
    ///
    /// # Errors
    /// [`AuthError::InvalidCredential`] for invented halves.
    pub fn recall_key_pair(&self, api_key: &str, api_secret: &str) -> Result<Recalled<V>, AuthError> {
        let of_both = || ApiSecret::unchecked_digest_of_pair(api_key, api_secret);
        if let Some(known) = self.recall(of_both) {
            return Ok(Recalled::Known(known));
        }
        let epoch = self.memory.epoch();
        let (key, secret) = self.auth.recognise_key_pair(api_key, api_secret)?;
        let digest = of_both().ok_or(AuthError::InvalidCredential)?;
        Ok(Recalled::Unknown(Recognised { digest, epoch, kind: Kind::KeyPair { key, secret } }))
    }

    /// Looks up what is not remembered.
    ///
    /// # Errors
    /// Those of the checks.
    pub async fn look_up(&self, recognised: Recognised) -> Result<Arc<Remembered<V>>, AuthError> {
        let Recognised { digest, epoch, kind } = recognised;
        let look_up = || match &kind {
            Kind::Session => self.look_up_session(digest, epoch).boxed(),
            Kind::KeyPair { key, secret } => self.look_up_key_pair(key.clone(), *secret, digest, epoch).boxed(),
        };
        let found = self.memory.find(digest, look_up).await?;
        let now = self.auth.now();
        // While the look-up was under way, its time may have come.
        if now >= found.ends_at {
            return Err(AuthError::InvalidCredential);
        }
        self.note_use(&found, now);
        Ok(found)
    }

    async fn found(&self, recalled: Recalled<V>) -> Result<Arc<Remembered<V>>, AuthError> {
        match recalled {
            Recalled::Known(known) => Ok(known),
            Recalled::Unknown(recognised) => self.look_up(recognised).await,
        }
    }

    /// What is remembered by the `digest` of what was shown. Only what was recognised is, so that need not be done again.
    fn recall(&self, digest: impl FnOnce() -> Option<TokenDigest>) -> Option<Arc<Remembered<V>>> {
        if !self.memory.hears() {
            return None;
        }
        let key_changes = self.auth.key_changes();
        if self.key_changes.load(Ordering::SeqCst) != key_changes {
            self.memory.forget_everything();
            // Not before: nobody may take it for done until it is.
            self.key_changes.store(key_changes, Ordering::SeqCst);
        }
        let now = self.auth.now();
        let known = self.memory.recall(&digest()?, now)?;
        self.note_use(&known, now);
        Some(known)
    }

    fn look_up_session(
        &self,
        digest: TokenDigest,
        epoch: Epoch,
    ) -> impl Future<Output = Found<V>> + Send + use<V> + 'static {
        let (auth, value_of) = (Arc::clone(&self.auth), self.of_session);
        async move {
            let live = auth.look_up_session(&digest).await?;
            Ok(Arc::new(Remembered {
                digest,
                user: live.user.id,
                credential: CredentialId::Session(live.session.id),
                ends_at: live.session.expires_at,
                epoch,
                last_use: LastUse::of(live.session.last_used_at),
                value: value_of(&live),
            }))
        }
    }

    fn look_up_key_pair(
        &self,
        key: ApiKey,
        secret: TokenDigest,
        digest: TokenDigest,
        epoch: Epoch,
    ) -> impl Future<Output = Found<V>> + Send + use<V> + 'static {
        let (auth, value_of) = (Arc::clone(&self.auth), self.of_key_pair);
        async move {
            let live = auth.look_up_key_pair(&key, &secret).await?;
            Ok(Arc::new(Remembered {
                digest,
                user: live.user.id,
                credential: CredentialId::KeyPair(live.key_pair.id),
                ends_at: live.key_pair.expires_at,
                epoch,
                last_use: LastUse::of(live.key_pair.last_used_at),
                value: value_of(&live),
            }))
        }
    }

    fn note_use(&self, found: &Remembered<V>, now: Timestamp) {
        if self.auth.note_use(found.credential, found.last_use.get(), now) {
            found.last_use.set(now);
        }
    }
}
