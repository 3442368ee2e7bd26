//! Mails, registrations and requests.

use std::time::Duration;

use auth_domain::Limits;
use serde_json::json;

use super::{
    super::{ADA, BOB, journeys},
    ELSEWHERE, FAR_AWAY, HOUR, NOBODY, REFUSED, WRONG, asking, each_hour, guessing, held_back, setup, signing_up,
    signs_in, wide_open, with_ada,
};
use crate::app::{Answer, Backend, Call, HERE, TestApp, get, post, put};

journeys![
    addresses_are_held_back_alike_whoever_owns_them,
    an_owner_gets_mail_from_a_known_network_while_strangers_get_none,
    retry_after_is_true,
    what_was_refused_is_not_charged,
    somebody_who_is_signed_in_cannot_flood_an_address_either,
    what_takes_a_credential_is_not_held_back_by_requests,
    looking_up_users_is_held_back_and_keeps_nobody_from_signing_in,
];

async fn looking_up_users_is_held_back_and_keeps_nobody_from_signing_in(backend: Backend) {
    let app = with_ada(backend, Limits { requests_per_network: each_hour(4), ..wide_open() }).await;
    let ada = app.sign_in(ADA).await;
    let user = app.user_id(&ada).await;
    let [known, unknown] = [&user, "00000000-0000-0000-0000-000000000000"].map(|id| format!("/user/{id}"));
    for path in [&known, &unknown, &format!("/user/id/{user}"), &known] {
        let answer = app.send(get(path).from(ELSEWHERE)).await;
        assert_eq!(answer.status, if path == &unknown { 404 } else { 200 });
    }
    for path in [&known, &unknown] {
        held_back(&app.send(get(path).from(ELSEWHERE)).await, HOUR / 4);
        // Where somebody else is, they are not held back.
        app.send(get(path).from(FAR_AWAY)).await;
    }
    app.send(asking(ELSEWHERE, NOBODY)).await.accepted();
    assert_eq!(app.send(get(&known).from(FAR_AWAY)).await.status, 200);
    app.wait(HOUR / 4);
    assert_eq!(app.send(get(&known).from(ELSEWHERE)).await.status, 200);
}

/// All that a stranger sees who asks, guesses and registers until everything is spent.
async fn spending_everything(app: &TestApp, email: &str) -> Vec<(u16, String, String)> {
    let mut asked = Vec::new();
    let mut seen = Vec::new();
    let told =
        |answer: &Answer| (answer.status, answer.header("x-error").to_owned(), answer.header("retry-after").to_owned());
    for turn in 0..9 {
        let peer = if turn % 2 == 0 { ELSEWHERE } else { FAR_AWAY };
        let answer = app.send(asking(peer, email)).await;
        seen.push(told(&answer));
        asked.extend((answer.status == 202).then(|| answer.json()));
        let answer = app.send(signing_up(peer, &format!("eve{turn}"), email)).await;
        seen.push(told(&answer));
        for session in &asked {
            seen.push(told(&app.send(guessing(peer, session, WRONG)).await));
        }
        app.wait(Duration::from_mins(7));
    }
    seen
}

async fn addresses_are_held_back_alike_whoever_owns_them(backend: Backend) {
    let mut seen = Vec::new();
    for kind in ["unknown", "known", "pending", "disabled"] {
        let app = with_ada(backend, Limits { requests_per_network: each_hour(12), ..Limits::default() }).await;
        let email = match kind {
            "unknown" => NOBODY,
            "known" => ADA,
            "pending" => {
                // It lives for an hour and stays pending; what it cost has filled up again by then.
                app.send(signing_up(HERE, "bob", BOB)).await.accepted();
                app.wait(Duration::from_mins(59));
                BOB
            }
            _ => {
                let session = app.sign_in(ADA).await;
                let user = app.user_id(&session).await.parse::<uuid::Uuid>().unwrap();
                app.disable(user.into()).await;
                ADA
            }
        };
        seen.push((kind, spending_everything(&app, email).await));
    }
    let (_, unknown) = &seen[0];
    for status in [202, 401, 429] {
        assert!(unknown.iter().any(|(seen, ..)| *seen == status), "{unknown:?}");
    }
    for (kind, seen) in &seen[1..] {
        assert_eq!(seen, unknown, "{kind}");
    }
}

async fn an_owner_gets_mail_from_a_known_network_while_strangers_get_none(backend: Backend) {
    let app = with_ada(backend, Limits { mails_per_address: each_hour(6), ..wide_open() }).await;
    for _ in 0..6 {
        app.send(asking(ELSEWHERE, ADA)).await.accepted();
    }
    for peer in [ELSEWHERE, FAR_AWAY] {
        held_back(&app.send(asking(peer, ADA)).await, HOUR / 6);
    }
    for _ in 0..6 {
        app.send(asking(HERE, ADA)).await.accepted();
    }
    held_back(&app.send(asking(HERE, ADA)).await, HOUR / 6);
}

