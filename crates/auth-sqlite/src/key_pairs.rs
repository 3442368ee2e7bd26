//! Key pairs.

use async_trait::async_trait;
use auth_domain::{
    Applied, CodeState, Event, FactKey, KeyPair, KeyPairId, KeyPairs, LiveKeyPair, NewKeyPair, Page, Paged,
    PendingKeyPair, Requested, StoreError, Timestamp, TokenDigest, UserId, Verified, rules::Asking,
};
use diesel::{
    BoolExpressionMethods, Connection, ExpressionMethods, NullableExpressionMethods, OptionalExtension, QueryDsl,
    RunQueryDsl, SelectableHelper, SqliteConnection,
    dsl::{auto_type, exists},
    sqlite::Sqlite,
};

use crate::{
    SqliteStore, audit,
    codes::{self, Opens},
    error::Failure,
    outbox, pages,
    rows::{KeyPairRow, UserRow, as_json, bytes_of, id, live_key_pair},
    schema::{codes as code, emails, key_pairs, users},
    throttles,
    users::is_active,
};

#[async_trait]
impl KeyPairs for SqliteStore {
    async fn find_key_pair(&self, secret: &TokenDigest) -> Result<Option<LiveKeyPair>, StoreError> {
        // On the caller's thread, as `find_session` is and for the same reason.
        let secret = *secret;
        self.read_here(move |conn| find_key_pair(conn, &secret)).await
    }

    async fn list_key_pairs(&self, user: UserId, now: Timestamp) -> Result<Vec<KeyPair>, StoreError> {
        self.read(move |conn| list_key_pairs(conn, user, now)).await
    }

    async fn page_key_pairs(
        &self,
        user: Option<UserId>,
        now: Timestamp,
        page: Page,
    ) -> Result<Paged<KeyPair>, StoreError> {
        self.read(move |conn| conn.transaction(|conn| page_key_pairs(conn, user, now, page))).await
    }

    async fn create_key_pair(&self, pending: &PendingKeyPair) -> Result<Requested, StoreError> {
        let pending = pending.clone();
        self.write(Some(FactKey::User(pending.key_pair.user_id)), move |conn| create_key_pair(conn, &pending)).await
    }

    async fn create_live_key_pair(&self, key_pair: &NewKeyPair, event: &Event) -> Result<Applied, StoreError> {
        let (key_pair, event) = (key_pair.clone(), event.clone());
        self.write(None, move |conn| create_live_key_pair(conn, &key_pair, &event)).await
    }

    async fn verify_key_pair(&self, id: KeyPairId, event: &Event) -> Result<Verified, StoreError> {
        let event = event.clone();
        self.write(None, move |conn| verify_key_pair(conn, id, &event)).await
    }

    async fn delete_key_pair(
        &self,
        id: KeyPairId,
        of: Option<UserId>,
        event: &Event,
    ) -> Result<Option<UserId>, StoreError> {
        let event = event.clone();
        let delete = move |conn: &mut SqliteConnection| {
            let owner = delete_key_pair(conn, id, of, &event)?;
            Ok((owner, owner))
        };
        self.revoke(FactKey::from_owner(of), delete).await
    }
}

/// What every check of a key pair asks; not limited to one row, since a bound `LIMIT` would be planned anew each time.
#[auto_type(no_type_alias)]
fn by_digest<'a>(digest: &'a [u8]) -> _ {
    let columns: diesel::dsl::AsSelect<(KeyPairRow, UserRow), Sqlite> = <(KeyPairRow, UserRow)>::as_select();
    key_pairs::table.inner_join(users::table).filter(key_pairs::digest.eq(digest)).select(columns)
}

/// Key pairs that have not ended: by their time, or because nobody can verify them any more.
#[auto_type(no_type_alias)]
pub(crate) fn stands_at(now: i64) -> _ {
    let tries: i64 = i64::from(CodeState::TRIES);
    let living = code::table
        .filter(code::key_pair_id.eq(key_pairs::id.nullable()))
        .filter(code::ended.eq(false))
        .filter(code::wrong_guesses.lt(tries))
        .filter(code::expires_at.gt(now));
    key_pairs::expires_at.gt(now).and(key_pairs::verified_at.is_not_null().or(exists(living)))
}

fn find_key_pair(conn: &mut SqliteConnection, secret: &TokenDigest) -> Result<Option<LiveKeyPair>, Failure> {
    let found = by_digest(secret.as_bytes()).load::<(KeyPairRow, UserRow)>(conn)?;
    Ok(found.into_iter().next().map(live_key_pair).transpose()?)
}

fn list_key_pairs(conn: &mut SqliteConnection, user: UserId, now: Timestamp) -> Result<Vec<KeyPair>, Failure> {
    let theirs = key_pairs::table
        .filter(key_pairs::user_id.eq(bytes_of(user.uuid())))
        .filter(stands_at(now.unix_millis()))
        .order((key_pairs::created_at.desc(), key_pairs::id.desc()))
        .select(KeyPairRow::as_select())
        .load(conn)?;
    Ok(theirs.into_iter().map(KeyPairRow::into_key_pair).collect::<Result<_, _>>()?)
}

