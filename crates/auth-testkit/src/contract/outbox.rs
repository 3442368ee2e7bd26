use std::{collections::HashSet, sync::Arc, time::Duration};

use auth_domain::{
    ClaimedMail, CodeState, EmailAddress, MailClass, Outcome, PendingSignIn, Redeemed, Settlement, Store,
};

use super::{Subject, account};
use crate::samples::{
    at, decoy_hash, decoy_registration, email_addition, email_change, registration, right_guess, sign_in,
};

/// A store in which exactly one mail is owed.
async fn one_mail(store: &dyn Store) -> PendingSignIn {
    let ada = registration("ada", "ada@example.org", at(0));
    assert_eq!(store.register_user(&ada).await.unwrap(), Outcome::Done(()));
    ada.sign_in
}

async fn claim(store: &dyn Store, second: u64) -> Vec<ClaimedMail> {
    store.claim_mails(at(second), at(second + 30), 10).await.unwrap()
}

async fn settle(store: &dyn Store, mail: &ClaimedMail, settlement: Settlement, second: u64) -> Outcome {
    store.settle_mail(mail.id, mail.attempt, settlement, "250 ok", at(second)).await.unwrap()
}

pub async fn a_claimed_mail_is_nobody_elses_until_its_lease_ends(subject: &impl Subject) {
    let store = subject.store();
    one_mail(&*store).await;
    assert_eq!(claim(&*store, 0).await.first().map(|mail| mail.attempt), Some(1));
    assert!(claim(&*store, 29).await.is_empty());
    assert_eq!(claim(&*store, 30).await.first().map(|mail| mail.attempt), Some(2));
}

pub async fn only_the_latest_attempt_settles_a_mail(subject: &impl Subject) {
    let store = subject.store();
    one_mail(&*store).await;
    let slow = claim(&*store, 0).await.remove(0);
    let next = claim(&*store, 30).await.remove(0);
    assert_eq!(settle(&*store, &slow, Settlement::Delivered, 31).await, Outcome::Stale);
    assert_eq!(settle(&*store, &next, Settlement::Delivered, 31).await, Outcome::Done(()));
    assert_eq!(settle(&*store, &next, Settlement::Delivered, 31).await, Outcome::Stale, "settled already");
}

pub async fn codes_go_before_notices_and_decoys(subject: &impl Subject) {
    let store = subject.store();
    account(&*store, "ada", "ada@example.org").await;
    let notice = decoy_registration("new", "ada@example.org", at(1));
    assert_eq!(store.register_user(&notice).await.unwrap(), Outcome::Done(()));
    let decoy = sign_in("nobody@example.org", 1, at(1));
    assert_eq!(store.open_session(&decoy, &decoy_hash()).await.unwrap(), Outcome::Done(()));
    let code = sign_in("ada@example.org", 2, at(2));
    assert_eq!(store.open_session(&code, &decoy_hash()).await.unwrap(), Outcome::Done(()));

    let classes: Vec<_> = claim(&*store, 3).await.iter().map(|mail| mail.class).collect();
    assert_eq!(classes[..2], [MailClass::Code, MailClass::Code]);
    assert_eq!(classes.len(), 4);
}

pub async fn codes_can_be_claimed_without_the_others(subject: &impl Subject) {
    let store = subject.store();
    account(&*store, "ada", "ada@example.org").await;
    let notice = decoy_registration("new", "ada@example.org", at(1));
    assert_eq!(store.register_user(&notice).await.unwrap(), Outcome::Done(()));
    let decoy = sign_in("nobody@example.org", 1, at(1));
    assert_eq!(store.open_session(&decoy, &decoy_hash()).await.unwrap(), Outcome::Done(()));
    let code = sign_in("ada@example.org", 2, at(2));
    assert_eq!(store.open_session(&code, &decoy_hash()).await.unwrap(), Outcome::Done(()));

    let codes = store.claim_codes(at(3), at(33), 1).await.unwrap();
    assert_eq!(codes.iter().map(|mail| mail.class).collect::<Vec<_>>(), [MailClass::Code], "no more than asked for");
    let codes = store.claim_codes(at(3), at(33), 10).await.unwrap();
    assert_eq!(codes.iter().map(|mail| mail.class).collect::<Vec<_>>(), [MailClass::Code]);
    assert!(store.claim_codes(at(32), at(62), 10).await.unwrap().is_empty(), "they are held");
    let others: Vec<_> = claim(&*store, 3).await.iter().map(|mail| mail.class).collect();
    assert!(others.len() == 2 && !others.contains(&MailClass::Code), "{others:?}");
}

