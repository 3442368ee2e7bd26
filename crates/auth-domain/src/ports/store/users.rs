use async_trait::async_trait;

use super::StoreError;
use crate::{AddressKey, KnownAddress, Refusal, Registration, Timestamp, User, UserId};

/// What became of a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Registered {
    /// It is stored.
    Yes,
    /// Its alias is taken; nothing was stored.
    AliasTaken,
    /// Its address was registered or freed meanwhile; nothing was stored.
    Stale,
    /// A limit holds it back; nothing was stored, and nothing was charged for it.
    Throttled(Refusal),
}

/// Users and their addresses.
#[async_trait]
pub trait Users: Send + Sync {
    /// The user `id`, verified or not. Registrations nobody completed are no users yet.
    async fn find_user(&self, id: UserId) -> Result<Option<User>, StoreError>;

    /// Whom `address` leads to: its owner, verified or vouched for, else a registration waiting for it that has not ended by `now`.
    /// Decoys lead nowhere.
    async fn find_address(&self, address: &AddressKey, now: Timestamp) -> Result<Option<KnownAddress>, StoreError>;

    /// Stores a registration at `registration.sign_in.code.created_at`, in one transaction:
    ///
    /// 1. The limits are judged as in [`open_session`](super::Sessions::open_session).
    /// 2. The alias is judged by [`judge_alias`](crate::rules::judge_alias); a taken one ends it here, charged for what
    ///    [is charged for it](crate::ThrottleKind::is_charged_for_a_taken_alias).
    /// 3. The address has an owner exactly if the registration is a decoy, else it is stale.
    /// 4. Registrations that it replaces (for the same address, or holding the alias past their end) go, with all
    ///    that hangs on them.
    /// 5. It is charged for. User, address, session, code and mail are stored, the codes that it supersedes end, as in
    ///    [`open_session`](super::Sessions::open_session).
    async fn register_user(&self, registration: &Registration) -> Result<Registered, StoreError>;
}
