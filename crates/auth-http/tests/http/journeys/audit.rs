//! What the audit log says of all that happens.

use std::{collections::BTreeSet, time::Duration};

use auth_domain::{Administrator, EmailAddress, EventKind, Limits};
use serde_json::{Value, json};

use super::{
    ADA, BOB, INVALID, ROOT, app, journeys,
    limits::{setup, wide_open},
};
use crate::app::{Backend, HERE, TestApp, delete, get, post, put};

journeys![
    everything_that_happens_is_told_with_who_did_it_to_whom,
    a_wrong_code_is_told_and_garbage_is_not,
    events_are_read_from_any_of_them_on_and_by_user,
];

const REFUSED: &str = "the verification code is not valid";
const FIELDS: [&str; 9] = ["actorID", "at", "credentialID", "detail", "id", "ip", "kind", "outcome", "subjectID"];

/// What is told of an event besides its id and its time.
fn line(event: &Value) -> Value {
    let mut fields: Vec<_> = event.as_object().unwrap().keys().map(String::as_str).collect();
    fields.sort_unstable();
    assert_eq!(fields, FIELDS);
    let told = ["kind", "outcome", "actorID", "subjectID", "credentialID", "ip", "detail"];
    told.into_iter().map(|field| event[field].clone()).collect()
}

/// The newest event, a moment after it.
async fn newest(app: &TestApp, administrator: &Value) -> Value {
    let newest = line(&app.events(administrator, "limit=1").await[0]);
    app.wait(Duration::from_secs(1));
    newest
}

/// The newest `count` events, which one act left, by their kinds; a moment after them.
async fn newest_by_kind(app: &TestApp, administrator: &Value, count: usize) -> Vec<Value> {
    let mut newest: Vec<_> = app.events(administrator, &format!("limit={count}")).await.iter().map(line).collect();
    newest.sort_by_key(|line| line[0].as_str().map(str::to_owned));
    app.wait(Duration::from_secs(1));
    newest
}

fn a_wrong(code: &str) -> &'static str {
    if code == "000000" { "000001" } else { "000000" }
}

