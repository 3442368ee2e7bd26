//! Key pairs.

use async_trait::async_trait;
use auth_domain::{
    Applied, CodeState, Event, FactKey, KeyPair, KeyPairId, KeyPairs, LiveKeyPair, NewKeyPair, Page, Paged,
    PendingKeyPair, Requested, StoreError, Timestamp, TokenDigest, UserId, Verified, rules::Asking,
};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, NullableExpressionMethods, OptionalExtension, PgExpressionMethods,
    QueryDsl, SelectableHelper,
    data_types::PgTimestamp,
    dsl::{auto_type, exists, not},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::{
    PostgresStore, audit,
    codes::{self, Opens},
    error::Failure,
    limits::{self, Measure},
    outbox, paging,
    revocations::{self, Revoked},
    rows::{KeyPairRow, sorted, stored},
    schema::{codes as code, emails, key_pairs},
    users::{lock_active, lock_user},
};

#[async_trait]
impl KeyPairs for PostgresStore {
    async fn find_key_pair(&self, secret: &TokenDigest) -> Result<Option<LiveKeyPair>, StoreError> {
        self.checks.find_key_pair(*secret).await
    }

    async fn list_key_pairs(&self, user: UserId, now: Timestamp) -> Result<Vec<KeyPair>, StoreError> {
        self.read((user, now), |conn, (user, now)| Box::pin(list_key_pairs(conn, *user, *now))).await
    }

    async fn create_key_pair(&self, pending: &PendingKeyPair) -> Result<Requested, StoreError> {
        self.write(Some(FactKey::User(pending.key_pair.user_id)), pending.clone(), |conn, pending| {
            Box::pin(create_key_pair(conn, pending))
        })
        .await
    }

    async fn page_key_pairs(
        &self,
        user: Option<UserId>,
        now: Timestamp,
        page: Page,
    ) -> Result<Paged<KeyPair>, StoreError> {
        let input = (user, now, page);
        self.view(input, |conn, (user, now, page)| Box::pin(page_key_pairs(conn, *user, *now, *page))).await
    }

    async fn create_live_key_pair(&self, key_pair: &NewKeyPair, event: &Event) -> Result<Applied, StoreError> {
        let input = (key_pair.clone(), event.clone());
        self.write(None, input, |conn, (key_pair, event)| Box::pin(create_live_key_pair(conn, key_pair, event))).await
    }

    async fn verify_key_pair(&self, id: KeyPairId, event: &Event) -> Result<Verified, StoreError> {
        self.write(None, (id, event.clone()), |conn, (id, event)| Box::pin(verify_key_pair(conn, *id, event))).await
    }

    async fn delete_key_pair(
        &self,
        id: KeyPairId,
        of: Option<UserId>,
        event: &Event,
    ) -> Result<Option<UserId>, StoreError> {
        let input = (id, of, event.clone());
        self.revoke(FactKey::from_owner(of), input, of, |conn, (id, of, event)| {
            Box::pin(delete_key_pair(conn, *id, *of, event))
        })
        .await
    }
}

/// Key pairs that have not ended: by their time, or because nobody can verify them any more.
#[auto_type(no_type_alias)]
fn stands_at(now: PgTimestamp) -> _ {
    let tries: i32 = TRIES;
    let living = code::table
        .filter(code::key_pair_id.eq(key_pairs::id.nullable()))
        .filter(not(code::ended))
        .filter(code::wrong_guesses.lt(tries))
        .filter(code::expires_at.gt(now).is_not_distinct_from(true));
    key_pairs::expires_at
        .gt(now)
        .is_not_distinct_from(true)
        .and(key_pairs::verified_at.is_not_null().or(exists(living)))
}

/// [`CodeState::TRIES`] as it is stored.
#[expect(clippy::cast_possible_wrap, reason = "a small number")]
pub(crate) const TRIES: i32 = CodeState::TRIES as i32;

async fn list_key_pairs(conn: &mut AsyncPgConnection, user: UserId, now: Timestamp) -> Result<Vec<KeyPair>, Failure> {
    let theirs = key_pairs::table
        .filter(key_pairs::user_id.eq(user.uuid()))
        .filter(stands_at(stored(now)))
        .order((key_pairs::created_at.desc(), key_pairs::id.desc()))
        .select(KeyPairRow::as_select())
        .load(conn)
        .await?;
    Ok(theirs.into_iter().map(KeyPairRow::into_key_pair).collect::<Result<_, _>>()?)
}

async fn page_key_pairs(
    conn: &mut AsyncPgConnection,
    user: Option<UserId>,
    now: Timestamp,
    page: Page,
) -> Result<Paged<KeyPair>, Failure> {
    let wanted = || {
        let all = key_pairs::table.filter(stands_at(stored(now))).into_boxed();
        match user {
            Some(user) => all.filter(key_pairs::user_id.eq(user.uuid())),
            None => all,
        }
    };
    let items = wanted().count().get_result(conn).await?;
    let rows = wanted()
        .order(key_pairs::id.desc())
        .limit(paging::size(page))
        .offset(paging::offset(page))
        .select(KeyPairRow::as_select())
        .load(conn)
        .await?;
    Ok(paging::paged(rows, items, KeyPairRow::into_key_pair)?)
}

