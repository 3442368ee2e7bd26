//! Sessions, live or waiting for their code.

use async_trait::async_trait;
use auth_domain::{
    Applied, CredentialId, LiveSession, PendingSignIn, Session, SessionId, SessionOwner, Sessions, Standing,
    StoreError, Timestamp, TokenDigest, UserId,
};
use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, SelectableHelper, data_types::PgTimestamp};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use ipnet::IpNet;
use uuid::Uuid;

use crate::{
    PostgresStore,
    codes::{self, Opens},
    error::Failure,
    locks, outbox, registrations,
    rows::{SessionRow, UserRow, live_session, moment, standing, stored},
    schema::{emails, sessions, users},
    usage,
};

#[async_trait]
impl Sessions for PostgresStore {
    async fn find_session(&self, digest: &TokenDigest) -> Result<Option<LiveSession>, StoreError> {
        self.read(*digest, |conn, digest| Box::pin(find_session(conn, digest))).await
    }

    async fn list_sessions(&self, user: UserId, now: Timestamp) -> Result<Vec<Session>, StoreError> {
        self.read((user, now), |conn, (user, now)| Box::pin(list_sessions(conn, *user, *now))).await
    }

    async fn open_session(&self, sign_in: &PendingSignIn) -> Result<Applied, StoreError> {
        self.write(sign_in.clone(), |conn, sign_in| Box::pin(open_session(conn, sign_in))).await
    }

