use auth_domain::{Applied, Registered, Settlement};

use super::{Subject, account, found, owner};
use crate::samples::{at, decoy_registration, registration, right_guess, sign_in};

const HOUR: u64 = 60 * 60;
const DAY: u64 = 24 * HOUR;

pub async fn purging_leaves_what_is_alive(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let pending = sign_in(Some(owner(&ada)), "ada@example.org", 2, at(1));
    assert_eq!(store.open_session(&pending).await.unwrap(), Applied::Yes);
    let bob = registration("bob", "bob@example.org", at(1));
    assert_eq!(store.register_user(&bob).await.unwrap(), Registered::Yes);
    let mails = store.claim_mails(at(1), at(1), 10).await.unwrap().len();

    store.purge(at(2), at(0), 100).await.unwrap();

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
    let pending = sign_in(Some(owner(&ada)), "ada@example.org", 2, at(0));
    let nobody = sign_in(None, "nobody@example.org", 1, at(0));
    for sign_in in [&pending, &nobody] {
        assert_eq!(store.open_session(sign_in).await.unwrap(), Applied::Yes);
    }
    let decoy = decoy_registration("decoy", "ada@example.org", at(0));
    assert_eq!(store.register_user(&decoy).await.unwrap(), Registered::Yes);

    assert!(store.purge(at(HOUR), at(0), 100).await.unwrap() >= 4);
    assert!(found(&*store, &pending).await.is_none(), "a sign-in that nobody can complete any more");
    assert!(found(&*store, &ada.sign_in).await.is_some(), "a session that is live");
    assert!(store.find_user(ada.user_id).await.unwrap().is_some());

    assert!(store.purge(at(DAY), at(0), 100).await.unwrap() >= 1);
    assert!(found(&*store, &ada.sign_in).await.is_none(), "a session that has expired");
    assert_eq!(store.purge(at(DAY), at(0), 100).await.unwrap(), 0, "nothing is left to purge");
    assert!(store.find_user(ada.user_id).await.unwrap().is_some());
}

pub async fn purging_does_not_exceed_its_limit(subject: &impl Subject) {
    let store = subject.store();
    for n in 0..5 {
        let nobody = sign_in(None, &format!("nobody{n}@example.org"), 1, at(0));
        assert_eq!(store.open_session(&nobody).await.unwrap(), Applied::Yes);
    }
    let mut rounds = 0;
    while store.purge(at(DAY), at(0), 2).await.unwrap() > 0 {
        rounds += 1;
    }
    assert!(rounds >= 3, "five sessions, two at a time, were gone after {rounds} rounds");
}

pub async fn purging_lets_a_settled_mail_go_after_a_week(subject: &impl Subject) {
    let store = subject.store();
    let nobody = sign_in(None, "nobody@example.org", 1, at(0));
    assert_eq!(store.open_session(&nobody).await.unwrap(), Applied::Yes);
    let mail = store.claim_mails(at(0), at(30), 1).await.unwrap().remove(0);
    let settled = store.settle_mail(mail.id, mail.attempt, Settlement::Delivered, "250 ok", at(0)).await.unwrap();
    assert_eq!(settled, Applied::Yes);
    store.purge(at(2 * DAY), at(0), 100).await.unwrap();
    assert_eq!(store.purge(at(7 * DAY - 1), at(0), 100).await.unwrap(), 0);
    assert_eq!(store.purge(at(7 * DAY), at(0), 100).await.unwrap(), 1);
}