pub async fn a_deferred_mail_comes_back_when_it_is_due(subject: &impl Subject) {
    let store = subject.store();
    one_mail(&*store).await;
    let first = claim(&*store, 0).await.remove(0);
    assert_eq!(settle(&*store, &first, Settlement::Deferred(at(5)), 1).await, Outcome::Done(()));
    assert!(claim(&*store, 4).await.is_empty());
    let second = claim(&*store, 5).await.remove(0);
    assert_eq!((second.id, second.attempt), (first.id, 2));
}

pub async fn a_mail_that_was_put_off_under_a_clock_that_was_set_back_is_due_at_once(subject: &impl Subject) {
    let store = subject.store();
    let ada = registration("ada", "ada@example.org", at(1000));
    assert_eq!(store.register_user(&ada).await.unwrap(), Outcome::Done(()));
    assert!(claim(&*store, 940).await.is_empty(), "the clocks of replicas differ a little");
    let first = claim(&*store, 900).await.remove(0);
    assert!(claim(&*store, 929).await.is_empty(), "it is held");
    let second = claim(&*store, 800).await.remove(0);
    assert_eq!((second.id, second.attempt), (first.id, 2), "whoever holds it counts from a time that is yet to come");
    assert_eq!(settle(&*store, &second, Settlement::Deferred(at(820)), 801).await, Outcome::Done(()));
    assert!(claim(&*store, 802).await.is_empty());
    assert_eq!(store.claim_codes(at(0), at(30), 10).await.unwrap().len(), 1);
}

pub async fn no_more_is_claimed_than_asked_for_of_what_is_due_and_what_was_put_off_together(subject: &impl Subject) {
    let store = subject.store();
    // Two from a time that is yet to come, one that is due, and a decoy: four, of two classes.
    for (alias, second) in [("ada", 1000), ("bob", 1000), ("eve", 0)] {
        let registration = registration(alias, &format!("{alias}@example.org"), at(second));
        assert_eq!(store.register_user(&registration).await.unwrap(), Outcome::Done(()));
    }
    let decoy = sign_in("nobody@example.org", 1, at(0));
    assert_eq!(store.open_session(&decoy, &decoy_hash()).await.unwrap(), Outcome::Done(()));
    let mut claimed = Vec::new();
    for (limit, classes) in
        [(2, &[MailClass::Code, MailClass::Code][..]), (2, &[MailClass::Code, MailClass::Decoy]), (2, &[])]
    {
        let mails = store.claim_mails(at(0), at(30), limit).await.unwrap();
        assert_eq!(mails.iter().map(|mail| mail.class).collect::<Vec<_>>(), classes);
        claimed.extend(mails.iter().map(|mail| mail.id));
    }
    claimed.sort_unstable();
    claimed.dedup();
    assert_eq!(claimed.len(), 4);
}

pub async fn a_delivered_mail_does_not_come_back(subject: &impl Subject) {
    let store = subject.store();
    one_mail(&*store).await;
    let mail = claim(&*store, 0).await.remove(0);
    assert_eq!(settle(&*store, &mail, Settlement::Delivered, 1).await, Outcome::Done(()));
    assert!(claim(&*store, 10_000).await.is_empty());
}

pub async fn an_abandoned_mail_does_not_come_back(subject: &impl Subject) {
    let store = subject.store();
    let pending = one_mail(&*store).await;
    let mail = claim(&*store, 0).await.remove(0);
    assert_eq!(settle(&*store, &mail, Settlement::Abandoned, 1).await, Outcome::Done(()));
    assert!(claim(&*store, 10_000).await.is_empty());
    let redeemed = store.redeem_code(&right_guess(&pending.code, at(3599))).await.unwrap();
    assert!(matches!(redeemed, Redeemed::Yes { .. }), "its code lives on: some servers refuse what they delivered");
}

pub async fn delivery_starts_the_codes_last_ten_minutes(subject: &impl Subject) {
    let store = subject.store();
    for (guessed_at, accepted) in [(100 + 600, false), (100 + 599, true)] {
        let pending = one_mail(&*store).await;
        let mail = claim(&*store, 50).await.remove(0);
        assert_eq!(settle(&*store, &mail, Settlement::Delivered, 100).await, Outcome::Done(()));
        let redeemed = store.redeem_code(&right_guess(&pending.code, at(guessed_at))).await.unwrap();
        assert_eq!(matches!(redeemed, Redeemed::Yes { .. }), accepted);
    }
}

