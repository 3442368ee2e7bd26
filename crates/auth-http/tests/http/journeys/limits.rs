//! How much is let through: guesses, mails, registrations, requests.

use std::time::Duration;

use actix_web::http::Method;
use auth_domain::{Administrator, EmailAddress, Limits, Policy, Rate};
use auth_http::{ClientAddress, ForwardedHeader};
use serde_json::{Value, json};

use super::{ADA, BOB, ROOT, journeys};
use crate::app::{Answer, Backend, Call, HERE, Setup, TestApp, get, outside, post, put};

journeys![
    an_eleventh_wrong_guess_is_not_looked_at_whichever_code_it_is_at,
    a_wrong_guess_costs_a_wait_from_the_fifth_on,
    addresses_are_held_back_alike_whoever_owns_them,
    an_owner_gets_in_from_a_known_network_while_strangers_are_shut_out,
    an_owner_gets_mail_from_a_known_network_while_strangers_get_none,
    retry_after_is_true,
    what_was_refused_is_not_charged,
    forged_addresses_share_the_limits_of_whoever_forges_them,
    a_network_is_a_24_or_a_48,
    somebody_who_is_signed_in_cannot_flood_an_address_either,
    what_takes_a_credential_is_not_held_back_by_requests,
    an_owner_is_told_once_of_a_lockout_that_does_not_end_by_itself,
    an_operator_unlocks_an_address,
    a_flood_is_told_once,
    refusals_are_counted_by_their_limit,
    without_limits_only_the_tries_of_a_code_are_counted,
];

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

async fn an_eleventh_wrong_guess_is_not_looked_at_whichever_code_it_is_at(backend: Backend) {
    let app = with_ada(backend, wide_open()).await;
    // Three codes at once, from different places: more tries than there are guesses.
    let mut asked = Vec::new();
    for peer in [ELSEWHERE, FAR_AWAY, "198.51.100.5"] {
        let session = app.send(asking(peer, ADA)).await.accepted();
        asked.push((peer, session, app.read_code(ADA).await));
    }
    let [(first, ..), (second, ..), (third, last, code)] = &asked[..] else { panic!() };
    for (peer, session, tries) in [(first, &asked[0].1, 4), (second, &asked[1].1, 4), (third, last, 2)] {
        for _ in 0..tries {
            app.send(guessing(peer, session, WRONG)).await.refused(401, REFUSED);
        }
    }
    // Each code has tries left, but the address has none: not even the right guess is looked at, from nowhere.
    for (_, session, code) in &asked {
        for peer in [ELSEWHERE, "198.51.100.77", "100.64.0.1"] {
            app.send(guessing(peer, session, code)).await.refused(401, REFUSED);
        }
    }
    for peer in [ELSEWHERE, FAR_AWAY, "100.64.0.1"] {
        held_back(&app.send(asking(peer, ADA)).await, DAY);
        held_back(&app.send(signing_up(peer, "eve", ADA)).await, DAY);
    }
    app.send(asking(ELSEWHERE, BOB)).await.accepted();
    // The code would have lived for another while; the day is over after it.
    app.wait(DAY);
    app.send(guessing(third, last, code)).await.refused(401, REFUSED);
    signs_in(&app, ELSEWHERE).await;
}

async fn a_wrong_guess_costs_a_wait_from_the_fifth_on(backend: Backend) {
    let limits = Limits { first_wait: Limits::default().first_wait, ..wide_open() };
    let app = with_ada(backend, limits).await;
    guess_wrong(&app, ELSEWHERE, ADA, 5).await;
    for minutes in [1, 2, 4, 8, 16] {
        let wait = Duration::from_mins(minutes);
        held_back(&app.send(asking(ELSEWHERE, ADA)).await, wait);
        app.wait(wait - Duration::from_secs(1));
        held_back(&app.send(asking(FAR_AWAY, ADA)).await, Duration::from_secs(1));
        app.wait(Duration::from_secs(1));
        let asked = app.send(asking(ELSEWHERE, ADA)).await.accepted();
        app.send(guessing(ELSEWHERE, &asked, WRONG)).await.refused(401, REFUSED);
        // Guesses meanwhile are neither looked at nor counted: the wait does not grow.
        for code in [WRONG, &app.read_code(ADA).await] {
            app.send(guessing(ELSEWHERE, &asked, code)).await.refused(401, REFUSED);
        }
    }
    held_back(&app.send(asking(ELSEWHERE, ADA)).await, DAY - Duration::from_mins(1 + 2 + 4 + 8 + 16));
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
                app.wait(HOUR - Duration::from_secs(1));
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

async fn an_owner_gets_in_from_a_known_network_while_strangers_are_shut_out(backend: Backend) {
    let app = with_ada(backend, wide_open()).await;
    guess_wrong(&app, ELSEWHERE, ADA, 10).await;
    held_back(&app.send(asking(FAR_AWAY, ADA)).await, DAY);
    // Anywhere in the network from which she registered, she is no stranger.
    let session = signs_in(&app, "192.0.2.200").await;
    app.check(&session).await.ok();
    // That she got in gives strangers nothing back.
    held_back(&app.send(asking(FAR_AWAY, ADA)).await, DAY);
    // A network from which somebody guesses wrong is shut by itself, known or not.
    guess_wrong(&app, HERE, ADA, 10).await;
    held_back(&app.send(asking(HERE, ADA)).await, DAY);
    // What is known to Ada is known to nobody else.
    app.send(signing_up(FAR_AWAY, "bob", BOB)).await.accepted();
    guess_wrong(&app, ELSEWHERE, BOB, 10).await;
    held_back(&app.send(asking(HERE, BOB)).await, DAY);
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
    app.wait(wait - Duration::from_millis(999));
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
        held_back(&app.send(asking(HERE, NOBODY)).await, HOUR - Duration::from_mins(minutes));
        app.wait(Duration::from_mins(1));
    }
    // Ten refusals later, the network has what it had.
    app.send(asking(HERE, ADA)).await.accepted();
    held_back(&app.send(asking(HERE, BOB)).await, Duration::from_mins(20));
}

