use std::{sync::Arc, time::Duration};

use auth_domain::{Courier, Delivered, MailError, ServerKeys};

use crate::person::{Service, client};

#[tokio::test]
async fn a_mail_that_cannot_be_delivered_yet_is_tried_again_within_five_seconds() {
    let service = Service::new();
    service.register("ada", "ada@example.org").await.unwrap();
    service.world.mailer.fail_with(Some(MailError::Transient("451 greylisted".to_owned())));
    assert!(service.world.deliver_mail().await.is_empty());
    service.world.mailer.fail_with(None);
    assert!(service.world.deliver_mail().await.is_empty(), "not at once");
    service.world.clock.advance(Duration::from_secs(5));
    service.only_mail().await;
}

#[tokio::test]
async fn after_an_outage_everything_due_goes_out_within_a_minute() {
    let service = Service::new();
    service.register("ada", "ada@example.org").await.unwrap();
    service.world.mailer.fail_with(Some(MailError::Transient("connection refused".to_owned())));
    for _ in 0..1200 {
        service.world.deliver_mail().await;
        service.world.clock.advance(Duration::from_secs(1));
    }
    service.world.mailer.fail_with(None);
    service.world.clock.advance(Duration::from_mins(1));
    service.only_mail().await;
}

#[tokio::test]
async fn a_refused_mail_is_given_up() {
    let service = Service::new();
    service.register("ada", "ada@example.org").await.unwrap();
    service.world.mailer.fail_with(Some(MailError::Permanent("550 no such mailbox".to_owned())));
    service.world.deliver_mail().await;
    service.world.mailer.fail_with(None);
    service.world.clock.advance(Duration::from_mins(5));
    assert!(service.world.deliver_mail().await.is_empty());
}

#[tokio::test]
async fn a_code_mail_is_given_up_when_its_code_has_ended() {
    let service = Service::new();
    service.register("ada", "ada@example.org").await.unwrap();
    service.world.clock.advance(Duration::from_hours(1));
    assert!(service.world.deliver_mail().await.is_empty());
}

#[tokio::test]
async fn a_superseded_code_is_not_mailed_any_more() {
    let service = Service::new();
    service.registered("ada", "ada@example.org").await;
    service.sign_in("ada@example.org", 1).await;
    let second = service.sign_in("ada@example.org", 1).await;
    let mail = service.only_mail().await;
    service.auth.redeem_sign_in_code(second.code_id, &mail.code, &client(1)).await.unwrap();
}

#[tokio::test]
async fn a_courier_that_died_is_replaced_after_thirty_seconds() {
    let service = Service::new();
    service.register("ada", "ada@example.org").await.unwrap();
    let courier = service.world.courier();
    let abandoned = courier.claim(10).await.unwrap();
    assert!(service.world.deliver_mail().await.is_empty());
    service.world.clock.advance(Duration::from_secs(30));
    service.only_mail().await;
    // The first one was not dead after all: it may send a second copy, but it cannot settle anything.
    let overtaken = courier.deliver(&abandoned[0]).await.unwrap();
    assert_eq!(overtaken, Delivered::Overtaken);
}

#[tokio::test]
async fn a_sign_ins_mail_whose_address_is_damaged_waits_until_somebody_mends_it() {
    let service = Service::new();
    service.registered("ada", "ada@example.org").await;
    service.sign_in("ada@example.org", 2).await;
    let courier = service.world.courier();
    let mut damaged = courier.claim(10).await.unwrap().remove(0);
    damaged.on_record = None;
    assert_eq!(courier.deliver(&damaged).await.unwrap(), Delivered::Deferred);
    service.world.clock.advance(Duration::from_secs(5));
    assert_eq!(service.only_mail().await.to, "ada@example.org");
}

#[tokio::test]
async fn a_mail_whose_key_was_removed_is_given_up_without_stopping_the_others() {
    let service = Service::new();
    service.register("ada", "ada@example.org").await.unwrap();
    let stranger = Courier { keys: Arc::new(ServerKeys::new([[8; 32]]).unwrap()), ..service.world.courier() };
    let claimed = stranger.claim(10).await.unwrap();
    assert_eq!(stranger.deliver(&claimed[0]).await.unwrap(), Delivered::GivenUp);
    assert!(service.world.mailer.take().is_empty());
}
