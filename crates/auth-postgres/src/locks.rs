//! Locks that a transaction holds until it ends, on things that need not have a row.
//!
//! Taken in this order by every fact, which keeps facts from waiting for each other in a circle: an address, an alias,
//! the administrators, then rows: user, session or key pair, code, mail, wrong guesses, throttles. What collides all the same is
//! begun again.

use auth_domain::{AddressKey, Alias, UserId};
use diesel::{
    IntoSql,
    sql_types::{Array, BigInt, Text, Uuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::error::Failure;

diesel::define_sql_function! {
    fn lock_address(address_key: Text) -> diesel::sql_types::Bool;
}

diesel::define_sql_function! {
    fn lock_owner(address_key: Text) -> diesel::sql_types::Bool;
}

diesel::define_sql_function! {
    fn lock_credentials(users: Array<Uuid>) -> diesel::sql_types::Bool;
}

diesel::define_sql_function! {
    fn hashtextextended(text: Text, seed: BigInt) -> BigInt;
}

diesel::define_sql_function! {
    fn pg_advisory_xact_lock(key: BigInt) -> diesel::sql_types::Bool;
}

/// Everything about who an address leads to, and which codes for it are alive. The database's own functions lock it the same
/// way.
pub(crate) async fn address(conn: &mut AsyncPgConnection, address: &AddressKey) -> Result<(), Failure> {
    diesel::select(lock_address(address.as_str().to_owned().into_sql::<Text>())).execute(conn).await?;
    Ok(())
}

/// The row of the user who owns an address, if anybody does: before the codes for it are ended.
pub(crate) async fn owner(conn: &mut AsyncPgConnection, address: &AddressKey) -> Result<(), Failure> {
    diesel::select(lock_owner(address.as_str().to_owned().into_sql::<Text>())).execute(conn).await?;
    Ok(())
}

/// All sessions and key pairs of a user whose row is locked: before several of them are deleted.
pub(crate) async fn credentials(conn: &mut AsyncPgConnection, user: UserId) -> Result<(), Failure> {
    diesel::select(lock_credentials(vec![user.uuid()].into_sql::<Array<Uuid>>())).execute(conn).await?;
    Ok(())
}

/// Who holds an alias.
pub(crate) async fn alias(conn: &mut AsyncPgConnection, alias: &Alias) -> Result<(), Failure> {
    lock(conn, &alias.key(), 2).await
}

/// How many administrators there are: every fact that can cost one holds this.
pub(crate) async fn administrators(conn: &mut AsyncPgConnection) -> Result<(), Failure> {
    lock(conn, "", 3).await
}

async fn lock(conn: &mut AsyncPgConnection, name: &str, kind: i64) -> Result<(), Failure> {
    let key = hashtextextended(name.to_owned().into_sql::<Text>(), kind.into_sql::<BigInt>());
    // What it returns is void: there is nothing to read.
    diesel::select(pg_advisory_xact_lock(key)).execute(conn).await?;
    Ok(())
}
