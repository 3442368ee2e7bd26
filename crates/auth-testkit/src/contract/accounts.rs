use std::sync::Arc;

use auth_domain::{
    Account, AccountFilter, Conflict, Email, EmailAddress, EventKind, GroupName, Membership, NewAccount, Opened,
    Outcome, Page, Redeemed, Registration, RoleName, Store, User, UserChange, UserId,
};

use super::{Subject, account, deletes, found, live_session, owner};
use crate::samples::{
    account as sample_account, address, at, decoy_hash, decoy_registration, event, key_pair, registration, right_guess,
    sign_in,
};

fn role(name: &str) -> Membership {
    Membership::Role(RoleName::parse(name).unwrap())
}

fn group(name: &str) -> Membership {
    Membership::Group(GroupName::parse(name).unwrap())
}

fn administrators() -> Membership {
    Membership::Role(RoleName::users_admin())
}

async fn changes(store: &dyn Store, user: UserId, change: UserChange) -> Outcome {
    store.change_user(user, &change, &event(EventKind::RoleGranted, at(5)).about(user)).await.unwrap()
}

async fn user(store: &dyn Store, id: UserId) -> User {
    store.find_user(id).await.unwrap().unwrap()
}

async fn listed(store: &dyn Store, filter: &AccountFilter, page: Page) -> (Vec<UserId>, u64) {
    let paged = store.page_accounts(filter, page).await.unwrap();
    (paged.on_page.into_iter().map(|account| account.user.id).collect(), paged.items)
}

/// An account that administers users.
async fn administrator(store: &dyn Store, alias: &str) -> Registration {
    let registration = account(store, alias, &format!("{alias}@example.org")).await;
    let granted = changes(store, registration.user_id, UserChange::Grant(administrators())).await;
    assert_eq!(granted, Outcome::Done(()));
    registration
}

pub async fn every_field_of_an_account_comes_back(subject: &impl Subject) {
    let store = subject.store();
    let new = sample_account("grace", "Grace@example.org", at(1));
    assert_eq!(store.create_account(&new).await.unwrap(), Outcome::Done(()));
    let expected = Account {
        user: User {
            id: new.user_id,
            alias: new.alias.clone(),
            full_name: new.full_name.clone(),
            verified: true,
            enabled: true,
            roles: vec!["auditor".to_owned(), "user".to_owned()],
            groups: vec!["public".to_owned()],
            created_at: at(1),
        },
        emails: vec![Email {
            id: new.email_id,
            address: new.address.clone(),
            verified: false,
            vouched: true,
            preferred: true,
        }],
    };
    assert_eq!(store.find_account(new.user_id).await.unwrap(), Some(expected.clone()));
    let paged = store.page_accounts(&AccountFilter::default(), Page::new(1, 20).unwrap()).await.unwrap();
    assert_eq!((paged.on_page, paged.items), (vec![expected], 1));

    let first_key = new.key_pair.unwrap();
    let live = store.find_key_pair(&first_key.digest).await.unwrap().unwrap();
    assert!(live.key_pair.verified && live.key_pair.user_id == new.user_id, "its key pair works at once");
    let mails = store.claim_mails(at(1), at(30), 10).await.unwrap();
    assert_eq!(mails.iter().map(|mail| mail.id).collect::<Vec<_>>(), [new.mail.unwrap().id]);
}

pub async fn an_address_that_is_refused_by_now_is_read_where_it_is_stored(subject: &impl Subject) {
    let store = subject.store();
    let look_alike = EmailAddress::from_stored("\u{212a}ate@example.org").unwrap();
    let new = NewAccount { address: look_alike.clone(), ..sample_account("kate", "kate@example.org", at(1)) };
    assert_eq!(store.create_account(&new).await.unwrap(), Outcome::Done(()));
    let known = store.find_address(&address("kate@example.org").key(), at(1)).await.unwrap().unwrap();
    assert_eq!(known.address, look_alike);
    assert_eq!(store.list_emails(new.user_id).await.unwrap()[0].address, look_alike);
}

