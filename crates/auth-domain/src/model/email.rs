use crate::{EmailAddress, EmailId, Event, NewCode, QueuedMail, Restraint, UserId};

/// An address of an account, as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email {
    /// The address's id.
    pub id: EmailId,
    /// The address as written.
    pub address: EmailAddress,
    /// Whether its owner proved that they read its mail: then it can sign in.
    pub verified: bool,
    /// Whether an administrator has vouched for it: then it can sign in although nobody has proved it yet. Stays true once it
    /// has been proved.
    pub vouched: bool,
    /// Whether codes for key pairs and notices go to it. One address of an account is.
    pub preferred: bool,
}

/// An address about to be added to an account, everything in one transaction.
#[derive(Debug, Clone)]
pub struct EmailAddition {
    /// The account.
    pub user_id: UserId,
    /// The addresses that it had when the addition was decided.
    pub seen: Vec<Email>,
    /// The new address's id.
    pub email_id: EmailId,
    /// The address as written.
    pub address: EmailAddress,
    /// Whether the address has an owner elsewhere: then the code is one that no guess is right for.
    pub foreign: bool,
    /// The code that verifies it.
    pub code: NewCode,
    /// The mail with the code, or the notice to the address's owner; and what tells the account of it.
    pub mails: Vec<QueuedMail>,
    /// What the audit log says of it.
    pub event: Event,
    /// What the request is measured by; `None` if there are no limits.
    pub restraint: Option<Restraint>,
}

/// A new code for an address that its account has added, everything in one transaction.
#[derive(Debug, Clone)]
pub struct EmailRenewal {
    /// The account.
    pub user_id: UserId,
    /// The address.
    pub email_id: EmailId,
    /// Whether the address has an owner elsewhere: then the code is one that no guess is right for.
    pub foreign: bool,
    /// The code that verifies it.
    pub code: NewCode,
    /// The mail with the code, or the notice to the address's owner.
    pub mail: QueuedMail,
    /// What the request is measured by; `None` if there are no limits.
    pub restraint: Option<Restraint>,
}

/// A change to one address of an account, everything in one transaction.
#[derive(Debug, Clone)]
pub struct EmailChange {
    /// The account.
    pub user_id: UserId,
    /// The addresses that it had when the change was decided.
    pub seen: Vec<Email>,
    /// The address to be changed, one of them.
    pub email_id: EmailId,
    /// What tells the others of it.
    pub notices: Vec<QueuedMail>,
    /// What the audit log says of it.
    pub event: Event,
}
