use std::{sync::Arc, time::Duration};

use auth_domain::Mailer;
use auth_testkit::{
    smtp::{SmtpServer, Step, Whim},
    waiting::{StoppedTime, until},
};
use tokio::{
    net::TcpListener,
    task::yield_now,
    time::{Instant, advance},
};

use crate::mailing::{deferred, mailer, notice, plain};

#[tokio::test]
async fn a_server_that_is_away_loses_no_mail() {
    let mut server = SmtpServer::start();
    server.stop();
    let mailer = plain(&server);
    let told = deferred(&mailer, &notice()).await;
    assert!(told.starts_with("no connection: Connection refused"), "{told}");
    server.resume();
    mailer.deliver(&notice()).await.unwrap();
}

#[tokio::test]
async fn a_name_that_does_not_resolve_loses_no_mail() {
    let told = deferred(&mailer("smtp://nowhere.invalid?tls=none"), &notice()).await;
    assert!(told.starts_with("no connection: "), "{told}");
}

#[tokio::test]
async fn a_connection_that_breaks_at_any_point_is_not_used_again() {
    for step in [Step::Greeting, Step::Hello, Step::Sender, Step::Recipient, Step::Data] {
        let server = SmtpServer::start();
        let mailer = plain(&server);
        server.once(step, Whim::Drop);
        deferred(&mailer, &notice()).await;
        mailer.deliver(&notice()).await.unwrap();
        assert_eq!((server.mails().len(), server.connections()), (1, 2), "{step:?}");
    }
}

#[tokio::test]
async fn a_mail_whose_fate_is_unknown_is_sent_again_under_the_same_message_id() {
    let server = SmtpServer::start();
    let (mailer, mail) = (plain(&server), notice());
    server.once(Step::Message, Whim::Drop);
    let told = deferred(&mailer, &mail).await;
    assert!(told.starts_with("message: "), "{told}");
    mailer.deliver(&mail).await.unwrap();
    let [first, second] = server.mails().try_into().unwrap();
    assert_eq!(first.text, second.text);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_hangs_is_given_up_in_time_at_every_step() {
    let mut time = StoppedTime::begin();
    for step in [Step::Greeting, Step::Hello, Step::Sender, Step::Recipient, Step::Data, Step::Message] {
        let server = SmtpServer::start();
        let mailer = Arc::new(plain(&server));
        server.once(step, Whim::Hang);
        let begun = Instant::now();
        let attempt = tokio::spawn({
            let mailer = Arc::clone(&mailer);
            async move { deferred(&mailer, &notice()).await }
        });
        until("silence", || server.withheld() == 1).await;
        let told = time.leaping(attempt).await.unwrap();
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(24), "{step:?} took {took:?}");
        assert!(told.contains("within"), "{step:?}: {told}");
        until("the end of the connection", || server.open_connections() == 0).await;
        mailer.deliver(&notice()).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_server_is_waited_for_with_the_whole_message_in_its_hands() {
    let _time = StoppedTime::begin();
    let server = SmtpServer::start();
    server.once(Step::Message, Whim::Withhold);
    let mailer = plain(&server);
    let delivery = tokio::spawn(async move { mailer.deliver(&notice()).await });
    until("the whole message", || server.withheld() == 1).await;
    advance(Duration::from_secs(11)).await;
    yield_now().await;
    assert!(!delivery.is_finished());
    server.answer();
    delivery.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_takes_connections_and_says_nothing_is_given_up_after_ten_seconds() {
    let mut time = StoppedTime::begin();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (plain, encrypted) =
        (mailer(&format!("smtp://localhost:{port}?tls=none")), mailer(&format!("smtps://localhost:{port}")));
    let begun = Instant::now();
    let attempts = tokio::spawn(async move {
        let mail = notice();
        <[String; 2]>::from(tokio::join!(deferred(&plain, &mail), deferred(&encrypted, &mail)))
    });
    let _taken = (listener.accept().await.unwrap(), listener.accept().await.unwrap());
    for told in time.leaping(attempts).await.unwrap() {
        assert_eq!(told, "no connection: no answer within 10 s");
    }
    assert!(begun.elapsed() < Duration::from_secs(11));
}
