use crate::{
    AddressKey, Alias, EmailAddress, EmailId, FullName, Membership, PendingSignIn, SessionOwner, Timestamp, UserId,
};

/// A person with an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The user's id.
    pub id: UserId,
    /// The handle others know them by.
    pub alias: Alias,
    /// What they call themselves.
    pub full_name: FullName,
    /// Whether they ever proved that they read mail at one of their addresses.
    pub verified: bool,
    /// Whether their credentials are accepted.
    pub enabled: bool,
    /// What they may do, sorted.
    pub roles: Vec<String>,
    /// What they belong to, sorted.
    pub groups: Vec<String>,
    /// When they registered.
    pub created_at: Timestamp,
}

/// What a stored user stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// An account.
    Account,
    /// A registration that waits for its code.
    Pending,
    /// A registration for an address that has an owner: it holds an alias for a while, and that is all.
    Decoy,
}

impl Standing {
    /// The standing as it is stored: nothing for an account.
    pub const fn as_stored(self) -> Option<&'static str> {
        match self {
            Self::Account => None,
            Self::Pending => Some("pending"),
            Self::Decoy => Some("decoy"),
        }
    }

    /// The standing that was stored as `stored`.
    pub fn from_stored(stored: Option<&str>) -> Option<Self> {
        [Self::Account, Self::Pending, Self::Decoy].into_iter().find(|standing| standing.as_stored() == stored)
    }
}

/// An address that some account has, as a sign-in sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownAddress {
    /// The account and the address.
    pub owner: SessionOwner,
    /// The address as its owner wrote it: where the code goes.
    pub address: EmailAddress,
    /// Whether its owner proved that they read its mail.
    pub verified: bool,
    /// Whether an administrator vouches for it.
    pub vouched: bool,
}

impl KnownAddress {
    /// Whether it is somebody's for good: one at most has it so. A registration's is not.
    pub fn is_owned(&self) -> bool {
        self.verified || self.vouched
    }
}

/// A change that an administrator makes to a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserChange {
    /// Accept the user's credentials again.
    Enable,
    /// Accept none of the user's credentials any more: ends the sessions and deletes the key pairs.
    Disable,
    /// Count the user as verified.
    Verify,
    /// Count the user as unverified until the next code is redeemed: ends the sessions and deletes the key pairs.
    Unverify,
    /// Give a role or a group.
    Grant(Membership),
    /// Take a role or a group.
    Revoke(Membership),
}

impl UserChange {
    /// Whether the user's sessions and key pairs end with it.
    pub const fn ends_credentials(&self) -> bool {
        matches!(self, Self::Disable | Self::Unverify)
    }
}

/// Everything that signing up stores, in one transaction.
#[derive(Debug, Clone)]
pub struct Registration {
    /// The user to be.
    pub user_id: UserId,
    /// The user's alias.
    pub alias: Alias,
    /// The user's full name.
    pub full_name: FullName,
    /// The roles of new users.
    pub roles: Vec<String>,
    /// The groups of new users.
    pub groups: Vec<String>,
    /// The address to be.
    pub email_id: EmailId,
    /// The address as written.
    pub address: EmailAddress,
    /// Whether the address has an owner already: then this is a decoy, which holds its alias as
    /// long as a real registration would and never becomes an account.
    pub decoy: bool,
    /// The first session, with its code and mail.
    pub sign_in: PendingSignIn,
}

impl Registration {
    /// What the address is compared by.
    pub fn address_key(&self) -> AddressKey {
        self.address.key()
    }
}
