//! The store is away.

use actix_web::http::Method;
use serde_json::json;

use super::{ADA, app};
use crate::app::{Backend, delete, get, outside, post, put};

#[tokio::test]
async fn a_store_that_is_away_makes_every_answer_503_and_none_401() {
    let app = app(Backend::Fakes).await;
    let session = app.registered("ada", ADA).await;
    let pair = app.has_key_pair(&session, ADA, json!({})).await;
    let pending = app.ask_for_code(ADA).await.accepted();
    let code = app.read_code(ADA).await;
    let id = app.check(&session).await.ok()["userID"].as_str().unwrap().to_owned();
    app.lose_the_store();

    let detail = "temporarily unavailable: try again";
    app.check(&session).await.refused(503, detail);
    app.sign_up("new", "new@example.org").await.refused(503, detail);
    app.ask_for_code(ADA).await.refused(503, detail);
    app.ask_for_code("nobody@example.org").await.refused(503, detail);
    app.verify(&pending, &code).await.refused(503, detail);
    app.send(get(&format!("/user/{id}"))).await.refused(503, detail);
    let (address, wish) = (json!({"address": "second@example.org"}), json!({"name": "x", "days": 1}));
    let (prefer, redeem) =
        (json!({"emailID": session["sessionID"]}), json!({"verificationCodeID": session["sessionID"], "code": "1"}));
    for call in [
        get("/authorize"),
        get("/authorize?role=user"),
        get("/sessions"),
        put("/session/extend"),
        delete("/sessions"),
        delete("/user"),
        get("/user/by-email?email=ada@example.org"),
        get("/emails"),
        post("/email").json(&address),
        post("/email/verification").json(&address),
        put("/email/verification").json(&redeem),
        put("/email/preferred").json(&prefer),
        delete(&format!("/email/{id}")),
        get("/keypairs"),
        post("/keypair").json(&wish),
        put("/keypair/verification").json(&redeem),
        delete(&format!("/keypair/{id}")),
    ] {
        app.send(call.bearer(&session)).await.refused(503, detail);
    }
    for call in [get("/keypair"), get("/authorize"), delete("/user"), get("/user/by-email?email=ada@example.org")] {
        app.send(call.key_pair(&pair)).await.refused(503, detail);
    }
    app.send(put("/email/verification").json(&redeem)).await.refused(503, detail);
    // What asks for more than a credential says no more of it than the rest does.
    let granted = json!({"role": "user"});
    for call in [
        || get("/authorize"),
        || get("/authorize?role=users_admin"),
        || get("/admin/users"),
        || get("/admin/events"),
        || delete("/admin/user/not-a-uuid"),
    ] {
        app.send(call().bearer(&session)).await.refused(503, detail);
        app.send(call().key_pair(&pair)).await.refused(503, detail);
    }
    let call = post(&format!("/admin/user/{id}/roles")).bearer(&session).json(&granted);
    app.send(call).await.refused(503, detail);
    app.send(outside(Method::GET, "/readyz")).await.refused(503, "the store is not ready");
    assert_eq!(app.send(outside(Method::GET, "/healthz")).await.status, 200);
    let invented = json!({"bearer": format!("aub_{}", "x".repeat(60))});
    app.check(&invented).await.refused(401, "the credential is not valid");

    app.world.store.come_back();
    app.check(&session).await.ok();
    app.verify(&pending, &code).await.acknowledged();
}