async fn everything_that_happens_is_told_with_who_did_it_to_whom(backend: Backend) {
    let app = TestApp::on(backend, setup(Limits { failures_per_day: 2, ..wide_open() })).await;
    let root = app.administrator("root", ROOT).await;
    let roots = app.user_id(&root).await;
    app.wait(Duration::from_secs(1));
    let granted = app.events(&root, "limit=2").await;
    assert_eq!(granted.iter().filter(|event| event["ip"].is_null()).count(), 1, "one was on the command line");

    let ada = app.registered("ada", ADA).await;
    let adas = app.user_id(&ada).await;
    let own = |kind: &str, detail: &Value| json!([kind, "success", adas, adas, ada["sessionID"], HERE, detail]);
    assert_eq!(newest(&app, &root).await, own("user.registered", &json!("")));
    let again = app.sign_in(ADA).await;
    let signed_in = json!(["session.signed-in", "success", adas, adas, again["sessionID"], HERE, ""]);
    assert_eq!(newest(&app, &root).await, signed_in);
    app.send(delete("/sessions").bearer(&ada)).await.accepted();
    assert_eq!(newest(&app, &root).await, own("session.others-closed", &json!("")));

    let second = app.add_email(&ada, "second@example.org").await;
    assert_eq!(newest(&app, &root).await, own("email.added", &second["emailID"]));
    let code = app.read_code("second@example.org").await;
    let redeem = |code: &str| json!({"verificationCodeID": second["verificationCodeID"], "code": code});
    app.send(put("/email/verification").bearer(&ada).json(&redeem(a_wrong(&code)))).await.refused(401, REFUSED);
    let failed = json!(["code.failed", "failure", adas, adas, ada["sessionID"], HERE, "email"]);
    assert_eq!(newest(&app, &root).await, failed);
    app.send(put("/email/verification").bearer(&ada).json(&redeem(&code))).await.acknowledged();
    assert_eq!(newest(&app, &root).await, own("email.verified", &second["emailID"]));
    let prefer = json!({"emailID": second["emailID"]});
    app.send(put("/email/preferred").bearer(&ada).json(&prefer)).await.acknowledged();
    assert_eq!(newest(&app, &root).await, own("email.preferred", &second["emailID"]));
    let first = app.account(&root, &adas).await["emails"][0]["id"].clone();
    app.send(delete(&format!("/email/{}", first.as_str().unwrap())).bearer(&ada)).await.acknowledged();
    assert_eq!(newest(&app, &root).await, own("email.removed", &first));

    let pair = app.send(post("/keypair").bearer(&ada).json(&json!({"name": "x", "days": 1}))).await.accepted();
    assert_eq!(newest(&app, &root).await, own("key-pair.created", &pair["keyID"]));
    let code = app.read_code("second@example.org").await;
    let body = json!({"verificationCodeID": pair["verificationCodeID"], "code": code});
    app.send(put("/keypair/verification").bearer(&ada).json(&body)).await.acknowledged();
    assert_eq!(newest(&app, &root).await, own("key-pair.verified", &pair["keyID"]));
    app.send(delete(&format!("/keypair/{}", pair["keyID"].as_str().unwrap())).bearer(&ada)).await.acknowledged();
    assert_eq!(newest(&app, &root).await, own("key-pair.deleted", &pair["keyID"]));

    let machine = app.has_key_pair(&root, ROOT, json!({})).await;
    app.wait(Duration::from_secs(1));
    let done = |kind: &str, credential: &Value, subject: &Value, detail: &Value| {
        json!([kind, "success", roots, subject, credential, HERE, detail])
    };
    let (by_root, by_machine) = (&root["sessionID"], &machine["keyID"]);
    let ada_id = json!(adas);
    for (what, kind) in [
        ("unverify", "user.unverified"),
        ("verify", "user.verified"),
        ("disable", "user.disabled"),
        ("enable", "user.enabled"),
    ] {
        app.change(&machine, &adas, what).await;
        assert_eq!(newest(&app, &root).await, done(kind, by_machine, &ada_id, &json!("")));
    }
    for (all, one) in [("roles", "role"), ("groups", "group")] {
        let path = format!("/admin/user/{adas}/{all}");
        app.send(post(&path).bearer(&root).json(&json!({one: "staff"}))).await.accepted();
        assert_eq!(newest(&app, &root).await, done(&format!("{one}.granted"), by_root, &ada_id, &json!("staff")));
        app.send(delete(&format!("{path}/staff")).bearer(&root)).await.acknowledged();
        assert_eq!(newest(&app, &root).await, done(&format!("{one}.revoked"), by_root, &ada_id, &json!("staff")));
    }
    let given = app.send(post(&format!("/admin/user/{adas}/session")).bearer(&root)).await.accepted();
    let opened = done("session.opened", by_root, &ada_id, &given["sessionID"]);
    assert_eq!(newest(&app, &root).await, opened);
    let pending = app.ask_for_code("second@example.org").await.accepted();
    let path = format!("/admin/session/{}", pending["sessionID"].as_str().unwrap());
    app.send(put(&format!("{path}/verify")).bearer(&root)).await.acknowledged();
    let verified = done("session.verified", by_root, &ada_id, &pending["sessionID"]);
    assert_eq!(newest(&app, &root).await, verified);
    app.send(delete(&path).bearer(&root)).await.acknowledged();
    let closed = done("session.closed", by_root, &ada_id, &pending["sessionID"]);
    assert_eq!(newest(&app, &root).await, closed);

    let wish = json!({"email": BOB, "fullName": "Bob", "alias": "bob"});
    let bob = app.send(post("/admin/user").bearer(&root).json(&wish)).await.accepted();
    let of_bob = |kind: &str, detail: &Value| done(kind, by_root, &bob["userID"], detail);
    let expected = [
        of_bob("group.granted", &json!("public")),
        of_bob("key-pair.created", &bob["keyID"]),
        of_bob("role.granted", &json!("user")),
        of_bob("user.created", &bob["keyID"]),
    ];
    assert_eq!(newest_by_kind(&app, &root, expected.len()).await, expected);
    let mut invite = json!({"email": "eve@example.org", "fullName": "Eve", "alias": "eve", "notify": true});
    invite["portalURL"] = json!("https://app.example.org");
    let eve = app.send(post("/admin/user").bearer(&root).json(&invite)).await.accepted();
    let of_eve = |kind: &str, detail: &str| done(kind, by_root, &eve["userID"], &json!(detail));
    let expected = [of_eve("group.granted", "public"), of_eve("role.granted", "user"), of_eve("user.invited", "")];
    assert_eq!(newest_by_kind(&app, &root, expected.len()).await, expected);
    let eves = eve["userID"].as_str().unwrap();
    app.send(delete(&format!("/admin/user/{eves}")).key_pair(&machine)).await.acknowledged();
    assert_eq!(newest(&app, &root).await, done("user.deleted", by_machine, &eve["userID"], &json!("")));

    what_a_limit_does_is_told(&app, &root).await;

    let all = app.send(get("/admin/events?limit=100").bearer(&root)).await;
    let told: BTreeSet<_> =
        all.ok()["events"].as_array().unwrap().iter().map(|event| event["kind"].as_str().unwrap().to_owned()).collect();
    let every: BTreeSet<_> = EventKind::ALL.iter().map(|kind| kind.as_str().to_owned()).collect();
    assert_eq!(told, every);
    assert_tells_no_secret(&all.text());
}

