//! Roles and groups.

use serde_json::json;

use super::{ADA, MISSING, ROOT, app, journeys, of_user};
use crate::app::{Backend, delete, get, post};

journeys![roles_and_groups_are_given_listed_and_taken, names_that_are_none_are_400];

const KINDS: [(&str, &str, &str); 2] = [("roles", "role", "user"), ("groups", "group", "public")];

async fn roles_and_groups_are_given_listed_and_taken(backend: Backend) {
    let app = app(backend).await;
    let administrators = app.administrators().await;
    let ada = app.registered("ada", ADA).await;
    let pair = app.has_key_pair(&ada, ADA, json!({})).await;
    let id = app.user_id(&ada).await;
    for (administrator, (all, one, held)) in administrators.iter().flat_map(|by| KINDS.map(|kind| (by, kind))) {
        let path = of_user(&id, &format!("/{all}"));
        let listed = async || app.send(get(&path).signed(administrator)).await.ok();
        assert_eq!(listed().await, json!({"userID": id, all: [held]}));
        for _ in 0..2 {
            let given = app.send(post(&path).signed(administrator).json(&json!({one: "a.b_c-1", "newer": 1}))).await;
            assert_eq!(given.accepted(), json!({"userID": id, one: "a.b_c-1"}));
            assert_eq!(listed().await[all], json!(["a.b_c-1", held]));
        }
        assert_eq!(app.check(&ada).await.ok()[all], json!(["a.b_c-1", held]));
        assert_eq!(app.send(get("/keypair").key_pair(&pair)).await.ok()[all], json!(["a.b_c-1", held]));

        app.send(delete(&format!("{path}/{held}")).signed(administrator)).await.acknowledged();
        app.send(delete(&format!("{path}/{held}")).signed(administrator)).await.refused(404, MISSING);
        assert_eq!(app.check(&ada).await.ok()[all], json!(["a.b_c-1"]));
        assert_eq!(app.send(get("/keypair").key_pair(&pair)).await.ok()[all], json!(["a.b_c-1"]));
        app.send(delete(&format!("{path}/a.b_c-1")).signed(administrator)).await.acknowledged();
        assert_eq!(listed().await[all], json!([]));
        app.send(post(&path).signed(administrator).json(&json!({one: held}))).await.accepted();
    }
}

async fn names_that_are_none_are_400(backend: Backend) {
    let app = app(backend).await;
    let root = app.administrator("root", ROOT).await;
    let id = app.user_id(&root).await;
    for (all, one, _) in KINDS {
        let path = of_user(&id, &format!("/{all}"));
        let expected = format!("a {one} is 1 to 64 of a-z, 0-9, '_', '.' and '-'");
        for name in ["", "Admin", "a b", "a,b", "a/b", "ä", "a\r\nx: y", &"x".repeat(65)] {
            app.send(post(&path).bearer(&root).json(&json!({one: name}))).await.refused(400, &expected);
        }
        for name in ["Admin", "a%20b", "a,b", "%C3%A4", "a%0d%0a", "%", &"x".repeat(65)] {
            app.send(delete(&format!("{path}/{name}")).bearer(&root)).await.refused(400, &expected);
        }
        app.send(post(&path).bearer(&root).json(&json!({}))).await.refused(400, &format!("the field {one} is missing"));
        assert_eq!(app.send(post(&path).bearer(&root).json(&json!({one: ["a"]}))).await.status, 400);
        let longest = "x".repeat(64);
        app.send(post(&path).bearer(&root).json(&json!({one: longest}))).await.accepted();
        app.send(delete(&format!("{path}/{longest}")).bearer(&root)).await.acknowledged();
    }
}
