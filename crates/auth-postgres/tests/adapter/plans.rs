//! Plans outlive the state of the tables that they were made for.

use auth_domain::{Outbox, Outcome, PendingSignIn, Settlement, Upkeep};
use auth_testkit::{
    postgres::execute,
    samples::{address, at, decoy_hash, restraint, sign_in},
    waiting::Patience,
};
use tokio_postgres::{Client, NoTls};

use crate::{Port, account, connect, database, limits::limits};

/// How many of each there are by the time at which it matters.
const ROWS: i64 = 50_000;
/// How often the service is asked then.
const ASKED: u64 = 20;

/// Many accounts, and many who wait for their codes, which end before those that are asked for.
const FILL: &str = "
    INSERT INTO users SELECT gen_random_uuid(), n, n, n, true, true, NULL, '{}', '{}', to_timestamp(1795478400)
    FROM generate_series(1, 50000) AS n;
    INSERT INTO emails SELECT gen_random_uuid(), id, alias || '@example.com', alias || '@example.com', true, false, true, created_at
    FROM users WHERE full_name = alias;
    INSERT INTO sessions (id, digest, key_id, kind, created_at, expires_at, ip, user_agent)
    SELECT gen_random_uuid(), sha256(n::text::bytea), '0badcafe', 'standard', beginning, beginning + interval '10 minutes',
        '192.0.2.1', ''
    FROM generate_series(1, 50000) AS n, to_timestamp(1795478400) AS beginning;
    INSERT INTO codes (id, purpose, session_id, address_key, network, hash, key_id, created_at, expires_at)
    SELECT gen_random_uuid(), 'sign-in', id, id || '@example.org', '192.0.2.0/24', digest, '0badcafe', created_at, expires_at
    FROM sessions;
    INSERT INTO outbox (id, class, code_id, key_id, sealed, created_at, due_at)
    SELECT gen_random_uuid(), 'code', id, '0badcafe', hash || hash, created_at, created_at FROM codes;
    INSERT INTO known_networks (email_id, network, last_signed_in_at)
    SELECT id, '192.0.2.0', created_at FROM emails;
    INSERT INTO throttles (kind, address_key, network, full_at)
    SELECT 'requests', '', n, to_timestamp(1795478400) FROM generate_series(1, 50000) AS n;
    INSERT INTO failures (address_key, network, day_began_at, of_day, in_a_row, last_at)
    SELECT n, '', beginning, 1, 1, beginning FROM generate_series(1, 50000) AS n, to_timestamp(1795478400) AS beginning";

