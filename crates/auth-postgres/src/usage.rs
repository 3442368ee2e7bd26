//! When credentials were last used, written in batches.

use auth_domain::{CredentialId, Timestamp};
use diesel::{
    QueryResult,
    data_types::PgTimestamp,
    pg::Pg,
    query_builder::{AstPass, QueryFragment, QueryId},
    sql_types::{Array, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::{error::Failure, rows::stored};

/// Moves the last uses of many credentials of one kind forward, in one statement however many they are.
///
/// Rows are locked in the order of their ids: two replicas that write down the same ones do not wait in a circle.
struct MoveForward {
    table: &'static str,
    ids: Vec<Uuid>,
    used_at: Vec<PgTimestamp>,
}

/// One statement for each of two tables: which one, diesel finds by the text.
impl QueryId for MoveForward {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl QueryFragment<Pg> for MoveForward {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("WITH used AS (SELECT found.id, batch.at FROM ");
        out.push_sql(self.table);
        out.push_sql(" AS found JOIN unnest(");
        out.push_bind_param::<Array<SqlUuid>, _>(&self.ids)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Timestamptz>, _>(&self.used_at)?;
        out.push_sql(
            ") AS batch (id, at) ON found.id = batch.id \
             WHERE found.last_used_at IS NULL OR found.last_used_at < batch.at \
             ORDER BY found.id FOR NO KEY UPDATE OF found) UPDATE ",
        );
        out.push_sql(self.table);
        out.push_sql(" AS written SET last_used_at = used.at FROM used WHERE written.id = used.id");
        Ok(())
    }
}

pub(crate) async fn record(conn: &mut AsyncPgConnection, usage: &[(CredentialId, Timestamp)]) -> Result<(), Failure> {
    let mut sessions = MoveForward { table: "sessions", ids: Vec::new(), used_at: Vec::new() };
    let mut key_pairs = MoveForward { table: "key_pairs", ids: Vec::new(), used_at: Vec::new() };
    for (credential, used_at) in usage {
        let (batch, id) = match credential {
            CredentialId::Session(id) => (&mut sessions, id.uuid()),
            CredentialId::KeyPair(id) => (&mut key_pairs, id.uuid()),
        };
        batch.ids.push(id);
        batch.used_at.push(stored(*used_at));
    }
    for batch in [sessions, key_pairs] {
        if !batch.ids.is_empty() {
            batch.execute(conn).await?;
        }
    }
    Ok(())
}
