//! Who may, and in what order that is judged.

use actix_web::http::Method;
use serde_json::json;

use super::{ADA, INVALID, LACKING, MISSING, PAGES, PARAMETER, ROOT, app, journeys};
use crate::app::{Backend, Call, delete, get, outside, put};

journeys![
    the_role_is_asked_for_before_anything_is_read,
    what_does_not_parse_is_400,
    an_unknown_id_is_404_and_unknown_fields_are_ignored,
    an_address_of_somebody_else_is_found_by_administrators_only,
    pages_that_are_none_are_400,
    what_an_administrator_loses_is_lost_at_once,
];

const UNKNOWN: &str = "01a20ada-2c00-7a6f-bd12-86b4d0afeb01";

/// Every endpoint of the administration as it is served, with its placeholders filled.
fn every_endpoint(id: &str, name: &str) -> Vec<(Method, String)> {
    let served = auth_http::served().into_iter().filter(|(path, _)| path.starts_with("/api/auth/v2/admin/"));
    let endpoints: Vec<_> = served
        .flat_map(|(path, methods)| {
            let path = path.replace("{id}", id).replace("{role}", name).replace("{group}", name);
            methods.into_iter().map(move |method| (method.parse().unwrap(), path.clone()))
        })
        .collect();
    assert!(endpoints.len() > 30, "{endpoints:?}");
    endpoints
}

/// A call of every endpoint in which nothing parses.
fn garbled() -> Vec<Call> {
    let calls = every_endpoint("not-a-uuid", "Not-A-Name").into_iter().map(|(method, path)| {
        let call = outside(method, &format!("{path}?page=x&limit=x&before=x&user=x&enabled=x"));
        call.header("Content-Type", "application/json").body(b"{")
    });
    calls.collect()
}

async fn the_role_is_asked_for_before_anything_is_read(backend: Backend) {
    let app = app(backend).await;
    let root = app.administrator("root", ROOT).await;
    let ada = app.registered("ada", ADA).await;
    let adas = app.has_key_pair(&ada, ADA, json!({})).await;
    let narrowed = app.has_key_pair(&root, ROOT, json!({"roles": ["user"]})).await;
    let pending = app.ask_for_code(ROOT).await.accepted();
    let mixed = json!({"apiKey": adas["apiKey"], "apiSecret": narrowed["apiSecret"]});
    for call in garbled() {
        app.send(call).await.refused(401, "a bearer or a key pair is required");
    }
    for nobody in [&pending, &mixed] {
        for call in garbled() {
            app.send(call.signed(nobody)).await.refused(401, INVALID);
        }
    }
    for caller in [&ada, &adas, &narrowed] {
        for call in garbled() {
            app.send(call.signed(caller)).await.refused(403, LACKING);
        }
    }
    for call in garbled() {
        let both = call.bearer(&root).header("api-key", "x");
        app.send(both).await.refused(400, "send either a bearer or a key pair, not both");
    }
}

async fn what_does_not_parse_is_400(backend: Backend) {
    let app = app(backend).await;
    for administrator in &app.administrators().await {
        for call in garbled() {
            let answer = app.send(call.signed(administrator)).await;
            assert_eq!(answer.status, 400, "{}", answer.text());
        }
    }
}

async fn an_unknown_id_is_404_and_unknown_fields_are_ignored(backend: Backend) {
    let app = app(backend).await;
    // All that any endpoint takes, and more than each of them does.
    let body = json!({
        "role": "auditor", "group": "staff", "kind": null, "name": "x", "days": 1, "address": "x@example.org",
        "emailID": UNKNOWN, "newer": [1, {}],
    });
    for administrator in &app.administrators().await {
        let of_nothing = every_endpoint(UNKNOWN, "auditor").into_iter().filter(|(_, path)| path.contains(UNKNOWN));
        for (method, path) in of_nothing {
            app.send(outside(method, &path).signed(administrator).json(&body)).await.refused(404, MISSING);
        }
        app.send(put("/admin/email/preferred").signed(administrator).json(&body)).await.refused(404, MISSING);
    }
}

