//! What is particular to SQLite: files, locks, damage, what the layout itself forbids. What every store must do is the contract's to say.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that meets something it did not expect panics")]

mod administrators;
mod archive;
mod audit;
mod facts;
mod failing;
mod migrations;
mod opening;

use std::{path::Path, sync::Arc, time::Duration};

use auth_domain::Store;
use auth_sqlite::{SqliteOptions, SqliteStore};
use auth_testkit::waiting::PATIENCE;
use diesel::{Connection, SqliteConnection};

/// The store in the file `path`. It waits as long as it takes: most tests are not about a machine that is short of time.
fn open_store(path: &Path) -> Arc<dyn Store> {
    Arc::new(SqliteStore::open_with(path, SqliteOptions { timeout: PATIENCE }).unwrap())
}

/// The same, which soon gives up waiting for another process.
fn open_impatiently(path: &Path) -> Arc<dyn Store> {
    Arc::new(SqliteStore::open_with(path, SqliteOptions { timeout: Duration::from_millis(100) }).unwrap())
}

/// A connection behind the store's back.
fn connect(path: &Path) -> SqliteConnection {
    SqliteConnection::establish(path.to_str().unwrap()).unwrap()
}
