use std::time::Duration;

use crate::{EntropyError, Limit, StoreError};

/// Everything a use case can end in besides success: outcomes that a caller can act on.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AuthError {
    /// What was sent does not parse.
    #[error(transparent)]
    InvalidInput(#[from] InvalidInput),
    /// The credential is missing, malformed, unknown, expired, revoked or not yet verified.
    #[error("the credential is not valid")]
    InvalidCredential,
    /// The verification code is wrong, unknown, used, expired or exhausted: which one is not told.
    #[error("the verification code is not valid")]
    CodeRefused,
    /// Nobody can register themselves here.
    #[error("registration is closed")]
    RegistrationClosed,
    /// The session cannot be extended any further.
    #[error("the session is at its maximum age")]
    SessionAtMaximumAge,
    /// The right code of an account that an administrator disabled.
    #[error("the account is disabled")]
    AccountDisabled,
    /// There is no such thing, or it is not the caller's.
    #[error("not found")]
    NotFound,
    /// The alias belongs to somebody.
    #[error("the alias is taken")]
    AliasTaken,
    /// The caller's own address is verified already.
    #[error("the address is verified already")]
    AddressVerified,
    /// The address is not verified yet.
    #[error("the address is not verified")]
    AddressUnverified,
    /// The address is the preferred or the last verified one of its account.
    #[error("the address is the preferred or the last verified one")]
    AddressNeeded,
    /// Too many addresses of the account wait for their verification.
    #[error("too many addresses wait for their verification")]
    TooManyAddresses,
    /// The address belongs to another account.
    #[error("the address belongs to another account")]
    AddressTaken,
    /// The caller lacks a role that was asked for.
    #[error("the caller lacks a role")]
    RoleLacking,
    /// The caller is a key pair that was narrowed, and this would change its owner.
    #[error("the key pair was narrowed")]
    KeyPairNarrowed,
    /// The caller has to sign in anew for this.
    #[error("this takes a recent sign-in")]
    StepUpRequired,
    /// The user is not verified, or disabled: a credential of theirs would not be accepted.
    #[error("the user is not verified, or disabled")]
    UserNotActive,
    /// Nobody would be left to administer users.
    #[error("the last administrator cannot be removed")]
    LastAdministrator,
    /// Too much was asked for, or guessed wrong, in too little time.
    #[error("the limit {} lets no more through", .limit.as_str())]
    Throttled {
        /// What holds it back. Not for whoever asks: they would learn how an address is.
        limit: Limit,
        /// After how long it can be asked again.
        retry_after: Duration,
    },
    /// The store could not answer: nothing is known, least of all that a credential is invalid.
    #[error("the store could not answer")]
    Store(#[from] StoreError),
    /// The random source failed.
    #[error("no secret could be made")]
    Entropy(#[from] EntropyError),
}

/// Which input does not parse, and the rule that it breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidInput {
    /// Not an address we could mail to.
    #[error("not a valid e-mail address of at most 254 characters")]
    EmailAddress,
    /// Not an alias.
    #[error("an alias is 1 to 32 ASCII letters, digits, '.', '_' or '-'")]
    Alias,
    /// Not a full name.
    #[error("a full name is 1 to 128 characters, with something to see and no control characters")]
    FullName,
    /// Not a name for a key pair.
    #[error("a key's name is 1 to 64 characters, with something to see and no control characters")]
    KeyName,
    /// Not a life for a key pair.
    #[error("a key lives 1 to 3650 days")]
    KeyDays,
    /// A kind of session that is not on offer.
    #[error("no such kind of session")]
    SessionKind,
    /// Not a role.
    #[error("a role is 1 to 64 of a-z, 0-9, '_', '.' and '-'")]
    RoleName,
    /// Not a group.
    #[error("a group is 1 to 64 of a-z, 0-9, '_', '.' and '-'")]
    GroupName,
    /// Not a page of a list.
    #[error("pages are counted from 1 and hold 1 to 100 items")]
    Page,
    /// Not a page to invite somebody to.
    #[error("a portal is a plain http or https URL of at most 512 characters without six digits in a row")]
    PortalUrl,
}

#[cfg(test)]
impl PartialEq for AuthError {
    fn eq(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}