async fn what_a_limit_does_is_told(app: &TestApp, root: &Value) {
    let pending = app.ask_for_code("nobody@example.org").await.accepted();
    for _ in 0..2 {
        app.verify(&pending, "wrong").await.refused(401, REFUSED);
    }
    app.wait(Duration::from_secs(1));
    app.ask_for_code("nobody@example.org").await.refused(429, "too many requests: try again later");
    let throttled = json!(["throttled", "failure", null, null, null, HERE, "guesses"]);
    assert_eq!(newest(app, root).await, throttled);
    let (operator, address) =
        (Administrator::on_the_command_line(), EmailAddress::parse("nobody@example.org").unwrap());
    assert!(app.auth().unlock_address(&operator, &address).await.unwrap());
    let unlocked = json!(["user.unlocked", "success", null, null, null, null, ""]);
    assert_eq!(newest(app, root).await, unlocked);
}

fn assert_tells_no_secret(text: &str) {
    for secret in ["@", "aub_", "auk_", "aus_", "app.example.org", "second"] {
        assert!(!text.contains(secret), "{secret}");
    }
    let is_digit_run = |word: &&str| word.len() == 6 && word.bytes().all(|b| b.is_ascii_digit());
    assert_eq!(text.split(|c: char| !c.is_ascii_alphanumeric()).find(is_digit_run), None, "no code");
}

