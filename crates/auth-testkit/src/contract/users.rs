use auth_domain::{Outcome, Redeemed};

use super::{Subject, account, deletes, found, live_session};
use crate::samples::{at, decoy_hash, right_guess, sign_in};

pub async fn deleting_a_user_takes_everything_along(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let bob = account(&*store, "bob", "bob@example.org").await;
    let second = live_session(&*store, &ada, 2, at(1)).await;
    let pending = sign_in("ada@example.org", 3, at(1));
    assert_eq!(store.open_session(&pending, &decoy_hash()).await.unwrap(), Outcome::Done(()));

    assert_eq!(deletes(&*store, ada.user_id).await, Outcome::Done(()));

    assert!(store.find_user(ada.user_id).await.unwrap().is_none());
    assert!(store.find_address(&ada.address_key(), at(2)).await.unwrap().is_none());
    for gone in [&ada.sign_in, &second, &pending] {
        assert!(found(&*store, gone).await.is_none());
    }
    assert_eq!(store.redeem_code(&right_guess(&pending.code, at(2))).await.unwrap(), Redeemed::Refused);
    let mails = store.claim_mails(at(2), at(30), 10).await.unwrap();
    assert!(mails.iter().all(|mail| mail.id == bob.sign_in.mail.id || !mail.code_is_living));
    assert!(found(&*store, &bob.sign_in).await.is_some());
}

pub async fn deleting_a_user_twice_is_stale(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    assert_eq!(deletes(&*store, ada.user_id).await, Outcome::Done(()));
    assert_eq!(deletes(&*store, ada.user_id).await, Outcome::NotFound);
}

pub async fn a_deleted_users_address_and_alias_are_free_again(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    assert_eq!(deletes(&*store, ada.user_id).await, Outcome::Done(()));
    account(&*store, "ada", "ada@example.org").await;
}
