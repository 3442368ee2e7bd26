//! Several addresses for one account.

use std::time::Duration;

use serde_json::{Value, json};

use super::{ADA, BOB, app, journeys};
use crate::app::{Answer, Backend, TestApp, delete, get, post, put};

journeys![
    somebody_adds_verifies_prefers_and_deletes_an_address,
    any_verified_address_signs_in_and_no_other,
    a_foreign_address_looks_like_a_free_one_and_never_verifies,
    ones_own_addresses_conflict_with_themselves,
    ten_addresses_can_wait_for_their_code,
    a_code_for_an_address_needs_no_bearer_but_refuses_a_strangers,
    somebody_elses_address_is_404,
    addresses_that_do_not_parse_are_400,
];

const SECOND: &str = "second@example.org";

fn path(added: &Value) -> String {
    format!("/email/{}", added["emailID"].as_str().unwrap())
}

async fn emails(app: &TestApp, session: &Value) -> Vec<Value> {
    app.send(get("/emails").bearer(session)).await.ok()["emails"].as_array().unwrap().clone()
}

async fn verify(app: &TestApp, added: &Value, code: &str) -> Answer {
    let body = json!({"verificationCodeID": added["verificationCodeID"], "code": code});
    app.send(put("/email/verification").json(&body)).await
}

async fn somebody_adds_verifies_prefers_and_deletes_an_address(backend: Backend) {
    let app = app(backend).await;
    let session = app.registered("ada", ADA).await;
    let first = emails(&app, &session).await.remove(0);
    assert_eq!(first, json!({"emailID": first["emailID"], "address": ADA, "preferred": true, "verified": true}));

    app.wait(Duration::from_secs(1));
    let added = app.has_email(&session, SECOND).await;
    assert_eq!(added.as_object().unwrap().len(), 2, "{added}");
    assert_eq!(app.read_mail(ADA).await.unwrap().template, "address-added");
    let second = json!({"emailID": added["emailID"], "address": SECOND, "preferred": false, "verified": true});
    assert_eq!(emails(&app, &session).await, [first.clone(), second]);

    let prefer = json!({"emailID": added["emailID"]});
    app.send(put("/email/preferred").bearer(&session).json(&prefer)).await.acknowledged();
    assert_eq!(app.read_mail(ADA).await.unwrap().template, "address-preferred");
    let preferred: Vec<_> = emails(&app, &session).await.iter().map(|email| email["preferred"].clone()).collect();
    assert_eq!(preferred, [false, true]);

    let needed = "the preferred and the last verified address cannot be deleted";
    app.send(delete(&path(&added)).bearer(&session)).await.refused(409, needed);
    app.send(delete(&path(&first)).bearer(&session)).await.acknowledged();
    assert_eq!(app.read_mail(SECOND).await.unwrap().template, "address-removed");
    app.send(delete(&path(&first)).bearer(&session)).await.refused(404, "no such resource");
    assert_eq!(emails(&app, &session).await.len(), 1);
}

async fn any_verified_address_signs_in_and_no_other(backend: Backend) {
    let app = app(backend).await;
    let session = app.registered("ada", ADA).await;
    let added = app.add_email(&session, SECOND).await;
    let code = app.read_code(SECOND).await;
    app.ask_for_code(SECOND).await.accepted();
    assert!(app.read_mail(SECOND).await.is_none(), "not before it is verified");
    verify(&app, &added, &code).await.acknowledged();
    let elsewhere = app.sign_in("SECOND@example.org").await;
    assert_eq!(app.check(&elsewhere).await.ok()["alias"], "ada");

    app.send(delete(&path(&added)).bearer(&session)).await.acknowledged();
    assert_eq!(app.read_mail(SECOND).await.unwrap().template, "address-removed");
    app.check(&elsewhere).await.ok();
    app.ask_for_code(SECOND).await.accepted();
    assert!(app.read_mail(SECOND).await.is_none(), "nor after it was deleted");
}

async fn a_foreign_address_looks_like_a_free_one_and_never_verifies(backend: Backend) {
    let app = app(backend).await;
    let ada = app.registered("ada", ADA).await;
    app.registered("bob", BOB).await;
    let shape = |answer: &Answer| {
        let names: Vec<_> = answer.headers.keys().map(ToString::to_string).collect();
        let lengths: Vec<_> =
            answer.accepted().as_object().unwrap().iter().map(|(k, v)| (k.clone(), v.to_string().len())).collect();
        (names, lengths)
    };
    let add = |address: &str| post("/email").bearer(&ada).json(&json!({"address": address}));
    let renew = |address: &str| post("/email/verification").bearer(&ada).json(&json!({"address": address}));
    let (free, foreign) = (app.send(add("free@example.org")).await, app.send(add(BOB)).await);
    assert_eq!(shape(&free), shape(&foreign));
    assert_eq!(app.read_mail(BOB).await.unwrap().template, "address-claimed-elsewhere");
    let again = app.send(add(BOB)).await.accepted();
    assert_eq!(again["emailID"], foreign.accepted()["emailID"]);
    assert_eq!(shape(&app.send(renew("free@example.org")).await), shape(&app.send(renew(BOB)).await));

    let listed = emails(&app, &ada).await;
    assert!(listed.iter().any(|email| email["address"] == BOB && email["verified"] == false));
    verify(&app, &again, "123456").await.refused(401, "the verification code is not valid");
    app.send(delete(&path(&again)).bearer(&ada)).await.acknowledged();
    while app.read_mail(BOB).await.is_some() {}
    app.sign_in(BOB).await;
}

