use std::{sync::Arc, time::Duration};

use auth_domain::{
    Auth, AuthError, Caller, CreatedKeyPair, KeyLife, KeyName, KeyPairWish, Language, LiveSession, Policy, Ports,
    RoleName, StoreError,
};
use auth_testkit::{MockStore, World};

use crate::person::{Service, address, client, wrong};

fn wish(days: i64, roles: Option<&[&str]>) -> KeyPairWish {
    KeyPairWish {
        name: KeyName::parse("nightly").unwrap(),
        life: KeyLife::of_days(days).unwrap(),
        roles: roles.map(|roles| roles.iter().map(|role| (*role).to_owned()).collect()),
    }
}

impl Service {
    async fn make(&self, caller: &LiveSession, wish: KeyPairWish) -> Result<CreatedKeyPair, AuthError> {
        self.auth.create_key_pair(caller, wish, &client(1), &Language::default()).await
    }

    async fn is_accepted(&self, created: &CreatedKeyPair) -> bool {
        match self.auth.check_key_pair(created.api_key.as_str(), created.api_secret.expose()).await {
            Ok(_) => true,
            Err(AuthError::InvalidCredential) => false,
            Err(other) => panic!("the check failed: {other}"),
        }
    }

    /// Makes a key pair and verifies it.
    async fn has_key(&self, caller: &LiveSession, wish: KeyPairWish) -> CreatedKeyPair {
        let created = self.make(caller, wish).await.unwrap();
        let code = self.only_mail().await.code;
        self.auth.redeem_key_pair_code(caller, created.code_id.unwrap(), &code, &client(1)).await.unwrap();
        created
    }
}

#[tokio::test]
async fn a_key_pair_works_once_the_code_from_the_preferred_address_is_redeemed() {
    let service = Service::new();
    let ada = service.registered("ada", "ada@example.org").await;
    let created = service.make(&ada, wish(1, None)).await.unwrap();
    assert!(!service.is_accepted(&created).await);
    let mail = service.only_mail().await;
    assert_eq!((mail.template, mail.to.as_str()), ("key-pair-code", "ada@example.org"));
    let refused =
        service.auth.redeem_key_pair_code(&ada, created.code_id.unwrap(), wrong(&mail.code), &client(1)).await;
    assert!(matches!(refused, Err(AuthError::CodeRefused)));
    service.auth.redeem_key_pair_code(&ada, created.code_id.unwrap(), &mail.code, &client(1)).await.unwrap();
    assert!(service.is_accepted(&created).await);

    service.world.clock.advance(Duration::from_hours(24));
    assert!(!service.is_accepted(&created).await, "it has ended");
}

#[tokio::test]
async fn both_halves_must_belong_together() {
    let service = Service::new();
    let ada = service.registered("ada", "ada@example.org").await;
    let one = service.has_key(&ada, wish(1, None)).await;
    let other = service.has_key(&ada, wish(1, None)).await;
    for (key, secret) in [
        (one.api_key.as_str(), other.api_secret.expose()),
        (one.api_key.as_str(), ""),
        ("", one.api_secret.expose()),
        (one.api_secret.expose(), one.api_key.as_str()),
    ] {
        let refused = service.auth.check_key_pair(key, secret).await;
        assert!(matches!(refused, Err(AuthError::InvalidCredential)));
    }
}

#[tokio::test]
async fn an_invented_pair_is_refused_without_asking_the_store_and_an_outage_makes_a_real_one_unknown() {
    let service = Service::new();
    let ada = service.registered("ada", "ada@example.org").await;
    let created = service.has_key(&ada, wish(1, None)).await;
    let world = World::new();
    let mut store = MockStore::new();
    store.expect_find_key_pair().never();
    let auth = Auth::new(Ports { store: Arc::new(store), ..world.ports() }, Policy::default(), world.keys.clone());
    let (key, secret) = (format!("auk_{}", "a".repeat(28)), format!("aus_{}", "a".repeat(60)));
    for (key, secret) in [(key.as_str(), created.api_secret.expose()), (created.api_key.as_str(), secret.as_str())] {
        assert!(matches!(auth.check_key_pair(key, secret).await, Err(AuthError::InvalidCredential)));
    }

    service.world.store.go_away();
    let unknown = service.auth.check_key_pair(created.api_key.as_str(), created.api_secret.expose()).await;
    assert!(matches!(unknown, Err(AuthError::Store(StoreError::Unavailable(_)))));
}

