//! What a session can do, and to whom.

use std::time::Duration;

use auth_domain::{Lifetimes, Policy, SessionKind, SessionKinds};
use serde_json::json;

use super::{ADA, app, journeys};
use crate::app::{Backend, Setup, TestApp, delete, get, put};

journeys![
    an_unverified_bearer_is_refused_everywhere,
    a_session_at_its_maximum_age_is_403,
    closing_the_other_sessions_counts_them,
    somebody_elses_session_is_404,
];

async fn an_unverified_bearer_is_refused_everywhere(backend: Backend) {
    let app = app(backend).await;
    let session = app.sign_up("ada", ADA).await.accepted();
    let path = format!("/session/{}", session["sessionID"].as_str().unwrap());
    for call in [
        get("/session"),
        get("/sessions"),
        delete("/sessions"),
        put("/session/extend"),
        delete(&path),
        delete("/session/not-a-uuid"),
        delete("/user"),
    ] {
        app.send(call.bearer(&session)).await.refused(401, "the credential is not valid");
    }
}

async fn a_session_at_its_maximum_age_is_403(backend: Backend) {
    let lifetimes = Lifetimes { lifetime: Duration::from_mins(5), maximum: Duration::from_mins(7) };
    let session_kinds = SessionKinds::new([(SessionKind::standard(), lifetimes)]).unwrap();
    let policy = Policy { session_kinds, ..Setup::default().policy };
    let app = TestApp::on(backend, Setup { policy, ..Setup::default() }).await;
    let session = app.registered("ada", ADA).await;
    app.wait(Duration::from_mins(4));
    app.send(put("/session/extend").bearer(&session)).await.accepted();
    let call = put("/session/extend").bearer(&session);
    app.send(call).await.refused(403, "the session is at its maximum age: sign in again");
    app.check(&session).await.ok();
}

async fn closing_the_other_sessions_counts_them(backend: Backend) {
    let app = app(backend).await;
    let current = app.registered("ada", ADA).await;
    let others = [app.sign_in(ADA).await, app.sign_in(ADA).await];
    let pending = app.ask_for_code(ADA).await.accepted();
    let code = app.read_code(ADA).await;

    let closed = app.send(delete("/sessions").bearer(&current)).await.accepted();
    assert_eq!(closed, json!({"closed": 2}));
    for other in &others {
        app.check(other).await.refused(401, "the credential is not valid");
    }
    app.verify(&pending, &code).await.refused(401, "the verification code is not valid");
    app.check(&current).await.ok();
    assert_eq!(app.send(delete("/sessions").bearer(&current)).await.accepted(), json!({"closed": 0}));
}

async fn somebody_elses_session_is_404(backend: Backend) {
    let app = app(backend).await;
    let ada = app.registered("ada", ADA).await;
    let bob = app.registered("bob", "bob@example.org").await;
    let decoy = app.ask_for_code("nobody@example.org").await.accepted();
    for id in [&ada["sessionID"], &decoy["sessionID"], &ada["verificationCodeID"]] {
        let path = format!("/session/{}", id.as_str().unwrap());
        app.send(delete(&path).bearer(&bob)).await.refused(404, "no such resource");
    }
    app.check(&ada).await.ok();
    let call = delete("/session/not-a-uuid").bearer(&bob);
    app.send(call).await.refused(400, "the id in the path is not a UUID");
}
