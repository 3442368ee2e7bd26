use std::collections::BTreeSet;

use auth_domain::{
    Outcome, StoreError,
    archive::{ArchiveSource, Batch, Position, Table},
};
use auth_sqlite::{OpenError, SqliteArchive, SqliteStore};
use auth_testkit::{
    records::everything,
    samples::{at, registration},
};
use diesel::{QueryableByName, RunQueryDsl, connection::SimpleConnection, sql_query, sql_types::Text};
use tempfile::TempDir;

use crate::{connect, open_impatiently, open_store};

/// What `auth_testkit::records::everything` stands for, as this build's tables have it. `i(11)` stands for an id
/// that ends in 11, `m(1)` for the first millisecond of the day, `d(31)` for 32 octets 31 (in hexadecimal).
const EVERYTHING: &str = r#"
    INSERT INTO users (id, alias, alias_key, full_name, verified, enabled, registration, roles, groups, created_at) VALUES
        (i(11), 'Ada', 'ada', 'Ada "Countess" O''Sample, é', 1, 1, NULL, '["admin","us\\er, \"x\""]', '["public"]', m(1)),
        (i(12), 'bob', 'bob', 'Ada "Countess" O''Sample, é', 0, 0, 'pending', '[]', '["public"]', m(1)),
        (i(13), 'eve', 'eve', 'Ada "Countess" O''Sample, é', 0, 0, 'decoy', '[]', '["public"]', m(1));
    INSERT INTO emails (id, user_id, address, address_key, verified, vouched, preferred, created_at) VALUES
        (i(21), i(11), 'Ada@Exämple.org', 'ada@xn--exmple-cua.org', 1, 0, 1, m(1)),
        (i(22), i(12), 'bob@example.org', 'bob@example.org', 0, 1, 0, m(1));
    INSERT INTO sessions (id, user_id, digest, key_id, kind, verified_at, created_at, expires_at, last_used_at, ip, user_agent)
    VALUES
        (i(31), i(11), d(31), '0badcafe', 'standard', m(1), m(2), m(3), m(4), '192.0.2.7', 'Sample/1.0 (é; "quoted")'),
        (i(32), NULL, d(32), '00000001', 'kiosk', NULL, m(2), m(3), NULL, '2001:db8::7', '');
    INSERT INTO key_pairs (id, user_id, name, api_key, digest, key_id, roles, verified_at, created_at, expires_at, last_used_at)
    VALUES
        (i(41), i(11), 'nightly, é', 'auk_41', d(41), '0badcafe', '["admin"]', m(1), m(2), m(3), m(4)),
        (i(42), i(11), 'weekly', 'auk_42', d(42), '00000001', NULL, NULL, m(2), m(3), NULL);
    INSERT INTO codes (id, purpose, session_id, key_pair_id, email_id, address_key, network, hash, key_id, created_at,
        expires_at, wrong_guesses, ended)
    VALUES
        (i(51), 'sign-in', i(31), NULL, i(21), 'ada@xn--exmple-cua.org', '192.0.2.0', d(51), '0badcafe', m(1), m(2), 3, 1),
        (i(52), 'key-pair', NULL, i(41), i(21), 'ada@xn--exmple-cua.org', '2001:db8:7::', d(51), '0badcafe', m(1), m(2), 3, 1),
        (i(53), 'email', NULL, NULL, NULL, 'ada@xn--exmple-cua.org', '192.0.2.0', d(51), '00000001', m(1), m(2), 0, 0);
    INSERT INTO outbox (id, class, code_id, key_id, sealed, created_at, due_at, attempts, settled_at, outcome) VALUES
        (i(61), 'code', i(51), '0badcafe', x'0001ff', m(1), m(2), 2, NULL, NULL),
        (i(62), 'notice', NULL, '00000001', NULL, m(1), m(2), 2, m(3), 'delivered'),
        (i(63), 'decoy', NULL, '0badcafe', NULL, m(1), m(2), 0, m(3), 'abandoned');
    INSERT INTO mail_attempts (mail_id, attempt, ended_at, outcome, reply) VALUES
        (i(61), 1, m(1), 'deferred', '451 "later", é'),
        (i(61), 2, m(1), 'deferred', ''),
        (i(62), 1, m(1), 'delivered', '250 ok'),
        (i(63), 1, m(1), 'abandoned', '550 no');
    INSERT INTO known_networks (email_id, network, last_signed_in_at) VALUES
        (i(21), '192.0.2.0', m(1)),
        (i(21), '2001:db8:7::', m(1));
    INSERT INTO failures (address_key, network, day_began_at, of_day, in_a_row, last_at, told_at, owner_told_at) VALUES
        ('ada@xn--exmple-cua.org', '', m(1), 3, 100, m(2), m(3), m(4)),
        ('ada@xn--exmple-cua.org', '2001:db8:7::', m(1), 3, 100, m(2), NULL, NULL);
    INSERT INTO throttles (kind, address_key, network, full_at, told_at) VALUES
        ('mails-from-network', '', '192.0.2.0', m(1), m(2)),
        ('mails-to-address', 'ada@xn--exmple-cua.org', '', m(1), NULL),
        ('mails-to-address', 'ada@xn--exmple-cua.org', '2001:db8:7::', m(1), NULL),
        ('sign-ups', '', '192.0.2.0', m(1), NULL);
    INSERT INTO events (id, at, kind, outcome, actor_id, subject_id, credential_id, ip, detail) VALUES
        (i(71), m(1), 'role.granted', 'success', i(11), i(12), i(31), '192.0.2.7', 'auditor'),
        (i(72), m(2), 'code.failed', 'failure', NULL, NULL, NULL, NULL, '');
