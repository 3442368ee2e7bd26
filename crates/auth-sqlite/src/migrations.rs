//! Making the database file and bringing its layout up to what this build expects.

use std::fs::{self, File, OpenOptions};

use auth_domain::StoreError;
use diesel::{
    QueryableByName, RunQueryDsl, SqliteConnection,
    migration::{MigrationSource, MigrationVersion},
    sql_query,
    sql_types::Text,
    sqlite::Sqlite,
};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::{
    connections::Database,
    error::{Failure, OpenError},
};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/sqlite");

/// Makes the file if there is none, and applies the migrations it lacks. Returns their names.
///
/// Processes that start together do this one after the other, under a lock on a file beside the database.
pub(crate) fn prepare(database: &Database) -> Result<Vec<String>, OpenError> {
    let path = database.path();
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(OpenError::io(path))?;
    }
    // Never deleted: a process that waits for it would hold a lock on a file that the next one does not see.
    let lock = open_private(&path.with_added_extension("lock")).map_err(OpenError::io(path))?;
    lock.lock().map_err(OpenError::io(path))?;

    open_private(path).map_err(OpenError::io(path))?;
    let connect = || -> Result<SqliteConnection, StoreError> {
        let mut connection = database.connect()?;
        // A database remembers this: it is enough to set it here.
        let mode: JournalMode =
            sql_query("PRAGMA journal_mode = WAL").get_result(&mut connection).map_err(Failure::from)?;
        if mode.journal_mode != "wal" {
            return Err(StoreError::unavailable("its file system cannot hold a write-ahead log"));
        }
        // A file that cannot be written shows it only now.
        connection.immediate_transaction(|_| Ok::<_, Failure>(()))?;
        Ok(connection)
    };
    let mut connection = connect().map_err(|error| OpenError::inaccessible(path, &innermost(&error)))?;
    apply_missing(&mut connection, database)
}

/// Whether the layout is the one this build expects, or a newer one that it can live with.
pub(crate) fn check_layout(connection: &mut SqliteConnection) -> Result<(), Failure> {
    let missing = connection.pending_migrations(MIGRATIONS).map_err(StoreError::unavailable)?;
    if let Some(missing) = missing.first() {
        return Err(StoreError::unavailable(format!("migration {} is missing", missing.name())).into());
    }
    match first_unknown(connection).map_err(StoreError::unavailable)? {
        Some(unknown) => Err(StoreError::unavailable(format!("migration {unknown} is unknown to this build")).into()),
        None => Ok(()),
    }
}

fn apply_missing(connection: &mut SqliteConnection, database: &Database) -> Result<Vec<String>, OpenError> {
    let path = database.path();
    if let Some(migration) = first_unknown(connection).map_err(|error| OpenError::inaccessible(path, &error))? {
        return Err(OpenError::Newer { path: path.to_owned(), migration });
    }
    let missing = connection.pending_migrations(MIGRATIONS).map_err(|error| OpenError::inaccessible(path, &error))?;
    let mut applied = Vec::with_capacity(missing.len());
    for migration in missing {
        let name = migration.name().to_string();
        if let Err(error) = connection.run_migration(&migration) {
            let (path, reason) = (path.to_owned(), error.to_string());
            return Err(OpenError::MigrationFailed { path, migration: name, reason });
        }
        tracing::info!(migration = name, "migration applied");
        applied.push(name);
    }
    Ok(applied)
}

/// The first migration that was applied to the database and that this build neither has nor can live with.
fn first_unknown(connection: &mut SqliteConnection) -> diesel::migration::Result<Option<String>> {
    let known = MigrationSource::<Sqlite>::migrations(&MIGRATIONS)?;
    let is_known = |version: &MigrationVersion<'_>| known.iter().any(|known| known.name().version() == *version);
    let mut unknown: Vec<_> = connection.applied_migrations()?.into_iter().filter(|v| !is_known(v)).collect();
    if !unknown.is_empty() {
        let compatible: Vec<Compatible> = sql_query("SELECT version FROM __compatible_migrations").load(connection)?;
        unknown.retain(|version| !compatible.iter().any(|compatible| compatible.version == version.to_string()));
    }
    unknown.sort_unstable();
    Ok(unknown.first().map(ToString::to_string))
}

/// Opens the file `path` for writing. A new one can be read and written by its owner alone.
fn open_private(path: &std::path::Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// What lies at the bottom of an error: the line that says what is wrong.
pub(crate) fn innermost(error: &StoreError) -> String {
    let mut reason: &dyn std::error::Error = error;
    while let Some(source) = reason.source() {
        reason = source;
    }
    reason.to_string()
}

#[derive(QueryableByName)]
struct Compatible {
    #[diesel(sql_type = Text)]
    version: String,
}

#[derive(QueryableByName)]
struct JournalMode {
    #[diesel(sql_type = Text)]
    journal_mode: String,
}
