use auth_domain::{
    Conflict, CredentialId, Event, EventKind, EventOutcome, Outcome, Redeemed, Store, UserChange, UserId, VouchedEmail,
};

use super::{Subject, account, closes, deletes, deletes_key, owner};
use crate::samples::{
    account as sample_account, at, decoy_hash, decoy_registration, email_addition, email_change, event, key_pair,
    purge, registration, right_guess, sign_in, vouched_email, wrong_guess,
};

/// What the log says that concerns `user`, oldest first.
async fn told(store: &dyn Store, user: UserId) -> Vec<Event> {
    let mut events = store.list_events(Some(user), None, 100).await.unwrap();
    events.reverse();
    events
}

async fn kinds(store: &dyn Store, user: UserId) -> Vec<&'static str> {
    told(store, user).await.into_iter().map(|event| event.kind.as_str()).collect()
}

pub async fn a_fact_that_happens_is_told_and_one_that_does_not_is_not(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let bob = account(&*store, "bob", "bob@example.org").await;
    let (id, session) = (ada.user_id, ada.sign_in.session.id);
    assert!(!closes(&*store, session, bob.user_id, 1).await);
    let seen = store.list_emails(id).await.unwrap();
    let added = email_addition(id, &seen, "second@example.org", at(1));
    assert_eq!(store.add_email(&added).await.unwrap(), Outcome::Done(()));
    assert_eq!(store.add_email(&added).await.unwrap(), Outcome::Stale);
    let pair = key_pair(owner(&ada), "ada@example.org", at(1));
    assert_eq!(store.create_key_pair(&pair).await.unwrap(), Outcome::Done(()));
    assert!(!deletes_key(&*store, pair.key_pair.id, bob.user_id, 1).await);
    assert!(deletes_key(&*store, pair.key_pair.id, id, 1).await);
    let seen = store.list_emails(id).await.unwrap();
    assert_eq!(store.remove_email(&email_change(id, &seen, added.email_id, at(2))).await.unwrap(), Outcome::Done(()));
    assert_eq!(store.remove_email(&email_change(id, &seen, added.email_id, at(2))).await.unwrap(), Outcome::Stale);
    for change in [UserChange::Disable, UserChange::Disable] {
        let disabling = event(EventKind::UserDisabled, at(3)).about(id);
        let _yes_then_already = store.change_user(id, &change, &disabling).await.unwrap();
    }
    assert!(!closes(&*store, session, id, 4).await, "it ended with the account");

    let expected =
        ["user.registered", "email.added", "key-pair.created", "key-pair.deleted", "email.removed", "user.disabled"];
    assert_eq!(kinds(&*store, id).await, expected);
}

pub async fn verifying_or_giving_what_is_so_already_is_acknowledged_and_leaves_nothing(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let waiting = sign_in("ada@example.org", 2, at(1));
    assert_eq!(store.open_session(&waiting, &decoy_hash()).await.unwrap(), Outcome::Done(()));
    let pair = key_pair(owner(&ada), "ada@example.org", at(1));
    assert_eq!(store.create_key_pair(&pair).await.unwrap(), Outcome::Done(()));
    let seen = store.list_emails(ada.user_id).await.unwrap();
    let given = vouched_email(ada.user_id, &seen, "second@example.org", at(1));
    assert_eq!(store.vouch_for_email(&given).await.unwrap(), Outcome::Done(()));
    let seen = store.list_emails(ada.user_id).await.unwrap();
    let given_again =
        VouchedEmail { email_id: given.email_id, ..vouched_email(ada.user_id, &seen, "second@example.org", at(2)) };
    // Claims what is owed so far, so that only what comes on top is found later.
    let owed = store.claim_mails(at(2), at(32), 100).await.unwrap();
    assert!(owed.iter().any(|mail| mail.id == given.notices[0].id));
    assert_eq!(store.vouch_for_email(&given_again).await.unwrap(), Outcome::Unchanged);

    for (verified, vouched) in
        [(Outcome::Done(ada.user_id), Outcome::Done(())), (Outcome::Unchanged, Outcome::Unchanged)]
    {
        let session = event(EventKind::SessionVerified, at(3));
        assert_eq!(store.verify_session(waiting.session.id, &session).await.unwrap(), verified);
        let key_pair = event(EventKind::KeyPairVerified, at(3));
        assert_eq!(store.verify_key_pair(pair.key_pair.id, &key_pair).await.unwrap(), verified);
        let email = event(EventKind::EmailVerified, at(3));
        assert_eq!(store.verify_email(given.email_id, &email).await.unwrap(), vouched);
    }
    let expected = [
        "user.registered",
        "key-pair.created",
        "email.added",
        "session.verified",
        "key-pair.verified",
        "email.verified",
    ];
    assert_eq!(kinds(&*store, ada.user_id).await, expected);
    assert!(store.claim_mails(at(4), at(34), 100).await.unwrap().is_empty());
}

