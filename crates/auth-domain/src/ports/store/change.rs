use crate::{
    AddressKey, CodeId, EmailId, Event, KeyPairId, Network, QueuedMail, SessionId, Timestamp, UserId,
    archive::{
        CodeRecord, EmailRecord, FailureRecord, KeyPairRecord, KnownNetworkRecord, SessionRecord, ThrottleRecord,
        UserRecord,
    },
};

/// One thing that is written. What refers to something that is deleted goes with it: addresses, sessions, key pairs and
/// codes with their user, codes with what they open and with their address, networks with their address; a mail whose code
/// goes stays, without it.
#[derive(Debug, Clone)]
pub enum Change {
    /// A user is stored.
    InsertUser(UserRecord),
    /// A registration becomes an account, which is verified.
    CompleteRegistration(UserId),
    /// What a user is and may do is this from now on.
    UpdateUser(UserRecord),
    /// A registration goes. Its code mails are given up: those that are owed go along.
    DeleteRegistration(UserId),
    /// An account goes, as a registration does.
    DeleteUser(UserId),
    /// An address is stored.
    InsertEmail(EmailRecord),
    /// An address is proved, vouched for, or not, as this says.
    UpdateEmail {
        /// The address.
        id: EmailId,
        /// Whether its owner proved that they read its mail.
        verified: bool,
        /// Whether an administrator vouches for it.
        vouched: bool,
    },
    /// This address is the preferred one of its user, and no other is.
    PreferEmail {
        /// The user.
        user: UserId,
        /// The address.
        id: EmailId,
    },
    /// An address goes.
    DeleteEmail(EmailId),
    /// A session is stored.
    InsertSession(SessionRecord),
    /// A session goes live.
    VerifySession {
        /// The session.
        id: SessionId,
        /// When.
        at: Timestamp,
    },
    /// A session ends later.
    ExtendSession {
        /// The session.
        id: SessionId,
        /// Whose it is.
        user: UserId,
        /// When it ends.
        expires_at: Timestamp,
    },
    /// A session goes.
    DeleteSession {
        /// The session.
        id: SessionId,
        /// Whose it is.
        user: UserId,
    },
    /// All sessions of a user go, but one.
    DeleteSessions {
        /// The user.
        user: UserId,
        /// The one that stays.
        keep: Option<SessionId>,
    },
    /// A key pair is stored.
    InsertKeyPair(KeyPairRecord),
    /// A key pair works from now on.
    VerifyKeyPair {
        /// The key pair.
        id: KeyPairId,
        /// When.
        at: Timestamp,
    },
    /// A key pair goes.
    DeleteKeyPair {
        /// The key pair.
        id: KeyPairId,
        /// Whose it is.
        user: UserId,
    },
    /// All key pairs of a user go.
    DeleteKeyPairs(UserId),
    /// A code is stored.
    InsertCode(CodeRecord),
    /// A code is used or replaced.
    EndCode(CodeId),
    /// All codes that verify an address end.
    EndCodesForEmail(EmailId),
    /// So many guesses at a code were wrong.
    CountWrongGuesses {
        /// The code.
        id: CodeId,
        /// How many.
        wrong_guesses: u32,
    },
    /// A mail is owed.
    QueueMail(QueuedMail),
    /// The network is known to the address, as this says.
    PutKnownNetwork(KnownNetworkRecord),
    /// A network is not known to an address any more.
    DeleteKnownNetwork {
        /// The address.
        email: EmailId,
        /// The network.
        network: Network,
    },
    /// Wrong guesses are these from now on.
    PutFailures(FailureRecord),
    /// The wrong guesses from a network, or from strangers, are forgotten.
    DeleteFailures {
        /// The address.
        address: AddressKey,
        /// The network; `None` for strangers.
        network: Option<Network>,
    },
    /// A throttle is drawn from, or its refusal was told, as this says.
    PutThrottle(ThrottleRecord),
    /// The audit log says this.
    RecordEvent(Event),
}

/// All that a fact writes, in the order in which it is written.
#[derive(Debug, Clone, Default)]
pub struct Changes(Vec<Change>);

impl Change {
    /// Whose credentials may end, or be worth something else, by it.
    pub const fn revokes(&self) -> Option<UserId> {
        match self {
            Self::UpdateUser(record) => Some(record.user.id),
            Self::DeleteUser(user)
            | Self::ExtendSession { user, .. }
            | Self::DeleteSession { user, .. }
            | Self::DeleteSessions { user, .. }
            | Self::DeleteKeyPair { user, .. }
            | Self::DeleteKeyPairs(user) => Some(*user),
            Self::InsertUser(_)
            | Self::CompleteRegistration(_)
            | Self::DeleteRegistration(_)
            | Self::InsertEmail(_)
            | Self::UpdateEmail { .. }
            | Self::PreferEmail { .. }
            | Self::DeleteEmail(_)
            | Self::InsertSession(_)
            | Self::VerifySession { .. }
            | Self::InsertKeyPair(_)
            | Self::VerifyKeyPair { .. }
            | Self::InsertCode(_)
            | Self::EndCode(_)
            | Self::EndCodesForEmail(_)
            | Self::CountWrongGuesses { .. }
            | Self::QueueMail(_)
            | Self::PutKnownNetwork(_)
            | Self::DeleteKnownNetwork { .. }
            | Self::PutFailures(_)
            | Self::DeleteFailures { .. }
            | Self::PutThrottle(_)
            | Self::RecordEvent(_) => None,
        }
    }
}

impl Changes {
    /// One more.
    pub fn push(&mut self, change: Change) {
        self.0.push(change);
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whose credentials may end, or be worth something else, by these: each once.
    pub fn revoked(&self) -> Vec<UserId> {
        let mut users: Vec<UserId> = self.0.iter().filter_map(Change::revokes).collect();
        users.sort_unstable();
        users.dedup();
        users
    }

    /// Each of them, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Change> {
        self.0.iter()
    }
}

impl Extend<Change> for Changes {
    fn extend<T: IntoIterator<Item = Change>>(&mut self, changes: T) {
        self.0.extend(changes);
    }
}

impl<'a> IntoIterator for &'a Changes {
    type Item = &'a Change;
    type IntoIter = std::slice::Iter<'a, Change>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
