use auth_domain::{
    Conflict, CredentialId, EventKind, KeyPairId, Outcome, Page, Redeemed, SessionId, Store, UserChange,
};
use uuid::Uuid;

use super::{Subject, account, found, live_session, owner};
use crate::samples::{
    at, decoy_hash, decoy_registration, email_addition, email_change, event, key_pair, registration, right_guess,
    sign_in, vouched_email,
};

/// A moment after every sample's end.
const AFTER_THE_END: u64 = 2 * 24 * 60 * 60;

fn first_page() -> Page {
    Page::new(1, 10).unwrap()
}

async fn disable(store: &dyn Store, user: auth_domain::UserId) {
    let event = event(EventKind::UserDisabled, at(5)).about(user);
    assert_eq!(store.change_user(user, &UserChange::Disable, &event).await.unwrap(), Outcome::Done(()));
}

pub async fn sessions_of_accounts_are_listed_in_pages_newest_first_and_decoys_never(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let bob = account(&*store, "bob", "bob@example.org").await;
    let waiting = sign_in("ada@example.org", 2, at(1));
    assert_eq!(store.open_session(&waiting, &decoy_hash()).await.unwrap(), Outcome::Done(()));
    let nobody = sign_in("nobody@example.org", 1, at(1));
    assert_eq!(store.open_session(&nobody, &decoy_hash()).await.unwrap(), Outcome::Done(()));
    for unfinished in [registration("x", "x@example.org", at(1)), decoy_registration("y", "ada@example.org", at(1))] {
        assert_eq!(store.register_user(&unfinished).await.unwrap(), Outcome::Done(()));
    }
    let all = [waiting.session.id, bob.sign_in.session.id, ada.sign_in.session.id];
    for (user, number, size, second, expected, items) in [
        (None, 1, 10, 2, &all[..], 3),
        (None, 2, 2, 2, &all[2..], 3),
        (Some(ada.user_id), 1, 1, 2, &all[..1], 2),
        (Some(bob.user_id), 1, 10, 2, &all[1..2], 1),
        (None, 1, 10, AFTER_THE_END, &[], 0),
    ] {
        let page = Page::new(number, size).unwrap();
        let paged = store.page_sessions(user, at(second), page).await.unwrap();
        let ids: Vec<_> = paged.on_page.iter().map(|session| session.id).collect();
        assert_eq!((ids.as_slice(), paged.items), (expected, items), "{user:?} {page:?}");
    }
    let paged = store.page_sessions(Some(ada.user_id), at(2), first_page()).await.unwrap();
    assert_eq!(Some(&paged.on_page[1]), found(&*store, &ada.sign_in).await.as_ref());
    assert!(!paged.on_page[0].is_verified());
}

pub async fn a_session_that_is_given_is_live_at_once(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let given = sign_in("ada@example.org", 2, at(1)).session;
    let opened = event(EventKind::SessionOpened, at(1)).about(ada.user_id);
    assert_eq!(store.open_live_session(ada.user_id, &given, &opened).await.unwrap(), Outcome::Done(()));
    let live = store.find_session(&given.digest).await.unwrap().unwrap();
    assert_eq!((live.session.verified_at, live.user.id), (Some(at(1)), ada.user_id));

    disable(&*store, ada.user_id).await;
    let unfinished = registration("x", "x@example.org", at(1));
    assert_eq!(store.register_user(&unfinished).await.unwrap(), Outcome::Done(()));
    for user in [ada.user_id, unfinished.user_id, registration("y", "y@example.org", at(1)).user_id] {
        let given = sign_in("ada@example.org", 3, at(6)).session;
        assert_eq!(store.open_live_session(user, &given, &opened).await.unwrap(), Outcome::Stale);
        assert!(store.find_session(&given.digest).await.unwrap().is_none());
    }
}

pub async fn a_waiting_session_is_verified_and_any_session_closed_whosever_it_is(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let waiting = sign_in("ada@example.org", 2, at(1));
    assert_eq!(store.open_session(&waiting, &decoy_hash()).await.unwrap(), Outcome::Done(()));
    let id = waiting.session.id;
    for (second, expected) in [(2, Outcome::Done(ada.user_id)), (3, Outcome::Unchanged)] {
        let verifying = event(EventKind::SessionVerified, at(second));
        assert_eq!(store.verify_session(id, &verifying).await.unwrap(), expected);
        assert_eq!(found(&*store, &waiting).await.unwrap().verified_at, Some(at(2)));
    }
    assert_eq!(store.redeem_code(&right_guess(&waiting.code, at(3))).await.unwrap(), Redeemed::Refused);

    let closing = |second| event(EventKind::SessionClosed, at(second));
    assert_eq!(store.close_session(id, None, &closing(3)).await.unwrap(), Some(ada.user_id));
    assert_eq!(store.close_session(id, None, &closing(3)).await.unwrap(), None);
    assert!(found(&*store, &waiting).await.is_none());
    assert_eq!(store.close_session(ada.sign_in.session.id, None, &closing(AFTER_THE_END)).await.unwrap(), None);

    let nobody = sign_in("nobody@example.org", 1, at(1));
    assert_eq!(store.open_session(&nobody, &decoy_hash()).await.unwrap(), Outcome::Done(()));
    let unfinished = registration("x", "x@example.org", at(1));
    assert_eq!(store.register_user(&unfinished).await.unwrap(), Outcome::Done(()));
    let unknown = SessionId::from(Uuid::from_u128(u128::MAX));
    let before = store.list_events(None, None, 100).await.unwrap();
    for id in [nobody.session.id, unfinished.sign_in.session.id, unknown] {
        assert_eq!(
            store.verify_session(id, &event(EventKind::SessionVerified, at(2))).await.unwrap(),
            Outcome::NotFound
        );
        assert_eq!(store.close_session(id, None, &closing(2)).await.unwrap(), None);
    }
    assert_eq!(store.list_events(None, None, 100).await.unwrap(), before);
    let completed = store.redeem_code(&right_guess(&unfinished.sign_in.code, at(3))).await.unwrap();
    assert!(matches!(completed, Redeemed::Yes { .. }), "nobody but its owner ends a registration");
}

