use auth_domain::{
    KeyPairId, SessionId, Timestamp, UserId,
    archive::{KeyPairRecord, SessionRecord},
};
use diesel::{ExpressionMethods, QueryDsl, QueryResult, RunQueryDsl, SqliteConnection};

use crate::{
    rows::{as_json, bytes_of},
    schema::{key_pairs, sessions},
};

pub(super) fn insert_session(conn: &mut SqliteConnection, record: &SessionRecord) -> QueryResult<usize> {
    diesel::insert_into(sessions::table)
        .values((
            sessions::id.eq(bytes_of(record.id.uuid())),
            sessions::user_id.eq(record.user_id.map(|user| bytes_of(user.uuid()))),
            sessions::digest.eq(record.digest.as_bytes().as_slice()),
            sessions::key_id.eq(record.key_id.to_string()),
            sessions::kind.eq(record.kind.as_str()),
            sessions::verified_at.eq(record.verified_at.map(Timestamp::unix_millis)),
            sessions::created_at.eq(record.created_at.unix_millis()),
            sessions::expires_at.eq(record.expires_at.unix_millis()),
            sessions::last_used_at.eq(record.last_used_at.map(Timestamp::unix_millis)),
            sessions::ip.eq(record.client.ip.to_string()),
            sessions::user_agent.eq(&record.client.user_agent),
        ))
        .execute(conn)
}

pub(super) fn verify_session(conn: &mut SqliteConnection, id: SessionId, at: Timestamp) -> QueryResult<usize> {
    let verified = sessions::verified_at.eq(at.unix_millis());
    diesel::update(sessions::table.find(bytes_of(id.uuid()))).set(verified).execute(conn)
}

pub(super) fn extend_session(conn: &mut SqliteConnection, id: SessionId, expires_at: Timestamp) -> QueryResult<usize> {
    let extended = sessions::expires_at.eq(expires_at.unix_millis());
    diesel::update(sessions::table.find(bytes_of(id.uuid()))).set(extended).execute(conn)
}

pub(super) fn delete_session(conn: &mut SqliteConnection, id: SessionId) -> QueryResult<usize> {
    diesel::delete(sessions::table.find(bytes_of(id.uuid()))).execute(conn)
}

pub(super) fn delete_sessions(
    conn: &mut SqliteConnection,
    user: UserId,
    keep: Option<SessionId>,
) -> QueryResult<usize> {
    let theirs = sessions::table.filter(sessions::user_id.eq(bytes_of(user.uuid())));
    match keep {
        Some(keep) => diesel::delete(theirs.filter(sessions::id.ne(bytes_of(keep.uuid())))).execute(conn),
        None => diesel::delete(theirs).execute(conn),
    }
}

pub(super) fn insert_key_pair(conn: &mut SqliteConnection, record: &KeyPairRecord) -> QueryResult<usize> {
    diesel::insert_into(key_pairs::table)
        .values((
            key_pairs::id.eq(bytes_of(record.id.uuid())),
            key_pairs::user_id.eq(bytes_of(record.user_id.uuid())),
            key_pairs::name.eq(record.name.as_str()),
            key_pairs::api_key.eq(record.api_key.as_str()),
            key_pairs::digest.eq(record.digest.as_bytes().as_slice()),
            key_pairs::key_id.eq(record.key_id.to_string()),
            key_pairs::roles.eq(record.roles.as_deref().map(as_json)),
            key_pairs::verified_at.eq(record.verified_at.map(Timestamp::unix_millis)),
            key_pairs::created_at.eq(record.created_at.unix_millis()),
            key_pairs::expires_at.eq(record.expires_at.unix_millis()),
            key_pairs::last_used_at.eq(record.last_used_at.map(Timestamp::unix_millis)),
        ))
        .execute(conn)
}

pub(super) fn verify_key_pair(conn: &mut SqliteConnection, id: KeyPairId, at: Timestamp) -> QueryResult<usize> {
    let verified = key_pairs::verified_at.eq(at.unix_millis());
    diesel::update(key_pairs::table.find(bytes_of(id.uuid()))).set(verified).execute(conn)
}

pub(super) fn delete_key_pair(conn: &mut SqliteConnection, id: KeyPairId) -> QueryResult<usize> {
    diesel::delete(key_pairs::table.find(bytes_of(id.uuid()))).execute(conn)
}

pub(super) fn delete_key_pairs(conn: &mut SqliteConnection, user: UserId) -> QueryResult<usize> {
    diesel::delete(key_pairs::table.filter(key_pairs::user_id.eq(bytes_of(user.uuid())))).execute(conn)
}
