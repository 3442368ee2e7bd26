//! Rows as they are stored, and the way back to the domain's types. What does not parse is
//! [`Corrupt`](StoreError::Corrupt), never a default.

use std::collections::BTreeSet;

use auth_domain::{
    AddressKey, Alias, ApiKey, Client, CodeHash, CodePurpose, CodeState, Email, EmailAddress, FullName, KeyId, KeyName,
    KeyPair, KnownAddress, LiveKeyPair, LiveSession, Network, Session, SessionKind, SessionOwner, Standing, StoreError,
    Timestamp, User,
};
use diesel::{Queryable, Selectable, sqlite::Sqlite};
use uuid::Uuid;

use crate::{
    error::corrupt,
    schema::{codes, emails, key_pairs, sessions, users},
};

/// What the row of a user stands for: `users.registration`.
pub(crate) fn standing(stored: Option<&str>, user: &[u8]) -> Result<Standing, StoreError> {
    Standing::from_stored(stored).ok_or_else(|| corrupt("users", printed(user), "unknown registration"))
}

/// The stored form of an id.
pub(crate) fn bytes_of(uuid: Uuid) -> Vec<u8> {
    uuid.into_bytes().to_vec()
}

/// The id in a column of `table`, whose row is `row`.
pub(crate) fn id<T: From<Uuid>>(table: &'static str, row: &[u8], column: &[u8]) -> Result<T, StoreError> {
    Uuid::from_slice(column).map(T::from).map_err(|error| corrupt(table, printed(row), error))
}

/// The server key in `key_id` of `table`, whose row is `row`.
pub(crate) fn key_id(table: &'static str, row: &[u8], stored: &str) -> Result<KeyId, StoreError> {
    stored.parse().map_err(|error| corrupt(table, printed(row), error))
}

/// The number in a column of `table`, whose row is `row`.
pub(crate) fn count(table: &'static str, row: &[u8], stored: i64) -> Result<u32, StoreError> {
    u32::try_from(stored).map_err(|error| corrupt(table, printed(row), error))
}

/// The names in a JSON column of `table`, whose row is `row`.
pub(crate) fn names(table: &'static str, row: &[u8], stored: &str) -> Result<Vec<String>, StoreError> {
    serde_json::from_str(stored).map_err(|error| corrupt(table, printed(row), error))
}

/// Names as they are stored: each once, in order.
pub(crate) fn as_json(names: &[String]) -> String {
    let names: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    serde_json::Value::from_iter(names).to_string()
}

/// An id for people to read, whether or not it is one.
pub(crate) fn printed(row: &[u8]) -> String {
    Uuid::from_slice(row).map_or_else(|_not_a_uuid| format!("{row:02x?}"), |uuid| uuid.to_string())
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = users, check_for_backend(Sqlite))]
pub(crate) struct UserRow {
    id: Vec<u8>,
    alias: String,
    full_name: String,
    pub(crate) verified: bool,
    pub(crate) enabled: bool,
    registration: Option<String>,
    roles: String,
    groups: String,
    created_at: i64,
}

impl UserRow {
    pub(crate) fn standing(&self) -> Result<Standing, StoreError> {
        standing(self.registration.as_deref(), &self.id)
    }

    pub(crate) fn into_user(self) -> Result<User, StoreError> {
        let row = self.id.as_slice();
        Ok(User {
            id: id("users", row, row)?,
            alias: Alias::parse(&self.alias).map_err(|error| corrupt("users", printed(row), error))?,
            full_name: FullName::parse(&self.full_name).map_err(|error| corrupt("users", printed(row), error))?,
            verified: self.verified,
            enabled: self.enabled,
            roles: names("users", row, &self.roles)?,
            groups: names("users", row, &self.groups)?,
            created_at: Timestamp::from_unix_millis(self.created_at),
        })
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = sessions, check_for_backend(Sqlite))]
pub(crate) struct SessionRow {
    pub(crate) id: Vec<u8>,
    pub(crate) user_id: Option<Vec<u8>>,
    kind: String,
    verified_at: Option<i64>,
    created_at: i64,
    expires_at: i64,
    last_used_at: Option<i64>,
    ip: String,
    user_agent: String,
}

impl SessionRow {
    /// Whether a right code would still open it.
    pub(crate) fn is_waiting_at(&self, now: Timestamp) -> bool {
        self.verified_at.is_none() && now.unix_millis() < self.expires_at
    }

