use std::sync::Arc;

use auth_domain::{Auth, AuthError, Caller, Policy, Ports, State};
use auth_testkit::{MockStore, World};

use crate::person::{Service, address, client};

#[tokio::test]
async fn anyone_may_know_the_alias_of_a_verified_user() {
    let service = Service::new();
    let ada = service.registered("ada", "ada@example.org").await;
    assert_eq!(service.auth.public_alias(ada.user.id, &client(1)).await.unwrap().as_str(), "ada");
    let unknown = service.auth.public_alias(uuid::Uuid::nil().into(), &client(1)).await;
    assert!(matches!(unknown, Err(AuthError::NotFound)));
}

#[tokio::test]
async fn a_deleted_account_is_gone_with_everything_that_opened_it() {
    let service = Service::new();
    let ada = service.registered("ada", "ada@example.org").await;
    let (elsewhere, _) = service.signed_in("ada@example.org", 1).await;

    service.auth.delete_account(&Caller::Session(ada.clone()), &client(1)).await.unwrap();

    assert!(!service.is_signed_in(&elsewhere).await);
    assert!(matches!(service.auth.public_alias(ada.user.id, &client(1)).await, Err(AuthError::NotFound)));
    assert!(matches!(
        service.auth.delete_account(&Caller::Session(ada.clone()), &client(1)).await,
        Err(AuthError::InvalidCredential)
    ));
    service.sign_in("ada@example.org", 1).await;
    assert!(service.world.deliver_mail().await.is_empty(), "its address leads nowhere");
    service.registered("ada", "ada@example.org").await;
}

#[tokio::test]
async fn whoever_asks_about_anothers_address_has_nothing_looked_up_that_could_take_its_time() {
    let ada = Service::new().registered("ada", "ada@example.org").await;
    let (mut store, world) = (MockStore::new(), World::new());
    store.expect_view().returning(|scope| {
        assert_eq!(scope.address, None);
        Ok(State::default())
    });
    let auth = Auth::new(Ports { store: Arc::new(store), ..world.ports() }, Policy::default(), world.keys.clone());

    let found = auth.user_by_email(&Caller::Session(ada), &address("bob@example.org")).await;
    assert!(matches!(found, Err(AuthError::NotFound)));
}