#[tokio::test]
async fn roles_narrow_a_key_and_never_widen_it() {
    let roles = ["auditor", "user"].map(|role| RoleName::parse(role).unwrap()).to_vec();
    let service = Service::with(Policy { new_user_roles: roles, ..Policy::default() });
    let ada = service.registered("ada", "ada@example.org").await;
    let refused = service.make(&ada, wish(1, Some(&["user", "users_admin"]))).await;
    assert!(matches!(refused, Err(AuthError::RoleLacking)));
    for (asked, expected) in [(None, &["auditor", "user"][..]), (Some(&["user"][..]), &["user"]), (Some(&[][..]), &[])]
    {
        let created = service.has_key(&ada, wish(1, asked)).await;
        let live = service.auth.check_key_pair(created.api_key.as_str(), created.api_secret.expose()).await.unwrap();
        assert_eq!(live.roles(), expected);
    }
}

#[tokio::test]
async fn a_key_pair_that_nobody_verifies_disappears_from_the_list() {
    let service = Service::new();
    let ada = service.registered("ada", "ada@example.org").await;
    service.make(&ada, wish(1, None)).await.unwrap();
    assert_eq!(service.auth.list_key_pairs(&ada).await.unwrap().len(), 1);
    service.world.deliver_mail().await;
    service.world.clock.advance(Duration::from_mins(10));
    assert!(service.auth.list_key_pairs(&ada).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_deleted_or_disabled_owner_takes_the_key_along() {
    let service = Service::new();
    let ada = service.registered("ada", "ada@example.org").await;
    let bob = service.registered("bob", "bob@example.org").await;
    let adas = service.has_key(&ada, wish(1, None)).await;
    let bobs = service.has_key(&bob, wish(1, None)).await;
    assert!(matches!(service.auth.delete_key_pair(&bob, adas.id, &client(1)).await, Err(AuthError::NotFound)));
    service.world.store.disable(bob.user.id);
    assert!(!service.is_accepted(&bobs).await);
    service.auth.delete_key_pair(&ada, adas.id, &client(1)).await.unwrap();
    assert!(!service.is_accepted(&adas).await);
}

#[tokio::test]
async fn a_key_pair_can_delete_its_account() {
    let service = Service::new();
    let ada = service.registered("ada", "ada@example.org").await;
    let created = service.has_key(&ada, wish(1, None)).await;
    let live = service.auth.check_key_pair(created.api_key.as_str(), created.api_secret.expose()).await.unwrap();
    service.auth.delete_account(&Caller::KeyPair(live), &client(1)).await.unwrap();
    assert!(!service.is_accepted(&created).await);
}

#[tokio::test]
async fn a_user_is_found_by_their_own_verified_address_and_by_any_for_an_administrator() {
    let roles = vec![RoleName::users_admin()];
    let service = Service::with(Policy { new_user_roles: roles, ..Policy::default() });
    let ada = service.registered("ada", "ada@example.org").await;
    let bob = service.registered("bob", "bob@example.org").await;
    let narrowed = service.has_key(&ada, wish(1, Some(&[]))).await;
    let narrowed = service.auth.check_key_pair(narrowed.api_key.as_str(), narrowed.api_secret.expose()).await.unwrap();
    let (admin, plain) = (Caller::Session(ada.clone()), Caller::KeyPair(narrowed));
    let (adas, bobs, nobodys) = (address("ADA@example.org"), address("bob@example.org"), address("nobody@example.org"));
    for caller in [&admin, &plain] {
        assert_eq!(service.auth.user_by_email(caller, &adas).await.unwrap(), ada.user.id);
        assert!(matches!(service.auth.user_by_email(caller, &nobodys).await, Err(AuthError::NotFound)));
    }
    assert_eq!(service.auth.user_by_email(&admin, &bobs).await.unwrap(), bob.user.id);
    assert!(matches!(service.auth.user_by_email(&plain, &bobs).await, Err(AuthError::NotFound)));
}
