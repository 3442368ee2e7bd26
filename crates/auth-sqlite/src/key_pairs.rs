//! Key pairs.

use async_trait::async_trait;
use auth_domain::{CodeState, KeyPair, KeyPairs, LiveKeyPair, Page, Paged, StoreError, Timestamp, TokenDigest, UserId};
use diesel::{
    BoolExpressionMethods, Connection, ExpressionMethods, NullableExpressionMethods, QueryDsl, RunQueryDsl,
    SqliteConnection,
    dsl::{auto_type, exists},
};

use crate::{
    SqliteStore,
    error::Failure,
    pages,
    rows::{all, bytes_of, live_key_pair, seen_key_pair},
    schema::{codes as code, key_pairs, users},
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
}

/// What every check of a key pair asks; not limited to one row, since a bound `LIMIT` would be planned anew each time.
#[auto_type(no_type_alias)]
fn by_digest<'a>(digest: &'a [u8]) -> _ {
    key_pairs::table.inner_join(users::table).filter(key_pairs::digest.eq(digest))
}

/// Key pairs that have not ended: by their time, or because nobody can verify them any more.
#[auto_type(no_type_alias)]
fn stands_at(now: i64) -> _ {
    let tries: i64 = i64::from(CodeState::TRIES);
    let living = code::table
        .filter(code::key_pair_id.eq(key_pairs::id.nullable()))
        .filter(code::ended.eq(false))
        .filter(code::wrong_guesses.lt(tries))
        .filter(code::expires_at.gt(now));
    key_pairs::expires_at.gt(now).and(key_pairs::verified_at.is_not_null().or(exists(living)))
}

fn find_key_pair(conn: &mut SqliteConnection, secret: &TokenDigest) -> Result<Option<LiveKeyPair>, Failure> {
    let found = all(by_digest(secret.as_bytes()).load(conn), live_key_pair)?;
    Ok(found.into_iter().next())
}

fn list_key_pairs(conn: &mut SqliteConnection, user: UserId, now: Timestamp) -> Result<Vec<KeyPair>, Failure> {
    let theirs = key_pairs::table
        .filter(key_pairs::user_id.eq(bytes_of(user.uuid())))
        .filter(stands_at(now.unix_millis()))
        .order((key_pairs::created_at.desc(), key_pairs::id.desc()));
    all(theirs.load(conn), seen_key_pair)
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
    let rows = wanted().order(key_pairs::id.desc()).limit(page.size().into()).offset(pages::offset(page)).load(conn)?;
    pages::paged(rows, items, seen_key_pair)
}
