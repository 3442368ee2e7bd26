//! What facts come to.

use crate::{EmailId, KeyPairId, Refusal, SessionId, UserId};

/// What a fact comes to. Each says which of these it may, if that is not plain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Outcome<T = ()> {
    /// It happened, and all of it is stored.
    Done(T),
    /// It was so already: nothing was done, and nothing recorded or queued.
    Unchanged,
    /// There is nothing that it could happen to.
    NotFound,
    /// It did not happen: what it builds on is gone or was changed by somebody else. Whoever looks again sees how it is now.
    Stale,
    /// It did not happen: something else must not be as it would have become.
    Conflict(Conflict),
    /// It did not happen: a limit holds it back, and nothing was charged for it.
    RateLimited(Refusal),
}

/// What stands against a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conflict {
    /// The alias is somebody else's.
    AliasTaken,
    /// The address is somebody else's.
    AddressTaken,
    /// Nobody would be left to administer users.
    LastAdministrator,
}

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
