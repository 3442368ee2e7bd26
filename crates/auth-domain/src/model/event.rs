use std::net::IpAddr;

use uuid::Uuid;

use crate::{Actor, Entropy, EntropyError, EventId, Timestamp, UserId};

/// One line of the audit log: something about security that happened. It holds no secret, no code and no address.
///
/// It is stored by the fact that it tells of, in the same transaction, and outlives everybody it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The event's id; one of a later millisecond, on one machine, is greater.
    pub id: EventId,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub kind: EventKind,
    /// How it ended.
    pub outcome: EventOutcome,
    /// Who did it, if that is a user who is known.
    pub actor: Option<UserId>,
    /// Whom it is about, if that is a user.
    pub subject: Option<UserId>,
    /// The session or key pair that it was done with, or that came of it.
    pub credential: Option<Uuid>,
    /// The client's address; none on the command line.
    pub ip: Option<IpAddr>,
    /// What else there is to say, such as a role's name or the id of what it is about.
    pub detail: String,
}

/// How an event ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventOutcome {
    /// It was done.
    Success,
    /// It was refused.
    Failure,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $text:literal),+ $(,)?) => {
        /// What can happen, as far as the audit log is concerned.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum EventKind {
            $($(#[$doc])* $name),+
        }

        impl EventKind {
            /// Every one there is.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The kind as it is stored and told.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text),+
                }
            }
        }
    };
}

kinds! {
    /// A registration was completed: there is a new account, and a session with it.
    Registered = "user.registered",
    /// An administrator made an account; the detail names the key pair that was made along with it.
    UserCreated = "user.created",
    /// An administrator made an account and had it invited by mail.
    UserInvited = "user.invited",
    /// An account was deleted.
    UserDeleted = "user.deleted",
    /// An account was disabled, which ended its sessions and key pairs.
    UserDisabled = "user.disabled",
    /// An account was enabled.
    UserEnabled = "user.enabled",
    /// An administrator vouched for a user.
    UserVerified = "user.verified",
    /// A user counts as unverified again, which ended the sessions and key pairs.
    UserUnverified = "user.unverified",
    /// A role was given.
    RoleGranted = "role.granted",
    /// A role was taken.
    RoleRevoked = "role.revoked",
    /// A group was joined.
    GroupGranted = "group.granted",
    /// A group was left.
    GroupRevoked = "group.revoked",
    /// A code was redeemed and a session is live.
    SignedIn = "session.signed-in",
    /// An administrator opened a session.
    SessionOpened = "session.opened",
    /// An administrator let a session that waited for its code go live.
    SessionVerified = "session.verified",
    /// A session was closed.
    SessionClosed = "session.closed",
    /// All of a user's other sessions were closed.
    OtherSessionsClosed = "session.others-closed",
    /// A verification code was guessed wrong, or the right one was refused.
    CodeFailed = "code.failed",
    /// A request was refused by a limit, which the detail names. A flood of them is told once in a while.
    Throttled = "throttled",
    /// The wrong guesses at the codes of an address were forgotten.
    UserUnlocked = "user.unlocked",
    /// An address was added.
    EmailAdded = "email.added",
    /// An address was verified.
    EmailVerified = "email.verified",
    /// An address is the preferred one from now on.
    EmailPreferred = "email.preferred",
    /// An address was removed.
    EmailRemoved = "email.removed",
    /// A key pair was made.
    KeyPairCreated = "key-pair.created",
    /// A key pair was verified.
    KeyPairVerified = "key-pair.verified",
    /// A key pair was deleted.
    KeyPairDeleted = "key-pair.deleted",
}

impl EventKind {
    /// The kind that was stored as `text`.
    pub fn from_stored(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == text)
    }
}

impl EventOutcome {
    /// The outcome as it is stored and told.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
        }
    }

    /// The outcome that was stored as `text`.
    pub fn from_stored(text: &str) -> Option<Self> {
        [Self::Success, Self::Failure].into_iter().find(|outcome| outcome.as_str() == text)
    }
}

impl Event {
    /// Something that `actor` does at `now` with success, about nobody in particular.
    pub fn new(kind: EventKind, actor: &Actor, now: Timestamp, entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        Ok(Self {
            id: EventId::mint(now, entropy)?,
            at: now,
            kind,
            outcome: EventOutcome::Success,
            actor: actor.user,
            subject: None,
            credential: actor.credential.map(crate::CredentialId::uuid),
            ip: actor.ip,
            detail: String::new(),
        })
    }

    /// The same about `user`.
    #[must_use]
    pub fn about(self, user: UserId) -> Self {
        Self { subject: Some(user), ..self }
    }

    /// The same with this detail.
    #[must_use]
    pub fn detailed(self, detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_of_a_kind_and_an_outcome_leads_back_to_it() {
        for kind in EventKind::ALL {
            assert_eq!(EventKind::from_stored(kind.as_str()), Some(*kind));
        }
        for outcome in [EventOutcome::Success, EventOutcome::Failure] {
            assert_eq!(EventOutcome::from_stored(outcome.as_str()), Some(outcome));
        }
        assert_eq!(EventKind::from_stored("user.fed"), None);
    }
}
