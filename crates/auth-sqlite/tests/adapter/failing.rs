use std::{pin::pin, sync::Arc, task::Poll};

use auth_domain::{Duplicate, EventKind, Limits, Outcome, Purge, Redeemed, Store, StoreError};
use auth_testkit::samples::{at, decoy_hash, event, limited, registration, right_guess, sign_in, wrong_guess};
use diesel::{QueryableByName, RunQueryDsl, connection::SimpleConnection, sql_query, sql_types::BigInt};
use tempfile::TempDir;

use crate::{connect, open_impatiently, open_store};

fn open() -> (Arc<dyn Store>, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (open_store(&folder.path().join("auth.db")), folder)
}

fn damage(folder: &TempDir, statement: &str) {
    let mut connection = connect(&folder.path().join("auth.db"));
    connection.batch_execute("PRAGMA ignore_check_constraints = ON").unwrap();
    connection.batch_execute(statement).unwrap();
}

#[tokio::test]
async fn a_row_that_does_not_parse_is_corrupt_and_not_absent() {
    for (table, damaging) in [
        ("users", "UPDATE users SET roles = '[\"user'"),
        ("users", "UPDATE users SET alias = 'no alias'"),
        ("users", "UPDATE users SET full_name = ''"),
        ("users", "UPDATE users SET registration = 'perhaps'"),
        ("sessions", "UPDATE sessions SET ip = 'nowhere'"),
        ("sessions", "UPDATE sessions SET kind = 'Kind!'"),
        ("sessions", "UPDATE sessions SET id = x'00'"),
    ] {
        let (store, folder) = open();
        let ada = registration("ada", "ada@example.org", at(0));
        assert_eq!(store.register_user(&ada).await.unwrap(), Outcome::Done(()));
        damage(&folder, &format!("PRAGMA foreign_keys = OFF; {damaging}"));
        let found = store.find_session(&ada.sign_in.session.digest).await;
        let Err(StoreError::Corrupt { table: told, .. }) = found else { panic!("{damaging}: {found:?}") };
        assert_eq!(told, table, "{damaging}");
    }
}

#[tokio::test]
async fn a_damaged_code_is_corrupt_and_stays_unused() {
    for damaging in ["hash = x'00'", "purpose = 'fun'", "wrong_guesses = -1"] {
        let (store, folder) = open();
        let ada = registration("ada", "ada@example.org", at(0));
        assert_eq!(store.register_user(&ada).await.unwrap(), Outcome::Done(()));
        damage(&folder, &format!("UPDATE codes SET {damaging}"));
        let redeemed = store.redeem_code(&right_guess(&ada.sign_in.code, at(1))).await;
        assert!(matches!(redeemed, Err(StoreError::Corrupt { table: "codes", .. })), "{damaging}: {redeemed:?}");
        let found = store.find_session(&ada.sign_in.session.digest).await.unwrap().unwrap();
        assert!(!found.session.is_verified());
    }
}

#[tokio::test]
async fn a_damaged_file_is_unavailable() {
    let (store, folder) = open();
    let ada = registration("ada", "ada@example.org", at(0));
    assert_eq!(store.register_user(&ada).await.unwrap(), Outcome::Done(()));
    // With another version, every connection reads the schema anew.
    damage(
        &folder,
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage = 9999 WHERE name = 'sessions'; \
         PRAGMA schema_version = 9999",
    );
    let found = store.find_session(&ada.sign_in.session.digest).await;
    assert!(matches!(found, Err(StoreError::Unavailable(_))), "{found:?}");
}

