//! When sessions were last used, written in batches.

use auth_domain::{SessionId, Timestamp};
use diesel::{
    QueryResult, RunQueryDsl, SqliteConnection,
    query_builder::{AstPass, QueryFragment, QueryId},
    sql_types::{BigInt, Binary},
    sqlite::Sqlite,
};

use crate::{error::Failure, rows::bytes_of};

/// Moves the last use of one session forward.
///
/// Spelled out, because diesel prepares its own updates anew each time, and a batch can be a hundred thousand.
#[derive(QueryId)]
struct MoveForward {
    session: Vec<u8>,
    used_at: i64,
}

impl QueryFragment<Sqlite> for MoveForward {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql("UPDATE sessions SET last_used_at = ");
        out.push_bind_param::<BigInt, _>(&self.used_at)?;
        out.push_sql(" WHERE id = ");
        out.push_bind_param::<Binary, _>(&self.session)?;
        out.push_sql(" AND (last_used_at IS NULL OR last_used_at < ");
        out.push_bind_param::<BigInt, _>(&self.used_at)?;
        out.push_sql(")");
        Ok(())
    }
}

impl RunQueryDsl<SqliteConnection> for MoveForward {}

pub(crate) fn record(conn: &mut SqliteConnection, mut usage: Vec<(SessionId, Timestamp)>) -> Result<(), Failure> {
    // Sessions opened at about the same time lie side by side: in this order each page is changed once.
    usage.sort_unstable();
    for (session, used_at) in usage {
        MoveForward { session: bytes_of(session.uuid()), used_at: used_at.unix_millis() }.execute(conn)?;
    }
    Ok(())
}
