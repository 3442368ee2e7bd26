use std::{sync::Arc, time::Duration};

use auth_domain::Mailer;
use auth_testkit::{
    smtp::{SmtpServer, Step, Whim},
    waiting::{StoppedTime, until},
};
use tokio::{task::yield_now, time::advance};

use crate::mailing::{deferred, notice, plain};

#[tokio::test(flavor = "multi_thread")]
async fn many_mails_go_over_few_connections() {
    let server = SmtpServer::start();
    server.always(Step::Message, Whim::Delay(Duration::from_millis(5)));
    let mailer = Arc::new(plain(&server));
    let deliveries: Vec<_> = (0..100)
        .map(|_| {
            let mailer = Arc::clone(&mailer);
            tokio::spawn(async move { mailer.deliver(&notice()).await.unwrap() })
        })
        .collect();
    for delivery in deliveries {
        delivery.await.unwrap();
    }
    assert_eq!(server.mails().len(), 100);
    assert!(server.most_open_connections() <= 4, "{}", server.most_open_connections());
    assert_eq!(server.connections(), server.most_open_connections(), "each of them stayed");
}

#[tokio::test]
async fn a_connection_that_the_server_closed_meanwhile_costs_no_attempt() {
    let server = SmtpServer::start();
    let mailer = plain(&server);
    mailer.deliver(&notice()).await.unwrap();
    server.hang_up();
    until("the end of the connection", || server.open_connections() == 0).await;
    mailer.deliver(&notice()).await.unwrap();
    assert_eq!((server.mails().len(), server.connections()), (2, 2));
}

#[tokio::test]
async fn a_connection_that_the_server_has_had_enough_of_costs_no_attempt() {
    for reply in ["421 4.7.0 too many mails", "452 4.5.3 too many mails", "503 5.5.0 too many mails"] {
        let server = SmtpServer::start();
        let mailer = plain(&server);
        mailer.deliver(&notice()).await.unwrap();
        server.once(Step::Sender, Whim::reply(reply));
        mailer.deliver(&notice()).await.unwrap();
        assert_eq!((server.mails().len(), server.connections()), (2, 2), "{reply}");
    }
}

#[tokio::test]
async fn a_server_that_restarted_takes_the_next_mail_at_once() {
    let mut server = SmtpServer::start();
    let mailer = plain(&server);
    mailer.deliver(&notice()).await.unwrap();
    server.stop();
    server.resume();
    mailer.deliver(&notice()).await.unwrap();
    assert_eq!(server.mails().len(), 2);
}

#[tokio::test]
async fn one_fresh_connection_is_tried_and_no_more() {
    let server = SmtpServer::start();
    let mailer = plain(&server);
    mailer.deliver(&notice()).await.unwrap();
    server.always(Step::Sender, Whim::Drop);
    deferred(&mailer, &notice()).await;
    assert_eq!(server.connections(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_not_needed_is_closed_politely() {
    let _time = StoppedTime::begin();
    let server = SmtpServer::start();
    let mailer = plain(&server);
    mailer.deliver(&notice()).await.unwrap();
    assert_eq!(server.open_connections(), 1);
    // Whoever closes it begins to wait.
    yield_now().await;
    advance(Duration::from_secs(31)).await;
    until("the end of the connection", || server.open_connections() == 0).await;
    assert_eq!(server.commands().last().map(String::as_str), Some("QUIT"));
}
