//! Sessions, live or waiting for their code.

use async_trait::async_trait;
use auth_domain::{
    Applied, CredentialId, LiveSession, PendingSignIn, Session, SessionId, SessionOwner, Sessions, Standing,
    StoreError, Timestamp, TokenDigest, UserId,
};
use diesel::{
    ExpressionMethods, QueryDsl, RunQueryDsl, SelectableHelper, SqliteConnection, dsl::auto_type, sqlite::Sqlite,
};

use crate::{
    SqliteStore,
    codes::{self, Opens},
    error::Failure,
    outbox, registrations,
    rows::{SessionRow, UserRow, bytes_of, live_session, standing},
    schema::{emails, sessions, users},
    usage,
};

#[async_trait]
impl Sessions for SqliteStore {
    async fn find_session(&self, digest: &TokenDigest) -> Result<Option<LiveSession>, StoreError> {
        // On the caller's thread: the read takes some ten microseconds from memory, less than handing it to another
        // thread and waiting for the answer. In WAL mode no writer holds it up.
        self.read_here(|conn| find_session(conn, digest))
    }

    async fn list_sessions(&self, user: UserId, now: Timestamp) -> Result<Vec<Session>, StoreError> {
        self.read(move |conn| list_sessions(conn, user, now)).await
    }

    async fn open_session(&self, sign_in: &PendingSignIn) -> Result<Applied, StoreError> {
        let sign_in = sign_in.clone();
        self.write(move |conn| open_session(conn, &sign_in)).await
    }

    async fn extend_session(
        &self,
        id: SessionId,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<Applied, StoreError> {
        self.write(move |conn| extend_session(conn, id, expires_at, now)).await
    }

    async fn close_session(&self, user: UserId, id: SessionId, now: Timestamp) -> Result<Applied, StoreError> {
        self.write(move |conn| close_session(conn, user, id, now)).await
    }

    async fn close_other_sessions(&self, user: UserId, keep: SessionId, now: Timestamp) -> Result<u64, StoreError> {
        self.write(move |conn| close_other_sessions(conn, user, keep, now)).await
    }

    async fn record_usage(&self, usage: &[(CredentialId, Timestamp)]) -> Result<(), StoreError> {
        let usage = usage.to_vec();
        self.write(move |conn| usage::record(conn, usage)).await
    }
}

/// What every check asks. The digest is its only bound value, and it is not limited to one row: a bound `LIMIT` makes
/// SQLite plan the statement anew each time. The index allows one row at most.
#[auto_type(no_type_alias)]
fn by_digest<'a>(digest: &'a [u8]) -> _ {
    let columns: diesel::dsl::AsSelect<(SessionRow, UserRow), Sqlite> = <(SessionRow, UserRow)>::as_select();
    sessions::table.inner_join(users::table).filter(sessions::digest.eq(digest)).select(columns)
}

fn find_session(conn: &mut SqliteConnection, digest: &TokenDigest) -> Result<Option<LiveSession>, Failure> {
    let found = by_digest(digest.as_bytes()).load::<(SessionRow, UserRow)>(conn)?;
    match found.into_iter().next() {
        Some(found) => Ok(live_session(found)?),
        None => Ok(None),
    }
}

fn list_sessions(conn: &mut SqliteConnection, user: UserId, now: Timestamp) -> Result<Vec<Session>, Failure> {
    let live = sessions::table
        .filter(sessions::user_id.eq(bytes_of(user.uuid())))
        .filter(sessions::verified_at.is_not_null())
        .filter(sessions::expires_at.gt(now.unix_millis()))
        .order((sessions::created_at.desc(), sessions::id.desc()))
        .select(SessionRow::as_select())
        .load(conn)?;
    Ok(live.into_iter().map(SessionRow::into_session).collect::<Result<_, _>>()?)
}

fn open_session(conn: &mut SqliteConnection, sign_in: &PendingSignIn) -> Result<Applied, Failure> {
    registrations::delete_ended(conn, &sign_in.code.address, sign_in.code.created_at)?;
    if let Some(owner) = sign_in.session.owner
        && !still_leads_to(conn, owner, sign_in.code.address.as_str())?
    {
        return Ok(Applied::Stale);
    }
    store_sign_in(conn, sign_in)?;
    Ok(Applied::Yes)
}

