use std::{fmt, hint::black_box};

use ring::{digest, hmac};
use zeroize::Zeroizing;

use super::{
    ServerKeys, base62,
    server_keys::{KeyId, ServerKey},
};
use crate::{Entropy, EntropyError};

/// How one kind of token is made: its prefix, then random characters, then a keyed check over both.
///
/// The check is a truncated HMAC-SHA-256 under a server key: an invented token is refused by arithmetic, before
/// anything is asked of the store. The prefix tells one kind from another, to us and to scanners for leaked secrets.
pub(super) struct Shape {
    pub(super) prefix: &'static str,
    /// Characters of base 62, each worth log2(62) = 5.95 random bits.
    pub(super) random: usize,
    /// Characters of the check.
    pub(super) check: usize,
}

/// A token of some shape, and the server key that its check hangs on.
pub(super) struct Token {
    text: Zeroizing<String>,
    key_id: KeyId,
}

/// The SHA-256 of a secret with more than 190 random bits: safe to store, useless to steal.
///
/// A plain digest is enough here: there is nothing to guess in a secret of that size, so nothing to slow down.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenDigest([u8; 32]);

impl Shape {
    const fn length(&self) -> usize {
        self.prefix.len() + self.random + self.check
    }

    /// Whether `text` has the length and the beginning of a token.
    pub(super) fn fits(&self, text: &str) -> bool {
        text.len() == self.length() && text.starts_with(self.prefix)
    }

    /// A new token, checked under the signing key.
    pub(super) fn mint(&self, keys: &ServerKeys, entropy: &dyn Entropy) -> Result<Token, EntropyError> {
        let mut text = Zeroizing::new(String::with_capacity(self.length()));
        text.push_str(self.prefix);
        base62::push_random(&mut text, self.random, entropy)?;
        let keys = keys.list();
        let key = keys.signing();
        let tag = hmac::sign(key.token_check(), text.as_bytes());
        text.extend(base62::of_tag(tag.as_ref(), self.check));
        Ok(Token { text, key_id: key.id() })
    }

    /// The token in `text`, or `None` when no key of ours made it.
    pub(super) fn parse(&self, text: &str, keys: &ServerKeys) -> Option<Token> {
        let key_id = self.made_by(text, keys)?;
        Some(Token { text: Zeroizing::new(text.to_owned()), key_id })
    }

    /// The digest of the token in `text`, or `None` when no key of ours made it. The secret is not copied.
    pub(super) fn digest_of(&self, text: &str, keys: &ServerKeys) -> Option<TokenDigest> {
        self.made_by(text, keys).map(|_key_id| TokenDigest::of(text))
    }

    /// The digest of what is in `text`, whoever made it; `None` if it does not look like a token.
    pub(super) fn unchecked_digest_of(&self, text: &str) -> Option<TokenDigest> {
        self.fits(text).then(|| TokenDigest::of(text))
    }

    /// Which key of ours made the token in `text`, if one did.
    pub(super) fn made_by(&self, text: &str, keys: &ServerKeys) -> Option<KeyId> {
        if !self.fits(text) {
            return None;
        }
        let (body, check) = text.split_at_checked(self.prefix.len() + self.random)?;
        if !base62::is_base62(body.strip_prefix(self.prefix)?) {
            return None;
        }
        let made_it = |key: &&ServerKey| {
            let tag = hmac::sign(key.token_check(), body.as_bytes());
            equal_in_constant_time(base62::of_tag(tag.as_ref(), self.check), check)
        };
        keys.list().all().find(made_it).map(ServerKey::id)
    }
}

impl Token {
    pub(super) fn digest(&self) -> TokenDigest {
        TokenDigest::of(&self.text)
    }

    pub(super) fn key_id(&self) -> KeyId {
        self.key_id
    }

    pub(super) fn expose(&self) -> &str {
        &self.text
    }
}

impl TokenDigest {
    fn of(token: &str) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
        Self(bytes)
    }

    /// A digest that a store wrote down earlier.
    pub const fn from_stored(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The digest's octets.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// A digest of this one and a public half together, by which the two are remembered as a pair.
    #[must_use]
    pub(super) fn with(&self, key: &str) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        // Longer than any token: the digest of a pair is never that of something else that somebody shows.
        context.update(b"pair of ");
        context.update(&self.0);
        context.update(key.as_bytes());
        let mut bytes = [0; 32];
        bytes.copy_from_slice(context.finish().as_ref());
        Self(bytes)
    }
}

/// Looks at every character whatever the first ones say, so that the time taken tells nothing about the check.
fn equal_in_constant_time(expected: impl ExactSizeIterator<Item = char>, given: &str) -> bool {
    let is_as_long = expected.len() == given.len();
    let differs = |seen, (x, y): (char, u8)| black_box(seen | (u32::from(x) ^ u32::from(y)));
    is_as_long && expected.zip(given.bytes()).fold(0, differs) == 0
}

impl fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenDigest(…)")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::system::SystemEntropy;

    fn keys(seeds: &[u8]) -> ServerKeys {
        ServerKeys::new(seeds.iter().map(|seed| [*seed; 32])).unwrap()
    }

    const SHAPE: Shape = Shape { prefix: "test_", random: 33, check: 22 };

    #[test]
    fn a_minted_token_is_recognised_and_has_one_digest() {
        let keys = keys(&[1]);
        let minted = SHAPE.mint(&keys, &SystemEntropy).unwrap();
        let parsed = SHAPE.parse(minted.expose(), &keys).unwrap();
        assert_eq!(parsed.digest(), minted.digest());
        assert_eq!(parsed.key_id(), minted.key_id());
    }

    #[test]
    fn changing_any_single_character_makes_it_an_invented_one() {
        let keys = keys(&[1]);
        let minted = SHAPE.mint(&keys, &SystemEntropy).unwrap();
        for position in 0..60 {
            let mut bytes = minted.expose().as_bytes().to_vec();
            bytes[position] = if bytes[position] == b'x' { b'y' } else { b'x' };
            assert!(SHAPE.parse(std::str::from_utf8(&bytes).unwrap(), &keys).is_none(), "position {position}");
        }
    }

    #[test]
    fn anything_of_the_wrong_shape_is_refused() {
        let keys = keys(&[1]);
        let multibyte = format!("test_{}", "é".repeat(27));
        for text in ["", "test_", "x", &"a".repeat(60), &"test_".repeat(12), &multibyte, &"é".repeat(30)] {
            assert!(SHAPE.parse(text, &keys).is_none(), "{text}");
        }
    }

    #[test]
    fn tokens_survive_a_rotation_until_their_key_is_removed() {
        let old = SHAPE.mint(&keys(&[1]), &SystemEntropy).unwrap();
        let rotated = keys(&[2, 1]);
        assert_eq!(SHAPE.parse(old.expose(), &rotated).unwrap().key_id(), old.key_id());
        assert_ne!(SHAPE.mint(&rotated, &SystemEntropy).unwrap().key_id(), old.key_id(), "the first key signs");
        assert!(SHAPE.parse(old.expose(), &keys(&[2])).is_none());
    }

    #[test]
    fn ten_thousand_tokens_are_all_different() {
        let keys = keys(&[1]);
        let minted: HashSet<_> = (0..10_000).map(|_| SHAPE.mint(&keys, &SystemEntropy).unwrap().digest()).collect();
        assert_eq!(minted.len(), 10_000);
    }
}
