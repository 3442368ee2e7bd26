use async_trait::async_trait;

use super::{Applied, StoreError};
use crate::{AddressKey, Event, Lockout, ToldLockout, UserId};

/// What became of unlocking an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Unlocked {
    /// All of its wrong guesses are forgotten; this is who owns it, if anybody does.
    Yes(Option<UserId>),
    /// Nothing had been guessed wrong: nothing was done, and nothing recorded.
    Already,
}

/// Addresses at which too much was guessed wrong.
#[async_trait]
pub trait Lockouts: Send + Sync {
    /// Up to `limit` addresses at which `failures_in_a_row` or more guesses were wrong in a row, and whose owners have not been
    /// told. Those that nobody owns are among them. Those come first at which the fewest were, and of these the order is that of
    /// their addresses. A damaged one is logged and passed over, so that it does not hold up the others, and counts for no
    /// `limit`.
    async fn list_untold_lockouts(&self, failures_in_a_row: u32, limit: u32) -> Result<Vec<Lockout>, StoreError>;

    /// Marks a lockout as told, and queues the mail that tells its owner, if there is one. Stale when somebody else has marked it,
    /// or it is over.
    async fn tell_lockout(&self, told: &ToldLockout) -> Result<Applied, StoreError>;

    /// Forgets all wrong guesses at the codes of an address, and records `event` with the owner of the address, if there is one,
    /// as the subject.
    async fn unlock_address(&self, address: &AddressKey, event: &Event) -> Result<Unlocked, StoreError>;
}
