//! The port to whatever remembers, a trait per subject.

mod accounts;
mod audit;
mod codes;
mod emails;
mod key_pairs;
mod lockouts;
mod outbox;
mod sessions;
mod upkeep;
mod users;

use std::sync::Arc;

pub use accounts::{Accounts, Changed, Created};
pub use audit::Audit;
pub use codes::{Codes, Opened, Redeemed};
pub use emails::{Emails, Vouched};
pub use key_pairs::KeyPairs;
pub use lockouts::{Lockouts, Unlocked};
pub use outbox::Outbox;
pub use sessions::{Sessions, SignInStored};
pub use upkeep::{Backlog, Purge, Upkeep};
pub use users::{Registered, Users};

use crate::{Refusal, UserId};

/// Everything that is remembered.
///
/// One method is one fact and one transaction: when it returns `Ok`, all of it is durable; when it returns `Err`,
/// either all of it or nothing of it happened. Dropping the returned future never leaves half of it behind.
///
/// A fact that ends or changes a credential, or what its user may do, is told to the store's
/// [`Revocations`](crate::Revocations) before the method returns: closing and extending sessions, deleting key pairs and
/// users, and every change to a user. Making something is not.
///
/// Absence is an answer (`None`, [`Applied::Stale`]), failure is a [`StoreError`], and no implementation turns one
/// into the other: a database that is down must not look like a signed-out user.
pub trait Store: Users + Accounts + Emails + Sessions + KeyPairs + Codes + Lockouts + Audit + Outbox + Upkeep {}

impl<T: Users + Accounts + Emails + Sessions + KeyPairs + Codes + Lockouts + Audit + Outbox + Upkeep + ?Sized> Store
    for T
{
}

/// Why a store could not answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Something unique exists already. Ids and secrets are random, so this is a bug or a broken random source.
    #[error("{0:?} exists already")]
    Duplicate(Duplicate),
    /// The store is out of reach, busy beyond its time limit, or out of space.
    #[error("the store is unavailable")]
    Unavailable(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// A row does not make sense: it was written by something else, or damaged.
    #[error("corrupt row in {table}, id {id}: {reason}")]
    Corrupt {
        /// The row's table.
        table: &'static str,
        /// The row's id.
        id: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl StoreError {
    /// The store could not be asked, for this reason.
    pub fn unavailable(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Unavailable(Arc::from(reason.into()))
    }
}

/// What exists already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duplicate {
    /// An id.
    Id,
    /// A user's alias.
    Alias,
    /// A verified address.
    Address,
    /// A credential's digest.
    Credential,
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
