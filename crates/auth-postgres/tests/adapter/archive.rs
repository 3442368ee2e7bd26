use auth_domain::{
    StoreError,
    archive::{ArchiveSource, ArchiveTarget, Batch, CopyError, Table, copy},
};
use auth_postgres::PostgresArchive;
use auth_testkit::{
    InMemoryArchive,
    postgres::execute,
    records::{everything, key_ids},
    samples::{at, registration},
};

use crate::{Port, account, connect, connect_impatiently, database};

/// Every row of `auth_testkit::records::everything`, as PostgreSQL prints it. `i(11)` stands for an id that ends in 11, `m(1)`
/// for the first millisecond of the day, `d(31)` for 32 octets 31 (in hexadecimal).
const EVERYTHING: &[(&str, &[&str])] = &[
    (
        "users",
        &[
            r#"(i(11),Ada,ada,"Ada ""Countess"" O'Sample, é",t,t,,"{admin,""us\\\\er, \\""x\\""""}",{public},"m(1)")"#,
            r#"(i(12),bob,bob,"Ada ""Countess"" O'Sample, é",f,f,pending,{},{public},"m(1)")"#,
            r#"(i(13),eve,eve,"Ada ""Countess"" O'Sample, é",f,f,decoy,{},{public},"m(1)")"#,
        ],
    ),
    (
        "emails",
        &[
            r#"(i(21),i(11),Ada@Exämple.org,ada@xn--exmple-cua.org,t,f,t,"m(1)")"#,
            r#"(i(22),i(12),bob@example.org,bob@example.org,f,t,f,"m(1)")"#,
        ],
    ),
    (
        "sessions",
        &[
            r#"(i(31),i(11),"d(31)",0badcafe,standard,"m(1)","m(2)","m(3)","m(4)",192.0.2.7,"Sample/1.0 (é; ""quoted"")")"#,
            r#"(i(32),,"d(32)",00000001,kiosk,,"m(2)","m(3)",,2001:db8::7,"")"#,
        ],
    ),
    (
        "key_pairs",
        &[
            r#"(i(41),i(11),"nightly, é",auk_41,"d(41)",0badcafe,{admin},"m(1)","m(2)","m(3)","m(4)")"#,
            r#"(i(42),i(11),weekly,auk_42,"d(42)",00000001,,,"m(2)","m(3)",)"#,
        ],
    ),
    (
        "codes",
        &[
            r#"(i(51),sign-in,i(31),,i(21),ada@xn--exmple-cua.org,192.0.2.0/24,"d(51)",0badcafe,"m(1)","m(2)",3,t)"#,
            r#"(i(52),key-pair,,i(41),i(21),ada@xn--exmple-cua.org,2001:db8:7::/48,"d(51)",0badcafe,"m(1)","m(2)",3,t)"#,
            r#"(i(53),email,,,,ada@xn--exmple-cua.org,192.0.2.0/24,"d(51)",00000001,"m(1)","m(2)",0,f)"#,
        ],
    ),
    (
        "outbox",
        &[
            r#"(i(61),code,i(51),0badcafe,"\\x0001ff","m(1)","m(2)",2,,)"#,
            r#"(i(62),notice,,00000001,,"m(1)","m(2)",2,"m(3)",delivered)"#,
            r#"(i(63),decoy,,0badcafe,,"m(1)","m(2)",0,"m(3)",abandoned)"#,
        ],
    ),
    (
        "mail_attempts",
        &[
            r#"(i(61),1,"m(1)",deferred,"451 ""later"", é")"#,
            r#"(i(61),2,"m(1)",deferred,"")"#,
            r#"(i(62),1,"m(1)",delivered,"250 ok")"#,
            r#"(i(63),1,"m(1)",abandoned,"550 no")"#,
        ],
    ),
    (
        "events",
        &[
            r#"(i(71),"m(1)",role.granted,success,i(11),i(12),i(31),192.0.2.7,auditor)"#,
            r#"(i(72),"m(2)",code.failed,failure,,,,,"")"#,
        ],
    ),
];

/// What PostgreSQL prints for a row, with the shorthands in place of what they stand for.
const PRINTED: &str = r"
    SET timezone = 'UTC';
    CREATE FUNCTION pg_temp.printed(row_text text) RETURNS text LANGUAGE sql AS $$
        SELECT regexp_replace(regexp_replace(regexp_replace(row_text,
            '00000000-0000-0000-0000-0000000000(\d\d)', 'i(\1)', 'g'),
            '2026-11-24 00:00:00.00(\d)\+00', 'm(\1)', 'g'),
            '\\\\x(\d\d)\1{31}', 'd(\1)', 'g')
    $$;
";

async fn begin(url: &str) -> PostgresArchive {
    connect(url, 1).begin_archive().await.unwrap()
}

