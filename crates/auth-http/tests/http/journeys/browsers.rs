//! What browsers are told: what answers are not, and whose scripts may read them.

use actix_web::http::Method;
use serde_json::{Value, json};

use super::{ADA, app, journeys};
use crate::app::{Answer, Backend, Setup, TestApp, delete, get, outside, post, put};

journeys![
    no_answer_can_be_made_into_a_page,
    scripts_of_an_allowed_origin_call_the_api_and_read_all_it_says,
    scripts_of_other_origins_read_nothing,
    without_allowed_origins_no_script_gets_in,
    what_is_outside_of_the_api_is_for_no_script,
];

const APP: &str = "https://app.example.org";
const API_POLICY: &str = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

async fn app_for_scripts(backend: Backend) -> TestApp {
    TestApp::on(backend, Setup { cors_origins: vec![APP.to_owned()], ..Setup::default() }).await
}

async fn no_answer_can_be_made_into_a_page(backend: Backend) {
    let app = app(backend).await;
    let session = app.registered("ada", ADA).await;
    for call in [
        get("/session"),
        get("/sessions").bearer(&session),
        post("/session").json(&json!({"email": ADA})),
        put("/session/extend").bearer(&session),
        delete("/nothing"),
        put("/user"),
        outside(Method::GET, "/"),
        outside(Method::GET, "/healthz"),
        outside(Method::GET, "/metrics"),
        outside(Method::GET, "/openapi.json"),
    ] {
        let answer = app.send(call).await;
        assert_eq!(answer.header("content-security-policy"), API_POLICY, "{}", answer.text());
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
    }
    // The one page says itself what it needs, and is shown in no frame either.
    let page = app.send(outside(Method::GET, "/docs")).await;
    assert!(page.header("content-security-policy").ends_with("frame-ancestors 'none'"));
    assert_eq!(page.header("referrer-policy"), "no-referrer");
    // Checks that pass are for programs: no browser opens what takes a credential in a header.
    let check = app.check(&session).await;
    assert_eq!((check.status, check.header("content-security-policy")), (200, ""));
}

fn preflight(origin: &str, path: &str, method: &str, headers: &str) -> crate::app::Call {
    outside(Method::OPTIONS, path)
        .header("Origin", origin)
        .header("Access-Control-Request-Method", method)
        .header("Access-Control-Request-Headers", headers)
}

/// The names in a header that lists some, in order.
fn listed(answer: &Answer, header: &str) -> Vec<String> {
    let mut names: Vec<_> = answer.header(header).split(',').map(|name| name.trim().to_lowercase()).collect();
    names.sort();
    names
}

fn tells_nothing(answer: &Answer) {
    assert_eq!(answer.header("access-control-allow-origin"), "");
    assert_eq!(answer.header("access-control-allow-credentials"), "");
}

async fn scripts_of_an_allowed_origin_call_the_api_and_read_all_it_says(backend: Backend) {
    let app = app_for_scripts(backend).await;
    for path in ["session", "keypair", "authorize", "user", "session/extend", "admin/users", "email/preferred"] {
        for method in ["GET", "HEAD", "POST", "PUT", "DELETE"] {
            let path = format!("/api/auth/v2/{path}");
            let headers = "authorization,content-type,api-key,api-secret";
            let answer = app.send(preflight(APP, &path, method, headers)).await;
            assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, APP), "{method} {path}");
            assert_eq!(listed(&answer, "access-control-allow-methods"), ["delete", "get", "head", "post", "put"]);
            let allowed = ["api-key", "api-secret", "authorization", "content-type"];
            assert_eq!(listed(&answer, "access-control-allow-headers"), allowed);
            assert_eq!(answer.header("access-control-max-age"), "3600");
            assert_eq!(answer.header("access-control-allow-credentials"), "");
        }
    }
    let session: Value = app.registered("ada", ADA).await;
    app.check(&session).await.ok();
    app.world.store.go_away();
    let mut statuses = Vec::new();
    for call in [
        get("/session").bearer(&session),
        get("/session"),
        get("/nowhere"),
        post("/session").json(&json!({"email": "nobody"})),
        post("/session").json(&json!({"email": ADA})),
    ] {
        let answer = app.send(call.header("Origin", APP)).await;
        statuses.push(answer.status);
        assert_eq!(answer.header("access-control-allow-origin"), APP);
        assert_eq!(answer.header("access-control-allow-credentials"), "");
        let exposed = ["retry-after", "www-authenticate", "x-error", "x-error-id"];
        assert_eq!(listed(&answer, "access-control-expose-headers"), exposed);
        assert!(listed(&answer, "vary").contains(&"origin".to_owned()));
    }
    let last = if matches!(backend, Backend::Fakes) { 503 } else { 202 };
    assert_eq!(statuses, [200, 401, 404, 400, last]);
}

async fn scripts_of_other_origins_read_nothing(backend: Backend) {
    let app = app_for_scripts(backend).await;
    let session = app.registered("ada", ADA).await;
    for origin in [
        "https://evil.example.org",
        "http://app.example.org",
        "https://app.example.org:8443",
        "https://app.example.org.evil.org",
        "https://APP.example.org",
        "null",
    ] {
        let refused = app.send(preflight(origin, "/api/auth/v2/session", "GET", "authorization")).await;
        assert_eq!(refused.status, 400, "{origin}");
        tells_nothing(&refused);
        // A program is free to send any origin; what counts is that a browser does not let the script read the answer.
        tells_nothing(&app.send(get("/session").bearer(&session).header("Origin", origin)).await);
    }
    for (method, headers) in [("PATCH", "authorization"), ("GET", "authorization,cookie"), ("GET", "x-forwarded-for")] {
        let refused = app.send(preflight(APP, "/api/auth/v2/session", method, headers)).await;
        assert_eq!(refused.status, 400, "{method} {headers}");
        tells_nothing(&refused);
    }
}

async fn without_allowed_origins_no_script_gets_in(backend: Backend) {
    let app = app(backend).await;
    let refused = app.send(preflight(APP, "/api/auth/v2/session", "POST", "content-type")).await;
    refused.refused(405, "the endpoint does not take this method");
    tells_nothing(&refused);
    tells_nothing(&app.send(get("/session").header("Origin", APP)).await);
}

async fn what_is_outside_of_the_api_is_for_no_script(backend: Backend) {
    let app = app_for_scripts(backend).await;
    for path in ["/healthz", "/readyz", "/metrics", "/openapi.json", "/docs", "/docs/page.js", "/", "/api/auth/v1/user"]
    {
        tells_nothing(&app.send(outside(Method::GET, path).header("Origin", APP)).await);
        tells_nothing(&app.send(preflight(APP, path, "GET", "authorization")).await);
    }
}