    pub(crate) fn into_session(self) -> Result<Session, StoreError> {
        let row = self.id.as_slice();
        let Some(user_id) = &self.user_id else {
            return Err(corrupt("sessions", printed(row), "belongs to nobody"));
        };
        let ip = self.ip.parse().map_err(|error| corrupt("sessions", printed(row), error))?;
        Ok(Session {
            id: id("sessions", row, row)?,
            user_id: id("sessions", row, user_id)?,
            kind: SessionKind::parse(&self.kind).map_err(|error| corrupt("sessions", printed(row), error))?,
            verified_at: self.verified_at.map(Timestamp::from_unix_millis),
            created_at: Timestamp::from_unix_millis(self.created_at),
            expires_at: Timestamp::from_unix_millis(self.expires_at),
            last_used_at: self.last_used_at.map(Timestamp::from_unix_millis),
            client: Client { ip, user_agent: self.user_agent },
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

#[derive(Queryable, Selectable)]
#[diesel(table_name = key_pairs, check_for_backend(Sqlite))]
pub(crate) struct KeyPairRow {
    pub(crate) id: Vec<u8>,
    pub(crate) user_id: Vec<u8>,
    name: String,
    api_key: String,
    roles: Option<String>,
    verified_at: Option<i64>,
    created_at: i64,
    expires_at: i64,
    last_used_at: Option<i64>,
}

impl KeyPairRow {
    /// Whether a right code would still verify it.
    pub(crate) fn is_waiting_at(&self, now: Timestamp) -> bool {
        self.verified_at.is_none() && now.unix_millis() < self.expires_at
    }

    pub(crate) fn into_key_pair(self) -> Result<KeyPair, StoreError> {
        let row = self.id.as_slice();
        Ok(KeyPair {
            id: id("key_pairs", row, row)?,
            user_id: id("key_pairs", row, &self.user_id)?,
            name: KeyName::parse(&self.name).map_err(|error| corrupt("key_pairs", printed(row), error))?,
            api_key: ApiKey::from_stored(self.api_key),
            roles: self.roles.map(|roles| names("key_pairs", row, &roles)).transpose()?,
            verified: self.verified_at.is_some(),
            created_at: Timestamp::from_unix_millis(self.created_at),
            expires_at: Timestamp::from_unix_millis(self.expires_at),
            last_used_at: self.last_used_at.map(Timestamp::from_unix_millis),
        })
    }
}

/// A key pair and its user as the check reads them.
pub(crate) fn live_key_pair((key_pair, user): (KeyPairRow, UserRow)) -> Result<LiveKeyPair, StoreError> {
    Ok(LiveKeyPair { key_pair: key_pair.into_key_pair()?, user: user.into_user()? })
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = codes, check_for_backend(Sqlite))]
pub(crate) struct CodeRow {
    pub(crate) id: Vec<u8>,
    purpose: String,
    pub(crate) session_id: Option<Vec<u8>>,
    pub(crate) key_pair_id: Option<Vec<u8>>,
    pub(crate) email_id: Option<Vec<u8>>,
    address_key: String,
    network: String,
    hash: Vec<u8>,
    pub(crate) created_at: i64,
    expires_at: i64,
    wrong_guesses: i64,
    ended: bool,
}

impl CodeRow {
    pub(crate) fn purpose(&self) -> Result<CodePurpose, StoreError> {
        CodePurpose::from_stored(&self.purpose).ok_or_else(|| corrupt("codes", printed(&self.id), "unknown purpose"))
    }

    pub(crate) fn state(&self) -> Result<CodeState, StoreError> {
        let row = self.id.as_slice();
        let hash = <[u8; 32]>::try_from(self.hash.as_slice()).map_err(|error| corrupt("codes", printed(row), error))?;
        Ok(CodeState {
            purpose: self.purpose()?,
            hash: CodeHash::new(hash),
            wrong_guesses: count("codes", row, self.wrong_guesses)?,
            expires_at: Timestamp::from_unix_millis(self.expires_at),
            ended: self.ended,
        })
    }

    pub(crate) fn address(&self) -> AddressKey {
        AddressKey::from_stored(self.address_key.clone())
    }

    pub(crate) fn network(&self) -> Result<Network, StoreError> {
        let first_address = self.network.parse().map_err(|error| corrupt("codes", printed(&self.id), error))?;
        Ok(Network::of(first_address))
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = emails, check_for_backend(Sqlite))]
pub(crate) struct EmailRow {
    pub(crate) id: Vec<u8>,
    pub(crate) user_id: Vec<u8>,
    address: String,
    pub(crate) address_key: String,
    pub(crate) verified: bool,
    pub(crate) vouched: bool,
    preferred: bool,
}

impl EmailRow {
    /// Where a sign-in to it leads.
    pub(crate) fn owner(&self) -> Result<SessionOwner, StoreError> {
        let row = self.id.as_slice();
        Ok(SessionOwner { user_id: id("emails", row, &self.user_id)?, email_id: id("emails", row, row)? })
    }

    pub(crate) fn into_known(self) -> Result<KnownAddress, StoreError> {
        let (owner, address) = (self.owner()?, self.address()?);
        Ok(KnownAddress { owner, address, verified: self.verified, vouched: self.vouched })
    }

    pub(crate) fn into_email(self) -> Result<Email, StoreError> {
        let (id, address) = (id("emails", &self.id, &self.id)?, self.address()?);
        Ok(Email { id, address, verified: self.verified, vouched: self.vouched, preferred: self.preferred })
    }

    fn address(&self) -> Result<EmailAddress, StoreError> {
        EmailAddress::from_stored(&self.address).map_err(|error| corrupt("emails", printed(&self.id), error))
    }
}
