//! Registrations that nobody completed: what they hold, and how they go.

use auth_domain::{AddressKey, Alias, Standing, Timestamp, rules::AliasHolder};
use diesel::{
    ExpressionMethods, IntoSql, OptionalExtension, PgExpressionMethods, QueryDsl,
    sql_types::{Array, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::{
    codes::any_living,
    error::{Failure, corrupt},
    rows::standing,
    schema::{emails, users},
};

diesel::define_sql_function! {
    #[sql_name = "delete_users"]
    fn delete_users_sql(ids: Array<SqlUuid>) -> diesel::sql_types::Bool;
}

/// Who holds `alias`, and the id of their row.
pub(crate) async fn alias_holder(
    conn: &mut AsyncPgConnection,
    alias: &Alias,
    now: Timestamp,
) -> Result<Option<(Uuid, AliasHolder)>, Failure> {
    let found: Option<(Uuid, Option<String>)> = users::table
        .filter(users::alias_key.eq(alias.key()))
        .select((users::id, users::registration))
        .get_result(conn)
        .await
        .optional()?;
    let Some((id, registration)) = found else { return Ok(None) };
    let holder = match standing(registration.as_deref(), id)? {
        Standing::Account => AliasHolder::Account,
        Standing::Pending | Standing::Decoy => {
            let address = address_of(conn, id).await?;
            let has_living_code = any_living(conn, &address, now).await?;
            AliasHolder::Registration { address, has_living_code }
        }
    };
    Ok(Some((id, holder)))
}

/// The registrations made for `address`.
pub(crate) async fn for_address(conn: &mut AsyncPgConnection, address: &AddressKey) -> Result<Vec<Uuid>, Failure> {
    let registrations = emails::table
        .inner_join(users::table)
        .filter(emails::address_key.eq(address.as_str()))
        .filter(users::registration.is_not_null())
        .select(users::id);
    Ok(registrations.load(conn).await?)
}

/// Deletes the registrations for `address`, which has found an owner.
pub(crate) async fn delete_for_address(conn: &mut AsyncPgConnection, address: &AddressKey) -> Result<(), Failure> {
    let registrations = for_address(conn, address).await?;
    delete_users(conn, &registrations).await
}

/// Deletes registrations that others replace. One for another address than is locked may have been completed, or have gone,
/// since it was looked at: that is a collision, and whoever deletes it looks again.
pub(crate) async fn replace(conn: &mut AsyncPgConnection, mut ids: Vec<Uuid>) -> Result<(), Failure> {
    ids.sort_unstable();
    ids.dedup();
    let unfinished = users::table
        .filter(users::id.eq_any(&ids))
        // Put so that they are found by their ids, not among all registrations.
        .filter(users::registration.is_not_null().is_not_distinct_from(true))
        .order(users::id)
        .select(users::id)
        .for_update();
    if unfinished.load::<Uuid>(conn).await? != ids {
        return Err(Failure::Collided(diesel::result::Error::NotFound));
    }
    delete_users(conn, &ids).await
}

/// Deletes users, or registrations, with all that hangs on them. Notices remain owed: they tell somebody else.
pub(crate) async fn delete_users(conn: &mut AsyncPgConnection, ids: &[Uuid]) -> Result<(), Failure> {
    if ids.is_empty() {
        return Ok(());
    }
    // What it returns is void: there is nothing to read.
    diesel::select(delete_users_sql(ids.to_vec().into_sql::<Array<SqlUuid>>())).execute(conn).await?;
    Ok(())
}

async fn address_of(conn: &mut AsyncPgConnection, registration: Uuid) -> Result<AddressKey, Failure> {
    let address: Option<String> = emails::table
        .filter(emails::user_id.eq(registration))
        .select(emails::address_key)
        .get_result(conn)
        .await
        .optional()?;
    address
        .map(AddressKey::from_stored)
        .ok_or_else(|| corrupt("users", registration, "a registration without an address").into())
}
