use std::sync::Arc;

use auth_domain::{CodeState, Outcome, PendingSignIn, Redeemed, Store};

use super::{Subject, account, closes, found};
use crate::samples::{at, decoy_hash, decoy_registration, registration, right_guess, sign_in, wrong_guess};

async fn pending(store: &dyn Store) -> PendingSignIn {
    account(store, "ada", "ada@example.org").await;
    let pending = sign_in("ada@example.org", 2, at(0));
    assert_eq!(store.open_session(&pending, &decoy_hash()).await.unwrap(), Outcome::Done(()));
    pending
}

async fn guesses_wrong(store: &dyn Store, pending: &PendingSignIn, times: u32) {
    for _ in 0..times {
        let refused = store.redeem_code(&wrong_guess(&pending.code, at(1))).await.unwrap();
        assert!(matches!(refused, Redeemed::Wrong { .. }));
    }
}

async fn is_refused(store: &dyn Store, pending: &PendingSignIn, second: u64) -> bool {
    store.redeem_code(&right_guess(&pending.code, at(second))).await.unwrap() == Redeemed::Refused
}

pub async fn a_spent_code_cannot_be_redeemed_again(subject: &impl Subject) {
    let store = subject.store();
    let pending = pending(&*store).await;
    assert!(!is_refused(&*store, &pending, 1).await);
    assert!(is_refused(&*store, &pending, 1).await);
}

pub async fn four_wrong_guesses_leave_one_try(subject: &impl Subject) {
    let store = subject.store();
    let pending = pending(&*store).await;
    guesses_wrong(&*store, &pending, CodeState::TRIES - 1).await;
    assert!(!is_refused(&*store, &pending, 2).await);
}

pub async fn five_wrong_guesses_exhaust_a_code(subject: &impl Subject) {
    let store = subject.store();
    let pending = pending(&*store).await;
    guesses_wrong(&*store, &pending, CodeState::TRIES).await;
    assert!(is_refused(&*store, &pending, 2).await);
    assert!(!found(&*store, &pending).await.unwrap().is_verified());
}

pub async fn an_expired_code_is_refused(subject: &impl Subject) {
    let store = subject.store();
    let pending = pending(&*store).await;
    let end = CodeState::LIFE_AT_MOST.as_secs();
    assert!(is_refused(&*store, &pending, end).await);
    assert!(!is_refused(&*store, &pending, end - 1).await, "and a refused guess at an ended code changes nothing");
}

pub async fn an_unknown_code_is_refused(subject: &impl Subject) {
    let store = subject.store();
    let never_stored = sign_in("nobody@example.org", 1, at(0));
    assert!(is_refused(&*store, &never_stored, 1).await);
}

pub async fn a_closed_session_takes_its_code_along(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let pending = sign_in("ada@example.org", 2, at(0));
    assert_eq!(store.open_session(&pending, &decoy_hash()).await.unwrap(), Outcome::Done(()));
    assert!(closes(&*store, pending.session.id, ada.user_id, 1).await);
    assert!(is_refused(&*store, &pending, 1).await);
}

pub async fn of_twenty_racing_right_guesses_exactly_one_wins(subject: &impl Subject) {
    let store = subject.store();
    let pending = Arc::new(pending(&*store).await);
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let (store, pending) = (Arc::clone(&store), Arc::clone(&pending));
            tokio::spawn(async move { is_refused(&*store, &pending, 1).await })
        })
        .collect();
    let mut wins = 0;
    for task in tasks {
        wins += u32::from(!task.await.unwrap());
    }
    assert_eq!(wins, 1);
}

pub async fn racing_wrong_guesses_share_one_budget(subject: &impl Subject) {
    let store = subject.store();
    let pending = Arc::new(pending(&*store).await);
    let tasks: Vec<_> = (0..CodeState::TRIES)
        .map(|_| {
            let (store, pending) = (Arc::clone(&store), Arc::clone(&pending));
            tokio::spawn(async move { guesses_wrong(&*store, &pending, 1).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert!(is_refused(&*store, &pending, 2).await);
}

pub async fn the_right_code_of_a_disabled_account_is_used_up_and_says_so(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    subject.disable(ada.user_id);
    let pending = sign_in("ada@example.org", 2, at(0));
    assert_eq!(store.open_session(&pending, &decoy_hash()).await.unwrap(), Outcome::Done(()));

    guesses_wrong(&*store, &pending, 1).await;
    assert_eq!(
        store.redeem_code(&right_guess(&pending.code, at(1))).await.unwrap(),
        Redeemed::Disabled { user_id: ada.user_id }
    );
    assert!(is_refused(&*store, &pending, 1).await);
    assert!(!found(&*store, &pending).await.unwrap().is_verified());
}

pub async fn a_decoys_code_never_opens_anything(subject: &impl Subject) {
    let store = subject.store();
    account(&*store, "ada", "ada@example.org").await;
    let nobody = sign_in("nobody@example.org", 1, at(0));
    let guessable = nobody.code.hash.clone();
    assert_eq!(store.open_session(&nobody, &guessable).await.unwrap(), Outcome::Done(()));
    let registered = decoy_registration("new", "ada@example.org", at(0));
    assert_eq!(store.register_user(&registered).await.unwrap(), Outcome::Done(()));

    // No guess matches a decoy's hash in real life; even one that did would open nothing.
    assert!(is_refused(&*store, &nobody, 1).await);
    assert!(is_refused(&*store, &registered.sign_in, 1).await);
    assert!(store.find_user(registered.user_id).await.unwrap().is_none());
}

pub async fn no_guess_is_right_at_a_decoys_code(subject: &impl Subject) {
    let store = subject.store();
    account(&*store, "ada", "ada@example.org").await;
    for (to, is_right) in [("ada@example.org", true), ("nobody@example.org", false)] {
        let asked = sign_in(to, 2, at(0));
        assert_eq!(store.open_session(&asked, &decoy_hash()).await.unwrap(), Outcome::Done(()));
        let redeemed = store.redeem_code(&right_guess(&asked.code, at(1))).await.unwrap();
        assert_eq!(matches!(redeemed, Redeemed::Yes { .. }), is_right);
        assert_eq!(redeemed == Redeemed::Wrong { owner: None }, !is_right);
    }
}

pub async fn of_two_who_await_one_address_the_first_to_verify_wins(subject: &impl Subject) {
    let store = subject.store();
    let ada = registration("ada", "ada@example.org", at(0));
    assert_eq!(store.register_user(&ada).await.unwrap(), Outcome::Done(()));
    let again = sign_in("ada@example.org", 2, at(0));
    assert_eq!(store.open_session(&again, &decoy_hash()).await.unwrap(), Outcome::Done(()));
    assert!(!is_refused(&*store, &ada.sign_in, 1).await);
    assert!(!is_refused(&*store, &again, 1).await, "both lead to one account, and that one has the address");
}
