//! API key pairs, and what they open.

use std::time::Duration;

use auth_domain::{Policy, RoleName};
use serde_json::{Value, json};

use super::{ADA, BOB, app, journeys};
use crate::app::{Backend, Setup, TestApp, delete, get, post, put};

journeys![
    somebody_makes_verifies_uses_lists_and_deletes_a_key_pair,
    a_key_pair_is_refused_until_it_is_verified_and_after_it_has_ended,
    roles_narrow_a_key_pair,
    half_a_pair_or_a_mixed_one_is_401,
    somebody_elses_key_pair_is_404,
    a_wish_that_does_not_parse_is_400,
    days_count_however_their_number_is_spelled,
    a_key_pair_finds_its_user_and_deletes_its_account,
    a_narrowed_key_pair_finds_its_user_and_deletes_nothing,
    codes_for_key_pairs_go_to_the_preferred_address,
];

fn path(pair: &Value) -> String {
    format!("/keypair/{}", pair["keyID"].as_str().unwrap())
}

async fn listed(app: &TestApp, session: &Value) -> Vec<Value> {
    app.send(get("/keypairs").bearer(session)).await.ok()["keys"].as_array().unwrap().clone()
}

async fn somebody_makes_verifies_uses_lists_and_deletes_a_key_pair(backend: Backend) {
    let app = app(backend).await;
    let session = app.registered("ada", ADA).await;
    let user = app.check(&session).await.ok();
    assert!(listed(&app, &session).await.is_empty());
    let pair = app.has_key_pair(&session, ADA, json!({"name": "nightly é", "newer": 1})).await;
    assert_eq!(pair["apiKey"].as_str().unwrap().len(), 32);
    assert_eq!(pair["apiSecret"].as_str().unwrap().len(), 64);
    let mut fields: Vec<_> = pair.as_object().unwrap().keys().map(String::as_str).collect();
    fields.sort_unstable();
    let expected = ["apiKey", "apiSecret", "expireAt", "keyID", "keyName", "verificationCodeID", "verified"];
    assert_eq!(fields, expected);
    assert_eq!(pair["verified"], false);

    let check = app.send(get("/keypair").key_pair(&pair)).await.ok();
    let expected = json!({
        "apiKey": pair["apiKey"],
        "keyID": pair["keyID"],
        "keyName": "nightly é",
        "expireAt": pair["expireAt"],
        "verified": true,
        "userID": user["userID"],
        "userName": "Ada Lovelace",
        "userAlias": "ada",
        "roles": ["user"],
        "groups": ["public"],
    });
    assert_eq!(check, expected);

    app.auth().flush_usage().await.unwrap();
    let made_at = pair["expireAt"].as_i64().unwrap() - 7 * 86_400;
    let item = json!({
        "apiKey": pair["apiKey"],
        "keyID": pair["keyID"],
        "keyName": "nightly é",
        "expireAt": pair["expireAt"],
        "verified": true,
        "roles": ["user"],
        "createdAt": made_at,
        "lastUsedAt": made_at,
    });
    assert_eq!(listed(&app, &session).await, [item]);

    app.send(delete(&path(&pair)).bearer(&session)).await.acknowledged();
    app.send(get("/keypair").key_pair(&pair)).await.refused(401, "the credential is not valid");
    app.send(delete(&path(&pair)).bearer(&session)).await.refused(404, "no such resource");
}

async fn a_key_pair_is_refused_until_it_is_verified_and_after_it_has_ended(backend: Backend) {
    let app = app(backend).await;
    let session = app.registered("ada", ADA).await;
    let pair = app.send(post("/keypair").bearer(&session).json(&json!({"name": "x", "days": 1}))).await.accepted();
    let refused = "the credential is not valid";
    app.send(get("/keypair").key_pair(&pair)).await.refused(401, refused);
    let code = app.read_code(ADA).await;
    let body = json!({"verificationCodeID": pair["verificationCodeID"], "code": code});
    app.send(put("/keypair/verification").json(&body)).await.refused(401, "a bearer is required");
    let bob = app.registered("bob", BOB).await;
    let call = put("/keypair/verification").bearer(&bob).json(&body);
    app.send(call).await.refused(401, "the verification code is not valid");
    app.send(put("/keypair/verification").bearer(&session).json(&body)).await.acknowledged();
    app.send(get("/keypair").key_pair(&pair)).await.ok();
    app.wait(Duration::from_hours(24));
    app.send(get("/keypair").key_pair(&pair)).await.refused(401, refused);

    let session = app.sign_in(ADA).await;
    app.send(post("/keypair").bearer(&session).json(&json!({"name": "x", "days": 1}))).await.accepted();
    assert_eq!(listed(&app, &session).await.len(), 1);
    app.wait(Duration::from_hours(1));
    assert!(listed(&app, &session).await.is_empty(), "one that nobody verified disappears");
}