#[tokio::test(flavor = "multi_thread")]
async fn what_was_planned_for_empty_tables_reads_no_full_ones_through() {
    let url = database().await;
    execute(&url, "VACUUM ANALYZE").await.unwrap();
    // One connection for facts, which is there before there are rows.
    let store = connect(&url, 1);
    store.claim_mails(at(1), at(30), 2).await.unwrap();
    account(&*store, "ada").await;
    let ask = async |round: u64| {
        assert!(store.port().find_address(&address("ada@example.org").key(), at(1)).await.unwrap().is_some());
        for to in ["ada@example.org", "nobody@example.org"] {
            let network = u8::try_from(round).unwrap();
            for restraint in [None, Some(restraint(limits(), network, at(1)))] {
                let pending = PendingSignIn { restraint, ..sign_in(to, network, at(1)) };
                assert_eq!(store.port().open_session(&pending, &decoy_hash()).await.unwrap(), Outcome::Done(()));
            }
        }
        store.claim_mails(at(1), at(30), 2).await.unwrap();
    };
    for round in 0..ASKED {
        ask(round).await;
    }
    let client = counting(&url).await;
    let before = connected(&client).await;
    execute(&url, FILL).await.unwrap();
    // As the server does by itself, within a minute.
    execute(&url, "ANALYZE").await.unwrap();
    count_anew(&client, &before).await;
    for round in 0..ASKED {
        ask(round).await;
    }
    drop(store);
    let each = rows_read(&client).await / i64::try_from(ASKED).unwrap();
    assert!(each < ROWS / 10, "{each} rows are read for a look-up, four sign-ins and a claim");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_used_often_plans_for_what_tables_hold_before_anybody_has_counted_it() {
    let url = database().await;
    // Nobody else ever makes plans anew.
    for table in ["users", "emails", "sessions", "codes", "outbox", "known_networks", "throttles", "failures", "events"]
    {
        execute(&url, &format!("ALTER TABLE {table} SET (autovacuum_enabled = false)")).await.unwrap();
    }
    execute(&url, "VACUUM ANALYZE").await.unwrap();
    let store = connect(&url, 1);
    account(&*store, "ada").await;
    let ask = async || {
        let asked = sign_in("ada@example.org", 1, at(1));
        assert_eq!(store.port().open_session(&asked, &decoy_hash()).await.unwrap(), Outcome::Done(()));
    };
    ask().await;
    let client = counting(&url).await;
    execute(&url, FILL).await.unwrap();
    for _ in 0..256 {
        store.check_ready().await.unwrap();
    }
    let before = connected(&client).await;
    count_anew(&client, &before).await;
    for _ in 0..ASKED {
        ask().await;
    }
    drop(store);
    let each = rows_read(&client).await / i64::try_from(ASKED).unwrap();
    assert!(each < ROWS / 10, "{each} rows are read for a sign-in");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_planned_while_nothing_was_owed_reads_not_all_that_is_owed_to_settle_a_mail() {
    let url = database().await;
    execute(&url, FILL).await.unwrap();
    execute(&url, "UPDATE outbox SET settled_at = created_at, outcome = 'delivered', sealed = NULL").await.unwrap();
    execute(&url, "VACUUM ANALYZE").await.unwrap();
    let store = connect(&url, 1);
    let settle_some = async || {
        let claimed = store.claim_mails(at(1), at(30), u32::try_from(ASKED).unwrap()).await.unwrap();
        for mail in &claimed {
            let settled = store.settle_mail(mail.id, mail.attempt, Settlement::Delivered, "250", at(2)).await.unwrap();
            assert_eq!(settled, Outcome::Done(()));
        }
        claimed.len()
    };
    let first = sign_in("nobody@example.org", 1, at(1));
    assert_eq!(store.port().open_session(&first, &decoy_hash()).await.unwrap(), Outcome::Done(()));
    assert_eq!(settle_some().await, 1);
    let client = counting(&url).await;
    let before = connected(&client).await;
    execute(&url, "UPDATE outbox SET settled_at = NULL, outcome = NULL, sealed = 'x'").await.unwrap();
    // As the server does by itself, within a minute.
    execute(&url, "ANALYZE").await.unwrap();
    count_anew(&client, &before).await;
    assert_eq!(u64::try_from(settle_some().await).unwrap(), ASKED);
    drop(store);
    let each = rows_read(&client).await / i64::try_from(ASKED).unwrap();
    assert!(each < ROWS / 10, "{each} rows are read to settle a mail");
}

/// A connection that asks how much was read.
async fn counting(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Who is connected to the database, by their processes.
async fn connected(client: &Client) -> Vec<i32> {
    let pids = "SELECT pid FROM pg_stat_activity WHERE datname = current_database()";
    client.query(pids, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

/// Counts from here on, once everybody has left who was not connected `before`: they tell what they have read when they leave.
async fn count_anew(client: &Client, before: &[i32]) {
    let patience = Patience::with("the leaving of whoever filled the tables");
    while connected(client).await.iter().any(|pid| !before.contains(pid)) {
        patience.moment().await;
    }
    client.execute("SELECT pg_stat_reset()", &[]).await.unwrap();
}

/// How many rows were read, through tables and indexes, by those who are leaving.
async fn rows_read(client: &Client) -> i64 {
    // Whoever leaves tells what was not counted yet.
    let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let patience = Patience::with("the others' leaving");
    while client.query_one(others, &[]).await.unwrap().get::<_, i64>(0) > 0 {
        patience.moment().await;
    }
    let read = "SELECT (SELECT sum(seq_tup_read) FROM pg_stat_user_tables)::bigint \
                     + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes)::bigint";
    let read = client.query_one(read, &[]).await.unwrap().get(0);
    assert!(read > 0, "the server does not count");
    read
}
