//! Registering and signing in.

use std::time::Duration;

use auth_domain::{Lifetimes, Policy, SessionKind, SessionKinds};
use serde_json::json;

use super::{ADA, app, journeys};
use crate::app::{Backend, Setup, TestApp, delete, get, post, put};

journeys![
    somebody_signs_up_verifies_checks_extends_lists_and_closes,
    a_new_session_has_every_field_of_the_contract,
    a_registered_address_and_an_unknown_one_look_like_any_other,
    addresses_and_aliases_are_compared_without_regard_to_case,
    a_taken_alias_is_409,
    a_closed_registration_is_403,
    codes_are_refused_alike,
    a_disabled_account_is_told_only_to_who_has_the_code,
    kinds_of_session_come_from_the_settings,
];

async fn somebody_signs_up_verifies_checks_extends_lists_and_closes(backend: Backend) {
    let app = app(backend).await;
    let session = app.sign_up("ada", ADA).await.accepted();
    let code = app.read_code(ADA).await;
    app.verify(&session, &code).await.acknowledged();

    let check = app.check(&session).await.ok();
    let expected = json!({
        "sessionID": session["sessionID"],
        "userID": check["userID"],
        "alias": "ada",
        "fullName": "Ada Lovelace",
        "expireAt": session["expireAt"],
        "ip": "192.0.2.1",
        "userAgent": "",
        "verified": true,
        "kind": "standard",
        "roles": ["user"],
        "groups": ["public"],
    });
    assert_eq!(check, expected);

    app.wait(Duration::from_hours(1));
    let extended = app.send(put("/session/extend").bearer(&session)).await.accepted();
    let until = session["expireAt"].as_i64().unwrap() + 3600;
    assert_eq!(extended, json!({"message": "acknowledged", "expireAt": until}));
    assert_eq!(app.check(&session).await.ok()["expireAt"], until);

    let second = app.sign_in(ADA).await;
    app.auth().flush_usage().await.unwrap();
    let listed = app.send(get("/sessions").bearer(&session)).await.ok();
    let expected = json!({"sessions": [
        {
            "sessionID": second["sessionID"], "ip": "192.0.2.1", "userAgent": "", "expireAt": second["expireAt"],
            "current": false, "kind": "standard", "createdAt": until - 86_400, "lastUsedAt": null,
        },
        {
            "sessionID": session["sessionID"], "ip": "192.0.2.1", "userAgent": "", "expireAt": until,
            "current": true, "kind": "standard", "createdAt": until - 86_400 - 3600, "lastUsedAt": until - 86_400,
        },
    ]});
    assert_eq!(listed, expected);

    let path = format!("/session/{}", session["sessionID"].as_str().unwrap());
    app.send(delete(&path).bearer(&session)).await.acknowledged();
    app.check(&session).await.refused(401, "the credential is not valid");
    app.check(&second).await.ok();
}

async fn a_new_session_has_every_field_of_the_contract(backend: Backend) {
    let app = app(backend).await;
    let user_agent = format!("Sample/1.0 {}", "x".repeat(600));
    let call = post("/user").header("User-Agent", &user_agent);
    let answer = app.send(call.json(&json!({"email": ADA, "fullName": "Ada", "alias": "ada", "newer": true}))).await;
    let session = answer.accepted();
    let mut fields: Vec<_> = session.as_object().unwrap().keys().cloned().collect();
    fields.sort();
    assert_eq!(fields, ["bearer", "expireAt", "ip", "kind", "sessionID", "userAgent", "verificationCodeID"]);
    assert_eq!(session["bearer"].as_str().unwrap().len(), 64);
    assert_eq!(session["userAgent"].as_str().unwrap(), &user_agent[..512]);
    for id in ["sessionID", "verificationCodeID"] {
        let id = session[id].as_str().unwrap();
        assert_eq!(uuid::Uuid::try_parse(id).unwrap().to_string(), id);
    }
}

async fn a_registered_address_and_an_unknown_one_look_like_any_other(backend: Backend) {
    let app = app(backend).await;
    app.registered("ada", ADA).await;
    let known = app.ask_for_code(ADA).await;
    let unknown = app.ask_for_code("nobody@example.org").await;
    let fresh = app.sign_up("new", "new@example.org").await;
    let registered = app.sign_up("other", ADA).await;

    let shape = |answer: &crate::app::Answer| {
        let names: Vec<_> = answer.headers.keys().map(ToString::to_string).collect();
        let body = answer.accepted();
        let lengths: Vec<_> = body.as_object().unwrap().iter().map(|(k, v)| (k.clone(), v.to_string().len())).collect();
        (names, lengths)
    };
    assert_eq!(shape(&known), shape(&unknown));
    assert_eq!(shape(&fresh), shape(&registered));

    assert!(app.read_mail("nobody@example.org").await.is_none());
    let told = app.read_mail(ADA).await.unwrap();
    assert_eq!(told.template, "address-already-registered");
    for decoy in [unknown, registered] {
        let decoy = decoy.accepted();
        app.verify(&decoy, "123456").await.refused(401, "the verification code is not valid");
        app.check(&decoy).await.refused(401, "the credential is not valid");
    }
}

