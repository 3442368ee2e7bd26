//! What a reverse proxy asks on every request.

use actix_web::http::Method;
use serde_json::{Value, json};

use super::{ADA, INVALID, LACKING, ROOT, app, journeys};
use crate::app::{Answer, Backend, TestApp, delete, get, outside, post, put};

journeys![
    either_credential_passes_with_the_identity_of_its_owner,
    any_of_the_roles_asked_for_is_enough,
    a_question_that_is_not_understood_lets_nobody_pass,
    a_narrowed_key_pair_passes_with_its_own_roles_only,
    what_is_not_valid_does_not_pass,
    headers_that_a_client_invents_change_nothing,
    what_is_taken_away_is_taken_away_at_the_next_request,
];

const IDENTITY: [&str; 6] =
    ["x-auth-user-id", "x-auth-alias", "x-auth-roles", "x-auth-groups", "x-auth-method", "x-auth-credential-id"];

/// The identity headers of an answer, in the order above.
fn identity(answer: &Answer) -> Vec<&str> {
    let named = answer.headers.keys().filter(|name| name.as_str().starts_with("x-auth-")).count();
    let values: Vec<_> = IDENTITY.into_iter().filter(|name| answer.headers.contains_key(*name)).collect();
    assert_eq!(named, values.len(), "{:?}", answer.headers);
    values.into_iter().map(|name| answer.header(name)).collect()
}

/// Fails unless the answer lets nothing pass, and names nobody.
fn stopped(answer: &Answer, status: u16, detail: &str) {
    answer.refused(status, detail);
    assert!(identity(answer).is_empty(), "{:?}", answer.headers);
}

async fn asked(app: &TestApp, credential: &Value, query: &str) -> Answer {
    app.send(get(&format!("/authorize{query}")).signed(credential)).await
}

async fn either_credential_passes_with_the_identity_of_its_owner(backend: Backend) {
    let app = app(backend).await;
    let ada = app.registered("Ada", ADA).await;
    let pair = app.has_key_pair(&ada, ADA, json!({})).await;
    let id = app.user_id(&ada).await;
    for (credential, method, credential_id) in
        [(&ada, "session", &ada["sessionID"]), (&pair, "keypair", &pair["keyID"])]
    {
        let expected = [&id, "Ada", "user", "public", method, credential_id.as_str().unwrap()];
        for query in ["", "?", "?role=user"] {
            let answer = asked(&app, credential, query).await;
            assert_eq!((answer.status, answer.body.len()), (200, 0));
            assert_eq!(identity(&answer), expected);
            let head = outside(Method::HEAD, &format!("{}/authorize{query}", auth_http::BASE)).signed(credential);
            let head = app.send(head).await;
            assert_eq!((head.status, head.body.len()), (200, 0));
            assert_eq!(identity(&head), expected);
        }
    }
}

async fn any_of_the_roles_asked_for_is_enough(backend: Backend) {
    let app = app(backend).await;
    for administrator in &app.administrators().await {
        for query in ["?role=user", "?role=users_admin", "?role=x&role=users_admin&role=y", "?role=user&role=user"] {
            let answer = asked(&app, administrator, query).await;
            assert_eq!((answer.status, answer.header("x-auth-roles")), (200, "user,users_admin"), "{query}");
        }
        for query in ["?role=x", "?role=x&role=y", "?role=users", "?role=public"] {
            stopped(&asked(&app, administrator, query).await, 403, LACKING);
        }
        for query in ["?role=", "?role", "?role=Admin", "?role=a,b", "?role=user&role=A%0d%0ax:y", "?role=a%20b"] {
            let malformed = "a role is 1 to 64 of a-z, 0-9, '_', '.' and '-'";
            stopped(&asked(&app, administrator, query).await, 400, malformed);
        }
    }
}

async fn a_question_that_is_not_understood_lets_nobody_pass(backend: Backend) {
    let app = app(backend).await;
    for administrator in &app.administrators().await {
        for query in ["?x=y", "?roles=user", "?Role=user", "?role=user&x=1", "?role%3Duser", "?role[]=user", "?user"] {
            stopped(&asked(&app, administrator, query).await, 400, "the only query parameter is role");
        }
    }
    stopped(&app.send(get("/authorize?roles=user")).await, 401, "a bearer or a key pair is required");
}

