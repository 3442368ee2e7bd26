use std::sync::Arc;

use auth_domain::{
    AccountFilter, Accounts, Alias, Audit, Change, Changes, Conflict, EventKind, Facts, FullName, Membership, Outcome,
    Page, RoleName, Scope, Sessions, Store, User, UserChange, UserId, archive::UserRecord,
};
use auth_testkit::{
    postgres::execute,
    samples::{Decided, account as sample_account, at, event, sign_in},
};

use crate::{
    Port, account, connect, database, delete_user,
    held::{Held, until_so, until_waiting},
    replicas,
};

fn administrators() -> Membership {
    Membership::Role(RoleName::users_admin())
}

async fn change(store: &dyn Store, user: UserId, change: &UserChange) -> Outcome {
    store.change_user(user, change, &event(EventKind::UserDisabled, at(2)).about(user)).await.unwrap()
}

/// An account that administers users.
async fn administrator(store: &dyn Store, alias: &str) -> UserId {
    let mut new = sample_account(alias, &format!("{alias}@example.org"), at(0));
    new.roles.push(RoleName::users_admin().to_string());
    assert_eq!(store.create_account(&new).await.unwrap(), Outcome::Done(()));
    new.user_id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_changed_in_all_that_the_change_says() {
    let store = connect(&database().await, 2);
    let id = administrator(&*store, "ada").await;
    let by = User {
        id,
        alias: Alias::parse("Countess").unwrap(),
        full_name: FullName::parse("Augusta King").unwrap(),
        verified: false,
        enabled: false,
        roles: vec!["peer".to_owned()],
        groups: vec!["nobility".to_owned()],
        created_at: at(7),
    };
    let scope = Scope { user: Some(id), ..Scope::default() };
    let before = store.view(&scope).await.unwrap().user.unwrap();
    let mut changes = Changes::default();
    changes.push(Change::UpdateUser(UserRecord { user: by.clone(), alias_key: by.alias.key(), ..before }));
    store.transact(Arc::new(Decided { scope, changes })).await.unwrap();
    assert_eq!(store.port().find_user(id).await.unwrap(), Some(by));
    // Who holds the alias is found by its key.
    let again = sample_account("COUNTESS", "other@example.org", at(8));
    assert_eq!(store.port().create_account(&again).await.unwrap(), Outcome::Conflict(Conflict::AliasTaken));
}

/// Every way in which a user can stop administering users; `None` stands for deleting them.
fn ways() -> [Option<UserChange>; 4] {
    let revoke = UserChange::Revoke(administrators());
    [Some(revoke), Some(UserChange::Disable), Some(UserChange::Unverify), None]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_administrators_who_remove_each_other_on_two_replicas_at_once_leave_exactly_one() {
    let replicas = replicas().await;
    let mut left = administrator(&*replicas[0], "first").await;
    let pairs = ways().into_iter().flat_map(|one| ways().map(|other| (one.clone(), other)));
    for (round, (one, other)) in pairs.clone().chain(pairs).enumerate() {
        let newcomer = administrator(&*replicas[0], &format!("admin{round}")).await;
        let removing = [(left, one, 0), (newcomer, other, 1)].map(|(user, way, replica)| {
            let store = Arc::clone(&replicas[replica]);
            tokio::spawn(async move {
                match way {
                    Some(way) => change(&*store, user, &way).await,
                    None => delete_user(&*store, user).await.unwrap(),
                }
            })
        });
        let mut outcomes = Vec::new();
        for removing in removing {
            outcomes.push(removing.await.unwrap());
        }
        left = match outcomes[..] {
            [Outcome::Conflict(Conflict::LastAdministrator), Outcome::Done(())] => left,
            [Outcome::Done(()), Outcome::Conflict(Conflict::LastAdministrator)] => newcomer,
            _ => panic!("round {round}: {outcomes:?}"),
        };
        let filter = AccountFilter { enabled: Some(true), role: Some(RoleName::users_admin()) };
        let holders = replicas[1].page_accounts(&filter, Page::new(1, 100).unwrap()).await.unwrap().on_page;
        let verified: Vec<_> = holders.iter().filter(|one| one.user.verified).map(|one| one.user.id).collect();
        assert_eq!(verified, [left], "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn disabling_somebody_misses_no_session_that_they_are_given_meanwhile() {
    let url = database().await;
    let store = connect(&url, 4);
    for disabling_comes_first in [true, false] {
        let ada = account(&*store, if disabling_comes_first { "ada" } else { "bob" }).await.user_id;
        // Both queue for what another transaction holds.
        let held = Held::by(&url, "SELECT FROM users FOR UPDATE").await;
        let mut steps = [("disable", 1), ("give", 2)];
        if !disabling_comes_first {
            steps = [("give", 1), ("disable", 2)];
        }
        let mut facts = Vec::new();
        for (step, waiting) in steps {
            let store = Arc::clone(&store);
            facts.push(tokio::spawn(async move {
                if step == "disable" {
                    assert_eq!(change(&*store, ada, &UserChange::Disable).await, Outcome::Done(()));
                } else {
                    let session = sign_in("ada@example.org", 2, at(1)).session;
                    let opened = event(EventKind::SessionOpened, at(1)).about(ada);
                    let _first_or_stale = store.port().open_live_session(ada, &session, &opened).await.unwrap();
                }
            }));
            until_waiting(&url, waiting, "Lock").await;
        }
        held.commit().await;
        for fact in facts {
            fact.await.unwrap();
        }
        let sessions = store.page_sessions(Some(ada), at(1), Page::new(1, 20).unwrap()).await.unwrap();
        assert_eq!(sessions.items, 0, "disabling came first: {disabling_comes_first}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn pages_of_accounts_hold_everybody_once_while_others_are_added() {
    let replicas = replicas().await;
    let mut before = Vec::new();
    for n in 0..40 {
        before.push(administrator(&*replicas[0], &format!("old{n}")).await);
    }
    let adding = {
        let store = Arc::clone(&replicas[1]);
        tokio::spawn(async move {
            for n in 0..60 {
                administrator(&*store, &format!("new{n}")).await;
            }
        })
    };
    let mut seen = Vec::new();
    for number in 1..=14 {
        let page = Page::new(number, 3).unwrap();
        let paged = replicas[0].page_accounts(&AccountFilter::default(), page).await.unwrap();
        seen.extend(paged.on_page.into_iter().map(|account| account.user.id));
    }
    while !adding.is_finished() {
        let all = replicas[0].page_accounts(&AccountFilter::default(), Page::new(1, 100).unwrap()).await.unwrap();
        assert_eq!(u64::try_from(all.on_page.len()).unwrap(), all.items, "page and count are of one moment");
        assert!(all.on_page.iter().all(|account| account.emails.len() == 1), "and so are the addresses");
    }
    adding.await.unwrap();
    assert_eq!(seen[..before.len()], before);
    assert!(seen.is_sorted() && seen.len() <= 42, "nobody twice: {seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn administrators_roles_and_events_are_found_by_their_indexes() {
    let url = database().await;
    let store = connect(&url, 1);
    let ada = administrator(&*store, "ada").await;
    let crowd = "INSERT INTO users SELECT gen_random_uuid(), 'user' || n, 'user' || n, 'Sample', true, true, NULL, \
                 ARRAY['user'], ARRAY['public'], now() FROM generate_series(1, 20000) AS n; \
                 INSERT INTO events SELECT gen_random_uuid(), now(), 'session.signed-in', 'success', id, id, NULL, NULL, '' \
                 FROM users; ANALYZE users, events";
    execute(&url, crowd).await.unwrap();
    // More often than PostgreSQL plans a prepared statement anew.
    for _ in 0..8 {
        assert_eq!(change(&*store, ada, &UserChange::Disable).await, Outcome::Conflict(Conflict::LastAdministrator));
        store.list_events(Some(ada), None, 20).await.unwrap();
        let filter = AccountFilter { enabled: None, role: Some(RoleName::users_admin()) };
        assert_eq!(store.page_accounts(&filter, Page::new(1, 20).unwrap()).await.unwrap().items, 1);
    }
    // A connection tells what it did when it ends.
    drop(store);
    let used = "min(idx_scan) >= 8 AND count(*) = 3 FROM pg_stat_user_indexes WHERE indexrelname \
                IN ('users_roles', 'events_actor_id', 'events_subject_id')";
    until_so(&url, used).await;
}
