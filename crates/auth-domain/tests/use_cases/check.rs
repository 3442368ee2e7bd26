use std::{sync::Arc, time::Duration};

use auth_domain::{Auth, AuthError, Bearer, Policy, Ports, StoreError, system::SystemEntropy};
use auth_testkit::{MockStore, World};

use crate::person::Service;

#[tokio::test]
async fn an_invented_bearer_is_refused_without_asking_the_store() {
    let world = World::new();
    let mut store = MockStore::new();
    store.expect_find_session().never();
    let auth = Auth::new(Ports { store: Arc::new(store), ..world.ports() }, Policy::default(), world.keys.clone());
    for invented in ["", "aub_", &"a".repeat(64), "Bearer aub_x"] {
        let refused = auth.check_session(invented).await;
        assert!(matches!(refused, Err(AuthError::InvalidCredential)));
    }
}

#[tokio::test]
async fn a_well_formed_bearer_nobody_holds_is_invalid() {
    let service = Service::new();
    let never_stored = Bearer::mint(&service.world.keys, &SystemEntropy).unwrap();
    let refused = service.auth.check_session(never_stored.expose()).await;
    assert!(matches!(refused, Err(AuthError::InvalidCredential)));
}

#[tokio::test]
async fn a_store_that_fails_makes_a_credential_unknown_never_invalid() {
    let service = Service::new();
    let opened = service.register("ada", "ada@example.org").await.unwrap();
    service.world.store.go_away();
    let unknown = service.auth.check_session(opened.bearer.expose()).await;
    assert!(matches!(unknown, Err(AuthError::Store(StoreError::Unavailable(_)))));
}

#[tokio::test]
async fn a_session_is_refused_from_the_moment_it_expires() {
    let service = Service::new();
    service.registered("ada", "ada@example.org").await;
    let (opened, _) = service.signed_in("ada@example.org", 1).await;
    service.world.clock.advance(Duration::from_hours(24) - Duration::from_millis(1));
    assert!(service.is_signed_in(&opened).await);
    service.world.clock.advance(Duration::from_millis(1));
    assert!(!service.is_signed_in(&opened).await);
}

#[tokio::test]
async fn a_disabled_user_is_refused_at_the_next_check() {
    let service = Service::new();
    service.registered("ada", "ada@example.org").await;
    let (opened, live) = service.signed_in("ada@example.org", 1).await;
    service.world.store.disable(live.user.id);
    assert!(!service.is_signed_in(&opened).await);
}

#[tokio::test]
async fn the_last_use_is_written_in_batches_and_survives_an_outage() {
    let service = Service::new();
    service.registered("ada", "ada@example.org").await;
    let (opened, _) = service.signed_in("ada@example.org", 1).await;
    service.auth.flush_usage().await.unwrap();
    service.world.clock.advance(Duration::from_mins(5));
    let live = service.auth.check_session(opened.bearer.expose()).await.unwrap();
    let used_at = auth_domain::Clock::now(&*service.world.clock);
    assert!(live.session.last_used_at < Some(used_at), "a check writes nothing");

    service.world.store.go_away();
    assert!(service.auth.flush_usage().await.is_err());
    service.world.store.come_back();
    service.auth.flush_usage().await.unwrap();
    let sessions = service.auth.list_sessions(&live).await.unwrap();
    let current = sessions.iter().find(|item| item.current).unwrap();
    assert_eq!(current.session.last_used_at, Some(used_at));
}
