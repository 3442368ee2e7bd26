use std::sync::Arc;

use auth_domain::{CodeState, Conflict, Opened, Outcome, Redeemed, Store, Timestamp};

use super::{Subject, account, owner};
use crate::samples::{at, decoy_hash, decoy_registration, registration, right_guess, sign_in, wrong_guess};

/// A minute before and the moment after which an unsent code has ended.
fn before_end() -> Timestamp {
    at(3540)
}
fn after_end() -> Timestamp {
    at(0).plus(CodeState::LIFE_AT_MOST)
}

pub async fn a_registration_is_no_user_until_its_code_is_redeemed(subject: &impl Subject) {
    let store = subject.store();
    let ada = registration("ada", "ada@example.org", at(0));
    assert_eq!(store.register_user(&ada).await.unwrap(), Outcome::Done(()));

    assert_eq!(store.find_user(ada.user_id).await.unwrap(), None);
    let waiting = store.find_session(&ada.sign_in.session.digest).await.unwrap().unwrap();
    assert!(!waiting.session.is_verified() && !waiting.user.verified);
    let known = store.find_address(&ada.address_key(), at(1)).await.unwrap().unwrap();
    assert!(!known.verified && known.owner == owner(&ada) && known.address == ada.address);

    let redeemed = store.redeem_code(&right_guess(&ada.sign_in.code, at(1))).await.unwrap();
    assert_eq!(
        redeemed,
        Redeemed::Yes { opened: Opened::Session(ada.sign_in.session.id), user_id: ada.user_id, registered: true }
    );
    assert!(store.find_user(ada.user_id).await.unwrap().unwrap().verified);
    let live = store.find_session(&ada.sign_in.session.digest).await.unwrap().unwrap();
    assert!(live.session.is_verified() && live.user.verified);
    assert!(store.find_address(&ada.address_key(), at(1)).await.unwrap().unwrap().verified);
}

pub async fn every_field_of_a_registration_comes_back(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "Ada.L", "Ada@Example.org").await;
    let user = store.find_user(ada.user_id).await.unwrap().unwrap();
    assert_eq!(user.id, ada.user_id);
    assert_eq!(user.alias.as_str(), "Ada.L");
    assert_eq!(user.full_name, ada.full_name);
    assert!(user.verified && user.enabled);
    assert_eq!(user.roles, ["user"]);
    assert_eq!(user.groups, ["public", "staff"]);
    assert_eq!(user.created_at, at(0));
    let known = store.find_address(&ada.address_key(), at(1)).await.unwrap().unwrap();
    assert_eq!(known.address.as_str(), "Ada@Example.org");
}

pub async fn the_alias_of_an_account_is_taken_without_regard_to_case(subject: &impl Subject) {
    let store = subject.store();
    account(&*store, "Ada", "ada@example.org").await;
    let other = registration("aDA", "other@example.org", at(1));
    assert_eq!(store.register_user(&other).await.unwrap(), Outcome::Conflict(Conflict::AliasTaken));
}

pub async fn a_registration_holds_its_alias_until_its_code_ends(subject: &impl Subject) {
    let store = subject.store();
    let ada = registration("ada", "ada@example.org", at(0));
    assert_eq!(store.register_user(&ada).await.unwrap(), Outcome::Done(()));
    alias_is_held_until_the_end(&*store).await;
}

pub async fn a_decoy_registration_holds_its_alias_just_as_long(subject: &impl Subject) {
    let store = subject.store();
    account(&*store, "owner", "ada@example.org").await;
    let decoy = decoy_registration("ada", "ada@example.org", at(0));
    assert_eq!(store.register_user(&decoy).await.unwrap(), Outcome::Done(()));
    alias_is_held_until_the_end(&*store).await;
}

async fn alias_is_held_until_the_end(store: &dyn Store) {
    let early = registration("ada", "other@example.org", before_end());
    assert_eq!(store.register_user(&early).await.unwrap(), Outcome::Conflict(Conflict::AliasTaken));
    let late = registration("ada", "other@example.org", after_end());
    assert_eq!(store.register_user(&late).await.unwrap(), Outcome::Done(()));
}

pub async fn an_exhausted_code_frees_the_alias(subject: &impl Subject) {
    let store = subject.store();
    let ada = registration("ada", "ada@example.org", at(0));
    assert_eq!(store.register_user(&ada).await.unwrap(), Outcome::Done(()));
    for _ in 0..CodeState::TRIES {
        let refused = store.redeem_code(&wrong_guess(&ada.sign_in.code, at(1))).await.unwrap();
        assert_eq!(refused, Redeemed::Wrong { owner: Some(ada.user_id) });
    }
    let other = registration("ada", "other@example.org", at(2));
    assert_eq!(store.register_user(&other).await.unwrap(), Outcome::Done(()));
    assert!(store.find_session(&ada.sign_in.session.digest).await.unwrap().is_none());
}

