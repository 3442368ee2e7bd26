//! The clock is set back: by a time server, by a machine that was restored, by hand.

use std::time::Duration;

use auth_domain::Clock;
use serde_json::json;

use super::{ADA, BOB, INVALID, app, journeys};
use crate::app::{Backend, TestApp, delete, get, put};

journeys![
    a_clock_that_is_set_back_signs_nobody_out_and_brings_nothing_back,
    a_clock_that_is_set_back_takes_nothing_from_a_session_and_moves_no_last_use_back,
    a_mail_that_is_owed_while_the_clock_is_set_back_arrives_at_once,
];

fn set_back(app: &TestApp, span: Duration) {
    let clock = &app.world.clock;
    clock.set(clock.now().minus(span));
}

async fn a_clock_that_is_set_back_signs_nobody_out_and_brings_nothing_back(backend: Backend) {
    let app = app(backend).await;
    app.wait(Duration::from_hours(48));
    let session = app.registered("ada", ADA).await;
    let pair = app.has_key_pair(&session, ADA, json!({})).await;
    let closed = app.sign_in(ADA).await;
    let path = format!("/session/{}", closed["sessionID"].as_str().unwrap());
    app.send(delete(&path).bearer(&closed)).await.acknowledged();
    let spent = app.ask_for_code(ADA).await.accepted();
    let code = app.read_code(ADA).await;
    app.verify(&spent, &code).await.acknowledged();
    for span in [Duration::from_millis(1), Duration::from_secs(1), Duration::from_hours(1), Duration::from_hours(24)] {
        set_back(&app, span);
        app.check(&session).await.ok();
        app.send(get("/keypair").key_pair(&pair)).await.ok();
        app.check(&closed).await.refused(401, INVALID);
        app.verify(&spent, &code).await.refused(401, "the verification code is not valid");
        // And whatever is asked for from here on works in the time that it is now.
        let another = app.sign_in(ADA).await;
        app.check(&another).await.ok();
        let path = format!("/session/{}", another["sessionID"].as_str().unwrap());
        app.send(delete(&path).bearer(&another)).await.acknowledged();
        app.check(&another).await.refused(401, INVALID);
    }
}

async fn a_clock_that_is_set_back_takes_nothing_from_a_session_and_moves_no_last_use_back(backend: Backend) {
    let app = app(backend).await;
    let session = app.registered("ada", ADA).await;
    app.check(&session).await.ok();
    app.auth().flush_usage().await.unwrap();
    let listed = || async { app.send(get("/sessions").bearer(&session)).await.ok()["sessions"][0].clone() };
    let before = listed().await;
    set_back(&app, Duration::from_hours(2));
    app.check(&session).await.ok();
    app.auth().flush_usage().await.unwrap();
    let extended = app.send(put("/session/extend").bearer(&session)).await.accepted();
    assert_eq!(extended["expireAt"], before["expireAt"], "an extension takes nothing away");
    let after = listed().await;
    assert_eq!((&after["expireAt"], &after["lastUsedAt"]), (&before["expireAt"], &before["lastUsedAt"]));
    assert!(before["lastUsedAt"].is_i64());
}

async fn a_mail_that_is_owed_while_the_clock_is_set_back_arrives_at_once(backend: Backend) {
    let app = app(backend).await;
    let owed = app.sign_up("ada", ADA).await.accepted();
    set_back(&app, Duration::from_hours(1));
    let code = app.read_code(ADA).await;
    app.verify(&owed, &code).await.acknowledged();

    // It failed once, and its next attempt is half a minute away at most.
    let deferred = app.sign_up("bob", BOB).await.accepted();
    app.world.mailer.fail_with(Some(auth_domain::MailError::Transient("421 later".to_owned())));
    assert!(app.read_mail(BOB).await.is_none());
    app.world.mailer.fail_with(None);
    set_back(&app, Duration::from_hours(1));
    let code = app.read_code(BOB).await;
    app.verify(&deferred, &code).await.acknowledged();
}
