//! Accounts: making, listing, disabling, un-verifying and deleting them.

use std::time::Duration;

use serde_json::{Value, json};

use super::{ADA, BEGINNING, BOB, INVALID, MISSING, ROOT, app, fields, journeys, of_user, text};
use crate::app::{Backend, TestApp, delete, get, post};

journeys![
    a_user_is_made_with_a_key_pair_shown_and_deleted,
    users_are_listed_in_pages_oldest_first,
    users_are_filtered,
    a_wish_for_a_user_that_does_not_parse_is_400,
    aliases_and_addresses_that_are_taken_are_409,
    a_registration_gives_way_to_an_administrator,
    disabling_ends_everything_at_once_and_enabling_restores_nothing,
    unverifying_ends_everything_and_the_next_code_verifies_again,
    a_user_is_verified_without_a_code,
];

fn wish(alias: &str) -> Value {
    json!({"email": format!("{alias}@example.org"), "fullName": "Grace Hopper", "alias": alias})
}

async fn made(app: &TestApp, by: &Value, wish: &Value) -> Value {
    app.send(post("/admin/user").signed(by).json(wish)).await.accepted()
}

async fn listed(app: &TestApp, by: &Value, query: &str) -> (Value, Vec<String>) {
    let page = app.send(get(&format!("/admin/users?{query}")).signed(by)).await.ok();
    assert_eq!(fields(&page), ["items", "pages", "users"]);
    let aliases = page["users"].as_array().unwrap().iter().map(|user| text(user, "alias").to_owned()).collect();
    (json!([page["pages"], page["items"]]), aliases)
}

async fn a_user_is_made_with_a_key_pair_shown_and_deleted(backend: Backend) {
    let app = app(backend).await;
    for administrator in &app.administrators().await {
        let mut wish = json!({"email": "Grace@example.org", "roles": ["user", "auditor", "user"], "newer": 1});
        wish["fullName"] = json!("Grace Höpper");
        wish["alias"] = json!("Grace");
        let grace = made(&app, administrator, &wish).await;
        assert_eq!(fields(&grace), ["apiKey", "apiSecret", "expireAt", "keyID", "userID"]);
        assert_eq!(grace["expireAt"], BEGINNING + 365 * 86_400);
        let check = app.send(get("/keypair").key_pair(&grace)).await.ok();
        assert_eq!((&check["userID"], &check["keyID"]), (&grace["userID"], &grace["keyID"]));
        assert_eq!((&check["roles"], &check["groups"]), (&json!(["auditor", "user"]), &json!(["public"])));

        let id = text(&grace, "userID");
        let shown = app.account(administrator, id).await;
        let email = &shown["emails"][0]["id"];
        let expected = json!({
            "id": id,
            "alias": "Grace",
            "fullName": "Grace Höpper",
            "emails": [{"id": email, "address": "Grace@example.org", "verified": false, "preferred": true}],
            "roles": ["auditor", "user"],
            "groups": ["public"],
            "verified": true,
            "enabled": true,
            "createdAt": BEGINNING,
        });
        assert_eq!(shown, expected);
        let session = app.sign_in("grace@example.org").await;
        assert_eq!(app.account(administrator, id).await["emails"][0]["verified"], true, "the code has proved it");

        app.send(delete(&of_user(id, "")).signed(administrator)).await.acknowledged();
        app.check(&session).await.refused(401, INVALID);
        app.send(get("/keypair").key_pair(&grace)).await.refused(401, INVALID);
        app.send(get(&of_user(id, "")).signed(administrator)).await.refused(404, MISSING);
        app.send(delete(&of_user(id, "")).signed(administrator)).await.refused(404, MISSING);
        app.send(get(&format!("/user/{id}"))).await.refused(404, MISSING);
    }
}

