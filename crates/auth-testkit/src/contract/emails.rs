use std::sync::Arc;

use auth_domain::{Email, EmailAddition, EmailId, NewCode, Opened, Outcome, Redeemed, Registration, Store, UserId};

use super::{Subject, account, deletes, found, live_session, owner};
use crate::samples::{
    at, decoy_hash, email_addition, email_change, email_renewal, guessed_by, registration, right_guess, sign_in,
    wrong_guess,
};

async fn emails(store: &dyn Store, user: UserId) -> Vec<Email> {
    store.list_emails(user).await.unwrap()
}

/// Adds `to` to the account of `ada`, as it stands.
async fn added(store: &dyn Store, ada: &Registration, to: &str, second: u64) -> EmailAddition {
    let addition = email_addition(ada.user_id, &emails(store, ada.user_id).await, to, at(second));
    assert_eq!(store.add_email(&addition).await.unwrap(), Outcome::Done(()));
    addition
}

async fn opens(store: &dyn Store, code: &NewCode, second: u64) -> bool {
    matches!(store.redeem_code(&right_guess(code, at(second))).await.unwrap(), Redeemed::Yes { .. })
}

/// Adds `to` to the account of `ada` and verifies it.
async fn verified(store: &dyn Store, ada: &Registration, to: &str) -> EmailId {
    let addition = added(store, ada, to, 1).await;
    assert!(opens(store, &addition.code, 1).await);
    addition.email_id
}

pub async fn every_field_of_an_address_comes_back_oldest_first(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let second = added(&*store, &ada, "Ada.Second@Example.org", 1).await;
    let listed = emails(&*store, ada.user_id).await;
    let first =
        Email { id: ada.email_id, address: ada.address.clone(), verified: true, vouched: false, preferred: true };
    let pending = Email {
        id: second.email_id,
        address: second.address.clone(),
        verified: false,
        vouched: false,
        preferred: false,
    };
    assert_eq!(listed, [first, pending]);
    assert_eq!(store.claim_mails(at(1), at(30), 10).await.unwrap().len(), 3, "a code and a notice, besides the first");
}

pub async fn an_added_address_signs_in_once_its_code_is_redeemed(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let second = added(&*store, &ada, "second@example.org", 1).await;
    assert!(store.find_address(&second.address.key(), at(2)).await.unwrap().is_none(), "not before");

    let redeemed = store.redeem_code(&right_guess(&second.code, at(2))).await.unwrap();
    assert_eq!(
        redeemed,
        Redeemed::Yes { opened: Opened::Email(second.email_id), user_id: ada.user_id, registered: false }
    );
    let known = store.find_address(&second.address.key(), at(2)).await.unwrap().unwrap();
    assert!(known.verified && known.owner.user_id == ada.user_id && known.owner.email_id == second.email_id);
    let pending = sign_in("second@example.org", 2, at(3));
    assert_eq!(store.open_session(&pending, &decoy_hash()).await.unwrap(), Outcome::Done(()));
    assert!(opens(&*store, &pending.code, 3).await);
    assert!(found(&*store, &pending).await.unwrap().is_verified());
}

pub async fn a_sign_in_leads_to_who_owns_an_address_before_who_registers_with_it(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    for (n, to) in [(1, "first@example.org"), (2, "second@example.org")] {
        // The registration is older than the address of the account, and newer.
        let registers = async || {
            let newcomer = registration(&format!("newcomer{n}"), to, at(0));
            assert_eq!(store.register_user(&newcomer).await.unwrap(), Outcome::Done(()));
        };
        if n == 1 {
            registers().await;
        }
        let addition = added(&*store, &ada, to, 1).await;
        if n == 2 {
            registers().await;
        }
        assert!(opens(&*store, &addition.code, 1).await);
        let pending = sign_in(to, 2, at(2));
        assert_eq!(store.open_session(&pending, &decoy_hash()).await.unwrap(), Outcome::Done(()));
        assert_eq!(found(&*store, &pending).await.unwrap().user_id, ada.user_id);
        assert!(opens(&*store, &pending.code, 3).await);
        // By now the registration has ended.
        let later = sign_in(to, 2, at(4000));
        assert_eq!(store.open_session(&later, &decoy_hash()).await.unwrap(), Outcome::Done(()));
        assert_eq!(found(&*store, &later).await.unwrap().user_id, ada.user_id);
        assert!(opens(&*store, &later.code, 4001).await);
    }
}

pub async fn a_sign_in_to_an_address_that_was_only_added_is_a_decoy(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    added(&*store, &ada, "second@example.org", 1).await;
    let pending = sign_in("second@example.org", 1, at(2));
    assert_eq!(store.open_session(&pending, &decoy_hash()).await.unwrap(), Outcome::Done(()));
    assert!(found(&*store, &pending).await.is_none());
    assert!(!opens(&*store, &pending.code, 3).await);
}