#[tokio::test]
async fn what_is_unique_is_told_by_its_kind_and_nothing_is_stored() {
    let (store, _folder) = open();
    let ada = registration("ada", "ada@example.org", at(0));
    assert_eq!(store.register_user(&ada).await.unwrap(), Outcome::Done(()));

    let mut same_id = registration("bob", "bob@example.org", at(0));
    same_id.sign_in.code.id = ada.sign_in.code.id;
    let mut same_digest = registration("bob", "bob@example.org", at(0));
    same_digest.sign_in.session.digest = ada.sign_in.session.digest;
    for (registration, expected) in [(&same_id, Duplicate::Id), (&same_digest, Duplicate::Credential)] {
        let stored = store.register_user(registration).await;
        assert!(matches!(stored, Err(StoreError::Duplicate(which)) if which == expected), "{stored:?}");
        assert!(store.find_address(&registration.address_key(), at(1)).await.unwrap().is_none());
    }
    let bob = registration("bob", "bob@example.org", at(0));
    assert_eq!(store.register_user(&bob).await.unwrap(), Outcome::Done(()), "its alias is free");
}

#[tokio::test]
async fn a_write_that_is_dropped_half_way_is_done_or_was_not_begun() {
    let (store, _folder) = open();
    let nobody = registration("nobody", "nobody@example.org", at(0)).user_id;
    for n in 0..20 {
        let someone = registration(&format!("user{n}"), &format!("user{n}@example.org"), at(0));
        {
            let mut write = pin!(store.register_user(&someone));
            // Once, so that it stands in the queue; then it is dropped.
            std::future::poll_fn(|context| {
                let _pending = write.as_mut().poll(context);
                Poll::Ready(())
            })
            .await;
        }
        // Writes are carried out in order: once this one is answered, the dropped one is settled, either way.
        let barrier = store.delete_user(nobody, &event(EventKind::UserDeleted, at(1))).await;
        assert_eq!(barrier.unwrap(), Outcome::NotFound);

        let stored = store.find_address(&someone.address_key(), at(1)).await.unwrap().is_some();
        assert_eq!(store.find_session(&someone.sign_in.session.digest).await.unwrap().is_some(), stored);
        let mails = store.claim_mails(at(1), at(31), 10).await.unwrap();
        assert_eq!(mails.iter().any(|mail| mail.id == someone.sign_in.mail.id), stored);
        let redeemed = store.redeem_code(&right_guess(&someone.sign_in.code, at(2))).await.unwrap();
        assert_eq!(matches!(redeemed, Redeemed::Yes { .. }), stored);
    }
}

#[tokio::test]
async fn a_damaged_mail_does_not_hold_up_the_others() {
    for damaging in ["key_id = 'no key'", "attempts = -5", "attempts = 9223372036854775807", "sealed = NULL"] {
        let (store, folder) = open();
        let (ada, bob) = (registration("ada", "ada@example.org", at(0)), registration("bob", "bob@example.org", at(1)));
        for registration in [&ada, &bob] {
            assert_eq!(store.register_user(registration).await.unwrap(), Outcome::Done(()));
        }
        let first = "created_at = (SELECT min(created_at) FROM outbox)";
        damage(&folder, &format!("UPDATE outbox SET {damaging} WHERE {first}"));
        let claimed = store.claim_mails(at(2), at(32), 10).await.unwrap();
        let claimed: Vec<_> = claimed.iter().map(|mail| mail.id).collect();
        assert_eq!(claimed, [bob.sign_in.mail.id], "{damaging}");
        let again = store.claim_mails(at(31), at(61), 10).await.unwrap();
        assert!(again.is_empty(), "{damaging}: it is not looked at all the time");
    }
}

/// Wrong guesses at addresses that nobody owns, so many in a row at each: `count` of them, the last one at second 1.
async fn guessed_wrong_at(store: &dyn Store, count: u8, in_a_row: u32) {
    for n in 0..count {
        let nobody = sign_in(&format!("{n:02}@example.org"), n, at(1));
        assert_eq!(store.open_session(&nobody, &decoy_hash()).await.unwrap(), Outcome::Done(()));
        for _ in 0..in_a_row {
            let guess = limited(wrong_guess(&nobody.code, at(1)), Limits::default(), n);
            assert!(matches!(store.redeem_code(&guess).await.unwrap(), Redeemed::Wrong { .. }));
        }
    }
}