async fn ones_own_addresses_conflict_with_themselves(backend: Backend) {
    let app = app(backend).await;
    let session = app.registered("ada", ADA).await;
    let add = |address: &str| post("/email").bearer(&session).json(&json!({"address": address}));
    let renew = |address: &str| post("/email/verification").bearer(&session).json(&json!({"address": address}));
    let mine = "the account has verified the address already";
    app.send(add("ADA@example.org")).await.refused(409, mine);
    app.send(renew(ADA)).await.refused(409, mine);
    app.send(renew(SECOND)).await.refused(404, "no such resource");

    let added = app.add_email(&session, SECOND).await;
    let prefer = json!({"emailID": added["emailID"]});
    let call = put("/email/preferred").bearer(&session).json(&prefer);
    app.send(call).await.refused(409, "the address is not verified yet");

    let first_code = app.read_code(SECOND).await;
    let renewed = app.send(renew(SECOND)).await.accepted();
    assert_eq!(renewed.as_object().unwrap().keys().collect::<Vec<_>>(), ["verificationCodeID"]);
    verify(&app, &added, &first_code).await.refused(401, "the verification code is not valid");
    verify(&app, &renewed, &app.read_code(SECOND).await).await.acknowledged();
}

async fn ten_addresses_can_wait_for_their_code(backend: Backend) {
    let app = app(backend).await;
    let session = app.registered("ada", ADA).await;
    for n in 0..10 {
        app.add_email(&session, &format!("ada{n}@example.org")).await;
    }
    let call = post("/email").bearer(&session).json(&json!({"address": SECOND}));
    app.send(call).await.refused(409, "ten addresses wait for their verification: verify or delete one first");
    app.add_email(&session, "ada9@example.org").await;
}

async fn a_code_for_an_address_needs_no_bearer_but_refuses_a_strangers(backend: Backend) {
    let app = app(backend).await;
    let ada = app.registered("ada", ADA).await;
    let bob = app.registered("bob", BOB).await;
    let added = app.add_email(&ada, SECOND).await;
    let code = app.read_code(SECOND).await;
    let body = json!({"verificationCodeID": added["verificationCodeID"], "code": code});
    let refused = "the verification code is not valid";
    app.send(put("/email/verification").bearer(&bob).json(&body)).await.refused(401, refused);
    app.send(put("/session/verification").json(&body)).await.refused(401, refused);
    app.send(put("/keypair/verification").bearer(&ada).json(&body)).await.refused(401, refused);
    let invalid = json!({"bearer": "aub_x"});
    let call = put("/email/verification").bearer(&invalid).json(&body);
    app.send(call).await.refused(401, "the credential is not valid");
    verify(&app, &added, &code).await.acknowledged();

    let late = app.add_email(&ada, "late@example.org").await;
    let code = app.read_code("late@example.org").await;
    app.wait(Duration::from_mins(10));
    verify(&app, &late, &code).await.refused(401, refused);
}

async fn somebody_elses_address_is_404(backend: Backend) {
    let app = app(backend).await;
    let ada = app.registered("ada", ADA).await;
    let bob = app.registered("bob", BOB).await;
    let added = app.has_email(&ada, SECOND).await;
    app.send(delete(&path(&added)).bearer(&bob)).await.refused(404, "no such resource");
    let prefer = json!({"emailID": added["emailID"]});
    app.send(put("/email/preferred").bearer(&bob).json(&prefer)).await.refused(404, "no such resource");
    app.send(delete("/email/1").bearer(&ada)).await.refused(400, "the id in the path is not a UUID");
    for call in [get("/emails"), post("/email"), put("/email/preferred"), delete("/email/1")] {
        app.send(call).await.refused(401, "a bearer is required");
    }
}

async fn addresses_that_do_not_parse_are_400(backend: Backend) {
    let app = app(backend).await;
    let session = app.registered("ada", ADA).await;
    let bad = "not a valid e-mail address of at most 254 characters";
    for address in
        ["", "ada", "a@b@c", "ada@example.org\r\nBcc: eve@example.org", &format!("{}@x.org", "a".repeat(300))]
    {
        for path in ["/email", "/email/verification"] {
            app.send(post(path).bearer(&session).json(&json!({"address": address}))).await.refused(400, bad);
        }
    }
    let call = post("/email").bearer(&session).json(&json!({}));
    app.send(call).await.refused(400, "the field address is missing");
    let call = put("/email/preferred").bearer(&session).json(&json!({"emailID": "1"}));
    assert_eq!(app.send(call).await.status, 400);
}