fn page_key_pairs(
    conn: &mut SqliteConnection,
    user: Option<UserId>,
    now: Timestamp,
    page: Page,
) -> Result<Paged<KeyPair>, Failure> {
    let wanted = || {
        let standing = key_pairs::table.filter(stands_at(now.unix_millis())).into_boxed();
        match user {
            Some(user) => standing.filter(key_pairs::user_id.eq(bytes_of(user.uuid()))),
            None => standing,
        }
    };
    let items = wanted().count().get_result(conn)?;
    let rows: Vec<KeyPairRow> = wanted()
        .order(key_pairs::id.desc())
        .limit(page.size().into())
        .offset(pages::offset(page))
        .select(KeyPairRow::as_select())
        .load(conn)?;
    pages::paged(rows, items, KeyPairRow::into_key_pair)
}

fn create_key_pair(conn: &mut SqliteConnection, pending: &PendingKeyPair) -> Result<Requested, Failure> {
    let PendingKeyPair { key_pair, email_id, code, mail, event, restraint } = pending;
    let charges = match throttles::judge(conn, restraint.as_ref(), Asking::SignedIn, code)? {
        Ok(charges) => charges,
        Err(refusal) => return Ok(Requested::Throttled(refusal)),
    };
    let address = emails::table
        .filter(emails::id.eq(bytes_of(email_id.uuid())))
        .filter(emails::user_id.eq(bytes_of(key_pair.user_id.uuid())))
        .filter(emails::verified.eq(true));
    if !diesel::select(exists(address)).get_result(conn)? {
        return Ok(Requested::Stale);
    }
    charges.settle(conn)?;
    insert(conn, key_pair, None)?;
    codes::insert(conn, code, Opens::KeyPair(key_pair.id), Some(*email_id))?;
    outbox::insert(conn, mail)?;
    audit::record(conn, event)?;
    Ok(Requested::Yes)
}

fn create_live_key_pair(conn: &mut SqliteConnection, key_pair: &NewKeyPair, event: &Event) -> Result<Applied, Failure> {
    if !is_active(conn, key_pair.user_id)? {
        return Ok(Applied::Stale);
    }
    insert(conn, key_pair, Some(key_pair.created_at))?;
    audit::record(conn, event)?;
    Ok(Applied::Yes)
}

/// Stores a key pair; one that works if it was `verified_at` some time.
pub(crate) fn insert(
    conn: &mut SqliteConnection,
    key_pair: &NewKeyPair,
    verified_at: Option<Timestamp>,
) -> Result<(), Failure> {
    diesel::insert_into(key_pairs::table)
        .values((
            key_pairs::id.eq(bytes_of(key_pair.id.uuid())),
            key_pairs::user_id.eq(bytes_of(key_pair.user_id.uuid())),
            key_pairs::name.eq(key_pair.name.as_str()),
            key_pairs::api_key.eq(key_pair.api_key.as_str()),
            key_pairs::digest.eq(key_pair.digest.as_bytes().as_slice()),
            key_pairs::key_id.eq(key_pair.key_id.to_string()),
            key_pairs::roles.eq(key_pair.roles.as_deref().map(as_json)),
            key_pairs::verified_at.eq(verified_at.map(Timestamp::unix_millis)),
            key_pairs::created_at.eq(key_pair.created_at.unix_millis()),
            key_pairs::expires_at.eq(key_pair.expires_at.unix_millis()),
        ))
        .execute(conn)?;
    Ok(())
}

fn verify_key_pair(conn: &mut SqliteConnection, key_pair: KeyPairId, event: &Event) -> Result<Verified, Failure> {
    let row = || key_pairs::table.filter(key_pairs::id.eq(bytes_of(key_pair.uuid())));
    let owner: Option<Vec<u8>> = row()
        .filter(key_pairs::expires_at.gt(event.at.unix_millis()))
        .select(key_pairs::user_id)
        .get_result(conn)
        .optional()?;
    let Some(owner) = owner else { return Ok(Verified::Missing) };
    let owner = id("users", &owner, &owner)?;
    let waiting = row().filter(key_pairs::verified_at.is_null());
    if diesel::update(waiting).set(key_pairs::verified_at.eq(event.at.unix_millis())).execute(conn)? == 0 {
        return Ok(Verified::Already);
    }
    audit::record_about(conn, event, owner)?;
    Ok(Verified::Yes(owner))
}

fn delete_key_pair(
    conn: &mut SqliteConnection,
    key_pair: KeyPairId,
    of: Option<UserId>,
    event: &Event,
) -> Result<Option<UserId>, Failure> {
    let row = || key_pairs::table.filter(key_pairs::id.eq(bytes_of(key_pair.uuid())));
    let owner: Option<Vec<u8>> =
        row().filter(stands_at(event.at.unix_millis())).select(key_pairs::user_id).get_result(conn).optional()?;
    let owner: Option<UserId> = owner.map(|owner| id("users", &owner, &owner)).transpose()?;
    let owner = owner.filter(|owner| of.is_none_or(|of| of == *owner));
    if let Some(owner) = owner {
        // Its code goes by foreign key.
        diesel::delete(row()).execute(conn)?;
        audit::record_about(conn, event, owner)?;
    }
    Ok(owner)
}
