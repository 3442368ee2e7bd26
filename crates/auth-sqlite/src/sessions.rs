//! Sessions, live or waiting for their code.

use async_trait::async_trait;
use auth_domain::{
    Applied, CodeHash, CredentialId, Event, FactKey, LiveSession, NewSession, Page, Paged, PendingSignIn, Session,
    SessionId, Sessions, SignInStored, StoreError, Timestamp, TokenDigest, UserId, Verified,
};
use diesel::{
    BoolExpressionMethods, Connection, ExpressionMethods, NullableExpressionMethods, OptionalExtension, QueryDsl,
    RunQueryDsl, SelectableHelper, SqliteConnection,
    dsl::{auto_type, not},
    sqlite::Sqlite,
};

use crate::{
    SqliteStore, audit,
    error::{Failure, corrupt},
    pages,
    rows::{SessionRow, UserRow, bytes_of, id, live_session},
    schema::{sessions, users},
    signing_in, usage,
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

    async fn open_session(&self, sign_in: &PendingSignIn, decoy_hash: &CodeHash) -> Result<SignInStored, StoreError> {
        let key = FactKey::Address(sign_in.code.address.clone());
        let (sign_in, decoy_hash) = (sign_in.clone(), decoy_hash.clone());
        self.write(Some(key), move |conn| signing_in::open_session(conn, sign_in, decoy_hash)).await
    }

    async fn extend_session(
        &self,
        id: SessionId,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<Applied, StoreError> {
        let extended = self.revoke(Some(FactKey::Session(id)), move |conn| {
            let owner = extend_session(conn, id, expires_at, now)?;
            Ok((owner, owner))
        });
        Ok(if extended.await?.is_some() { Applied::Yes } else { Applied::Stale })
    }

    async fn open_live_session(
        &self,
        user: UserId,
        session: &NewSession,
        event: &Event,
    ) -> Result<Applied, StoreError> {
        let (session, event) = (session.clone(), event.clone());
        self.write(None, move |conn| signing_in::open_live_session(conn, user, &session, &event)).await
    }

    async fn verify_session(&self, id: SessionId, event: &Event) -> Result<Verified, StoreError> {
        let event = event.clone();
        self.write(None, move |conn| signing_in::verify_session(conn, id, &event)).await
    }

    async fn close_session(
        &self,
        id: SessionId,
        of: Option<UserId>,
        event: &Event,
    ) -> Result<Option<UserId>, StoreError> {
        let event = event.clone();
        let close = move |conn: &mut SqliteConnection| {
            let owner = close_session(conn, id, of, &event)?;
            Ok((owner, owner))
        };
        self.revoke(FactKey::from_owner(of), close).await
    }

    async fn close_sessions(&self, user: UserId, keep: Option<SessionId>, event: &Event) -> Result<u64, StoreError> {
        let event = event.clone();
        self.revoke(Some(FactKey::User(user)), move |conn| Ok((close_sessions(conn, user, keep, &event)?, Some(user))))
            .await
    }

    async fn record_usage(&self, usage: &[(CredentialId, Timestamp)]) -> Result<(), StoreError> {
        let usage = usage.to_vec();
        self.write(None, move |conn| usage::record(conn, usage)).await
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
    let rows: Vec<SessionRow> = wanted()
        .order(sessions::id.desc())
        .limit(page.size().into())
        .offset(pages::offset(page))
        .select(SessionRow::as_select())
        .load(conn)?;
    pages::paged(rows, items, SessionRow::into_session)
}

/// Returns whose session it is; `None` when there is none to extend.
fn extend_session(
    conn: &mut SqliteConnection,
    session: SessionId,
    expires_at: Timestamp,
    now: Timestamp,
) -> Result<Option<UserId>, Failure> {
    let row = bytes_of(session.uuid());
    let alive: Vec<(i64, Option<Vec<u8>>)> = sessions::table
        .filter(sessions::id.eq(&row))
        .filter(sessions::verified_at.is_not_null())
        .filter(sessions::expires_at.gt(now.unix_millis()))
        .select((sessions::expires_at, sessions::user_id))
        .load(conn)?;
    let Some((ends_at, owner)) = alive.into_iter().next() else {
        return Ok(None);
    };
    if ends_at < expires_at.unix_millis() {
        diesel::update(sessions::table.filter(sessions::id.eq(&row)))
            .set(sessions::expires_at.eq(expires_at.unix_millis()))
            .execute(conn)?;
    }
    let owner = owner.ok_or_else(|| corrupt("sessions", session, "verified, and belongs to nobody"))?;
    Ok(Some(id("sessions", &row, &owner)?))
}

/// Whose session `id` is, if it is one of an account's and ends after `now`.
pub(crate) fn owner_of(
    conn: &mut SqliteConnection,
    session: SessionId,
    now: Timestamp,
) -> Result<Option<UserId>, Failure> {
    let owner: Option<Vec<u8>> = sessions::table
        .inner_join(users::table)
        .filter(sessions::id.eq(bytes_of(session.uuid())))
        .filter(sessions::expires_at.gt(now.unix_millis()))
        .filter(users::registration.is_null())
        .select(users::id)
        .get_result(conn)
        .optional()?;
    Ok(owner.map(|owner| id("users", &owner, &owner)).transpose()?)
}

fn close_session(
    conn: &mut SqliteConnection,
    id: SessionId,
    of: Option<UserId>,
    event: &Event,
) -> Result<Option<UserId>, Failure> {
    let owner = owner_of(conn, id, event.at)?.filter(|owner| of.is_none_or(|of| of == *owner));
    if let Some(owner) = owner {
        // Its code goes by foreign key.
        diesel::delete(sessions::table.filter(sessions::id.eq(bytes_of(id.uuid())))).execute(conn)?;
        audit::record_about(conn, event, owner)?;
    }
    Ok(owner)
}

fn close_sessions(
    conn: &mut SqliteConnection,
    user: UserId,
    keep: Option<SessionId>,
    event: &Event,
) -> Result<u64, Failure> {
    let theirs: Vec<(Vec<u8>, Option<i64>, i64)> = sessions::table
        .filter(sessions::user_id.eq(bytes_of(user.uuid())))
        .select((sessions::id, sessions::verified_at, sessions::expires_at))
        .load(conn)?;
    let keep = keep.map(|keep| bytes_of(keep.uuid()));
    let mut live = 0;
    for (id, verified_at, expires_at) in theirs.into_iter().filter(|(id, ..)| keep.as_ref() != Some(id)) {
        live += u64::from(verified_at.is_some() && expires_at > event.at.unix_millis());
        diesel::delete(sessions::table.filter(sessions::id.eq(id))).execute(conn)?;
    }
    if live > 0 {
        audit::record(conn, event)?;
    }
    Ok(live)
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