pub async fn an_addition_to_addresses_that_have_changed_is_stale(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let seen = emails(&*store, ada.user_id).await;
    added(&*store, &ada, "second@example.org", 1).await;
    let late = email_addition(ada.user_id, &seen, "third@example.org", at(2));
    assert_eq!(store.add_email(&late).await.unwrap(), Outcome::Stale);
    assert_eq!(emails(&*store, ada.user_id).await.len(), 2);
    assert!(!opens(&*store, &late.code, 2).await);
    assert_eq!(store.claim_mails(at(2), at(30), 10).await.unwrap().len(), 3, "nothing of it was stored");

    assert_eq!(deletes(&*store, ada.user_id).await, Outcome::Done(()));
    let too_late = email_addition(ada.user_id, &[], "third@example.org", at(2));
    assert_eq!(store.add_email(&too_late).await.unwrap(), Outcome::Stale);
}

pub async fn an_addition_that_misjudged_a_foreign_owner_is_stale(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    account(&*store, "bob", "bob@example.org").await;
    let seen = emails(&*store, ada.user_id).await;
    let thought_free = email_addition(ada.user_id, &seen, "bob@example.org", at(1));
    assert_eq!(store.add_email(&thought_free).await.unwrap(), Outcome::Stale);
    let thought_bobs = EmailAddition { foreign: true, ..email_addition(ada.user_id, &seen, "free@example.org", at(1)) };
    assert_eq!(store.add_email(&thought_bobs).await.unwrap(), Outcome::Stale);
}

pub async fn a_foreign_address_stands_unverified_and_never_verifies(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let bob = account(&*store, "bob", "bob@example.org").await;
    let seen = emails(&*store, ada.user_id).await;
    let foreign = EmailAddition { foreign: true, ..email_addition(ada.user_id, &seen, "bob@example.org", at(1)) };
    assert_eq!(store.add_email(&foreign).await.unwrap(), Outcome::Done(()));
    assert!(emails(&*store, ada.user_id).await.iter().any(|email| email.id == foreign.email_id && !email.verified));

    assert!(!opens(&*store, &foreign.code, 2).await, "not even with a guess that no decoy's hash has in real life");
    let known = store.find_address(&foreign.address.key(), at(2)).await.unwrap().unwrap();
    assert_eq!(known.owner, owner(&bob));
}

pub async fn of_three_who_wait_for_one_address_the_first_to_verify_wins(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let bob = account(&*store, "bob", "bob@example.org").await;
    let adas = added(&*store, &ada, "shared@example.org", 1).await;
    let bobs = added(&*store, &bob, "shared@example.org", 1).await;
    let newcomer = registration("newcomer", "shared@example.org", at(1));
    assert_eq!(store.register_user(&newcomer).await.unwrap(), Outcome::Done(()));

    assert!(opens(&*store, &bobs.code, 2).await);
    assert!(!opens(&*store, &adas.code, 2).await);
    assert!(!opens(&*store, &newcomer.sign_in.code, 2).await);
    let known = store.find_address(&bobs.address.key(), at(3)).await.unwrap().unwrap();
    assert_eq!(known.owner.user_id, bob.user_id);
    assert!(store.find_user(newcomer.user_id).await.unwrap().is_none());
}

pub async fn of_two_accounts_racing_to_verify_one_address_exactly_one_gets_it(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let bob = account(&*store, "bob", "bob@example.org").await;
    for round in 0..5 {
        let to = format!("shared{round}@example.org");
        let additions = [added(&*store, &ada, &to, 1).await, added(&*store, &bob, &to, 1).await];
        let tasks = additions.map(|addition| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { opens(&*store, &addition.code, 2).await })
        });
        let mut verified = 0;
        for task in tasks {
            verified += u32::from(task.await.unwrap());
        }
        assert_eq!(verified, 1);
    }
}

pub async fn a_code_is_refused_to_anybody_but_the_owner_and_not_used_up(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let bob = account(&*store, "bob", "bob@example.org").await;
    let second = added(&*store, &ada, "second@example.org", 1).await;
    let guess = right_guess(&second.code, at(2));
    for _ in 0..10 {
        let wrong = store.redeem_code(&guessed_by(bob.user_id, wrong_guess(&second.code, at(2)))).await.unwrap();
        assert_eq!(wrong, Redeemed::Refused);
    }
    assert_eq!(store.redeem_code(&guessed_by(bob.user_id, guess.clone())).await.unwrap(), Redeemed::Refused);
    assert!(matches!(store.redeem_code(&guessed_by(ada.user_id, guess)).await.unwrap(), Redeemed::Yes { .. }));
}

pub async fn a_code_opens_nothing_but_what_it_is_for(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let second = added(&*store, &ada, "second@example.org", 1).await;
    let mut as_sign_in = right_guess(&second.code, at(2));
    as_sign_in.purpose = auth_domain::CodePurpose::SignIn;
    assert_eq!(store.redeem_code(&as_sign_in).await.unwrap(), Redeemed::Refused);
    assert!(opens(&*store, &second.code, 2).await);
}