async fn roles_narrow_a_key_pair(backend: Backend) {
    let roles = ["auditor", "user"].map(|role| RoleName::parse(role).unwrap()).to_vec();
    let policy = Policy { new_user_roles: roles, ..Setup::default().policy };
    let app = TestApp::on(backend, Setup { policy, ..Setup::default() }).await;
    let session = app.registered("ada", ADA).await;
    for (fields, expected) in [
        (json!({}), json!(["auditor", "user"])),
        (json!({"roles": null}), json!(["auditor", "user"])),
        (json!({"roles": ["user"]}), json!(["user"])),
        (json!({"roles": []}), json!([])),
    ] {
        let pair = app.has_key_pair(&session, ADA, fields).await;
        assert_eq!(app.send(get("/keypair").key_pair(&pair)).await.ok()["roles"], expected);
        assert!(listed(&app, &session).await.iter().any(|item| item["roles"] == expected));
    }
    let wish = json!({"name": "x", "days": 1, "roles": ["user", "users_admin"]});
    let call = post("/keypair").bearer(&session).json(&wish);
    app.send(call).await.refused(403, "you lack a role that this takes");
}

async fn half_a_pair_or_a_mixed_one_is_401(backend: Backend) {
    let app = app(backend).await;
    let session = app.registered("ada", ADA).await;
    let one = app.has_key_pair(&session, ADA, json!({})).await;
    let other = app.has_key_pair(&session, ADA, json!({})).await;
    let (key, secret) = (one["apiKey"].as_str().unwrap(), one["apiSecret"].as_str().unwrap());
    let half = "a key pair takes both api-key and api-secret";
    app.send(get("/keypair").header("api-key", key)).await.refused(401, half);
    app.send(get("/keypair").header("api-secret", secret)).await.refused(401, half);
    app.send(get("/keypair")).await.refused(401, "a key pair is required");
    let mixed = json!({"apiKey": key, "apiSecret": other["apiSecret"]});
    app.send(get("/keypair").key_pair(&mixed)).await.refused(401, "the credential is not valid");
    let call = get("/keypair").bearer(&session);
    app.send(call).await.refused(401, "this endpoint takes a key pair, not a bearer");
    let call = get("/keypairs").key_pair(&one);
    app.send(call).await.refused(401, "this endpoint takes a bearer, not a key pair");
    let call = get("/keypair").key_pair(&one).bearer(&session);
    app.send(call).await.refused(400, "send either a bearer or a key pair, not both");
}

async fn somebody_elses_key_pair_is_404(backend: Backend) {
    let app = app(backend).await;
    let ada = app.registered("ada", ADA).await;
    let bob = app.registered("bob", BOB).await;
    let pair = app.has_key_pair(&ada, ADA, json!({})).await;
    app.send(delete(&path(&pair)).bearer(&bob)).await.refused(404, "no such resource");
    app.send(delete("/keypair/1").bearer(&bob)).await.refused(400, "the id in the path is not a UUID");
    app.send(get("/keypair").key_pair(&pair)).await.ok();
}