#[tokio::test]
async fn damaged_lockouts_do_not_hold_up_the_others_however_many_they_are() {
    let (store, folder) = open();
    guessed_wrong_at(&*store, 5, 1).await;
    let ada = registration("ada", "03@example.org", at(0));
    assert_eq!(store.register_user(&ada).await.unwrap(), Outcome::Done(()));
    damage(
        &folder,
        "UPDATE failures SET network = 'nowhere' WHERE address_key < '03'; \
         UPDATE emails SET verified = 1, address = 'no address' WHERE address_key LIKE '03%'",
    );
    for limit in [1, 2, 3, 4, 10] {
        let listed = store.list_untold_lockouts(1, limit).await.unwrap();
        let listed: Vec<_> = listed.iter().map(|lockout| lockout.address.as_str()).collect();
        assert_eq!(listed, ["04@example.org"], "{limit}");
    }
}

#[tokio::test]
async fn damaged_wrong_guesses_do_not_hold_up_the_purge() {
    const YEAR: u64 = 366 * 24 * 60 * 60;
    let (store, folder) = open();
    guessed_wrong_at(&*store, 5, 1).await;
    let ada = registration("ada", "ada@example.org", at(0));
    assert_eq!(store.register_user(&ada).await.unwrap(), Outcome::Done(()));
    // Both of what was forgiven and of what was not, those come first that are damaged.
    damage(
        &folder,
        "UPDATE failures SET in_a_row = 0 WHERE address_key < '03'; \
         UPDATE failures SET of_day = -1, day_began_at = day_began_at - 1, last_at = last_at - 1 \
         WHERE address_key < '02' OR address_key LIKE '03%'",
    );
    let everything = Purge { now: at(YEAR), events_until: at(YEAR), networks_until: at(YEAR), limit: 1 };
    while store.purge(&everything).await.unwrap() > 0 {}
    assert_eq!(count(&folder, "failures"), 3, "the damaged ones stay");
    for table in ["users", "sessions", "codes", "throttles"] {
        assert_eq!(count(&folder, table), 0, "{table}");
    }
}

fn count(folder: &TempDir, table: &str) -> i64 {
    #[derive(QueryableByName)]
    struct Count {
        #[diesel(sql_type = BigInt)]
        n: i64,
    }
    let mut connection = connect(&folder.path().join("auth.db"));
    sql_query(format!("SELECT count(*) AS n FROM {table}")).get_result::<Count>(&mut connection).unwrap().n
}

#[tokio::test]
async fn a_damaged_address_holds_up_no_mail_that_has_a_recipient_of_its_own() {
    let (store, folder) = open();
    let ada = registration("ada", "ada@example.org", at(0));
    assert_eq!(store.register_user(&ada).await.unwrap(), Outcome::Done(()));
    damage(&folder, "UPDATE emails SET address = 'no address'");
    let claimed = store.claim_mails(at(1), at(30), 10).await.unwrap().remove(0);
    assert_eq!((claimed.id, claimed.on_record), (ada.sign_in.mail.id, None));
}

#[tokio::test]
async fn while_another_process_writes_reads_go_on_and_a_write_gives_up_in_time() {
    let (store, folder) = open();
    let ada = registration("ada", "ada@example.org", at(0));
    assert_eq!(store.register_user(&ada).await.unwrap(), Outcome::Done(()));

    let file = folder.path().join("auth.db");
    let (impatient, mut other) = (open_impatiently(&file), connect(&file));
    other.batch_execute("BEGIN IMMEDIATE; UPDATE users SET full_name = 'Nobody'").unwrap();
    let bob = registration("bob", "bob@example.org", at(0));
    // The other one ends only after both have been answered.
    let (stored, found) = tokio::join!(impatient.register_user(&bob), store.find_user(ada.user_id));
    assert!(matches!(stored, Err(StoreError::Unavailable(_))), "{stored:?}");
    assert!(found.is_ok());
    let ada_now = store.find_session(&ada.sign_in.session.digest).await.unwrap().unwrap();
    assert_eq!(ada_now.user.full_name, ada.full_name, "what is not committed is not seen");

    other.batch_execute("ROLLBACK").unwrap();
    assert_eq!(store.register_user(&bob).await.unwrap(), Outcome::Done(()));
}
