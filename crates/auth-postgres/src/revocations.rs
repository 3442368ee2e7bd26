//! Telling other processes: what a fact has revoked or changed, in its own transaction.

use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures_util::future::BoxFuture;

use crate::statement::{Statement, Value};

/// The channel that carries the ids of users whose credentials have ended or changed.
pub(crate) const CHANNEL: &str = "auth_revocations";

/// Sends `payload` to those who listen on `channel`, once the transaction is committed and only then.
pub(crate) fn notify<'a>(
    mut conn: &'a AsyncPgConnection,
    channel: &str,
    payload: &str,
) -> BoxFuture<'a, diesel::QueryResult<usize>> {
    let values = vec![Value::Text(Some(channel.to_owned())), Value::Text(Some(payload.to_owned()))];
    Statement::<()>::new("SELECT pg_notify(?, ?)", values).execute(&mut conn)
}
