//! Changing how an account is reached takes a recent sign-in, where the operator says so.

use std::time::Duration;

use auth_domain::Policy;
use serde_json::{Value, json};

use super::{ADA, ROOT, app, journeys};
use crate::app::{Backend, Call, STEP_UP, Setup, TestApp, delete, get, post, put};

journeys![
    an_old_session_is_told_to_sign_in_again_and_a_new_one_is_not,
    a_key_pair_cannot_delete_its_account,
    by_default_any_session_will_do,
    an_administrator_needs_no_recent_sign_in,
];

async fn strict(backend: Backend) -> TestApp {
    let policy = Policy { fresh_for: Some(Duration::from_mins(10)), ..Setup::default().policy };
    TestApp::on(backend, Setup { policy, ..Setup::default() }).await
}

/// Everything that changes how an account is reached, but for deleting it.
fn sensitive(email: &Value) -> Vec<Call> {
    vec![
        post("/email").json(&json!({"address": "third@example.org"})),
        post("/keypair").json(&json!({"name": "x", "days": 1})),
        put("/email/preferred").json(&json!({"emailID": email})),
        delete(&format!("/email/{}", email.as_str().unwrap())),
    ]
}

async fn an_old_session_is_told_to_sign_in_again_and_a_new_one_is_not(backend: Backend) {
    let app = strict(backend).await;
    let old = app.registered("ada", ADA).await;
    let second = app.has_email(&old, "second@example.org").await;
    app.wait(Duration::from_mins(10));
    for call in sensitive(&second["emailID"]).into_iter().chain([delete("/user")]) {
        app.send(call.bearer(&old)).await.refused(403, STEP_UP);
    }
    // Neither using nor extending it makes a session any fresher, and all else goes on.
    app.send(put("/session/extend").bearer(&old)).await.accepted();
    app.send(delete("/user").bearer(&old)).await.refused(403, STEP_UP);
    for call in [get("/emails"), get("/keypairs"), get("/sessions"), get("/authorize?role=user")] {
        assert_eq!(app.send(call.bearer(&old)).await.status, 200);
    }
    // Whoever is no caller at all is told nothing of it, and a body that does not parse is told first.
    app.send(delete("/user")).await.refused(401, "a bearer or a key pair is required");
    app.send(post("/email").bearer(&old).json(&json!({}))).await.refused(400, "the field address is missing");

    let new = app.sign_in(ADA).await;
    let statuses: Vec<_> = {
        let mut statuses = Vec::new();
        for call in sensitive(&second["emailID"]) {
            statuses.push(app.send(call.bearer(&new)).await.status);
        }
        statuses
    };
    assert_eq!(statuses, [202, 202, 202, 409], "the preferred address stays");
    app.send(delete("/user").bearer(&old)).await.refused(403, STEP_UP);
    app.send(delete("/user").bearer(&new)).await.acknowledged();
}

async fn a_key_pair_cannot_delete_its_account(backend: Backend) {
    let app = strict(backend).await;
    let ada = app.registered("ada", ADA).await;
    let pair = app.has_key_pair(&ada, ADA, json!({})).await;
    app.send(delete("/user").key_pair(&pair)).await.refused(403, STEP_UP);
    app.send(get("/keypair").key_pair(&pair)).await.ok();
    app.send(delete("/user").bearer(&ada)).await.acknowledged();
}

async fn by_default_any_session_will_do(backend: Backend) {
    let app = app(backend).await;
    let ada = app.registered("ada", ADA).await;
    let second = app.has_email(&ada, "second@example.org").await;
    app.wait(Duration::from_hours(23));
    for (call, status) in sensitive(&second["emailID"]).into_iter().zip([202, 202, 202, 409]) {
        assert_eq!(app.send(call.bearer(&ada)).await.status, status);
    }
    let pair = app.has_key_pair(&ada, "second@example.org", json!({})).await;
    app.send(delete("/user").key_pair(&pair)).await.acknowledged();
}

async fn an_administrator_needs_no_recent_sign_in(backend: Backend) {
    let app = strict(backend).await;
    let [root, machine] = app.administrators().await;
    let ada = app.registered("ada", ADA).await;
    let id = app.user_id(&ada).await;
    app.wait(Duration::from_mins(10));
    for (administrator, address) in [(&root, "a@example.org"), (&machine, "b@example.org")] {
        let path = format!("/admin/user/{id}/email");
        app.send(post(&path).signed(administrator).json(&json!({"address": address}))).await.accepted();
    }
    app.send(delete(&format!("/admin/user/{id}")).signed(&machine)).await.acknowledged();
    app.send(delete("/user").bearer(&root)).await.refused(403, STEP_UP);
    app.sign_in(ROOT).await;
}