async fn forged_addresses_share_the_limits_of_whoever_forges_them(backend: Backend) {
    let limits = Limits { mails_per_network: each_hour(4), ..wide_open() };
    let claims = |call: Call, n: u32| {
        call.header("X-Forwarded-For", &format!("198.51.{n}.1")).header("Forwarded", &format!("for=198.51.{n}.2"))
    };
    let direct = TestApp::on(backend, setup(limits)).await;
    for n in 0..4 {
        direct.send(claims(asking(HERE, &format!("ada{n}@example.org")), n)).await.accepted();
    }
    held_back(&direct.send(claims(asking(HERE, NOBODY), 200)).await, HOUR / 4);

    // Behind a proxy that adds what it sees, the same.
    let client_address = ClientAddress {
        trusted_proxies: vec!["192.0.2.0/24".parse().unwrap()],
        header: ForwardedHeader::XForwardedFor,
    };
    let behind = TestApp::on(backend, Setup { client_address, ..setup(limits) }).await;
    let seen_by_proxy = |n: u32, claim: &str, client: &str| {
        let call = asking(HERE, &format!("ada{n}@example.org"));
        call.header("X-Forwarded-For", &format!("{claim}, {client}"))
    };
    for (n, claim) in (0..).zip(["198.51.100.1", "\"", "198.51.100.2, unknown", "[2001:db8::1]"]) {
        behind.send(seen_by_proxy(n, claim, ELSEWHERE)).await.accepted();
    }
    held_back(&behind.send(seen_by_proxy(4, "198.51.100.9", ELSEWHERE)).await, HOUR / 4);
    behind.send(seen_by_proxy(5, ELSEWHERE, FAR_AWAY)).await.accepted();
}

async fn a_network_is_a_24_or_a_48(backend: Backend) {
    let limits = Limits { sign_ups_per_network: each_hour(2), ..wide_open() };
    let app = TestApp::on(backend, setup(limits)).await;
    for (n, peer, has_room) in [
        (0, "2001:db8:1:1::1", true),
        (1, "2001:db8:1:ffff:ffff::", true),
        (2, "2001:db8:1::2", false),
        (3, "2001:db8:2::1", true),
        (4, "203.0.113.1", true),
        (5, "::ffff:203.0.113.200", true),
        (6, "203.0.113.255", false),
        (7, "203.0.112.1", true),
    ] {
        let answer = app.send(signing_up(peer, &format!("ada{n}"), &format!("ada{n}@example.org"))).await;
        assert_eq!(answer.status, if has_room { 202 } else { 429 }, "{peer}");
    }
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
    assert_eq!(told().await, [mails.clone()]);

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
    for (limit, count) in
        [("guesses", 0), ("mails-from-network", 0), ("mails-to-address", 0), ("requests", 2), ("sign-ups", 3)]
    {
        assert!(page.contains(&format!("auth_throttled_total{{limit=\"{limit}\"}} {count}\n")), "{limit}: {page}");
    }
}

async fn without_limits_only_the_tries_of_a_code_are_counted(backend: Backend) {
    let app = TestApp::on(backend, Setup::default()).await;
    app.registered("ada", ADA).await;
    guess_wrong(&app, ELSEWHERE, ADA, 50).await;
    let asked = app.send(asking(ELSEWHERE, ADA)).await.accepted();
    let code = app.read_code(ADA).await;
    for _ in 0..5 {
        app.send(guessing(ELSEWHERE, &asked, WRONG)).await.refused(401, REFUSED);
    }
    app.send(guessing(ELSEWHERE, &asked, &code)).await.refused(401, REFUSED);
    signs_in(&app, ELSEWHERE).await;
    assert_eq!(app.auth().tell_of_lockouts(10).await.unwrap(), 0);
}
