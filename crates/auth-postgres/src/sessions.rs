//! Sessions, live or waiting for their code.

use async_trait::async_trait;
use auth_domain::{
    CredentialId, LiveSession, Page, Paged, Session, Sessions, StoreError, Timestamp, TokenDigest, UserId,
};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, NullableExpressionMethods, PgExpressionMethods, QueryDsl,
    SelectableHelper,
    data_types::PgTimestamp,
    dsl::{auto_type, exists, not},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::{
    PostgresStore,
    error::Failure,
    paging,
    rows::{SessionRow, stored},
    schema::{sessions, users},
    usage,
};

#[async_trait]
impl Sessions for PostgresStore {
    async fn find_session(&self, digest: &TokenDigest) -> Result<Option<LiveSession>, StoreError> {
        self.checks.find_session(*digest).await
    }

    async fn list_sessions(&self, user: UserId, now: Timestamp) -> Result<Vec<Session>, StoreError> {
        self.read((user, now), |conn, (user, now)| Box::pin(list_sessions(conn, *user, *now))).await
    }

    async fn page_sessions(
        &self,
        user: Option<UserId>,
        now: Timestamp,
        page: Page,
    ) -> Result<Paged<Session>, StoreError> {
        let input = (user, now, page);
        self.view(input, |conn, (user, now, page)| Box::pin(page_sessions(conn, *user, *now, *page))).await
    }

    async fn record_usage(&self, usage: &[(CredentialId, Timestamp)]) -> Result<(), StoreError> {
        self.write(usage.to_vec(), |conn, usage| Box::pin(usage::record(conn, usage))).await
    }
}

async fn list_sessions(conn: &mut AsyncPgConnection, user: UserId, now: Timestamp) -> Result<Vec<Session>, Failure> {
    let live = sessions::table
        .filter(sessions::user_id.eq(user.uuid()))
        .filter(sessions::verified_at.is_not_null())
        .filter(sessions::expires_at.gt(stored(now)).is_not_distinct_from(true))
        .order((sessions::created_at.desc(), sessions::id.desc()))
        .select(SessionRow::as_select())
        .load(conn)
        .await?;
    Ok(live.into_iter().map(SessionRow::into_session).collect::<Result<_, _>>()?)
}

/// Sessions of accounts that end after `now`. Few users are registrations: they are ruled out, not the others looked up.
#[auto_type(no_type_alias)]
fn of_accounts_at(now: PgTimestamp) -> _ {
    let registering =
        users::table.filter(users::id.nullable().eq(sessions::user_id)).filter(users::registration.is_not_null());
    sessions::expires_at.gt(now).and(sessions::user_id.is_not_null()).and(not(exists(registering)))
}

async fn page_sessions(
    conn: &mut AsyncPgConnection,
    user: Option<UserId>,
    now: Timestamp,
    page: Page,
) -> Result<Paged<Session>, Failure> {
    let wanted = || {
        let all = sessions::table.filter(of_accounts_at(stored(now))).into_boxed();
        match user {
            Some(user) => all.filter(sessions::user_id.eq(user.uuid())),
            None => all,
        }
    };
    let items = wanted().count().get_result(conn).await?;
    let rows = wanted()
        .order(sessions::id.desc())
        .limit(paging::size(page))
        .offset(paging::offset(page))
        .select(SessionRow::as_select())
        .load(conn)
        .await?;
    Ok(paging::paged(rows, items, SessionRow::into_session)?)
}
