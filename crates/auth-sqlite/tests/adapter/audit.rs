use std::{path::PathBuf, sync::Arc};

use auth_domain::{
    Duplicate, Event, EventKind, Membership, Outcome, Registration, RoleName, SessionOwner, Store, StoreError,
    UserChange,
};
use auth_testkit::samples::{
    account, at, decoy_hash, email_addition, email_change, event, key_pair, registration, right_guess, sign_in,
    vouched_email, wrong_guess,
};
use diesel::{
    QueryableByName, RunQueryDsl, SqliteConnection, connection::SimpleConnection, sql_query, sql_types::BigInt,
};
use tempfile::TempDir;

use crate::{connect, open_store};

/// A store with the account of ada, who has one verified address.
async fn open() -> (Arc<dyn Store>, Registration, PathBuf, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("auth.db");
    let store = open_store(&path);
    let ada = registration("ada", "ada@example.org", at(0));
    assert_eq!(store.register_user(&ada).await.unwrap(), Outcome::Done(()));
    let _redeemed = store.redeem_code(&right_guess(&ada.sign_in.code, at(0))).await.unwrap();
    (store, ada, path, folder)
}

/// Changes whenever somebody else has committed something.
fn commits(database: &mut SqliteConnection) -> i64 {
    #[derive(QueryableByName)]
    struct Version {
        #[diesel(sql_type = BigInt)]
        data_version: i64,
    }
    sql_query("PRAGMA data_version").get_result::<Version>(database).unwrap().data_version
}

/// Holds that each of these is unavailable.
macro_rules! fail {
    ($($fact:expr),+ $(,)?) => {
        $(
            let failed = $fact.await;
            assert!(matches!(failed, Err(StoreError::Unavailable(_))), "{}: {failed:?}", stringify!($fact));
        )+
    };
}

#[tokio::test]
async fn a_fact_that_cannot_be_told_does_not_happen() {
    let (store, ada, path, _folder) = open().await;
    let owner = SessionOwner { user_id: ada.user_id, email_id: ada.email_id };
    let (user, session) = (ada.user_id, ada.sign_in.session.id);
    let waiting = sign_in("ada@example.org", 2, at(1));
    let pair = key_pair(owner, "ada@example.org", at(1));
    let seen = store.list_emails(user).await.unwrap();
    let addition = email_addition(user, &seen, "second@example.org", at(1));
    assert!(store.open_session(&waiting, &decoy_hash()).await.is_ok());
    assert!(store.create_key_pair(&pair).await.is_ok());
    assert!(store.add_email(&addition).await.is_ok());
    let seen = store.list_emails(user).await.unwrap();

    let mut database = connect(&path);
    let untold = "CREATE TRIGGER untold BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'on purpose'); END";
    database.batch_execute(untold).unwrap();
    let before = commits(&mut database);
    let told = event(EventKind::UserDisabled, at(2)).about(user);
    let grant = UserChange::Grant(Membership::Role(RoleName::users_admin()));
    let another = account("grace", "grace@example.org", at(2));
    let live = sign_in("ada@example.org", 2, at(2)).session;
    fail!(
        store.redeem_code(&right_guess(&waiting.code, at(2))),
        store.redeem_code(&wrong_guess(&waiting.code, at(2))),
        store.redeem_code(&right_guess(&pair.code, at(2))),
        store.redeem_code(&right_guess(&addition.code, at(2))),
        store.create_account(&another),
        store.change_user(user, &UserChange::Disable, &told),
        store.change_user(user, &grant, &told),
        store.delete_user(user, &told),
        store.open_live_session(user, &live, &told),
        store.verify_session(waiting.session.id, &told),
        store.close_session(session, Some(user), &told),
        store.close_sessions(user, None, &told),
        store.create_key_pair(&key_pair(owner, "ada@example.org", at(2))),
        store.create_live_key_pair(&key_pair(owner, "ada@example.org", at(2)).key_pair, &told),
        store.verify_key_pair(pair.key_pair.id, &told),
        store.delete_key_pair(pair.key_pair.id, None, &told),
        store.add_email(&email_addition(user, &seen, "third@example.org", at(2))),
        store.prefer_email(&email_change(user, &seen, addition.email_id, at(2))),
        store.remove_email(&email_change(user, &seen, addition.email_id, at(2))),
        store.vouch_for_email(&vouched_email(user, &seen, "third@example.org", at(2))),
        store.verify_email(addition.email_id, &told),
    );
    assert_eq!(commits(&mut database), before, "nothing of it was stored");

    database.batch_execute("DROP TRIGGER untold").unwrap();
    assert_eq!(store.close_session(session, Some(user), &told).await.unwrap(), Some(user));
}

#[tokio::test]
async fn what_did_not_happen_is_not_told() {
    let (store, ada, path, _folder) = open().await;
    let mut database = connect(&path);
    let before = commits(&mut database);

    let told = store.list_events(None, None, 10).await.unwrap();
    let [registered] = told.as_slice() else { panic!("{told:?}") };
    let again = Event { id: registered.id, ..event(EventKind::SessionClosed, at(1)) };
    let closed = store.close_session(ada.sign_in.session.id, None, &again).await;
    assert!(matches!(closed, Err(StoreError::Duplicate(Duplicate::Id))), "{closed:?}");

    let mut taken = account("grace", "grace@example.org", at(1));
    taken.mail.as_mut().unwrap().id = ada.sign_in.mail.id;
    let created = store.create_account(&taken).await;
    assert!(matches!(created, Err(StoreError::Duplicate(Duplicate::Id))), "{created:?}");

    database
        .batch_execute("CREATE TRIGGER kept BEFORE DELETE ON users BEGIN SELECT RAISE(ABORT, 'on purpose'); END")
        .unwrap();
    fail!(store.delete_user(ada.user_id, &event(EventKind::UserDeleted, at(1))));

    assert_eq!(commits(&mut database), before, "nothing of it was stored");
    assert_eq!(store.list_events(None, None, 10).await.unwrap(), told);
}

#[tokio::test]
async fn an_event_that_does_not_parse_is_corrupt_and_not_left_out() {
    for damaging in ["kind = 'user.fed'", "outcome = 'perhaps'", "ip = 'nowhere'", "subject_id = x'00'", "id = x'00'"] {
        let (store, _ada, path, _folder) = open().await;
        assert_eq!(
            store.create_account(&account("grace", "grace@example.org", at(1))).await.unwrap(),
            Outcome::Done(())
        );
        let mut database = connect(&path);
        database.batch_execute("PRAGMA ignore_check_constraints = ON").unwrap();
        database.batch_execute(&format!("UPDATE events SET {damaging} WHERE kind = 'user.created'")).unwrap();
        let listed = store.list_events(None, None, 10).await;
        assert!(matches!(listed, Err(StoreError::Corrupt { table: "events", .. })), "{damaging}: {listed:?}");
    }
}
