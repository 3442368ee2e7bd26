//! Look-ups for checks: asked together, answered apart, and back as soon as the database is.

use std::{sync::Arc, time::Duration};

use auth_domain::{KeyPairs, Outcome, Sessions, StoreError, TokenDigest};
use auth_testkit::{
    postgres::{Cluster, execute},
    samples::{address, at, decoy_hash, decoy_registration, key_pair, registration, sign_in},
    waiting::{Patience, StoppedTime, until},
};
use futures_util::future::join_all;
use tokio::{
    task::yield_now,
    time::{Instant, advance, sleep},
};

use crate::{
    Port, account, cluster, connect, connect_impatiently, database, delete_user,
    held::{Held, cut_others, until_waiting},
    network::Network,
    owner,
};

/// What every call is answered within.
const ANSWERED_WITHIN: Duration = Duration::from_secs(3);

fn nobodys(n: u8) -> TokenDigest {
    TokenDigest::from_stored([n; 32])
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_ask_at_once_each_gets_an_answer_of_their_own() {
    let store = connect(&database().await, 2);
    let ada = account(&*store, "ada").await;
    let (mut sessions, mut pairs) = (Vec::new(), Vec::new());
    for n in 0..40 {
        let pending = sign_in("ada@example.org", n, at(1));
        assert_eq!(store.port().open_session(&pending, &decoy_hash()).await.unwrap(), Outcome::Done(()));
        sessions.push((pending.session.digest, pending.session.id));
        let pair = key_pair(owner(&ada), "ada@example.org", at(1));
        assert_eq!(store.port().create_key_pair(&pair).await.unwrap(), Outcome::Done(()));
        pairs.push((pair.key_pair.digest, pair.key_pair.id));
    }
    for _ in 0..5 {
        // Each twice, and as many that there are not: also a session by a key pair's digest.
        let of_sessions = sessions.iter().chain(&sessions).map(|(digest, id)| {
            let store = &store;
            async move { assert_eq!(store.find_session(digest).await.unwrap().unwrap().session.id, *id) }
        });
        let of_pairs = pairs.iter().chain(&pairs).map(|(digest, id)| {
            let store = &store;
            async move {
                assert_eq!(store.find_key_pair(digest).await.unwrap().unwrap().key_pair.id, *id);
                assert!(store.find_session(digest).await.unwrap().is_none());
            }
        });
        let of_nobody = (0..80).map(|n| {
            let store = &store;
            async move { assert!(store.find_session(&nobodys(n)).await.unwrap().is_none()) }
        });
        tokio::join!(join_all(of_sessions), join_all(of_pairs), join_all(of_nobody));
    }
}

// On one thread: everybody has asked before anybody is on the way.
#[tokio::test]
async fn those_who_wait_together_are_asked_about_together() {
    let logging = || Cluster::start_with(|_| "log_min_duration_statement = 0".to_owned());
    let cluster = tokio::task::spawn_blocking(logging).await.unwrap();
    let store = connect(&cluster.url("postgres"), 1);
    store.migrate().await.unwrap();
    let digests: Vec<_> = (0..200).map(nobodys).collect();
    join_all(digests.iter().map(|digest| store.find_session(digest))).await;
    let before = cluster.log().len();
    let found = join_all(digests.iter().map(|digest| store.find_session(digest))).await;
    assert!(found.into_iter().all(|found| found.unwrap().is_none()));
    let log = cluster.log().split_off(before);
    let asked = log.lines().filter(|line| line.contains(" ms  execute ")).count();
    assert!((1..=100).contains(&asked), "200 look-ups took {asked} statements");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_does_not_make_sense_fails_those_who_asked_for_it_and_nobody_else() {
    let url = database().await;
    let store = connect(&url, 2);
    let mut digests = Vec::new();
    for n in 0..10 {
        let one = account(&*store, &format!("user{n}")).await;
        digests.push(one.sign_in.session.digest);
    }
    execute(&url, "UPDATE users SET alias = 'not an alias' WHERE alias = 'user3'").await.unwrap();
    for _ in 0..5 {
        let found = join_all(digests.iter().map(|digest| store.find_session(digest))).await;
        for (n, found) in found.into_iter().enumerate() {
            match found {
                Ok(Some(_)) => assert_ne!(n, 3),
                Err(StoreError::Corrupt { table: "users", .. }) => assert_eq!(n, 3),
                other => panic!("{n}: {other:?}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_that_is_used_up_holds_up_no_check() {
    let url = database().await;
    let store = connect(&url, 1);
    let ada = account(&*store, "ada").await;
    let held = Held::by(&url, "SELECT FROM users FOR UPDATE").await;
    let waiting = {
        let (store, user) = (store.clone(), ada.user_id);
        tokio::spawn(async move { delete_user(&*store, user).await })
    };
    until_waiting(&url, 1, "Lock").await;
    let pool = store.pool_use();
    assert_eq!((pool.size, pool.available), (1, 0));
    assert!(store.find_session(&ada.sign_in.session.digest).await.unwrap().is_some());
    held.commit().await;
    assert_eq!(waiting.await.unwrap().unwrap(), Outcome::Done(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_up_that_has_to_wait_holds_up_no_other_one() {
    let url = database().await;
    let store = connect(&url, 1);
    let ada = account(&*store, "ada").await;
    let pair = key_pair(owner(&ada), "ada@example.org", at(1));
    assert_eq!(store.port().create_key_pair(&pair).await.unwrap(), Outcome::Done(()));
    let held = Held::by(&url, "LOCK TABLE key_pairs").await;
    // Whoever waits gives up after a while. Where nobody else was answered ten times by then, the machine was too slow, or
    // everybody waited: only the latter stays like that.
    let patience = Patience::with("answers while somebody waits");
    let waiting = loop {
        let waiting = {
            let store = store.clone();
            tokio::spawn(async move { store.find_key_pair(&pair.key_pair.digest).await })
        };
        until_waiting(&url, 1, "relation").await;
        for _ in 0..10 {
            assert!(store.find_session(&ada.sign_in.session.digest).await.unwrap().is_some());
        }
        if !waiting.is_finished() {
            break waiting;
        }
        patience.moment().await;
    };
    held.commit().await;
    assert!(waiting.await.unwrap().unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_addresses_that_are_asked_for_at_once_each_leads_where_it_does_alone() {
    let store = connect(&database().await, 2);
    let mut expected = Vec::new();
    for n in 0..8 {
        let account = account(&*store, &format!("user{n}")).await;
        expected.push((account.address.key(), Some(account.email_id)));
        // Somebody registers for an address that is owned, somebody twice for one that is not, and somebody too long ago.
        let decoy = decoy_registration(&format!("decoy{n}"), account.address.as_str(), at(1));
        assert_eq!(store.port().register_user(&decoy).await.unwrap(), Outcome::Done(()));
        let mut newest = None;
        for (attempt, second) in [("first", 1), ("second", 2)] {
            let pending = registration(&format!("{attempt}{n}"), &format!("pending{n}@example.org"), at(second));
            assert_eq!(store.port().register_user(&pending).await.unwrap(), Outcome::Done(()));
            newest = Some((pending.address.key(), Some(pending.email_id)));
        }
        expected.extend(newest);
        let mut ended = registration(&format!("ended{n}"), &format!("ended{n}@example.org"), at(0));
        ended.sign_in.code.expires_at = at(2);
        assert_eq!(store.port().register_user(&ended).await.unwrap(), Outcome::Done(()));
        expected.push((ended.address.key(), None));
        expected.push((address(&format!("nobody{n}@example.org")).key(), None));
    }
    for _ in 0..5 {
        join_all(expected.iter().chain(&expected).map(|(key, email)| {
            let store = &store;
            async move {
                let found = store.port().find_address(key, at(3)).await.unwrap();
                assert_eq!(found.map(|known| known.owner.email_id), *email);
            }
        }))
        .await;
    }
}

// On one thread: who looks after the connection hears that it was cut before who sleeps wakes up.
#[tokio::test]
async fn a_check_does_not_notice_that_its_connection_was_cut_while_nobody_asked() {
    let url = database().await;
    let store = connect(&url, 2);
    let ada = account(&*store, "ada").await;
    for _ in 0..3 {
        assert!(store.find_session(&ada.sign_in.session.digest).await.unwrap().is_some());
        cut_others(&url).await;
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn while_the_server_is_away_checks_are_unknown_in_time_and_they_resume_when_it_is_back() {
    let mut time = StoppedTime::begin();
    let cluster = cluster().await;
    let store = connect_impatiently(&cluster.url("postgres"), 2);
    let ada = account(&*store, "ada").await;
    let digest = ada.sign_in.session.digest;
    assert!(store.find_session(&digest).await.unwrap().is_some());
    let server = Arc::clone(&cluster);
    tokio::task::spawn_blocking(move || server.kill()).await.unwrap();
    let begun = Instant::now();
    for unknown in time.leaping(join_all((0..300).map(|_| store.find_session(&digest)))).await {
        assert!(matches!(unknown, Err(StoreError::Unavailable(_))), "{unknown:?}");
    }
    assert!(begun.elapsed() < ANSWERED_WITHIN);
    let server = Arc::clone(&cluster);
    tokio::task::spawn_blocking(move || server.resume()).await.unwrap();
    assert!(store.find_session(&digest).await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_network_that_swallows_everything_makes_checks_unknown_in_time_and_they_resume_within_two_seconds() {
    let mut time = StoppedTime::begin();
    let cluster = cluster().await;
    let network = Network::before(&cluster.address()).await;
    let store = connect_impatiently(&format!("postgres://postgres@{}/postgres?sslmode=disable", network.address), 2);
    let ada = account(&*store, "ada").await;
    let digest = ada.sign_in.session.digest;
    assert!(store.find_session(&digest).await.unwrap().is_some());
    network.cut(true);
    for _ in 0..2 {
        let begun = Instant::now();
        let checks = join_all((0..300).map(|_| store.find_session(&digest)));
        let (checks, other) = time.leaping(async { tokio::join!(checks, store.port().find_user(ada.user_id)) }).await;
        for unknown in checks {
            assert!(matches!(unknown, Err(StoreError::Unavailable(_))), "{unknown:?}");
        }
        assert!(matches!(other, Err(StoreError::Unavailable(_))), "{other:?}");
        assert!(begun.elapsed() < ANSWERED_WITHIN, "{:?}", begun.elapsed());
    }
    // By then nobody is on the way any more.
    time.leaping(sleep(ANSWERED_WITHIN)).await;
    let ask = || {
        let store = store.clone();
        tokio::spawn(async move { store.find_session(&digest).await })
    };
    let (connections, swallowed) = (network.connections(), network.swallowed());
    let first = ask();
    until("the first on the way", || network.connections() > connections).await;
    // Who is late is not waited for by the next one.
    advance(Duration::from_millis(100)).await;
    let under_way = [first, ask(), ask()];
    let both = || network.connections() > connections + 1 && network.swallowed() > swallowed + 1;
    until("both on the way", both).await;
    network.cut(false);
    let mended = Instant::now();
    let next = ask();
    yield_now().await;
    advance(Duration::from_millis(1900)).await;
    assert!(next.await.unwrap().unwrap().is_some());
    assert!(mended.elapsed() < Duration::from_secs(2));
    for under_way in under_way {
        drop(under_way.await.unwrap());
    }
}
