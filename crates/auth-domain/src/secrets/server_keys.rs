use std::{
    fmt,
    str::FromStr,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use ring::{aead, hkdf, hmac};
use zeroize::Zeroizing;

use crate::{CodeId, CodePurpose};

/// The server's own secrets, newest first: the first signs, all of them verify.
///
/// Rotation is adding a key at the front and removing the old one once nothing hangs on it. With several replicas
/// it takes two steps: append the new key everywhere, then move it to the front.
///
/// Whoever holds the keys sees it when they are [replaced](Self::replace).
pub struct ServerKeys {
    list: RwLock<Arc<KeyList>>,
    changes: AtomicU64,
}

/// The keys as they are at some moment.
pub(super) struct KeyList {
    signing: ServerKey,
    older: Vec<ServerKey>,
}

/// Names a server key without telling anything about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(u32);

/// There must be a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("at least one server key is needed")]
pub struct NoServerKey;

/// One key, split by HKDF-SHA-256 (RFC 5869) into one for each use.
pub(super) struct ServerKey {
    id: KeyId,
    token_check: hmac::Key,
    code: hmac::Key,
    mail: aead::LessSafeKey,
}

impl ServerKeys {
    /// The keys made of `secrets`, 256 random bits each, newest first.
    pub fn new(secrets: impl IntoIterator<Item = [u8; 32]>) -> Result<Self, NoServerKey> {
        let mut keys = secrets.into_iter().map(|secret| ServerKey::derive(&Zeroizing::new(secret)));
        let signing = keys.next().ok_or(NoServerKey)?;
        Ok(Self::of(Arc::new(KeyList { signing, older: keys.collect() })))
    }

    fn of(list: Arc<KeyList>) -> Self {
        Self { list: RwLock::new(list), changes: AtomicU64::new(0) }
    }

    /// From now on these are the keys of `others`, for everybody who holds them.
    pub fn replace(&self, others: &Self) {
        let list = others.list();
        *self.list.write().unwrap_or_else(PoisonError::into_inner) = list;
        // Not before: whoever sees it must find the new ones.
        self.changes.fetch_add(1, Ordering::SeqCst);
    }

    /// How often they were replaced. What was recognised before counts for nothing once this has moved on.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::SeqCst)
    }

    /// The keys as they are now, whatever they are replaced by: for what is made in several steps under one key.
    #[must_use]
    pub fn as_they_are(&self) -> Self {
        Self::of(self.list())
    }

    /// The keys as they are now.
    pub(super) fn list(&self) -> Arc<KeyList> {
        // Nobody panics while holding this, and a list is put there as a whole.
        Arc::clone(&self.list.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The id of the key that signs.
    pub fn signing_id(&self) -> KeyId {
        self.list().signing().id()
    }

    /// The ids of all keys, the signing one first.
    pub fn ids(&self) -> impl Iterator<Item = KeyId> + use<> {
        self.list().all().map(ServerKey::id).collect::<Vec<_>>().into_iter()
    }
}

impl KeyList {
    pub(super) fn signing(&self) -> &ServerKey {
        &self.signing
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &ServerKey> {
        std::iter::once(&self.signing).chain(&self.older)
    }
}

impl ServerKey {
    fn derive(secret: &[u8; 32]) -> Self {
        let root = hkdf::Salt::new(hkdf::HKDF_SHA256, b"auth server key v1").extract(secret);
        let id = expand(&root, b"id");
        let [a, b, c, d, ..] = *id;
        let token_check = hmac::Key::new(hmac::HMAC_SHA256, expand(&root, b"token check").as_slice());
        let code = hmac::Key::new(hmac::HMAC_SHA256, expand(&root, b"verification code").as_slice());
        let Ok(mail) = aead::UnboundKey::new(&aead::AES_256_GCM, expand(&root, b"queued mail").as_slice()) else {
            unreachable!("AES-256 takes a key of 32 octets, which is what expand returns");
        };
        Self { id: KeyId(u32::from_be_bytes([a, b, c, d])), token_check, code, mail: aead::LessSafeKey::new(mail) }
    }

    pub(super) fn id(&self) -> KeyId {
        self.id
    }

    pub(super) fn token_check(&self) -> &hmac::Key {
        &self.token_check
    }

    pub(super) fn code_tag(&self, id: CodeId, purpose: CodePurpose, code: &str) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.code);
        context.update(purpose.as_str().as_bytes());
        context.update(b"\0");
        context.update(id.uuid().as_bytes());
        context.update(code.as_bytes());
        let mut tag = [0; 32];
        tag.copy_from_slice(context.sign().as_ref());
        tag
    }

    pub(super) fn mail(&self) -> &aead::LessSafeKey {
        &self.mail
    }
}

fn expand(root: &hkdf::Prk, purpose: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut bytes = Zeroizing::new([0; 32]);
    let filled = root.expand(&[purpose], hkdf::HKDF_SHA256).and_then(|okm| okm.fill(bytes.as_mut_slice()));
    assert!(filled.is_ok(), "HKDF-SHA-256 yields its own 32 octets");
    bytes
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl FromStr for KeyId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u32::from_str_radix(text, 16).map(Self)
    }
}

impl fmt::Debug for ServerKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ids().map(|id| id.to_string())).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_at_all_is_refused() {
        assert_eq!(ServerKeys::new([]).err(), Some(NoServerKey));
    }

    #[test]
    fn a_key_keeps_its_id_wherever_it_stands_in_the_list() {
        let alone: Vec<_> = ServerKeys::new([[7; 32]]).unwrap().ids().collect();
        let second: Vec<_> = ServerKeys::new([[8; 32], [7; 32]]).unwrap().ids().collect();
        assert_eq!(second.get(1), alone.first());
        assert_eq!(alone.first().unwrap().to_string().parse(), Ok(*alone.first().unwrap()));
    }

    #[test]
    fn whoever_holds_the_keys_sees_them_replaced_and_a_snapshot_stays() {
        let held = Arc::new(ServerKeys::new([[7; 32]]).unwrap());
        let before = held.as_they_are();
        held.replace(&ServerKeys::new([[8; 32], [7; 32]]).unwrap());
        assert_eq!(held.ids().nth(1), Some(before.signing_id()));
        assert_ne!(held.signing_id(), before.signing_id());
        assert_eq!(before.ids().count(), 1);
        assert_eq!((held.changes(), before.changes()), (1, 0));
    }

    #[test]
    fn printing_the_keys_shows_their_ids_only() {
        let printed = format!("{:?}", ServerKeys::new([[0xab; 32]]).unwrap());
        assert!(!printed.contains("abab") && printed.len() < 16, "{printed}");
    }
}
