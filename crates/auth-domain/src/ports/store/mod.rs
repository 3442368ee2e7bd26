//! The port to whatever remembers.

mod accounts;
mod audit;
mod change;
mod fact;
mod key_pairs;
mod lockouts;
mod outbox;
mod sessions;
mod state;
mod upkeep;

use std::sync::Arc;

use async_trait::async_trait;

pub use accounts::Accounts;
pub use audit::Audit;
pub use change::{Change, Changes};
pub use fact::{Fact, Scope};
pub use key_pairs::KeyPairs;
pub use lockouts::Lockouts;
pub use outbox::Outbox;
pub use sessions::Sessions;
pub use state::{AddressState, AliasState, Claim, State};
pub use upkeep::{Backlog, Purge, Upkeep};

/// Everything that is remembered.
///
/// What happens to it are [facts](Fact), which the domain decides: they are methods of this type, each in one transaction. When
/// one returns `Ok`, all of it is durable; when it returns `Err`, either all of it or nothing of it happened. Dropping the
/// returned future never leaves half of it behind.
///
/// Absence is an answer (`None`, [`Outcome::Stale`](crate::Outcome::Stale)), failure is a [`StoreError`], and no implementation
/// turns one into the other: a database that is down must not look like a signed-out user.
pub trait Store: Facts + Accounts + Sessions + KeyPairs + Lockouts + Audit + Outbox + Upkeep {}

impl<T: Facts + Accounts + Sessions + KeyPairs + Lockouts + Audit + Outbox + Upkeep + ?Sized> Store for T {}

/// What facts need of a store.
#[async_trait]
pub trait Facts: Send + Sync {
    /// Carries out a fact in a transaction of its own, whether or not anybody still waits for it.
    ///
    /// A fact that [revokes](Changes::revoked) something is told to the store's [`Revocations`](crate::Revocations) before this
    /// returns.
    ///
    /// # Errors
    /// What [`Fact::decide`] returns, and whatever keeps the store from carrying it out. One that collides with another is begun
    /// anew first.
    async fn transact(&self, fact: Arc<dyn Fact>) -> Result<(), StoreError>;

    /// What is stored in a scope at this moment. Nothing is locked: it may be out of date when it arrives.
    async fn view(&self, scope: &Scope) -> Result<State, StoreError>;
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
