//! Whom the service takes a client for: the address and the network that a request comes from.

use auth_http::{ClientAddress, ForwardedHeader};
use serde_json::{Value, json};

use super::{ADA, ROOT, app, journeys};
use crate::app::{Backend, Call, HERE, Setup, TestApp, get, post, put};

journeys![
    forwarded_addresses_count_only_from_trusted_proxies,
    forged_headers_change_nothing,
    forged_headers_change_nothing_behind_a_proxy,
    a_client_is_known_by_a_24_or_a_48,
];

/// What a client may claim to be, in every way that somebody listens to.
const CLAIMS: [(&str, &str); 12] = [
    ("X-Forwarded-For", "198.51.100.1"),
    ("X-Forwarded-For", "198.51.100.1, 127.0.0.1"),
    ("X-Forwarded-For", "\""),
    ("X-Forwarded-For", "198.51.100.1, \"unclosed"),
    ("X-Forwarded-For", ", , ,"),
    ("Forwarded", "for=198.51.100.1"),
    ("Forwarded", "for=\"198.51.100.1"),
    ("Forwarded", "for=\"[::1]\";by=127.0.0.1, for=unknown"),
    ("X-Real-IP", "198.51.100.1"),
    ("X-Client-IP", "198.51.100.1"),
    ("True-Client-IP", "198.51.100.1"),
    ("CF-Connecting-IP", "198.51.100.1"),
];

async fn behind(backend: Backend, trusted: &str, header: ForwardedHeader) -> TestApp {
    let client_address = ClientAddress { trusted_proxies: vec![trusted.parse().unwrap()], header };
    TestApp::on(backend, Setup { client_address, ..Setup::default() }).await
}

async fn forwarded_addresses_count_only_from_trusted_proxies(backend: Backend) {
    for (trusted, header, expected) in [
        ("192.0.2.0/24", ForwardedHeader::XForwardedFor, "203.0.113.9"),
        ("192.0.2.0/24", ForwardedHeader::Forwarded, "2001:db8::9"),
        ("10.0.0.0/8", ForwardedHeader::XForwardedFor, HERE),
    ] {
        let app = behind(backend, trusted, header).await;
        let call = post("/session")
            .header("X-Forwarded-For", "198.51.100.1, 203.0.113.9")
            .header("Forwarded", "for=198.51.100.1, for=\"[2001:db8::9]:443\"");
        let session = app.send(call.json(&json!({"email": ADA}))).await.accepted();
        assert_eq!(session["ip"], expected);
    }
}

/// Signs in with calls that `claiming` has added to, and guesses wrong; then everything that tells an address tells `expected`.
async fn is_taken_for(app: &TestApp, root: &Value, expected: &str, claiming: impl Fn(Call) -> Call) {
    let asked = app.send(claiming(post("/session").json(&json!({"email": ADA})))).await.accepted();
    assert_eq!(asked["ip"], expected);
    let code = app.read_code(ADA).await;
    let wrong = if code == "000000" { "000001" } else { "000000" };
    for (code, status) in [(wrong, 401), (&code, 202)] {
        let body = json!({"verificationCodeID": asked["verificationCodeID"], "code": code});
        assert_eq!(app.send(claiming(put("/session/verification").json(&body))).await.status, status);
    }
    assert_eq!(app.check(&asked).await.ok()["ip"], expected);
    let listed = app.send(get("/sessions").bearer(&asked)).await.ok();
    let current = listed["sessions"].as_array().unwrap().iter().find(|session| session["current"] == true).unwrap();
    assert_eq!(current["ip"], expected);
    let events = app.events(root, "limit=2").await;
    let told: Vec<_> = events.iter().map(|event| event["ip"].clone()).collect();
    assert_eq!(told, [json!(expected), json!(expected)]);
}

async fn forged_headers_change_nothing(backend: Backend) {
    for header in [ForwardedHeader::XForwardedFor, ForwardedHeader::Forwarded] {
        // Neither where nobody is believed, nor where somebody else is.
        for app in [app(backend).await, behind(backend, "10.0.0.0/8", header).await] {
            let root = app.administrator("root", ROOT).await;
            app.registered("ada", ADA).await;
            is_taken_for(&app, &root, HERE, |call| {
                CLAIMS.iter().fold(call, |call, (name, value)| call.header(name, value))
            })
            .await;
        }
    }
}

async fn forged_headers_change_nothing_behind_a_proxy(backend: Backend) {
    let client = "203.0.113.9";
    let app = behind(backend, "192.0.2.0/24", ForwardedHeader::XForwardedFor).await;
    let root = app.administrator("root", ROOT).await;
    app.registered("ada", ADA).await;
    // The proxy adds what it sees: to the end of the line that is there, or as a line of its own.
    is_taken_for(&app, &root, client, |call| {
        let call = CLAIMS.iter().fold(call, |call, (name, value)| call.header(name, value));
        call.header("X-Forwarded-For", client)
    })
    .await;
    for (_, claim) in CLAIMS.iter().filter(|(name, _)| *name == "X-Forwarded-For") {
        let call = post("/session").header("X-Forwarded-For", &format!("{claim}, {client}"));
        assert_eq!(
            app.send(call.json(&json!({"email": "nobody@example.org"}))).await.accepted()["ip"],
            client,
            "{claim}"
        );
    }
    let app = behind(backend, "192.0.2.0/24", ForwardedHeader::Forwarded).await;
    for (_, claim) in CLAIMS.iter().filter(|(name, _)| *name == "Forwarded") {
        let call = post("/session").header("Forwarded", &format!("{claim}, for=\"{client}:4711\""));
        let call = call.header("X-Forwarded-For", "198.51.100.1");
        assert_eq!(
            app.send(call.json(&json!({"email": "nobody@example.org"}))).await.accepted()["ip"],
            client,
            "{claim}"
        );
    }
}

/// Whether the code that was asked for from `first` still works once another one was asked for from `second`.
async fn leaves_the_first_alone(app: &TestApp, first: &str, second: &str) -> bool {
    let asked = app.send(post("/session").from(first).json(&json!({"email": ADA}))).await.accepted();
    let code = app.read_code(ADA).await;
    app.send(post("/session").from(second).json(&json!({"email": ADA}))).await.accepted();
    app.read_code(ADA).await;
    app.verify(&asked, &code).await.status == 202
}

async fn a_client_is_known_by_a_24_or_a_48(backend: Backend) {
    let app = app(backend).await;
    app.registered("ada", ADA).await;
    for (first, second, apart) in [
        ("2001:db8:1:1::1", "2001:db8:1:ffff::2", false),
        ("2001:db8:1::1", "2001:db8:2::1", true),
        ("203.0.113.1", "203.0.113.254", false),
        ("203.0.113.1", "::ffff:203.0.113.2", false),
        ("203.0.113.1", "203.0.112.1", true),
    ] {
        assert_eq!(leaves_the_first_alone(&app, first, second).await, apart, "{first} and {second}");
    }
}
