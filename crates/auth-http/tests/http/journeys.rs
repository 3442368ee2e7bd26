//! Journeys through the API, each on every backend.

use std::time::Duration;

use actix_web::http::Method;
use auth_domain::{Lifetimes, Policy, SessionKind, SessionKinds};
use auth_http::{ClientAddress, ForwardedHeader};
use serde_json::json;

use crate::app::{Backend, Setup, TestApp, delete, get, outside, post, put};

macro_rules! journeys {
    ($($name:ident),+ $(,)?) => {
        mod on_fakes {
            $(#[tokio::test] async fn $name() { super::$name(super::Backend::Fakes).await; })+
        }
        mod on_sqlite {
            $(#[tokio::test] async fn $name() { super::$name(super::Backend::Sqlite).await; })+
        }
    };
}

journeys![
    somebody_signs_up_verifies_checks_extends_lists_and_closes,
    a_new_session_has_every_field_of_the_contract,
    a_registered_address_and_an_unknown_one_look_like_any_other,
    addresses_and_aliases_are_compared_without_regard_to_case,
    a_taken_alias_is_409,
    a_closed_registration_is_403,
    an_unverified_bearer_is_refused_everywhere,
    codes_are_refused_alike,
    a_disabled_account_is_told_only_to_who_has_the_code,
    kinds_of_session_come_from_the_settings,
    a_session_at_its_maximum_age_is_403,
    closing_the_other_sessions_counts_them,
    somebody_elses_session_is_404,
    an_alias_is_public_once_its_user_is_verified,
    a_deleted_account_takes_everything_along,
    credentials_are_judged_before_anything_else,
    bad_input_gets_its_line,
    wrong_paths_and_methods_get_their_line,
    forwarded_addresses_count_only_from_trusted_proxies,
    origins_that_were_not_allowed_are_kept_out,
    the_operations_endpoints_answer,
];

fn app(backend: Backend) -> TestApp {
    TestApp::on(backend, Setup::default())
}

const ADA: &str = "ada@example.org";

async fn somebody_signs_up_verifies_checks_extends_lists_and_closes(backend: Backend) {
    let app = app(backend);
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
    let app = app(backend);
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
    let app = app(backend);
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
    let app = app(backend);
    app.registered("Ada", "Ada@Example.org").await;
    let session = app.ask_for_code("ADA@EXAMPLE.ORG").await.accepted();
    let mail = app.read_mail(ADA).await.unwrap();
    assert_eq!(mail.to, "Ada@Example.org", "delivered as its owner wrote it");
    app.verify(&session, &mail.code).await.acknowledged();
    app.sign_up("aDA", "other@example.org").await.refused(409, "the alias is taken");
}

async fn a_taken_alias_is_409(backend: Backend) {
    let app = app(backend);
    app.sign_up("ada", ADA).await.accepted();
    app.sign_up("ada", "bob@example.org").await.refused(409, "the alias is taken");
    app.sign_up("ada", ADA).await.accepted();
    app.wait(Duration::from_hours(1));
    app.sign_up("ada", "bob@example.org").await.accepted();
}

async fn a_closed_registration_is_403(backend: Backend) {
    let policy = Policy { registration_open: false, ..Policy::default() };
    let app = TestApp::on(backend, Setup { policy, ..Setup::default() });
    app.sign_up("ada", ADA).await.refused(403, "registration is closed");
    app.send(post("/user")).await.refused(403, "registration is closed");
    app.ask_for_code(ADA).await.accepted();
}

async fn an_unverified_bearer_is_refused_everywhere(backend: Backend) {
    let app = app(backend);
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

async fn codes_are_refused_alike(backend: Backend) {
    let app = app(backend);
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
    let app = app(backend);
    let session = app.registered("ada", ADA).await;
    let user = app.check(&session).await.ok()["userID"].as_str().unwrap().parse::<uuid::Uuid>().unwrap();
    app.disable(user.into());

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
    let policy = Policy { session_kinds, ..Policy::default() };
    let app = TestApp::on(backend, Setup { policy, ..Setup::default() });

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

async fn a_session_at_its_maximum_age_is_403(backend: Backend) {
    let lifetimes = Lifetimes { lifetime: Duration::from_mins(5), maximum: Duration::from_mins(7) };
    let session_kinds = SessionKinds::new([(SessionKind::standard(), lifetimes)]).unwrap();
    let policy = Policy { session_kinds, ..Policy::default() };
    let app = TestApp::on(backend, Setup { policy, ..Setup::default() });
    let session = app.registered("ada", ADA).await;
    app.wait(Duration::from_mins(4));
    app.send(put("/session/extend").bearer(&session)).await.accepted();
    let call = put("/session/extend").bearer(&session);
    app.send(call).await.refused(403, "the session is at its maximum age: sign in again");
    app.check(&session).await.ok();
}

async fn closing_the_other_sessions_counts_them(backend: Backend) {
    let app = app(backend);
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
    let app = app(backend);
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

async fn an_alias_is_public_once_its_user_is_verified(backend: Backend) {
    let app = app(backend);
    let session = app.registered("ada", ADA).await;
    let id = app.check(&session).await.ok()["userID"].as_str().unwrap().to_owned();
    for path in [format!("/user/{id}"), format!("/user/id/{id}"), format!("/user/{}", id.to_uppercase())] {
        assert_eq!(app.send(get(&path)).await.ok(), json!({"alias": "ada"}));
    }
    let pending = app.sign_up("bob", "bob@example.org").await.accepted();
    for unknown in [&pending["sessionID"], &session["sessionID"]] {
        let path = format!("/user/{}", unknown.as_str().unwrap());
        app.send(get(&path)).await.refused(404, "no such resource");
    }
    for path in ["/user/ada", "/user/id/1", "/user/%00", "/user/id/0194f3a07d3b7c008000000000000001"] {
        app.send(get(path)).await.refused(400, "the id in the path is not a UUID");
    }
}

async fn a_deleted_account_takes_everything_along(backend: Backend) {
    let app = app(backend);
    let session = app.registered("ada", ADA).await;
    let elsewhere = app.sign_in(ADA).await;
    let id = app.check(&session).await.ok()["userID"].as_str().unwrap().to_owned();

    app.send(delete("/user").bearer(&session)).await.acknowledged();

    for gone in [&session, &elsewhere] {
        app.check(gone).await.refused(401, "the credential is not valid");
    }
    app.send(get(&format!("/user/{id}"))).await.refused(404, "no such resource");
    app.send(delete("/user").bearer(&session)).await.refused(401, "the credential is not valid");
    app.registered("ada", ADA).await;
}

async fn credentials_are_judged_before_anything_else(backend: Backend) {
    let app = app(backend);
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
    let app = app(backend);
    let email = "not a valid e-mail address of at most 254 characters";
    let name = "a full name is 1 to 128 characters without control characters";
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
    let app = app(backend);
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

async fn forwarded_addresses_count_only_from_trusted_proxies(backend: Backend) {
    for (trusted, header, expected) in [
        ("192.0.2.0/24", ForwardedHeader::XForwardedFor, "203.0.113.9"),
        ("192.0.2.0/24", ForwardedHeader::Forwarded, "2001:db8::9"),
        ("10.0.0.0/8", ForwardedHeader::XForwardedFor, "192.0.2.1"),
    ] {
        let client_address = ClientAddress { trusted_proxies: vec![trusted.parse().unwrap()], header };
        let app = TestApp::on(backend, Setup { client_address, ..Setup::default() });
        let call = post("/session")
            .header("X-Forwarded-For", "198.51.100.1, 203.0.113.9")
            .header("Forwarded", "for=198.51.100.1, for=\"[2001:db8::9]:443\"");
        let session = app.send(call.json(&json!({"email": ADA}))).await.accepted();
        assert_eq!(session["ip"], expected);
    }
}

async fn origins_that_were_not_allowed_are_kept_out(backend: Backend) {
    let preflight = |origin| {
        outside(Method::OPTIONS, "/api/auth/v2/session")
            .header("Origin", origin)
            .header("Access-Control-Request-Method", "POST")
            .header("Access-Control-Request-Headers", "content-type,authorization")
    };
    let closed = app(backend);
    assert_eq!(closed.send(preflight("https://app.example.org")).await.status, 405);

    let cors_origins = vec!["https://app.example.org".to_owned()];
    let app = TestApp::on(backend, Setup { cors_origins, ..Setup::default() });
    let answer = app.send(preflight("https://app.example.org")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("access-control-allow-origin"), "https://app.example.org");
    assert_eq!(app.send(preflight("https://evil.example.org")).await.status, 400);
    let call = post("/session").header("Origin", "https://app.example.org").json(&json!({"email": ADA}));
    let answer = app.send(call).await;
    assert_eq!(answer.header("access-control-allow-origin"), "https://app.example.org");
    assert!(answer.header("access-control-expose-headers").contains("x-error"));
}

async fn the_operations_endpoints_answer(backend: Backend) {
    let app = app(backend);
    assert_eq!(app.send(outside(Method::GET, "/healthz")).await.ok(), json!({"status": "alive"}));
    assert_eq!(app.send(outside(Method::GET, "/readyz")).await.ok(), json!({"status": "ready"}));
}

#[tokio::test]
async fn a_store_that_is_away_makes_every_answer_503_and_none_401() {
    let app = app(Backend::Fakes);
    let session = app.registered("ada", ADA).await;
    let pending = app.ask_for_code(ADA).await.accepted();
    let code = app.read_code(ADA).await;
    let id = app.check(&session).await.ok()["userID"].as_str().unwrap().to_owned();
    app.world.store.go_away();

    let detail = "temporarily unavailable: try again";
    app.check(&session).await.refused(503, detail);
    app.sign_up("new", "new@example.org").await.refused(503, detail);
    app.ask_for_code(ADA).await.refused(503, detail);
    app.ask_for_code("nobody@example.org").await.refused(503, detail);
    app.verify(&pending, &code).await.refused(503, detail);
    app.send(get(&format!("/user/{id}"))).await.refused(503, detail);
    for call in [get("/sessions"), put("/session/extend"), delete("/sessions"), delete("/user")] {
        app.send(call.bearer(&session)).await.refused(503, detail);
    }
    app.send(outside(Method::GET, "/readyz")).await.refused(503, "the store is not ready");
    assert_eq!(app.send(outside(Method::GET, "/healthz")).await.status, 200);
    let invented = json!({"bearer": format!("aub_{}", "x".repeat(60))});
    app.check(&invented).await.refused(401, "the credential is not valid");

    app.world.store.come_back();
    app.check(&session).await.ok();
    app.verify(&pending, &code).await.acknowledged();
}
