use auth_domain::{AuthError, Policy};

use crate::person::{Service, client, wrong};

#[tokio::test]
async fn somebody_registers_reads_the_code_and_is_signed_in() {
    let service = Service::new();
    let opened = service.register("ada", "Ada@Example.org").await.unwrap();
    assert!(!service.is_signed_in(&opened).await, "not before the code is redeemed");

    let mail = service.only_mail().await;
    assert_eq!((mail.to.as_str(), mail.template), ("Ada@Example.org", "sign-up-code"));
    service.auth.redeem_sign_in_code(opened.code_id, &mail.code, &client(1)).await.unwrap();

    let live = service.auth.check_session(opened.bearer.expose()).await.unwrap();
    assert_eq!(live.user.alias.as_str(), "ada");
    assert_eq!(live.user.roles, ["user"]);
    assert_eq!(live.user.groups, ["public"]);
    assert_eq!(live.session.id, opened.session_id);
}

#[tokio::test]
async fn a_registered_address_gets_a_decoy_and_its_owner_a_notice() {
    let service = Service::new();
    service.registered("ada", "Ada@Example.org").await;

    let decoy = service.register("eve", "ada@example.ORG").await.unwrap();
    let mail = service.only_mail().await;
    assert_eq!((mail.to.as_str(), mail.template), ("Ada@Example.org", "address-already-registered"));
    assert!(mail.code.is_empty());

    // Not even by trying all of a million codes, if there were no limit on tries.
    for code in ["000000", "123456", "999999"] {
        let refused = service.auth.redeem_sign_in_code(decoy.code_id, code, &client(1)).await;
        assert!(matches!(refused, Err(AuthError::CodeRefused)));
    }
    assert!(!service.is_signed_in(&decoy).await);
}

#[tokio::test]
async fn a_decoy_looks_like_the_real_thing() {
    let service = Service::new();
    service.registered("ada", "ada@example.org").await;
    let decoy = service.register("one", "ada@example.org").await.unwrap();
    let real = service.register("two", "bob@example.org").await.unwrap();
    assert_eq!(decoy.bearer.expose().len(), real.bearer.expose().len());
    assert_eq!(decoy.expires_at, real.expires_at);
    assert_eq!(decoy.kind, real.kind);
    assert_eq!((decoy.ip, decoy.user_agent), (real.ip, real.user_agent));
    assert_eq!(service.world.store.row_counts()[4], 3, "each of the three registrations owes a mail");
}

#[tokio::test]
async fn a_taken_alias_is_told() {
    let service = Service::new();
    service.registered("ada", "ada@example.org").await;
    for email in ["ada@example.org", "other@example.org"] {
        let refused = service.register("ADA", email).await;
        assert!(matches!(refused, Err(AuthError::AliasTaken)), "for every address alike");
    }
}

#[tokio::test]
async fn a_closed_registration_refuses_everybody_and_stores_nothing() {
    let service = Service::with(Policy { registration_open: false, ..Policy::default() });
    let refused = service.register("ada", "ada@example.org").await;
    assert!(matches!(refused, Err(AuthError::RegistrationClosed)));
    assert_eq!(service.world.store.row_counts(), [0; 5]);
}

#[tokio::test]
async fn a_registration_with_a_spoilt_code_is_completed_by_asking_for_another() {
    let service = Service::new();
    let first = service.register("ada", "ada@example.org").await.unwrap();
    let mail = service.only_mail().await;
    let refused = service.auth.redeem_sign_in_code(first.code_id, wrong(&mail.code), &client(1)).await;
    assert!(matches!(refused, Err(AuthError::CodeRefused)));

    let (_, live) = service.signed_in("ada@example.org", 2).await;
    assert_eq!(live.user.alias.as_str(), "ada");
}

#[tokio::test]
async fn an_outage_is_no_answer_about_anything() {
    let service = Service::new();
    service.world.store.go_away();
    let failed = service.register("ada", "ada@example.org").await;
    assert!(matches!(failed, Err(AuthError::Store(_))));
    service.world.store.come_back();
    service.register("ada", "ada@example.org").await.unwrap();
}
