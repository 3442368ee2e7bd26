use auth_domain::{CodeState, Opened, Outcome, PendingSignIn, Redeemed, Store};

use super::{Subject, account, deletes, found, live_session};
use crate::samples::{at, decoy_hash, registration, right_guess, sign_in};

async fn opens(store: &dyn Store, sign_in: &PendingSignIn, second: u64) -> bool {
    match store.redeem_code(&right_guess(&sign_in.code, at(second))).await.unwrap() {
        Redeemed::Yes { opened, .. } => opened == Opened::Session(sign_in.session.id),
        Redeemed::Wrong { .. } | Redeemed::Refused | Redeemed::Shut(_) | Redeemed::Throttled(_) => false,
        Redeemed::Disabled { .. } => panic!("nobody was disabled"),
    }
}

async fn stored(store: &dyn Store, sign_in: PendingSignIn) -> PendingSignIn {
    assert_eq!(store.open_session(&sign_in, &decoy_hash()).await.unwrap(), Outcome::Done(()));
    sign_in
}

pub async fn a_sign_in_opens_a_session_once_its_code_is_redeemed(subject: &impl Subject) {
    let store = subject.store();
    account(&*store, "ada", "ada@example.org").await;
    let pending = stored(&*store, sign_in("ada@example.org", 2, at(1))).await;
    assert!(!found(&*store, &pending).await.unwrap().is_verified());
    assert!(opens(&*store, &pending, 2).await);
    assert!(found(&*store, &pending).await.unwrap().is_verified());
}

pub async fn every_field_of_a_session_comes_back(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let mut new = sign_in("ada@example.org", 2, at(1));
    new.session.client.ip = "2001:db8::7".parse().unwrap();
    let new = stored(&*store, new).await;
    let session = found(&*store, &new).await.unwrap();
    assert_eq!(session.id, new.session.id);
    assert_eq!(session.user_id, ada.user_id);
    assert_eq!(session.kind, new.session.kind);
    assert!(!session.is_verified());
    assert_eq!(session.created_at, new.session.created_at);
    assert_eq!(session.expires_at, new.session.expires_at);
    assert_eq!(session.last_used_at, None);
    assert_eq!(session.client, new.session.client);
}

pub async fn a_decoy_is_stored_but_never_found(subject: &impl Subject) {
    let store = subject.store();
    let decoy = stored(&*store, sign_in("nobody@example.org", 1, at(0))).await;
    assert!(found(&*store, &decoy).await.is_none());
    assert!(store.find_address(&decoy.code.address, at(1)).await.unwrap().is_none());
    assert_eq!(store.claim_mails(at(0), at(30), 10).await.unwrap().len(), 1, "it has a mail like any other");
}

pub async fn a_sign_in_to_an_address_its_owner_no_longer_has_is_a_decoy(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    assert_eq!(deletes(&*store, ada.user_id).await, Outcome::Done(()));
    let late = sign_in("ada@example.org", 1, at(1));
    assert_eq!(store.open_session(&late, &decoy_hash()).await.unwrap(), Outcome::Done(()));
    assert!(found(&*store, &late).await.is_none());
    assert!(!opens(&*store, &late, 2).await);
}

pub async fn the_pending_registration_can_be_completed_by_a_sign_in_code(subject: &impl Subject) {
    let store = subject.store();
    let ada = registration("ada", "ada@example.org", at(0));
    assert_eq!(store.register_user(&ada).await.unwrap(), Outcome::Done(()));
    // A later code carries the registration past the end of the first.
    let again = stored(&*store, sign_in("ada@example.org", 2, at(3000))).await;
    assert!(store.find_address(&ada.address_key(), at(4000)).await.unwrap().is_some());
    assert!(opens(&*store, &again, 4000).await);
    assert!(store.find_user(ada.user_id).await.unwrap().unwrap().verified);
}

pub async fn an_ended_registration_is_not_revived_by_a_decoy(subject: &impl Subject) {
    let store = subject.store();
    let ada = registration("ada", "ada@example.org", at(0));
    assert_eq!(store.register_user(&ada).await.unwrap(), Outcome::Done(()));
    let after = 3601;
    assert!(store.find_address(&ada.address_key(), at(after)).await.unwrap().is_none());
    stored(&*store, sign_in("ada@example.org", 1, at(after))).await;
    assert!(store.find_address(&ada.address_key(), at(after)).await.unwrap().is_none());
    let bob = registration("ada", "bob@example.org", at(after));
    assert_eq!(store.register_user(&bob).await.unwrap(), Outcome::Done(()), "its alias is free");
}

pub async fn a_new_code_ends_the_one_from_the_same_network(subject: &impl Subject) {
    let store = subject.store();
    account(&*store, "ada", "ada@example.org").await;
    let first = stored(&*store, sign_in("ada@example.org", 2, at(1))).await;
    let second = stored(&*store, sign_in("ada@example.org", 2, at(2))).await;
    assert!(!opens(&*store, &first, 3).await);
    assert!(opens(&*store, &second, 3).await);
}

pub async fn a_stranger_elsewhere_does_not_end_the_owners_code(subject: &impl Subject) {
    let store = subject.store();
    account(&*store, "ada", "ada@example.org").await;
    let owners = stored(&*store, sign_in("ada@example.org", 2, at(1))).await;
    for network in 3..6 {
        stored(&*store, sign_in("ada@example.org", network, at(2))).await;
    }
    assert!(opens(&*store, &owners, 3).await);
}

pub async fn a_sixth_code_ends_the_oldest(subject: &impl Subject) {
    let store = subject.store();
    account(&*store, "ada", "ada@example.org").await;
    let mut codes = Vec::new();
    for network in 1..=6 {
        let from_there = sign_in("ada@example.org", network, at(u64::from(network)));
        codes.push(stored(&*store, from_there).await);
    }
    assert_eq!(codes.len(), CodeState::LIVING_PER_ADDRESS + 1);
    assert!(!opens(&*store, &codes[0], 10).await, "the oldest");
    for code in &codes[1..] {
        assert!(opens(&*store, code, 10).await);
    }
}

pub async fn decoys_supersede_one_another_like_the_real_thing(subject: &impl Subject) {
    let store = subject.store();
    let first = stored(&*store, sign_in("nobody@example.org", 1, at(0))).await;
    stored(&*store, sign_in("nobody@example.org", 1, at(1))).await;
    let claimed = store.claim_mails(at(2), at(30), 10).await.unwrap();
    let living: Vec<_> = claimed.iter().map(|mail| (mail.id == first.mail.id, mail.code_is_living)).collect();
    assert_eq!(living.len(), 2);
    assert!(living.contains(&(true, false)) && living.contains(&(false, true)), "{living:?}");

    // And the account of somebody else is none of their business.
    let ada = account(&*store, "ada", "ada@example.org").await;
    live_session(&*store, &ada, 1, at(3)).await;
}
