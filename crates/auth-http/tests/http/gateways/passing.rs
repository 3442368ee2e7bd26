//! Who passes, with what, and who does not.

use serde_json::{Value, json};

use super::{
    guarded::{Guarded, bearer, key_pair},
    proxy::Kind,
};

super::sentences!(
    without_a_valid_credential_nothing_passes,
    a_location_takes_the_roles_that_its_rule_names,
    a_path_in_another_spelling_is_asked_about_as_well,
    what_passes_says_who_is_calling_and_not_how_they_proved_it,
    what_a_client_claims_to_be_never_arrives,
    what_is_revoked_stops_passing_at_once,
);

const IDENTITY: [&str; 6] =
    ["x-auth-user-id", "x-auth-alias", "x-auth-roles", "x-auth-groups", "x-auth-method", "x-auth-credential-id"];

fn without_a_valid_credential_nothing_passes(kind: Kind) {
    let guarded = Guarded::by(kind);
    let invented = format!("Authorization: Bearer aub_{}", "x".repeat(60));
    let pending = guarded.service.sign_up("pending");
    let half = vec![key_pair(&guarded.account("bob", &["user"]))[0].clone()];
    let basic = vec!["Authorization: Basic YTpi".to_owned()];
    for headers in [vec![], vec![invented], bearer(&pending), half, basic] {
        for (method, path, body) in [("GET", "/", ""), ("POST", "/orders?x=y", "{}"), ("DELETE", "/admin/x", "")] {
            let answer = guarded.send(method, path, &headers, body);
            assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some("Bearer")), "{method} {path}");
            assert_eq!(answer.header("x-error").is_some(), kind != Kind::HaProxy, "{answer:?}");
        }
    }
    // nginx refuses a header that may be there once by itself.
    let twice = [bearer(&guarded.ada), bearer(&guarded.ada)].concat();
    assert_eq!(guarded.status("/", &twice), if kind == Kind::Nginx { 400 } else { 401 });
    assert_eq!(guarded.upstream.count(), 0);
}

fn a_location_takes_the_roles_that_its_rule_names(kind: Kind) {
    let guarded = Guarded::by(kind);
    let (bob, eve) = (guarded.account("bob", &["user"]), guarded.account("eve", &["auditor"]));
    let passes = |headers: &[String]| ["/", "/admin/x", "/reports/x"].map(|path| guarded.status(path, headers));
    for headers in [bearer(&guarded.session(&bob)), key_pair(&bob)] {
        assert_eq!(passes(&headers), [200, 403, 403]);
        assert_eq!(guarded.send("POST", "/admin/x", &headers, "{}").status, 403);
    }
    for headers in [bearer(&guarded.session(&eve)), key_pair(&eve)] {
        assert_eq!(passes(&headers), [200, 403, 200]);
    }
    assert_eq!(passes(&bearer(&guarded.ada)), [200, 200, 200]);
}

fn a_path_in_another_spelling_is_asked_about_as_well(kind: Kind) {
    let guarded = Guarded::by(kind);
    let bob = bearer(&guarded.session(&guarded.account("bob", &["user"])));
    for path in [
        "/admin/",
        "//admin/x",
        "/./admin/x",
        "/%61dmin/x",
        "/%61%64%6D%69%6e/x",
        "/admin%2fx",
        "/%2fadmin/x",
        "/x/../admin/x",
        "/x/%2e%2e/admin/x",
        "/x/%2E./admin/x",
        "/x/..%2fadmin/x",
        "/admin/x/../y",
        "/admin/?a=/public",
        "/reports/../admin/x",
        "http://app.example.org/admin/x",
    ] {
        let status = guarded.status(path, &bob);
        assert!(matches!(status, 400 | 403), "{path}: {status}");
    }
    assert_eq!(guarded.status("/administrators", &bob), 200);
    // The place where nginx asks is nothing that a client can reach.
    assert_eq!(guarded.status("/admin", &bob), if kind == Kind::Nginx { 301 } else { 403 });
    let inside = guarded.send("GET", "/_authorize/", &bob, "").status;
    assert_eq!(inside, if kind == Kind::Nginx { 404 } else { 200 });
}

