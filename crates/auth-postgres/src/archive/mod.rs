//! Writing everything that another kind of store keeps, in one go.

use async_trait::async_trait;
use auth_domain::{
    StoreError,
    archive::{ArchiveSource, ArchiveTarget, Batch, Position, Record, Table},
};
use diesel::{BoolExpressionMethods, ExpressionMethods, QueryDsl, SelectableHelper};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};

use crate::{
    audit::EventRow,
    connections::Connector,
    error::{Failure, corrupt},
    records::{self, Row},
    schema::{
        codes, emails, events, failures, key_pairs, known_networks, mail_attempts, outbox, sessions, throttles, users,
    },
};

/// How the one transaction begins. It may take hours, whatever this server or this role grants others.
const BEGIN: &str = "
    BEGIN;
    SET LOCAL statement_timeout = 0;
    SET LOCAL idle_in_transaction_session_timeout = 0;
    SET LOCAL lock_timeout = '10s';
";

/// A PostgreSQL database that is written in one transaction, on a connection of its own. Others may read meanwhile, and
/// see nothing of it; they cannot write.
pub struct PostgresArchive {
    connection: AsyncPgConnection,
}

impl PostgresArchive {
    /// Begins the transaction, in a database that has the layout of this build.
    pub(crate) async fn begin(connector: &Connector) -> Result<Self, StoreError> {
        let mut connection = connector.connect(None).await.map_err(StoreError::unavailable)?;
        connection.batch_execute(BEGIN).await.map_err(Failure::from)?;
        // A service that is running on it already would change what is compared.
        let lock = format!("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE", all_tables());
        connection.batch_execute(&lock).await.map_err(Failure::from)?;
        Ok(Self { connection })
    }
}

fn all_tables() -> String {
    Table::ALL.iter().map(|table| table.name()).collect::<Vec<_>>().join(", ")
}

#[async_trait]
impl ArchiveSource for PostgresArchive {
    async fn read(&mut self, table: Table, after: Option<Position>, limit: u32) -> Result<Batch, StoreError> {
        Ok(read(&mut self.connection, table, after, limit.into()).await?)
    }
}

#[async_trait]
impl ArchiveTarget for PostgresArchive {
    async fn append(&mut self, batch: &Batch) -> Result<(), StoreError> {
        Ok(append(&mut self.connection, batch).await?)
    }

    async fn commit(mut self: Box<Self>) -> Result<(), StoreError> {
        // Until somebody counts, the planner takes the tables for as empty as they were.
        let statements = format!("ANALYZE {}; COMMIT", all_tables());
        Ok(self.connection.batch_execute(&statements).await.map_err(Failure::from)?)
    }
}

/// The records of a table with a key of one column.
macro_rules! page {
    ($connection:ident, $table:ident, $after:ident, $limit:ident, $row:ty) => {{
        let mut query = $table::table.order($table::id).limit($limit).into_boxed();
        if let Some(after) = $after {
            query = query.filter($table::id.gt(after.id));
        }
        let rows: Vec<$row> = query.load($connection).await?;
        rows.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?
    }};
}

async fn read(
    connection: &mut AsyncPgConnection,
    table: Table,
    after: Option<Position>,
    limit: i64,
) -> Result<Batch, Failure> {
    Ok(match table {
        Table::Users => Batch::Users(page!(connection, users, after, limit, records::UserRow)),
        Table::Emails => Batch::Emails(page!(connection, emails, after, limit, records::EmailRow)),
        Table::Sessions => Batch::Sessions(page!(connection, sessions, after, limit, records::SessionRow)),
        Table::KeyPairs => Batch::KeyPairs(page!(connection, key_pairs, after, limit, records::KeyPairRow)),
        Table::Codes => Batch::Codes(page!(connection, codes, after, limit, records::CodeRow)),
        Table::Outbox => Batch::Outbox(page!(connection, outbox, after, limit, records::MailRow)),
        Table::Events => {
            let mut query = events::table.order(events::id).limit(limit).select(EventRow::as_select()).into_boxed();
            if let Some(after) = after {
                query = query.filter(events::id.gt(after.id));
            }
            let rows: Vec<EventRow> = query.load(connection).await?;
            Batch::Events(rows.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?)
        }
        Table::KnownNetworks => {
            let in_order = (known_networks::email_id, known_networks::network);
            let mut query = known_networks::table.order(in_order).limit(limit).into_boxed();
            if let Some(Position { id, number: _, names }) = after {
                let [network] = names_of(table, names)?;
                let later = known_networks::email_id.gt(id).or(known_networks::network.gt(network));
                query = query.filter(known_networks::email_id.ge(id)).filter(later);
            }
            let rows: Vec<records::KnownNetworkRow> = query.load(connection).await?;
            Batch::KnownNetworks(rows.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?)
        }
        Table::Failures => {
            let in_order = (failures::address_key, failures::network);
            let mut query = failures::table.order(in_order).limit(limit).into_boxed();
            if let Some(Position { names, .. }) = after {
                let [address, network] = names_of(table, names)?;
                let later = failures::address_key.gt(address.clone()).or(failures::network.gt(network));
                query = query.filter(failures::address_key.ge(address)).filter(later);
            }
            let rows: Vec<records::FailureRow> = query.load(connection).await?;
            Batch::Failures(rows.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?)
        }
        Table::Throttles => {
            let in_order = (throttles::kind, throttles::address_key, throttles::network);
            let mut query = throttles::table.order(in_order).limit(limit).into_boxed();
            if let Some(Position { names, .. }) = after {
                let [kind, address, network] = names_of(table, names)?;
                let later_network = throttles::address_key.eq(address.clone()).and(throttles::network.gt(network));
                let later = throttles::address_key.gt(address).or(later_network);
                query = query.filter(throttles::kind.ge(kind.clone())).filter(throttles::kind.gt(kind).or(later));
            }
            let rows: Vec<records::ThrottleRow> = query.load(connection).await?;
            Batch::Throttles(rows.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?)
        }
        Table::MailAttempts => {
            let in_order = (mail_attempts::mail_id, mail_attempts::attempt);
            let mut query = mail_attempts::table.order(in_order).limit(limit).into_boxed();
            if let Some(after) = after {
                // A number that no attempt has here has none behind it either.
                let number = i32::try_from(after.number).unwrap_or(i32::MAX);
                let later = mail_attempts::mail_id.gt(after.id).or(mail_attempts::attempt.gt(number));
                query = query.filter(mail_attempts::mail_id.ge(after.id)).filter(later);
            }
            let rows: Vec<records::AttemptRow> = query.load(connection).await?;
            Batch::MailAttempts(rows.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?)
        }
    })
}

