use async_trait::async_trait;

use super::StoreError;
use crate::{Hanging, KeyId, Timestamp};

/// How far what is to be done in a store is behind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Mails with a code that are owed. This many are counted [at most](Self::COUNTED_AT_MOST), as in the next two.
    pub codes: u64,
    /// Notices that are owed.
    pub notices: u64,
    /// Decoys that were not settled yet.
    pub decoys: u64,
    /// Since when the oldest of those mails is owed.
    pub owed_since: Option<Timestamp>,
    /// Since when the session, key pair or code has been over that ended first and was not purged yet.
    pub ended_since: Option<Timestamp>,
}

impl Backlog {
    /// So many mails of a class are counted, those that are due first: what asks how much is owed must not take long just
    /// because much is.
    pub const COUNTED_AT_MOST: u32 = 10_000;
}

/// What is to be purged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purge {
    /// The present: what has ended by now goes.
    pub now: Timestamp,
    /// Events of this moment or earlier go.
    pub events_until: Timestamp,
    /// Networks go from which nobody has signed in since this moment.
    pub networks_until: Timestamp,
    /// How many go of each at most.
    pub limit: u32,
}

/// The store's own well-being.
#[async_trait]
pub trait Upkeep: Send + Sync {
    /// Whether the store can be reached and has the layout this build expects.
    async fn check_ready(&self) -> Result<(), StoreError>;

    /// What there is to be done at `now`. Reads no more than [`Backlog::COUNTED_AT_MOST`] rows of a kind, however many there
    /// are.
    async fn backlog(&self, now: Timestamp) -> Result<Backlog, StoreError>;

    /// What hangs on each server key at `now`, for those on which anything does, in no particular order.
    ///
    /// Reads the tables through: no sign-in pays for an index that is asked for once a year. It may take seconds, and holds
    /// up nobody.
    async fn what_hangs_on_keys(&self, now: Timestamp) -> Result<Vec<(KeyId, Hanging)>, StoreError>;

    /// Deletes, within the limit for each: sessions and key pairs that ended, sign-ins, registrations and key pairs that
    /// nobody can complete any more, codes past their end by themselves, mails settled a week ago or earlier, wrong guesses
    /// that [make no difference](crate::rules::failures_are_over), throttles that are full again, and what else
    /// [`Purge`] names. Returns how many went, not counting what went along with them. A damaged row that cannot be judged is
    /// logged and stays, and does not hold up the others.
    async fn purge(&self, purge: &Purge) -> Result<u64, StoreError>;
}
