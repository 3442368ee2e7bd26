use auth_domain::{CredentialId, KeyPair, KeyPairId, Opened, Outcome, PendingKeyPair, Redeemed, Registration, Store};

use super::{Subject, account, deletes, deletes_key, owner};
use crate::samples::{at, email_addition, email_change, guessed_by, key_pair, purge, right_guess};

const HOUR: u64 = 60 * 60;
const DAY: u64 = 24 * HOUR;

async fn created(store: &dyn Store, ada: &Registration, second: u64) -> PendingKeyPair {
    let pending = key_pair(owner(ada), ada.address.as_str(), at(second));
    assert_eq!(store.create_key_pair(&pending).await.unwrap(), Outcome::Done(()));
    pending
}

async fn opens(store: &dyn Store, pending: &PendingKeyPair, second: u64) -> bool {
    matches!(store.redeem_code(&right_guess(&pending.code, at(second))).await.unwrap(), Redeemed::Yes { .. })
}

async fn found(store: &dyn Store, pending: &PendingKeyPair) -> Option<KeyPair> {
    store.find_key_pair(&pending.key_pair.digest).await.unwrap().map(|live| live.key_pair)
}

async fn listed(store: &dyn Store, ada: &Registration, second: u64) -> Vec<KeyPairId> {
    store.list_key_pairs(ada.user_id, at(second)).await.unwrap().into_iter().map(|key_pair| key_pair.id).collect()
}

pub async fn every_field_of_a_key_pair_comes_back(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    for roles in [None, Some(vec![]), Some(vec!["a".to_owned(), "b".to_owned()])] {
        let mut pending = key_pair(owner(&ada), "ada@example.org", at(1));
        pending.key_pair.roles = roles;
        assert_eq!(store.create_key_pair(&pending).await.unwrap(), Outcome::Done(()));
        let new = pending.key_pair.clone();
        let live = store.find_key_pair(&new.digest).await.unwrap().unwrap();
        let expected = KeyPair {
            id: new.id,
            user_id: ada.user_id,
            name: new.name,
            api_key: new.api_key,
            roles: new.roles,
            verified: false,
            created_at: new.created_at,
            expires_at: new.expires_at,
            last_used_at: None,
        };
        assert_eq!(live.key_pair, expected);
        assert_eq!(live.user, store.find_user(ada.user_id).await.unwrap().unwrap());
        assert_eq!(store.list_key_pairs(ada.user_id, at(1)).await.unwrap().first(), Some(&expected));
    }
}

pub async fn a_key_pair_is_verified_by_its_code(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let bob = account(&*store, "bob", "bob@example.org").await;
    let pending = created(&*store, &ada, 1).await;
    let guess = right_guess(&pending.code, at(2));
    assert_eq!(store.redeem_code(&guessed_by(bob.user_id, guess.clone())).await.unwrap(), Redeemed::Refused);
    let redeemed = store.redeem_code(&guessed_by(ada.user_id, guess)).await.unwrap();
    assert_eq!(
        redeemed,
        Redeemed::Yes { opened: Opened::KeyPair(pending.key_pair.id), user_id: ada.user_id, registered: false }
    );
    assert!(found(&*store, &pending).await.unwrap().verified);
    assert!(!opens(&*store, &pending, 2).await, "once");
    let mails = store.claim_mails(at(2), at(30), 10).await.unwrap();
    assert!(mails.iter().any(|mail| mail.id == pending.mail.id));
}

pub async fn an_unknown_secret_finds_no_key_pair(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let never_stored = key_pair(owner(&ada), "ada@example.org", at(1));
    assert!(found(&*store, &never_stored).await.is_none());
}

pub async fn a_key_pair_that_is_not_verified_in_time_disappears(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let kept = created(&*store, &ada, 0).await;
    let lost = created(&*store, &ada, 1).await;
    assert!(opens(&*store, &kept, 2).await);
    assert_eq!(listed(&*store, &ada, 2).await, [lost.key_pair.id, kept.key_pair.id], "newest first");
    let after = HOUR + 1;
    assert_eq!(listed(&*store, &ada, after).await, [kept.key_pair.id]);
    assert!(!opens(&*store, &lost, after).await);
    let deleted = deletes_key(&*store, lost.key_pair.id, ada.user_id, after).await;
    assert!(!deleted);

    assert!(store.purge(&purge(at(after), at(0), 100)).await.unwrap() >= 1);
    assert!(found(&*store, &lost).await.is_none());
    assert!(found(&*store, &kept).await.is_some());
}

pub async fn a_key_pair_ends_with_its_time(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let pending = created(&*store, &ada, 0).await;
    assert!(opens(&*store, &pending, 1).await);
    assert_eq!(listed(&*store, &ada, DAY - 1).await, [pending.key_pair.id]);
    assert!(listed(&*store, &ada, DAY).await.is_empty());
    let deleted = deletes_key(&*store, pending.key_pair.id, ada.user_id, DAY).await;
    assert!(!deleted);
    assert!(store.purge(&purge(at(DAY), at(0), 100)).await.unwrap() >= 1);
    assert!(found(&*store, &pending).await.is_none());
}

