//! Sessions, live or waiting for their code.

use async_trait::async_trait;
use auth_domain::{
    Applied, CodeHash, CredentialId, Event, FactKey, LiveSession, NewSession, Page, Paged, PendingSignIn, Session,
    SessionId, Sessions, SignInStored, StoreError, Timestamp, TokenDigest, UserId, Verified,
};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, NullableExpressionMethods, OptionalExtension, PgExpressionMethods,
    QueryDsl, SelectableHelper,
    data_types::PgTimestamp,
    dsl::{auto_type, exists, not},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use ipnet::IpNet;
use uuid::Uuid;

use crate::{
    PostgresStore, audit, closing,
    error::Failure,
    locks, paging,
    revocations::{self, Revoked},
    rows::{SessionRow, moment, stored},
    schema::{sessions, users},
    sign_ins, usage,
    users::{lock_account, lock_active, lock_user},
};

#[async_trait]
impl Sessions for PostgresStore {
    async fn find_session(&self, digest: &TokenDigest) -> Result<Option<LiveSession>, StoreError> {
        self.checks.find_session(*digest).await
    }

    async fn list_sessions(&self, user: UserId, now: Timestamp) -> Result<Vec<Session>, StoreError> {
        self.read((user, now), |conn, (user, now)| Box::pin(list_sessions(conn, *user, *now))).await
    }

    async fn open_session(&self, sign_in: &PendingSignIn, decoy_hash: &CodeHash) -> Result<SignInStored, StoreError> {
        let key = FactKey::Address(sign_in.code.address.clone());
        let input = (sign_in.clone(), decoy_hash.clone());
        self.write_at_once(Some(key), input, |conn, (sign_in, decoy_hash)| {
            Box::pin(sign_ins::open_session(conn, sign_in, decoy_hash))
        })
        .await
    }

