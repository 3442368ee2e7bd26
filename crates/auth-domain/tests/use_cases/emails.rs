use std::{sync::Arc, time::Duration};

use auth_domain::{
    AddedEmail, Auth, AuthError, Email, Language, LiveSession, Policy, Ports, StoreError, rules::UNVERIFIED_AT_MOST,
};
use auth_testkit::{InMemoryStore, MockStore, World};

use crate::person::{Service, address, client, wrong};

impl Service {
    async fn add(&self, caller: &LiveSession, email: &str) -> Result<AddedEmail, AuthError> {
        self.auth.add_email(caller, &address(email), &client(1), &Language::default()).await
    }

    async fn renew(&self, caller: &LiveSession, email: &str) -> Result<auth_domain::CodeId, AuthError> {
        self.auth.renew_email_code(caller, &address(email), &client(1), &Language::default()).await
    }

    async fn emails(&self, caller: &LiveSession) -> Vec<Email> {
        self.auth.list_emails(caller).await.unwrap()
    }

    /// Delivers what is due and returns template and recipient of each mail, sorted.
    async fn told(&self) -> Vec<(&'static str, String)> {
        let mut told: Vec<_> =
            self.world.deliver_mail().await.into_iter().map(|mail| (mail.template, mail.to)).collect();
        told.sort();
        told
    }

    /// Adds an address and verifies it.
    async fn has(&self, caller: &LiveSession, email: &str) -> AddedEmail {
        let added = self.add(caller, email).await.unwrap();
        let mails = self.world.deliver_mail().await;
        let code = &mails.iter().find(|mail| mail.to == email).unwrap().code;
        self.auth.redeem_email_code(Some(caller), added.code_id, code, &client(1)).await.unwrap();
        added
    }
}

fn told(expected: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    expected.iter().map(|(template, to)| (*template, (*to).to_owned())).collect()
}

#[tokio::test]
async fn an_added_address_gets_a_code_and_the_verified_ones_are_told() {
    let service = Service::new();
    let ada = service.registered("ada", "ada@example.org").await;
    service.add(&ada, "second@example.org").await.unwrap();
    assert_eq!(
        service.told().await,
        told(&[("address-added", "ada@example.org"), ("email-code", "second@example.org")])
    );
    service.sign_in("second@example.org", 1).await;
    assert!(service.told().await.is_empty(), "it does not sign in before it is verified");
}

#[tokio::test]
async fn any_verified_address_signs_in() {
    let service = Service::new();
    let ada = service.registered("ada", "ada@example.org").await;
    service.has(&ada, "second@example.org").await;
    let (_, live) = service.signed_in("second@example.org", 1).await;
    assert_eq!(live.user.id, ada.user.id);
}

#[tokio::test]
async fn a_code_for_an_address_is_redeemed_with_or_without_a_bearer_but_not_with_somebody_elses() {
    let service = Service::new();
    let ada = service.registered("ada", "ada@example.org").await;
    let bob = service.registered("bob", "bob@example.org").await;
    let added = service.add(&ada, "second@example.org").await.unwrap();
    let code = service.world.deliver_mail().await.into_iter().find(|mail| !mail.code.is_empty()).unwrap().code;
    let stranger = service.auth.redeem_email_code(Some(&bob), added.code_id, &code, &client(1)).await;
    assert!(matches!(stranger, Err(AuthError::CodeRefused)));
    let as_sign_in = service.auth.redeem_sign_in_code(added.code_id, &code, &client(1)).await;
    assert!(matches!(as_sign_in, Err(AuthError::CodeRefused)), "it is no sign-in code");
    service.auth.redeem_email_code(None, added.code_id, &code, &client(1)).await.unwrap();
}

#[tokio::test]
async fn a_foreign_address_looks_free_and_its_owner_is_told_in_english() {
    let service = Service::new();
    let ada = service.registered("ada", "ada@example.org").await;
    service.registered("bob", "Bob@Example.org").await;
    let spanish = Language::parse("es").unwrap();
    let added = service.auth.add_email(&ada, &address("bob@example.org"), &client(1), &spanish).await.unwrap();

    let mails = service.world.deliver_mail().await;
    let owners: Vec<_> = mails.iter().filter(|mail| mail.to == "Bob@Example.org").collect();
    assert_eq!((owners[0].template, owners[0].language.as_str()), ("address-claimed-elsewhere", "en"));
    assert!(mails.iter().all(|mail| mail.code.is_empty()), "nobody gets a code");
    assert_eq!(mails.iter().find(|mail| mail.template == "address-added").unwrap().language, spanish);

    let listed = service.emails(&ada).await;
    assert!(listed.iter().any(|email| email.id == added.email_id && !email.verified && !email.preferred));
    let again = service.add(&ada, "bob@example.org").await.unwrap();
    assert_eq!(again.email_id, added.email_id);
    service.renew(&ada, "bob@example.org").await.unwrap();
    assert_eq!(service.told().await.len(), 2, "the owner is told each time");
    service.auth.remove_email(&ada, added.email_id, &client(1), &spanish).await.unwrap();
}