async fn a_narrowed_key_pair_passes_with_its_own_roles_only(backend: Backend) {
    let app = app(backend).await;
    let root = app.administrator("root", ROOT).await;
    let narrowed = app.has_key_pair(&root, ROOT, json!({"roles": ["user"]})).await;
    let powerless = app.has_key_pair(&root, ROOT, json!({"roles": []})).await;
    assert_eq!(asked(&app, &narrowed, "?role=user").await.header("x-auth-roles"), "user");
    stopped(&asked(&app, &narrowed, "?role=users_admin").await, 403, LACKING);
    let answer = asked(&app, &powerless, "").await;
    assert_eq!((answer.status, answer.header("x-auth-roles"), answer.header("x-auth-alias")), (200, "", "root"));
    assert_eq!(identity(&answer).len(), IDENTITY.len(), "an empty list is told too");
    stopped(&asked(&app, &powerless, "?role=user").await, 403, LACKING);
}

async fn what_is_not_valid_does_not_pass(backend: Backend) {
    let app = app(backend).await;
    let ada = app.registered("ada", ADA).await;
    let pair = app.has_key_pair(&ada, ADA, json!({})).await;
    let pending = app.ask_for_code(ADA).await.accepted();
    for query in ["", "?role=user", "?role=Admin"] {
        let path = format!("/authorize{query}");
        stopped(&app.send(get(&path)).await, 401, "a bearer or a key pair is required");
        stopped(&app.send(get(&path).bearer(&pending)).await, 401, INVALID);
        let half = get(&path).header("api-key", pair["apiKey"].as_str().unwrap());
        stopped(&app.send(half).await, 401, "a key pair takes both api-key and api-secret");
        let both = get(&path).bearer(&ada).key_pair(&pair);
        stopped(&app.send(both).await, 400, "send either a bearer or a key pair, not both");
        let basic = get(&path).header("Authorization", "Basic YTpi");
        stopped(&app.send(basic).await, 401, "the credential is malformed");
    }
    for call in [post("/authorize"), put("/authorize")] {
        let answer = app.send(call.bearer(&ada)).await;
        stopped(&answer, 405, "the endpoint does not take this method");
        assert_eq!(answer.header("allow"), "GET, HEAD");
    }
    let root = app.administrator("root", ROOT).await;
    app.change(&root, &app.user_id(&ada).await, "disable").await;
    stopped(&asked(&app, &ada, "").await, 401, INVALID);
    stopped(&asked(&app, &pair, "").await, 401, INVALID);
}

async fn headers_that_a_client_invents_change_nothing(backend: Backend) {
    let app = app(backend).await;
    let ada = app.registered("ada", ADA).await;
    let plain = asked(&app, &ada, "").await;
    let forged = || {
        let mut call = get("/authorize?role=user");
        for name in IDENTITY {
            call = call.header(name, "users_admin");
        }
        call
    };
    assert_eq!(identity(&app.send(forged().bearer(&ada)).await), identity(&plain));
    stopped(&app.send(forged()).await, 401, "a bearer or a key pair is required");
}

async fn what_is_taken_away_is_taken_away_at_the_next_request(backend: Backend) {
    let app = app(backend).await;
    let root = app.administrator("root", ROOT).await;
    let ada = app.registered("ada", ADA).await;
    let path = format!("/admin/user/{}/groups", app.user_id(&ada).await);
    app.send(post(&path).bearer(&root).json(&json!({"group": "staff"}))).await.accepted();
    assert_eq!(asked(&app, &ada, "").await.header("x-auth-groups"), "public,staff");
    app.send(delete(&format!("{path}/public")).bearer(&root)).await.acknowledged();
    assert_eq!(asked(&app, &ada, "").await.header("x-auth-groups"), "staff");
    let own = format!("/session/{}", ada["sessionID"].as_str().unwrap());
    app.send(delete(&own).bearer(&ada)).await.acknowledged();
    stopped(&asked(&app, &ada, "").await, 401, INVALID);
}
