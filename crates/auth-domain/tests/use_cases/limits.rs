use std::time::Duration;

use auth_domain::{Administrator, AuthError, Language, Limits, Policy, Rate};

use crate::person::{Service, address, client, wrong};

/// Few failures, and everything else in plenty.
fn policy(failures_in_a_row: u32) -> Policy {
    let plenty = Rate::new(1000, Duration::from_hours(1)).unwrap();
    let limits = Limits {
        failures_in_a_row,
        mails_per_address: plenty,
        mails_per_network: plenty,
        sign_ups_per_network: plenty,
        requests_per_network: plenty,
        ..Limits::default()
    };
    Policy { limits: Some(limits), ..Policy::default() }
}

async fn asks(service: &Service, email: &str, network: u8) -> Result<(), AuthError> {
    let opened = service.auth.sign_in(&address(email), None, &client(network), &Language::default()).await;
    opened.map(drop)
}

/// Guesses wrong from a network that nobody knows until it is told that guessing is of no use.
async fn guesses_until_shut_out(service: &Service, email: &str) {
    for _ in 0..200 {
        let Ok(()) = asks(service, email, 9).await else { return };
        let opened = service.sign_in(email, 9).await;
        let code = service.world.deliver_mail().await.pop().map(|mail| mail.code).unwrap_or_default();
        let refused = service.auth.redeem_sign_in_code(opened.code_id, wrong(&code), &client(9)).await;
        assert!(matches!(refused, Err(AuthError::CodeRefused)));
    }
    panic!("two hundred guesses were let through");
}

#[tokio::test]
async fn an_hours_mails_to_an_address_are_six_whoever_asks_and_whoever_has_it() {
    let service = Service::new();
    service.registered("ada", "ada@example.org").await;
    // Her registration was a mail to her address as well.
    service.world.clock.advance(Duration::from_mins(10));
    for email in ["ada@example.org", "nobody@example.org"] {
        for network in 2..8 {
            assert!(asks(&service, email, network).await.is_ok(), "{network}");
        }
        let Err(AuthError::Throttled { retry_after, .. }) = asks(&service, email, 8).await else { panic!("{email}") };
        assert_eq!(retry_after, Duration::from_mins(10));
    }
    assert!(asks(&service, "ada@example.org", 1).await.is_ok(), "from where she signed in before");
    service.world.clock.advance(Duration::from_mins(10));
    assert!(asks(&service, "ada@example.org", 8).await.is_ok());
    assert!(asks(&service, "ada@example.org", 8).await.is_err());
}

#[tokio::test]
async fn sign_ups_from_a_network_are_limited_as_such() {
    let service = Service::new();
    for n in 0..20 {
        service.register(&format!("ada{n}"), &format!("ada{n}@example.org")).await.unwrap();
    }
    let held_back = service.register("ada", "ada@example.org").await;
    let Err(AuthError::Throttled { retry_after, .. }) = held_back else { panic!("{held_back:?}") };
    assert_eq!(retry_after, Duration::from_mins(3));
    assert!(asks(&service, "ada@example.org", 1).await.is_ok(), "signing in is another matter");
}

#[tokio::test]
async fn the_right_code_is_refused_like_a_wrong_one_once_too_much_was_guessed_and_never_to_a_known_network() {
    let service = Service::with(policy(100));
    service.registered("ada", "ada@example.org").await;
    let at_home = service.sign_in("ada@example.org", 1).await;
    let code_at_home = service.only_mail().await.code;
    let away = service.sign_in("ada@example.org", 2).await;
    let code_away = service.only_mail().await.code;
    for _ in 0..4 {
        let refused = service.auth.redeem_sign_in_code(away.code_id, wrong(&code_away), &client(2)).await;
        assert!(matches!(refused, Err(AuthError::CodeRefused)));
    }
    guesses_until_shut_out(&service, "ada@example.org").await;
    let refused = service.auth.redeem_sign_in_code(away.code_id, &code_away, &client(2)).await;
    assert!(matches!(refused, Err(AuthError::CodeRefused)));
    service.auth.redeem_sign_in_code(at_home.code_id, &code_at_home, &client(1)).await.unwrap();
    service.world.clock.advance(Duration::from_mins(1));
    service.auth.redeem_sign_in_code(away.code_id, &code_away, &client(2)).await.unwrap();
}

