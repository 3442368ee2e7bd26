//! Bringing the database's layout up to what this build expects.

use std::time::Duration;

use auth_domain::StoreError;
use diesel::{
    ConnectionError, IntoSql, QueryDsl, QueryResult,
    migration::{MigrationSource, MigrationVersion},
    pg::Pg,
    sql_types::BigInt,
};
use diesel_async::{AsyncMigrationHarness, AsyncPgConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use tokio::{runtime::Handle, task::spawn_blocking, time::sleep};

use crate::{
    connections::Connector,
    error::{Failure, chain},
};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/postgres");
/// Names the lock that those who migrate hold: "auth" and "migr", as octets.
const LOCK: i64 = 0x6175_7468_6d69_6772;
/// How long those who do not hold it wait before they ask again. They must not wait inside the database: that would be a
/// transaction, for whose end an index that is built concurrently waits in turn.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(100);

diesel::define_sql_function! {
    fn pg_try_advisory_lock(key: BigInt) -> Bool;
}

diesel::table! {
    #[sql_name = "__diesel_schema_migrations"]
    applied_migrations (version) {
        version -> Text,
    }
}

diesel::table! {
    #[sql_name = "__compatible_migrations"]
    compatible_migrations (version) {
        version -> Text,
    }
}

/// Why a database could not be brought up to date. Each message is one line that stands alone.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The server is away, or refuses us.
    #[error("the database cannot be connected to: {0}")]
    Unreachable(String),
    /// A migration failed. It was rolled back; those before it stay.
    #[error("migration {migration} failed: {reason}")]
    Failed {
        /// The migration's name.
        migration: String,
        /// What the database said.
        reason: String,
    },
    /// A newer build has migrated the database to a layout that this one neither knows nor can live with.
    #[error("the database was migrated by a newer build (migration {0} is unknown to this one)")]
    Newer(String),
    /// The program is ending.
    #[error("migrating was interrupted: {0}")]
    Interrupted(String),
}

impl From<ConnectionError> for MigrateError {
    fn from(error: ConnectionError) -> Self {
        Self::Unreachable(chain(&error))
    }
}

impl From<diesel::result::Error> for MigrateError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Unreachable(chain(&error))
    }
}

/// Applies the migrations that the database lacks. Returns their names.
pub(crate) async fn apply(connector: &Connector) -> Result<Vec<String>, MigrateError> {
    // Without limits on statements: some migrations take their time.
    let mut connection = connector.connect(None).await?;
    // Everything from here on asks for the right to change the layout, which a service need not have.
    if check_layout(&mut connection).await.is_ok() {
        return Ok(Vec::new());
    }
    // It ends with the connection.
    while !try_lock(&mut connection).await? {
        sleep(ASK_AGAIN_AFTER).await;
    }
    // The harness blocks the thread that it runs on.
    let runtime = Handle::current();
    let applying = spawn_blocking(move || {
        let _entered = runtime.enter();
        apply_missing(connection)
    });
    applying.await.unwrap_or_else(|interrupted| Err(MigrateError::Interrupted(interrupted.to_string())))
}

async fn try_lock(connection: &mut AsyncPgConnection) -> QueryResult<bool> {
    use diesel_async::RunQueryDsl;
    diesel::select(pg_try_advisory_lock(LOCK.into_sql::<BigInt>())).get_result(connection).await
}

async fn versions(connection: &mut AsyncPgConnection) -> QueryResult<Vec<MigrationVersion<'static>>> {
    use diesel_async::RunQueryDsl;
    let versions: Vec<String> = applied_migrations::table.select(applied_migrations::version).load(connection).await?;
    Ok(versions.into_iter().map(MigrationVersion::from).collect())
}

/// The migrations that builds from before them can live with.
async fn compatible(connection: &mut AsyncPgConnection) -> QueryResult<Vec<MigrationVersion<'static>>> {
    use diesel_async::RunQueryDsl;
    let versions: Vec<String> =
        compatible_migrations::table.select(compatible_migrations::version).load(connection).await?;
    Ok(versions.into_iter().map(MigrationVersion::from).collect())
}

fn apply_missing(connection: AsyncPgConnection) -> Result<Vec<String>, MigrateError> {
    let mut harness = AsyncMigrationHarness::new(connection);
    let unreadable = |error: Box<dyn std::error::Error + Send + Sync>| MigrateError::Unreachable(error.to_string());
    let versions = harness.applied_migrations().map_err(unreadable)?;
    // Whatever is compatible was found to be up to date before.
    if let Some(unknown) = unknown(&versions, &[]).map_err(unreadable)? {
        return Err(MigrateError::Newer(unknown));
    }
    let missing = harness.pending_migrations(MIGRATIONS).map_err(unreadable)?;
    let mut applied = Vec::with_capacity(missing.len());
    for migration in missing {
        let name = migration.name().to_string();
        if let Err(error) = harness.run_migration(&migration) {
            return Err(MigrateError::Failed { migration: name, reason: error.to_string() });
        }
        tracing::info!(migration = name, "migration applied");
        applied.push(name);
    }
    Ok(applied)
}

/// Whether the layout is the one this build expects, or a newer one that it can live with.
pub(crate) async fn check_layout(connection: &mut AsyncPgConnection) -> Result<(), Failure> {
    let applied = versions(connection).await?;
    let known = known().map_err(StoreError::unavailable)?;
    if let Some(missing) = known.iter().find(|version| !applied.contains(version)) {
        return Err(StoreError::unavailable(format!("migration {missing} is missing")).into());
    }
    let compatible = compatible(connection).await?;
    match unknown(&applied, &compatible).map_err(StoreError::unavailable)? {
        Some(unknown) => Err(StoreError::unavailable(format!("migration {unknown} is unknown to this build")).into()),
        None => Ok(()),
    }
}

fn known() -> diesel::migration::Result<Vec<MigrationVersion<'static>>> {
    let migrations = MigrationSource::<Pg>::migrations(&MIGRATIONS)?;
    Ok(migrations.iter().map(|migration| migration.name().version().as_owned()).collect())
}

/// The first of these versions that this build neither has nor can live with.
fn unknown(
    versions: &[MigrationVersion<'_>],
    compatible: &[MigrationVersion<'_>],
) -> diesel::migration::Result<Option<String>> {
    let known = known()?;
    let is_fine = |version: &&MigrationVersion<'_>| known.contains(&version.as_owned()) || compatible.contains(version);
    let mut unknown: Vec<_> = versions.iter().filter(|version| !is_fine(version)).collect();
    unknown.sort_unstable();
    Ok(unknown.first().map(ToString::to_string))
}