async fn addresses_and_aliases_are_compared_without_regard_to_case(backend: Backend) {
    let app = app(backend).await;
    app.registered("Ada", "Ada@Example.org").await;
    let session = app.ask_for_code("ADA@EXAMPLE.ORG").await.accepted();
    let mail = app.read_mail(ADA).await.unwrap();
    assert_eq!(mail.to, "Ada@Example.org", "delivered as its owner wrote it");
    app.verify(&session, &mail.code).await.acknowledged();
    app.sign_up("aDA", "other@example.org").await.refused(409, "the alias is taken");
}

async fn a_taken_alias_is_409(backend: Backend) {
    let app = app(backend).await;
    app.sign_up("ada", ADA).await.accepted();
    app.sign_up("ada", "bob@example.org").await.refused(409, "the alias is taken");
    app.sign_up("ada", ADA).await.accepted();
    app.wait(Duration::from_hours(1));
    app.sign_up("ada", "bob@example.org").await.accepted();
}

async fn a_closed_registration_is_403(backend: Backend) {
    let policy = Policy { registration_open: false, ..Setup::default().policy };
    let app = TestApp::on(backend, Setup { policy, ..Setup::default() }).await;
    app.sign_up("ada", ADA).await.refused(403, "registration is closed");
    app.send(post("/user")).await.refused(403, "registration is closed");
    app.ask_for_code(ADA).await.accepted();
}

async fn codes_are_refused_alike(backend: Backend) {
    let app = app(backend).await;
    let refused = "the verification code is not valid";
    let session = app.sign_up("ada", ADA).await.accepted();
    let code = app.read_code(ADA).await;
    for wrong in ["", "1", "１２３４５６", &format!(" {code}"), &format!("{code}0")] {
        app.verify(&session, wrong).await.refused(401, refused);
    }
    app.verify(&session, &code).await.refused(401, refused);

    let session = app.sign_up("again", ADA).await.accepted();
    let unknown = json!({"verificationCodeID": session["sessionID"]});
    app.verify(&unknown, &code).await.refused(401, refused);
    let code = app.read_code(ADA).await;
    app.wait(Duration::from_mins(10));
    app.verify(&session, &code).await.refused(401, refused);
}

async fn a_disabled_account_is_told_only_to_who_has_the_code(backend: Backend) {
    let app = app(backend).await;
    let session = app.registered("ada", ADA).await;
    let user = app.check(&session).await.ok()["userID"].as_str().unwrap().parse::<uuid::Uuid>().unwrap();
    app.disable(user.into()).await;

    app.check(&session).await.refused(401, "the credential is not valid");
    let pending = app.ask_for_code(ADA).await.accepted();
    let code = app.read_code(ADA).await;
    let wrong = if code == "000000" { "000001" } else { "000000" };
    app.verify(&pending, wrong).await.refused(401, "the verification code is not valid");
    app.verify(&pending, &code).await.refused(403, "the account is disabled");
    app.verify(&pending, &code).await.refused(401, "the verification code is not valid");
}

async fn kinds_of_session_come_from_the_settings(backend: Backend) {
    let kiosk = SessionKind::parse("kiosk").unwrap();
    let lifetimes = Lifetimes { lifetime: Duration::from_mins(5), maximum: Duration::from_mins(7) };
    let session_kinds = SessionKinds::new([(kiosk, lifetimes)]).unwrap();
    let policy = Policy { session_kinds, ..Setup::default().policy };
    let app = TestApp::on(backend, Setup { policy, ..Setup::default() }).await;

    let standard = app.registered("ada", ADA).await;
    let kiosk = app.send(post("/session").json(&json!({"email": ADA, "kind": "kiosk"}))).await.accepted();
    assert_eq!(kiosk["kind"], "kiosk");
    let difference = standard["expireAt"].as_i64().unwrap() - kiosk["expireAt"].as_i64().unwrap();
    assert_eq!(difference, 86_400 - 300);
    let code = app.read_code(ADA).await;
    app.verify(&kiosk, &code).await.acknowledged();
    app.wait(Duration::from_mins(5));
    app.check(&kiosk).await.refused(401, "the credential is not valid");

    for unknown in [json!("mainframe"), json!(""), json!("Standard")] {
        let call = post("/session").json(&json!({"email": ADA, "kind": unknown}));
        app.send(call).await.refused(400, "no such kind of session");
    }
    app.send(post("/session").json(&json!({"email": ADA, "kind": null}))).await.accepted();
}