    async fn extend_session(
        &self,
        id: SessionId,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<Applied, StoreError> {
        let input = (id, expires_at, now);
        self.revoke(Some(FactKey::Session(id)), input, None, |conn, (id, until, now)| {
            Box::pin(extend_session(conn, *id, *until, *now))
        })
        .await
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

    async fn open_live_session(
        &self,
        user: UserId,
        session: &NewSession,
        event: &Event,
    ) -> Result<Applied, StoreError> {
        let input = (user, session.clone(), event.clone());
        self.write(None, input, |conn, (user, session, event)| Box::pin(open_live_session(conn, *user, session, event)))
            .await
    }

    async fn verify_session(&self, id: SessionId, event: &Event) -> Result<Verified, StoreError> {
        self.write(None, (id, event.clone()), |conn, (id, event)| Box::pin(verify_session(conn, *id, event))).await
    }

    async fn close_session(
        &self,
        id: SessionId,
        of: Option<UserId>,
        event: &Event,
    ) -> Result<Option<UserId>, StoreError> {
        let input = (id, of, event.clone());
        self.revoke_at_once(FactKey::from_owner(of), input, of, |conn, (id, of, event)| {
            Box::pin(closing::close_session(conn, *id, *of, event))
        })
        .await
    }

    async fn close_sessions(&self, user: UserId, keep: Option<SessionId>, event: &Event) -> Result<u64, StoreError> {
        let input = (user, keep, event.clone());
        self.revoke(Some(FactKey::User(user)), input, Some(user), |conn, (user, keep, event)| {
            Box::pin(close_sessions(conn, *user, *keep, event))
        })
        .await
    }

    async fn record_usage(&self, usage: &[(CredentialId, Timestamp)]) -> Result<(), StoreError> {
        self.write(None, usage.to_vec(), |conn, usage| Box::pin(usage::record(conn, usage))).await
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

async fn extend_session(
    conn: &mut AsyncPgConnection,
    id: SessionId,
    expires_at: Timestamp,
    now: Timestamp,
) -> Result<Revoked<Applied>, Failure> {
    let session = sessions::table.filter(sessions::id.eq(id.uuid()));
    let found: Option<(PgTimestamp, Option<Uuid>)> = session
        .filter(sessions::verified_at.is_not_null())
        .filter(sessions::expires_at.gt(stored(now)))
        .select((sessions::expires_at, sessions::user_id))
        .for_no_key_update()
        .get_result(conn)
        .await
        .optional()?;
    // The table has none that is verified and nobody's.
    let Some((ends_at, Some(owner))) = found else { return Ok(Revoked { answer: Applied::Stale, of: None }) };
    if expires_at <= moment(ends_at) {
        return Ok(Revoked { answer: Applied::Yes, of: None });
    }
    diesel::update(session).set(sessions::expires_at.eq(stored(expires_at))).execute(conn).await?;
    revocations::announce(conn, owner.into()).await?;
    Ok(Revoked { answer: Applied::Yes, of: Some(owner.into()) })
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

async fn open_live_session(
    conn: &mut AsyncPgConnection,
    user: UserId,
    session: &NewSession,
    event: &Event,
) -> Result<Applied, Failure> {
    if lock_active(conn, user.uuid()).await?.is_none() {
        return Ok(Applied::Stale);
    }
    let opened_at = stored(session.created_at);
    diesel::insert_into(sessions::table)
        .values((
            sessions::id.eq(session.id.uuid()),
            sessions::user_id.eq(user.uuid()),
            sessions::digest.eq(session.digest.as_bytes().as_slice()),
            sessions::key_id.eq(session.key_id.to_string()),
            sessions::kind.eq(session.kind.as_str()),
            sessions::verified_at.eq(opened_at),
            sessions::created_at.eq(opened_at),
            sessions::expires_at.eq(stored(session.expires_at)),
            sessions::ip.eq(IpNet::from(session.client.ip)),
            sessions::user_agent.eq(&session.client.user_agent),
        ))
        .execute(conn)
        .await?;
    audit::record(conn, event).await?;
    Ok(Applied::Yes)
}

async fn verify_session(conn: &mut AsyncPgConnection, id: SessionId, event: &Event) -> Result<Verified, Failure> {
    // Whose it is never changes: read first, so that locks can be taken in their order.
    let session = sessions::table.filter(sessions::id.eq(id.uuid())).filter(sessions::expires_at.gt(stored(event.at)));
    let owner: Option<Option<Uuid>> = session.select(sessions::user_id).get_result(conn).await.optional()?;
    let Some(Some(owner)) = owner else { return Ok(Verified::Missing) };
    if lock_account(conn, owner).await?.is_none() {
        return Ok(Verified::Missing);
    }
    let row = session.select(SessionRow::as_select()).for_no_key_update().get_result(conn).await.optional()?;
    let Some(row) = row else { return Ok(Verified::Missing) };
    // One that is live already stays as fresh as it was.
    if !row.is_waiting_at(event.at) {
        return Ok(Verified::Already);
    }
    diesel::update(session).set(sessions::verified_at.eq(stored(event.at))).execute(conn).await?;
    audit::record_about(conn, owner, event).await?;
    Ok(Verified::Yes(owner.into()))
}

async fn close_sessions(
    conn: &mut AsyncPgConnection,
    user: UserId,
    keep: Option<SessionId>,
    event: &Event,
) -> Result<Revoked<u64>, Failure> {
    // The user's row first: a sign-in that is just being completed is either seen here or not complete.
    lock_user(conn, user.uuid()).await?;
    locks::credentials(conn, user).await?;
    let theirs = sessions::table.filter(sessions::user_id.eq(user.uuid()));
    // Without one to be kept, each of them is distinct from it.
    let goes = sessions::id.nullable().is_distinct_from(keep.map(SessionId::uuid));
    let closed = diesel::delete(theirs.filter(goes))
        .returning((sessions::verified_at, sessions::expires_at))
        .get_results::<(Option<PgTimestamp>, PgTimestamp)>(conn)
        .await?;
    let is_live = |(verified_at, ends_at): &&(Option<PgTimestamp>, PgTimestamp)| {
        verified_at.is_some() && event.at < moment(*ends_at)
    };
    let live = closed.iter().filter(is_live).count();
    if live == 0 {
        return Ok(Revoked { answer: 0, of: None });
    }
    audit::record(conn, event).await?;
    revocations::announce(conn, user).await?;
    Ok(Revoked { answer: u64::try_from(live).unwrap_or(u64::MAX), of: Some(user) })
}
