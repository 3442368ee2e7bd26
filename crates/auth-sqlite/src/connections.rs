//! Connections: how they are opened, and the pool of those that only read.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use auth_domain::StoreError;
use diesel::{Connection, SqliteConnection, connection::SimpleConnection};

use crate::error::{Failure, OpenError};

/// What holds for every connection.
///
/// - `synchronous`: in WAL mode, `FULL` alone syncs the log at each commit. What was acknowledged survives a power cut.
/// - `busy_timeout`: another process may be writing. Below the three seconds within which a write is answered.
/// - `fullfsync`: on Apple's systems a plain fsync does not reach the disk; elsewhere this does nothing.
/// - `cache_size`: 8 MiB for each connection, taken as needed.
/// - `secure_delete`: deleted addresses and mails are overwritten where that costs no further write.
///
/// Nobody runs `ANALYZE` or `PRAGMA optimize` on this database: with statistics in place, SQLite plans a statement
/// anew whenever a parameter is bound, which halves the speed of the check.
const EVERY_CONNECTION: &str = "
    PRAGMA busy_timeout = 2500;
    PRAGMA synchronous = FULL;
    PRAGMA fullfsync = ON;
    PRAGMA foreign_keys = ON;
    PRAGMA cache_size = -8192;
    PRAGMA temp_store = MEMORY;
    PRAGMA secure_delete = FAST;
    PRAGMA journal_size_limit = 67108864;
";

/// A database file that can be connected to.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    path: PathBuf,
    uri: String,
}

impl Database {
    /// The database in the file `path`, which is not touched yet.
    pub(crate) fn at(path: &Path) -> Result<Self, OpenError> {
        let absolute = std::path::absolute(path).map_err(OpenError::io(path))?;
        let Some(text) = absolute.to_str() else {
            return Err(OpenError::inaccessible(path, &"its path is not UTF-8"));
        };
        // As a URI (https://www.sqlite.org/uri.html) with mode=rw: a plain name would silently make a new, empty
        // database if the file were taken away while we run.
        let escaped = text.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
        let uri = format!("file:{escaped}?mode=rw");
        Ok(Self { path: absolute, uri })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A connection that reads and writes.
    pub(crate) fn connect(&self) -> Result<SqliteConnection, StoreError> {
        let mut connection = SqliteConnection::establish(&self.uri).map_err(StoreError::unavailable)?;
        connection.batch_execute(EVERY_CONNECTION).map_err(Failure::from)?;
        Ok(connection)
    }

    /// A connection on which every statement that would write fails.
    pub(crate) fn connect_reader(&self) -> Result<SqliteConnection, StoreError> {
        let mut connection = self.connect()?;
        connection.batch_execute("PRAGMA query_only = ON").map_err(Failure::from)?;
        Ok(connection)
    }
}

/// Connections that only read. In WAL mode they wait for nobody, and nobody waits for them.
pub(crate) struct Readers {
    database: Database,
    idle: Mutex<Vec<SqliteConnection>>,
    kept: usize,
}

impl Readers {
    /// Readers of `database`, of which up to `kept` stay open while nobody uses them.
    pub(crate) fn new(database: Database, kept: usize) -> Self {
        Self { database, idle: Mutex::new(Vec::new()), kept }
    }

    /// Runs `job` on a reader of its own. One on which anything failed is not used again.
    pub(crate) fn read<T>(
        &self,
        job: impl FnOnce(&mut SqliteConnection) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        // In a statement of its own: the lock must not be held while the job runs.
        let idle = self.idle().pop();
        let mut reader = match idle {
            Some(reader) => reader,
            None => self.database.connect_reader()?,
        };
        let answer = job(&mut reader)?;
        let mut idle = self.idle();
        if idle.len() < self.kept {
            idle.push(reader);
        }
        Ok(answer)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<SqliteConnection>> {
        // Nothing is done under this lock that could leave the list half changed.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use diesel::{QueryableByName, RunQueryDsl, sql_query, sql_types::BigInt};

    use super::*;
    use crate::writer::ANSWERED_WITHIN;

    #[derive(QueryableByName)]
    struct Setting {
        #[diesel(sql_type = BigInt)]
        value: i64,
    }

    fn setting(connection: &mut SqliteConnection, name: &str) -> i64 {
        // The one of `busy_timeout` has a name of its own.
        let column = if name == "busy_timeout" { "timeout" } else { name };
        sql_query(format!("SELECT {column} AS value FROM pragma_{name}"))
            .get_result::<Setting>(connection)
            .unwrap()
            .value
    }

    fn database(folder: &tempfile::TempDir) -> Database {
        let path = folder.path().join("50% off? #1.db");
        std::fs::File::create(&path).unwrap();
        Database::at(&path).unwrap()
    }

    #[test]
    fn every_connection_syncs_each_commit_and_enforces_foreign_keys() {
        let folder = tempfile::tempdir().unwrap();
        let mut connection = database(&folder).connect().unwrap();
        assert_eq!(setting(&mut connection, "synchronous"), 2, "FULL");
        assert_eq!(setting(&mut connection, "foreign_keys"), 1);
        assert_eq!(setting(&mut connection, "query_only"), 0);
    }

    #[test]
    fn a_connection_gives_up_on_the_lock_before_the_caller_gives_up_on_the_connection() {
        let folder = tempfile::tempdir().unwrap();
        let waits = setting(&mut database(&folder).connect().unwrap(), "busy_timeout");
        assert!(u128::try_from(waits).unwrap() < ANSWERED_WITHIN.as_millis(), "{waits} ms");
    }

    #[test]
    fn a_reader_cannot_write() {
        let folder = tempfile::tempdir().unwrap();
        let readers = Readers::new(database(&folder), 1);
        let written = readers.read(|reader| Ok(reader.batch_execute("CREATE TABLE t (x)")?));
        assert!(matches!(written, Err(StoreError::Unavailable(_))), "{written:?}");
    }

    #[test]
    fn a_reader_that_failed_is_not_used_again() {
        let folder = tempfile::tempdir().unwrap();
        let readers = Readers::new(database(&folder), 2);
        readers.read(|_| Ok(())).unwrap();
        assert_eq!(readers.idle().len(), 1);
        assert!(readers.read(|reader| Ok(reader.batch_execute("nonsense")?)).is_err());
        assert_eq!(readers.idle().len(), 0);
    }

    #[test]
    fn a_file_that_was_taken_away_is_not_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let database = database(&folder);
        std::fs::remove_file(database.path()).unwrap();
        assert!(matches!(database.connect(), Err(StoreError::Unavailable(_))));
        assert!(!database.path().exists());
    }
}
