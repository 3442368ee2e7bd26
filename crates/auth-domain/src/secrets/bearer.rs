use std::fmt;

use super::{
    ServerKeys,
    server_keys::KeyId,
    token::{Shape, Token, TokenDigest},
};
use crate::{Entropy, EntropyError};

/// 226 random bits, 130 bits of check.
const SHAPE: Shape = Shape { prefix: "aub_", random: 38, check: 22 };

/// The secret that a session is used with: 64 characters, shown once, stored only as a [`TokenDigest`].
///
/// `aub_`, 226 random bits, and a keyed check that lets an invented bearer be refused without asking the store.
pub struct Bearer(Token);

impl Bearer {
    /// A new bearer, checked under the signing key.
    pub fn mint(keys: &ServerKeys, entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        SHAPE.mint(keys, entropy).map(Self)
    }

    /// The bearer in `text`, or `None` when no key of ours made it.
    pub fn parse(text: &str, keys: &ServerKeys) -> Option<Self> {
        SHAPE.parse(text, keys).map(Self)
    }

    /// What the store knows the bearer in `text` by, or `None` when no key of ours made it.
    pub fn digest_of(text: &str, keys: &ServerKeys) -> Option<TokenDigest> {
        SHAPE.digest_of(text, keys)
    }

    /// What the store would know the bearer in `text` by, whoever made it, or `None` when it does not look like one.
    ///
    /// It proves nothing: it is for finding what is remembered of a bearer that was recognised before.
    pub fn unchecked_digest_of(text: &str) -> Option<TokenDigest> {
        SHAPE.unchecked_digest_of(text)
    }

    /// What the store knows this bearer by.
    pub fn digest(&self) -> TokenDigest {
        self.0.digest()
    }

    /// The key that this bearer hangs on: without it, the bearer is refused.
    pub fn key_id(&self) -> KeyId {
        self.0.key_id()
    }

    /// The secret itself, for the one answer that hands it out.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bearer(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::SystemEntropy;

    #[test]
    fn a_bearer_is_64_characters_of_the_promised_alphabet_and_prints_as_nothing() {
        let bearer = Bearer::mint(&ServerKeys::new([[1; 32]]).unwrap(), &SystemEntropy).unwrap();
        assert_eq!(bearer.expose().len(), 64);
        assert_eq!(Bearer::digest_of(bearer.expose(), &ServerKeys::new([[1; 32]]).unwrap()), Some(bearer.digest()));
        assert_eq!(Bearer::digest_of(bearer.expose(), &ServerKeys::new([[2; 32]]).unwrap()), None);
        assert!(bearer.expose().starts_with("aub_"));
        assert!(bearer.expose().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));
        assert_eq!(format!("{bearer:?} {:?}", bearer.digest()), "Bearer(…) TokenDigest(…)");
    }
}