async fn users_are_listed_in_pages_oldest_first(backend: Backend) {
    let app = app(backend).await;
    let [root, machine] = app.administrators().await;
    for alias in ["a", "b", "c", "d"] {
        app.wait(Duration::from_secs(1));
        made(&app, &machine, &wish(alias)).await;
    }
    app.sign_up("pending", "pending@example.org").await.accepted();
    app.sign_up("decoy", ROOT).await.accepted();

    let (counts, aliases) = listed(&app, &root, "").await;
    assert_eq!(counts, json!([1, 5]));
    assert_eq!(aliases, ["root", "a", "b", "c", "d"]);
    for (query, expected) in [
        ("limit=2", &["root", "a"][..]),
        ("limit=2&page=2", &["b", "c"]),
        ("limit=2&page=3", &["d"]),
        ("page=4&limit=2", &[]),
        ("page=4294967295&limit=2", &[]),
    ] {
        let (counts, aliases) = listed(&app, &machine, query).await;
        assert_eq!(counts, json!([3, 5]), "{query}");
        assert_eq!(aliases, expected, "{query}");
    }
    // Whoever comes later comes last: nobody moves from one page to another.
    app.wait(Duration::from_secs(1));
    made(&app, &root, &wish("0")).await;
    assert_eq!(listed(&app, &root, "limit=2&page=2").await.1, ["b", "c"]);
    let whole = app.send(get("/admin/users?limit=1").bearer(&root)).await.ok();
    let id = text(&whole["users"][0], "id");
    assert_eq!(whole["users"][0], app.account(&root, id).await);
}

async fn users_are_filtered(backend: Backend) {
    let app = app(backend).await;
    let [root, machine] = app.administrators().await;
    let mut auditor = wish("a");
    auditor["roles"] = json!(["auditor"]);
    app.wait(Duration::from_secs(1));
    let a = made(&app, &root, &auditor).await;
    app.wait(Duration::from_secs(1));
    made(&app, &root, &wish("b")).await;
    app.change(&machine, text(&a, "userID"), "disable").await;
    for (query, expected) in [
        ("enabled=true", &["root", "b"][..]),
        ("enabled=false", &["a"]),
        ("role=auditor", &["a"]),
        ("role=user", &["root", "b"]),
        ("role=users_admin", &["root"]),
        ("role=users", &[]),
        ("role=auditor&enabled=true", &[]),
        ("role=user&enabled=true", &["root", "b"]),
    ] {
        let (counts, aliases) = listed(&app, &machine, query).await;
        assert_eq!(aliases, expected, "{query}");
        assert_eq!(counts[1], expected.len(), "{query}");
    }
}

async fn a_wish_for_a_user_that_does_not_parse_is_400(backend: Backend) {
    let app = app(backend).await;
    let root = app.administrator("root", ROOT).await;
    let with = |field: &str, value: Value| {
        let mut wish = wish("grace");
        wish[field] = value;
        wish
    };
    for (wish, expected) in [
        (with("email", json!("grace")), "not a valid e-mail address of at most 254 characters"),
        (
            with("fullName", json!("")),
            "a full name is 1 to 128 characters, with something to see and no control characters",
        ),
        (with("alias", json!("a b")), "an alias is 1 to 32 ASCII letters, digits, '.', '_' or '-'"),
        (with("roles", json!(["user", "Admin"])), "a role is 1 to 64 of a-z, 0-9, '_', '.' and '-'"),
        (with("roles", json!([""])), "a role is 1 to 64 of a-z, 0-9, '_', '.' and '-'"),
        (json!({"email": ADA, "fullName": "Ada"}), "the field alias is missing"),
        (json!({}), "the field email is missing"),
    ] {
        app.send(post("/admin/user").bearer(&root).json(&wish)).await.refused(400, expected);
    }
    for wish in [with("roles", json!("user")), with("notify", json!("yes")), with("roles", json!([1])), json!([])] {
        assert_eq!(app.send(post("/admin/user").bearer(&root).json(&wish)).await.status, 400, "{wish}");
    }
    assert_eq!(listed(&app, &root, "").await.0, json!([1, 1]));
    let plain = post("/admin/user").bearer(&root).header("Content-Type", "text/plain").body(b"{}");
    assert_eq!(app.send(plain).await.status, 415);
    let large = post("/admin/user").bearer(&root).json(&json!({"email": "x".repeat(70_000)}));
    assert_eq!(app.send(large).await.status, 413);
    let none = with("roles", json!([]));
    let grace = made(&app, &root, &none).await;
    assert_eq!(app.account(&root, text(&grace, "userID")).await["roles"], json!([]));
}

