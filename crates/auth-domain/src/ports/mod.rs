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
    Accounts, Applied, Audit, Backlog, Changed, Codes, Created, Duplicate, Emails, KeyPairs, Opened, Outbox, Redeemed,
    Registered, Sessions, Store, StoreError, Upkeep, Users, Verified, Vouched,
};
