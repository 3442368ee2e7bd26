use std::path::{Path, PathBuf};

use auth_domain::{StoreError, Upkeep};
use auth_postgres::MigrateError;
use auth_testkit::postgres::{self, execute};

use crate::{connect, database};

/// A database that nobody has migrated.
async fn empty() -> String {
    let url = database().await;
    execute(&url, "DROP SCHEMA public CASCADE; CREATE SCHEMA public").await.unwrap();
    url
}

/// The folders of the migrations, oldest first.
fn folders() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations/postgres");
    let mut names: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_that_migrate_an_empty_database_at_once_do_it_once() {
    let url = empty().await;
    let migrating: Vec<_> = (0..10)
        .map(|_| {
            let store = connect(&url, 1);
            tokio::spawn(async move { store.migrate().await.unwrap() })
        })
        .collect();
    let mut applied = Vec::new();
    for migrating in migrating {
        applied.push(migrating.await.unwrap());
    }
    assert_eq!(applied.iter().filter(|names| !names.is_empty()).count(), 1, "{applied:?}");
    connect(&url, 1).check_ready().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_layout_that_is_behind_or_ahead_is_not_ready_and_the_latter_is_not_touched() {
    let url = empty().await;
    let store = connect(&url, 1);
    assert!(matches!(store.check_ready().await, Err(StoreError::Unavailable(_))));
    store.migrate().await.unwrap();
    store.check_ready().await.unwrap();
    assert!(store.migrate().await.unwrap().is_empty());

    execute(&url, "INSERT INTO __diesel_schema_migrations (version) VALUES ('29990101000000')").await.unwrap();
    let Err(StoreError::Unavailable(reason)) = store.check_ready().await else { panic!("it is ahead") };
    assert!(reason.to_string().contains("29990101000000"), "{reason}");
    assert!(matches!(store.migrate().await, Err(MigrateError::Newer(version)) if version == "29990101000000"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_layout_that_is_up_to_date_takes_no_right_to_change_it() {
    let url = database().await;
    let separator = if url.contains('?') { '&' } else { '?' };
    let store = connect(&format!("{url}{separator}options=-c%20default_transaction_read_only=on"), 1);
    assert!(store.migrate().await.unwrap().is_empty());
    store.check_ready().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_fails_is_rolled_back_and_named() {
    let url = empty().await;
    postgres::execute(&url, "CREATE TABLE key_pairs (mine int)").await.unwrap();
    let Err(MigrateError::Failed { migration, reason }) = connect(&url, 1).migrate().await else {
        panic!("it is in the way")
    };
    assert!(
        migration.ends_with("email_codes_and_key_pairs") && reason.contains("already exists"),
        "{migration}: {reason}"
    );
    postgres::execute(&url, "SELECT mine FROM key_pairs; DROP TABLE key_pairs").await.unwrap();
    // The first one stayed.
    assert_eq!(connect(&url, 1).migrate().await.unwrap().len(), folders().len() - 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_migration_can_be_taken_back() {
    let url = database().await;
    let names = folders();
    for migration in names.iter().rev() {
        execute(&url, &std::fs::read_to_string(migration.join("down.sql")).unwrap()).await.unwrap();
    }
    for migration in &names {
        execute(&url, &std::fs::read_to_string(migration.join("up.sql")).unwrap()).await.unwrap();
    }
}
