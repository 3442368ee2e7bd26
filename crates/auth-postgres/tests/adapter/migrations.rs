use std::collections::BTreeMap;

use auth_domain::{
    StoreError, Upkeep,
    archive::{ArchiveSource, Table},
};
use auth_postgres::MigrateError;
use auth_testkit::{
    postgres::{self, execute},
    waiting::Patience,
};

use crate::{account, connect, database, held::Held};

/// A database that nobody has migrated.
async fn empty() -> String {
    let url = database().await;
    execute(&url, "DROP SCHEMA public CASCADE; CREATE SCHEMA public").await.unwrap();
    url
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
async fn a_newer_layout_that_is_marked_compatible_is_ready_and_not_touched() {
    let url = database().await;
    let store = connect(&url, 1);
    for table in ["__diesel_schema_migrations", "__compatible_migrations"] {
        execute(&url, &format!("INSERT INTO {table} (version) VALUES ('29990101000000')")).await.unwrap();
        assert_eq!(store.check_ready().await.is_ok(), table == "__compatible_migrations");
    }
    assert!(store.migrate().await.unwrap().is_empty());
    account(&*store, "ada").await;
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
    assert!(migration.ends_with("first_layout") && reason.contains("already exists"), "{migration}: {reason}");
    postgres::execute(&url, "SELECT mine FROM key_pairs; DROP TABLE key_pairs").await.unwrap();
    // Nothing of it stayed.
    assert_eq!(connect(&url, 1).migrate().await.unwrap().len(), 1);
}

/// A column: its name, its SQL type, and whether it may be NULL.
type Column = (String, String, bool);

/// The tables that the code knows, with their columns.
fn known_columns() -> BTreeMap<String, Vec<Column>> {
    let tables = include_str!("../../src/schema.rs").split("diesel::table! {").skip(1);
    tables
        .map(|table| {
            let mut lines =
                table.lines().map(str::trim).filter(|line| !line.is_empty()).take_while(|line| *line != "}");
            let name = lines.next().unwrap().split(' ').next().unwrap().to_owned();
            let columns = lines.map(|line| {
                let (column, kind) = line.trim_end_matches(',').split_once(" -> ").unwrap();
                let inner = kind.strip_prefix("Nullable<").and_then(|kind| kind.strip_suffix('>'));
                (column.to_owned(), sql_type(inner.unwrap_or(kind)).to_owned(), inner.is_some())
            });
            (name, columns.collect())
        })
        .collect()
}

fn sql_type(diesel: &str) -> &'static str {
    match diesel {
        "Uuid" => "uuid",
        "Text" => "text",
        "Bool" => "bool",
        "Array<Text>" => "_text",
        "Timestamptz" => "timestamptz",
        "Binary" => "bytea",
        "Inet" => "inet",
        "Cidr" => "cidr",
        "Integer" => "int4",
        "Int8" => "int8",
        other => panic!("what is {other}?"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_code_and_the_layout_know_the_same_columns_in_the_same_order() {
    let url = database().await;
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let columns = "SELECT table_name::text, column_name::text, udt_name::text, is_nullable = 'YES' \
                   FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT LIKE '\\_\\_%' \
                   ORDER BY table_name, ordinal_position";
    let mut found = BTreeMap::<String, Vec<Column>>::new();
    for row in client.query(columns, &[]).await.unwrap() {
        found.entry(row.get(0)).or_default().push((row.get(1), row.get(2), row.get(3)));
    }
    assert_eq!(found, known_columns());
}

/// Rows as the first layout has them.
const ROWS: &str = "
    INSERT INTO users VALUES ('00000000-0000-0000-0000-000000000001', 'Ada', 'ada', 'Ada', true, true, NULL,
        '{user}', '{public}', now());
    INSERT INTO emails VALUES ('00000000-0000-0000-0000-000000000002', '00000000-0000-0000-0000-000000000001',
        'ada@example.org', 'ada@example.org', true, false, true, now());
    INSERT INTO sessions VALUES ('00000000-0000-0000-0000-000000000003', '00000000-0000-0000-0000-000000000001',
        sha256('s'), '0badcafe', 'standard', now(), now(), now() + interval '1 day', NULL, '192.0.2.1', '');
    INSERT INTO key_pairs VALUES ('00000000-0000-0000-0000-000000000004', '00000000-0000-0000-0000-000000000001',
        'nightly', 'auk_1', sha256('k'), '0badcafe', NULL, now(), now(), now() + interval '1 day', NULL);
    INSERT INTO codes VALUES ('00000000-0000-0000-0000-000000000005', 'sign-in', '00000000-0000-0000-0000-000000000003',
        NULL, '00000000-0000-0000-0000-000000000002', 'ada@example.org', '192.0.2.0/24', sha256('c'), '0badcafe', now(),
        now() + interval '1 hour', 0, false);
    INSERT INTO outbox VALUES ('00000000-0000-0000-0000-000000000006', 'code', '00000000-0000-0000-0000-000000000005',
        '0badcafe', 'x', now(), now(), 0, NULL, NULL);
    INSERT INTO mail_attempts VALUES ('00000000-0000-0000-0000-000000000006', 1, now(), 'deferred', '451');
    INSERT INTO known_networks VALUES ('00000000-0000-0000-0000-000000000002', '192.0.2.0', now());
    INSERT INTO failures VALUES ('ada@example.org', '', now(), 1, 1, now(), NULL, NULL);
    INSERT INTO throttles VALUES ('requests', '', '192.0.2.0', now(), NULL);
    INSERT INTO events (id, at, kind, outcome, detail) VALUES ('00000000-0000-0000-0000-000000000007', now(),
        'session.signed-in', 'success', '')";

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_began_with_the_first_layout_is_migrated_with_its_rows() {
    let url = empty().await;
    let first = include_str!("../../../../migrations/postgres/2026-12-01-000000_first_layout/up.sql");
    execute(&url, first).await.unwrap();
    execute(
        &url,
        "CREATE TABLE __diesel_schema_migrations (version varchar(50) PRIMARY KEY, run_on timestamp NOT NULL \
                   DEFAULT now()); INSERT INTO __diesel_schema_migrations (version) VALUES ('20261201000000')",
    )
    .await
    .unwrap();
    execute(&url, ROWS).await.unwrap();
    let store = connect(&url, 1);
    store.migrate().await.unwrap();
    store.check_ready().await.unwrap();
    let mut archive = store.begin_archive().await.unwrap();
    for table in Table::ALL {
        assert_eq!(archive.read(*table, None, 10).await.unwrap().len(), 1, "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_have_an_order_in_which_none_comes_late() {
    let url = database().await;
    let store = connect(&url, 2);
    let slow = Held::by(
        &url,
        "INSERT INTO events (id, at, kind, outcome, detail) VALUES \
                               ('00000000-0000-0000-0000-000000000001', now(), 'throttled', 'failure', 'slow')",
    )
    .await;
    account(&*store, "ada").await;
    let behind = |position: i64| {
        format!(
            "SELECT position FROM events WHERE position > {position} \
                 AND position < pg_snapshot_xmin(pg_current_snapshot())::text::bigint ORDER BY position, id"
        )
    };
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    // What was committed by now could have one before it that is not.
    assert!(client.query(&behind(0), &[]).await.unwrap().is_empty());
    slow.commit().await;
    // The server's other databases have transactions too.
    let patience = Patience::with("the end of everything that was under way");
    let mut read: Vec<i64> = Vec::new();
    while read.len() < 2 {
        patience.moment().await;
        read = client.query(&behind(0), &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    }
    assert!(client.query(&behind(*read.last().unwrap()), &[]).await.unwrap().is_empty());
}
