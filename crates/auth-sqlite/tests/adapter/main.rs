//! What is particular to SQLite: files, locks, damage, what the layout itself forbids. What every store must do is the contract's to say.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that meets something it did not expect panics")]

mod administrators;
mod archive;
mod audit;
mod facts;
mod failing;
mod migrations;
mod opening;

use std::{path::Path, sync::Arc};

use auth_domain::Store;
use auth_sqlite::SqliteStore;
use diesel::{Connection, SqliteConnection};

/// The store in the file `path`.
fn open_store(path: &Path) -> Arc<dyn Store> {
    Arc::new(SqliteStore::open(path).unwrap())
}

/// A connection behind the store's back.
fn connect(path: &Path) -> SqliteConnection {
    SqliteConnection::establish(path.to_str().unwrap()).unwrap()
}
