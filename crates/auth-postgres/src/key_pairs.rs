//! Key pairs.

use async_trait::async_trait;
use auth_domain::{CodeState, KeyPair, KeyPairs, LiveKeyPair, Page, Paged, StoreError, Timestamp, TokenDigest, UserId};
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
    rows::{KeyPairRow, stored},
    schema::{codes as code, key_pairs},
};

#[async_trait]
impl KeyPairs for PostgresStore {
    async fn find_key_pair(&self, secret: &TokenDigest) -> Result<Option<LiveKeyPair>, StoreError> {
        self.checks.find_key_pair(*secret).await
    }

    async fn list_key_pairs(&self, user: UserId, now: Timestamp) -> Result<Vec<KeyPair>, StoreError> {
        self.read((user, now), |conn, (user, now)| Box::pin(list_key_pairs(conn, *user, *now))).await
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
