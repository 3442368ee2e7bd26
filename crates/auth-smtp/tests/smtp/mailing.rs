//! A mailer in front of a server, and what goes right.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

use std::num::NonZero;

use auth_domain::{
    Clock, CodeMail, EmailAddress, Language, Mail, MailContent, MailError, MailId, Mailer, Notice, VerificationCode,
    system::{SystemClock, SystemEntropy},
};
use auth_smtp::SmtpMailer;
use auth_testkit::smtp::{Offer, SmtpServer};

/// A mailer for what `url` names, with up to four connections.
pub(crate) fn mailer(url: &str) -> SmtpMailer {
    mailer_from(url, "Auth <auth@example.com>")
}

pub(crate) fn mailer_from(url: &str, sender: &str) -> SmtpMailer {
    SmtpMailer::new(url.parse().unwrap(), sender.parse().unwrap(), NonZero::new(4).unwrap()).unwrap()
}

/// A mailer that hands mails to `server` without encryption.
pub(crate) fn plain(server: &SmtpServer) -> SmtpMailer {
    mailer(&format!("smtp://{}?tls=none", server.address()))
}

/// A notice to `address`, with an id of its own.
pub(crate) fn notice_to(address: &str) -> Mail {
    Mail {
        id: MailId::mint(SystemClock.now(), &SystemEntropy).unwrap(),
        to: EmailAddress::parse(address).unwrap(),
        language: Language::default(),
        content: MailContent::Notice(Notice::AddressAdded),
        created_at: SystemClock.now(),
    }
}

pub(crate) fn notice() -> Mail {
    notice_to("ada@example.org")
}

/// Why a mail is to be tried again.
pub(crate) async fn deferred(mailer: &SmtpMailer, mail: &Mail) -> String {
    match mailer.deliver(mail).await {
        Err(MailError::Transient(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

/// Why a mail is given up.
pub(crate) async fn given_up(mailer: &SmtpMailer, mail: &Mail) -> String {
    match mailer.deliver(mail).await {
        Err(MailError::Permanent(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_mail_arrives_as_it_was_written_and_the_reply_comes_back() {
    let server = SmtpServer::start();
    let code = VerificationCode::mint(&SystemEntropy).unwrap();
    let digits = code.expose().to_owned();
    let mail = Mail { content: MailContent::Code(CodeMail::SignIn, code), ..notice() };
    let reply = plain(&server).deliver(&mail).await.unwrap();
    assert_eq!(reply, "250 2.0.0 queued as T3ST");

    let [taken] = server.mails().try_into().unwrap();
    assert_eq!((taken.from.as_str(), taken.to.as_str()), ("auth@example.com", "ada@example.org"));
    assert_eq!((taken.parameters.as_str(), taken.encrypted, taken.user), ("", false, None));
    assert!(taken.text.contains(&format!("\r\nSubject: {digits} is your sign-in code\r\n")), "{}", taken.text);
    assert!(taken.text.ends_with("--\r\n"), "no line more: {}", taken.text);
}

#[tokio::test]
async fn a_mail_in_spanish_is_ascii_on_the_wire_and_its_code_one_run() {
    let server = SmtpServer::start();
    let code = VerificationCode::mint(&SystemEntropy).unwrap();
    let digits = code.expose().to_owned();
    let content = MailContent::Code(CodeMail::SignUp, code);
    plain(&server).deliver(&Mail { language: Language::parse("es").unwrap(), content, ..notice() }).await.unwrap();
    let text = &server.mails()[0].text;
    assert!(text.is_ascii());
    let runs: Vec<_> = text.split(|c: char| !c.is_ascii_digit()).filter(|run| run.len() >= 6).collect();
    assert_eq!(runs, [digits.as_str(); 3]);
}

#[tokio::test]
async fn we_greet_with_a_full_name_or_an_address() {
    let server = SmtpServer::start();
    plain(&server).deliver(&notice()).await.unwrap();
    let hello = server.commands().remove(0);
    let name = hello.strip_prefix("EHLO ").unwrap();
    assert!(name.contains('.'), "{name}");
}

#[tokio::test]
async fn an_international_address_is_taken_where_the_server_can() {
    let server = SmtpServer::start();
    let mailer = plain(&server);
    mailer.deliver(&notice_to("δοκιμή@παράδειγμα.example")).await.unwrap();
    mailer.deliver(&notice()).await.unwrap();
    let mails = server.mails();
    assert_eq!(
        (mails[0].to.as_str(), mails[0].parameters.as_str()),
        ("δοκιμή@xn--hxajbheg2az3al.example", "SMTPUTF8 BODY=8BITMIME")
    );
    assert!(mails[0].text.contains("\r\nTo: δοκιμή@xn--hxajbheg2az3al.example\r\n"));
    assert_eq!(mails[1].parameters, "");
}

#[tokio::test]
async fn an_international_address_is_given_up_where_the_server_cannot() {
    let server = SmtpServer::start_with(Offer { smtputf8: false, ..Offer::default() });
    plain(&server).deliver(&notice_to("ada@bücher.example")).await.unwrap();
    assert_eq!(server.mails()[0].to, "ada@xn--bcher-kva.example", "a domain has a name in ASCII");
    let told = given_up(&plain(&server), &notice_to("änn@example.org")).await;
    assert_eq!(told, "recipient: the address is not ASCII, and the server cannot take such addresses (SMTPUTF8)");
    let mailer = mailer_from(&format!("smtp://{}?tls=none", server.address()), "auth@bücher.example");
    let told = deferred(&mailer, &notice()).await;
    assert!(told.starts_with("sender: the address is not ASCII"), "the operator can repair that: {told}");
    assert_eq!(server.commands().iter().filter(|command| command.starts_with("MAIL")).count(), 1);
}

#[tokio::test]
async fn a_mailer_is_printed_without_user_and_password() {
    let printed = format!("{:?}", mailer("smtps://admin:hunter2@mail.example.org"));
    assert!(printed.contains("mail.example.org:465") && !printed.contains("admin") && !printed.contains("hunter2"));
}
