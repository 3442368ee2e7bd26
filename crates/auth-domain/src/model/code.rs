use std::{fmt, hint::black_box, time::Duration};

use crate::{Actor, AddressKey, CodeId, Entropy, EntropyError, EventId, KeyId, Limits, Network, Timestamp};

/// What a code opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CodePurpose {
    /// A session, and with it the address that the code was mailed to.
    SignIn,
    /// An address that its account has added.
    Email,
    /// A key pair.
    KeyPair,
}

impl CodePurpose {
    /// The purpose that was stored as `text`.
    pub fn from_stored(text: &str) -> Option<Self> {
        [Self::SignIn, Self::Email, Self::KeyPair].into_iter().find(|purpose| purpose.as_str() == text)
    }

    /// The purpose as it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SignIn => "sign-in",
            Self::Email => "email",
            Self::KeyPair => "key-pair",
        }
    }
}

/// A code's keyed hash: all that is stored of it.
#[derive(Clone, PartialEq, Eq)]
pub struct CodeHash([u8; 32]);

impl CodeHash {
    /// A hash as it was computed or stored.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A hash that no code has: what a decoy carries in place of one.
    pub(crate) fn unreachable(entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        let mut bytes = [0; 32];
        entropy.fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// The hash's octets.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// A code about to be stored.
#[derive(Debug, Clone)]
pub struct NewCode {
    /// The code's id.
    pub id: CodeId,
    /// What it opens.
    pub purpose: CodePurpose,
    /// What a right guess hashes to.
    pub hash: CodeHash,
    /// The server key that the hash and the mail hang on.
    pub key_id: KeyId,
    /// The address that was asked about.
    pub address: AddressKey,
    /// The network that asked.
    pub network: Network,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends at the latest; its mail's hand-over brings this forward.
    pub expires_at: Timestamp,
}

/// Somebody's try at a code.
#[derive(Clone)]
pub struct CodeGuess {
    /// The code that is tried.
    pub id: CodeId,
    /// What the caller wants opened.
    pub purpose: CodePurpose,
    /// What the guess hashes to under each server key.
    pub hashes: Vec<CodeHash>,
    /// The network that guesses.
    pub network: Network,
    /// Who guesses. If a user is known, a code that leads to anybody else is refused.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
    /// Names what the audit log will say of it.
    pub event_id: EventId,
    /// What the guess is measured by; `None` if there are no limits but a code's own tries.
    pub limits: Option<Limits>,
}

impl CodeGuess {
    /// Whether the guess is right for a code stored as `hash`.
    pub fn matches(&self, hash: &CodeHash) -> bool {
        self.hashes.iter().fold(false, |found, guess| {
            let difference = guess.0.iter().zip(&hash.0).fold(0, |seen, (a, b)| black_box(seen | (a ^ b)));
            found || (difference == 0)
        })
    }
}

/// What is known of a stored code when a guess is judged.
#[derive(Debug, Clone)]
pub struct CodeState {
    /// What it opens.
    pub purpose: CodePurpose,
    /// What a right guess hashes to.
    pub hash: CodeHash,
    /// Wrong guesses so far.
    pub wrong_guesses: u32,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Whether it was used or replaced.
    pub ended: bool,
}

/// A code that could still be redeemed, as far as deciding who replaces whom needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LivingCode {
    /// The code's id.
    pub id: CodeId,
    /// The network that asked for it.
    pub network: Network,
    /// When it was made.
    pub created_at: Timestamp,
}

/// The rules that every code obeys.
impl CodeState {
    /// Guesses that one code survives.
    pub const TRIES: u32 = 5;
    /// How long a code lives once the mail server has its mail.
    pub const LIFE_AFTER_HAND_OVER: Duration = Duration::from_mins(10);
    /// How long a code lives at most, its mail's waiting included.
    pub const LIFE_AT_MOST: Duration = Duration::from_hours(1);
    /// Sign-in codes that can be alive for one address.
    pub const LIVING_PER_ADDRESS: usize = 5;

    /// Whether a right guess would still be accepted at `now`.
    pub fn is_living_at(&self, now: Timestamp) -> bool {
        Self::is_living(self.ended, self.wrong_guesses, self.expires_at, now)
    }

    /// The same of a code of which no more is known.
    pub fn is_living(ended: bool, wrong_guesses: u32, expires_at: Timestamp, now: Timestamp) -> bool {
        !ended && wrong_guesses < Self::TRIES && now < expires_at
    }
}

impl fmt::Debug for CodeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CodeHash(…)")
    }
}

impl fmt::Debug for CodeGuess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CodeGuess").field("id", &self.id).field("purpose", &self.purpose).finish_non_exhaustive()
    }
}