/// Stores a key pair, which works if it has been verified.
pub(crate) async fn insert(
    conn: &mut AsyncPgConnection,
    key_pair: &NewKeyPair,
    verified_at: Option<Timestamp>,
) -> Result<(), Failure> {
    diesel::insert_into(key_pairs::table)
        .values((
            key_pairs::id.eq(key_pair.id.uuid()),
            key_pairs::user_id.eq(key_pair.user_id.uuid()),
            key_pairs::name.eq(key_pair.name.as_str()),
            key_pairs::api_key.eq(key_pair.api_key.as_str()),
            key_pairs::digest.eq(key_pair.digest.as_bytes().as_slice()),
            key_pairs::key_id.eq(key_pair.key_id.to_string()),
            key_pairs::roles.eq(key_pair.roles.as_deref().map(sorted)),
            key_pairs::verified_at.eq(verified_at.map(stored)),
            key_pairs::created_at.eq(stored(key_pair.created_at)),
            key_pairs::expires_at.eq(stored(key_pair.expires_at)),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

async fn create_key_pair(conn: &mut AsyncPgConnection, pending: &PendingKeyPair) -> Result<Requested, Failure> {
    let PendingKeyPair { key_pair, email_id, code, mail, event, restraint } = pending;
    let measure = restraint.as_ref().map(|asked| Measure::of_request(asked, Asking::SignedIn, code));
    if let Some(refusal) = limits::judge(conn, measure.as_ref()).await? {
        return Ok(Requested::Throttled(refusal));
    }
    lock_user(conn, key_pair.user_id.uuid()).await?;
    let address: Option<Uuid> = emails::table
        .filter(emails::id.eq(email_id.uuid()))
        .filter(emails::user_id.eq(key_pair.user_id.uuid()))
        .filter(emails::verified)
        .select(emails::id)
        .for_key_share()
        .get_result(conn)
        .await
        .optional()?;
    if address.is_none() {
        return Ok(Requested::Stale);
    }
    insert(conn, key_pair, None).await?;
    codes::insert(conn, code, Opens::KeyPair(key_pair.id), *email_id).await?;
    outbox::insert(conn, mail).await?;
    audit::record(conn, event).await?;
    limits::charge(conn, measure.as_ref()).await?;
    Ok(Requested::Yes)
}

async fn create_live_key_pair(
    conn: &mut AsyncPgConnection,
    key_pair: &NewKeyPair,
    event: &Event,
) -> Result<Applied, Failure> {
    if lock_active(conn, key_pair.user_id.uuid()).await?.is_none() {
        return Ok(Applied::Stale);
    }
    insert(conn, key_pair, Some(key_pair.created_at)).await?;
    audit::record(conn, event).await?;
    Ok(Applied::Yes)
}

async fn verify_key_pair(conn: &mut AsyncPgConnection, id: KeyPairId, event: &Event) -> Result<Verified, Failure> {
    // Whose it is never changes: read first, so that locks can be taken in their order.
    let key_pair =
        key_pairs::table.filter(key_pairs::id.eq(id.uuid())).filter(key_pairs::expires_at.gt(stored(event.at)));
    let owner: Option<Uuid> = key_pair.select(key_pairs::user_id).get_result(conn).await.optional()?;
    let Some(owner) = owner else { return Ok(Verified::Missing) };
    lock_user(conn, owner).await?;
    let row = key_pair.select(KeyPairRow::as_select()).for_no_key_update().get_result(conn).await.optional()?;
    let Some(row) = row else { return Ok(Verified::Missing) };
    if !row.is_waiting_at(event.at) {
        return Ok(Verified::Already);
    }
    diesel::update(key_pair).set(key_pairs::verified_at.eq(stored(event.at))).execute(conn).await?;
    audit::record_about(conn, owner, event).await?;
    Ok(Verified::Yes(owner.into()))
}

async fn delete_key_pair(
    conn: &mut AsyncPgConnection,
    id: KeyPairId,
    of: Option<UserId>,
    event: &Event,
) -> Result<Revoked<Option<UserId>>, Failure> {
    let key_pair = key_pairs::table.filter(key_pairs::id.eq(id.uuid()));
    let owner: Option<Uuid> = key_pair
        .filter(stands_at(stored(event.at)))
        .select(key_pairs::user_id)
        .for_update()
        .get_result(conn)
        .await
        .optional()?;
    let Some(owner) = owner.map(UserId::from).filter(|owner| of.is_none_or(|of| of == *owner)) else {
        return Ok(Revoked { answer: None, of: None });
    };
    // Its code goes by foreign key.
    diesel::delete(key_pair).execute(conn).await?;
    audit::record_about(conn, owner.uuid(), event).await?;
    revocations::announce(conn, owner).await?;
    Ok(Revoked { answer: Some(owner), of: Some(owner) })
}