pub async fn all_sessions_of_a_user_are_closed_at_once(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let bob = account(&*store, "bob", "bob@example.org").await;
    let second = live_session(&*store, &ada, 2, at(1)).await;
    let closing = event(EventKind::OtherSessionsClosed, at(2)).about(ada.user_id);
    assert_eq!(store.close_sessions(ada.user_id, None, &closing).await.unwrap(), 2);
    assert!(found(&*store, &second).await.is_none() && found(&*store, &ada.sign_in).await.is_none());
    assert!(found(&*store, &bob.sign_in).await.is_some());
}

pub async fn key_pairs_are_listed_in_pages_verified_and_deleted_whosever_they_are(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let bob = account(&*store, "bob", "bob@example.org").await;
    let adas = key_pair(owner(&ada), "ada@example.org", at(1));
    assert_eq!(store.create_key_pair(&adas).await.unwrap(), Outcome::Done(()));
    let bobs = key_pair(owner(&bob), "bob@example.org", at(1)).key_pair;
    let making = event(EventKind::KeyPairCreated, at(1)).about(bob.user_id);
    assert_eq!(store.create_live_key_pair(&bobs, &making).await.unwrap(), Outcome::Done(()));
    assert!(store.find_key_pair(&bobs.digest).await.unwrap().unwrap().key_pair.verified);

    for (user, size, expected, items) in [
        (None, 10, vec![bobs.id, adas.key_pair.id], 2),
        (None, 1, vec![bobs.id], 2),
        (Some(ada.user_id), 10, vec![adas.key_pair.id], 1),
    ] {
        let paged = store.page_key_pairs(user, at(2), Page::new(1, size).unwrap()).await.unwrap();
        let ids: Vec<_> = paged.on_page.iter().map(|pair| pair.id).collect();
        assert_eq!((ids, paged.items), (expected, items));
    }
    assert_eq!(store.page_key_pairs(None, at(AFTER_THE_END), first_page()).await.unwrap().items, 0);

    let verifying = |second| event(EventKind::KeyPairVerified, at(second));
    assert_eq!(store.verify_key_pair(adas.key_pair.id, &verifying(2)).await.unwrap(), Outcome::Done(ada.user_id));
    assert!(store.find_key_pair(&adas.key_pair.digest).await.unwrap().unwrap().key_pair.verified);
    assert_eq!(store.verify_key_pair(adas.key_pair.id, &verifying(AFTER_THE_END)).await.unwrap(), Outcome::NotFound);
    let unknown = KeyPairId::from(Uuid::from_u128(u128::MAX));
    assert_eq!(store.verify_key_pair(unknown, &verifying(2)).await.unwrap(), Outcome::NotFound);

    let deleting = event(EventKind::KeyPairDeleted, at(3));
    assert_eq!(store.delete_key_pair(bobs.id, None, &deleting).await.unwrap(), Some(bob.user_id));
    assert_eq!(store.delete_key_pair(bobs.id, None, &deleting).await.unwrap(), None);
    assert!(store.find_key_pair(&bobs.digest).await.unwrap().is_none());

    disable(&*store, bob.user_id).await;
    let again = key_pair(owner(&bob), "bob@example.org", at(6)).key_pair;
    assert_eq!(store.create_live_key_pair(&again, &making).await.unwrap(), Outcome::Stale);
}

