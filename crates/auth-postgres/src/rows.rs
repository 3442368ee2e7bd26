//! Rows as they are stored, and the way back to the domain's types. What does not parse is
//! [`Corrupt`](StoreError::Corrupt), never a default.

use auth_domain::{
    Alias, ApiKey, Client, Email, EmailAddress, FullName, KeyId, KeyName, KeyPair, LiveKeyPair, LiveSession, Network,
    Session, SessionKind, Standing, StoreError, Timestamp, User,
};
use diesel::{Queryable, Selectable, data_types::PgTimestamp, pg::Pg};
use ipnet::IpNet;
use uuid::Uuid;

use crate::{
    error::corrupt,
    schema::{emails, key_pairs, sessions, users},
};

/// 2000-01-01, where PostgreSQL begins to count, in milliseconds since the Unix epoch.
const BEGINNING: i64 = 946_684_800_000;
/// The latest moment that is stored, in milliseconds: PostgreSQL's calendar ends in the year 294276.
const LAST: i64 = 9_000_000_000_000_000;

/// A moment as it is stored: microseconds since the year 2000. One that no calendar knows becomes the nearest that one
/// does.
pub(crate) fn stored(at: Timestamp) -> PgTimestamp {
    PgTimestamp(at.unix_millis().saturating_sub(BEGINNING).clamp(-BEGINNING * 2, LAST) * 1000)
}

/// The moment that was stored.
pub(crate) fn moment(stored: PgTimestamp) -> Timestamp {
    Timestamp::from_unix_millis(stored.0.div_euclid(1000) + BEGINNING)
}

/// What the row of a user stands for: `users.registration`.
pub(crate) fn standing(stored: Option<&str>, user: Uuid) -> Result<Standing, StoreError> {
    Standing::from_stored(stored).ok_or_else(|| corrupt("users", user, "unknown registration"))
}

/// The server key in `key_id` of `table`, whose row is `row`.
pub(crate) fn key_id(table: &'static str, row: Uuid, stored: &str) -> Result<KeyId, StoreError> {
    stored.parse().map_err(|error| corrupt(table, row, error))
}

/// The number in a column of `table`, whose row is `row`.
pub(crate) fn count(table: &'static str, row: Uuid, stored: i32) -> Result<u32, StoreError> {
    u32::try_from(stored).map_err(|error| corrupt(table, row, error))
}

/// A network as a column of PostgreSQL's own type has it.
pub(crate) fn as_cidr(network: Network) -> IpNet {
    IpNet::new_assert(network.first_address(), network.prefix_length())
}

/// The network of a row of `failures`, whose last guess was made at `last_at`: one that is known to the address, or `None` for
/// all others together.
pub(crate) fn failed_network(text: &str, last_at: PgTimestamp) -> Result<Option<Network>, StoreError> {
    // Its key is an address, which is not for logs.
    let row = || format!("with last_at {} ms", moment(last_at).unix_millis());
    Network::from_stored(text).map_err(|error| corrupt("failures", row(), error))
}

#[derive(Clone, Queryable, Selectable)]
#[diesel(table_name = users, check_for_backend(Pg))]
pub(crate) struct UserRow {
    id: Uuid,
    alias: String,
    full_name: String,
    pub(crate) verified: bool,
    pub(crate) enabled: bool,
    registration: Option<String>,
    roles: Vec<String>,
    groups: Vec<String>,
    created_at: PgTimestamp,
}

impl UserRow {
    pub(crate) fn standing(&self) -> Result<Standing, StoreError> {
        standing(self.registration.as_deref(), self.id)
    }

    pub(crate) fn into_user(self) -> Result<User, StoreError> {
        Ok(User {
            id: self.id.into(),
            alias: Alias::parse(&self.alias).map_err(|error| corrupt("users", self.id, error))?,
            full_name: FullName::from_stored(&self.full_name).map_err(|error| corrupt("users", self.id, error))?,
            verified: self.verified,
            enabled: self.enabled,
            roles: self.roles,
            groups: self.groups,
            created_at: moment(self.created_at),
        })
    }
}

