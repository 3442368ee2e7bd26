//! PostgreSQL is held to the contract of every store.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

use std::{path::Path, sync::Arc};

use auth_domain::{Store, UserId};
use auth_postgres::{PoolOptions, PostgresStore};
use auth_testkit::{postgres, waiting::PATIENCE};

struct Subject {
    store: Arc<PostgresStore>,
    url: String,
}

impl auth_testkit::contract::Subject for Subject {
    fn store(&self) -> Arc<dyn Store> {
        self.store.clone()
    }

    fn disable(&self, user: UserId) {
        let disabling = format!("UPDATE users SET enabled = false WHERE id = '{user}'");
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(postgres::execute(&self.url, &disabling)).unwrap();
        });
    }
}

async fn open() -> Subject {
    let url = postgres::database(async |url| {
        PostgresStore::new(url.parse().unwrap(), PoolOptions::default()).unwrap().migrate().await.unwrap();
    })
    .await;
    // Many at once wait for their turn, on a slow machine for longer than somebody in operation would.
    let options = PoolOptions { wait: PATIENCE, timeout: PATIENCE, ..PoolOptions::default() };
    let store = PostgresStore::new(url.parse().unwrap(), options).unwrap();
    Subject { store: Arc::new(store), url }
}

auth_testkit::store_contract!(open);

#[test]
fn both_databases_have_migrations_of_the_same_names() {
    let names = |folder: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations").join(folder);
        let mut names: Vec<_> = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names("postgres"), names("sqlite"));
}
