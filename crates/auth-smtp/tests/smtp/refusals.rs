use auth_domain::{MailError, Mailer};
use auth_testkit::smtp::{Offer, SmtpServer, Step, Whim};

use crate::mailing::{deferred, given_up, mailer, notice, plain};

#[tokio::test]
async fn a_mail_that_is_refused_for_now_is_taken_later_on_the_same_connection() {
    for step in [Step::Sender, Step::Recipient, Step::Data, Step::Message] {
        let server = SmtpServer::start();
        let mailer = plain(&server);
        server.once(step, Whim::reply("451 4.7.1 come back later"));
        let told = deferred(&mailer, &notice()).await;
        assert!(told.ends_with(": 451 4.7.1 come back later"), "{step:?}: {told}");
        mailer.deliver(&notice()).await.unwrap();
        assert_eq!((server.mails().len(), server.connections()), (1, 1), "{step:?}");
    }
}

#[tokio::test]
async fn a_mail_that_is_refused_for_good_is_given_up_and_the_next_one_goes_out() {
    for step in [Step::Sender, Step::Recipient, Step::Data, Step::Message] {
        let server = SmtpServer::start();
        let mailer = plain(&server);
        server.once(step, Whim::reply("550-5.1.1 sorry,\r\n550 5.1.1 no such mailbox"));
        let told = given_up(&mailer, &notice()).await;
        assert!(told.ends_with(": 550 5.1.1 sorry, no such mailbox"), "{step:?}: {told}");
        mailer.deliver(&notice()).await.unwrap();
        assert_eq!((server.mails().len(), server.connections()), (1, 1), "{step:?}");
    }
}

#[tokio::test]
async fn a_server_that_wants_nobodys_mail_loses_none() {
    for (step, reply) in [
        (Step::Greeting, "554 5.3.2 not today"),
        (Step::Greeting, "421 4.3.2 closing"),
        (Step::Hello, "550 5.7.1 who are you?"),
        (Step::Sender, "530 5.7.0 log in first"),
        (Step::Sender, "421 4.3.2 closing"),
        (Step::Message, "421 4.3.2 closing"),
        (Step::Greeting, "hello"),
        (Step::Recipient, "999 whatever"),
    ] {
        let server = SmtpServer::start();
        let mailer = plain(&server);
        server.once(step, Whim::reply(reply));
        deferred(&mailer, &notice()).await;
        mailer.deliver(&notice()).await.unwrap();
        assert_eq!(server.mails().len(), 1, "{reply}");
    }
}

#[tokio::test]
async fn a_wrong_password_loses_no_mail_and_is_not_told() {
    let server = SmtpServer::start_with(Offer { login: Some(("ada", "hunter2")), ..Offer::default() });
    let login = |password: &str| mailer(&format!("smtp://ada:{password}@{}?tls=none", server.address()));
    let told = deferred(&login("letmein"), &notice()).await;
    assert_eq!(told, "not logged in: 535 5.7.8 bad user or password");
    login("hunter2").deliver(&notice()).await.unwrap();
    assert_eq!(server.mails()[0].user.as_deref(), Some("ada"));
}

#[tokio::test]
async fn a_server_with_no_way_to_log_in_gets_no_mail_from_us() {
    let server = SmtpServer::start();
    let told = deferred(&mailer(&format!("smtp://ada:hunter2@{}?tls=none", server.address())), &notice()).await;
    assert_eq!(told, "not logged in: the server offers neither AUTH PLAIN nor LOGIN, and mail.url has a password");
    assert!(server.mails().is_empty());
}

#[tokio::test]
async fn what_the_server_says_is_told_without_address_and_code() {
    let server = SmtpServer::start();
    let mailer = plain(&server);
    for (step, reply, told) in [
        (Step::Recipient, "550 5.1.1 <Ada@example.org> ada@EXAMPLE.org: unknown", "recipient: 550 5.1.1 … … unknown"),
        (Step::Message, "550 5.7.1 spam: \"123456 is your code\"", "message: 550 5.7.1 spam: \"… is your code\""),
        (Step::Message, "554 \u{7}5.6.0\tto\u{1b}[1m you", "message: 554 5.6.0 to [1m you"),
    ] {
        server.once(step, Whim::reply(reply));
        assert_eq!(given_up(&mailer, &notice()).await, told);
    }
    server.once(Step::Message, Whim::reply("250 2.0.0 1234567 for <ada@example.org> queued"));
    assert_eq!(mailer.deliver(&notice()).await, Ok("250 2.0.0 … for … queued".to_owned()));
    server.once(Step::Message, Whim::Reply(format!("550 {}", "long ".repeat(150))));
    let Err(MailError::Permanent(told)) = mailer.deliver(&notice()).await else { panic!("not refused") };
    assert!(told.chars().count() < 250, "{told}");
}
