//! Who is told: owners, operators, the audit log.

use std::time::Duration;

use actix_web::http::Method;
use auth_domain::{Administrator, EmailAddress, Limits};
use serde_json::{Value, json};

use super::{
    super::{ADA, BOB, ROOT, journeys},
    DAY, ELSEWHERE, FAR_AWAY, HOUR, NOBODY, WRONG, asking, each_hour, guess_wrong, guessing, held_back, setup,
    signing_up, signs_in, wide_open, with_ada,
};
use crate::app::{Backend, HERE, TestApp, get, outside};

journeys![
    an_owner_is_told_once_of_a_lockout_that_does_not_end_by_itself,
    an_operator_unlocks_an_address,
    a_flood_is_told_once,
    refusals_are_counted_by_their_limit,
];

/// Guesses wrong on two days until strangers are shut out for good: four times on the first one, and twice on the second.
async fn lock(app: &TestApp, email: &str) {
    guess_wrong(app, ELSEWHERE, email, 4).await;
    app.wait(DAY);
    assert_eq!(app.auth().tell_of_lockouts(10).await.unwrap(), 0);
    guess_wrong(app, FAR_AWAY, email, 2).await;
    held_back(&app.send(asking(ELSEWHERE, email)).await, DAY);
}

/// How many notices of a lockout go to Ada when it is looked for lockouts.
async fn notices_of_lockouts(app: &TestApp) -> u32 {
    app.auth().tell_of_lockouts(10).await.unwrap();
    let mut notices = 0;
    while let Some(mail) = app.read_mail(ADA).await {
        notices += u32::from(mail.template == "address-locked");
    }
    notices
}

async fn an_owner_is_told_once_of_a_lockout_that_does_not_end_by_itself(backend: Backend) {
    let app = with_ada(backend, Limits { failures_per_day: 4, failures_in_a_row: 6, ..wide_open() }).await;
    lock(&app, ADA).await;
    assert_eq!(notices_of_lockouts(&app).await, 1);
    app.wait(30 * DAY);
    held_back(&app.send(asking(ELSEWHERE, ADA)).await, DAY);
    assert_eq!(notices_of_lockouts(&app).await, 0);

    // From a network that is known to her she gets in, and that ends it.
    signs_in(&app, HERE).await;
    app.send(asking(ELSEWHERE, ADA)).await.accepted();
    lock(&app, ADA).await;
    assert_eq!(notices_of_lockouts(&app).await, 1, "it is another one");
}

async fn an_operator_unlocks_an_address(backend: Backend) {
    let app = with_ada(backend, Limits { failures_per_day: 4, failures_in_a_row: 6, ..wide_open() }).await;
    let operator = Administrator::on_the_command_line();
    let unlock =
        async |email: &str| app.auth().unlock_address(&operator, &EmailAddress::parse(email).unwrap()).await.unwrap();
    // One that nobody owns is locked and unlocked alike, but nobody is told.
    for email in [ADA, NOBODY] {
        lock(&app, email).await;
        app.auth().tell_of_lockouts(10).await.unwrap();
        assert!(unlock(email).await);
        assert!(!unlock(email).await, "nothing is left to unlock");
        app.send(asking(FAR_AWAY, email)).await.accepted();
    }
    assert!(app.read_mail(NOBODY).await.is_none());
    signs_in(&app, ELSEWHERE).await;

    let root = app.administrator("root", ROOT).await;
    let events = app.events(&root, "limit=100").await;
    let unlocked: Vec<_> = events.iter().filter(|event| event["kind"] == "user.unlocked").collect();
    let told = |event: &Value| json!([event["outcome"], event["actorID"], event["subjectID"], event["ip"]]);
    let adas = app.user_id_at(&root, ADA).await;
    assert_eq!(told(unlocked[1]), json!(["success", null, adas, null]));
    assert_eq!(told(unlocked[0]), json!(["success", null, null, null]));
    assert_eq!(unlocked.len(), 2);
}

async fn a_flood_is_told_once(backend: Backend) {
    let app = with_ada(backend, Limits { mails_per_address: each_hour(3), ..wide_open() }).await;
    let root = app.administrator("root", ROOT).await;
    let adas = app.user_id_at(&root, ADA).await;
    let told = async || {
        let events = app.events(&root, "limit=100").await;
        let lines = events.iter().filter(|event| event["kind"] == "throttled");
        lines
            .map(|event| json!([event["outcome"], event["actorID"], event["subjectID"], event["ip"], event["detail"]]))
            .collect::<Vec<_>>()
    };
    for _ in 0..3 {
        app.send(asking(ELSEWHERE, ADA)).await.accepted();
    }
    for _ in 0..20 {
        held_back(&app.send(asking(ELSEWHERE, ADA)).await, HOUR / 3);
        app.wait(Duration::from_millis(1));
    }
    let mails = json!(["failure", null, adas, ELSEWHERE, "mails-to-address"]);
    assert_eq!(told().await, std::slice::from_ref(&mails));

    guess_wrong(&app, HERE, ADA, 10).await;
    for _ in 0..5 {
        assert_eq!(app.send(asking(HERE, ADA)).await.status, 429);
    }
    assert_eq!(told().await, [json!(["failure", null, adas, HERE, "guesses"]), mails]);
    let all = app.send(get("/admin/events?limit=100").bearer(&root)).await.text();
    assert!(!all.contains('@'), "{all}");
}

async fn refusals_are_counted_by_their_limit(backend: Backend) {
    let limits = Limits { sign_ups_per_network: each_hour(1), requests_per_network: each_hour(5), ..wide_open() };
    let app = TestApp::on(backend, setup(limits)).await;
    app.send(signing_up(HERE, "ada", ADA)).await.accepted();
    for _ in 0..3 {
        assert_eq!(app.send(signing_up(HERE, "bob", BOB)).await.status, 429);
    }
    let invented = json!({"verificationCodeID": "0194f3a0-7d3b-7c00-8000-000000000001"});
    let guesses = async |peer| app.send(guessing(peer, &invented, WRONG)).await.status;
    let mut statuses = Vec::new();
    for _ in 0..6 {
        statuses.push(guesses(HERE).await);
    }
    assert_eq!(statuses, [401, 401, 401, 401, 429, 429]);
    let page = app.send(outside(Method::GET, "/metrics")).await.text();
    for (limit, count) in [
        ("guesses", 0),
        ("look-ups", 0),
        ("mails-from-network", 0),
        ("mails-to-address", 0),
        ("requests", 2),
        ("sign-ups", 3),
    ] {
        assert!(page.contains(&format!("auth_throttled_total{{limit=\"{limit}\"}} {count}\n")), "{limit}: {page}");
    }
}
