use auth_domain::{AuthError, Hanging, KeyRole, ServerKeys};

use crate::person::Service;

const OLD: [u8; 32] = [7; 32];
const NEW: [u8; 32] = [9; 32];

/// The keys and, for each, its role and how many sessions hang on it.
async fn listed(service: &Service) -> Vec<(KeyRole, u64)> {
    let keys = service.auth.list_server_keys().await.unwrap();
    keys.into_iter().map(|key| (key.role, key.hanging.sessions)).collect()
}

#[tokio::test]
async fn keys_that_are_replaced_under_the_service_end_what_hung_on_the_one_that_is_gone() {
    let service = Service::new();
    service.registered("ada", "ada@example.org").await;
    let (before, _) = service.signed_in("ada@example.org", 1).await;
    let old_sessions = listed(&service).await;
    assert!(matches!(old_sessions[..], [(KeyRole::Signs, 1..)]), "{old_sessions:?}");
    let old_sessions = old_sessions[0].1;

    service.world.keys.replace(&ServerKeys::new([NEW, OLD]).unwrap());
    assert!(service.is_signed_in(&before).await);
    let (after, _) = service.signed_in("ada@example.org", 1).await;
    assert_eq!(listed(&service).await, [(KeyRole::Signs, 1), (KeyRole::Verifies, old_sessions)]);

    service.world.keys.replace(&ServerKeys::new([NEW]).unwrap());
    assert!(!service.is_signed_in(&before).await);
    assert!(service.is_signed_in(&after).await);
    assert_eq!(listed(&service).await, [(KeyRole::Signs, 1), (KeyRole::Gone, old_sessions)]);
}

#[tokio::test]
async fn a_key_on_which_nothing_hangs_is_listed_and_a_store_that_fails_is_no_empty_list() {
    let service = Service::new();
    let keys = service.auth.list_server_keys().await.unwrap();
    assert!(matches!(keys[..], [key] if key.role == KeyRole::Signs && key.hanging == Hanging::default()));
    service.world.store.go_away();
    assert!(matches!(service.auth.list_server_keys().await, Err(AuthError::Store(_))));
}
