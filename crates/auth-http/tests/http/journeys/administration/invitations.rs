//! Accounts whose users are invited by mail.

use serde_json::{Value, json};

use super::{MISSING, ROOT, app, journeys, of_user, text};
use crate::app::{Backend, delete, get, post};

journeys![
    somebody_who_was_invited_signs_in_and_is_verified_by_that,
    an_invitation_takes_a_page_that_can_stand_in_a_mail,
];

const GRACE: &str = "grace@example.org";

fn wish(fields: &Value) -> Value {
    let mut wish = json!({"email": "Grace@example.org", "fullName": "Grace Hopper", "alias": "grace"});
    wish.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    wish
}

async fn somebody_who_was_invited_signs_in_and_is_verified_by_that(backend: Backend) {
    let app = app(backend).await;
    let portal = "https://app.example.org/sign-in?from=mail&x=12345#a";
    for administrator in &app.administrators().await {
        let body = wish(&json!({"notify": true, "portalURL": portal, "roles": ["auditor"]}));
        let invited = app.send(post("/admin/user").signed(administrator).json(&body)).await.accepted();
        let id = text(&invited, "userID");
        assert_eq!(invited, json!({"userID": id}));
        let mail = app.read_mail(GRACE).await.unwrap();
        assert_eq!((mail.template, mail.to.as_str(), mail.code.as_str()), ("invitation", "Grace@example.org", ""));
        assert_eq!(mail.portal, portal);
        app.send(get(&format!("/user/{id}"))).await.refused(404, MISSING);
        assert_eq!(app.account(administrator, id).await["verified"], false);

        let session = app.sign_in(GRACE).await;
        let check = app.check(&session).await.ok();
        assert_eq!((&check["userID"], &check["roles"]), (&json!(id), &json!(["auditor"])));
        let account = app.account(administrator, id).await;
        assert_eq!((&account["verified"], &account["emails"][0]["verified"]), (&json!(true), &json!(true)));
        app.send(delete(&of_user(id, "")).signed(administrator)).await.acknowledged();
    }
}

async fn an_invitation_takes_a_page_that_can_stand_in_a_mail(backend: Backend) {
    let app = app(backend).await;
    let root = app.administrator("root", ROOT).await;
    let missing = "an invitation takes a portalURL";
    for fields in [json!({"notify": true}), json!({"notify": true, "portalURL": null})] {
        app.send(post("/admin/user").bearer(&root).json(&wish(&fields))).await.refused(400, missing);
    }
    let portal = "a portal is a plain http or https URL of at most 512 characters without six digits in a row";
    for url in [
        "",
        "app.example.org",
        "javascript:alert(1)",
        "data:text/html,x",
        "https://app.example.org/a b",
        "https://app.example.org/\"onclick=x",
        "https://app.example.org/'x",
        "https://app.example.org/<b>",
        "https://app.example.org/\r\nBcc: eve@example.org",
        "https://app.example.org/?invitation=123456",
        &format!("https://app.example.org/{}", "a".repeat(500)),
    ] {
        let body = wish(&json!({"notify": true, "portalURL": url}));
        app.send(post("/admin/user").bearer(&root).json(&body)).await.refused(400, portal);
    }
    assert_eq!(app.send(get("/admin/users").bearer(&root)).await.ok()["items"], 1, "none of them was made");
    assert!(app.read_mail(GRACE).await.is_none());

    let body = wish(&json!({"notify": false, "portalURL": "https://app.example.org"}));
    let made = app.send(post("/admin/user").bearer(&root).json(&body)).await.accepted();
    assert!(made["apiSecret"].is_string() && app.read_mail(GRACE).await.is_none());
}