pub async fn an_address_is_vouched_for_only_while_nobody_else_has_it(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let bob = account(&*store, "bob", "bob@example.org").await;
    let seen = store.list_emails(ada.user_id).await.unwrap();
    let vouched = vouched_email(ada.user_id, &seen, "Second@example.org", at(1));
    assert_eq!(store.vouch_for_email(&vouched).await.unwrap(), Outcome::Done(()));
    let known = store.find_address(&vouched.address.key(), at(1)).await.unwrap().unwrap();
    assert!(known.is_owned() && !known.verified && known.owner.email_id == vouched.email_id);
    assert_eq!(store.vouch_for_email(&vouched).await.unwrap(), Outcome::Stale, "the addresses have changed");

    let bobs = store.list_emails(bob.user_id).await.unwrap();
    for taken in ["second@example.org", "ADA@example.org"] {
        let taken = vouched_email(bob.user_id, &bobs, taken, at(1));
        assert_eq!(store.vouch_for_email(&taken).await.unwrap(), Outcome::Conflict(Conflict::AddressTaken));
    }
    let mut foreign = email_addition(bob.user_id, &bobs, "second@example.org", at(1));
    assert_eq!(store.add_email(&foreign).await.unwrap(), Outcome::Stale, "it has an owner");
    foreign.foreign = true;
    assert_eq!(store.add_email(&foreign).await.unwrap(), Outcome::Done(()));
    let verifying = event(EventKind::EmailVerified, at(2));
    assert_eq!(
        store.verify_email(foreign.email_id, &verifying).await.unwrap(),
        Outcome::Conflict(Conflict::AddressTaken)
    );
}

pub async fn an_unverified_address_of_the_account_itself_can_be_vouched_for(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let seen = store.list_emails(ada.user_id).await.unwrap();
    let added = email_addition(ada.user_id, &seen, "second@example.org", at(1));
    assert_eq!(store.add_email(&added).await.unwrap(), Outcome::Done(()));
    let unfinished = registration("x", "second@example.org", at(1));
    assert_eq!(store.register_user(&unfinished).await.unwrap(), Outcome::Done(()));

    let seen = store.list_emails(ada.user_id).await.unwrap();
    let mut vouched = vouched_email(ada.user_id, &seen, "second@example.org", at(2));
    vouched.email_id = added.email_id;
    assert_eq!(store.vouch_for_email(&vouched).await.unwrap(), Outcome::Done(()));
    let emails = store.list_emails(ada.user_id).await.unwrap();
    assert_eq!(
        emails.iter().map(|email| (email.verified, email.vouched)).collect::<Vec<_>>(),
        [(true, false), (false, true)]
    );
    let refused = store.redeem_code(&right_guess(&unfinished.sign_in.code, at(3))).await.unwrap();
    assert_eq!(refused, Redeemed::Refused, "the registration for it is gone");

    let redeemed = store.redeem_code(&right_guess(&added.code, at(3))).await.unwrap();
    assert!(matches!(redeemed, Redeemed::Yes { .. }), "its owner can still prove it");
    let proved = store.list_emails(ada.user_id).await.unwrap().pop().unwrap();
    assert!(proved.verified && proved.vouched, "what an administrator has said stays said");
}

pub async fn an_address_is_verified_without_a_code(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let seen = store.list_emails(ada.user_id).await.unwrap();
    let added = email_addition(ada.user_id, &seen, "second@example.org", at(1));
    assert_eq!(store.add_email(&added).await.unwrap(), Outcome::Done(()));
    assert_eq!(store.find_email_owner(added.email_id).await.unwrap(), Some(ada.user_id));
    let waiting = registration("w", "second@example.org", at(1));
    assert_eq!(store.register_user(&waiting).await.unwrap(), Outcome::Done(()));
    let verifying = event(EventKind::EmailVerified, at(2));
    assert_eq!(store.verify_email(added.email_id, &verifying).await.unwrap(), Outcome::Done(()));
    assert!(store.find_address(&added.address.key(), at(2)).await.unwrap().unwrap().verified);
    let refused = store.redeem_code(&right_guess(&waiting.sign_in.code, at(2))).await.unwrap();
    assert_eq!(refused, Redeemed::Refused, "the registration for it is gone");

    let seen = store.list_emails(ada.user_id).await.unwrap();
    let change = email_change(ada.user_id, &seen, added.email_id, at(3));
    assert_eq!(store.remove_email(&change).await.unwrap(), Outcome::Done(()));
    let unfinished = registration("x", "x@example.org", at(1));
    assert_eq!(store.register_user(&unfinished).await.unwrap(), Outcome::Done(()));
    for id in [added.email_id, unfinished.email_id] {
        let verifying = event(EventKind::EmailVerified, at(4));
        assert_eq!(store.verify_email(id, &verifying).await.unwrap(), Outcome::NotFound);
        assert_eq!(store.find_email_owner(id).await.unwrap(), None);
    }
}

pub async fn usage_of_a_given_session_is_recorded(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let given = sign_in("ada@example.org", 2, at(1)).session;
    let opened = event(EventKind::SessionOpened, at(1)).about(ada.user_id);
    assert_eq!(store.open_live_session(ada.user_id, &given, &opened).await.unwrap(), Outcome::Done(()));
    store.record_usage(&[(CredentialId::Session(given.id), at(7))]).await.unwrap();
    let found = store.find_session(&given.digest).await.unwrap().unwrap();
    assert_eq!(found.session.last_used_at, Some(at(7)));
}