#[tokio::test]
async fn asking_again_sends_a_new_code_and_ends_the_old_one() {
    let service = Service::new();
    let ada = service.registered("ada", "ada@example.org").await;
    let first = service.add(&ada, "second@example.org").await.unwrap();
    let first_code = service.world.deliver_mail().await.into_iter().find(|mail| !mail.code.is_empty()).unwrap().code;
    let again = service.add(&ada, "Second@Example.org").await.unwrap();
    assert_eq!(again.email_id, first.email_id);
    assert_ne!(again.code_id, first.code_id);
    assert_eq!(
        service.told().await,
        told(&[("email-code", "second@example.org")]),
        "as written first; no more notices"
    );
    let refused = service.auth.redeem_email_code(None, first.code_id, &first_code, &client(1)).await;
    assert!(matches!(refused, Err(AuthError::CodeRefused)));

    let renewed = service.renew(&ada, "second@example.org").await.unwrap();
    let code = service.only_mail().await.code;
    let refused = service.auth.redeem_email_code(None, renewed, wrong(&code), &client(1)).await;
    assert!(matches!(refused, Err(AuthError::CodeRefused)));
    service.auth.redeem_email_code(None, renewed, &code, &client(1)).await.unwrap();
}

#[tokio::test]
async fn conflicts_with_ones_own_addresses_are_told() {
    let service = Service::new();
    let ada = service.registered("ada", "ada@example.org").await;
    assert!(matches!(service.add(&ada, "ADA@example.org").await, Err(AuthError::AddressVerified)));
    assert!(matches!(service.renew(&ada, "ADA@example.org").await, Err(AuthError::AddressVerified)));
    assert!(matches!(service.renew(&ada, "never@example.org").await, Err(AuthError::NotFound)));
    for n in 0..UNVERIFIED_AT_MOST {
        service.add(&ada, &format!("ada{n}@example.org")).await.unwrap();
    }
    assert!(matches!(service.add(&ada, "one-more@example.org").await, Err(AuthError::TooManyAddresses)));
    service.add(&ada, "ada0@example.org").await.unwrap();
}

#[tokio::test]
async fn preferring_an_address_tells_every_other_verified_one() {
    let service = Service::new();
    let ada = service.registered("ada", "ada@example.org").await;
    let second = service.has(&ada, "second@example.org").await;
    service.has(&ada, "third@example.org").await;
    let pending = service.add(&ada, "pending@example.org").await.unwrap();
    service.world.deliver_mail().await;

    let refused = service.auth.prefer_email(&ada, pending.email_id, &client(1), &Language::default()).await;
    assert!(matches!(refused, Err(AuthError::AddressUnverified)));
    service.auth.prefer_email(&ada, second.email_id, &client(1), &Language::default()).await.unwrap();
    let expected = [("address-preferred", "ada@example.org"), ("address-preferred", "third@example.org")];
    assert_eq!(service.told().await, told(&expected));
    service.auth.prefer_email(&ada, second.email_id, &client(1), &Language::default()).await.unwrap();
    assert!(service.told().await.is_empty(), "nothing changed, so nobody is told");
    let preferred: Vec<_> = service.emails(&ada).await.into_iter().filter(|email| email.preferred).collect();
    assert_eq!(preferred.iter().map(|email| email.id).collect::<Vec<_>>(), [second.email_id]);
}

#[tokio::test]
async fn a_removed_address_is_free_and_the_preferred_one_stays() {
    let service = Service::new();
    let ada = service.registered("ada", "ada@example.org").await;
    let bob = service.registered("bob", "bob@example.org").await;
    let first = service.emails(&ada).await[0].id;
    let second = service.has(&ada, "second@example.org").await;
    let english = Language::default();
    assert!(matches!(
        service.auth.remove_email(&ada, first, &client(1), &english).await,
        Err(AuthError::AddressNeeded)
    ));
    assert!(matches!(
        service.auth.remove_email(&bob, second.email_id, &client(1), &english).await,
        Err(AuthError::NotFound)
    ));
    service.auth.remove_email(&ada, second.email_id, &client(1), &english).await.unwrap();
    let expected = [("address-removed", "ada@example.org"), ("address-removed", "second@example.org")];
    assert_eq!(service.told().await, told(&expected), "it is told as well");
    let pending = service.add(&ada, "pending@example.org").await.unwrap();
    service.world.deliver_mail().await;
    service.auth.remove_email(&ada, pending.email_id, &client(1), &english).await.unwrap();
    assert_eq!(service.told().await, told(&expected[..1]), "nobody knows whose an unverified one is");
    service.has(&bob, "second@example.org").await;
}

#[tokio::test]
async fn a_code_for_an_address_ends_ten_minutes_after_its_mail() {
    let service = Service::new();
    let ada = service.registered("ada", "ada@example.org").await;
    let added = service.add(&ada, "second@example.org").await.unwrap();
    let code = service.world.deliver_mail().await.into_iter().find(|mail| !mail.code.is_empty()).unwrap().code;
    service.world.clock.advance(Duration::from_mins(10));
    let refused = service.auth.redeem_email_code(None, added.code_id, &code, &client(1)).await;
    assert!(matches!(refused, Err(AuthError::CodeRefused)));
}

#[tokio::test]
async fn what_keeps_changing_under_a_request_is_unavailable_in_the_end() {
    let world = World::new();
    let service = Service::new();
    let ada = service.registered("ada", "ada@example.org").await;
    let mut store = MockStore::new();
    // Whenever it is looked, the account has no address; whenever one is added, it has.
    store.expect_view().returning(|scope| InMemoryStore::default().load(scope));
    let changed = service.world.store.clone();
    store.expect_transact().times(3).returning(move |fact| {
        assert!(fact.decide(&changed.load(fact.scope())?)?.is_empty());
        Ok(())
    });
    let auth = Auth::new(Ports { store: Arc::new(store), ..world.ports() }, Policy::default(), world.keys.clone());
    let failed = auth.add_email(&ada, &address("second@example.org"), &client(1), &Language::default()).await;
    assert!(matches!(failed, Err(AuthError::Store(StoreError::Unavailable(_)))));
}
