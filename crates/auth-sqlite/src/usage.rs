//! When credentials were last used, written in batches.

use auth_domain::{CredentialId, Timestamp};
use diesel::{
    QueryResult, RunQueryDsl, SqliteConnection,
    query_builder::{AstPass, QueryFragment, QueryId},
    sql_types::{BigInt, Binary},
    sqlite::Sqlite,
};

use crate::{error::Failure, rows::bytes_of};

/// Moves the last use of one credential forward.
///
/// Spelled out, because diesel prepares its own updates anew each time, and a batch can be a hundred thousand.
struct MoveForward {
    table: &'static str,
    id: Vec<u8>,
    used_at: i64,
}

/// One statement for each of two tables: which one, diesel finds by the text.
impl QueryId for MoveForward {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl QueryFragment<Sqlite> for MoveForward {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql("UPDATE ");
        out.push_sql(self.table);
        out.push_sql(" SET last_used_at = ");
        out.push_bind_param::<BigInt, _>(&self.used_at)?;
        out.push_sql(" WHERE id = ");
        out.push_bind_param::<Binary, _>(&self.id)?;
        out.push_sql(" AND (last_used_at IS NULL OR last_used_at < ");
        out.push_bind_param::<BigInt, _>(&self.used_at)?;
        out.push_sql(")");
        Ok(())
    }
}

impl RunQueryDsl<SqliteConnection> for MoveForward {}

pub(crate) fn record(conn: &mut SqliteConnection, mut usage: Vec<(CredentialId, Timestamp)>) -> Result<(), Failure> {
    // Credentials made at about the same time lie side by side: in this order each page is changed once.
    usage.sort_unstable();
    for (credential, used_at) in usage {
        let (table, id) = match credential {
            CredentialId::Session(id) => ("sessions", id.uuid()),
            CredentialId::KeyPair(id) => ("key_pairs", id.uuid()),
        };
        MoveForward { table, id: bytes_of(id), used_at: used_at.unix_millis() }.execute(conn)?;
    }
    Ok(())
}