#[tokio::test]
async fn a_network_that_asks_too_much_is_told_so_whatever_it_guesses_at() {
    let requests_per_network = Rate::new(3, Duration::from_mins(3)).unwrap();
    let Policy { limits: Some(limits), .. } = policy(100) else { panic!("it has limits") };
    let service =
        Service::with(Policy { limits: Some(Limits { requests_per_network, ..limits }), ..Policy::default() });
    let decoy = service.sign_in("nobody@example.org", 2).await;
    for _ in 0..2 {
        let refused = service.auth.redeem_sign_in_code(decoy.code_id, "000000", &client(2)).await;
        assert!(matches!(refused, Err(AuthError::CodeRefused)));
    }
    let held_back = service.auth.redeem_sign_in_code(decoy.code_id, "000000", &client(2)).await;
    let Err(AuthError::Throttled { retry_after, .. }) = held_back else { panic!("{held_back:?}") };
    assert_eq!(retry_after, Duration::from_mins(1));
}

#[tokio::test]
async fn the_owner_of_an_address_is_told_once_that_it_is_shut_and_nobody_of_an_address_without_one() {
    let service = Service::with(policy(3));
    service.registered("ada", "Ada@Example.org").await;
    assert_eq!(service.auth.tell_of_lockouts(10).await.unwrap(), 0);
    for email in ["ada@example.org", "nobody@example.org"] {
        guesses_until_shut_out(&service, email).await;
    }
    assert_eq!(service.auth.tell_of_lockouts(1).await.unwrap(), 1);
    assert_eq!(service.auth.tell_of_lockouts(10).await.unwrap(), 1);
    assert_eq!(service.auth.tell_of_lockouts(10).await.unwrap(), 0);
    let mails = service.world.deliver_mail().await;
    let told: Vec<_> = mails.iter().map(|mail| (mail.to.as_str(), mail.template)).collect();
    assert_eq!(told, [("Ada@Example.org", "address-locked")]);
}

#[tokio::test]
async fn an_administrator_unlocks_an_address() {
    let service = Service::with(policy(3));
    service.registered("ada", "ada@example.org").await;
    let administrator = Administrator::on_the_command_line();
    let ada = address("ada@example.org");
    let unlock = || service.auth.unlock_address(&administrator, &ada);
    guesses_until_shut_out(&service, "ada@example.org").await;
    service.world.clock.advance(Duration::from_hours(1000));
    let held_back = asks(&service, "ada@example.org", 2).await;
    assert!(
        matches!(held_back, Err(AuthError::Throttled { retry_after, .. }) if retry_after == Duration::from_hours(24))
    );
    assert!(unlock().await.unwrap());
    assert!(!unlock().await.unwrap(), "there is nothing left to forget");
    assert!(asks(&service, "ada@example.org", 2).await.is_ok());
    let events = service.auth.list_events(&administrator, None, None, 1).await.unwrap();
    assert_eq!((events[0].kind.as_str(), events[0].ip), ("user.unlocked", None));
    assert!(events[0].subject.is_some());
}

#[tokio::test]
async fn without_limits_everything_is_let_through_but_no_code_has_more_than_its_own_tries() {
    let service = Service::with(Policy { limits: None, ..Policy::default() });
    service.registered("ada", "ada@example.org").await;
    for _ in 0..30 {
        let opened = service.sign_in("ada@example.org", 2).await;
        let code = service.only_mail().await.code;
        for _ in 0..5 {
            let refused = service.auth.redeem_sign_in_code(opened.code_id, wrong(&code), &client(2)).await;
            assert!(matches!(refused, Err(AuthError::CodeRefused)));
        }
        let exhausted = service.auth.redeem_sign_in_code(opened.code_id, &code, &client(2)).await;
        assert!(matches!(exhausted, Err(AuthError::CodeRefused)));
    }
    service.signed_in("ada@example.org", 2).await;
    assert_eq!(service.auth.tell_of_lockouts(10).await.unwrap(), 0);
}
