//! What facts come to.

use crate::{EmailId, KeyPairId, Refusal, SessionId, UserId};

/// Whether a sign-in that somebody asked for could be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum SignInStored {
    /// It is: for whoever has the address, or as a decoy.
    Yes,
    /// It is not: a limit holds it back. Nothing was charged for it.
    Throttled(Refusal),
}

/// What became of a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Registered {
    /// It is stored.
    Yes,
    /// Its alias is taken; nothing was stored.
    AliasTaken,
    /// Its address was registered or freed meanwhile; nothing was stored.
    Stale,
    /// A limit holds it back; nothing was stored, and nothing was charged for it.
    Throttled(Refusal),
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

/// What became of an address that an administrator speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Vouched {
    /// It is stored.
    Yes,
    /// It was so already: nothing was done, and nothing recorded or queued.
    Already,
    /// It has another owner; nothing was stored.
    Taken,
    /// There is no such address, or what this builds on has changed; nothing was stored.
    Stale,
}

/// Whether a fact could be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Applied {
    /// It was.
    Yes,
    /// It was not: what it builds on is gone or was changed by somebody else.
    Stale,
}

/// What became of a request for the code of an address or a key pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Requested {
    /// It is stored, and the code is on its way.
    Yes,
    /// It is not: what it builds on is gone or was changed by somebody else. Nothing was charged for it.
    Stale,
    /// It is not: a limit holds it back. Nothing was charged for it.
    Throttled(Refusal),
}

/// What became of a session or a key pair that an administrator verifies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Verified {
    /// It waited for its code and is live from now on; this is whose it is.
    Yes(UserId),
    /// It was verified already: nothing was done, and nothing recorded.
    Already,
    /// There is none.
    Missing,
}

/// What became of an account that an administrator makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Created {
    /// It is stored.
    Yes,
    /// Its alias is taken; nothing was stored.
    AliasTaken,
    /// Its address has an owner; nothing was stored.
    AddressTaken,
}

/// What became of a change to a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Changed {
    /// It was made.
    Yes,
    /// The user was that way already: nothing was done, and nothing recorded.
    Already,
    /// There is no such user, or nothing to take away.
    Missing,
    /// Nobody would be left to administer users: nothing was done.
    LastAdministrator,
}

/// What became of unlocking an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Unlocked {
    /// All of its wrong guesses are forgotten; this is who owns it, if anybody does.
    Yes(Option<UserId>),
    /// Nothing had been guessed wrong: nothing was done, and nothing recorded.
    Already,
}
