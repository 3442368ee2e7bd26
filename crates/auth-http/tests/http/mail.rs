//! The binary in front of a mail server that comes, goes and refuses.

use std::{path::Path, time::Duration};

use auth_testkit::smtp::{Authority, Encryption, Offer, SmtpServer, Step, TakenMail, Whim};
use diesel::{Connection, QueryableByName, RunQueryDsl, SqliteConnection, sql_types::Text};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::Instant;

use crate::process::{Reference, Running, fails_to_start_in, within_patience};

/// How long a request may take while the mail server is of no use.
const ANSWERED_WITHIN: Duration = Duration::from_secs(1);

/// The service with its mails going to `server`, unencrypted.
fn start(folder: &Path, server: &SmtpServer) -> Running {
    let url = format!("smtp://{}?tls=none", server.address());
    Running::start_with(folder, &[("AUTH__MAIL__URL", &url)])
}

/// The one mail to `alias` at example.org, once it is there.
fn mail_to(server: &SmtpServer, alias: &str) -> TakenMail {
    let address = format!("{alias}@example.org");
    within_patience(|| server.mails().into_iter().find(|mail| mail.to == address))
}

fn subject(mail: &TakenMail) -> &str {
    mail.text.lines().find_map(|line| line.strip_prefix("Subject: ")).unwrap()
}

fn code(mail: &TakenMail) -> &str {
    let digits = |word: &&str| word.len() == 6 && word.bytes().all(|octet| octet.is_ascii_digit());
    subject(mail).split(' ').find(digits).unwrap()
}

/// Signs up and completes it with the code that arrives.
fn signed_up(service: &Running, server: &SmtpServer, alias: &str) -> Value {
    let session = service.sign_up(alias);
    assert_eq!(service.verify(&session, code(&mail_to(server, alias))), 202);
    assert_eq!(service.check(&session), 200);
    session
}

fn timed<T>(action: impl FnOnce() -> T) -> (T, Duration) {
    let begun = Instant::now();
    (action(), begun.elapsed())
}

/// How an attempt ended, and what was kept of it.
#[derive(Debug, PartialEq, QueryableByName)]
struct Attempt {
    #[diesel(sql_type = Text)]
    outcome: String,
    #[diesel(sql_type = Text)]
    reply: String,
}

/// The attempts at all mails, once `count` of them have ended in `outcome`.
fn attempts(folder: &Path, count: usize, outcome: &str) -> Vec<(String, String)> {
    let mut database = SqliteConnection::establish(folder.join("data/auth.db").to_str().unwrap()).unwrap();
    let all = "SELECT outcome, reply FROM mail_attempts ORDER BY ended_at";
    within_patience(|| {
        let attempts: Vec<Attempt> = diesel::sql_query(all).load(&mut database).unwrap();
        let ended_so = attempts.iter().filter(|attempt| attempt.outcome == outcome);
        (ended_so.count() >= count).then_some(attempts)
    })
    .into_iter()
    .map(|Attempt { outcome, reply }| (outcome, reply))
    .collect()
}

#[test]
fn people_sign_up_over_an_encrypted_mail_server_that_asks_for_a_password() {
    let folder = TempDir::new().unwrap();
    let authority = Authority::new();
    std::fs::write(folder.path().join("ca.pem"), authority.pem()).unwrap();
    for (scheme, encryption) in [("smtp", Encryption::StartTls as fn(_) -> _), ("smtps", Encryption::Implicit)] {
        let encryption = encryption(authority.certify("localhost"));
        let server = SmtpServer::start_with(Offer { encryption, login: Some(("auth", "hunter2")), ..Offer::default() });
        let url = format!("{scheme}://auth:hunter2@localhost:{}?ca=ca.pem", server.address().port());
        let service = Running::start_with(folder.path(), &[("AUTH__MAIL__URL", &url)]);
        signed_up(&service, &server, scheme);
        let mail = mail_to(&server, scheme);
        assert!(mail.encrypted && mail.user.is_some());
        assert!(service.log().contains(&format!("localhost:{}", server.address().port())));
        assert!(!service.log().contains("hunter2") && !service.log().contains("@example.org"), "{}", service.log());
    }
}