pub async fn all_that_an_account_is_made_with_is_told_or_nothing(subject: &impl Subject) {
    let store = subject.store();
    let new = sample_account("grace", "grace@example.org", at(1));
    assert_eq!(store.create_account(&new).await.unwrap(), Outcome::Done(()));
    assert_eq!(told(&*store, new.user_id).await, new.events);
    let refused = sample_account("Grace", "other@example.org", at(1));
    assert_eq!(store.create_account(&refused).await.unwrap(), Outcome::Conflict(Conflict::AliasTaken));
    assert!(told(&*store, refused.user_id).await.is_empty());
}

pub async fn every_field_of_an_event_comes_back(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let bob = account(&*store, "bob", "bob@example.org").await;
    let closing = Event {
        actor: Some(bob.user_id),
        credential: Some(CredentialId::Session(bob.sign_in.session.id).uuid()),
        ip: Some("2001:db8::7".parse().unwrap()),
        ..event(EventKind::SessionClosed, at(3))
    };
    let closed = store.close_session(ada.sign_in.session.id, None, &closing).await.unwrap();
    assert_eq!(closed, Some(ada.user_id));
    let expected = Event { subject: Some(ada.user_id), ..closing };
    assert_eq!(told(&*store, ada.user_id).await.pop(), Some(expected.clone()));
    assert_eq!(told(&*store, bob.user_id).await.pop(), Some(expected), "the actor is concerned as well");

    let bare = Event {
        ip: None,
        detail: String::new(),
        outcome: EventOutcome::Failure,
        ..event(EventKind::UserEnabled, at(4))
    };
    let disabling = event(EventKind::UserDisabled, at(4));
    assert_eq!(store.change_user(bob.user_id, &UserChange::Disable, &disabling).await.unwrap(), Outcome::Done(()));
    assert_eq!(store.change_user(bob.user_id, &UserChange::Enable, &bare).await.unwrap(), Outcome::Done(()));
    let all = store.list_events(None, None, 100).await.unwrap();
    assert!(all.contains(&bare) && all.contains(&disabling));
}

pub async fn signing_in_and_failing_to_are_told_and_garbage_is_not(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let pending = sign_in("ada@example.org", 2, at(1));
    assert_eq!(store.open_session(&pending, &decoy_hash()).await.unwrap(), Outcome::Done(()));
    let wrong = store.redeem_code(&wrong_guess(&pending.code, at(2))).await.unwrap();
    assert_eq!(wrong, Redeemed::Wrong { owner: Some(ada.user_id) });
    for _ in 0..2 {
        let _yes_then_refused = store.redeem_code(&right_guess(&pending.code, at(3))).await.unwrap();
    }
    let events = told(&*store, ada.user_id).await;
    let lines: Vec<_> = events.iter().map(|event| (event.kind.as_str(), event.outcome.as_str(), event.at)).collect();
    assert_eq!(
        lines,
        [
            ("user.registered", "success", at(0)),
            ("code.failed", "failure", at(2)),
            ("session.signed-in", "success", at(3)),
        ]
    );
    let session = CredentialId::Session(pending.session.id).uuid();
    assert_eq!((events[2].actor, events[2].credential), (Some(ada.user_id), Some(session)));
    assert_eq!((events[1].actor, events[1].subject), (None, Some(ada.user_id)));

    let nobody = sign_in("nobody@example.org", 1, at(1));
    assert_eq!(store.open_session(&nobody, &decoy_hash()).await.unwrap(), Outcome::Done(()));
    let before = store.list_events(None, None, 100).await.unwrap().len();
    let wrong = store.redeem_code(&wrong_guess(&nobody.code, at(2))).await.unwrap();
    assert_eq!(wrong, Redeemed::Wrong { owner: None }, "a decoy's failure is told as any other");
    let never_stored = sign_in("nobody@example.org", 1, at(1));
    assert_eq!(store.redeem_code(&wrong_guess(&never_stored.code, at(2))).await.unwrap(), Redeemed::Refused);
    assert_eq!(store.list_events(None, None, 100).await.unwrap().len(), before + 1);
}

