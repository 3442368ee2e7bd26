use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use auth_domain::{
    Alias, Auth, AuthError, CodeState, EmailAddress, FullName, InvalidInput, Language, Lifetimes, Policy, Ports, Scope,
    SessionKind, SessionKinds, SignUp,
};
use auth_testkit::{InMemoryStore, MockStore, World};

use crate::person::{Service, address, client, wrong};

#[tokio::test]
async fn the_code_goes_to_the_address_on_record() {
    let service = Service::new();
    service.registered("ada", "Ada@Example.org").await;
    service.sign_in("ADA@EXAMPLE.ORG", 2).await;
    let mail = service.only_mail().await;
    assert_eq!((mail.to.as_str(), mail.template), ("Ada@Example.org", "sign-in-code"));
}

#[tokio::test]
async fn a_look_alike_that_was_registered_once_gets_its_mails_still() {
    let service = Service::new();
    let look_alike = EmailAddress::from_stored("\u{212a}ate@example.org").unwrap();
    let sign_up = SignUp {
        email: look_alike.clone(),
        full_name: FullName::parse("Kate").unwrap(),
        alias: Alias::parse("kate").unwrap(),
    };
    let opened = service.auth.sign_up(sign_up, &client(1), &Language::default()).await.unwrap();
    let mail = service.only_mail().await;
    assert_eq!(mail.to, look_alike.as_str());
    service.auth.redeem_sign_in_code(opened.code_id, &mail.code, &client(1)).await.unwrap();
    service.sign_in("kate@example.org", 2).await;
    assert_eq!(service.only_mail().await.to, look_alike.as_str(), "never to whoever has the other one");
}

#[tokio::test]
async fn an_unknown_address_gets_a_decoy_and_nobody_a_mail() {
    let service = Service::new();
    let decoy = service.sign_in("nobody@example.org", 1).await;
    assert!(service.world.deliver_mail().await.is_empty());
    assert!(!service.is_signed_in(&decoy).await);
    assert_eq!(service.world.store.row_counts(), [0, 1, 0, 1, 1], "stored like the real thing");
}

#[tokio::test]
async fn wrong_used_and_unknown_codes_are_all_refused_alike() {
    let service = Service::new();
    let opened = service.register("ada", "ada@example.org").await.unwrap();
    let code = service.only_mail().await.code;
    let never_made = service.sign_in("nobody@example.org", 1).await.code_id;
    for (id, guess) in [(opened.code_id, wrong(&code)), (never_made, code.as_str()), (opened.code_id, "")] {
        let refused = service.auth.redeem_sign_in_code(id, guess, &client(1)).await;
        assert!(matches!(refused, Err(AuthError::CodeRefused)));
    }
    service.auth.redeem_sign_in_code(opened.code_id, &code, &client(1)).await.unwrap();
    let used = service.auth.redeem_sign_in_code(opened.code_id, &code, &client(1)).await;
    assert!(matches!(used, Err(AuthError::CodeRefused)));
}

#[tokio::test]
async fn a_code_ends_ten_minutes_after_its_mail_was_handed_over() {
    for (wait, accepted) in [(Duration::from_mins(10), false), (Duration::from_secs(599), true)] {
        let service = Service::new();
        let opened = service.register("ada", "ada@example.org").await.unwrap();
        service.world.clock.advance(Duration::from_mins(7));
        let code = service.only_mail().await.code;
        service.world.clock.advance(wait);
        assert_eq!(service.auth.redeem_sign_in_code(opened.code_id, &code, &client(1)).await.is_ok(), accepted);
    }
}

#[tokio::test]
async fn a_code_ends_an_hour_after_it_was_made_however_late_its_mail_is() {
    let service = Service::new();
    let opened = service.register("ada", "ada@example.org").await.unwrap();
    service.world.clock.advance(Duration::from_mins(55));
    let code = service.only_mail().await.code;
    service.world.clock.advance(Duration::from_mins(5));
    let refused = service.auth.redeem_sign_in_code(opened.code_id, &code, &client(1)).await;
    assert!(matches!(refused, Err(AuthError::CodeRefused)));
}

#[tokio::test]
async fn a_code_ends_with_a_session_shorter_than_itself() {
    let short = Lifetimes { lifetime: Duration::from_mins(2), maximum: Duration::from_mins(2) };
    let kinds = SessionKinds::new([(SessionKind::standard(), short)]).unwrap();
    let service = Service::with(Policy { session_kinds: kinds, ..Policy::default() });
    let opened = service.register("ada", "ada@example.org").await.unwrap();
    let code = service.only_mail().await.code;
    service.world.clock.advance(Duration::from_mins(2));
    let refused = service.auth.redeem_sign_in_code(opened.code_id, &code, &client(1)).await;
    assert!(matches!(refused, Err(AuthError::CodeRefused)));
}

