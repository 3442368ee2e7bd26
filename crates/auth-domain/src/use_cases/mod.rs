//! What can be done, a file per subject: load, decide, record.

mod account;
mod administration;
mod audit;
mod check;
mod deliver;
mod emails;
mod key_pairs;
mod limits;
mod minting;
mod redeeming;
mod server_keys;
mod sessions;
mod sign_in;
mod sign_up;
mod usage;

use std::sync::Arc;

pub use administration::{AccountWish, CreatedAccount, GivenSession, Welcome};
pub use deliver::{Courier, Delivered};
pub use emails::AddedEmail;
pub use key_pairs::{CreatedKeyPair, KeyPairWish};
pub use minting::OpenedSession;
pub use sessions::ListedSession;
pub use sign_up::SignUp;

use crate::{
    AuthError, Backlog, Clock, Conflict, Entropy, OutboxBell, Outcome, Policy, ServerKeys, Store, StoreError, Timestamp,
};
use usage::Usage;

/// How often a use case starts over when what it saw was changed before it could record its fact.
const ATTEMPTS: usize = 3;

/// What the use cases need from the world.
#[derive(Clone)]
pub struct Ports {
    /// What is remembered.
    pub store: Arc<dyn Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Random octets.
    pub entropy: Arc<dyn Entropy>,
    /// Told when a mail was queued.
    pub bell: Arc<dyn OutboxBell>,
}

/// Sign-up, sign-in, sessions, addresses, key pairs, the check, and administration.
pub struct Auth {
    ports: Ports,
    policy: Policy,
    keys: Arc<ServerKeys>,
    usage: Usage,
}

impl Auth {
    /// The use cases on these ports, under this policy, with these keys.
    pub fn new(ports: Ports, policy: Policy, keys: Arc<ServerKeys>) -> Self {
        Self { ports, policy, keys, usage: Usage::default() }
    }

    /// Whether the store can be reached and has the layout this build expects.
    pub async fn check_ready(&self) -> Result<(), StoreError> {
        self.ports.store.check_ready().await
    }

    /// How far delivering mail and sweeping up are behind.
    pub async fn backlog(&self) -> Result<Backlog, StoreError> {
        self.ports.store.backlog(self.now()).await
    }

    /// The time, by this service's clock.
    pub fn now(&self) -> Timestamp {
        self.ports.clock.now()
    }

    fn entropy(&self) -> &dyn Entropy {
        self.ports.entropy.as_ref()
    }
}

/// What was seen kept changing: the caller may try again, and nothing is known to be wrong.
fn contended() -> StoreError {
    StoreError::unavailable("what the request builds on kept changing")
}

/// What is answered when a fact did not happen and its use case knows nothing better.
impl<T> From<Outcome<T>> for AuthError {
    fn from(outcome: Outcome<T>) -> Self {
        match outcome {
            Outcome::NotFound => Self::NotFound,
            Outcome::Conflict(Conflict::AliasTaken) => Self::AliasTaken,
            Outcome::Conflict(Conflict::AddressTaken) => Self::AddressTaken,
            Outcome::Conflict(Conflict::LastAdministrator) => Self::LastAdministrator,
            Outcome::Done(_) | Outcome::Unchanged | Outcome::Stale | Outcome::RateLimited(_) => contended().into(),
        }
    }
}