fn what_passes_says_who_is_calling_and_not_how_they_proved_it(kind: Kind) {
    let guarded = Guarded::by(kind);
    let bob = guarded.account("bob", &["user", "auditor"]);
    let session = guarded.session(&bob);
    let body = "x".repeat(4000);
    for (headers, method, credential) in
        [(bearer(&session), "session", &session["sessionID"]), (key_pair(&bob), "keypair", &bob["keyID"])]
    {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let expected = [
            text(&bob["userID"]),
            "bob".into(),
            "auditor,user".into(),
            "public".into(),
            method.into(),
            text(credential),
        ];
        for (verb, path, body) in [("GET", "/orders?id=1&x=%20", ""), ("POST", "/reports/x", body.as_str())] {
            let own = ["X-Request: kept", "X-Forwarded-For: 203.0.113.9", "Cookie: a=b"].map(str::to_owned);
            assert_eq!(guarded.send(verb, path, &[&headers[..], &own].concat(), body).status, 200);
            let seen = guarded.upstream.newest();
            assert_eq!(seen.request_line, format!("{verb} {path} HTTP/1.1"));
            assert_eq!(seen.body, body);
            assert_eq!(IDENTITY.map(|name| seen.values(name).join("|")), expected);
            assert_eq!(["x-request", "cookie"].map(|name| seen.values(name).join("|")), ["kept", "a=b"]);
            assert_eq!(seen.values("x-forwarded-for"), ["127.0.0.1"]);
            let proof = ["authorization", "api-key", "api-secret"].map(|name| seen.values(name).len());
            assert_eq!(proof, [0, 0, 0], "{seen:?}");
        }
    }
}

fn what_a_client_claims_to_be_never_arrives(kind: Kind) {
    let guarded = Guarded::by(kind);
    let bob = guarded.account("bob", &["user"]);
    let groups = format!("/admin/user/{}/groups/public", bob["userID"].as_str().unwrap());
    guarded.administer("DELETE", &groups, &json!({}));
    let session = guarded.session(&bob);
    let spellings: [fn(&str) -> String; 6] = [
        |name| name.to_owned(),
        |name| name.to_uppercase(),
        |name| name.replace('-', "_"),
        |name| name.to_uppercase().replace('-', "_"),
        |name| name.replacen('-', "_", 1),
        |name| name.replacen("x-auth-", "X-Auth_", 1),
    ];
    let arrived = |claims: &[String]| {
        let before = guarded.upstream.count();
        let status = guarded.send("GET", "/", &[&bearer(&session)[..], claims].concat(), "").status;
        assert_eq!(guarded.upstream.count() - before, usize::from(status == 200), "{claims:?}");
        if status == 200 {
            let seen = guarded.upstream.newest();
            assert!(!seen.headers.iter().any(|(_, value)| value.contains("forged")), "{claims:?}: {seen:?}");
            assert_eq!((seen.values("x-auth-alias"), seen.values("x-auth-roles")), (vec!["bob"], vec!["user"]));
            assert_eq!(seen.values("x-auth-groups").concat(), "", "{seen:?}");
            assert!(!seen.values("connection").concat().to_lowercase().contains("x-auth"), "{seen:?}");
        }
        status
    };
    for spelt in spellings {
        let claims: Vec<_> = IDENTITY.iter().map(|name| format!("{}: forged", spelt(name))).collect();
        assert_eq!(arrived(&claims), 200, "{claims:?}");
        assert_eq!(arrived(&[&claims[..], &claims].concat()), 200, "twice: {claims:?}");
    }
    // nginx replaces the names that there are; the others leave no room for those to come.
    if kind != Kind::Nginx {
        assert_eq!(arrived(&["X-Auth-Tenant: forged".to_owned()]), 200);
    }
    // A name that is none, and a header that asks for others to be dropped on the way: at most refused.
    for claims in [
        &["X-Auth-Roles : forged"][..],
        &["X-Auth-Roles: user", " forged"],
        &["Connection: close, x-auth-alias, X-Auth-Roles"],
        &["Connection: close", "Connection: X-AUTH-ROLES"],
    ] {
        let claims: Vec<_> = claims.iter().map(|&line| line.to_owned()).collect();
        assert!(matches!(arrived(&claims), 200 | 400), "{claims:?}");
    }
}

fn what_is_revoked_stops_passing_at_once(kind: Kind) {
    let guarded = Guarded::by(kind);
    let bob = guarded.account("bob", &["user", "auditor"]);
    let user = bob["userID"].as_str().unwrap();
    let (first, second) = (guarded.session(&bob), guarded.session(&bob));
    for headers in [bearer(&first), bearer(&second), key_pair(&bob)] {
        assert_eq!(guarded.status("/reports/x", &headers), 200);
    }

    let close = format!("/session/{}", first["sessionID"].as_str().unwrap());
    assert_eq!(guarded.service.call("DELETE", &close, first["bearer"].as_str(), None).0, 202);
    assert_eq!(guarded.status("/reports/x", &bearer(&first)), 401);
    assert_eq!(guarded.status("/reports/x", &bearer(&second)), 200);

    guarded.administer("DELETE", &format!("/admin/user/{user}/roles/auditor"), &json!({}));
    assert_eq!(guarded.status("/reports/x", &bearer(&second)), 403);
    assert_eq!(guarded.status("/", &bearer(&second)), 200);

    guarded.administer("DELETE", &format!("/admin/keypair/{}", bob["keyID"].as_str().unwrap()), &json!({}));
    assert_eq!(guarded.status("/", &key_pair(&bob)), 401);

    guarded.administer("PUT", &format!("/admin/user/{user}/disable"), &json!({}));
    assert_eq!(guarded.status("/", &bearer(&second)), 401);
}