/// The names in a position, of which a table has so many.
fn names_of<const COUNT: usize>(table: Table, names: Vec<String>) -> Result<[String; COUNT], StoreError> {
    names.try_into().map_err(|_names| corrupt(table.name(), "unknown", "a position of another table"))
}

async fn append(connection: &mut AsyncPgConnection, batch: &Batch) -> Result<(), Failure> {
    macro_rules! insert {
        ($table:ident, $row:ty, $records:ident) => {
            diesel::insert_into($table::table).values(exactly::<_, $row>($records)?).execute(connection).await?
        };
    }
    let _all_of_them = match batch {
        Batch::Users(records) => insert!(users, records::UserRow, records),
        Batch::Emails(records) => insert!(emails, records::EmailRow, records),
        Batch::Sessions(records) => insert!(sessions, records::SessionRow, records),
        Batch::KeyPairs(records) => insert!(key_pairs, records::KeyPairRow, records),
        Batch::Codes(records) => insert!(codes, records::CodeRow, records),
        Batch::Outbox(records) => insert!(outbox, records::MailRow, records),
        Batch::MailAttempts(records) => insert!(mail_attempts, records::AttemptRow, records),
        Batch::Events(records) => insert!(events, EventRow, records),
        Batch::KnownNetworks(records) => insert!(known_networks, records::KnownNetworkRow, records),
        Batch::Failures(records) => insert!(failures, records::FailureRow, records),
        Batch::Throttles(records) => insert!(throttles, records::ThrottleRow, records),
    };
    Ok(())
}

/// The rows of `records`, each of which is the same record again when it is read: not one that PostgreSQL's calendar is
/// too short for, nor one with a NUL, which it would refuse without saying where.
fn exactly<R, W>(records: &[R]) -> Result<Vec<W>, StoreError>
where
    R: Record + TryFrom<W, Error = StoreError>,
    W: Row + Clone + for<'a> From<&'a R>,
{
    let row = |record: &R| {
        let row = W::from(record);
        let changed = R::try_from(row.clone())? != *record;
        match (row.holds_nul(), changed) {
            (false, false) => Ok(row),
            (true, _) => Err(corrupt(R::TABLE.name(), record.position(), "a text in it holds a NUL character")),
            (_, true) => Err(corrupt(R::TABLE.name(), record.position(), "PostgreSQL cannot keep it exactly")),
        }
    };
    records.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use auth_domain::{
        Timestamp,
        archive::{AttemptOutcome, AttemptRecord},
    };
    use uuid::Uuid;

    use super::*;

    fn attempt(reply: &str, attempt: u32, ended_at: i64) -> AttemptRecord {
        AttemptRecord {
            mail_id: Uuid::from_u128(7).into(),
            attempt,
            ended_at: Timestamp::from_unix_millis(ended_at),
            outcome: AttemptOutcome::Deferred,
            reply: reply.to_owned(),
        }
    }

    #[test]
    fn what_postgresql_cannot_keep_exactly_is_refused_by_name() {
        let sound = attempt("451 later", 3, 1_795_478_400_123);
        assert!(exactly::<_, records::AttemptRow>(std::slice::from_ref(&sound)).is_ok());
        for (damaged, reason) in [
            (attempt("451\0later", 3, 0), "a text in it holds a NUL character"),
            (attempt("451 later", u32::MAX, 0), "PostgreSQL cannot keep it exactly"),
            (attempt("451 later", 3, i64::MAX), "PostgreSQL cannot keep it exactly"),
            (attempt("451 later", 3, i64::MIN), "PostgreSQL cannot keep it exactly"),
        ] {
            let number = damaged.attempt;
            let told = exactly::<_, records::AttemptRow>(&[sound.clone(), damaged]).err().unwrap().to_string();
            let row = format!("00000000-0000-0000-0000-000000000007 number {number}");
            assert_eq!(told, format!("corrupt row in mail_attempts, id {row}: {reason}"));
        }
    }
}
