use std::fmt;

use uuid::Uuid;

use crate::{Entropy, EntropyError, Timestamp};

/// A new UUID of version 7 (RFC 9562 §5.7): the time first, so that neighbours in time are neighbours in an index.
pub fn mint_uuid(now: Timestamp, entropy: &dyn Entropy) -> Result<Uuid, EntropyError> {
    let mut random = [0; 10];
    entropy.fill(&mut random)?;
    let millis = u64::try_from(now.unix_millis()).unwrap_or(0);
    Ok(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id from the clock and the random source.
            pub fn mint(now: Timestamp, entropy: &dyn Entropy) -> Result<Self, EntropyError> {
                mint_uuid(now, entropy).map(Self)
            }

            /// The id as a UUID.
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )+};
}

ids! {
    /// Names a user.
    UserId,
    /// Names one address of one user.
    EmailId,
    /// Names a session, live or waiting for its code.
    SessionId,
    /// Names a key pair, verified or waiting for its code.
    KeyPairId,
    /// Names a verification code: what a client sends along with the six digits.
    CodeId,
    /// Names a mail in the outbox.
    MailId,
    /// Names a line of the audit log.
    EventId,
}

/// Names what a request was signed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CredentialId {
    /// A session.
    Session(SessionId),
    /// A key pair.
    KeyPair(KeyPairId),
}

impl CredentialId {
    /// The id as a UUID.
    pub const fn uuid(self) -> Uuid {
        match self {
            Self::Session(id) => id.uuid(),
            Self::KeyPair(id) => id.uuid(),
        }
    }
}