async fn a_wrong_code_is_told_and_garbage_is_not(backend: Backend) {
    let app = app(backend).await;
    let root = app.administrator("root", ROOT).await;
    let roots = app.user_id(&root).await;
    app.registered("ada", ADA).await;
    let before = app.events(&root, "").await;
    let pending = app.ask_for_code(ROOT).await.accepted();
    let code = app.read_code(ROOT).await;
    let decoy = app.ask_for_code("nobody@example.org").await.accepted();
    let decoy_registration = app.sign_up("eve", ADA).await.accepted();

    // Nothing of this is worth a line.
    let invented = json!({"verificationCodeID": root["sessionID"]});
    app.verify(&invented, &code).await.refused(401, REFUSED);
    for garbage in [get("/session"), get("/admin/users"), delete("/user")] {
        app.send(garbage.header("Authorization", "Bearer garbage")).await.refused(401, INVALID);
    }
    app.send(delete(&format!("/session/{roots}")).bearer(&root)).await.refused(404, "no such resource");
    let role = json!({"role": "user"});
    app.send(post(&format!("/admin/user/{roots}/roles")).bearer(&root).json(&role)).await.accepted();
    app.send(delete(&format!("/admin/user/{roots}")).bearer(&root))
        .await
        .refused(409, "the last administrator cannot be removed");
    assert_eq!(app.events(&root, "").await, before);

    // Each of these is.
    for (session, subject) in [(&pending, json!(roots)), (&decoy, Value::Null), (&decoy_registration, Value::Null)] {
        app.wait(Duration::from_secs(1));
        app.verify(session, a_wrong(&code)).await.refused(401, REFUSED);
        let expected = json!(["code.failed", "failure", null, subject, null, "192.0.2.1", "sign-in"]);
        assert_eq!(newest(&app, &root).await, expected);
    }
    app.verify(&pending, &code).await.acknowledged();
    app.verify(&pending, &code).await.refused(401, REFUSED);
    assert_eq!(app.events(&root, "").await.len(), before.len() + 4, "a used code is garbage");

    let bob = app.registered("bob", BOB).await;
    app.change(&root, &app.user_id(&bob).await, "disable").await;
    app.wait(Duration::from_secs(1));
    let disabled = app.ask_for_code(BOB).await.accepted();
    let code = app.read_code(BOB).await;
    app.verify(&disabled, &code).await.refused(403, "the account is disabled");
    let told = newest(&app, &root).await;
    assert_eq!(
        (&told[0], &told[1], &told[6]),
        (&json!("code.failed"), &json!("failure"), &json!("sign-in: the account is disabled"))
    );
}

async fn events_are_read_from_any_of_them_on_and_by_user(backend: Backend) {
    let app = app(backend).await;
    let [root, machine] = app.administrators().await;
    let mut users = Vec::new();
    for (alias, email) in [("ada", ADA), ("bob", BOB)] {
        app.wait(Duration::from_secs(1));
        users.push(app.user_id(&app.registered(alias, email).await).await);
    }
    for what in ["disable", "enable"] {
        for user in &users {
            app.wait(Duration::from_secs(1));
            app.change(&machine, user, what).await;
        }
    }
    let all = app.events(&root, "limit=100").await;
    let kinds = |events: &[Value]| events.iter().map(|event| event["kind"].clone()).collect::<Vec<_>>();
    let expected = ["user.enabled", "user.enabled", "user.disabled", "user.disabled", "user.registered"];
    assert_eq!(kinds(&all)[..5], expected);
    let times: Vec<_> = all.iter().map(|event| event["at"].as_i64().unwrap()).collect();
    assert!(times.is_sorted_by(|later, earlier| later >= earlier), "{times:?}");

    let mut read = Vec::new();
    let mut query = "limit=3".to_owned();
    loop {
        let page = app.events(&machine, &query).await;
        let Some(last) = page.last() else { break };
        assert!(page.len() <= 3);
        query = format!("limit=3&before={}", last["id"].as_str().unwrap());
        read.extend(page);
    }
    assert_eq!(read, all);

    let adas = app.events(&root, &format!("user={}", users[0])).await;
    assert_eq!(kinds(&adas), ["user.enabled", "user.disabled", "user.registered"]);
    let older = format!("user={}&before={}&limit=1", users[0], adas[0]["id"].as_str().unwrap());
    assert_eq!(app.events(&root, &older).await, adas[1..2]);
    let roots = app.user_id(&root).await;
    let done_by_root = app.events(&root, &format!("user={roots}&limit=4")).await;
    assert_eq!(
        done_by_root,
        all.iter().filter(|event| event["actorID"] == json!(roots)).take(4).cloned().collect::<Vec<_>>()
    );
    assert!(app.events(&root, &format!("user={}", adas[0]["id"].as_str().unwrap())).await.is_empty());
    let gone = &users[1];
    app.send(delete(&format!("/admin/user/{gone}")).bearer(&root)).await.acknowledged();
    assert_eq!(app.events(&root, &format!("user={gone}")).await.len(), 4, "the log outlives whom it names");
}