/// Whether `owner` has the address still: as a verified one, or as that of a registration.
fn still_leads_to(conn: &mut SqliteConnection, owner: SessionOwner, address: &str) -> Result<bool, Failure> {
    let found: Vec<(bool, Option<String>, Vec<u8>)> = emails::table
        .inner_join(users::table)
        .filter(emails::id.eq(bytes_of(owner.email_id.uuid())))
        .filter(emails::user_id.eq(bytes_of(owner.user_id.uuid())))
        .filter(emails::address_key.eq(address))
        .select((emails::verified, users::registration, users::id))
        .load(conn)?;
    for (verified, registration, user) in found {
        if verified || standing(registration.as_deref(), &user)? == Standing::Pending {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Stores session, code and mail, and ends the codes that the new one supersedes.
pub(crate) fn store_sign_in(conn: &mut SqliteConnection, sign_in: &PendingSignIn) -> Result<(), Failure> {
    let PendingSignIn { session, code, mail } = sign_in;
    codes::end_superseded(conn, code)?;
    diesel::insert_into(sessions::table)
        .values((
            sessions::id.eq(bytes_of(session.id.uuid())),
            sessions::user_id.eq(session.owner.map(|owner| bytes_of(owner.user_id.uuid()))),
            sessions::digest.eq(session.digest.as_bytes().as_slice()),
            sessions::key_id.eq(session.key_id.to_string()),
            sessions::kind.eq(session.kind.as_str()),
            sessions::created_at.eq(session.created_at.unix_millis()),
            sessions::expires_at.eq(session.expires_at.unix_millis()),
            sessions::ip.eq(session.client.ip.to_string()),
            sessions::user_agent.eq(&session.client.user_agent),
        ))
        .execute(conn)?;
    let email = session.owner.map(|owner| owner.email_id);
    codes::insert(conn, code, Opens::Session(session.id), email)?;
    outbox::insert(conn, mail)
}

fn extend_session(
    conn: &mut SqliteConnection,
    id: SessionId,
    expires_at: Timestamp,
    now: Timestamp,
) -> Result<Applied, Failure> {
    let id = bytes_of(id.uuid());
    let alive: Vec<i64> = sessions::table
        .filter(sessions::id.eq(&id))
        .filter(sessions::verified_at.is_not_null())
        .filter(sessions::expires_at.gt(now.unix_millis()))
        .select(sessions::expires_at)
        .load(conn)?;
    let Some(ends_at) = alive.into_iter().next() else {
        return Ok(Applied::Stale);
    };
    if ends_at < expires_at.unix_millis() {
        diesel::update(sessions::table.filter(sessions::id.eq(&id)))
            .set(sessions::expires_at.eq(expires_at.unix_millis()))
            .execute(conn)?;
    }
    Ok(Applied::Yes)
}

fn close_session(conn: &mut SqliteConnection, user: UserId, id: SessionId, now: Timestamp) -> Result<Applied, Failure> {
    let open = sessions::table
        .filter(sessions::id.eq(bytes_of(id.uuid())))
        .filter(sessions::user_id.eq(bytes_of(user.uuid())))
        .filter(sessions::expires_at.gt(now.unix_millis()));
    let closed = diesel::delete(open).execute(conn)?;
    Ok(if closed == 0 { Applied::Stale } else { Applied::Yes })
}

fn close_other_sessions(
    conn: &mut SqliteConnection,
    user: UserId,
    keep: SessionId,
    now: Timestamp,
) -> Result<u64, Failure> {
    let others: Vec<(Vec<u8>, Option<i64>, i64)> = sessions::table
        .filter(sessions::user_id.eq(bytes_of(user.uuid())))
        .filter(sessions::id.ne(bytes_of(keep.uuid())))
        .select((sessions::id, sessions::verified_at, sessions::expires_at))
        .load(conn)?;
    let mut live = 0;
    for (id, verified_at, expires_at) in others {
        live += u64::from(verified_at.is_some() && expires_at > now.unix_millis());
        diesel::delete(sessions::table.filter(sessions::id.eq(id))).execute(conn)?;
    }
    Ok(live)
}

#[cfg(test)]
mod tests {
    use diesel::{QueryableByName, debug_query, sql_query, sql_types::Text};

    use super::*;

    #[derive(QueryableByName)]
    struct Step {
        #[diesel(sql_type = Text)]
        detail: String,
    }

    #[test]
    fn the_check_reads_two_rows_by_unique_index_and_scans_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("auth.db")).unwrap();
        let sql = debug_query::<Sqlite, _>(&by_digest(&[0; 32])).to_string();
        let plan: Vec<String> = store
            .read_here(|conn| Ok(sql_query(format!("EXPLAIN QUERY PLAN {sql}")).load::<Step>(conn)?))
            .unwrap()
            .into_iter()
            .map(|step| step.detail)
            .collect();
        let [session, user] = plan.as_slice() else { panic!("{plan:?}") };
        assert!(session.starts_with("SEARCH sessions USING INDEX sqlite_autoindex_sessions"), "{plan:?}");
        assert!(session.ends_with("(digest=?)"), "{plan:?}");
        assert!(user.starts_with("SEARCH users USING INDEX") && user.ends_with("(id=?)"), "{plan:?}");
    }
}