"#;

/// Writes the shorthands out.
fn spelled(statements: &str) -> String {
    (0..100).fold(statements.to_owned(), |text, n| {
        let (id, octets, moment) =
            (format!("x'{n:0>32}'"), format!("x'{}'", n.to_string().repeat(32)), 1_795_478_400_000_i64 + n);
        let text = text.replace(&format!("i({n})"), &id).replace(&format!("d({n})"), &octets);
        text.replace(&format!("m({n})"), &moment.to_string())
    })
}

fn installation() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("auth.db");
    SqliteStore::migrate(&path).unwrap();
    let mut connection = connect(&path);
    connection.batch_execute("PRAGMA foreign_keys = ON").unwrap();
    connection.batch_execute(&spelled(EVERYTHING)).unwrap();
    folder
}

#[derive(QueryableByName)]
struct Named {
    #[diesel(sql_type = Text)]
    name: String,
}

fn archive(folder: &TempDir) -> SqliteArchive {
    SqliteArchive::open(&folder.path().join("auth.db")).unwrap()
}

#[tokio::test]
async fn every_field_of_every_table_is_read() {
    let folder = installation();
    let mut archive = archive(&folder);
    for expected in everything() {
        assert_eq!(archive.read(expected.table(), None, 100).await.unwrap(), expected);
    }
}

#[tokio::test]
async fn a_table_is_read_batch_by_batch_in_order_and_nothing_is_missed() {
    let folder = installation();
    let mut archive = archive(&folder);
    for all in everything() {
        let mut after: Option<Position> = None;
        for _ in 0..all.len() {
            let next = archive.read(all.table(), after.clone(), 1).await.unwrap();
            assert_eq!(next.len(), 1);
            assert!(next.last() > after);
            after = next.last();
        }
        assert_eq!(after, all.last());
        assert!(archive.read(all.table(), after, 1).await.unwrap().is_empty());
    }
}

#[test]
fn the_database_has_no_table_that_a_copy_does_not_know() {
    let folder = installation();
    let query = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '\\_\\_%' \
                 ESCAPE '\\'";
    let tables: Vec<Named> = sql_query(query).load(&mut connect(&folder.path().join("auth.db"))).unwrap();
    let tables: BTreeSet<_> = tables.into_iter().map(|table| table.name).collect();
    assert_eq!(tables, Table::ALL.iter().map(|table| table.name().to_owned()).collect());
}

#[test]
fn the_database_has_no_column_that_these_tests_do_not_fill() {
    let folder = installation();
    let mut connection = connect(&folder.path().join("auth.db"));
    for filled in EVERYTHING.split("INSERT INTO ").skip(1) {
        let (table, rest) = filled.split_once(" (").unwrap();
        let filled: BTreeSet<_> =
            rest.split(')').next().unwrap().split(',').map(|name| name.trim().to_owned()).collect();
        // Where an event stands in the order of commits is not copied: the copy has an order of its own.
        let columns = format!("SELECT name FROM pragma_table_info('{table}') WHERE name <> 'position'");
        let columns = sql_query(columns);
        let columns: Vec<Named> = columns.load(&mut connection).unwrap();
        assert_eq!(columns.into_iter().map(|column| column.name).collect::<BTreeSet<_>>(), filled, "{table}");
    }
}

