use async_trait::async_trait;

use super::StoreError;
use crate::{CodeGuess, EmailId, KeyPairId, SessionId, Timestamp, UserId};

/// What became of a guess at a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Redeemed {
    /// It was right: what it opens is open, the code is used.
    Yes {
        /// What is open now.
        opened: Opened,
        /// Whose it is.
        user_id: UserId,
    },
    /// It was right and would have opened a session, but the account is disabled. The code is used, nothing else
    /// changed.
    Disabled,
    /// It was wrong, or there was nothing to guess at. A wrong guess has been counted.
    Refused,
}

/// What a code opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opened {
    /// A session is live; the address that the code went to and its user are verified.
    Session(SessionId),
    /// An address is verified.
    Email(EmailId),
    /// A key pair is verified.
    KeyPair(KeyPairId),
}

/// Verification codes.
#[async_trait]
pub trait Codes: Send + Sync {
    /// Judges a guess by [`judge`](crate::rules::judge) and stores the outcome, in one transaction.
    ///
    /// `by` is who guesses, where that is known: a code that leads to anybody else is refused, with nothing changed.
    /// Refused, with nothing changed, when the session or key pair that the code opens has ended, is open already or is
    /// gone. Refused, with the code used, when the address has meanwhile been verified by somebody else, and for
    /// an address or a key pair of an account that is disabled or not verified.
    async fn redeem_code(&self, guess: &CodeGuess, by: Option<UserId>, now: Timestamp) -> Result<Redeemed, StoreError>;
}
