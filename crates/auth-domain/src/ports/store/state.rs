use crate::{
    AddressKey, User,
    archive::{
        CodeRecord, EmailRecord, FailureRecord, KeyPairRecord, KnownNetworkRecord, SessionRecord, ThrottleRecord,
        UserRecord,
    },
};

/// What a store has read for a [`Scope`](super::Scope). What was not asked for, or is not there, is `None` or empty.
///
/// A store may leave out what makes no difference any more: codes that have [ended](CodeRecord::ended).
#[derive(Debug, Clone, Default)]
pub struct State {
    /// The address.
    pub address: Option<AddressState>,
    /// Whoever holds the alias.
    pub alias: Option<AliasState>,
    /// Everybody who holds the role of administrators, in no particular order.
    pub administrators: Vec<User>,
    /// The user.
    pub user: Option<UserRecord>,
    /// The user's addresses, oldest first.
    pub emails: Vec<EmailRecord>,
    /// The user's sessions, in no particular order.
    pub sessions: Vec<SessionRecord>,
    /// The code.
    pub code: Option<CodeRecord>,
    /// The session, or the one that the code opens.
    pub session: Option<SessionRecord>,
    /// The key pair, or the one that the code verifies.
    pub key_pair: Option<KeyPairRecord>,
    /// The codes of the key pair that was named.
    pub key_pair_codes: Vec<CodeRecord>,
    /// The address that was named by its id, or that the code was mailed to.
    pub email: Option<EmailRecord>,
    /// What the network has asked for.
    pub network: Vec<ThrottleRecord>,
}

/// What the scope wants of an address, whether or not anybody has it.
#[derive(Debug, Clone)]
pub struct AddressState {
    /// The address.
    pub key: AddressKey,
    /// Everybody who has it: its owner, registrations with it, accounts that have added it.
    pub claims: Vec<Claim>,
    /// The sign-in codes that were asked for it.
    pub codes: Vec<CodeRecord>,
    /// From where its owner has signed in.
    pub known_networks: Vec<KnownNetworkRecord>,
    /// Wrong guesses at its codes.
    pub failures: Vec<FailureRecord>,
    /// What was asked for about it, by the network in the scope if that is known to it, and by all others together.
    pub throttles: Vec<ThrottleRecord>,
}

/// An address of a user.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The address.
    pub email: EmailRecord,
    /// The user.
    pub user: UserRecord,
}

/// Whoever holds an alias.
#[derive(Debug, Clone)]
pub struct AliasState {
    /// The user.
    pub user: UserRecord,
    /// Their first address.
    pub address: Option<AddressKey>,
    /// The sign-in codes that were asked for that address.
    pub codes: Vec<CodeRecord>,
}
