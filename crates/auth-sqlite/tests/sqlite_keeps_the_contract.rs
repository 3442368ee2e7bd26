//! SQLite is held to what every store must do.
#![expect(clippy::unwrap_used, reason = "a test that meets something it did not expect panics")]

use std::sync::Arc;

use auth_domain::{Store, UserId};
use auth_sqlite::{SqliteOptions, SqliteStore};
use auth_testkit::waiting::PATIENCE;
use diesel::{Connection, RunQueryDsl, SqliteConnection, sql_query, sql_types::Binary};
use tempfile::TempDir;

struct Sqlite {
    store: Arc<SqliteStore>,
    folder: TempDir,
}

impl auth_testkit::contract::Subject for Sqlite {
    fn store(&self) -> Arc<dyn Store> {
        self.store.clone()
    }

    fn disable(&self, user: UserId) {
        let path = self.folder.path().join("auth.db");
        let mut database = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
        let disabling = sql_query("UPDATE users SET enabled = 0 WHERE id = ?");
        let disabled = disabling.bind::<Binary, _>(user.uuid().into_bytes().to_vec()).execute(&mut database);
        assert_eq!(disabled, Ok(1));
    }
}

async fn open() -> Sqlite {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open_with(&folder.path().join("auth.db"), SqliteOptions { timeout: PATIENCE }).unwrap();
    Sqlite { store: Arc::new(store), folder }
}

auth_testkit::store_contract!(open);