    async fn extend_session(
        &self,
        id: SessionId,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<Applied, StoreError> {
        let input = (id, expires_at, now);
        self.write(input, |conn, (id, until, now)| Box::pin(extend_session(conn, *id, *until, *now))).await
    }

    async fn close_session(&self, user: UserId, id: SessionId, now: Timestamp) -> Result<Applied, StoreError> {
        self.read((user, id, now), |conn, (user, id, now)| Box::pin(close_session(conn, *user, *id, *now))).await
    }

    async fn close_other_sessions(&self, user: UserId, keep: SessionId, now: Timestamp) -> Result<u64, StoreError> {
        let input = (user, keep, now);
        self.write(input, |conn, (user, keep, now)| Box::pin(close_other_sessions(conn, *user, *keep, *now))).await
    }

    async fn record_usage(&self, usage: &[(CredentialId, Timestamp)]) -> Result<(), StoreError> {
        self.write(usage.to_vec(), |conn, usage| Box::pin(usage::record(conn, usage))).await
    }
}

/// What every check asks: one statement that is prepared once for each connection, one round trip.
async fn find_session(conn: &mut AsyncPgConnection, digest: &TokenDigest) -> Result<Option<LiveSession>, Failure> {
    // Not limited to one row: the index allows no second.
    let found = sessions::table
        .inner_join(users::table)
        .filter(sessions::digest.eq(digest.as_bytes().as_slice()))
        .select(<(SessionRow, UserRow)>::as_select())
        .load(conn)
        .await?;
    match found.into_iter().next() {
        Some(found) => Ok(live_session(found)?),
        None => Ok(None),
    }
}

async fn list_sessions(conn: &mut AsyncPgConnection, user: UserId, now: Timestamp) -> Result<Vec<Session>, Failure> {
    let live = sessions::table
        .filter(sessions::user_id.eq(user.uuid()))
        .filter(sessions::verified_at.is_not_null())
        .filter(sessions::expires_at.gt(stored(now)))
        .order((sessions::created_at.desc(), sessions::id.desc()))
        .select(SessionRow::as_select())
        .load(conn)
        .await?;
    Ok(live.into_iter().map(SessionRow::into_session).collect::<Result<_, _>>()?)
}

async fn open_session(conn: &mut AsyncPgConnection, sign_in: &PendingSignIn) -> Result<Applied, Failure> {
    let address = &sign_in.code.address;
    locks::address(conn, address).await?;
    registrations::delete_ended(conn, address, sign_in.code.created_at).await?;
    if let Some(owner) = sign_in.session.owner
        && !still_leads_to(conn, owner, address.as_str()).await?
    {
        return Ok(Applied::Stale);
    }
    store_sign_in(conn, sign_in).await?;
    Ok(Applied::Yes)
}

/// Whether `owner` has the address still: as a verified one, or as that of a registration.
async fn still_leads_to(conn: &mut AsyncPgConnection, owner: SessionOwner, address: &str) -> Result<bool, Failure> {
    let found: Option<(bool, Option<String>, Uuid)> = emails::table
        .inner_join(users::table)
        .filter(emails::id.eq(owner.email_id.uuid()))
        .filter(emails::user_id.eq(owner.user_id.uuid()))
        .filter(emails::address_key.eq(address))
        .select((emails::verified, users::registration, users::id))
        .get_result(conn)
        .await
        .optional()?;
    match found {
        Some((true, ..)) => Ok(true),
        Some((false, registration, user)) => Ok(standing(registration.as_deref(), user)? == Standing::Pending),
        None => Ok(false),
    }
}

/// Stores session, code and mail, and ends the codes that the new one supersedes. The address is locked by now.
pub(crate) async fn store_sign_in(conn: &mut AsyncPgConnection, sign_in: &PendingSignIn) -> Result<(), Failure> {
    let PendingSignIn { session, code, mail } = sign_in;
    codes::end_superseded(conn, code).await?;
    diesel::insert_into(sessions::table)
        .values((
            sessions::id.eq(session.id.uuid()),
            sessions::user_id.eq(session.owner.map(|owner| owner.user_id.uuid())),
            sessions::digest.eq(session.digest.as_bytes().as_slice()),
            sessions::key_id.eq(session.key_id.to_string()),
            sessions::kind.eq(session.kind.as_str()),
            sessions::created_at.eq(stored(session.created_at)),
            sessions::expires_at.eq(stored(session.expires_at)),
            sessions::ip.eq(IpNet::from(session.client.ip)),
            sessions::user_agent.eq(&session.client.user_agent),
        ))
        .execute(conn)
        .await?;
    let email = session.owner.map(|owner| owner.email_id);
    codes::insert(conn, code, Opens::Session(session.id), email).await?;
    outbox::insert(conn, mail).await
}

async fn extend_session(
    conn: &mut AsyncPgConnection,
    id: SessionId,
    expires_at: Timestamp,
    now: Timestamp,
) -> Result<Applied, Failure> {
    let session = sessions::table.filter(sessions::id.eq(id.uuid()));
    let ends_at = session
        .filter(sessions::verified_at.is_not_null())
        .filter(sessions::expires_at.gt(stored(now)))
        .select(sessions::expires_at)
        .for_no_key_update()
        .get_result(conn)
        .await
        .optional()?;
    let Some(ends_at) = ends_at else { return Ok(Applied::Stale) };
    if moment(ends_at) < expires_at {
        diesel::update(session).set(sessions::expires_at.eq(stored(expires_at))).execute(conn).await?;
    }
    Ok(Applied::Yes)
}

async fn close_session(
    conn: &mut AsyncPgConnection,
    user: UserId,
    id: SessionId,
    now: Timestamp,
) -> Result<Applied, Failure> {
    let open = sessions::table
        .filter(sessions::id.eq(id.uuid()))
        .filter(sessions::user_id.eq(user.uuid()))
        .filter(sessions::expires_at.gt(stored(now)));
    let closed = diesel::delete(open).execute(conn).await?;
    Ok(if closed == 0 { Applied::Stale } else { Applied::Yes })
}

async fn close_other_sessions(
    conn: &mut AsyncPgConnection,
    user: UserId,
    keep: SessionId,
    now: Timestamp,
) -> Result<u64, Failure> {
    // The user's row first: a sign-in that is just being completed is either seen here or not complete.
    let _user: Option<Uuid> = users::table
        .filter(users::id.eq(user.uuid()))
        .select(users::id)
        .for_no_key_update()
        .get_result(conn)
        .await
        .optional()?;
    let others = sessions::table.filter(sessions::user_id.eq(user.uuid())).filter(sessions::id.ne(keep.uuid()));
    let closed = diesel::delete(others)
        .returning((sessions::verified_at, sessions::expires_at))
        .get_results::<(Option<PgTimestamp>, PgTimestamp)>(conn)
        .await?;
    let live = closed.iter().filter(|(verified_at, ends_at)| verified_at.is_some() && now < moment(*ends_at)).count();
    Ok(u64::try_from(live).unwrap_or(u64::MAX))
}
