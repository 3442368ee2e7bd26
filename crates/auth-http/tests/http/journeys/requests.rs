//! What holds for every request: credentials, input, methods.

use actix_web::http::Method;
use serde_json::json;

use super::{ADA, app, journeys};
use crate::app::{Backend, delete, get, outside, post, put};

journeys![
    credentials_are_judged_before_anything_else,
    bad_input_gets_its_line,
    wrong_paths_and_methods_get_their_line,
    the_operations_endpoints_answer,
];

async fn credentials_are_judged_before_anything_else(backend: Backend) {
    let app = app(backend).await;
    let session = app.registered("ada", ADA).await;
    app.send(get("/session")).await.refused(401, "a bearer is required");
    app.send(delete("/session/not-a-uuid")).await.refused(401, "a bearer is required");
    let basic = get("/session").header("Authorization", "Basic YTpi");
    app.send(basic).await.refused(401, "the credential is malformed");
    let key_pair = get("/session").header("Api-Key", "auk_x").header("Api-Secret", "aus_x");
    app.send(key_pair).await.refused(401, "this endpoint takes a bearer, not a key pair");
    let both = get("/session").bearer(&session).header("api-key", "auk_x").header("api-secret", "aus_x");
    app.send(both).await.refused(400, "send either a bearer or a key pair, not both");
    let bearer = session["bearer"].as_str().unwrap();
    app.send(get("/session").header("authorization", &format!("bEARER {bearer}"))).await.ok();
}

async fn bad_input_gets_its_line(backend: Backend) {
    let app = app(backend).await;
    let email = "not a valid e-mail address of at most 254 characters";
    let name = "a full name is 1 to 128 characters, with something to see and no control characters";
    let alias = "an alias is 1 to 32 ASCII letters, digits, '.', '_' or '-'";
    for (body, expected) in [
        (json!({"email": "ada", "fullName": "Ada", "alias": "ada"}), email),
        (json!({"email": "ada@example.org\r\nBcc: eve@example.org", "fullName": "Ada", "alias": "ada"}), email),
        (json!({"email": format!("{}@example.org", "a".repeat(300)), "fullName": "Ada", "alias": "ada"}), email),
        (json!({"email": ADA, "fullName": "", "alias": "ada"}), name),
        (json!({"email": ADA, "fullName": "Ada\r\nX: y", "alias": "ada"}), name),
        (json!({"email": ADA, "fullName": "x".repeat(129), "alias": "ada"}), name),
        (json!({"email": ADA, "fullName": "Ada\u{0}", "alias": "ada"}), name),
        (json!({"email": ADA, "fullName": "Ada", "alias": ""}), alias),
        (json!({"email": ADA, "fullName": "Ada", "alias": "a da"}), alias),
        (json!({"email": ADA, "fullName": "Ada", "alias": "x".repeat(33)}), alias),
        (json!({"email": ADA, "fullName": "Ada"}), "the field alias is missing"),
        (json!({"email": ADA}), "the field fullName is missing"),
        (json!({}), "the field email is missing"),
        (json!([ADA, "Ada", "ada"]), "the body is not a JSON object"),
        (json!(null), "the body is not a JSON object"),
    ] {
        app.send(post("/user").json(&body)).await.refused(400, expected);
    }
    for (body, status) in [
        (&b"{\"email\":"[..], 400),
        (b"\xff\xfe", 400),
        (b"{\"email\":\"\xff@example.org\"}", 400),
        (b"{\"email\":7}", 400),
        (b"{\"email\":\"a@example.org\",\"email\":\"b@example.org\"}", 400),
        (b"", 400),
    ] {
        let answer = app.send(post("/session").header("Content-Type", "application/json").body(body)).await;
        assert_eq!(answer.status, status, "{:?}", String::from_utf8_lossy(body));
    }
    let text = post("/session").header("Content-Type", "text/plain").body(br#"{"email":"ada@example.org"}"#);
    app.send(text).await.refused(415, "the body must be application/json, without a content coding");
    let coded = post("/session").header("Content-Encoding", "gzip").json(&json!({"email": ADA}));
    app.send(coded).await.refused(415, "the body must be application/json, without a content coding");
    let large = post("/session").header("Content-Type", "application/json").body(&vec![b' '; 3_000_000]);
    app.send(large).await.refused(413, "the body is larger than 64 KiB");
    let not_an_id = json!({"verificationCodeID": "1", "code": "123456"});
    assert_eq!(app.send(put("/session/verification").json(&not_an_id)).await.status, 400);
    let not_text = json!({"verificationCodeID": "0194f3a0-7d3b-7c00-8000-000000000001", "code": 123_456});
    assert_eq!(app.send(put("/session/verification").json(&not_text)).await.status, 400);
}

async fn wrong_paths_and_methods_get_their_line(backend: Backend) {
    let app = app(backend).await;
    for path in ["/", "/sess", "/session/", "/session/extend/more", "/user", "/users"] {
        let answer = app.send(get(path)).await;
        assert_eq!(answer.status, if path == "/user" { 405 } else { 404 }, "{path}");
    }
    for path in ["/", "/api", "/api/auth/v1/session", "/%2e%2e/etc/passwd", "/session"] {
        app.send(outside(Method::GET, path)).await.refused(404, "no such endpoint");
    }
    for (call, allow) in [
        (put("/session"), "GET, HEAD, POST"),
        (outside(Method::PATCH, "/api/auth/v2/session"), "GET, HEAD, POST"),
        (outside(Method::OPTIONS, "/api/auth/v2/session"), "GET, HEAD, POST"),
        (get("/session/verification"), "PUT"),
        (post("/session/extend"), "PUT"),
        (post("/sessions"), "GET, HEAD, DELETE"),
        (get("/user"), "POST, DELETE"),
        (post("/user/id/0194f3a0-7d3b-7c00-8000-000000000001"), "GET, HEAD"),
        (outside(Method::POST, "/healthz"), "GET, HEAD"),
    ] {
        let answer = app.send(call).await;
        answer.refused(405, "the endpoint does not take this method");
        assert_eq!(answer.header("allow"), allow);
    }
}

async fn the_operations_endpoints_answer(backend: Backend) {
    let app = app(backend).await;
    assert_eq!(app.send(outside(Method::GET, "/healthz")).await.ok(), json!({"status": "alive"}));
    assert_eq!(app.send(outside(Method::GET, "/readyz")).await.ok(), json!({"status": "ready"}));
}
