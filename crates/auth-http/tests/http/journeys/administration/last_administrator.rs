//! Somebody is always left who administers users.

use serde_json::json;

use super::{ADA, BOB, ROOT, app, journeys, of_user};
use crate::app::{Backend, Call, delete, get, put};

journeys![
    nobody_removes_the_last_administrator_themselves_included,
    a_second_one_makes_the_first_dispensable,
    somebody_who_is_not_the_last_can_leave,
];

const LAST: &str = "the last administrator cannot be removed";

/// Each way to lose an administrator.
fn every_way(id: &str) -> Vec<Call> {
    vec![
        delete(&of_user(id, "")),
        put(&of_user(id, "/disable")),
        put(&of_user(id, "/unverify")),
        delete(&of_user(id, "/roles/users_admin")),
    ]
}

async fn nobody_removes_the_last_administrator_themselves_included(backend: Backend) {
    let app = app(backend).await;
    let [root, machine] = app.administrators().await;
    let id = app.user_id(&root).await;
    // Neither of these two would be one.
    for (alias, email, what) in [("ada", ADA, "disable"), ("bob", BOB, "unverify")] {
        let other = app.administrator(alias, email).await;
        let other = app.user_id(&other).await;
        app.change(&machine, &other, what).await;
    }
    for administrator in [&root, &machine] {
        for call in every_way(&id) {
            app.send(call.signed(administrator)).await.refused(409, LAST);
        }
        app.send(delete("/user").signed(administrator)).await.refused(409, LAST);
        app.send(get("/admin/users").signed(administrator)).await.ok();
    }
    assert_eq!(app.check(&root).await.ok()["roles"], json!(["user", "users_admin"]));
}

async fn a_second_one_makes_the_first_dispensable(backend: Backend) {
    for number in 0..every_way("").len() {
        let app = app(backend).await;
        let root = app.administrator("root", ROOT).await;
        let ada = app.administrator("ada", ADA).await;
        let (roots, adas) = (app.user_id(&root).await, app.user_id(&ada).await);
        app.send(every_way(&roots).remove(number).bearer(&ada)).await.acknowledged();
        assert_ne!(app.send(get("/admin/users").bearer(&root)).await.status, 200);
        for call in every_way(&adas) {
            app.send(call.bearer(&ada)).await.refused(409, LAST);
        }
    }
}

async fn somebody_who_is_not_the_last_can_leave(backend: Backend) {
    let app = app(backend).await;
    let root = app.administrator("root", ROOT).await;
    let ada = app.administrator("ada", ADA).await;
    app.send(delete("/user").bearer(&root)).await.acknowledged();
    app.send(delete("/user").bearer(&ada)).await.refused(409, LAST);
}
