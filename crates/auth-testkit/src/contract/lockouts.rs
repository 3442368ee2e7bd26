use std::slice;

use auth_domain::{EventKind, Lockout, MailClass, NewCode, Outcome, QueuedMail, Store, Timestamp, ToldLockout};

use super::{
    Subject, account, deletes,
    guessing::{code, limits, right, wrong},
    owner,
};
use crate::samples::{address, at, client, decoy_hash, email_change, event, sign_in};

/// Guesses wrong so often at a code that its address is shut for good.
async fn shut(store: &dyn Store, code: &NewCode, network: u8) {
    for _ in 0..3 {
        assert_eq!(wrong(store, code, limits(10, 3), network, 2).await, "wrong");
    }
    assert_eq!(right(store, code, limits(10, 3), network, 2).await, "shut");
}

fn notice() -> QueuedMail {
    let notices = email_change(uuid::Uuid::nil().into(), &[], uuid::Uuid::nil().into(), at(3)).notices;
    notices.into_iter().next().unwrap()
}

fn told(lockout: &Lockout, mail: Option<QueuedMail>, told_at: Timestamp) -> ToldLockout {
    ToldLockout { lockout: lockout.clone(), failures_in_a_row: 3, mail, told_at }
}

pub async fn an_owner_is_told_once_that_an_address_is_shut(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "Ada@Example.org").await;
    let hers = code(&*store, &ada, 5, 1).await.code;
    assert_eq!(wrong(&*store, &hers, limits(10, 3), 5, 1).await, "wrong");
    assert!(store.list_untold_lockouts(3, 10).await.unwrap().is_empty(), "not yet");
    let hers = code(&*store, &ada, 6, 1).await.code;
    for _ in 0..2 {
        assert_eq!(wrong(&*store, &hers, limits(10, 3), 6, 1).await, "wrong");
    }
    let lockout = Lockout { address: ada.address_key(), network: None, mail_to: Some(ada.address.clone()) };
    assert_eq!(store.list_untold_lockouts(3, 10).await.unwrap(), slice::from_ref(&lockout));
    assert!(store.list_untold_lockouts(4, 10).await.unwrap().is_empty());

    let _codes = store.claim_mails(at(2), at(32), 10).await.unwrap();
    let mail = notice();
    assert_eq!(store.tell_lockout(&told(&lockout, Some(mail.clone()), at(3))).await.unwrap(), Outcome::Done(()));
    assert_eq!(store.tell_lockout(&told(&lockout, Some(notice()), at(3))).await.unwrap(), Outcome::Stale);
    let owed = store.claim_mails(at(3), at(33), 10).await.unwrap();
    assert_eq!(owed.iter().map(|mail| (mail.id, mail.class)).collect::<Vec<_>>(), [(mail.id, MailClass::Notice)]);
    assert!(store.list_untold_lockouts(3, 10).await.unwrap().is_empty());
}

pub async fn a_lockout_that_is_over_is_not_told_and_the_next_one_is(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    shut(&*store, &code(&*store, &ada, 5, 1).await.code, 5).await;
    let lockout = store.list_untold_lockouts(3, 10).await.unwrap().remove(0);
    let owners = code(&*store, &ada, 1, 2).await.code;
    assert_eq!(right(&*store, &owners, limits(10, 3), 1, 2).await, "yes");
    assert_eq!(store.tell_lockout(&told(&lockout, Some(notice()), at(3))).await.unwrap(), Outcome::Stale);
    assert!(store.list_untold_lockouts(3, 10).await.unwrap().is_empty());

    for (network, second) in [(6, 2), (7, 3)] {
        let code = code(&*store, &ada, network, 100_000 * second).await.code;
        for _ in 0..3 {
            assert_eq!(wrong(&*store, &code, limits(10, 3), network, 100_000 * second).await, "wrong");
        }
        let found = store.list_untold_lockouts(3, 10).await.unwrap();
        assert_eq!(found, slice::from_ref(&lockout), "in each row anew");
        assert_eq!(store.tell_lockout(&told(&lockout, None, at(3))).await.unwrap(), Outcome::Done(()));
        let owners = code_at_home(&*store, &ada, 100_000 * second).await;
        assert_eq!(right(&*store, &owners, limits(10, 3), 1, 100_000 * second).await, "yes");
    }
}

async fn code_at_home(store: &dyn Store, ada: &auth_domain::Registration, second: u64) -> NewCode {
    code(store, ada, 1, second).await.code
}

