use auth_domain::{CredentialId, Outcome, SessionId, Store, UserId};
use uuid::Uuid;

use super::{Subject, account, closes, closes_others, found, live_session};
use crate::samples::{at, decoy_hash, sign_in};

async fn listed(store: &dyn Store, user: UserId, second: u64) -> Vec<SessionId> {
    store.list_sessions(user, at(second)).await.unwrap().into_iter().map(|session| session.id).collect()
}

/// A moment after every sample session's end.
const AFTER_THE_END: u64 = 2 * 24 * 60 * 60;

pub async fn only_live_sessions_are_listed_newest_first(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let bob = account(&*store, "bob", "bob@example.org").await;
    let second = live_session(&*store, &ada, 2, at(1)).await;
    let pending = sign_in("ada@example.org", 3, at(2));
    assert_eq!(store.open_session(&pending, &decoy_hash()).await.unwrap(), Outcome::Done(()));

    assert_eq!(listed(&*store, ada.user_id, 3).await, [second.session.id, ada.sign_in.session.id]);
    assert_eq!(listed(&*store, bob.user_id, 3).await, [bob.sign_in.session.id]);
    assert!(listed(&*store, ada.user_id, AFTER_THE_END).await.is_empty());
}

pub async fn extending_moves_the_end_and_never_backwards(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let id = ada.sign_in.session.id;
    for (until, expected) in [(100_000, 100_000), (90_000, 100_000), (200_000, 200_000)] {
        assert_eq!(store.extend_session(id, at(until), at(1)).await.unwrap(), Outcome::Done(()));
        assert_eq!(found(&*store, &ada.sign_in).await.unwrap().expires_at, at(expected));
    }
}

pub async fn an_ended_session_cannot_be_extended(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let id = ada.sign_in.session.id;
    let pending = sign_in("ada@example.org", 3, at(2));
    assert_eq!(store.open_session(&pending, &decoy_hash()).await.unwrap(), Outcome::Done(()));
    let until = at(2 * AFTER_THE_END);
    assert_eq!(store.extend_session(id, until, at(AFTER_THE_END)).await.unwrap(), Outcome::Stale, "expired");
    assert_eq!(store.extend_session(pending.session.id, until, at(3)).await.unwrap(), Outcome::Stale, "waiting");
    assert!(closes(&*store, id, ada.user_id, 3).await);
    assert_eq!(store.extend_session(id, until, at(3)).await.unwrap(), Outcome::Stale, "closed");
}

pub async fn a_session_is_closed_by_its_owner_only(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let bob = account(&*store, "bob", "bob@example.org").await;
    let id = ada.sign_in.session.id;
    assert!(!closes(&*store, id, bob.user_id, 1).await);
    assert!(found(&*store, &ada.sign_in).await.is_some());
    assert!(closes(&*store, id, ada.user_id, 1).await);
    assert!(found(&*store, &ada.sign_in).await.is_none());
    assert!(!closes(&*store, id, ada.user_id, 1).await, "closed already");
}

pub async fn an_expired_session_cannot_be_closed(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let closed = closes(&*store, ada.sign_in.session.id, ada.user_id, AFTER_THE_END).await;
    assert!(!closed);
}

pub async fn closing_the_others_counts_the_live_and_ends_the_pending(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let bob = account(&*store, "bob", "bob@example.org").await;
    live_session(&*store, &ada, 2, at(1)).await;
    live_session(&*store, &ada, 3, at(1)).await;
    let pending = sign_in("ada@example.org", 4, at(1));
    assert_eq!(store.open_session(&pending, &decoy_hash()).await.unwrap(), Outcome::Done(()));

    let keep = ada.sign_in.session.id;
    assert_eq!(closes_others(&*store, ada.user_id, keep, 2).await, 2);
    assert_eq!(listed(&*store, ada.user_id, 2).await, [keep]);
    assert!(found(&*store, &pending).await.is_none());
    assert!(found(&*store, &bob.sign_in).await.is_some());
    assert_eq!(closes_others(&*store, ada.user_id, keep, 2).await, 0);
}

pub async fn usage_moves_forward_only_and_ignores_what_is_gone(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let id = ada.sign_in.session.id;
    let gone = SessionId::from(Uuid::from_u128(u128::MAX));
    let (gone, session) = (CredentialId::Session(gone), CredentialId::Session(id));
    store.record_usage(&[(gone, at(5)), (session, at(5))]).await.unwrap();
    store.record_usage(&[(session, at(4))]).await.unwrap();
    store.record_usage(&[]).await.unwrap();
    assert_eq!(found(&*store, &ada.sign_in).await.unwrap().last_used_at, Some(at(5)));
}