pub async fn registering_again_replaces_the_pending_registration_alias_included(subject: &impl Subject) {
    let store = subject.store();
    let first = registration("first", "ada@example.org", at(0));
    let second = registration("second", "ADA@example.org", at(1));
    assert_eq!(store.register_user(&first).await.unwrap(), Outcome::Done(()));
    assert_eq!(store.register_user(&second).await.unwrap(), Outcome::Done(()));

    let refused = store.redeem_code(&right_guess(&first.sign_in.code, at(2))).await.unwrap();
    assert_eq!(refused, Redeemed::Refused, "the first registration is gone");
    let bob = registration("first", "bob@example.org", at(2));
    assert_eq!(store.register_user(&bob).await.unwrap(), Outcome::Done(()), "its alias is free");
    let redeemed = store.redeem_code(&right_guess(&second.sign_in.code, at(2))).await.unwrap();
    assert!(matches!(redeemed, Redeemed::Yes { .. }));
}

pub async fn a_decoy_replaces_a_decoy_for_the_same_address(subject: &impl Subject) {
    let store = subject.store();
    account(&*store, "owner", "ada@example.org").await;
    for (alias, second) in [("one", 1), ("two", 2), ("two", 3)] {
        let decoy = decoy_registration(alias, "ada@example.org", at(second));
        assert_eq!(store.register_user(&decoy).await.unwrap(), Outcome::Done(()));
    }
    let bob = registration("one", "bob@example.org", at(4));
    assert_eq!(store.register_user(&bob).await.unwrap(), Outcome::Done(()), "the replaced decoy's alias is free");
    let eve = registration("two", "eve@example.org", at(4));
    assert_eq!(store.register_user(&eve).await.unwrap(), Outcome::Conflict(Conflict::AliasTaken));
}

pub async fn a_registration_of_an_address_that_was_verified_meanwhile_is_stale(subject: &impl Subject) {
    let store = subject.store();
    account(&*store, "ada", "ada@example.org").await;
    let late = registration("late", "ada@example.org", at(1));
    assert_eq!(store.register_user(&late).await.unwrap(), Outcome::Stale);
}

pub async fn a_decoy_for_an_address_that_is_free_by_now_is_stale(subject: &impl Subject) {
    let store = subject.store();
    let decoy = decoy_registration("ada", "ada@example.org", at(1));
    assert_eq!(store.register_user(&decoy).await.unwrap(), Outcome::Stale);
}

pub async fn a_taken_alias_is_told_before_anything_of_the_address(subject: &impl Subject) {
    let store = subject.store();
    account(&*store, "ada", "ada@example.org").await;
    let own_address = decoy_registration("ada", "ada@example.org", at(1));
    assert_eq!(store.register_user(&own_address).await.unwrap(), Outcome::Conflict(Conflict::AliasTaken));
    let stale_as_well = registration("ada", "ada@example.org", at(1));
    assert_eq!(store.register_user(&stale_as_well).await.unwrap(), Outcome::Conflict(Conflict::AliasTaken));
}

pub async fn a_refused_registration_leaves_everything_as_it_was(subject: &impl Subject) {
    let store = subject.store();
    account(&*store, "ada", "ada@example.org").await;
    let pending = registration("pending", "bob@example.org", at(1));
    assert_eq!(store.register_user(&pending).await.unwrap(), Outcome::Done(()));
    let mails = store.claim_mails(at(1), at(1), 10).await.unwrap().len();

    // It would have replaced the pending registration, had its alias been free.
    let refused = registration("ada", "bob@example.org", at(2));
    assert_eq!(store.register_user(&refused).await.unwrap(), Outcome::Conflict(Conflict::AliasTaken));

    assert!(store.find_session(&refused.sign_in.session.digest).await.unwrap().is_none());
    assert_eq!(store.claim_mails(at(2), at(2), 10).await.unwrap().len(), mails);
    let redeemed = store.redeem_code(&right_guess(&pending.sign_in.code, at(3))).await.unwrap();
    assert!(matches!(redeemed, Redeemed::Yes { .. }));
}

pub async fn of_ten_who_want_one_alias_at_once_exactly_one_gets_it(subject: &impl Subject) {
    let store = subject.store();
    let tasks: Vec<_> = (0..10)
        .map(|n| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let wants = registration("ada", &format!("ada{n}@example.org"), at(0));
                store.register_user(&wants).await.unwrap()
            })
        })
        .collect();
    let mut got = 0;
    for task in tasks {
        got += u32::from(task.await.unwrap() == Outcome::Done(()));
    }
    assert_eq!(got, 1);

    // Whoever got it, a sign-in for another of the addresses leads nowhere.
    let decoy = sign_in("nobody@example.org", 1, at(1));
    assert_eq!(store.open_session(&decoy, &decoy_hash()).await.unwrap(), Outcome::Done(()));
}
