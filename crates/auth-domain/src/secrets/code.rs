use std::fmt;

use zeroize::Zeroizing;

use crate::{CodeGuess, CodeHash, CodeId, CodePurpose, Entropy, EntropyError, ServerKeys};

/// How many codes there are: six decimal digits.
const CODES: u32 = 1_000_000;
/// The largest multiple of `CODES` that 24 bits can count to: draws from here on are repeated, so that every code
/// is equally likely.
const FAIR: u32 = 16_000_000;

/// Six digits that prove who reads the mail of an address.
pub struct VerificationCode(Zeroizing<String>);

impl VerificationCode {
    /// A new code, every one of the million equally likely.
    pub fn mint(entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        loop {
            let mut bytes = [0; 3];
            entropy.fill(&mut bytes)?;
            let [a, b, c] = bytes;
            let drawn = u32::from_be_bytes([0, a, b, c]);
            if drawn < FAIR {
                return Ok(Self(Zeroizing::new(format!("{:06}", drawn % CODES))));
            }
        }
    }

    /// The code in the digits of a mail that was sealed earlier.
    pub(crate) fn from_sealed(digits: &str) -> Self {
        Self(Zeroizing::new(digits.to_owned()))
    }

    /// The digits, for the mail.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is stored instead of the code: an HMAC-SHA-256 under the signing key, bound to the code's id and purpose.
    ///
    /// Keyed, because a million plain digests are computed in no time; bound, because a hash copied to another
    /// row must not open that one.
    pub fn hash(&self, id: CodeId, purpose: CodePurpose, keys: &ServerKeys) -> CodeHash {
        CodeHash::new(keys.list().signing().code_tag(id, purpose, &self.0))
    }
}

impl CodeGuess {
    /// What a guess at the code `id` hashes to: what the right code would be stored as, under each of our keys.
    ///
    /// `text` is whatever the client sent. What is not six digits is simply a guess that is never right, and
    /// counts as one.
    pub fn hashes(id: CodeId, purpose: CodePurpose, text: &str, keys: &ServerKeys) -> Vec<CodeHash> {
        keys.list().all().map(|key| CodeHash::new(key.code_tag(id, purpose, text))).collect()
    }
}

impl fmt::Debug for VerificationCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VerificationCode(…)")
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use uuid::Uuid;

    use super::*;
    use crate::{Actor, Network, Timestamp, system::SystemEntropy};

    fn guess(id: CodeId, purpose: CodePurpose, text: &str, keys: &ServerKeys) -> CodeGuess {
        CodeGuess {
            id,
            purpose,
            hashes: CodeGuess::hashes(id, purpose, text, keys),
            network: Network::of(IpAddr::from([192, 0, 2, 7])),
            by: Actor { user: None, credential: None, ip: None },
            at: Timestamp::from_unix_millis(0),
            event_id: Uuid::from_u128(3).into(),
            limits: None,
        }
    }

    #[test]
    fn a_code_is_six_digits_with_its_leading_zeros() {
        struct Zeros;
        impl Entropy for Zeros {
            fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
                bytes.fill(0);
                Ok(())
            }
        }
        assert_eq!(VerificationCode::mint(&Zeros).unwrap().expose(), "000000");
        for _ in 0..1000 {
            let code = VerificationCode::mint(&SystemEntropy).unwrap();
            assert!(code.expose().len() == 6 && code.expose().bytes().all(|b| b.is_ascii_digit()));
        }
    }

    #[test]
    fn every_leading_digit_is_about_equally_likely() {
        let mut counts = [0_u32; 10];
        for _ in 0..20_000 {
            let code = VerificationCode::mint(&SystemEntropy).unwrap();
            counts[usize::from(code.expose().as_bytes()[0] - b'0')] += 1;
        }
        // 2,000 expected; nine standard deviations (42 each) either way.
        assert!(counts.iter().all(|count| (1_600..2_400).contains(count)), "{counts:?}");
    }

    #[test]
    fn a_hash_is_bound_to_its_code_its_id_its_purpose_and_its_key() {
        let keys = ServerKeys::new([[1; 32]]).unwrap();
        let other_keys = ServerKeys::new([[2; 32]]).unwrap();
        let (id, other_id) = (CodeId::from(Uuid::from_u128(1)), CodeId::from(Uuid::from_u128(2)));
        let purpose = CodePurpose::SignIn;
        let code = VerificationCode::from_sealed("012345");
        let hash = code.hash(id, purpose, &keys);

        assert!(guess(id, purpose, "012345", &keys).matches(&hash));
        for wrong in [
            guess(id, purpose, "012346", &keys),
            guess(id, purpose, " 012345", &keys),
            guess(other_id, purpose, "012345", &keys),
            guess(id, purpose, "012345", &other_keys),
        ] {
            assert!(!wrong.matches(&hash));
        }
    }

    #[test]
    fn a_code_outlives_a_rotation() {
        let (id, purpose) = (CodeId::from(Uuid::from_u128(1)), CodePurpose::SignIn);
        let code = VerificationCode::from_sealed("012345");
        let hash = code.hash(id, purpose, &ServerKeys::new([[1; 32]]).unwrap());
        assert!(guess(id, purpose, "012345", &ServerKeys::new([[2; 32], [1; 32]]).unwrap()).matches(&hash));
    }
}