pub async fn a_key_pair_is_deleted_by_its_owner_only(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let bob = account(&*store, "bob", "bob@example.org").await;
    let verified = created(&*store, &ada, 0).await;
    let waiting = created(&*store, &ada, 0).await;
    assert!(opens(&*store, &verified, 1).await);
    for pending in [&verified, &waiting] {
        let id = pending.key_pair.id;
        assert!(!deletes_key(&*store, id, bob.user_id, 1).await);
        assert!(deletes_key(&*store, id, ada.user_id, 1).await);
        assert!(found(&*store, pending).await.is_none());
        assert!(!deletes_key(&*store, id, ada.user_id, 1).await);
    }
    assert!(!opens(&*store, &waiting, 2).await, "its code went with it");
}

pub async fn a_key_pair_whose_code_would_go_to_a_lost_address_is_stale(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let bob = account(&*store, "bob", "bob@example.org").await;
    let seen = store.list_emails(ada.user_id).await.unwrap();
    let added = email_addition(ada.user_id, &seen, "second@example.org", at(1));
    assert_eq!(store.add_email(&added).await.unwrap(), Outcome::Done(()));
    let mut to_unverified = owner(&ada);
    to_unverified.email_id = added.email_id;
    let mut to_bobs = owner(&ada);
    to_bobs.email_id = bob.email_id;
    for owner in [to_unverified, to_bobs] {
        let pending = key_pair(owner, "second@example.org", at(2));
        assert_eq!(store.create_key_pair(&pending).await.unwrap(), Outcome::Stale);
        assert!(found(&*store, &pending).await.is_none());
    }
    assert_eq!(deletes(&*store, ada.user_id).await, Outcome::Done(()));
    let too_late = key_pair(owner(&ada), "ada@example.org", at(3));
    assert_eq!(store.create_key_pair(&too_late).await.unwrap(), Outcome::Stale);
}

pub async fn removing_the_address_that_a_keys_code_went_to_ends_the_code(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let seen = store.list_emails(ada.user_id).await.unwrap();
    let added = email_addition(ada.user_id, &seen, "second@example.org", at(1));
    assert_eq!(store.add_email(&added).await.unwrap(), Outcome::Done(()));
    let verified = store.redeem_code(&right_guess(&added.code, at(1))).await.unwrap();
    assert!(matches!(verified, Redeemed::Yes { .. }));
    let mut to_second = owner(&ada);
    to_second.email_id = added.email_id;
    let pending = key_pair(to_second, "second@example.org", at(2));
    assert_eq!(store.create_key_pair(&pending).await.unwrap(), Outcome::Done(()));

    let seen = store.list_emails(ada.user_id).await.unwrap();
    let change = email_change(ada.user_id, &seen, added.email_id, at(3));
    assert_eq!(store.remove_email(&change).await.unwrap(), Outcome::Done(()));
    assert!(!opens(&*store, &pending, 3).await);
    assert!(listed(&*store, &ada, 3).await.is_empty());
}

pub async fn deleting_a_user_takes_addresses_and_key_pairs_along(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let verified = created(&*store, &ada, 0).await;
    let waiting = created(&*store, &ada, 0).await;
    assert!(opens(&*store, &verified, 1).await);
    assert_eq!(deletes(&*store, ada.user_id).await, Outcome::Done(()));
    for pending in [&verified, &waiting] {
        assert!(found(&*store, pending).await.is_none());
        assert!(!opens(&*store, pending, 2).await);
    }
    assert!(store.list_emails(ada.user_id).await.unwrap().is_empty());
    let mails = store.claim_mails(at(2), at(30), 10).await.unwrap();
    assert!(mails.iter().all(|mail| mail.id != waiting.mail.id || !mail.code_is_living));
}

pub async fn a_disabled_owner_verifies_no_key_pair(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let pending = created(&*store, &ada, 1).await;
    subject.disable(ada.user_id);
    assert!(!opens(&*store, &pending, 2).await);
    assert!(!found(&*store, &pending).await.unwrap().verified);
}

pub async fn a_key_pairs_usage_moves_forward_only(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let pending = created(&*store, &ada, 1).await;
    let key = CredentialId::KeyPair(pending.key_pair.id);
    let session = CredentialId::Session(ada.sign_in.session.id);
    store.record_usage(&[(key, at(5)), (session, at(6))]).await.unwrap();
    store.record_usage(&[(key, at(4))]).await.unwrap();
    assert_eq!(found(&*store, &pending).await.unwrap().last_used_at, Some(at(5)));
    assert_eq!(super::found(&*store, &ada.sign_in).await.unwrap().last_used_at, Some(at(6)));
}
