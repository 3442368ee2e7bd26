use std::time::Duration;

use auth_domain::{AuthError, Caller, KeyLife, KeyName, KeyPairWish, Language, LiveSession, Policy};

use crate::person::{Service, address, client};

fn service() -> Service {
    Service::with(Policy { fresh_for: Some(Duration::from_mins(5)), ..Policy::default() })
}

fn wish() -> KeyPairWish {
    KeyPairWish { name: KeyName::parse("k").unwrap(), life: KeyLife::of_days(1).unwrap(), roles: None }
}

/// Tries everything that changes how an account is reached, and returns which of it took a recent sign-in.
async fn refused(service: &Service, caller: &LiveSession) -> Vec<&'static str> {
    let (auth, english) = (&service.auth, Language::default());
    let preferred = auth.list_emails(caller).await.unwrap()[0].id;
    let added = auth.add_email(caller, &address("second@example.org"), &client(1), &english).await;
    let made = auth.create_key_pair(caller, wish(), &client(1), &english).await;
    let attempts = [
        ("add", added.err()),
        ("key pair", made.err()),
        ("prefer", auth.prefer_email(caller, preferred, &client(1), &english).await.err()),
        ("remove", auth.remove_email(caller, preferred, &client(1), &english).await.err()),
        ("delete", auth.delete_account(&Caller::Session(caller.clone()), &client(1)).await.err()),
    ];
    let stepped_up = |error: Option<AuthError>| matches!(error, Some(AuthError::StepUpRequired));
    attempts.into_iter().filter_map(|(what, error)| stepped_up(error).then_some(what)).collect()
}

#[tokio::test]
async fn an_old_session_changes_nothing_about_how_its_account_is_reached_and_a_new_one_does() {
    let service = service();
    let ada = service.registered("ada", "ada@example.org").await;
    service.world.clock.advance(Duration::from_mins(5));
    assert_eq!(refused(&service, &ada).await, ["add", "key pair", "prefer", "remove", "delete"]);
    service.auth.list_sessions(&ada).await.unwrap();

    let (_opened, fresh) = service.signed_in("ada@example.org", 1).await;
    assert!(refused(&service, &fresh).await.is_empty());
}

#[tokio::test]
async fn without_the_setting_any_session_will_do() {
    let service = Service::new();
    let ada = service.registered("ada", "ada@example.org").await;
    service.world.clock.advance(Duration::from_hours(20));
    assert!(refused(&service, &ada).await.is_empty());
}

#[tokio::test]
async fn a_key_pair_is_never_recent_enough() {
    let service = service();
    let ada = service.registered("ada", "ada@example.org").await;
    let created = service.auth.create_key_pair(&ada, wish(), &client(1), &Language::default()).await.unwrap();
    let code = service.only_mail().await.code;
    service.auth.redeem_key_pair_code(&ada, created.code_id.unwrap(), &code, &client(1)).await.unwrap();
    let live = service.auth.check_key_pair(created.api_key.as_str(), created.api_secret.expose()).await.unwrap();
    let refused = service.auth.delete_account(&Caller::KeyPair(live), &client(1)).await;
    assert!(matches!(refused, Err(AuthError::StepUpRequired)));
}
