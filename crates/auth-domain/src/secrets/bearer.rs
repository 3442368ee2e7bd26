use std::{fmt, hint::black_box};

use ring::{digest, hmac};
use zeroize::Zeroizing;

use super::{ServerKeys, base62, server_keys::KeyId};
use crate::{Entropy, EntropyError};

/// So that secret scanners can find a leaked one.
const PREFIX: &str = "aub_";
/// 38 characters of base 62 hold 226 random bits.
const RANDOM: usize = 38;
/// 22 characters of base 62 hold 130 bits of the keyed check.
const CHECK: usize = 22;

/// The secret that a session is used with: 64 characters, shown once, stored only as a [`TokenDigest`].
///
/// `aub_`, 226 random bits, and a truncated HMAC-SHA-256 of both under a server key. The check lets an invented
/// bearer be refused by arithmetic, before anything is asked of the store.
pub struct Bearer {
    text: Zeroizing<String>,
    key_id: KeyId,
}

/// The SHA-256 of a secret with more than 190 random bits: safe to store, useless to steal.
///
/// A plain digest is enough here: there is nothing to guess in a secret of that size, so nothing to slow down.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenDigest([u8; 32]);

impl Bearer {
    /// A new bearer, checked under the signing key.
    pub fn mint(keys: &ServerKeys, entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        let mut text = Zeroizing::new(String::with_capacity(PREFIX.len() + RANDOM + CHECK));
        text.push_str(PREFIX);
        base62::push_random(&mut text, RANDOM, entropy)?;
        let key = keys.signing();
        let check = check_of(&text, key.token_check());
        text.push_str(&check);
        Ok(Self { text, key_id: key.id() })
    }

    /// The bearer in `text`, or `None` when no key of ours made it.
    pub fn parse(text: &str, keys: &ServerKeys) -> Option<Self> {
        if text.len() != PREFIX.len() + RANDOM + CHECK {
            return None;
        }
        let (body, check) = text.split_at_checked(PREFIX.len() + RANDOM)?;
        if !base62::is_base62(body.strip_prefix(PREFIX)?) {
            return None;
        }
        let key = keys.all().find(|key| equal_in_constant_time(&check_of(body, key.token_check()), check))?;
        Some(Self { text: Zeroizing::new(text.to_owned()), key_id: key.id() })
    }

    /// What the store knows this bearer by.
    pub fn digest(&self) -> TokenDigest {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest::digest(&digest::SHA256, self.text.as_bytes()).as_ref());
        TokenDigest(bytes)
    }

    /// The key that this bearer hangs on: without it, the bearer is refused.
    pub fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// The secret itself, for the one answer that hands it out.
    pub fn expose(&self) -> &str {
        &self.text
    }
}

impl TokenDigest {
    /// A digest that a store wrote down earlier.
    pub const fn from_stored(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The digest's octets.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

fn check_of(body: &str, key: &hmac::Key) -> String {
    let mut check = String::with_capacity(CHECK);
    base62::push_tag(&mut check, CHECK, hmac::sign(key, body.as_bytes()).as_ref());
    check
}

/// Looks at every character whatever the first ones say, so that the time taken tells nothing about the check.
fn equal_in_constant_time(a: &str, b: &str) -> bool {
    let difference = a.bytes().zip(b.bytes()).fold(0, |seen, (x, y)| black_box(seen | (x ^ y)));
    a.len() == b.len() && difference == 0
}

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bearer(…)")
    }
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

    #[test]
    fn a_bearer_is_64_characters_of_the_promised_alphabet() {
        let bearer = Bearer::mint(&keys(&[1]), &SystemEntropy).unwrap();
        assert_eq!(bearer.expose().len(), 64);
        assert!(bearer.expose().starts_with("aub_"));
        assert!(bearer.expose().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));
    }

    #[test]
    fn a_minted_bearer_is_recognised_and_has_one_digest() {
        let keys = keys(&[1]);
        let minted = Bearer::mint(&keys, &SystemEntropy).unwrap();
        let parsed = Bearer::parse(minted.expose(), &keys).unwrap();
        assert_eq!(parsed.digest(), minted.digest());
        assert_eq!(parsed.key_id(), minted.key_id());
    }

    #[test]
    fn changing_any_single_character_makes_it_an_invented_one() {
        let keys = keys(&[1]);
        let minted = Bearer::mint(&keys, &SystemEntropy).unwrap();
        for position in 0..64 {
            let mut bytes = minted.expose().as_bytes().to_vec();
            bytes[position] = if bytes[position] == b'x' { b'y' } else { b'x' };
            assert!(Bearer::parse(std::str::from_utf8(&bytes).unwrap(), &keys).is_none(), "position {position}");
        }
    }

    #[test]
    fn anything_of_the_wrong_shape_is_refused() {
        let keys = keys(&[1]);
        let multibyte = format!("aub_{}", "é".repeat(30));
        for text in ["", "aub_", "x", &"a".repeat(64), &"aub_".repeat(16), &multibyte, &"é".repeat(32)] {
            assert!(Bearer::parse(text, &keys).is_none(), "{text}");
        }
    }

    #[test]
    fn bearers_survive_a_rotation_until_their_key_is_removed() {
        let old = Bearer::mint(&keys(&[1]), &SystemEntropy).unwrap();
        let rotated = keys(&[2, 1]);
        assert_eq!(Bearer::parse(old.expose(), &rotated).unwrap().key_id(), old.key_id());
        assert_ne!(Bearer::mint(&rotated, &SystemEntropy).unwrap().key_id(), old.key_id(), "the first key signs");
        assert!(Bearer::parse(old.expose(), &keys(&[2])).is_none());
    }

    #[test]
    fn ten_thousand_bearers_are_all_different() {
        let keys = keys(&[1]);
        let minted: HashSet<_> = (0..10_000).map(|_| Bearer::mint(&keys, &SystemEntropy).unwrap().digest()).collect();
        assert_eq!(minted.len(), 10_000);
    }

    #[test]
    fn a_printed_bearer_shows_nothing() {
        let bearer = Bearer::mint(&keys(&[1]), &SystemEntropy).unwrap();
        assert_eq!(format!("{bearer:?} {:?}", bearer.digest()), "Bearer(…) TokenDigest(…)");
    }
}