/// Sends what spends a limit, and then holds the answer to what it says: a second before the moment that it names there is no
/// room yet, and at that moment there is.
async fn tells_the_truth(app: &TestApp, spend: &[Call], next: Call, wait: Duration) {
    for call in spend {
        assert_ne!(app.send(call.clone()).await.status, 429);
    }
    held_back(&app.send(next.clone()).await, wait);
    app.wait(wait.saturating_sub(Duration::from_millis(999)));
    held_back(&app.send(next.clone()).await, Duration::from_secs(1));
    app.wait(Duration::from_millis(999));
    assert_ne!(app.send(next).await.status, 429);
}

async fn retry_after_is_true(backend: Backend) {
    let app = async |limits| TestApp::on(backend, setup(limits)).await;
    let at_address = app(Limits { mails_per_address: each_hour(2), ..wide_open() }).await;
    let spend = [asking(HERE, NOBODY), signing_up(ELSEWHERE, "eve", NOBODY)];
    tells_the_truth(&at_address, &spend, asking(FAR_AWAY, NOBODY), HOUR / 2).await;

    let from_network = app(Limits { mails_per_network: each_hour(2), ..wide_open() }).await;
    let spend = [asking(HERE, NOBODY), asking(HERE, ADA)];
    tells_the_truth(&from_network, &spend, asking(HERE, BOB), HOUR / 2).await;

    let sign_ups = app(Limits { sign_ups_per_network: each_hour(4), ..wide_open() }).await;
    // A taken alias counts as well: it tells something.
    let [ada, bob] = [("ada", ADA), ("bob", BOB)].map(|(alias, email)| signing_up(HERE, alias, email));
    let spend = [ada.clone(), bob.clone(), signing_up(HERE, "ada", NOBODY), ada];
    tells_the_truth(&sign_ups, &spend, signing_up(HERE, "eve", NOBODY), HOUR / 4).await;
    sign_ups.send(asking(HERE, ADA)).await.accepted();

    let requests = app(Limits { requests_per_network: each_hour(3), ..wide_open() }).await;
    let invented = json!({"verificationCodeID": "0194f3a0-7d3b-7c00-8000-000000000001"});
    let spend = [guessing(HERE, &invented, WRONG), asking(HERE, ADA), signing_up(HERE, "ada", ADA)];
    tells_the_truth(&requests, &spend, guessing(HERE, &invented, WRONG), HOUR / 3).await;
    requests.send(guessing(ELSEWHERE, &invented, WRONG)).await.refused(401, REFUSED);
}

async fn what_was_refused_is_not_charged(backend: Backend) {
    let limits = Limits { mails_per_address: each_hour(1), mails_per_network: each_hour(2), ..wide_open() };
    let app = TestApp::on(backend, setup(limits)).await;
    app.send(asking(HERE, NOBODY)).await.accepted();
    for minutes in 0..10 {
        held_back(&app.send(asking(HERE, NOBODY)).await, HOUR.saturating_sub(Duration::from_mins(minutes)));
        app.wait(Duration::from_mins(1));
    }
    // Ten refusals later, the network has what it had.
    app.send(asking(HERE, ADA)).await.accepted();
    held_back(&app.send(asking(HERE, BOB)).await, Duration::from_mins(20));
}

async fn somebody_who_is_signed_in_cannot_flood_an_address_either(backend: Backend) {
    let app = with_ada(backend, Limits { mails_per_address: each_hour(3), ..wide_open() }).await;
    let session = signs_in(&app, HERE).await;
    let address = json!({"address": BOB});
    app.send(post("/email").bearer(&session).json(&address)).await.accepted();
    for _ in 0..2 {
        app.send(post("/email/verification").bearer(&session).json(&address)).await.accepted();
    }
    held_back(&app.send(post("/email/verification").bearer(&session).json(&address)).await, HOUR / 3);
    held_back(&app.send(asking(FAR_AWAY, BOB)).await, HOUR / 3);

    let pair = json!({"name": "nightly", "days": 7});
    for _ in 0..2 {
        app.send(post("/keypair").bearer(&session).json(&pair)).await.accepted();
    }
    held_back(&app.send(post("/keypair").bearer(&session).json(&pair)).await, HOUR / 3);
    let stored = app.send(get("/keypairs").bearer(&session)).await.ok();
    assert_eq!(stored["keys"].as_array().unwrap().len(), 2, "nothing of the third is");
}

async fn what_takes_a_credential_is_not_held_back_by_requests(backend: Backend) {
    let app = with_ada(backend, Limits { requests_per_network: each_hour(2), ..wide_open() }).await;
    let session = signs_in(&app, HERE).await;
    held_back(&app.send(asking(HERE, NOBODY)).await, HOUR / 2);
    let invented = json!({"verificationCodeID": session["sessionID"], "code": WRONG});
    for _ in 0..5 {
        app.check(&session).await.ok();
        app.send(get("/sessions").bearer(&session)).await.ok();
        app.send(get("/session")).await.refused(401, "a bearer is required");
        app.send(put("/keypair/verification").bearer(&session).json(&invented)).await.refused(401, REFUSED);
        app.send(put("/email/verification").bearer(&session).json(&invented)).await.refused(401, REFUSED);
    }
    // Whoever shows no credential is a stranger there as well.
    held_back(&app.send(put("/email/verification").json(&invented)).await, HOUR / 2);
    app.send(post("/email").bearer(&session).json(&json!({"address": BOB}))).await.accepted();
}
