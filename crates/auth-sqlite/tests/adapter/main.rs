//! What is particular to SQLite: files, locks, damage, what the layout itself forbids. What every store must do is the contract's to say.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that meets something it did not expect panics")]

mod administrators;
mod archive;
mod audit;
mod failing;
mod migrations;
mod opening;

use std::path::Path;

use diesel::{Connection, SqliteConnection};

/// A connection behind the store's back.
fn connect(path: &Path) -> SqliteConnection {
    SqliteConnection::establish(path.to_str().unwrap()).unwrap()
}
