//! Key pairs.

use async_trait::async_trait;
use auth_domain::{
    Applied, CodeState, KeyPair, KeyPairId, KeyPairs, LiveKeyPair, PendingKeyPair, StoreError, Timestamp, TokenDigest,
    UserId,
};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, NullableExpressionMethods, OptionalExtension, QueryDsl, SelectableHelper,
    data_types::PgTimestamp,
    dsl::{auto_type, exists, not},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::{
    PostgresStore,
    codes::{self, Opens},
    error::Failure,
    outbox,
    rows::{KeyPairRow, UserRow, live_key_pair, sorted, stored},
    schema::{codes as code, emails, key_pairs, users},
};

#[async_trait]
impl KeyPairs for PostgresStore {
    async fn find_key_pair(&self, secret: &TokenDigest) -> Result<Option<LiveKeyPair>, StoreError> {
        self.read(*secret, |conn, secret| Box::pin(find_key_pair(conn, secret))).await
    }

    async fn list_key_pairs(&self, user: UserId, now: Timestamp) -> Result<Vec<KeyPair>, StoreError> {
        self.read((user, now), |conn, (user, now)| Box::pin(list_key_pairs(conn, *user, *now))).await
    }

    async fn create_key_pair(&self, pending: &PendingKeyPair) -> Result<Applied, StoreError> {
        self.write(pending.clone(), |conn, pending| Box::pin(create_key_pair(conn, pending))).await
    }

    async fn delete_key_pair(&self, user: UserId, id: KeyPairId, now: Timestamp) -> Result<Applied, StoreError> {
        let input = (user, id, now);
        self.write(input, |conn, (user, id, now)| Box::pin(delete_key_pair(conn, *user, *id, *now))).await
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
        .filter(code::expires_at.gt(now));
    key_pairs::expires_at.gt(now).and(key_pairs::verified_at.is_not_null().or(exists(living)))
}

/// [`CodeState::TRIES`] as it is stored.
#[expect(clippy::cast_possible_wrap, reason = "a small number")]
pub(crate) const TRIES: i32 = CodeState::TRIES as i32;

/// What every check of a key pair asks: one statement that is prepared once for each connection, one round trip.
async fn find_key_pair(conn: &mut AsyncPgConnection, secret: &TokenDigest) -> Result<Option<LiveKeyPair>, Failure> {
    let found = key_pairs::table
        .inner_join(users::table)
        .filter(key_pairs::digest.eq(secret.as_bytes().as_slice()))
        .select(<(KeyPairRow, UserRow)>::as_select())
        .load(conn)
        .await?;
    Ok(found.into_iter().next().map(live_key_pair).transpose()?)
}

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

async fn create_key_pair(conn: &mut AsyncPgConnection, pending: &PendingKeyPair) -> Result<Applied, Failure> {
    let PendingKeyPair { key_pair, email_id, code, mail } = pending;
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
        return Ok(Applied::Stale);
    }
    diesel::insert_into(key_pairs::table)
        .values((
            key_pairs::id.eq(key_pair.id.uuid()),
            key_pairs::user_id.eq(key_pair.user_id.uuid()),
            key_pairs::name.eq(key_pair.name.as_str()),
            key_pairs::api_key.eq(key_pair.api_key.as_str()),
            key_pairs::digest.eq(key_pair.digest.as_bytes().as_slice()),
            key_pairs::key_id.eq(key_pair.key_id.to_string()),
            key_pairs::roles.eq(key_pair.roles.as_deref().map(sorted)),
            key_pairs::created_at.eq(stored(key_pair.created_at)),
            key_pairs::expires_at.eq(stored(key_pair.expires_at)),
        ))
        .execute(conn)
        .await?;
    codes::insert(conn, code, Opens::KeyPair(key_pair.id), Some(*email_id)).await?;
    outbox::insert(conn, mail).await?;
    Ok(Applied::Yes)
}

async fn delete_key_pair(
    conn: &mut AsyncPgConnection,
    user: UserId,
    id: KeyPairId,
    now: Timestamp,
) -> Result<Applied, Failure> {
    let theirs: Option<Uuid> = key_pairs::table
        .filter(key_pairs::id.eq(id.uuid()))
        .filter(key_pairs::user_id.eq(user.uuid()))
        .filter(stands_at(stored(now)))
        .select(key_pairs::id)
        .for_update()
        .get_result(conn)
        .await
        .optional()?;
    let Some(id) = theirs else { return Ok(Applied::Stale) };
    // Its code goes by foreign key.
    diesel::delete(key_pairs::table.filter(key_pairs::id.eq(id))).execute(conn).await?;
    Ok(Applied::Yes)
}
