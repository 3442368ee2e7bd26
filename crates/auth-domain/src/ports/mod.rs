//! What the domain needs from the world, in the domain's own words.

mod bell;
mod clock;
mod entropy;
mod mailer;
mod revocations;
mod store;

pub use bell::{NoBell, OutboxBell};
pub use clock::Clock;
pub use entropy::{Entropy, EntropyError};
pub use mailer::{MailError, Mailer};
pub use revocations::{NoMemory, Revocations};
pub use store::{
    Accounts, AddressState, AliasState, Audit, Backlog, Change, Changes, Claim, Duplicate, Fact, Facts, KeyPairs,
    Lockouts, Outbox, Purge, Scope, Sessions, State, Store, StoreError, Upkeep,
};
