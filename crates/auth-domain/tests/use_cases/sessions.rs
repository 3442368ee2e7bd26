use std::time::Duration;

use auth_domain::{AuthError, Clock};

use crate::person::{Service, client};

#[tokio::test]
async fn the_list_has_the_callers_live_sessions_and_marks_the_current_one() {
    let service = Service::new();
    service.registered("bob", "bob@example.org").await;
    let first = service.registered("ada", "ada@example.org").await;
    service.world.clock.advance(Duration::from_secs(1));
    let (_, second) = service.signed_in("ada@example.org", 1).await;
    service.sign_in("ada@example.org", 2).await;

    let listed = service.auth.list_sessions(&first).await.unwrap();
    let ids: Vec<_> = listed.iter().map(|item| (item.session.id, item.current)).collect();
    assert_eq!(ids, [(second.session.id, false), (first.session.id, true)]);
}

#[tokio::test]
async fn a_session_is_extended_by_a_lifetime_up_to_its_maximum_age() {
    let service = Service::new();
    let first = service.registered("ada", "ada@example.org").await;
    let created = service.world.clock.now();
    service.world.clock.advance(Duration::from_hours(12));
    let until = service.auth.extend_session(&first).await.unwrap();
    assert_eq!(until, created.plus(Duration::from_hours(36)));

    let (mut opened, mut live) = service.signed_in("ada@example.org", 1).await;
    let created = service.world.clock.now();
    let end = created.plus(Duration::from_hours(30 * 24));
    let mut until = live.session.expires_at;
    while until < end {
        service.world.clock.set(until.minus(Duration::from_hours(1)));
        live = service.auth.check_session(opened.bearer.expose()).await.unwrap();
        until = service.auth.extend_session(&live).await.unwrap();
    }
    assert_eq!(until, end);
    live = service.auth.check_session(opened.bearer.expose()).await.unwrap();
    let refused = service.auth.extend_session(&live).await;
    assert!(matches!(refused, Err(AuthError::SessionAtMaximumAge)));

    (opened, _) = service.signed_in("ada@example.org", 1).await;
    assert!(service.is_signed_in(&opened).await, "signing in anew starts afresh");
}

#[tokio::test]
async fn a_session_closed_meanwhile_cannot_be_extended() {
    let service = Service::new();
    let live = service.registered("ada", "ada@example.org").await;
    service.auth.close_session(&live, live.session.id, &client(1)).await.unwrap();
    let refused = service.auth.extend_session(&live).await;
    assert!(matches!(refused, Err(AuthError::InvalidCredential)));
}

#[tokio::test]
async fn somebody_elses_session_looks_like_one_that_does_not_exist() {
    let service = Service::new();
    let ada = service.registered("ada", "ada@example.org").await;
    let bob = service.registered("bob", "bob@example.org").await;
    let refused = service.auth.close_session(&bob, ada.session.id, &client(1)).await;
    assert!(matches!(refused, Err(AuthError::NotFound)));
    service.auth.close_session(&ada, ada.session.id, &client(1)).await.unwrap();
    let refused = service.auth.close_session(&bob, ada.session.id, &client(1)).await;
    assert!(matches!(refused, Err(AuthError::NotFound)));
}

#[tokio::test]
async fn signing_out_elsewhere_keeps_the_current_session() {
    let service = Service::new();
    let current = service.registered("ada", "ada@example.org").await;
    let (elsewhere, _) = service.signed_in("ada@example.org", 1).await;
    let pending = service.sign_in("ada@example.org", 2).await;
    let code = service.only_mail().await.code;

    assert_eq!(service.auth.close_other_sessions(&current, &client(1)).await.unwrap(), 1);
    assert!(!service.is_signed_in(&elsewhere).await);
    assert!(
        service.auth.redeem_sign_in_code(pending.code_id, &code, &client(1)).await.is_err(),
        "pending sign-ins end too"
    );
    assert_eq!(service.auth.list_sessions(&current).await.unwrap().len(), 1);
}
