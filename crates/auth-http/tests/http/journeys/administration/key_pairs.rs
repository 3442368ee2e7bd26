//! Key pairs: making one for a user, listing, verifying and deleting them.

use std::time::Duration;

use serde_json::{Value, json};

use super::{ADA, BEGINNING, INVALID, MISSING, ROOT, app, fields, journeys, of_user, text};
use crate::app::{Backend, TestApp, delete, get, post, put};

journeys![
    a_key_pair_is_given_listed_and_deleted,
    key_pairs_are_listed_in_pages_newest_first,
    a_key_pair_that_waits_for_its_code_is_verified_without_it,
    a_wish_for_a_key_pair_that_does_not_parse_is_400,
];

fn path(pair: &Value, what: &str) -> String {
    format!("/admin/keypair/{}{what}", text(pair, "keyID"))
}

async fn listed(app: &TestApp, by: &Value, query: &str) -> Value {
    let page = app.send(get(&format!("/admin/keypairs?{query}")).signed(by)).await.ok();
    assert_eq!(fields(&page), ["items", "keyPairs", "pages"]);
    page
}

async fn a_key_pair_is_given_listed_and_deleted(backend: Backend) {
    let app = app(backend).await;
    let administrators = app.administrators().await;
    let ada = app.registered("ada", ADA).await;
    let id = app.user_id(&ada).await;
    for administrator in &administrators {
        let wish = json!({"name": "nightly é", "days": 7, "newer": 1});
        let pair = app.send(post(&of_user(&id, "/keypair")).signed(administrator).json(&wish)).await.accepted();
        assert_eq!(fields(&pair), ["apiKey", "apiSecret", "expireAt", "keyID", "keyName", "verified"]);
        let told = (&pair["keyName"], &pair["expireAt"], &pair["verified"]);
        assert_eq!(told, (&json!("nightly é"), &json!(BEGINNING + 7 * 86_400), &json!(true)));
        let check = app.send(get("/keypair").key_pair(&pair)).await.ok();
        assert_eq!((&check["userID"], &check["roles"]), (&json!(id), &json!(["user"])));
        assert!(app.read_mail(ADA).await.is_none(), "no code is needed");
        app.auth().flush_usage().await.unwrap();

        let item = json!({
            "apiKey": pair["apiKey"],
            "keyID": pair["keyID"],
            "keyName": "nightly é",
            "userID": id,
            "expireAt": BEGINNING + 7 * 86_400,
            "verified": true,
            "roles": null,
            "createdAt": BEGINNING,
            "lastUsedAt": BEGINNING,
        });
        let page = listed(&app, administrator, &format!("user={id}")).await;
        assert_eq!(page, json!({"pages": 1, "items": 1, "keyPairs": [item]}));

        app.send(delete(&path(&pair, "")).signed(administrator)).await.acknowledged();
        app.send(get("/keypair").key_pair(&pair)).await.refused(401, INVALID);
        app.send(delete(&path(&pair, "")).signed(administrator)).await.refused(404, MISSING);
        app.send(put(&path(&pair, "/verify")).signed(administrator)).await.refused(404, MISSING);
    }
}

async fn key_pairs_are_listed_in_pages_newest_first(backend: Backend) {
    let app = app(backend).await;
    let [root, machine] = app.administrators().await;
    let mut expected = vec![machine["keyID"].clone()];
    for fields in [json!({"roles": ["user"]}), json!({"days": 1}), json!({})] {
        app.wait(Duration::from_secs(1));
        expected.insert(0, app.has_key_pair(&root, ROOT, fields).await["keyID"].clone());
    }
    let ids = |page: &Value| {
        page["keyPairs"].as_array().unwrap().iter().map(|item| item["keyID"].clone()).collect::<Vec<_>>()
    };
    let all = listed(&app, &machine, "").await;
    assert_eq!(ids(&all), expected);
    let roles: Vec<_> = all["keyPairs"].as_array().unwrap().iter().map(|item| item["roles"].clone()).collect();
    assert_eq!(roles, [json!(null), json!(null), json!(["user"]), json!(null)]);
    for (query, range) in [("limit=3", 0..3), ("limit=3&page=2", 3..4), ("limit=3&page=4294967295", 4..4)] {
        let page = listed(&app, &root, query).await;
        assert_eq!(ids(&page), expected[range]);
        assert_eq!((&page["pages"], &page["items"]), (&json!(2), &json!(4)), "{query}");
    }
    let nobody = format!("user={}", text(&root, "sessionID"));
    assert_eq!(listed(&app, &root, &nobody).await, json!({"pages": 0, "items": 0, "keyPairs": []}));
    app.wait(Duration::from_hours(24));
    assert_eq!(listed(&app, &machine, "").await["items"], 3, "one has ended");
}

async fn a_key_pair_that_waits_for_its_code_is_verified_without_it(backend: Backend) {
    let app = app(backend).await;
    let administrators = app.administrators().await;
    let ada = app.registered("ada", ADA).await;
    for administrator in &administrators {
        app.wait(Duration::from_secs(1));
        let pair = app.send(post("/keypair").bearer(&ada).json(&json!({"name": "x", "days": 1}))).await.accepted();
        let code = app.read_code(ADA).await;
        let newest = listed(&app, administrator, "limit=1").await["keyPairs"][0].clone();
        assert_eq!((&newest["keyID"], &newest["verified"]), (&pair["keyID"], &json!(false)));
        app.send(get("/keypair").key_pair(&pair)).await.refused(401, INVALID);
        for _ in 0..2 {
            app.send(put(&path(&pair, "/verify")).signed(administrator)).await.acknowledged();
            app.send(get("/keypair").key_pair(&pair)).await.ok();
        }
        let body = json!({"verificationCodeID": pair["verificationCodeID"], "code": code});
        let call = put("/keypair/verification").bearer(&ada).json(&body);
        app.send(call).await.refused(401, "the verification code is not valid");
        app.send(get("/keypair").key_pair(&pair)).await.ok();
    }
}

async fn a_wish_for_a_key_pair_that_does_not_parse_is_400(backend: Backend) {
    let app = app(backend).await;
    let root = app.administrator("root", ROOT).await;
    let path = of_user(&app.user_id(&root).await, "/keypair");
    let (name, days) = (
        "a key's name is 1 to 64 characters, with something to see and no control characters",
        "a key lives 1 to 3650 days",
    );
    for (wish, expected) in [
        (json!({"name": "", "days": 1}), name),
        (json!({"name": "x".repeat(65), "days": 1}), name),
        (json!({"name": "x", "days": 0}), days),
        (json!({"name": "x", "days": 3651}), days),
        (json!({"name": "x", "days": i64::MAX}), days),
        (json!({"name": "x"}), "the field days is missing"),
        (json!({}), "the field name is missing"),
    ] {
        app.send(post(&path).bearer(&root).json(&wish)).await.refused(400, expected);
    }
    assert_eq!(app.send(post(&path).bearer(&root).json(&json!({"name": "x", "days": "1"}))).await.status, 400);
    app.send(post(&path).bearer(&root)).await.refused(400, "the field name is missing");
    let spelled = |days: &str| {
        let body = format!(r#"{{"name":"x","days":{days}}}"#);
        post(&path).bearer(&root).header("Content-Type", "application/json").body(body.as_bytes())
    };
    for ten in ["10", "10.0", "1e1"] {
        let pair = app.send(spelled(ten)).await.accepted();
        assert_eq!(pair["expireAt"], BEGINNING + 10 * 86_400, "{ten}");
    }
    assert_eq!(app.send(spelled("1.5")).await.status, 400);
}
