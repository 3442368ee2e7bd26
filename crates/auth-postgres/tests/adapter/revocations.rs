//! What those who remember are told, here and on other replicas, and when.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use auth_domain::{
    CredentialId, EventKind, Membership, Outcome, Redeemed, Revocations, RoleName, Sessions, StoreError, UserChange,
    UserId,
};
use auth_postgres::{PoolOptions, PostgresStore};
use auth_testkit::{
    postgres::execute,
    samples::{at, decoy_hash, event, key_pair, right_guess, sign_in},
    waiting::{StoppedTime, until},
};
use tokio::time::{advance, sleep};

use crate::{
    PATIENT, Port, account, cluster, connect, database, delete_user,
    held::{Held, until_waiting},
    network::Network,
    now, owner,
};

/// Remembers nothing but what it was told to forget, and when it last heard.
#[derive(Default)]
struct Recorder {
    forgotten: Mutex<Vec<UserId>>,
    everything: Mutex<u32>,
    heard: Mutex<Option<Instant>>,
}

impl Revocations for Recorder {
    fn forget_user(&self, user: UserId) {
        self.forgotten.lock().unwrap().push(user);
    }

    fn forget_everything(&self) {
        *self.everything.lock().unwrap() += 1;
    }

    fn heard_until(&self, moment: Instant) {
        *self.heard.lock().unwrap() = Some(moment);
    }
}

impl Recorder {
    /// How often `user` was forgotten.
    fn times(&self, user: UserId) -> usize {
        self.forgotten.lock().unwrap().iter().filter(|forgotten| **forgotten == user).count()
    }

    fn forgot(&self, user: UserId) -> bool {
        self.times(user) > 0
    }

    fn heard(&self) -> Option<Instant> {
        *self.heard.lock().unwrap()
    }

    fn everything(&self) -> u32 {
        *self.everything.lock().unwrap()
    }

    fn begin_anew(&self) {
        self.forgotten.lock().unwrap().clear();
    }
}

/// A replica that listens and hears.
async fn replica(url: &str) -> (Arc<PostgresStore>, Arc<Recorder>) {
    let recorder = Arc::new(Recorder::default());
    let options = PoolOptions { size: 4, ..PATIENT };
    let store = PostgresStore::new(url.parse().unwrap(), options).unwrap().telling(recorder.clone());
    until("the first heartbeat", || recorder.heard().is_some()).await;
    (Arc::new(store), recorder)
}