pub async fn an_address_that_an_administrator_gave_signs_in_and_is_proved_by_that(subject: &impl Subject) {
    let store = subject.store();
    let mut new = sample_account("grace", "grace@example.org", at(1));
    new.verified = false;
    assert_eq!(store.create_account(&new).await.unwrap(), Outcome::Done(()));
    let known = store.find_address(&new.address.key(), at(2)).await.unwrap().unwrap();
    assert!(known.is_owned() && !known.verified && known.owner.user_id == new.user_id);

    let pending = sign_in("grace@example.org", 1, at(2));
    assert_eq!(store.open_session(&pending, &decoy_hash()).await.unwrap(), Outcome::Done(()));
    let redeemed = store.redeem_code(&right_guess(&pending.code, at(3))).await.unwrap();
    let opened = Opened::Session(pending.session.id);
    assert_eq!(redeemed, Redeemed::Yes { opened, user_id: new.user_id, registered: false });
    assert!(store.find_address(&new.address.key(), at(3)).await.unwrap().unwrap().verified);
    assert!(user(&*store, new.user_id).await.verified);
}

pub async fn an_account_is_not_made_over_another(subject: &impl Subject) {
    let store = subject.store();
    account(&*store, "ada", "ada@example.org").await;
    for (alias, address, expected) in [
        ("ADA", "new@example.org", Outcome::Conflict(Conflict::AliasTaken)),
        ("new", "ADA@example.org", Outcome::Conflict(Conflict::AddressTaken)),
        ("ada", "ada@example.org", Outcome::Conflict(Conflict::AliasTaken)),
    ] {
        let new = sample_account(alias, address, at(1));
        assert_eq!(store.create_account(&new).await.unwrap(), expected);
        assert!(store.find_account(new.user_id).await.unwrap().is_none());
        assert!(store.find_key_pair(&new.key_pair.unwrap().digest).await.unwrap().is_none());
    }
    // An address that an administrator gave has an owner as much as a verified one.
    let grace = sample_account("grace", "grace@example.org", at(1));
    assert_eq!(store.create_account(&grace).await.unwrap(), Outcome::Done(()));
    let again = sample_account("other", "grace@example.org", at(1));
    assert_eq!(store.create_account(&again).await.unwrap(), Outcome::Conflict(Conflict::AddressTaken));
    let registering = registration("other", "grace@example.org", at(1));
    assert_eq!(store.register_user(&registering).await.unwrap(), Outcome::Stale);
    let decoy = decoy_registration("other", "grace@example.org", at(1));
    assert_eq!(store.register_user(&decoy).await.unwrap(), Outcome::Done(()));
}

pub async fn an_account_replaces_a_registration_for_its_address(subject: &impl Subject) {
    let store = subject.store();
    let pending = registration("grace", "grace@example.org", at(0));
    assert_eq!(store.register_user(&pending).await.unwrap(), Outcome::Done(()));
    let stranger = sample_account("grace", "other@example.org", at(1));
    assert_eq!(
        store.create_account(&stranger).await.unwrap(),
        Outcome::Conflict(Conflict::AliasTaken),
        "while it waits for its code"
    );
    let new = sample_account("grace", "grace@example.org", at(1));
    assert_eq!(store.create_account(&new).await.unwrap(), Outcome::Done(()));
    assert_eq!(store.redeem_code(&right_guess(&pending.sign_in.code, at(2))).await.unwrap(), Redeemed::Refused);
}

pub async fn accounts_are_listed_in_pages_oldest_first(subject: &impl Subject) {
    let store = subject.store();
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(account(&*store, &format!("user{n}"), &format!("user{n}@example.org")).await.user_id);
    }
    let unfinished = registration("unfinished", "unfinished@example.org", at(0));
    assert_eq!(store.register_user(&unfinished).await.unwrap(), Outcome::Done(()));
    let all = AccountFilter::default();
    for (number, expected) in [(1, &ids[..2]), (2, &ids[2..4]), (3, &ids[4..]), (4, &[])] {
        assert_eq!(listed(&*store, &all, Page::new(number, 2).unwrap()).await, (expected.to_vec(), 5));
    }
    assert_eq!(listed(&*store, &all, Page::new(i64::from(u32::MAX), 100).unwrap()).await, (Vec::new(), 5));
    assert!(store.find_account(unfinished.user_id).await.unwrap().is_none());
}