async fn a_wish_that_does_not_parse_is_400(backend: Backend) {
    let app = app(backend).await;
    let session = app.registered("ada", ADA).await;
    let name = "a key's name is 1 to 64 characters, with something to see and no control characters";
    let days = "a key lives 1 to 3650 days";
    for (wish, expected) in [
        (json!({"name": "", "days": 1}), name),
        (json!({"name": "a\u{7}", "days": 1}), name),
        (json!({"name": "x".repeat(65), "days": 1}), name),
        (json!({"name": "x", "days": 0}), days),
        (json!({"name": "x", "days": -1}), days),
        (json!({"name": "x", "days": 3651}), days),
        (json!({"name": "x"}), "the field days is missing"),
        (json!({"days": 1}), "the field name is missing"),
    ] {
        app.send(post("/keypair").bearer(&session).json(&wish)).await.refused(400, expected);
    }
    for wish in [json!({"name": "x", "days": 1.5}), json!({"name": "x", "days": 1, "roles": "user"})] {
        assert_eq!(app.send(post("/keypair").bearer(&session).json(&wish)).await.status, 400, "{wish}");
    }
}

async fn days_count_however_their_number_is_spelled(backend: Backend) {
    let app = app(backend).await;
    let session = app.registered("ada", ADA).await;
    let mut ends = Vec::new();
    for body in [r#"{"name":"x","days":10}"#, r#"{"name":"x","days":10.0}"#, r#"{"name":"x","days":1e1}"#] {
        let wish = post("/keypair").bearer(&session).header("Content-Type", "application/json").body(body.as_bytes());
        ends.push(app.send(wish).await.accepted()["expireAt"].clone());
    }
    assert!(ends.iter().all(|end| *end == ends[0]), "{ends:?}");
    let fraction = post("/keypair").bearer(&session).json(&json!({"name": "x", "days": 1.5}));
    assert_eq!(app.send(fraction).await.status, 400);
}

async fn a_narrowed_key_pair_finds_its_user_and_deletes_nothing(backend: Backend) {
    let app = app(backend).await;
    let session = app.registered("ada", ADA).await;
    for roles in [json!([]), json!(["user"])] {
        let pair = app.has_key_pair(&session, ADA, json!({"roles": roles})).await;
        app.send(get(&format!("/user/by-email?email={ADA}")).key_pair(&pair)).await.ok();
        let refused = app.send(delete("/user").key_pair(&pair)).await;
        refused.refused(403, "a key pair whose roles were narrowed cannot change its owner");
    }
    app.check(&session).await.ok();
}

async fn a_key_pair_finds_its_user_and_deletes_its_account(backend: Backend) {
    let app = app(backend).await;
    let session = app.registered("ada", ADA).await;
    app.registered("bob", BOB).await;
    let pair = app.has_key_pair(&session, ADA, json!({})).await;
    let user = app.check(&session).await.ok()["userID"].clone();
    for call in [get("/user/by-email?email=ADA%40example.org"), get("/user/by-email?email=ada@example.org&x=1")] {
        assert_eq!(app.send(call.key_pair(&pair)).await.ok(), json!({"userID": user}));
    }
    let call = get("/user/by-email?email=ada@example.org").bearer(&session);
    assert_eq!(app.send(call).await.ok(), json!({"userID": user}));
    for unknown in ["bob@example.org", "nobody@example.org"] {
        let call = get(&format!("/user/by-email?email={unknown}")).key_pair(&pair);
        app.send(call).await.refused(404, "no such resource");
    }
    let missing = "a query parameter is missing or malformed";
    app.send(get("/user/by-email").key_pair(&pair)).await.refused(400, missing);
    let call = get("/user/by-email?email=ada").key_pair(&pair);
    app.send(call).await.refused(400, "not a valid e-mail address of at most 254 characters");
    app.send(get("/user/by-email?email=ada@example.org")).await.refused(401, "a bearer or a key pair is required");

    app.send(delete("/user").key_pair(&pair)).await.acknowledged();
    app.check(&session).await.refused(401, "the credential is not valid");
    app.send(get("/keypair").key_pair(&pair)).await.refused(401, "the credential is not valid");
}

async fn codes_for_key_pairs_go_to_the_preferred_address(backend: Backend) {
    let app = app(backend).await;
    let session = app.registered("ada", ADA).await;
    let added = app.has_email(&session, "second@example.org").await;
    let prefer = json!({"emailID": added["emailID"]});
    app.send(put("/email/preferred").bearer(&session).json(&prefer)).await.acknowledged();
    app.has_key_pair(&session, "second@example.org", json!({})).await;
}
