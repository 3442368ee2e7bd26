use crate::{
    Alias, Email, EmailAddress, EmailId, Event, FullName, NewKeyPair, QueuedMail, RoleName, Timestamp, User, UserId,
};

/// A user with everything that an administrator sees of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The user.
    pub user: User,
    /// Their addresses, oldest first.
    pub emails: Vec<Email>,
}

/// Which accounts are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountFilter {
    /// Only those that are enabled, or only those that are not.
    pub enabled: Option<bool>,
    /// Only those that hold this role.
    pub role: Option<RoleName>,
}

/// An account that an administrator makes, everything in one transaction.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// The user to be.
    pub user_id: UserId,
    /// The user's alias.
    pub alias: Alias,
    /// The user's full name.
    pub full_name: FullName,
    /// The user's roles.
    pub roles: Vec<String>,
    /// The user's groups.
    pub groups: Vec<String>,
    /// Whether the user counts as verified from the beginning.
    pub verified: bool,
    /// The address to be.
    pub email_id: EmailId,
    /// The address as written. It signs in, although nobody has proved it yet: an administrator vouches for it.
    pub address: EmailAddress,
    /// When it is made.
    pub created_at: Timestamp,
    /// A key pair that works at once.
    pub key_pair: Option<NewKeyPair>,
    /// The invitation.
    pub mail: Option<QueuedMail>,
    /// What the audit log says of it: that it is made, and each thing that it is given.
    pub events: Vec<Event>,
}

/// An address that an administrator gives to an account, everything in one transaction.
#[derive(Debug, Clone)]
pub struct VouchedEmail {
    /// The account.
    pub user_id: UserId,
    /// The addresses that it had when this was decided.
    pub seen: Vec<Email>,
    /// The address's id: a new one, or that of an unverified address which the account has.
    pub email_id: EmailId,
    /// The address as written.
    pub address: EmailAddress,
    /// What tells the account's verified addresses of it.
    pub notices: Vec<QueuedMail>,
    /// What the audit log says of it.
    pub event: Event,
}
