use async_trait::async_trait;

use super::StoreError;
use crate::{CodeGuess, EmailId, KeyPairId, Refusal, SessionId, UserId};

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
        /// Whether it made an account of a registration.
        registered: bool,
    },
    /// It was right and would have opened a session, but the account is disabled. The code is used, nothing else
    /// changed.
    Disabled {
        /// Whose account it is.
        user_id: UserId,
    },
    /// It was wrong, and has been counted.
    Wrong {
        /// Whom the code leads to; nobody, for a decoy, be it a sign-in or a registration.
        owner: Option<UserId>,
    },
    /// There was nothing to guess at.
    Refused,
    /// There is something to guess at, but too much was guessed wrong at the codes of its address: it was not judged, and not
    /// counted. To whoever guesses this is the same as being refused.
    Shut(Refusal),
    /// The network asks too much; nothing was looked at.
    Throttled(Refusal),
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
    /// Judges a guess by [`judge`](crate::rules::judge) at `guess.at` and stores the outcome, in one transaction. The
    /// audit log gets what [`rules`](crate::rules) says of it; a refused guess leaves nothing there.
    ///
    /// If `guess.limits` are given:
    ///
    /// 1. A stranger's guess is charged for as a request of its network, whatever comes of it; without room it ends here.
    /// 2. Before it is judged whether a guess at a living code is right, [`judge_guessing`](crate::rules::judge_guessing) decides by
    ///    the wrong guesses at the codes of the same address: those from the guesser's network, if it is known to the address,
    ///    else those of all strangers. These are one budget, whichever of its codes are guessed at.
    /// 3. A wrong guess is [counted there](crate::rules::after_failure). One that opens something ends the count of its network,
    ///    and that of strangers [in a row](crate::rules::after_success).
    ///
    /// With limits or without, a sign-in makes the guesser's network known to the address from `guess.at` on, in place of
    /// [others](crate::rules::forgotten_networks) if there are too many.
    ///
    /// If `guess.by` is a known user, a code that leads to anybody else is refused, with nothing changed.
    /// Refused, with nothing changed, when the session or key pair that the code opens has ended, is open already or is
    /// gone. Refused, with the code used, when the address has meanwhile got another owner, and for an address or a key pair
    /// of an account that is disabled or not verified.
    async fn redeem_code(&self, guess: &CodeGuess) -> Result<Redeemed, StoreError>;
}