pub async fn accounts_are_filtered_by_role_and_by_whether_they_are_enabled(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await.user_id;
    let bob = account(&*store, "bob", "bob@example.org").await.user_id;
    let grace = account(&*store, "grace", "grace@example.org").await.user_id;
    assert_eq!(changes(&*store, ada, UserChange::Grant(role("auditor"))).await, Outcome::Done(()));
    assert_eq!(changes(&*store, bob, UserChange::Grant(role("auditor_general"))).await, Outcome::Done(()));
    assert_eq!(changes(&*store, bob, UserChange::Grant(group("auditor"))).await, Outcome::Done(()));
    assert_eq!(changes(&*store, grace, UserChange::Grant(role("auditor"))).await, Outcome::Done(()));
    assert_eq!(changes(&*store, grace, UserChange::Disable).await, Outcome::Done(()));
    let auditor = || Some(RoleName::parse("auditor").unwrap());
    for (enabled, role, expected) in [
        (None, auditor(), vec![ada, grace]),
        (Some(true), auditor(), vec![ada]),
        (Some(false), auditor(), vec![grace]),
        (Some(true), None, vec![ada, bob]),
        (Some(false), None, vec![grace]),
        (None, Some(RoleName::parse("nobody").unwrap()), vec![]),
        (None, Some(RoleName::parse("_").unwrap()), vec![]),
    ] {
        let items = u64::try_from(expected.len()).unwrap();
        let filter = AccountFilter { enabled, role };
        assert_eq!(listed(&*store, &filter, Page::new(1, 10).unwrap()).await, (expected, items), "{filter:?}");
    }
}

pub async fn roles_and_groups_are_given_and_taken_and_kept_in_order(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await.user_id;
    for (change, expected) in [
        (UserChange::Grant(role("auditor")), Outcome::Done(())),
        (UserChange::Grant(role("auditor")), Outcome::Unchanged),
        (UserChange::Grant(role("zebra")), Outcome::Done(())),
        (UserChange::Revoke(role("user")), Outcome::Done(())),
        (UserChange::Revoke(role("user")), Outcome::NotFound),
        (UserChange::Grant(group("board")), Outcome::Done(())),
        (UserChange::Revoke(group("auditor")), Outcome::NotFound),
    ] {
        assert_eq!(changes(&*store, ada, change.clone()).await, expected, "{change:?}");
    }
    let ada = user(&*store, ada).await;
    assert_eq!((ada.roles.join(" "), ada.groups.join(" ")), ("auditor zebra".into(), "board public staff".into()));
    let nobody = registration("x", "x@example.org", at(0)).user_id;
    assert_eq!(changes(&*store, nobody, UserChange::Grant(role("user"))).await, Outcome::NotFound);
}

pub async fn disabling_or_unverifying_ends_sessions_and_key_pairs_and_is_undone_without_them(subject: &impl Subject) {
    for (change, back) in [(UserChange::Disable, UserChange::Enable), (UserChange::Unverify, UserChange::Verify)] {
        let store = subject.store();
        let alias = if change == UserChange::Disable { "ada" } else { "bob" };
        let ada = account(&*store, alias, &format!("{alias}@example.org")).await;
        let live = live_session(&*store, &ada, 2, at(1)).await;
        let pair = key_pair(owner(&ada), ada.address.as_str(), at(1));
        assert_eq!(store.create_key_pair(&pair).await.unwrap(), Outcome::Done(()));
        let waiting = sign_in(ada.address.as_str(), 3, at(1));
        assert_eq!(store.open_session(&waiting, &decoy_hash()).await.unwrap(), Outcome::Done(()));

        assert_eq!(changes(&*store, ada.user_id, change.clone()).await, Outcome::Done(()));
        for _ in 0..2 {
            for gone in [&ada.sign_in, &live, &waiting] {
                assert!(found(&*store, gone).await.is_none());
            }
            assert!(store.find_key_pair(&pair.key_pair.digest).await.unwrap().is_none());
            assert_eq!(store.redeem_code(&right_guess(&waiting.code, at(6))).await.unwrap(), Redeemed::Refused);
            let _undone_or_already_so = changes(&*store, ada.user_id, back.clone()).await;
        }
        let now = user(&*store, ada.user_id).await;
        assert!(now.enabled && now.verified);
    }
}