pub async fn a_new_code_for_an_address_ends_the_older_one_and_no_sign_in(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let waiting = sign_in("ada@example.org", 1, at(1));
    assert_eq!(store.open_session(&waiting, &decoy_hash()).await.unwrap(), Outcome::Done(()));
    let first = added(&*store, &ada, "second@example.org", 1).await;
    let pending = emails(&*store, ada.user_id).await.pop().unwrap();
    let renewal = email_renewal(ada.user_id, &pending, at(2));
    assert_eq!(store.renew_email_code(&renewal).await.unwrap(), Outcome::Done(()));
    assert!(!opens(&*store, &first.code, 3).await);
    assert!(opens(&*store, &renewal.code, 3).await);
    assert!(opens(&*store, &waiting.code, 3).await);
}

pub async fn a_new_code_for_an_address_that_is_verified_gone_or_foreign_by_now_is_stale(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let bob = account(&*store, "bob", "bob@example.org").await;
    let shared = added(&*store, &ada, "shared@example.org", 1).await;
    let pending = emails(&*store, ada.user_id).await.pop().unwrap();
    let not_theirs = email_renewal(bob.user_id, &pending, at(2));
    assert_eq!(store.renew_email_code(&not_theirs).await.unwrap(), Outcome::Stale);

    verified(&*store, &bob, "shared@example.org").await;
    let thought_free = email_renewal(ada.user_id, &pending, at(2));
    assert_eq!(store.renew_email_code(&thought_free).await.unwrap(), Outcome::Stale);

    let own = added(&*store, &ada, "own@example.org", 3).await;
    let own_pending = emails(&*store, ada.user_id).await.pop().unwrap();
    assert!(opens(&*store, &own.code, 3).await);
    let too_late = email_renewal(ada.user_id, &own_pending, at(4));
    assert_eq!(store.renew_email_code(&too_late).await.unwrap(), Outcome::Stale);

    let removal = email_change(ada.user_id, &emails(&*store, ada.user_id).await, shared.email_id, at(4));
    assert_eq!(store.remove_email(&removal).await.unwrap(), Outcome::Done(()));
    let gone = email_renewal(ada.user_id, &pending, at(5));
    assert_eq!(store.renew_email_code(&gone).await.unwrap(), Outcome::Stale);
}

pub async fn preferring_an_address_leaves_exactly_one_preferred(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let second = verified(&*store, &ada, "second@example.org").await;
    let seen = emails(&*store, ada.user_id).await;
    let change = email_change(ada.user_id, &seen, second, at(2));
    assert_eq!(store.prefer_email(&change).await.unwrap(), Outcome::Done(()));
    let preferred: Vec<_> = emails(&*store, ada.user_id).await.iter().map(|email| email.preferred).collect();
    assert_eq!(preferred, [false, true]);
    assert_eq!(store.prefer_email(&change).await.unwrap(), Outcome::Stale, "what was seen is no more");
    assert!(store.claim_mails(at(2), at(30), 10).await.unwrap().iter().any(|mail| mail.id == change.notices[0].id));
}

pub async fn removing_an_address_takes_its_codes_along_and_leaves_sessions_alone(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let second = verified(&*store, &ada, "second@example.org").await;
    let live = sign_in("second@example.org", 2, at(2));
    let waiting = sign_in("second@example.org", 3, at(2));
    for sign_in in [&live, &waiting] {
        assert_eq!(store.open_session(sign_in, &decoy_hash()).await.unwrap(), Outcome::Done(()));
    }
    assert!(opens(&*store, &live.code, 2).await);

    let change = email_change(ada.user_id, &emails(&*store, ada.user_id).await, second, at(3));
    assert_eq!(store.remove_email(&change).await.unwrap(), Outcome::Done(()));
    assert_eq!(emails(&*store, ada.user_id).await.len(), 1);
    assert!(found(&*store, &live).await.unwrap().is_verified());
    assert!(!opens(&*store, &waiting.code, 3).await);
    assert!(store.find_address(&live.code.address, at(3)).await.unwrap().is_none());
    assert_eq!(store.remove_email(&change).await.unwrap(), Outcome::Stale);
    live_session(&*store, &ada, 4, at(4)).await;
}

pub async fn an_account_that_is_disabled_verifies_nothing(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let second = added(&*store, &ada, "second@example.org", 1).await;
    subject.disable(ada.user_id);
    assert_eq!(store.redeem_code(&right_guess(&second.code, at(2))).await.unwrap(), Redeemed::Refused);
    assert!(!emails(&*store, ada.user_id).await[1].verified);
}

pub async fn an_added_address_holds_no_alias_and_starts_no_registration(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let newcomer = registration("newcomer", "shared@example.org", at(0));
    assert_eq!(store.register_user(&newcomer).await.unwrap(), Outcome::Done(()));
    // A code for an address of an account is no sign-in code: it does not carry the registration on.
    added(&*store, &ada, "shared@example.org", 3000).await;
    assert!(store.find_address(&newcomer.address_key(), at(3601)).await.unwrap().is_none());
    let other = registration("newcomer", "other@example.org", at(3601));
    assert_eq!(store.register_user(&other).await.unwrap(), Outcome::Done(()));
}