pub async fn delivery_never_prolongs_a_code(subject: &impl Subject) {
    let store = subject.store();
    let pending = one_mail(&*store).await;
    let late = CodeState::LIFE_AT_MOST.as_secs() - 10;
    let mail = claim(&*store, late).await.remove(0);
    assert_eq!(settle(&*store, &mail, Settlement::Delivered, late).await, Outcome::Done(()));
    let end = at(0).plus(CodeState::LIFE_AT_MOST);
    assert_eq!(store.redeem_code(&right_guess(&pending.code, end)).await.unwrap(), Redeemed::Refused);
    let just_before = end.minus(Duration::from_millis(1));
    let redeemed = store.redeem_code(&right_guess(&pending.code, just_before)).await.unwrap();
    assert!(matches!(redeemed, Redeemed::Yes { .. }));
}

pub async fn a_mail_whose_code_was_superseded_says_so(subject: &impl Subject) {
    let store = subject.store();
    let ada = registration("ada", "ada@example.org", at(0));
    assert_eq!(store.register_user(&ada).await.unwrap(), Outcome::Done(()));
    let newer = sign_in("ada@example.org", 1, at(1));
    assert_eq!(store.open_session(&newer, &decoy_hash()).await.unwrap(), Outcome::Done(()));
    for mail in claim(&*store, 2).await {
        assert_eq!(mail.code_is_living, mail.id == newer.mail.id);
    }
}

pub async fn a_notice_outlives_the_registration_that_owed_it(subject: &impl Subject) {
    let store = subject.store();
    account(&*store, "ada", "ada@example.org").await;
    let first = decoy_registration("one", "ada@example.org", at(1));
    assert_eq!(store.register_user(&first).await.unwrap(), Outcome::Done(()));
    let second = decoy_registration("two", "ada@example.org", at(2));
    assert_eq!(store.register_user(&second).await.unwrap(), Outcome::Done(()));
    let owed: Vec<_> = claim(&*store, 3).await.into_iter().map(|mail| mail.id).collect();
    assert!(owed.contains(&first.sign_in.mail.id) && owed.contains(&second.sign_in.mail.id));
}

pub async fn two_workers_never_claim_one_mail(subject: &impl Subject) {
    let store = subject.store();
    for n in 0..30 {
        let decoy = sign_in(&format!("nobody{n}@example.org"), 1, at(0));
        assert_eq!(store.open_session(&decoy, &decoy_hash()).await.unwrap(), Outcome::Done(()));
    }
    let workers: Vec<_> = (0..6)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.claim_mails(at(1), at(31), 7).await.unwrap() })
        })
        .collect();
    let mut claims = Vec::new();
    for worker in workers {
        claims.extend(worker.await.unwrap().into_iter().map(|mail| mail.id));
    }
    assert_eq!(claims.len(), 30);
    assert_eq!(claims.iter().collect::<HashSet<_>>().len(), 30);
}

pub async fn a_mail_says_which_address_on_record_its_code_is_for(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "Ada@Example.org").await;
    let asked = sign_in("ADA@EXAMPLE.ORG", 2, at(1));
    let nobody = sign_in("nobody@example.org", 2, at(1));
    for sign_in in [&asked, &nobody] {
        assert_eq!(store.open_session(sign_in, &decoy_hash()).await.unwrap(), Outcome::Done(()));
    }
    let seen = store.list_emails(ada.user_id).await.unwrap();
    let addition = email_addition(ada.user_id, &seen, "Second@Example.org", at(1));
    assert_eq!(store.add_email(&addition).await.unwrap(), Outcome::Done(()));
    let [to_second, notice] = addition.mails.as_slice() else { panic!("a code and a notice") };

    let claimed = claim(&*store, 2).await;
    let on_record = |id| {
        let mail = claimed.iter().find(|mail| mail.id == id).unwrap();
        mail.on_record.as_ref().map(EmailAddress::as_str)
    };
    assert_eq!(on_record(asked.mail.id), Some("Ada@Example.org"), "not as it was typed");
    assert_eq!(on_record(nobody.mail.id), None);
    assert_eq!(on_record(to_second.id), Some("Second@Example.org"));
    assert_eq!(on_record(notice.id), None);

    let change = email_change(ada.user_id, &store.list_emails(ada.user_id).await.unwrap(), addition.email_id, at(3));
    assert_eq!(store.remove_email(&change).await.unwrap(), Outcome::Done(()));
    let gone = claim(&*store, 40).await.into_iter().find(|mail| mail.id == to_second.id);
    assert!(gone.is_none_or(|mail| mail.on_record.is_none() && !mail.code_is_living));
}

pub async fn a_sealed_mail_comes_back_octet_for_octet(subject: &impl Subject) {
    let store = subject.store();
    let pending = one_mail(&*store).await;
    let claimed = claim(&*store, 1).await.remove(0);
    assert_eq!(claimed.id, pending.mail.id);
    assert_eq!(claimed.sealed, pending.mail.sealed);
    assert_eq!(claimed.class, MailClass::Code);
    assert_eq!(claimed.created_at, at(0));
    assert!(claimed.code_is_living);
}
