//! Sessions, live or waiting for their code.

use async_trait::async_trait;
use auth_domain::{
    CredentialId, LiveSession, Page, Paged, Session, Sessions, StoreError, Timestamp, TokenDigest, UserId,
};
use diesel::{
    BoolExpressionMethods, Connection, ExpressionMethods, NullableExpressionMethods, QueryDsl, RunQueryDsl,
    SqliteConnection,
    dsl::{auto_type, not},
};

use crate::{
    SqliteStore,
    error::Failure,
    pages,
    rows::{all, bytes_of, live_session, seen_session},
    schema::{sessions, users},
    usage,
};

#[async_trait]
impl Sessions for SqliteStore {
    async fn find_session(&self, digest: &TokenDigest) -> Result<Option<LiveSession>, StoreError> {
        // On the caller's thread: the read takes some ten microseconds from memory, less than handing it to another
        // thread and waiting for the answer. In WAL mode no writer holds it up.
        let digest = *digest;
        self.read_here(move |conn| find_session(conn, &digest)).await
    }

    async fn list_sessions(&self, user: UserId, now: Timestamp) -> Result<Vec<Session>, StoreError> {
        self.read(move |conn| list_sessions(conn, user, now)).await
    }

    async fn page_sessions(
        &self,
        user: Option<UserId>,
        now: Timestamp,
        page: Page,
    ) -> Result<Paged<Session>, StoreError> {
        self.read(move |conn| conn.transaction(|conn| page_sessions(conn, user, now, page))).await
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
    sessions::table.inner_join(users::table).filter(sessions::digest.eq(digest))
}

fn find_session(conn: &mut SqliteConnection, digest: &TokenDigest) -> Result<Option<LiveSession>, Failure> {
    let found = all(by_digest(digest.as_bytes()).load(conn), live_session)?;
    Ok(found.into_iter().next().flatten())
}

fn list_sessions(conn: &mut SqliteConnection, user: UserId, now: Timestamp) -> Result<Vec<Session>, Failure> {
    let live = sessions::table
        .filter(sessions::user_id.eq(bytes_of(user.uuid())))
        .filter(sessions::verified_at.is_not_null())
        .filter(sessions::expires_at.gt(now.unix_millis()))
        .order((sessions::created_at.desc(), sessions::id.desc()));
    all(live.load(conn), seen_session)
}

/// Sessions of accounts: no decoys, and not those of registrations that nobody completed. Of these there are few at any
/// time, so they are what is looked up.
#[auto_type(no_type_alias)]
fn are_of_accounts() -> _ {
    let registrations = users::table.filter(users::registration.is_not_null()).select(users::id.nullable());
    sessions::user_id.is_not_null().and(not(sessions::user_id.eq_any(registrations)))
}

fn page_sessions(
    conn: &mut SqliteConnection,
    user: Option<UserId>,
    now: Timestamp,
    page: Page,
) -> Result<Paged<Session>, Failure> {
    let wanted = || {
        let open =
            sessions::table.filter(sessions::expires_at.gt(now.unix_millis())).filter(are_of_accounts()).into_boxed();
        match user {
            Some(user) => open.filter(sessions::user_id.eq(bytes_of(user.uuid()))),
            None => open,
        }
    };
    let items = wanted().count().get_result(conn)?;
    // By their ids, which are in the order of time, and of which there is an index.
    let rows = wanted().order(sessions::id.desc()).limit(page.size().into()).offset(pages::offset(page)).load(conn)?;
    pages::paged(rows, items, seen_session)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::plan;

    #[test]
    fn the_check_reads_two_rows_by_unique_index_and_scans_nothing() {
        let plan = plan(&by_digest(&[0; 32]));
        let [session, user] = plan.as_slice() else { panic!("{plan:?}") };
        assert!(session.starts_with("SEARCH sessions USING INDEX sqlite_autoindex_sessions"), "{plan:?}");
        assert!(session.ends_with("(digest=?)"), "{plan:?}");
        assert!(user.starts_with("SEARCH users USING INDEX") && user.ends_with("(id=?)"), "{plan:?}");
    }
}
