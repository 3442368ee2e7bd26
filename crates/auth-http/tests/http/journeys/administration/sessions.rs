//! Sessions: opening one for a user, listing, verifying and closing them.

use std::time::Duration;

use serde_json::{Value, json};

use super::{ADA, BEGINNING, INACTIVE, INVALID, MISSING, ROOT, app, fields, journeys, of_user, text};
use crate::app::{Backend, TestApp, delete, get, post, put};

journeys![
    a_session_is_given_listed_and_closed,
    sessions_are_listed_in_pages_newest_first,
    a_session_that_waits_for_its_code_is_verified_without_it,
    a_session_is_given_only_to_whom_it_would_serve,
    decoys_and_registrations_have_no_session,
];

fn path(session: &Value, what: &str) -> String {
    format!("/admin/session/{}{what}", text(session, "sessionID"))
}

async fn listed(app: &TestApp, by: &Value, query: &str) -> Value {
    let page = app.send(get(&format!("/admin/sessions?{query}")).signed(by)).await.ok();
    assert_eq!(fields(&page), ["items", "pages", "sessions"]);
    page
}

async fn a_session_is_given_listed_and_closed(backend: Backend) {
    let app = app(backend).await;
    let administrators = app.administrators().await;
    let ada = app.registered("ada", ADA).await;
    let id = app.user_id(&ada).await;
    app.send(delete(&path(&ada, "")).signed(&administrators[0])).await.acknowledged();
    app.check(&ada).await.refused(401, INVALID);
    for administrator in &administrators {
        let wanted = || post(&of_user(&id, "/session")).signed(administrator);
        for call in [
            wanted(),
            wanted().json(&json!({})),
            wanted().json(&json!({"kind": null, "newer": 1})),
            wanted().json(&json!({"kind": "standard"})).header("User-Agent", "robot/1.0"),
        ] {
            let given = app.send(call).await.accepted();
            assert_eq!(fields(&given), ["bearer", "expireAt", "sessionID"]);
            assert_eq!(given["expireAt"], BEGINNING + 86_400);
            assert_eq!(app.user_id(&given).await, id);
            app.auth().flush_usage().await.unwrap();

            let page = listed(&app, administrator, &format!("user={id}")).await;
            let agent = &page["sessions"][0]["userAgent"];
            assert!(agent == "" || agent == "robot/1.0", "{agent}");
            let item = json!({
                "sessionID": given["sessionID"],
                "userID": id,
                "ip": "192.0.2.1",
                "userAgent": agent,
                "expireAt": BEGINNING + 86_400,
                "verified": true,
                "kind": "standard",
                "createdAt": BEGINNING,
                "lastUsedAt": BEGINNING,
            });
            assert_eq!(page, json!({"pages": 1, "items": 1, "sessions": [item]}));
            app.send(delete(&path(&given, "")).signed(administrator)).await.acknowledged();
            app.check(&given).await.refused(401, INVALID);
            app.send(delete(&path(&given, "")).signed(administrator)).await.refused(404, MISSING);
            app.send(put(&path(&given, "/verify")).signed(administrator)).await.refused(404, MISSING);
        }
        let call = wanted().json(&json!({"kind": "mainframe"}));
        app.send(call).await.refused(400, "no such kind of session");
        assert_eq!(app.send(wanted().json(&json!({"kind": 1}))).await.status, 400);
    }
}

async fn sessions_are_listed_in_pages_newest_first(backend: Backend) {
    let app = app(backend).await;
    let [root, machine] = app.administrators().await;
    let mut expected = vec![root["sessionID"].clone()];
    for _ in 0..4 {
        app.wait(Duration::from_secs(1));
        expected.insert(0, app.sign_in(ROOT).await["sessionID"].clone());
    }
    let ids = |page: &Value| {
        page["sessions"].as_array().unwrap().iter().map(|item| item["sessionID"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&listed(&app, &machine, "").await), expected);
    for (query, range) in
        [("limit=2", 0..2), ("limit=2&page=2", 2..4), ("limit=2&page=3", 4..5), ("limit=2&page=4294967295", 5..5)]
    {
        let page = listed(&app, &root, query).await;
        assert_eq!(ids(&page), expected[range]);
        assert_eq!((&page["pages"], &page["items"]), (&json!(3), &json!(5)), "{query}");
    }
    let nobody = format!("user={}", text(&root, "sessionID"));
    assert_eq!(listed(&app, &root, &nobody).await, json!({"pages": 0, "items": 0, "sessions": []}));
    app.wait(Duration::from_hours(24) - Duration::from_secs(2));
    let page = listed(&app, &machine, "").await;
    assert_eq!(ids(&page), expected[..2], "those that have ended are not listed");
}

async fn a_session_that_waits_for_its_code_is_verified_without_it(backend: Backend) {
    let app = app(backend).await;
    let administrators = app.administrators().await;
    let ada = app.registered("ada", ADA).await;
    let id = app.user_id(&ada).await;
    for administrator in &administrators {
        app.wait(Duration::from_secs(1));
        let pending = app.ask_for_code(ADA).await.accepted();
        let code = app.read_code(ADA).await;
        let newest = listed(&app, administrator, &format!("user={id}&limit=1")).await["sessions"][0].clone();
        assert_eq!((&newest["sessionID"], &newest["verified"]), (&pending["sessionID"], &json!(false)));
        assert_eq!(newest["lastUsedAt"], json!(null));
        for _ in 0..2 {
            app.send(put(&path(&pending, "/verify")).signed(administrator)).await.acknowledged();
            assert_eq!(app.user_id(&pending).await, id);
        }
        app.verify(&pending, &code).await.refused(401, "the verification code is not valid");
        app.check(&pending).await.ok();
    }
}

async fn a_session_is_given_only_to_whom_it_would_serve(backend: Backend) {
    let app = app(backend).await;
    let root = app.administrator("root", ROOT).await;
    let ada = app.registered("ada", ADA).await;
    let id = app.user_id(&ada).await;
    for (way, back) in [("disable", "enable"), ("unverify", "verify")] {
        app.change(&root, &id, way).await;
        app.send(post(&of_user(&id, "/session")).bearer(&root)).await.refused(409, INACTIVE);
        let pair = post(&of_user(&id, "/keypair")).bearer(&root).json(&json!({"name": "x", "days": 1}));
        app.send(pair).await.refused(409, INACTIVE);
        app.change(&root, &id, back).await;
        app.send(post(&of_user(&id, "/session")).bearer(&root)).await.accepted();
    }
}

async fn decoys_and_registrations_have_no_session(backend: Backend) {
    let app = app(backend).await;
    let root = app.administrator("root", ROOT).await;
    let decoy = app.ask_for_code("nobody@example.org").await.accepted();
    let registration = app.sign_up("ada", ADA).await.accepted();
    let decoy_registration = app.sign_up("bob", ROOT).await.accepted();
    for session in [&decoy, &registration, &decoy_registration] {
        app.send(put(&path(session, "/verify")).bearer(&root)).await.refused(404, MISSING);
        app.send(delete(&path(session, "")).bearer(&root)).await.refused(404, MISSING);
    }
    assert_eq!(listed(&app, &root, "").await["items"], 1);
    let code = app.read_code(ADA).await;
    app.verify(&registration, &code).await.acknowledged();
    assert_eq!(listed(&app, &root, "").await["items"], 2);
}
