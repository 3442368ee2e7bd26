use auth_domain::{
    Account, Conflict, EventKind, Membership, Outcome, RoleName, Store, UserChange, UserId, rules::is_administrator,
};
use auth_sqlite::SqliteStore;
use auth_testkit::samples::{account, at, event};
use diesel::{
    Connection, RunQueryDsl,
    result::{DatabaseErrorKind, Error},
    sql_query,
    sql_types::{Binary, Bool},
};

use crate::{connect, open_store};

async fn administrator(store: &dyn Store, alias: &str) -> UserId {
    let mut new = account(alias, &format!("{alias}@example.org"), at(0));
    new.roles.push(RoleName::users_admin().to_string());
    assert_eq!(store.create_account(&new).await.unwrap(), Outcome::Done(()));
    new.user_id
}

/// What comes of taking an administrator away in one of four ways.
async fn removes(store: &dyn Store, user: UserId, way: usize) -> Outcome {
    let event = event(EventKind::UserDisabled, at(1)).about(user);
    let change = match way {
        0 => UserChange::Disable,
        1 => UserChange::Unverify,
        2 => UserChange::Revoke(Membership::Role(RoleName::users_admin())),
        _ => return store.delete_user(user, &event).await.unwrap(),
    };
    store.change_user(user, &change, &event).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_who_remove_each_other_at_once_from_two_processes_one_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("auth.db");
    let (here, there) = (open_store(&path), open_store(&path));
    let mut left = administrator(&*here, "admin").await;
    for round in 0..48 {
        let other = administrator(&*there, &format!("admin{round}")).await;
        let (one, the_other) = (removes(&*here, other, round % 4), removes(&*there, left, round / 4 % 4));
        let (gone, kept) = match tokio::join!(one, the_other) {
            (Outcome::Done(()), Outcome::Conflict(Conflict::LastAdministrator)) => (other, left),
            (Outcome::Conflict(Conflict::LastAdministrator), Outcome::Done(())) => (left, other),
            both => panic!("round {round}: {both:?}"),
        };
        let administers = |account: Option<Account>| account.is_some_and(|account| is_administrator(&account.user));
        assert!(administers(here.find_account(kept).await.unwrap()), "round {round}");
        assert!(!administers(there.find_account(gone).await.unwrap()), "round {round}");
        left = kept;
    }
}

#[test]
fn the_database_itself_refuses_an_address_a_second_owner() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("auth.db");
    SqliteStore::migrate(&path).unwrap();
    let mut database = connect(&path);
    for n in [1, 2] {
        let user = "INSERT INTO users VALUES (?, hex(?1), hex(?1), 'Sample', 0, 1, NULL, '[]', '[]', 0)";
        sql_query(user).bind::<Binary, _>(vec![n; 16]).execute(&mut database).unwrap();
    }
    let unowned = (false, false);
    let owned = [(true, false), (false, true), (true, true)];
    for first in owned.into_iter().chain([unowned]) {
        for second in owned.into_iter().chain([unowned]) {
            database.test_transaction(|database| {
                let mut insert = |n: u8, (verified, vouched): (bool, bool)| {
                    let email = "INSERT INTO emails (id, user_id, address, address_key, verified, vouched, preferred, created_at) \
                                 VALUES (?1, ?1, 'a@example.org', 'a@example.org', ?2, ?3, 0, 0)";
                    sql_query(email)
                        .bind::<Binary, _>(vec![n; 16])
                        .bind::<Bool, _>(verified)
                        .bind::<Bool, _>(vouched)
                        .execute(database)
                };
                assert_eq!(insert(1, first), Ok(1));
                match insert(2, second) {
                    Ok(_) => assert!(first == unowned || second == unowned, "{first:?} {second:?}"),
                    Err(Error::DatabaseError(DatabaseErrorKind::UniqueViolation, information)) => {
                        assert!(first != unowned && second != unowned, "{first:?} {second:?}");
                        // What the store tells the two apart by: it is the address that is taken.
                        assert_eq!(information.message(), "UNIQUE constraint failed: emails.address_key");
                    }
                    Err(error) => panic!("{error}"),
                }
                Ok::<_, Error>(())
            });
        }
    }
}
