//! How much is let through: guesses, mails, registrations, requests.

mod asking;
mod guessing;
mod networks;
mod telling;

use std::time::Duration;

use auth_domain::{Limits, Policy, Rate};
use serde_json::{Value, json};

use super::ADA;
use crate::app::{Answer, Backend, Call, Setup, TestApp, post, put};

const NOBODY: &str = "nobody@example.org";
const REFUSED: &str = "the verification code is not valid";
const THROTTLED: &str = "too many requests: try again later";
/// A guess that is never right.
const WRONG: &str = "wrong";

/// Where strangers are, each in a network of their own.
const ELSEWHERE: &str = "203.0.113.5";
const FAR_AWAY: &str = "2001:db8:77::5";

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// Limits that hold nothing back but an eleventh guess.
pub(super) fn wide_open() -> Limits {
    let often = Rate::new(1000, Duration::from_secs(1)).unwrap();
    Limits {
        first_wait: Duration::ZERO,
        mails_per_address: often,
        mails_per_network: often,
        sign_ups_per_network: often,
        requests_per_network: often,
        ..Limits::default()
    }
}

fn each_hour(times: u32) -> Rate {
    Rate::new(times, HOUR).unwrap()
}

pub(super) fn setup(limits: Limits) -> Setup {
    Setup { policy: Policy { limits: Some(limits), ..Policy::default() }, ..Setup::default() }
}

/// A service where Ada registered from here, long enough ago that nothing counts of it but that the network is known to her.
async fn with_ada(backend: Backend, limits: Limits) -> TestApp {
    let app = TestApp::on(backend, setup(limits)).await;
    app.registered("ada", ADA).await;
    app.wait(DAY);
    app
}

fn asking(peer: &str, email: &str) -> Call {
    post("/session").from(peer).json(&json!({"email": email}))
}

fn signing_up(peer: &str, alias: &str, email: &str) -> Call {
    post("/user").from(peer).json(&json!({"email": email, "fullName": "Ada Lovelace", "alias": alias}))
}

fn guessing(peer: &str, asked: &Value, code: &str) -> Call {
    let body = json!({"verificationCodeID": asked["verificationCodeID"], "code": code});
    put("/session/verification").from(peer).json(&body)
}

/// Asks for codes at `email` from `peer` and guesses wrong so often, five times at each.
async fn guess_wrong(app: &TestApp, peer: &str, email: &str, times: u32) {
    let mut asked = Value::Null;
    for time in 0..times {
        if time % 5 == 0 {
            asked = app.send(asking(peer, email)).await.accepted();
        }
        app.send(guessing(peer, &asked, WRONG)).await.refused(401, REFUSED);
    }
}

/// Signs in from `peer`.
async fn signs_in(app: &TestApp, peer: &str) -> Value {
    let asked = app.send(asking(peer, ADA)).await.accepted();
    let code = app.read_code(ADA).await;
    app.send(guessing(peer, &asked, &code)).await.acknowledged();
    asked
}

/// Fails unless the answer is a 429 that says to wait for so long.
fn held_back(answer: &Answer, wait: Duration) {
    answer.refused(429, THROTTLED);
    assert_eq!(answer.header("retry-after"), wait.as_secs().to_string());
}