#[tokio::test(start_paused = true)]
async fn every_fact_that_revokes_or_changes_is_told_here_before_the_answer_and_there_at_once() {
    // Time stands still: what is told now and then is not told at all.
    let _time = StoppedTime::begin();
    let url = database().await;
    let ((here, near), (_there, far)) = (replica(&url).await, replica(&url).await);
    let ada = account(&*here, "ada").await;
    let (user, session) = (ada.user_id, ada.sign_in.session.id);
    let done = || event(EventKind::SessionClosed, at(2)).about(user);

    // Whatever makes something tells nobody.
    let mut opened = Vec::new();
    for n in 0..3 {
        let pending = sign_in("ada@example.org", n, at(1));
        assert_eq!(here.port().open_session(&pending, &decoy_hash()).await.unwrap(), Outcome::Done(()));
        let redeemed = here.port().redeem_code(&right_guess(&pending.code, at(1))).await.unwrap();
        assert!(matches!(redeemed, Redeemed::Yes { .. }));
        opened.push(pending.session.id);
    }
    let pair = key_pair(owner(&ada), "ada@example.org", at(1));
    assert_eq!(here.port().create_key_pair(&pair).await.unwrap(), Outcome::Done(()));
    here.record_usage(&[(CredentialId::Session(session), at(2))]).await.unwrap();
    assert!(!near.forgot(user));

    for fact in ["extend", "close", "close others", "delete key pair", "grant", "revoke", "disable", "enable", "delete"]
    {
        near.begin_anew();
        far.begin_anew();
        let change = |change| {
            let here = Arc::clone(&here);
            async move { here.port().change_user(user, &change, &event(EventKind::RoleGranted, at(2))).await.map(drop) }
        };
        let role = || Membership::Role(RoleName::parse("auditor").unwrap());
        match fact {
            "extend" => {
                assert_eq!(here.port().extend_session(session, at(100_000), at(2)).await.unwrap(), Outcome::Done(()));
            }
            "close" => {
                assert_eq!(here.port().close_session(opened[0], None, &done()).await.unwrap(), Some(user));
            }
            "close others" => assert_eq!(here.port().close_sessions(user, Some(session), &done()).await.unwrap(), 2),
            "delete key pair" => {
                assert_eq!(here.port().delete_key_pair(pair.key_pair.id, None, &done()).await.unwrap(), Some(user));
            }
            "grant" => change(UserChange::Grant(role())).await.unwrap(),
            "revoke" => change(UserChange::Revoke(role())).await.unwrap(),
            "disable" => change(UserChange::Disable).await.unwrap(),
            "enable" => change(UserChange::Enable).await.unwrap(),
            _ => assert_eq!(delete_user(&*here, user).await.unwrap(), Outcome::Done(())),
        }
        assert!(near.forgot(user), "{fact}: answered before it was told here");
        until(fact, || far.forgot(user)).await;
    }
    assert_eq!((near.everything(), far.everything()), (1, 1), "at the beginning, and not since");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_that_verifies_an_account_is_told_like_any_other_change_to_it() {
    let url = database().await;
    let ((here, near), (_there, far)) = (replica(&url).await, replica(&url).await);
    let ada = account(&*here, "ada").await;
    let unverified = event(EventKind::UserUnverified, at(1));
    assert_eq!(
        here.port().change_user(ada.user_id, &UserChange::Unverify, &unverified).await.unwrap(),
        Outcome::Done(())
    );
    until("the change, here twice", || far.forgot(ada.user_id) && near.times(ada.user_id) == 2).await;
    near.begin_anew();
    far.begin_anew();
    for (network, told) in [(1, true), (2, false)] {
        let pending = sign_in("ada@example.org", network, at(2));
        assert_eq!(here.port().open_session(&pending, &decoy_hash()).await.unwrap(), Outcome::Done(()));
        assert!(matches!(here.port().redeem_code(&right_guess(&pending.code, at(2))).await, Ok(Redeemed::Yes { .. })));
        assert_eq!(near.forgot(ada.user_id), told);
        if told {
            until("the other replica", || far.forgot(ada.user_id)).await;
        }
        // Its own announcement comes back to it too.
        until("the echo", || near.times(ada.user_id) == if told { 2 } else { 0 }).await;
        near.begin_anew();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_to_nothing_is_told_to_nobody() {
    let url = database().await;
    let ((here, near), (_there, far)) = (replica(&url).await, replica(&url).await);
    let (ada, bob) = (account(&*here, "ada").await, account(&*here, "bob").await);
    let of_bob = event(EventKind::SessionClosed, at(2));
    assert_eq!(here.port().close_session(ada.sign_in.session.id, Some(bob.user_id), &of_bob).await.unwrap(), None);
    assert_eq!(here.port().extend_session(ada.sign_in.session.id, at(1), at(1)).await.unwrap(), Outcome::Done(()));
    let already = here.port().change_user(ada.user_id, &UserChange::Enable, &of_bob).await.unwrap();
    assert_eq!(already, Outcome::Unchanged);
    assert_eq!(here.port().close_sessions(ada.user_id, Some(ada.sign_in.session.id), &of_bob).await.unwrap(), 0);

    // A fact that is rolled back at its last step announces nothing, and is told here, where nobody can be sure of that.
    execute(&url, "ALTER TABLE events ADD CONSTRAINT full_up CHECK (false) NOT VALID").await.unwrap();
    let failed = delete_user(&*here, ada.user_id).await;
    assert!(matches!(failed, Err(StoreError::Unavailable(_))), "{failed:?}");
    assert!(near.forgot(ada.user_id) && !near.forgot(bob.user_id));
    execute(&url, "ALTER TABLE events DROP CONSTRAINT full_up").await.unwrap();

    // Announcements arrive in their order: once this one is there, an earlier one would be.
    assert_eq!(delete_user(&*here, bob.user_id).await.unwrap(), Outcome::Done(()));
    until("the other replica", || far.forgot(bob.user_id)).await;
    assert!(!far.forgot(ada.user_id));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_went_away_is_told_of_all_the_same() {
    let url = database().await;
    let (here, near) = replica(&url).await;
    let ada = account(&*here, "ada").await;
    // Somebody else's transaction lets the caller be gone before the fact is done.
    let held = Held::by(&url, "SELECT FROM users FOR UPDATE").await;
    let caller = tokio::spawn({
        let here = Arc::clone(&here);
        async move { delete_user(&*here, ada.user_id).await }
    });
    until_waiting(&url, 1, "Lock").await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled() && !near.forgot(ada.user_id));
    held.commit().await;
    until("the fact", || near.forgot(ada.user_id)).await;
}

#[tokio::test(start_paused = true)]
async fn a_fact_whose_outcome_nobody_knows_is_forgotten_by_user() {
    // No heartbeat is late, for which everything would be forgotten.
    let _time = StoppedTime::begin();
    let cluster = cluster().await;
    let (here, near) = replica(&cluster.url("postgres")).await;
    let ada = account(&*here, "ada").await;
    let (everything, session) = (near.everything(), ada.sign_in.session.id);
    execute(&cluster.url("postgres"), "ALTER TABLE events ADD CONSTRAINT full_up CHECK (false) NOT VALID")
        .await
        .unwrap();
    let closing = event(EventKind::SessionClosed, at(2));
    assert!(here.port().close_session(session, Some(ada.user_id), &closing).await.is_err());
    assert_eq!((near.times(ada.user_id), near.everything()), (1, everything));
    assert!(here.port().close_session(session, None, &closing).await.is_err());
    assert_eq!((near.times(ada.user_id), near.everything()), (2, everything));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_heartbeat_proves_what_was_heard_until_it_was_sent() {
    let url = database().await;
    let began = now();
    let (here, near) = replica(&url).await;
    let first = near.heard().unwrap();
    assert!(began <= first && first < now(), "it was sent before it was heard");
    for _ in 0..5 {
        let seen = now();
        until("a heartbeat that was sent later", || near.heard().unwrap() > seen).await;
        assert!(near.heard().unwrap() < now(), "it was sent before it was heard");
    }
    let lag = here.revocation_lag().unwrap();
    assert!(!lag.last.is_zero() && lag.last <= lag.maximum && lag.maximum <= now() - began, "{lag:?}");
    assert_eq!(connect(&url, 1).revocation_lag(), None, "who does not listen does not lag");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_was_cut_forgets_everything_and_hears_again() {
    let url = database().await;
    let (here, near) = replica(&url).await;
    let ada = account(&*here, "ada").await;
    for round in 1..=3 {
        let before = near.everything();
        let listeners = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() \
                         AND pid <> pg_backend_pid() AND query LIKE '%pg_notify%'";
        execute(&url, listeners).await.unwrap();
        until("forgetting", || near.everything() > before).await;
        let forgot = now();
        until("hearing", || near.heard().is_some_and(|heard| heard > forgot)).await;
        let change = if round % 2 == 1 { UserChange::Disable } else { UserChange::Enable };
        near.begin_anew();
        let other = connect(&url, 1);
        let changed =
            other.port().change_user(ada.user_id, &change, &event(EventKind::UserDisabled, at(2))).await.unwrap();
        assert_eq!(changed, Outcome::Done(()));
        until("the other replica's change", || near.forgot(ada.user_id)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn while_the_server_is_away_nothing_is_heard_and_after_it_everything_is_forgotten() {
    let mut time = StoppedTime::begin();
    let cluster = cluster().await;
    let (here, near) = replica(&cluster.url("postgres")).await;
    let before = near.everything();
    let server = Arc::clone(&cluster);
    tokio::task::spawn_blocking(move || server.kill()).await.unwrap();
    let (gone, heard) = (now(), near.heard());
    // Longer than a connection may be silent, and time for several tries to connect.
    time.leaping(sleep(Duration::from_millis(1500))).await;
    assert_eq!((near.heard(), near.everything()), (heard, before));
    assert!(here.revocation_lag().unwrap().last > Duration::from_secs(1), "and it shows");
    let server = Arc::clone(&cluster);
    tokio::task::spawn_blocking(move || server.resume()).await.unwrap();
    tokio::time::resume();
    until("hearing", || near.heard().is_some_and(|heard| heard > gone)).await;
    assert!(near.everything() > before);
    assert!(here.revocation_lag().unwrap().maximum > Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_swallows_everything_is_noticed_within_a_second() {
    let _time = StoppedTime::begin();
    let cluster = cluster().await;
    let network = Network::before(&cluster.address()).await;
    let (_here, near) = replica(&format!("postgres://postgres@{}/postgres?sslmode=disable", network.address)).await;
    let (before, last, connections) = (near.everything(), near.heard(), network.connections());
    network.cut(true);
    // Neither side closes anything. Whoever asks for proof finds none.
    advance(Duration::from_secs(1)).await;
    until("another connection", || network.connections() > connections).await;
    assert_eq!(near.heard(), last, "nothing was heard, and nothing pretended");
    network.cut(false);
    let mended = now();
    tokio::time::resume();
    until("hearing", || near.heard().is_some_and(|heard| heard > mended)).await;
    assert!(near.everything() > before, "what was swallowed may have been a revocation");
}