#[derive(Clone, Queryable, Selectable)]
#[diesel(table_name = sessions, check_for_backend(Pg))]
pub(crate) struct SessionRow {
    id: Uuid,
    pub(crate) user_id: Option<Uuid>,
    kind: String,
    verified_at: Option<PgTimestamp>,
    created_at: PgTimestamp,
    expires_at: PgTimestamp,
    last_used_at: Option<PgTimestamp>,
    ip: IpNet,
    user_agent: String,
}

impl SessionRow {
    pub(crate) fn into_session(self) -> Result<Session, StoreError> {
        let user_id = self.user_id.ok_or_else(|| corrupt("sessions", self.id, "belongs to nobody"))?;
        Ok(Session {
            id: self.id.into(),
            user_id: user_id.into(),
            kind: SessionKind::parse(&self.kind).map_err(|error| corrupt("sessions", self.id, error))?,
            verified_at: self.verified_at.map(moment),
            created_at: moment(self.created_at),
            expires_at: moment(self.expires_at),
            last_used_at: self.last_used_at.map(moment),
            client: Client { ip: self.ip.addr(), user_agent: self.user_agent },
        })
    }
}

/// A session and its user as the check reads them; `None` when the user is a decoy.
pub(crate) fn live_session((session, user): (SessionRow, UserRow)) -> Result<Option<LiveSession>, StoreError> {
    if user.standing()? == Standing::Decoy {
        return Ok(None);
    }
    Ok(Some(LiveSession { session: session.into_session()?, user: user.into_user()? }))
}

#[derive(Clone, Queryable, Selectable)]
#[diesel(table_name = key_pairs, check_for_backend(Pg))]
pub(crate) struct KeyPairRow {
    id: Uuid,
    pub(crate) user_id: Uuid,
    name: String,
    api_key: String,
    roles: Option<Vec<String>>,
    verified_at: Option<PgTimestamp>,
    created_at: PgTimestamp,
    expires_at: PgTimestamp,
    last_used_at: Option<PgTimestamp>,
}

impl KeyPairRow {
    pub(crate) fn into_key_pair(self) -> Result<KeyPair, StoreError> {
        Ok(KeyPair {
            id: self.id.into(),
            user_id: self.user_id.into(),
            name: KeyName::from_stored(&self.name).map_err(|error| corrupt("key_pairs", self.id, error))?,
            api_key: ApiKey::from_stored(self.api_key),
            roles: self.roles,
            verified: self.verified_at.is_some(),
            created_at: moment(self.created_at),
            expires_at: moment(self.expires_at),
            last_used_at: self.last_used_at.map(moment),
        })
    }
}

/// A key pair and its user as the check reads them.
pub(crate) fn live_key_pair((key_pair, user): (KeyPairRow, UserRow)) -> Result<LiveKeyPair, StoreError> {
    Ok(LiveKeyPair { key_pair: key_pair.into_key_pair()?, user: user.into_user()? })
}

#[derive(Clone, Queryable, Selectable)]
#[diesel(table_name = emails, check_for_backend(Pg))]
pub(crate) struct EmailRow {
    pub(crate) id: Uuid,
    pub(crate) user_id: Uuid,
    address: String,
    pub(crate) verified: bool,
    pub(crate) vouched: bool,
    preferred: bool,
}

impl EmailRow {
    pub(crate) fn into_email(self) -> Result<Email, StoreError> {
        Ok(Email {
            id: self.id.into(),
            address: self.address()?,
            verified: self.verified,
            vouched: self.vouched,
            preferred: self.preferred,
        })
    }

    fn address(&self) -> Result<EmailAddress, StoreError> {
        EmailAddress::from_stored(&self.address).map_err(|error| corrupt("emails", self.id, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_survives_to_the_millisecond() {
        for millis in [0, 1, -1, 1_795_478_400_123, -86_400_001] {
            let at = Timestamp::from_unix_millis(millis);
            assert_eq!(moment(stored(at)), at, "{millis}");
        }
        assert!(moment(stored(Timestamp::from_unix_millis(i64::MAX))) > Timestamp::from_unix_millis(1_795_478_400_000));
    }
}