/// Fails unless `condition` holds in the database.
async fn holds(url: &str, condition: &str) {
    execute(url, &format!("{PRINTED} DO $do$ BEGIN ASSERT ({condition}); END $do$")).await.unwrap_or_else(|error| {
        panic!("{condition}: {error:?}");
    });
}

async fn is_empty(url: &str) {
    for table in Table::ALL {
        holds(url, &format!("SELECT count(*) = 0 FROM {table}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_of_every_table_is_written_and_read_back() {
    let url = database().await;
    let mut archive = begin(&url).await;
    for batch in everything() {
        archive.append(&batch).await.unwrap();
    }
    for batch in everything() {
        assert_eq!(archive.read(batch.table(), None, 100).await.unwrap(), batch);
    }
    is_empty(&url).await;
    Box::new(archive).commit().await.unwrap();
    for (table, rows) in EVERYTHING {
        holds(&url, &format!("SELECT count(*) = {} FROM {table}", rows.len())).await;
        for row in *rows {
            let quoted = row.replace('\'', "''");
            // Where an event stands in the order of commits is not copied: the copy has an order of its own.
            let whole = if *table == "events" { "regexp_replace(t::text, ',\\d+\\)$', ')')" } else { "t::text" };
            let found = format!("SELECT count(*) = 1 FROM {table} t WHERE pg_temp.printed({whole}) = '{quoted}'");
            holds(&url, &found).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_read_batch_by_batch_in_order_and_nothing_is_missed() {
    let url = database().await;
    let mut archive = begin(&url).await;
    for batch in everything() {
        archive.append(&batch).await.unwrap();
    }
    for all in everything() {
        let mut after = None;
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

#[tokio::test(flavor = "multi_thread")]
async fn the_database_has_no_table_that_a_copy_does_not_know() {
    let known: Vec<String> = Table::ALL.iter().map(|table| format!("'{table}'")).collect();
    let tables = "FROM information_schema.tables WHERE table_schema = 'public' AND table_name NOT LIKE '\\_\\_%'";
    let url = database().await;
    holds(&url, &format!("SELECT count(*) = {} {tables}", known.len())).await;
    holds(&url, &format!("SELECT count(*) = 0 {tables} AND table_name NOT IN ({})", known.join(", "))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_is_dropped_leaves_nothing() {
    let url = database().await;
    let mut archive = begin(&url).await;
    for batch in everything() {
        archive.append(&batch).await.unwrap();
    }
    drop(archive);
    is_empty(&url).await;
    // Waits for the lock that the other one had, if it still has it.
    let mut again = begin(&url).await;
    assert!(again.read(Table::Users, None, 1).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_on_the_target_can_read_but_not_write_until_the_copy_has_ended() {
    let url = database().await;
    let (store, impatient) = (connect(&url, 2), connect_impatiently(&url, 1));
    let archive = begin(&url).await;
    let refused = impatient.port().register_user(&registration("ada", "ada@example.org", at(0))).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    assert_eq!(store.port().find_user(registration("bob", "bob@example.org", at(0)).user_id).await.unwrap(), None);
    drop(archive);
    account(&*store, "ada").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_somebody_uses_is_refused() {
    let url = database().await;
    account(&*connect(&url, 1), "ada").await;
    let archive = Box::new(begin(&url).await);
    let outcome = copy(&mut InMemoryArchive::holding(everything()), archive, &key_ids()).await;
    assert!(matches!(outcome, Err(CopyError::NotEmpty(Table::Users))), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_database_does_not_keep_as_it_was_is_found_and_rolled_back() {
    let url = database().await;
    let tampering = "CREATE FUNCTION tamper() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                     NEW.due_at = NEW.due_at + interval '1 millisecond'; RETURN NEW; END $$; \
                     CREATE TRIGGER tamper BEFORE INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION tamper()";
    execute(&url, tampering).await.unwrap();
    let archive = Box::new(begin(&url).await);
    let outcome = copy(&mut InMemoryArchive::holding(everything()), archive, &key_ids()).await;
    assert!(matches!(outcome, Err(CopyError::Differs { table: Table::Outbox, .. })), "{outcome:?}");
    is_empty(&url).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_postgresql_does_not_know_is_told_with_its_row() {
    let url = database().await;
    let mut records = everything();
    let Some(Batch::MailAttempts(attempts)) = records.iter_mut().find(|batch| batch.table() == Table::MailAttempts)
    else {
        panic!("there are attempts");
    };
    attempts.last_mut().unwrap().reply = "550 \0".to_owned();
    let archive = Box::new(begin(&url).await);
    let outcome = copy(&mut InMemoryArchive::holding(records), archive, &key_ids()).await;
    let Err(CopyError::Target(StoreError::Corrupt { table: "mail_attempts", id, .. })) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(id, "00000000-0000-0000-0000-000000000063 number 1");
    is_empty(&url).await;
}
