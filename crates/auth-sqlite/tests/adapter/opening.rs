use std::{path::Path, thread};

use auth_domain::{Outcome, Redeemed, StoreError, Upkeep};
use auth_sqlite::{OpenError, SqliteOptions, SqliteStore};
use auth_testkit::samples::{at, registration, right_guess};
use diesel::{QueryableByName, RunQueryDsl, connection::SimpleConnection, sql_query, sql_types::Text};

use crate::{connect, open_store};

fn refused(path: &Path) -> OpenError {
    SqliteStore::open(path).err().expect("this must not open")
}

fn is_one_clear_line(error: &OpenError, path: &Path) {
    let line = error.to_string();
    assert!(line.contains(path.to_str().unwrap()) && !line.contains('\n'), "{line}");
}

#[test]
fn a_new_database_is_made_with_its_folder_and_only_its_owner_can_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data/of/auth.db");
    drop(SqliteStore::open(&path).unwrap());
    assert!(path.exists());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn migrating_tells_what_it_applied_and_the_second_time_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("auth.db");
    let mut expected: Vec<String> = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations/sqlite"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    expected.sort();
    assert_eq!(SqliteStore::migrate(&path).unwrap(), expected);
    assert_eq!(SqliteStore::migrate(&path).unwrap(), Vec::<String>::new());
}

#[test]
fn the_database_keeps_a_write_ahead_log() {
    #[derive(QueryableByName)]
    struct Mode {
        #[diesel(sql_type = Text)]
        journal_mode: String,
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("auth.db");
    let _store = SqliteStore::open(&path).unwrap();
    let mode: Mode = sql_query("PRAGMA journal_mode").get_result(&mut connect(&path)).unwrap();
    assert_eq!(mode.journal_mode, "wal");
}

#[test]
fn threads_that_open_at_once_migrate_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("auth.db");
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let path = path.clone();
            thread::spawn(move || SqliteStore::migrate(&path).unwrap().len())
        })
        .collect();
    let applied: Vec<usize> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert_eq!(applied.iter().filter(|applied| **applied > 0).count(), 1, "{applied:?}");
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("auth.db");
    let ada = registration("ada", "ada@example.org", at(0));
    let store = open_store(&path);
    assert_eq!(store.register_user(&ada).await.unwrap(), Outcome::Done(()));
    let redeemed = store.redeem_code(&right_guess(&ada.sign_in.code, at(1))).await.unwrap();
    assert!(matches!(redeemed, Redeemed::Yes { .. }));
    drop(store);
    assert!(!folder.path().join("auth.db-wal").exists(), "a store that was dropped has closed its file");

    let store = open_store(&path);
    let found = store.find_session(&ada.sign_in.session.digest).await.unwrap().unwrap();
    assert!(found.session.is_verified() && found.user.verified);
    assert_eq!(found.user.alias, ada.alias);
}

#[test]
fn a_path_that_cannot_be_opened_is_told_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a-file");
    std::fs::write(&file, "this is no database, and too long to be taken for an empty one".repeat(20)).unwrap();
    for path in [folder.path().to_owned(), file.join("auth.db"), file] {
        let error = refused(&path);
        assert!(matches!(error, OpenError::Inaccessible { .. }), "{error:?}");
        is_one_clear_line(&error, &path);
    }
}

#[test]
fn a_database_that_a_newer_build_migrated_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("auth.db");
    drop(SqliteStore::open(&path).unwrap());
    connect(&path).batch_execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('29991231000000')").unwrap();
    let error = refused(&path);
    assert!(matches!(&error, OpenError::Newer { migration, .. } if migration == "29991231000000"), "{error:?}");
    is_one_clear_line(&error, &path);
}

#[test]
fn a_database_that_a_newer_build_migrated_compatibly_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("auth.db");
    drop(SqliteStore::open(&path).unwrap());
    for table in ["__diesel_schema_migrations", "__compatible_migrations"] {
        let marked = format!("INSERT INTO {table} (version) VALUES ('29991231000000')");
        connect(&path).batch_execute(&marked).unwrap();
    }
    drop(SqliteStore::open(&path).unwrap());
    drop(SqliteStore::open_existing(&path, SqliteOptions::default()).unwrap());
}

#[test]
fn a_migration_that_fails_is_told_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("auth.db");
    connect(&path).batch_execute("CREATE TABLE users (of_another_program)").unwrap();
    let error = refused(&path);
    assert!(matches!(&error, OpenError::MigrationFailed { .. }), "{error:?}");
    is_one_clear_line(&error, &path);
}

#[tokio::test]
async fn a_store_is_ready_only_with_the_layout_it_expects() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("auth.db");
    let store = SqliteStore::open(&path).unwrap();
    store.check_ready().await.unwrap();
    for change in [
        "INSERT INTO __diesel_schema_migrations (version) VALUES ('29991231000000')",
        "DELETE FROM __diesel_schema_migrations",
        "DROP TABLE __diesel_schema_migrations",
    ] {
        connect(&path).batch_execute(change).unwrap();
        assert!(matches!(store.check_ready().await, Err(StoreError::Unavailable(_))), "{change}");
    }
}

#[tokio::test]
async fn a_database_that_must_exist_is_opened_as_it_is_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data/auth.db");
    let refused = || SqliteStore::open_existing(&path, SqliteOptions::default()).err().expect("this must not open");
    is_one_clear_line(&refused(), &path);
    assert!(!path.parent().unwrap().exists());

    drop(SqliteStore::open(&path).unwrap());
    let store = SqliteStore::open_existing(&path, SqliteOptions::default()).unwrap();
    store.check_ready().await.unwrap();
    drop(store);
    for (change, told) in [
        ("INSERT INTO __diesel_schema_migrations (version) VALUES ('29991231000000')", "29991231000000 is unknown"),
        ("DELETE FROM __diesel_schema_migrations WHERE version >= '20261125'", " is missing"),
    ] {
        connect(&path).batch_execute(change).unwrap();
        let error = refused();
        is_one_clear_line(&error, &path);
        assert!(error.to_string().contains(told), "{error}");
    }
}
