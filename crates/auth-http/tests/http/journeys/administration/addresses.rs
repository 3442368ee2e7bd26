//! Addresses that administrators give, verify, prefer and delete.

use serde_json::{Value, json};

use super::{ADA, BOB, MISSING, ROOT, app, fields, journeys, of_user, text};
use crate::app::{Backend, TestApp, delete, get, post, put};

journeys![
    an_address_is_given_verified_preferred_and_deleted,
    an_address_that_was_given_signs_in_and_is_nobody_elses,
    an_address_that_is_taken_or_needed_is_409,
    an_address_that_its_owner_added_is_vouched_for_or_verified,
];

const SECOND: &str = "Second@example.org";

async fn given(app: &TestApp, by: &Value, user: &str, address: &str) -> Value {
    let body = json!({"address": address, "newer": 1});
    let given = app.send(post(&of_user(user, "/email")).signed(by).json(&body)).await.accepted();
    assert_eq!(fields(&given), ["emailID"]);
    given
}

fn path(email: &Value, what: &str) -> String {
    format!("/admin/email/{}{what}", text(email, "emailID"))
}

async fn emails(app: &TestApp, by: &Value, user: &str) -> Vec<Value> {
    app.account(by, user).await["emails"].as_array().unwrap().clone()
}

async fn an_address_is_given_verified_preferred_and_deleted(backend: Backend) {
    let app = app(backend).await;
    let administrators = app.administrators().await;
    let ada = app.registered("ada", ADA).await;
    let id = app.user_id(&ada).await;
    let first = emails(&app, &administrators[0], &id).await.remove(0);
    for administrator in &administrators {
        app.wait(std::time::Duration::from_secs(1));
        let second = given(&app, administrator, &id, SECOND).await;
        assert_eq!(app.read_mail(ADA).await.unwrap().template, "address-added");
        let item = |verified: bool, preferred: bool| json!({"id": second["emailID"], "address": SECOND, "verified": verified, "preferred": preferred});
        assert_eq!(emails(&app, administrator, &id).await, [first.clone(), item(false, false)]);
        let prefer =
            |email: &Value| put("/admin/email/preferred").signed(administrator).json(&json!({"emailID": email}));
        app.send(prefer(&second["emailID"])).await.refused(409, "the address is not verified yet");

        for _ in 0..2 {
            app.send(put(&path(&second, "/verify")).signed(administrator)).await.acknowledged();
        }
        let found = get("/user/by-email?email=second@example.org").signed(administrator);
        assert_eq!(app.send(found).await.ok(), json!({"userID": id}));
        for _ in 0..2 {
            app.send(prefer(&second["emailID"])).await.acknowledged();
        }
        assert_eq!(app.read_mail(ADA).await.unwrap().template, "address-preferred");
        assert_eq!(emails(&app, administrator, &id).await[1], item(true, true));
        app.send(prefer(&first["id"])).await.acknowledged();

        app.send(delete(&path(&second, "")).signed(administrator)).await.acknowledged();
        assert_eq!(app.read_mail(ADA).await.unwrap().template, "address-removed");
        assert_eq!(emails(&app, administrator, &id).await, std::slice::from_ref(&first));
        app.send(delete(&path(&second, "")).signed(administrator)).await.refused(404, MISSING);
        app.send(put(&path(&second, "/verify")).signed(administrator)).await.refused(404, MISSING);
        app.send(prefer(&second["emailID"])).await.refused(404, MISSING);
    }
}

async fn an_address_that_was_given_signs_in_and_is_nobody_elses(backend: Backend) {
    let app = app(backend).await;
    let root = app.administrator("root", ROOT).await;
    let ada = app.registered("ada", ADA).await;
    let id = app.user_id(&ada).await;
    given(&app, &root, &id, SECOND).await;
    let by_email = || get("/user/by-email?email=second@example.org");
    app.send(by_email().bearer(&root)).await.refused(404, MISSING);
    app.send(by_email().bearer(&ada)).await.refused(404, MISSING);

    let decoy = app.sign_up("eve", "second@example.org").await.accepted();
    assert_eq!(fields(&decoy), fields(&app.sign_up("carol", "carol@example.org").await.accepted()));
    let notice = app.read_mail(SECOND).await.unwrap();
    assert_eq!((notice.template, notice.code.as_str()), ("address-already-registered", ""));
    let bob = app.registered("bob", BOB).await;
    app.add_email(&bob, "second@example.org").await;
    assert_eq!(app.read_mail(SECOND).await.unwrap().template, "address-claimed-elsewhere");

    let session = app.sign_in("second@example.org").await;
    assert_eq!(app.user_id(&session).await, id);
    assert_eq!(app.send(by_email().bearer(&ada)).await.ok(), json!({"userID": id}), "its code has proved it");
}

async fn an_address_that_is_taken_or_needed_is_409(backend: Backend) {
    let app = app(backend).await;
    let root = app.administrator("root", ROOT).await;
    let ada = app.registered("ada", ADA).await;
    let bob = app.registered("bob", BOB).await;
    let (adas, bobs) = (app.user_id(&ada).await, app.user_id(&bob).await);
    let give =
        |user: &str, address: &str| post(&of_user(user, "/email")).bearer(&root).json(&json!({"address": address}));
    app.send(give(&adas, "BOB@example.org")).await.refused(409, "the address belongs to another account");
    app.send(give(&adas, "ADA@example.org")).await.refused(409, "the account has verified the address already");
    app.send(give(&adas, "ada")).await.refused(400, "not a valid e-mail address of at most 254 characters");

    let claimed = app.add_email(&bob, ADA).await;
    let call = put(&path(&claimed, "/verify")).bearer(&root);
    app.send(call).await.refused(409, "the address belongs to another account");
    app.send(delete(&path(&claimed, "")).bearer(&root)).await.acknowledged();
    let only = emails(&app, &root, &bobs).await.remove(0);
    let needed = "the preferred and the last verified address cannot be deleted";
    let call = delete(&format!("/admin/email/{}", text(&only, "id"))).bearer(&root);
    app.send(call).await.refused(409, needed);

    for n in 0..10 {
        given(&app, &root, &adas, &format!("ada{n}@example.org")).await;
    }
    assert_eq!(app.send(give(&adas, "ada10@example.org")).await.status, 409);
}

async fn an_address_that_its_owner_added_is_vouched_for_or_verified(backend: Backend) {
    let app = app(backend).await;
    let root = app.administrator("root", ROOT).await;
    let ada = app.registered("ada", ADA).await;
    let id = app.user_id(&ada).await;
    let added = app.add_email(&ada, SECOND).await;
    let code = app.read_code(SECOND).await;
    let vouched = given(&app, &root, &id, "second@example.org").await;
    assert_eq!(vouched["emailID"], added["emailID"]);
    let session = app.sign_in(SECOND).await;
    assert_eq!(app.user_id(&session).await, id);
    let body = json!({"verificationCodeID": added["verificationCodeID"], "code": code});
    let call = put("/email/verification").bearer(&ada).json(&body);
    app.send(call).await.refused(401, "the verification code is not valid");

    let third = app.add_email(&ada, "third@example.org").await;
    app.send(put(&path(&third, "/verify")).bearer(&root)).await.acknowledged();
    let session = app.sign_in("third@example.org").await;
    assert_eq!(app.user_id(&session).await, id);
}
