use auth_domain::{Audit, Duplicate, Event, EventKind, Outcome, Redeemed, Store, StoreError, UserChange, UserId};
use auth_testkit::{
    postgres::execute,
    samples::{
        account as sample_account, at, decoy_hash, email_addition, email_change, event, key_pair, right_guess, sign_in,
        vouched_email, wrong_guess,
    },
};

use crate::{Port, account, connect, database, delete_user, owner};

async fn events(store: &dyn Store, user: UserId) -> Vec<Event> {
    store.list_events(Some(user), None, 100).await.unwrap()
}

/// All that there is of a user.
async fn everything(store: &dyn Store, user: UserId) -> String {
    let account = store.find_account(user).await.unwrap();
    let sessions = store.list_sessions(user, at(0)).await.unwrap();
    let key_pairs = store.list_key_pairs(user, at(0)).await.unwrap();
    format!("{account:?} {sessions:?} {key_pairs:?} {:?}", events(store, user).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn events_outlive_the_user_who_did_them_and_whom_they_are_about() {
    let store = connect(&database().await, 2);
    let ada = account(&*store, "ada").await;
    let before = events(&*store, ada.user_id).await;
    assert_eq!(before.len(), 1, "{before:?}");
    assert_eq!((before[0].actor, before[0].subject), (Some(ada.user_id), Some(ada.user_id)));
    assert_eq!(delete_user(&*store, ada.user_id).await.unwrap(), Outcome::Done(()));
    let after = events(&*store, ada.user_id).await;
    assert_eq!(after[0].kind, EventKind::UserDeleted);
    assert_eq!(after[1..], before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fact_whose_event_cannot_be_written_does_not_happen() {
    let store = connect(&database().await, 2);
    let ada = account(&*store, "ada").await;
    let (user, session) = (ada.user_id, ada.sign_in.session.id);
    let seen = store.port().list_emails(user).await.unwrap();
    let added = email_addition(user, &seen, "second@example.org", at(1));
    assert_eq!(store.port().add_email(&added).await.unwrap(), Outcome::Done(()));
    let waiting = sign_in("ada@example.org", 2, at(1));
    assert_eq!(store.port().open_session(&waiting, &decoy_hash()).await.unwrap(), Outcome::Done(()));
    let pair = key_pair(owner(&ada), "ada@example.org", at(1));
    assert_eq!(store.port().create_key_pair(&pair).await.unwrap(), Outcome::Done(()));

    // The log has one of that id.
    let taken = Event { at: at(2), ..events(&*store, user).await.remove(0) };
    let seen = store.port().list_emails(user).await.unwrap();
    let mut addition = email_addition(user, &seen, "third@example.org", at(2));
    let mut change = email_change(user, &seen, added.email_id, at(2));
    let mut vouched = vouched_email(user, &seen, "fourth@example.org", at(2));
    let mut new = sample_account("grace", "grace@example.org", at(2));
    let mut new_pair = key_pair(owner(&ada), "ada@example.org", at(2));
    for told in [&mut addition.event, &mut change.event, &mut vouched.event, &mut new.events[2], &mut new_pair.event] {
        *told = taken.clone();
    }
    let mut guesses = [wrong_guess(&waiting.code, at(2)), right_guess(&waiting.code, at(2))];
    for guess in &mut guesses {
        guess.event_id = taken.id;
    }

    let before = everything(&*store, user).await;
    let given = sign_in("ada@example.org", 3, at(2)).session;
    for (fact, outcome) in [
        ("add", store.port().add_email(&addition).await.map(drop)),
        ("prefer", store.port().prefer_email(&change).await.map(drop)),
        ("remove", store.port().remove_email(&change).await.map(drop)),
        ("vouch", store.port().vouch_for_email(&vouched).await.map(drop)),
        ("verify an address", store.port().verify_email(added.email_id, &taken).await.map(drop)),
        ("open", store.port().open_live_session(user, &given, &taken).await.map(drop)),
        ("verify a session", store.port().verify_session(waiting.session.id, &taken).await.map(drop)),
        ("close", store.port().close_session(session, None, &taken).await.map(drop)),
        ("close all", store.port().close_sessions(user, None, &taken).await.map(drop)),
        ("create a key pair", store.port().create_key_pair(&new_pair).await.map(drop)),
        ("give a key pair", store.port().create_live_key_pair(&new_pair.key_pair, &taken).await.map(drop)),
        ("verify a key pair", store.port().verify_key_pair(pair.key_pair.id, &taken).await.map(drop)),
        ("delete a key pair", store.port().delete_key_pair(pair.key_pair.id, None, &taken).await.map(drop)),
        ("create", store.port().create_account(&new).await.map(drop)),
        ("change", store.port().change_user(user, &UserChange::Disable, &taken).await.map(drop)),
        ("delete", store.port().delete_user(user, &taken).await.map(drop)),
        ("guess wrong", store.port().redeem_code(&guesses[0]).await.map(drop)),
        ("guess right", store.port().redeem_code(&guesses[1]).await.map(drop)),
    ] {
        assert!(matches!(outcome, Err(StoreError::Duplicate(Duplicate::Id))), "{fact}: {outcome:?}");
    }
    assert_eq!(everything(&*store, user).await, before);
    assert!(store.port().find_account(new.user_id).await.unwrap().is_none());
    // Neither guess was counted.
    for _ in 0..4 {
        let wrong = store.port().redeem_code(&wrong_guess(&waiting.code, at(2))).await.unwrap();
        assert_eq!(wrong, Redeemed::Wrong { owner: Some(user) });
    }
    assert!(matches!(
        store.port().redeem_code(&right_guess(&waiting.code, at(2))).await.unwrap(),
        Redeemed::Yes { .. }
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fact_that_fails_when_all_of_it_is_written_leaves_no_event() {
    let url = database().await;
    let store = connect(&url, 2);
    let ada = account(&*store, "ada").await;
    let before = everything(&*store, ada.user_id).await;
    let failing = "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'the disk is full'; END $$; \
                   CREATE CONSTRAINT TRIGGER failing AFTER INSERT ON events DEFERRABLE INITIALLY DEFERRED \
                   FOR EACH ROW EXECUTE FUNCTION fail()";
    execute(&url, failing).await.unwrap();
    let new = sample_account("grace", "grace@example.org", at(2));
    assert!(matches!(store.port().create_account(&new).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(delete_user(&*store, ada.user_id).await, Err(StoreError::Unavailable(_))));
    assert_eq!(everything(&*store, ada.user_id).await, before);
    assert!(events(&*store, new.user_id).await.is_empty());

    execute(&url, "DROP TRIGGER failing ON events").await.unwrap();
    assert_eq!(store.port().create_account(&new).await.unwrap(), Outcome::Done(()));
    let told: Vec<_> = events(&*store, new.user_id).await.into_iter().rev().collect();
    assert_eq!(told, new.events);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_does_not_make_sense_is_corrupt_and_named() {
    let url = database().await;
    let store = connect(&url, 2);
    let ada = account(&*store, "ada").await;
    let told = events(&*store, ada.user_id).await.remove(0);
    execute(&url, "UPDATE events SET kind = 'user.fed'").await.unwrap();
    match store.list_events(None, None, 10).await {
        Err(StoreError::Corrupt { table: "events", id, .. }) => assert_eq!(id, told.id.to_string()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_comes_back_with_its_ip_of_either_family_or_none() {
    let store = connect(&database().await, 2);
    let ada = account(&*store, "ada").await;
    let mut expected = Vec::new();
    for (change, ip) in [
        (UserChange::Disable, Some("2001:db8::1".parse().unwrap())),
        (UserChange::Enable, Some("192.0.2.1".parse().unwrap())),
        (UserChange::Disable, None),
    ] {
        let changing = Event { ip, ..event(EventKind::UserDisabled, at(1)).about(ada.user_id) };
        assert_eq!(store.port().change_user(ada.user_id, &change, &changing).await.unwrap(), Outcome::Done(()));
        expected.insert(0, changing);
    }
    assert_eq!(store.list_events(Some(ada.user_id), None, 3).await.unwrap(), expected);
}
