//! Accounts, and what others may know of them.

use serde_json::json;

use super::{ADA, app, journeys};
use crate::app::{Backend, delete, get};

journeys![an_alias_is_public_once_its_user_is_verified, a_deleted_account_takes_everything_along,];

async fn an_alias_is_public_once_its_user_is_verified(backend: Backend) {
    let app = app(backend).await;
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
    let app = app(backend).await;
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
