use std::time::Duration;

use auth_domain::{EventKind, Outcome, Redeemed, Sessions, StoreError, Upkeep};
use auth_postgres::PoolOptions;
use auth_testkit::{
    postgres::{Cluster, execute},
    samples::{at, decoy_hash, event, right_guess, sign_in, wrong_guess},
    waiting::PATIENCE,
};
use futures_util::future::join_all;
use tokio::time::{Instant, sleep, timeout};

use crate::{
    PATIENT, Port, account, connect, connect_impatiently, connect_with, database, delete_user,
    held::{Held, cut_others, until_waiting},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_check_is_parsed_once_and_is_one_round_trip_without_a_transaction() {
    let cluster = tokio::task::spawn_blocking(|| Cluster::start_with(|_| "log_min_duration_statement = 0".to_owned()));
    let cluster = cluster.await.unwrap();
    let store = connect(&cluster.url("postgres"), 1);
    store.migrate().await.unwrap();
    let ada = account(&*store, "ada").await;
    // Whatever a connection does once, it has done by now.
    store.find_session(&ada.sign_in.session.digest).await.unwrap().unwrap();
    let before = cluster.log().len();
    for _ in 0..10 {
        store.find_session(&ada.sign_in.session.digest).await.unwrap().unwrap();
    }
    let log = cluster.log().split_off(before);
    let statements = log.lines().filter(|line| line.contains("duration: ")).count();
    let steps = |step: &str| log.lines().filter(|line| line.contains(&format!(" ms  {step} "))).count();
    assert_eq!((steps("parse"), steps("bind"), steps("execute"), statements), (0, 10, 10, 20), "{log}");
    assert!(!log.contains("BEGIN") && !log.contains("UPDATE"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_people_wait_for_is_prepared_once_and_ends_in_one_transaction() {
    let cluster = tokio::task::spawn_blocking(|| Cluster::start_with(|_| "log_min_duration_statement = 0".to_owned()));
    let cluster = cluster.await.unwrap();
    let store = connect(&cluster.url("postgres"), 1);
    store.migrate().await.unwrap();
    let ada = account(&*store, "ada").await;
    let mut steps = Vec::new();
    // Whatever a connection does once, it has done after the first round.
    for round in 0..3 {
        steps.clear();
        let pending = sign_in("ada@example.org", 2, at(round));
        let closing = event(EventKind::SessionClosed, at(round));
        for step in ["open", "guess wrong", "redeem", "close"] {
            let before = cluster.log().len();
            match step {
                "open" => {
                    assert_eq!(store.port().open_session(&pending, &decoy_hash()).await.unwrap(), Outcome::Done(()));
                }
                "guess wrong" => {
                    let redeemed = store.port().redeem_code(&wrong_guess(&pending.code, at(round))).await.unwrap();
                    assert_eq!(redeemed, Redeemed::Wrong { owner: Some(ada.user_id) });
                }
                "redeem" => {
                    let redeemed = store.port().redeem_code(&right_guess(&pending.code, at(round))).await.unwrap();
                    assert!(matches!(redeemed, Redeemed::Yes { registered: false, .. }));
                }
                _ => {
                    let closed = store.port().close_session(pending.session.id, None, &closing).await.unwrap();
                    assert_eq!(closed, Some(ada.user_id));
                }
            }
            let log = cluster.log().split_off(before);
            let count = |what: &str| log.lines().filter(|line| line.contains(what)).count();
            let executed = |what: &str| {
                let is_it = |line: &&str| line.contains(" ms  execute ") && line.ends_with(what);
                log.lines().filter(is_it).count()
            };
            let parsed: Vec<_> = log.lines().filter(|line| line.contains(" ms  parse ")).collect();
            assert!(round == 0 || parsed.is_empty(), "{parsed:?}");
            steps.push((step, executed(": BEGIN"), executed(": COMMIT"), count(" ms  statement: ")));
        }
    }
    assert_eq!(steps, ["open", "guess wrong", "redeem", "close"].map(|step| (step, 1, 1, 0)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn guesses_share_a_budget_whatever_isolation_the_server_has_as_its_default() {
    let url = database().await;
    let default = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation = ''repeatable read''', \
                   current_database()); END $$";
    execute(&url, default).await.unwrap();
    let store = connect(&url, 8);
    account(&*store, "ada").await;
    let pending = sign_in("ada@example.org", 2, at(1));
    assert_eq!(store.port().open_session(&pending, &decoy_hash()).await.unwrap(), Outcome::Done(()));
    let guesses: Vec<_> = (0..12).map(|_| wrong_guess(&pending.code, at(1))).collect();
    let judged = join_all(guesses.iter().map(|guess| store.port().redeem_code(guess))).await;
    let count = |wanted: fn(&Redeemed) -> bool| judged.iter().filter(|judged| wanted(judged.as_ref().unwrap())).count();
    let wrong = count(|judged| matches!(judged, Redeemed::Wrong { .. }));
    assert_eq!((wrong, count(|judged| *judged == Redeemed::Refused)), (5, 7));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_that_is_used_up_is_unavailable_in_time_and_passes() {
    let url = database().await;
    let store = connect_with(&url, PoolOptions { size: 1, wait: Duration::from_millis(10), ..PATIENT });
    let ada = account(&*store, "ada").await;
    // Another transaction holds what the only connection then waits for.
    let held = Held::by(&url, "SELECT FROM users FOR UPDATE").await;
    let waiting = {
        let store = store.clone();
        tokio::spawn(async move { delete_user(&*store, ada.user_id).await })
    };
    until_waiting(&url, 1, "Lock").await;
    // Unless it gave up by itself, it would be answered once the connection comes free.
    let refused = store.port().find_user(ada.user_id).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    held.commit().await;
    assert_eq!(waiting.await.unwrap().unwrap(), Outcome::Done(()));
    assert!(store.port().find_user(ada.user_id).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_waits_too_long_is_unavailable_in_time_and_leaves_the_pool_usable() {
    let url = database().await;
    let ada = account(&*connect(&url, 1), "ada").await;
    let store = connect_impatiently(&url, 1);
    // Nobody lets go of it before the call has been answered.
    let held = Held::by(&url, "SELECT FROM users FOR UPDATE").await;
    let refused = timeout(PATIENCE, delete_user(&*store, ada.user_id)).await.unwrap();
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    assert!(store.port().find_user(ada.user_id).await.unwrap().is_some(), "and nothing of it was done");
    held.commit().await;
}

// On one thread: who looks after the connections hears that they were cut before who sleeps wakes up.
#[tokio::test]
async fn connections_that_were_cut_are_replaced() {
    let url = database().await;
    let store = connect(&url, 4);
    let ada = account(&*store, "ada").await;
    for _ in 0..3 {
        cut_others(&url).await;
        sleep(Duration::from_millis(50)).await;
        assert!(store.port().find_user(ada.user_id).await.unwrap().is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_goes_away_leaves_a_fact_whole_and_the_pool_usable() {
    let store = connect(&database().await, 2);
    let nobody = account(&*store, "nobody").await.user_id;
    let begun = Instant::now();
    assert_eq!(delete_user(&*store, nobody).await.unwrap(), Outcome::Done(()));
    let whole = begun.elapsed();
    for n in 0..50 {
        let ada = account(&*store, "ada").await;
        // Dropped at a different moment each time, some before the fact is begun and some after its end.
        let gone = timeout(whole * n / 40, delete_user(&*store, ada.user_id)).await;
        let mut left = store.port().find_user(ada.user_id).await.unwrap();
        if gone.is_ok() {
            assert!(left.is_none());
        }
        while left.is_some() && store.find_session(&ada.sign_in.session.digest).await.unwrap().is_none() {
            left = store.port().find_user(ada.user_id).await.unwrap();
        }
        let session = store.list_sessions(ada.user_id, at(0)).await.unwrap();
        let user = store.port().find_user(ada.user_id).await.unwrap();
        assert!(user.is_none() || !session.is_empty(), "half of it was done");
        let _already_gone = delete_user(&*store, ada.user_id).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_not_there_is_unavailable_in_time() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    // One that takes connections and never says anything, and one that refuses them.
    let silent = nobody.local_addr().unwrap();
    for address in [silent.to_string(), "127.0.0.1:1".to_owned()] {
        let store = connect_impatiently(&format!("postgres://auth:secret@{address}/auth?sslmode=disable"), 2);
        // Time leaps to where it gives up.
        let begun = Instant::now();
        let (failed, took) = (store.check_ready().await, begun.elapsed());
        assert!(matches!(failed, Err(StoreError::Unavailable(_))), "{failed:?}");
        assert!(took < Duration::from_secs(3), "{took:?}");
    }
}