#[test]
fn while_the_mail_server_is_away_nobody_notices_and_afterwards_every_mail_arrives_once() {
    let folder = TempDir::new().unwrap();
    let mut server = SmtpServer::start();
    server.stop();
    let (service, reference) = (start(folder.path(), &server), Reference::start());
    let aliases: Vec<_> = (0..20).map(|number| format!("user{number}")).collect();
    let mut sessions = Vec::new();
    for alias in &aliases {
        let (session, took) = timed(|| service.sign_up(alias));
        assert!(took < reference.allows(ANSWERED_WITHIN), "{took:?}");
        sessions.push(session);
    }
    assert_eq!(service.status("/readyz"), 200);
    // Waits have grown by then: 2, 4 and 8 seconds.
    within_patience(|| service.log().contains("\"attempt\":3").then_some(()));
    assert!(service.log().contains("no connection: Connection refused"));

    server.resume();
    within_patience(|| (server.mails().len() >= aliases.len()).then_some(()));
    for (alias, session) in aliases.iter().zip(&sessions) {
        assert_eq!(service.verify(session, code(&mail_to(&server, alias))), 202);
    }
    assert_eq!(server.mails().len(), aliases.len(), "each of them once");
    let kept = attempts(folder.path(), aliases.len(), "delivered");
    assert!(kept.iter().filter(|(outcome, _)| outcome == "deferred").count() >= aliases.len(), "{kept:?}");
}

#[test]
fn a_mail_server_that_hangs_holds_up_neither_requests_nor_the_end() {
    let folder = TempDir::new().unwrap();
    let server = SmtpServer::start();
    server.always(Step::Sender, Whim::Hang);
    let (mut service, reference) = (start(folder.path(), &server), Reference::start());
    for number in 0..40 {
        let (_, took) = timed(|| service.sign_up(&format!("user{number}")));
        assert!(took < reference.allows(ANSWERED_WITHIN), "{took:?}");
    }
    assert_eq!(service.status("/readyz"), 200);
    assert!(server.most_open_connections() <= 16, "{}", server.most_open_connections());
    service.signal("TERM");
    let (status, took) = timed(|| service.wait());
    assert!(status.success() && took < reference.allows(Duration::from_secs(10)), "{took:?}");
}

#[test]
fn a_mail_server_that_hangs_makes_no_mail_late_once_it_has_recovered() {
    let folder = TempDir::new().unwrap();
    let server = SmtpServer::start();
    server.always(Step::Greeting, Whim::Hang);
    let service = start(folder.path(), &server);
    for number in 0..40 {
        service.sign_up(&format!("user{number}"));
    }
    within_patience(|| service.log().contains("no answer within").then_some(()));
    server.behave();
    within_patience(|| (server.mails().len() >= 40).then_some(()));
}

#[test]
fn notices_that_take_long_do_not_hold_up_a_code() {
    let folder = TempDir::new().unwrap();
    let server = SmtpServer::start();
    let url = format!("smtp://{}?tls=none", server.address());
    let settings = [("AUTH__MAIL__URL", url.as_str()), ("AUTH__MAIL__SENDERS", "4")];
    let service = Running::start_with(folder.path(), &settings);
    signed_up(&service, &server, "ada");

    server.always(Step::Sender, Whim::Hang);
    for number in 0..8 {
        let body = json!({"email": "ada@example.org", "fullName": "Eve", "alias": format!("eve{number}")});
        assert_eq!(service.call("POST", "/user", None, Some(&body)).0, 202);
    }
    let senders = || server.commands().iter().filter(|line| line.starts_with("MAIL")).count() - 1;
    within_patience(|| (senders() == 3).then_some(()));
    server.behave();
    signed_up(&service, &server, "bob");
    let taken: Vec<_> = server.mails().into_iter().map(|mail| mail.to).collect();
    assert_eq!(taken.get(1).map(String::as_str), Some("bob@example.org"), "and the notices still hang: {taken:?}");
}