pub async fn an_address_that_nobody_owns_is_shut_and_nobody_told(subject: &impl Subject) {
    let store = subject.store();
    let nobody = sign_in("nobody@example.org", 5, at(1));
    let _stored = store.open_session(&nobody, &decoy_hash()).await.unwrap();
    shut(&*store, &nobody.code, 5).await;
    let lockout = Lockout { address: nobody.code.address.clone(), network: None, mail_to: None };
    assert_eq!(store.list_untold_lockouts(3, 10).await.unwrap(), slice::from_ref(&lockout));
    assert_eq!(store.tell_lockout(&told(&lockout, None, at(3))).await.unwrap(), Outcome::Done(()));
    assert!(store.list_untold_lockouts(3, 10).await.unwrap().is_empty());
}

pub async fn lockouts_are_listed_up_to_a_limit_those_of_known_networks_too(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    shut(&*store, &code(&*store, &ada, 5, 1).await.code, 5).await;
    shut(&*store, &code(&*store, &ada, 1, 1).await.code, 1).await;
    assert_eq!(store.list_untold_lockouts(3, 1).await.unwrap().len(), 1);
    let mut networks: Vec<_> = store.list_untold_lockouts(3, 10).await.unwrap();
    networks.sort_by_key(|lockout| lockout.network);
    let networks: Vec<_> = networks.into_iter().map(|lockout| lockout.network).collect();
    assert_eq!(networks, [None, Some(client(1).network())]);
}

pub async fn lockouts_are_listed_in_an_order(subject: &impl Subject) {
    let store = subject.store();
    for (address, guesses) in [("c@example.org", 3), ("a@example.org", 4), ("b@example.org", 3)] {
        let nobody = sign_in(address, 5, at(1));
        let _stored = store.open_session(&nobody, &decoy_hash()).await.unwrap();
        for _ in 0..guesses {
            assert_eq!(wrong(&*store, &nobody.code, limits(10, 4), 5, 2).await, "wrong");
        }
    }
    for limit in 1..4 {
        let listed = store.list_untold_lockouts(3, limit).await.unwrap();
        let listed: Vec<_> = listed.iter().map(|lockout| lockout.address.as_str()).collect();
        assert_eq!(listed, ["b@example.org", "c@example.org", "a@example.org"][..listed.len()]);
        assert_eq!(listed.len(), usize::try_from(limit).unwrap());
    }
}

pub async fn unlocking_forgets_all_wrong_guesses_and_is_told(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let (strangers, owners) = (code(&*store, &ada, 5, 1).await.code, code(&*store, &ada, 1, 1).await.code);
    shut(&*store, &strangers, 5).await;
    shut(&*store, &owners, 1).await;
    let unlocking = event(EventKind::UserUnlocked, at(3));
    let unlocked = store.unlock_address(&ada.address_key(), &unlocking).await.unwrap();
    assert_eq!(unlocked, Outcome::Done(Some(ada.user_id)));
    assert_eq!(right(&*store, &strangers, limits(10, 3), 5, 3).await, "yes");
    assert_eq!(right(&*store, &owners, limits(10, 3), 1, 3).await, "yes");
    assert_eq!(store.unlock_address(&ada.address_key(), &unlocking).await.unwrap(), Outcome::Unchanged);
    let events = store.list_events(Some(ada.user_id), None, 100).await.unwrap();
    let unlockings: Vec<_> = events.iter().filter(|event| event.kind == EventKind::UserUnlocked).collect();
    assert_eq!(unlockings.len(), 1);
    assert_eq!((unlockings[0].id, unlockings[0].subject), (unlocking.id, Some(ada.user_id)));
}

pub async fn an_address_that_nobody_owns_is_unlocked_too(subject: &impl Subject) {
    let store = subject.store();
    let key = address("nobody@example.org").key();
    let unlocking = event(EventKind::UserUnlocked, at(3));
    assert_eq!(store.unlock_address(&key, &unlocking).await.unwrap(), Outcome::Unchanged);
    let nobody = sign_in("nobody@example.org", 5, at(1));
    let _stored = store.open_session(&nobody, &decoy_hash()).await.unwrap();
    shut(&*store, &nobody.code, 5).await;
    assert_eq!(store.unlock_address(&key, &unlocking).await.unwrap(), Outcome::Done(None));
    assert_eq!(wrong(&*store, &nobody.code, limits(10, 3), 5, 3).await, "wrong");
}

pub async fn deleting_a_user_makes_strangers_of_their_networks(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    assert_eq!(deletes(&*store, ada.user_id).await, Outcome::Done(()));
    let again = account(&*store, "ada", "ada@example.org").await;
    assert_ne!(owner(&again), owner(&ada));
    let strangers = code(&*store, &again, 5, 1).await.code;
    shut(&*store, &strangers, 5).await;
    let owners = code(&*store, &again, 1, 1).await.code;
    assert_eq!(right(&*store, &owners, limits(10, 3), 1, 2).await, "yes", "it is known from the new sign-in");
}