pub async fn a_wrong_guess_at_a_decoy_registration_is_told_about_nobody(subject: &impl Subject) {
    let store = subject.store();
    account(&*store, "ada", "ada@example.org").await;
    let decoy = decoy_registration("y", "ada@example.org", at(1));
    assert_eq!(store.register_user(&decoy).await.unwrap(), Outcome::Done(()));
    let wrong = store.redeem_code(&wrong_guess(&decoy.sign_in.code, at(2))).await.unwrap();
    assert_eq!(wrong, Redeemed::Wrong { owner: None });
    let newest = store.list_events(None, None, 1).await.unwrap().remove(0);
    assert_eq!((newest.kind, newest.actor, newest.subject), (EventKind::CodeFailed, None, None));
}

pub async fn closing_all_sessions_is_told_exactly_if_one_of_them_was_live(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let keep = ada.sign_in.session.id;
    let pending = sign_in("ada@example.org", 2, at(1));
    assert_eq!(store.open_session(&pending, &decoy_hash()).await.unwrap(), Outcome::Done(()));
    let closing = |second| event(EventKind::OtherSessionsClosed, at(second)).about(ada.user_id);
    assert_eq!(store.close_sessions(ada.user_id, Some(keep), &closing(2)).await.unwrap(), 0);
    assert_eq!(kinds(&*store, ada.user_id).await, ["user.registered"], "one that waits for its code is not live");
    assert_eq!(store.close_sessions(ada.user_id, None, &closing(3)).await.unwrap(), 1);
    assert_eq!(store.close_sessions(ada.user_id, None, &closing(4)).await.unwrap(), 0);
    assert_eq!(kinds(&*store, ada.user_id).await, ["user.registered", "session.others-closed"]);
}

pub async fn a_decoy_registration_leaves_no_more_trace_than_a_real_one(subject: &impl Subject) {
    let store = subject.store();
    account(&*store, "ada", "ada@example.org").await;
    let before = store.list_events(None, None, 100).await.unwrap().len();
    for unfinished in [registration("x", "x@example.org", at(1)), decoy_registration("y", "ada@example.org", at(1))] {
        assert_eq!(store.register_user(&unfinished).await.unwrap(), Outcome::Done(()));
    }
    assert_eq!(store.list_events(None, None, 100).await.unwrap().len(), before);
}

pub async fn events_outlive_whom_they_concern(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    assert_eq!(deletes(&*store, ada.user_id).await, Outcome::Done(()));
    assert_eq!(kinds(&*store, ada.user_id).await, ["user.registered", "user.deleted"]);
}

pub async fn events_are_listed_newest_first_and_from_any_of_them_on(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    for n in 0..5 {
        let change = if n % 2 == 0 { UserChange::Disable } else { UserChange::Enable };
        let changing = event(EventKind::UserDisabled, at(n)).about(ada.user_id).detailed(n.to_string());
        assert_eq!(store.change_user(ada.user_id, &change, &changing).await.unwrap(), Outcome::Done(()));
    }
    let details = |events: &[Event]| events.iter().map(|event| event.detail.clone()).collect::<Vec<_>>();
    let first = store.list_events(Some(ada.user_id), None, 2).await.unwrap();
    assert_eq!(details(&first), ["4", "3"]);
    let second = store.list_events(Some(ada.user_id), Some(first[1].id), 2).await.unwrap();
    assert_eq!(details(&second), ["2", "1"]);
    let rest = store.list_events(None, Some(second[1].id), 100).await.unwrap();
    assert_eq!(details(&rest), ["0", ""]);
    assert!(store.list_events(None, Some(rest[1].id), 100).await.unwrap().is_empty());
}

pub async fn old_events_are_purged(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let changing = event(EventKind::UserDisabled, at(10)).about(ada.user_id);
    assert_eq!(store.change_user(ada.user_id, &UserChange::Disable, &changing).await.unwrap(), Outcome::Done(()));
    store.purge(&purge(at(11), at(9), 100)).await.unwrap();
    assert_eq!(kinds(&*store, ada.user_id).await, ["user.disabled"]);
    assert_eq!(store.purge(&purge(at(11), at(10), 100)).await.unwrap(), 1);
    assert!(kinds(&*store, ada.user_id).await.is_empty());
}
