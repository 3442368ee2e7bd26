//! Rows as they are stored, and the way from them to records and to the domain's types. What does not parse is
//! [`Corrupt`](StoreError::Corrupt), never a default.
//!
//! | file | what it holds |
//! |---|---|
//! | `records` | whole rows of users, addresses, credentials, codes and mails |
//! | `limits` | those of what limits remember |

mod limits;
mod records;

use auth_domain::{KeyId, KeyPair, LiveKeyPair, LiveSession, Session, Standing, StoreError};
use diesel::{OptionalExtension, QueryResult};
use uuid::Uuid;

pub(crate) use limits::{FailureRow, failure, known_network, throttle};
pub(crate) use records::{
    CodeRow, EmailRow, KeyPairRow, SessionRow, UserRow, attempt, code, email, key_pair, mail, session, user,
};

use crate::error::{Failure, corrupt};

/// The record of the row that was found, if one was.
pub(crate) fn one<Row, T>(
    found: QueryResult<Row>,
    record: impl FnOnce(Row) -> Result<T, StoreError>,
) -> Result<Option<T>, Failure> {
    Ok(found.optional()?.map(record).transpose()?)
}

/// The records of the rows that were found.
pub(crate) fn all<Row, T>(
    found: QueryResult<Vec<Row>>,
    record: impl FnMut(Row) -> Result<T, StoreError>,
) -> Result<Vec<T>, Failure> {
    Ok(found?.into_iter().map(record).collect::<Result<_, _>>()?)
}

/// The stored form of an id.
pub(crate) fn bytes_of(uuid: Uuid) -> Vec<u8> {
    uuid.into_bytes().to_vec()
}

/// The id in a column of `table`, whose row is `row`.
pub(crate) fn id<T: From<Uuid>>(table: &'static str, row: &[u8], column: &[u8]) -> Result<T, StoreError> {
    Uuid::from_slice(column).map(T::from).map_err(damage(table, row))
}

/// The server key in `key_id` of `table`, whose row is `row`.
pub(crate) fn key_id(table: &'static str, row: &[u8], stored: &str) -> Result<KeyId, StoreError> {
    stored.parse().map_err(damage(table, row))
}

/// The number in a column of `table`, whose row is `row`.
pub(crate) fn count(table: &'static str, row: &[u8], stored: i64) -> Result<u32, StoreError> {
    u32::try_from(stored).map_err(damage(table, row))
}

/// The names in a JSON column of `table`, whose row is `row`.
fn names(table: &'static str, row: &[u8], stored: &str) -> Result<Vec<String>, StoreError> {
    serde_json::from_str(stored).map_err(damage(table, row))
}

/// Names as they are stored.
pub(crate) fn as_json(names: &[String]) -> String {
    serde_json::Value::from(names).to_string()
}

/// An id for people to read, whether or not it is one.
pub(crate) fn printed(row: &[u8]) -> String {
    Uuid::from_slice(row).map_or_else(|_not_a_uuid| format!("{row:02x?}"), |uuid| uuid.to_string())
}

/// What does not parse, in a column of `table`, whose row is `row`.
fn damage<E: std::fmt::Display>(table: &'static str, row: &[u8]) -> impl FnOnce(E) -> StoreError {
    move |reason| corrupt(table, printed(row), reason)
}

/// A session that is somebody's, as people see it.
pub(crate) fn seen_session(row: SessionRow) -> Result<Session, StoreError> {
    let record = session(row)?;
    let user_id = record.user_id.ok_or_else(|| corrupt("sessions", record.id, "belongs to nobody"))?;
    Ok(Session {
        id: record.id,
        user_id,
        kind: record.kind,
        verified_at: record.verified_at,
        created_at: record.created_at,
        expires_at: record.expires_at,
        last_used_at: record.last_used_at,
        client: record.client,
    })
}

/// A key pair as people see it.
pub(crate) fn seen_key_pair(row: KeyPairRow) -> Result<KeyPair, StoreError> {
    let record = key_pair(row)?;
    Ok(KeyPair {
        id: record.id,
        user_id: record.user_id,
        name: record.name,
        api_key: record.api_key,
        roles: record.roles,
        verified: record.verified_at.is_some(),
        created_at: record.created_at,
        expires_at: record.expires_at,
        last_used_at: record.last_used_at,
    })
}

/// A session and its user as the check reads them; `None` when the user is a decoy.
pub(crate) fn live_session((session, owner): (SessionRow, UserRow)) -> Result<Option<LiveSession>, StoreError> {
    let owner = user(owner)?;
    if owner.standing == Standing::Decoy {
        return Ok(None);
    }
    Ok(Some(LiveSession { session: seen_session(session)?, user: owner.user }))
}

/// A key pair and its user as the check reads them.
pub(crate) fn live_key_pair((key_pair, owner): (KeyPairRow, UserRow)) -> Result<LiveKeyPair, StoreError> {
    Ok(LiveKeyPair { key_pair: seen_key_pair(key_pair)?, user: user(owner)?.user })
}