pub async fn a_user_who_was_unverified_is_verified_by_the_next_code(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    assert_eq!(changes(&*store, ada.user_id, UserChange::Unverify).await, Outcome::Done(()));
    assert!(!user(&*store, ada.user_id).await.verified);
    let live = live_session(&*store, &ada, 2, at(6)).await;
    assert!(found(&*store, &live).await.unwrap().is_verified());
    assert!(user(&*store, ada.user_id).await.verified);
}

pub async fn the_last_administrator_cannot_be_lost(subject: &impl Subject) {
    let store = subject.store();
    let ada = administrator(&*store, "ada").await.user_id;
    let bob = administrator(&*store, "bob").await.user_id;
    // One who is disabled, and one who is not verified, do not count.
    let disabled = administrator(&*store, "disabled").await.user_id;
    assert_eq!(changes(&*store, disabled, UserChange::Disable).await, Outcome::Done(()));
    let unverified = administrator(&*store, "unverified").await.user_id;
    assert_eq!(changes(&*store, unverified, UserChange::Unverify).await, Outcome::Done(()));
    assert_eq!(changes(&*store, bob, UserChange::Revoke(administrators())).await, Outcome::Done(()));

    for change in [UserChange::Disable, UserChange::Unverify, UserChange::Revoke(administrators())] {
        assert_eq!(
            changes(&*store, ada, change.clone()).await,
            Outcome::Conflict(Conflict::LastAdministrator),
            "{change:?}"
        );
    }
    assert_eq!(deletes(&*store, ada).await, Outcome::Conflict(Conflict::LastAdministrator));
    let kept = user(&*store, ada).await;
    assert!(kept.enabled && kept.verified && kept.roles.contains(&"users_admin".to_owned()));
    assert_eq!(changes(&*store, ada, UserChange::Revoke(role("user"))).await, Outcome::Done(()));

    assert_eq!(changes(&*store, disabled, UserChange::Enable).await, Outcome::Done(()));
    assert_eq!(deletes(&*store, ada).await, Outcome::Done(()), "now there is another one");
    assert_eq!(deletes(&*store, disabled).await, Outcome::Conflict(Conflict::LastAdministrator));
}

pub async fn of_administrators_who_remove_each_other_at_once_one_is_left(subject: &impl Subject) {
    let store = subject.store();
    let mut left = administrator(&*store, "first").await.user_id;
    for round in 0..8_usize {
        let mut all = vec![left];
        for n in 0..2 {
            all.push(administrator(&*store, &format!("admin{round}-{n}")).await.user_id);
        }
        let removing: Vec<_> = all
            .into_iter()
            .enumerate()
            .map(|(n, id)| {
                let store = Arc::clone(&store);
                tokio::spawn(async move {
                    let removed = match (n + round) % 4 {
                        0 => changes(&*store, id, UserChange::Disable).await,
                        1 => changes(&*store, id, UserChange::Revoke(administrators())).await,
                        2 => changes(&*store, id, UserChange::Unverify).await,
                        _ => deletes(&*store, id).await,
                    };
                    (removed == Outcome::Conflict(Conflict::LastAdministrator)).then_some(id)
                })
            })
            .collect();
        let mut kept = Vec::new();
        for removing in removing {
            kept.extend(removing.await.unwrap());
        }
        assert_eq!(kept.len(), 1, "round {round}");
        left = kept[0];
    }
}