#[tokio::test]
async fn the_right_code_of_a_disabled_account_says_so_and_a_wrong_one_does_not() {
    let service = Service::new();
    let live = service.registered("ada", "ada@example.org").await;
    service.world.store.disable(live.user.id);
    let opened = service.sign_in("ada@example.org", 1).await;
    let code = service.only_mail().await.code;
    let refused = service.auth.redeem_sign_in_code(opened.code_id, wrong(&code), &client(1)).await;
    assert!(matches!(refused, Err(AuthError::CodeRefused)));
    let told = service.auth.redeem_sign_in_code(opened.code_id, &code, &client(1)).await;
    assert!(matches!(told, Err(AuthError::AccountDisabled)));
    assert!(!service.is_signed_in(&opened).await);
}

#[tokio::test]
async fn a_kind_decides_how_long_a_session_lives() {
    let kiosk = SessionKind::parse("kiosk").unwrap();
    let lifetimes = Lifetimes { lifetime: Duration::from_mins(5), maximum: Duration::from_hours(1) };
    let kinds = SessionKinds::new([(kiosk, lifetimes)]).unwrap();
    let service = Service::with(Policy { session_kinds: kinds, ..Policy::default() });
    let (auth, now) = (&service.auth, auth_domain::Clock::now(&*service.world.clock));
    let ada = address("ada@example.org");

    let opened = auth.sign_in(&ada, Some("kiosk"), &client(1), &Language::default()).await.unwrap();
    assert_eq!(opened.kind.as_str(), "kiosk");
    assert_eq!(opened.expires_at, now.plus(Duration::from_mins(5)));
    let refused = auth.sign_in(&ada, Some("mainframe"), &client(1), &Language::default()).await;
    assert!(matches!(refused, Err(AuthError::InvalidInput(InvalidInput::SessionKind))));
}

#[tokio::test]
async fn asking_again_from_elsewhere_spoils_nothing() {
    let service = Service::new();
    service.registered("ada", "ada@example.org").await;
    let owners = service.sign_in("ada@example.org", 2).await;
    let code = service.only_mail().await.code;
    for network in 3..=6 {
        service.sign_in("ada@example.org", network).await;
    }
    service.auth.redeem_sign_in_code(owners.code_id, &code, &client(1)).await.unwrap();
}

#[tokio::test]
async fn asking_for_a_code_asks_the_same_of_the_store_whoever_has_the_address() {
    let service = Service::new();
    service.registered("ada", "ada@example.org").await;
    let asked = async |email: &str| {
        let (calls, mut store) = (Arc::new(Mutex::new(Vec::new())), MockStore::new());
        let (seen, locked) = (Arc::clone(&calls), Arc::clone(&calls));
        let (before, then) = (service.world.store.clone(), service.world.store.clone());
        // Whatever else it is asked, it panics.
        store.expect_view().returning(move |scope| {
            seen.lock().unwrap().push(("view", Scope { address: None, ..scope.clone() }, 0));
            before.load(scope)
        });
        store.expect_transact().returning(move |fact| {
            let changes = fact.decide(&then.load(fact.scope())?)?;
            let scope = Scope { address: None, ..fact.scope().clone() };
            locked.lock().unwrap().push(("transact", scope, changes.iter().count()));
            Ok(())
        });
        let ports = Ports { store: Arc::new(store), ..service.world.ports() };
        let auth = Auth::new(ports, Policy::default(), service.world.keys.clone());
        auth.sign_in(&address(email), None, &client(1), &Language::default()).await.unwrap();
        let made = calls.lock().unwrap();
        made.clone()
    };
    let calls = asked("ada@example.org").await;
    assert_eq!(calls.iter().map(|(call, ..)| *call).collect::<Vec<_>>(), ["view", "transact"]);
    assert_eq!(calls, asked("nobody@example.org").await);
}

#[tokio::test]
async fn what_keeps_changing_ends_as_unavailable_not_as_wrong() {
    let service = Service::new();
    service.registered("ada", "ada@example.org").await;
    let mut store = MockStore::new();
    // Whenever it is looked, nobody has the address; whenever it is registered, somebody has.
    store.expect_view().times(6).returning(|scope| InMemoryStore::default().load(scope));
    let taken = service.world.store.clone();
    store.expect_transact().times(3).returning(move |fact| {
        assert!(fact.decide(&taken.load(fact.scope())?)?.is_empty());
        Ok(())
    });
    let world = World::new();
    let ports = Ports { store: Arc::new(store), ..world.ports() };
    let auth = Auth::new(ports, Policy::default(), world.keys.clone());

    let sign_up = SignUp {
        email: address("ada@example.org"),
        full_name: FullName::parse("Ada").unwrap(),
        alias: Alias::parse("eve").unwrap(),
    };
    let failed = auth.sign_up(sign_up, &client(1), &Language::default()).await;
    assert!(matches!(failed, Err(AuthError::Store(_))));
}

#[tokio::test]
async fn five_wrong_guesses_are_all_that_a_code_survives() {
    let service = Service::new();
    let opened = service.register("ada", "ada@example.org").await.unwrap();
    let code = service.only_mail().await.code;
    for _ in 0..CodeState::TRIES {
        assert!(service.auth.redeem_sign_in_code(opened.code_id, wrong(&code), &client(1)).await.is_err());
    }
    let refused = service.auth.redeem_sign_in_code(opened.code_id, &code, &client(1)).await;
    assert!(matches!(refused, Err(AuthError::CodeRefused)));
}