#[test]
fn a_mail_refused_for_now_is_tried_again_within_seconds() {
    let folder = TempDir::new().unwrap();
    let server = SmtpServer::start();
    server.once(Step::Recipient, Whim::reply("451 4.7.1 <ada@example.org>: greylisted"));
    let (service, reference) = (start(folder.path(), &server), Reference::start());
    let (_, took) = timed(|| signed_up(&service, &server, "ada"));
    assert!(took < reference.allows(Duration::from_secs(5)), "{took:?}");
    let kept = attempts(folder.path(), 1, "delivered");
    let expected = [
        ("deferred", "mail not delivered yet: recipient: 451 4.7.1 … greylisted"),
        ("delivered", "250 2.0.0 queued as T3ST"),
    ];
    assert_eq!(kept, expected.map(|(outcome, reply)| (outcome.to_owned(), reply.to_owned())));
}

#[test]
fn a_mail_refused_for_good_is_given_up_and_the_reply_is_kept() {
    let folder = TempDir::new().unwrap();
    let server = SmtpServer::start();
    server.once(Step::Recipient, Whim::reply("550 5.1.1 <ada@example.org>: no such user"));
    let service = start(folder.path(), &server);
    service.sign_up("ada");
    let expected = ("abandoned".to_owned(), "mail refused: recipient: 550 5.1.1 … no such user".to_owned());
    assert_eq!(attempts(folder.path(), 1, "abandoned"), [expected]);
    assert!(service.log().contains("mail given up") && !service.log().contains("ada@example.org"));
    signed_up(&service, &server, "bob");
    assert_eq!(server.mails().len(), 1, "nothing more is sent to somebody who is not there");
}

#[test]
fn mails_are_written_in_the_language_that_was_asked_for_or_else_in_english() {
    let folder = TempDir::new().unwrap();
    let server = SmtpServer::start();
    let service = start(folder.path(), &server);
    for (alias, accepted, expected) in
        [("ana", "es-MX, en;q=0.5", "es tu"), ("ada", "en", "is your"), ("anna", "de, fr;q=0.9", "is your")]
    {
        let body = json!({"email": format!("{alias}@example.org"), "fullName": "Ada", "alias": alias}).to_string();
        let request = format!(
            "POST /api/auth/v2/user HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAccept-Language: {accepted}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = service.exchange(request.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
        let session: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
        let mail = mail_to(&server, alias);
        assert_eq!(subject(&mail).split_once(' ').unwrap().1.get(..expected.len()), Some(expected), "{alias}");
        assert_eq!(service.verify(&session, code(&mail)), 202);
    }
}

#[test]
fn an_operators_own_templates_take_the_place_of_ours() {
    let folder = TempDir::new().unwrap();
    let english = folder.path().join("templates/en");
    std::fs::create_dir_all(&english).unwrap();
    std::fs::write(english.join("sign-up-code.txt"), "Subject: Acme: {code}\n\nWelcome to Acme: {code}\n").unwrap();
    let server = SmtpServer::start();
    let url = format!("smtp://{}?tls=none", server.address());
    let settings = [("AUTH__MAIL__URL", url.as_str()), ("AUTH__MAIL__TEMPLATES", "templates")];
    let service = Running::start_with(folder.path(), &settings);
    signed_up(&service, &server, "ada");
    let mail = mail_to(&server, "ada");
    assert_eq!(subject(&mail), format!("Acme: {}", code(&mail)));
    assert!(mail.text.contains("\r\nWelcome to Acme: ") && mail.text.contains("It completes your registration"));
}

#[test]
fn templates_that_will_not_do_stop_the_start_with_one_line() {
    let folder = TempDir::new().unwrap();
    let templates = folder.path().join("templates");
    let told = || {
        fails_to_start_in(&folder, |command| {
            command.env("AUTH__MAIL__TEMPLATES", "templates");
        })
    };
    std::fs::create_dir_all(templates.join("pt-br")).unwrap();
    let line = told();
    assert!(line.contains("setting mail.templates: templates/pt-br/sign-up-code.txt is missing"), "{line}");
    std::fs::remove_dir(templates.join("pt-br")).unwrap();
    std::fs::create_dir_all(templates.join("es")).unwrap();
    std::fs::write(templates.join("es/sign-in-code.html"), "<p>{code} {name}</p>").unwrap();
    let line = told();
    assert!(line.contains("templates/es/sign-in-code.html: {name} stands for nothing here"), "{line}");
}
