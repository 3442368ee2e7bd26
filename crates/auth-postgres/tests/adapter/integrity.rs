use auth_domain::{Lockouts, Outbox, Outcome, Purge, Sessions, StoreError, Upkeep};
use auth_testkit::{
    postgres::execute,
    samples::{at, decoy_hash, email_addition, registration, right_guess, sign_in},
};

use crate::{Port, account, connect, database};

#[tokio::test(flavor = "multi_thread")]
async fn the_database_itself_refuses_what_must_not_be() {
    let url = database().await;
    let store = connect(&url, 2);
    let (ada, bob) = (account(&*store, "ada").await, account(&*store, "bob").await);
    let (ada, bob) = (ada.user_id, bob.user_id);
    let mail = "INSERT INTO outbox (id, class, key_id, sealed, created_at, due_at";
    // Whoever has proved it, or is vouched for: an address has one owner at most.
    let vouched = "UPDATE emails SET vouched = true, verified = false";
    execute(&url, vouched).await.unwrap();
    let claim = format!(
        "INSERT INTO emails (id, user_id, address, address_key, created_at, preferred, verified, vouched) \
         VALUES (gen_random_uuid(), '{bob}', 'ada@example.org', 'ada@example.org', now(), false"
    );
    execute(&url, &format!("{claim}, false, false)")).await.unwrap();
    for refused in [
        format!("UPDATE users SET alias_key = 'bob' WHERE id = '{ada}'"),
        format!("UPDATE users SET registration = 'pending' WHERE id = '{ada}'"),
        format!("UPDATE users SET roles = ARRAY['user', NULL] WHERE id = '{ada}'"),
        "UPDATE emails SET address_key = 'ada@example.org'".to_owned(),
        format!("UPDATE emails SET user_id = '{bob}' WHERE user_id = '{ada}'"),
        format!("{claim}, true, false)"),
        format!("{claim}, false, true)"),
        "UPDATE sessions SET digest = 'short'".to_owned(),
        "UPDATE sessions SET user_id = NULL".to_owned(),
        "UPDATE sessions SET ip = 'nowhere'".to_owned(),
        "UPDATE codes SET session_id = NULL".to_owned(),
        "UPDATE codes SET purpose = 'key-pair'".to_owned(),
        "UPDATE codes SET wrong_guesses = -1".to_owned(),
        "UPDATE outbox SET sealed = NULL".to_owned(),
        "UPDATE outbox SET settled_at = now()".to_owned(),
        format!("{mail}) VALUES (gen_random_uuid(), 'letter', '0', '', now(), now())"),
        "UPDATE events SET outcome = 'unknown'".to_owned(),
        "UPDATE known_networks SET email_id = gen_random_uuid()".to_owned(),
        "INSERT INTO failures VALUES ('ada@example.org', '', now(), -1, 1, now())".to_owned(),
        "INSERT INTO failures VALUES ('ada@example.org', '', now(), 1, -1, now())".to_owned(),
        "INSERT INTO throttles VALUES ('letters', '', '192.0.2.0', now())".to_owned(),
        "INSERT INTO sessions SELECT gen_random_uuid(), user_id, digest, key_id, kind FROM sessions".to_owned(),
    ] {
        assert!(execute(&url, &refused).await.is_err(), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_does_not_make_sense_is_corrupt_and_named() {
    let url = database().await;
    let store = connect(&url, 2);
    let ada = account(&*store, "ada").await;
    for (damage, table, id) in [
        ("UPDATE users SET alias = 'not an alias'", "users", ada.user_id.to_string()),
        (
            "UPDATE users SET alias = 'ada'; UPDATE sessions SET kind = 'NO KIND'",
            "sessions",
            ada.sign_in.session.id.to_string(),
        ),
    ] {
        execute(&url, damage).await.unwrap();
        match store.find_session(&ada.sign_in.session.digest).await {
            Err(StoreError::Corrupt { table: found, id: row, .. }) => assert_eq!((found, row), (table, id)),
            other => panic!("{damage}: {other:?}"),
        }
    }
    execute(&url, "UPDATE emails SET address = 'nobody'").await.unwrap();
    let corrupt = store.port().find_address(&ada.address_key(), at(0)).await;
    assert!(matches!(corrupt, Err(StoreError::Corrupt { table: "emails", .. })), "{corrupt:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_does_not_say_what_it_opens_is_corrupt_and_named() {
    let url = database().await;
    let store = connect(&url, 2);
    let ada = account(&*store, "ada").await;
    let addition =
        email_addition(ada.user_id, &store.port().list_emails(ada.user_id).await.unwrap(), "ada@example.net", at(1));
    assert_eq!(store.port().add_email(&addition).await.unwrap(), Outcome::Done(()));
    execute(&url, "UPDATE codes SET email_id = NULL WHERE purpose = 'email'").await.unwrap();
    match store.port().redeem_code(&right_guess(&addition.code, at(2))).await {
        Err(StoreError::Corrupt { table, id, .. }) => assert_eq!((table, id), ("codes", addition.code.id.to_string())),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_mail_does_not_hold_up_the_others() {
    let url = database().await;
    let store = connect(&url, 2);
    account(&*store, "ada").await;
    execute(&url, "UPDATE outbox SET key_id = 'no key'").await.unwrap();
    let sound = sign_in("ada@example.org", 2, at(1));
    assert_eq!(store.port().open_session(&sound, &decoy_hash()).await.unwrap(), Outcome::Done(()));
    let claimed = store.claim_mails(at(2), at(30), 10).await.unwrap();
    assert_eq!(claimed.iter().map(|mail| mail.id).collect::<Vec<_>>(), [sound.mail.id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_address_holds_up_no_mail_that_has_a_recipient_of_its_own() {
    let url = database().await;
    let store = connect(&url, 2);
    let ada = registration("ada", "ada@example.org", at(0));
    assert_eq!(store.port().register_user(&ada).await.unwrap(), Outcome::Done(()));
    execute(&url, "UPDATE emails SET address = 'no address'").await.unwrap();
    let claimed = store.claim_mails(at(1), at(30), 10).await.unwrap().remove(0);
    assert_eq!((claimed.id, claimed.on_record), (ada.sign_in.mail.id, None));
}

/// Wrong guesses at five addresses that nobody owns, one at each, in the order of the addresses.
async fn guessed_wrong(url: &str) {
    let guessed = "INSERT INTO failures (address_key, network, day_began_at, of_day, in_a_row, last_at) \
                   SELECT '0' || n || '@example.org', '', first + n * interval '1 second', 1, 1, first \
                   FROM generate_series(0, 4) AS n, to_timestamp(1795478400) AS first";
    execute(url, guessed).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_lockouts_do_not_hold_up_the_others_however_many_they_are() {
    let url = database().await;
    let store = connect(&url, 2);
    guessed_wrong(&url).await;
    let ada = registration("ada", "03@example.org", at(0));
    assert_eq!(store.port().register_user(&ada).await.unwrap(), Outcome::Done(()));
    let damage = "UPDATE failures SET network = 'nowhere' WHERE address_key < '03'; \
                  UPDATE emails SET verified = true, address = 'no address'";
    execute(&url, damage).await.unwrap();
    for limit in [1, 2, 3, 4, 10] {
        let listed = store.list_untold_lockouts(1, limit).await.unwrap();
        let listed: Vec<_> = listed.iter().map(|lockout| lockout.address.as_str()).collect();
        assert_eq!(listed, ["04@example.org"], "{limit}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_wrong_guesses_do_not_hold_up_the_purge() {
    const YEAR: u64 = 366 * 24 * 60 * 60;
    let url = database().await;
    let store = connect(&url, 2);
    guessed_wrong(&url).await;
    let ada = registration("ada", "ada@example.org", at(0));
    assert_eq!(store.port().register_user(&ada).await.unwrap(), Outcome::Done(()));
    let damage = "UPDATE failures SET network = 'nowhere'; \
                  ALTER TABLE failures DROP CONSTRAINT failures_of_day_check, DROP CONSTRAINT failures_in_a_row_check; \
                  UPDATE failures SET of_day = -1 WHERE address_key < '02'; \
                  UPDATE failures SET in_a_row = -1 WHERE address_key LIKE '04%'";
    execute(&url, damage).await.unwrap();
    let everything = Purge { now: at(YEAR), events_until: at(YEAR), networks_until: at(YEAR), limit: 1 };
    while store.purge(&everything).await.unwrap() > 0 {}
    let left = "DO $$ BEGIN ASSERT (SELECT count(*) FROM failures) = 1; \
                ASSERT NOT EXISTS (SELECT FROM users) AND NOT EXISTS (SELECT FROM sessions) AND NOT EXISTS (SELECT FROM codes); \
                END $$";
    execute(&url, left).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_mail_server_said_is_kept_for_each_attempt() {
    let url = database().await;
    let store = connect(&url, 2);
    account(&*store, "ada").await;
    let first = store.claim_mails(at(0), at(30), 10).await.unwrap().remove(0);
    let later = auth_domain::Settlement::Deferred(at(5));
    assert_eq!(store.settle_mail(first.id, 1, later, "451 later\0", at(1)).await.unwrap(), Outcome::Done(()));
    let second = store.claim_mails(at(5), at(35), 10).await.unwrap().remove(0);
    let delivered = auth_domain::Settlement::Delivered;
    assert_eq!(store.settle_mail(second.id, 2, delivered, "250 ok", at(6)).await.unwrap(), Outcome::Done(()));
    let kept = "DO $$ BEGIN ASSERT (SELECT array_agg(outcome || ' ' || reply ORDER BY attempt) FROM mail_attempts) \
                = ARRAY['deferred 451 later ', 'delivered 250 ok']; END $$";
    execute(&url, kept).await.unwrap();
}