#[tokio::test]
async fn a_row_that_does_not_parse_is_named_by_table_and_id() {
    for (table, damaging, last) in [
        (Table::Users, "alias = 'no alias'", "13"),
        (Table::Users, "registration = 'perhaps', verified = 0", "13"),
        (Table::Users, "groups = '[1]'", "13"),
        (Table::Emails, "address = 'nobody'", "22"),
        (Table::Sessions, "ip = 'nowhere'", "32"),
        (Table::Sessions, "digest = x'00'", "32"),
        (Table::KeyPairs, "roles = '['", "42"),
        (Table::Codes, "network = '192.0.2.7'", "53"),
        (Table::Codes, "wrong_guesses = -1", "53"),
        (Table::Codes, "key_id = 'no key'", "53"),
        (Table::Outbox, "sealed = x'00'", "63"),
        (Table::Outbox, "outcome = 'deferred'", "63"),
        (Table::MailAttempts, "outcome = 'lost'", "63"),
        (Table::Events, "kind = 'user.fed'", "72"),
    ] {
        let folder = installation();
        let key = if table == Table::MailAttempts { "mail_id" } else { "id" };
        let statement = format!("UPDATE {table} SET {damaging} WHERE {key} = i({last})");
        let mut connection = connect(&folder.path().join("auth.db"));
        connection.batch_execute("PRAGMA ignore_check_constraints = ON").unwrap();
        connection.batch_execute(&spelled(&statement)).unwrap();
        let read = archive(&folder).read(table, None, 100).await;
        let Err(StoreError::Corrupt { table: told, id, .. }) = read else { panic!("{statement}: {read:?}") };
        assert_eq!((told, id), (table.name(), format!("00000000-0000-0000-0000-0000000000{last}")), "{statement}");
    }
}

#[tokio::test]
async fn a_row_without_an_id_that_does_not_parse_is_named_by_its_table_and_never_by_its_address() {
    for (table, damaging) in [
        (Table::KnownNetworks, "network = '192.0.2.7' WHERE network = '192.0.2.0'"),
        (Table::KnownNetworks, "network = '' WHERE network = '192.0.2.0'"),
        (Table::Failures, "network = 'nowhere' WHERE network = ''"),
        (Table::Failures, "in_a_row = -1 WHERE network = ''"),
        (Table::Throttles, "kind = 'sleep' WHERE kind = 'sign-ups'"),
        (Table::Throttles, "network = '2001:db8:7::7' WHERE kind = 'sign-ups'"),
    ] {
        let folder = installation();
        let mut connection = connect(&folder.path().join("auth.db"));
        connection.batch_execute("PRAGMA ignore_check_constraints = ON").unwrap();
        connection.batch_execute(&format!("UPDATE {table} SET {damaging}")).unwrap();
        let read = archive(&folder).read(table, None, 100).await;
        let Err(corrupt @ StoreError::Corrupt { .. }) = read else { panic!("{damaging}: {read:?}") };
        assert!(corrupt.to_string().contains(table.name()) && !corrupt.to_string().contains('@'), "{corrupt}");
    }
}

#[tokio::test]
async fn while_an_archive_is_open_nobody_else_writes_and_afterwards_everybody_can() {
    let folder = installation();
    let file = folder.path().join("auth.db");
    let (store, impatient) = (open_store(&file), open_impatiently(&file));
    let ada = registration("someone", "someone@example.org", at(0));
    let mut open = archive(&folder);
    let refused = impatient.register_user(&ada).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    let Batch::Users(users) = open.read(Table::Users, None, 100).await.unwrap() else { panic!("other records") };
    assert_eq!(users.len(), 3);
    drop(open);
    assert_eq!(store.register_user(&ada).await.unwrap(), Outcome::Done(()));
}

#[test]
fn what_cannot_be_read_as_it_is_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("auth.db");
    let refused = || SqliteArchive::open(&path).err().expect("this must not open").to_string();
    assert!(refused().contains("No such file"), "{}", refused());
    assert!(!path.exists(), "none is made");

    std::fs::write(&path, "").unwrap();
    assert!(refused().contains("is missing"), "{}", refused());
    SqliteStore::migrate(&path).unwrap();
    connect(&path).batch_execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('29991231000000')").unwrap();
    assert!(refused().contains("29991231000000 is unknown"), "{}", refused());
    assert!(matches!(SqliteArchive::open(&path), Err(OpenError::Inaccessible { .. })));
}