async fn aliases_and_addresses_that_are_taken_are_409(backend: Backend) {
    let app = app(backend).await;
    let root = app.administrator("root", ROOT).await;
    app.registered("ada", ADA).await;
    made(&app, &root, &wish("grace")).await;
    for (email, alias, expected) in [
        ("new@example.org", "ADA", "the alias is taken"),
        ("new@example.org", "grace", "the alias is taken"),
        ("Ada@Example.org", "new", "the address belongs to another account"),
        ("GRACE@example.org", "new", "the address belongs to another account"),
    ] {
        let wish = json!({"email": email, "fullName": "New", "alias": alias});
        app.send(post("/admin/user").bearer(&root).json(&wish)).await.refused(409, expected);
    }
    assert_eq!(listed(&app, &root, "").await.0, json!([1, 3]));
}

async fn a_registration_gives_way_to_an_administrator(backend: Backend) {
    let app = app(backend).await;
    let root = app.administrator("root", ROOT).await;
    let pending = app.sign_up("ada", ADA).await.accepted();
    let code = app.read_code(ADA).await;
    let other = json!({"email": BOB, "fullName": "Bob", "alias": "ada"});
    let call = post("/admin/user").bearer(&root).json(&other);
    app.send(call).await.refused(409, "the alias is taken");
    made(&app, &root, &wish("ada")).await;
    app.verify(&pending, &code).await.refused(401, "the verification code is not valid");
    app.sign_in(ADA).await;
}

async fn disabling_ends_everything_at_once_and_enabling_restores_nothing(backend: Backend) {
    let app = app(backend).await;
    for administrator in &app.administrators().await {
        let ada = app.registered("ada", ADA).await;
        let pair = app.has_key_pair(&ada, ADA, json!({})).await;
        let pending = app.ask_for_code(ADA).await.accepted();
        let pending_code = app.read_code(ADA).await;
        let id = app.user_id(&ada).await;
        for _ in 0..2 {
            app.change(administrator, &id, "disable").await;
            app.check(&ada).await.refused(401, INVALID);
            app.send(get("/keypair").key_pair(&pair)).await.refused(401, INVALID);
        }
        assert_eq!(app.account(administrator, &id).await["enabled"], false);
        app.verify(&pending, &pending_code).await.refused(401, "the verification code is not valid");
        let again = app.ask_for_code(ADA).await.accepted();
        let code = app.read_code(ADA).await;
        app.verify(&again, &code).await.refused(403, "the account is disabled");

        for _ in 0..2 {
            app.change(administrator, &id, "enable").await;
            app.check(&ada).await.refused(401, INVALID);
            app.send(get("/keypair").key_pair(&pair)).await.refused(401, INVALID);
        }
        app.verify(&again, &code).await.refused(401, "the verification code is not valid");
        let back = app.sign_in(ADA).await;
        assert_eq!(app.user_id(&back).await, id);
        assert_eq!(app.send(get("/keypairs").bearer(&back)).await.ok(), json!({"keys": []}));
        app.send(delete("/user").bearer(&back)).await.acknowledged();
    }
}

async fn unverifying_ends_everything_and_the_next_code_verifies_again(backend: Backend) {
    let app = app(backend).await;
    for administrator in &app.administrators().await {
        let ada = app.registered("ada", ADA).await;
        let pair = app.has_key_pair(&ada, ADA, json!({})).await;
        let id = app.user_id(&ada).await;
        app.change(administrator, &id, "unverify").await;
        app.check(&ada).await.refused(401, INVALID);
        app.send(get("/keypair").key_pair(&pair)).await.refused(401, INVALID);
        app.send(get(&format!("/user/{id}"))).await.refused(404, MISSING);
        let shown = app.account(administrator, &id).await;
        assert_eq!((&shown["verified"], &shown["enabled"]), (&json!(false), &json!(true)));

        let back = app.sign_in(ADA).await;
        assert_eq!(app.user_id(&back).await, id);
        assert_eq!(app.account(administrator, &id).await["verified"], true);
        app.check(&ada).await.refused(401, INVALID);
        app.send(delete("/user").bearer(&back)).await.acknowledged();
    }
}

async fn a_user_is_verified_without_a_code(backend: Backend) {
    let app = app(backend).await;
    for administrator in &app.administrators().await {
        let ada = app.registered("ada", ADA).await;
        let id = app.user_id(&ada).await;
        app.change(administrator, &id, "unverify").await;
        for _ in 0..2 {
            app.change(administrator, &id, "verify").await;
            assert_eq!(app.send(get(&format!("/user/{id}"))).await.ok(), json!({"alias": "ada"}));
        }
        app.check(&ada).await.refused(401, INVALID);
        app.send(delete(&of_user(&id, "")).signed(administrator)).await.acknowledged();
    }
}
