//! Reading everything that is stored, for a copy to another kind of store.

use std::path::Path;

use async_trait::async_trait;
use auth_domain::{
    StoreError,
    archive::{ArchiveSource, Batch, Position, Table},
};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, QueryDsl, RunQueryDsl, SelectableHelper, SqliteConnection,
    connection::SimpleConnection,
};

use crate::{
    SqliteOptions,
    audit::EventRow,
    connections::Database,
    error::{Failure, OpenError},
    migrations::{check_layout, innermost},
    rows::{self, FailureRow, all, bytes_of},
    schema::{
        codes, emails, events, failures, key_pairs, known_networks, mail_attempts, outbox, sessions, throttles, users,
    },
};

/// A SQLite database that stands still: whoever else writes to it is answered, after a while, that it is busy.
pub struct SqliteArchive {
    /// `None` once a read was dropped half-way, which ended the transaction.
    connection: Option<SqliteConnection>,
}

impl SqliteArchive {
    /// Opens the database in the file `path`, which must exist and have the layout of this build, and keeps everybody
    /// else from writing to it until this is dropped. Nothing in it is changed.
    ///
    /// Blocks while another process finishes its write.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let database = Database::at(path, SqliteOptions::default().timeout)?;
        // SQLite's own words for it would be that it is unable to open the file.
        path.metadata().map_err(OpenError::io(path))?;
        let open = || {
            let mut connection = database.connect()?;
            check_layout(&mut connection)?;
            connection.batch_execute("BEGIN IMMEDIATE").map_err(Failure::from)?;
            Ok::<_, Failure>(connection)
        };
        let connection = open().map_err(|failure| OpenError::inaccessible(path, &innermost(&failure.into())))?;
        Ok(Self { connection: Some(connection) })
    }
}

#[async_trait]
impl ArchiveSource for SqliteArchive {
    async fn read(&mut self, table: Table, after: Option<Position>, limit: u32) -> Result<Batch, StoreError> {
        let lost = || StoreError::unavailable("a read was given up, and with it what all reads have in common");
        let mut connection = self.connection.take().ok_or_else(lost)?;
        let reading = tokio::task::spawn_blocking(move || {
            let batch = read(&mut connection, table, after, limit.into());
            (connection, batch)
        });
        let (connection, batch) = reading.await.map_err(StoreError::unavailable)?;
        self.connection = Some(connection);
        Ok(batch?)
    }
}

/// The records of a table with a key of one column.
macro_rules! page {
    ($connection:ident, $table:ident, $after:ident, $limit:ident, $record:path) => {{
        let mut query = $table::table.order($table::id).limit($limit).into_boxed();
        if let Some(after) = $after {
            query = query.filter($table::id.gt(bytes_of(after.id)));
        }
        all(query.load($connection), $record)?
    }};
}

/// The id and the names of a position, as many as its table has columns for them.
fn named<const COLUMNS: usize>(position: Position) -> (Vec<u8>, [String; COLUMNS]) {
    let mut names = position.names.into_iter();
    (bytes_of(position.id), std::array::from_fn(|_| names.next().unwrap_or_default()))
}

fn read(
    connection: &mut SqliteConnection,
    table: Table,
    after: Option<Position>,
    limit: i64,
) -> Result<Batch, Failure> {
    Ok(match table {
        Table::Users => Batch::Users(page!(connection, users, after, limit, rows::user)),
        Table::Emails => Batch::Emails(page!(connection, emails, after, limit, rows::email)),
        Table::Sessions => Batch::Sessions(page!(connection, sessions, after, limit, rows::session)),
        Table::KeyPairs => Batch::KeyPairs(page!(connection, key_pairs, after, limit, rows::key_pair)),
        Table::Codes => Batch::Codes(page!(connection, codes, after, limit, rows::code)),
        Table::Outbox => Batch::Outbox(page!(connection, outbox, after, limit, rows::mail)),
        Table::Events => {
            let mut query = events::table.order(events::id).limit(limit).select(EventRow::as_select()).into_boxed();
            if let Some(after) = after {
                query = query.filter(events::id.gt(bytes_of(after.id)));
            }
            Batch::Events(all(query.load(connection), EventRow::into_event)?)
        }
        Table::KnownNetworks => {
            let in_order = (known_networks::email_id, known_networks::network);
            let mut query = known_networks::table.order(in_order).limit(limit).into_boxed();
            if let Some((id, [network])) = after.map(named) {
                let later = known_networks::email_id.gt(id.clone()).or(known_networks::network.gt(network));
                query = query.filter(known_networks::email_id.ge(id)).filter(later);
            }
            Batch::KnownNetworks(all(query.load(connection), rows::known_network)?)
        }
        Table::Failures => {
            let in_order = (failures::address_key, failures::network);
            let columns = FailureRow::as_select();
            let mut query = failures::table.order(in_order).limit(limit).select(columns).into_boxed();
            if let Some((_, [address, network])) = after.map(named) {
                let later = failures::address_key.gt(address.clone()).or(failures::network.gt(network));
                query = query.filter(failures::address_key.ge(address)).filter(later);
            }
            Batch::Failures(all(query.load(connection), rows::failure)?)
        }
        Table::Throttles => {
            let in_order = (throttles::kind, throttles::address_key, throttles::network);
            let mut query = throttles::table.order(in_order).limit(limit).into_boxed();
            if let Some((_, [kind, address, network])) = after.map(named) {
                let same_kind_later = throttles::address_key
                    .gt(address.clone())
                    .or(throttles::address_key.eq(address).and(throttles::network.gt(network)));
                query = query.filter(throttles::kind.ge(kind.clone()));
                query = query.filter(throttles::kind.gt(kind).or(same_kind_later));
            }
            Batch::Throttles(all(query.load(connection), rows::throttle)?)
        }
        Table::MailAttempts => {
            let in_order = (mail_attempts::mail_id, mail_attempts::attempt);
            let mut query = mail_attempts::table.order(in_order).limit(limit).into_boxed();
            if let Some(after) = after {
                let id = bytes_of(after.id);
                let later =
                    mail_attempts::mail_id.gt(id.clone()).or(mail_attempts::attempt.gt(i64::from(after.number)));
                query = query.filter(mail_attempts::mail_id.ge(id)).filter(later);
            }
            Batch::MailAttempts(all(query.load(connection), rows::attempt)?)
        }
    })
}
