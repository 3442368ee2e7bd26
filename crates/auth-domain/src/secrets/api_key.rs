use std::fmt;

use super::{
    ServerKeys,
    server_keys::KeyId,
    token::{Shape, Token, TokenDigest},
};
use crate::{Entropy, EntropyError};

/// 131 random bits, 35 bits of check: an identifier, not a secret.
const KEY: Shape = Shape { prefix: "auk_", random: 22, check: 6 };
/// 226 random bits, 130 bits of check.
const SECRET: Shape = Shape { prefix: "aus_", random: 38, check: 22 };

/// The public half of a key pair: 32 characters that name it. No secret: its owner can list it at any time.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ApiKey(String);

/// The secret half of a key pair: 64 characters, shown once, stored only as a [`TokenDigest`].
pub struct ApiSecret(Token);

impl ApiKey {
    /// A new key, checked under the signing key.
    pub fn mint(keys: &ServerKeys, entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        KEY.mint(keys, entropy).map(|token| Self(token.expose().to_owned()))
    }

    /// The key in `text`, or `None` when no server key of ours made it.
    pub fn parse(text: &str, keys: &ServerKeys) -> Option<Self> {
        KEY.made_by(text, keys).map(|_key_id| Self(text.to_owned()))
    }

    /// A key that a store wrote down earlier.
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ApiSecret {
    /// A new secret, checked under the signing key.
    pub fn mint(keys: &ServerKeys, entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        SECRET.mint(keys, entropy).map(Self)
    }

    /// The secret in `text`, or `None` when no server key of ours made it.
    pub fn parse(text: &str, keys: &ServerKeys) -> Option<Self> {
        SECRET.parse(text, keys).map(Self)
    }

    /// What the store knows the secret in `text` by, or `None` when no server key of ours made it.
    pub fn digest_of(text: &str, keys: &ServerKeys) -> Option<TokenDigest> {
        SECRET.digest_of(text, keys)
    }

    /// What a pair is remembered by whose halves are in `key` and `text`, whoever made them, or `None` when one does not
    /// look like it.
    ///
    /// It proves nothing: it is for finding what is remembered of a pair that was recognised before. It is of both halves: a secret
    /// with somebody else's key must not be found.
    pub fn unchecked_digest_of_pair(key: &str, text: &str) -> Option<TokenDigest> {
        let secret = SECRET.unchecked_digest_of(text).filter(|_| KEY.fits(key))?;
        Some(secret.with(key))
    }

    /// What the store knows this secret by.
    pub fn digest(&self) -> TokenDigest {
        self.0.digest()
    }

    /// The server key that this secret hangs on: without it, the pair is refused.
    pub fn key_id(&self) -> KeyId {
        self.0.key_id()
    }

    /// The secret itself, for the one answer that hands it out.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl fmt::Debug for ApiSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiSecret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Bearer, system::SystemEntropy};

    #[test]
    fn a_pair_is_32_and_64_characters_of_the_promised_alphabet() {
        let keys = ServerKeys::new([[1; 32]]).unwrap();
        let key = ApiKey::mint(&keys, &SystemEntropy).unwrap();
        let secret = ApiSecret::mint(&keys, &SystemEntropy).unwrap();
        for (text, prefix, length) in [(key.as_str(), "auk_", 32), (secret.expose(), "aus_", 64)] {
            assert!(text.starts_with(prefix) && text.len() == length, "{prefix}");
            assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));
        }
        assert_eq!(ApiKey::parse(key.as_str(), &keys), Some(key));
        assert_eq!(ApiSecret::parse(secret.expose(), &keys).unwrap().digest(), secret.digest());
        assert_eq!(ApiSecret::digest_of(secret.expose(), &keys), Some(secret.digest()));
        assert_eq!(format!("{secret:?}"), "ApiSecret(…)");
    }

    #[test]
    fn one_kind_of_secret_is_never_taken_for_another() {
        let keys = ServerKeys::new([[1; 32]]).unwrap();
        let secret = ApiSecret::mint(&keys, &SystemEntropy).unwrap();
        let bearer = Bearer::mint(&keys, &SystemEntropy).unwrap();
        assert!(Bearer::parse(secret.expose(), &keys).is_none());
        assert!(
            Bearer::parse(&secret.expose().replace("aus_", "aub_"), &keys).is_none(),
            "the check covers the prefix"
        );
        assert!(ApiSecret::parse(bearer.expose(), &keys).is_none());
    }
}
