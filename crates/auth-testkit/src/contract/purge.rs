use std::time::Duration;

use auth_domain::{Backlog, Outcome, Settlement};

use super::{Subject, account, found};
use crate::samples::{at, decoy_hash, decoy_registration, purge, registration, right_guess, sign_in};

const HOUR: u64 = 60 * 60;
const DAY: u64 = 24 * HOUR;

pub async fn purging_leaves_what_is_alive(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let pending = sign_in("ada@example.org", 2, at(1));
    assert_eq!(store.open_session(&pending, &decoy_hash()).await.unwrap(), Outcome::Done(()));
    let bob = registration("bob", "bob@example.org", at(1));
    assert_eq!(store.register_user(&bob).await.unwrap(), Outcome::Done(()));
    let mails = store.claim_mails(at(1), at(1), 10).await.unwrap().len();

    store.purge(&purge(at(2), at(0), 100)).await.unwrap();

    assert!(found(&*store, &ada.sign_in).await.is_some());
    assert_eq!(store.claim_mails(at(2), at(2), 10).await.unwrap().len(), mails);
    for code in [&pending.code, &bob.sign_in.code] {
        let redeemed = store.redeem_code(&right_guess(code, at(3))).await.unwrap();
        assert!(matches!(redeemed, auth_domain::Redeemed::Yes { .. }));
    }
}

pub async fn purging_takes_what_has_ended(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let pending = sign_in("ada@example.org", 2, at(0));
    let nobody = sign_in("nobody@example.org", 1, at(0));
    for sign_in in [&pending, &nobody] {
        assert_eq!(store.open_session(sign_in, &decoy_hash()).await.unwrap(), Outcome::Done(()));
    }
    let decoy = decoy_registration("decoy", "ada@example.org", at(0));
    assert_eq!(store.register_user(&decoy).await.unwrap(), Outcome::Done(()));

    assert!(store.purge(&purge(at(HOUR), at(0), 100)).await.unwrap() >= 4);
    assert!(found(&*store, &pending).await.is_none(), "a sign-in that nobody can complete any more");
    assert!(found(&*store, &ada.sign_in).await.is_some(), "a session that is live");
    assert!(store.find_user(ada.user_id).await.unwrap().is_some());

    assert!(store.purge(&purge(at(DAY), at(0), 100)).await.unwrap() >= 1);
    assert!(found(&*store, &ada.sign_in).await.is_none(), "a session that has expired");
    assert_eq!(store.purge(&purge(at(DAY), at(0), 100)).await.unwrap(), 0, "nothing is left to purge");
    assert!(store.find_user(ada.user_id).await.unwrap().is_some());
}

pub async fn purging_does_not_exceed_its_limit(subject: &impl Subject) {
    let store = subject.store();
    for n in 0..5 {
        let nobody = sign_in(&format!("nobody{n}@example.org"), 1, at(0));
        assert_eq!(store.open_session(&nobody, &decoy_hash()).await.unwrap(), Outcome::Done(()));
    }
    let mut rounds = 0;
    while store.purge(&purge(at(DAY), at(0), 2)).await.unwrap() > 0 {
        rounds += 1;
    }
    assert!(rounds >= 3, "five sessions, two at a time, were gone after {rounds} rounds");
}

pub async fn purging_lets_a_settled_mail_go_after_a_week(subject: &impl Subject) {
    let store = subject.store();
    let nobody = sign_in("nobody@example.org", 1, at(0));
    assert_eq!(store.open_session(&nobody, &decoy_hash()).await.unwrap(), Outcome::Done(()));
    let mail = store.claim_mails(at(0), at(30), 1).await.unwrap().remove(0);
    let settled = store.settle_mail(mail.id, mail.attempt, Settlement::Delivered, "250 ok", at(0)).await.unwrap();
    assert_eq!(settled, Outcome::Done(()));
    store.purge(&purge(at(2 * DAY), at(0), 100)).await.unwrap();
    assert_eq!(store.purge(&purge(at(7 * DAY - 1), at(0), 100)).await.unwrap(), 0);
    assert_eq!(store.purge(&purge(at(7 * DAY), at(0), 100)).await.unwrap(), 1);
}

pub async fn the_backlog_tells_what_is_owed_by_class_and_since_when(subject: &impl Subject) {
    let store = subject.store();
    assert_eq!(store.backlog(at(DAY)).await.unwrap(), Backlog::default(), "nothing is there");

    let ada = registration("ada", "ada@example.org", at(1));
    assert_eq!(store.register_user(&ada).await.unwrap(), Outcome::Done(()));
    let nobody = sign_in("nobody@example.org", 1, at(2));
    assert_eq!(store.open_session(&nobody, &decoy_hash()).await.unwrap(), Outcome::Done(()));
    let backlog = store.backlog(at(3)).await.unwrap();
    assert_eq!((backlog.codes, backlog.notices, backlog.decoys), (1, 0, 1));
    assert_eq!((backlog.owed_since, backlog.ended_since), (Some(at(1)), None));

    let code = store.claim_codes(at(4), at(30), 1).await.unwrap().remove(0);
    assert_eq!(store.backlog(at(5)).await.unwrap(), backlog, "what is claimed is owed still");
    let settled = store.settle_mail(code.id, code.attempt, Settlement::Delivered, "250 ok", at(6)).await.unwrap();
    assert_eq!(settled, Outcome::Done(()));
    let backlog = store.backlog(at(7)).await.unwrap();
    assert_eq!((backlog.codes, backlog.decoys, backlog.owed_since), (0, 1, Some(at(2))));
}

pub async fn the_backlog_tells_since_when_there_is_something_to_purge(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let code_ends = ada.sign_in.code.expires_at;
    assert_eq!(store.backlog(code_ends.minus(Duration::from_millis(1))).await.unwrap().ended_since, None);
    assert_eq!(store.backlog(code_ends).await.unwrap().ended_since, Some(code_ends));
    store.purge(&purge(code_ends, at(0), 100)).await.unwrap();
    assert_eq!(store.backlog(at(DAY - 1)).await.unwrap().ended_since, None);
    let session_ends = ada.sign_in.session.expires_at;
    assert_eq!(store.backlog(session_ends.plus(Duration::from_secs(9))).await.unwrap().ended_since, Some(session_ends));
}