async fn an_address_of_somebody_else_is_found_by_administrators_only(backend: Backend) {
    let app = app(backend).await;
    let [root, machine] = app.administrators().await;
    let narrowed = app.has_key_pair(&root, ROOT, json!({"roles": ["user"]})).await;
    let ada = app.registered("ada", ADA).await;
    let path = "/user/by-email?email=ADA@example.org";
    let expected = json!({"userID": app.user_id(&ada).await});
    for administrator in [&root, &machine] {
        assert_eq!(app.send(get(path).signed(administrator)).await.ok(), expected);
        let nobody = get("/user/by-email?email=nobody@example.org").signed(administrator);
        app.send(nobody).await.refused(404, MISSING);
    }
    app.send(get(path).signed(&narrowed)).await.refused(404, MISSING);
    let roots = get("/user/by-email?email=root@example.org").signed(&ada);
    app.send(roots).await.refused(404, MISSING);
}

async fn pages_that_are_none_are_400(backend: Backend) {
    let app = app(backend).await;
    let root = app.administrator("root", ROOT).await;
    let huge = "9".repeat(30);
    for list in ["users", "sessions", "keypairs", "events"] {
        let mut wanted = vec![
            ("limit=0".to_owned(), PAGES),
            ("limit=101".to_owned(), PAGES),
            ("limit=-1".to_owned(), PAGES),
            (format!("limit={}", i64::MAX), PAGES),
            (format!("limit={huge}"), PARAMETER),
            ("limit=abc".to_owned(), PARAMETER),
            ("limit=1.5".to_owned(), PARAMETER),
            ("limit=".to_owned(), PARAMETER),
            ("limit=1&limit=2".to_owned(), PARAMETER),
        ];
        if list == "events" {
            wanted.push(("before=1".to_owned(), PARAMETER));
        } else {
            wanted.extend([
                ("page=0".to_owned(), PAGES),
                ("page=-1".to_owned(), PAGES),
                (format!("page={}", i64::MAX), PAGES),
                (format!("page={huge}"), PARAMETER),
                ("page=abc".to_owned(), PARAMETER),
            ]);
        }
        match list {
            "users" => wanted.extend([
                ("enabled=maybe".to_owned(), PARAMETER),
                ("role=Admin".to_owned(), "a role is 1 to 64 of a-z, 0-9, '_', '.' and '-'"),
            ]),
            _ => wanted.push(("user=ada".to_owned(), PARAMETER)),
        }
        for (query, expected) in wanted {
            let answer = app.send(get(&format!("/admin/{list}?{query}")).bearer(&root)).await;
            assert_eq!((answer.status, answer.header("x-error")), (400, expected), "{list}?{query}");
        }
        app.send(get(&format!("/admin/{list}?limit=100&page=1&newer=x")).bearer(&root)).await.ok();
    }
}

async fn what_an_administrator_loses_is_lost_at_once(backend: Backend) {
    let app = app(backend).await;
    let [root, machine] = app.administrators().await;
    let ada = app.administrator("ada", ADA).await;
    let adas = app.has_key_pair(&ada, ADA, json!({})).await;
    for credential in [&ada, &adas] {
        app.send(get("/admin/users").signed(credential)).await.ok();
    }
    let id = app.user_id(&ada).await;
    let call = delete(&format!("/admin/user/{id}/roles/users_admin")).signed(&machine);
    app.send(call).await.acknowledged();
    for credential in [&ada, &adas] {
        app.send(get("/admin/users").signed(credential)).await.refused(403, LACKING);
    }
    assert_eq!(app.check(&ada).await.ok()["roles"], json!(["user"]));
    assert_eq!(app.send(get("/keypair").signed(&adas)).await.ok()["roles"], json!(["user"]));
    app.send(get("/admin/users").signed(&root)).await.ok();
}
