//! Limits that replicas share, without waiting where there is nothing to wait for.

use std::{sync::Arc, time::Duration};

use auth_domain::{Limit, Limits, Outcome, PendingSignIn, Rate, Redeemed, ThrottleKind};
use auth_postgres::PostgresStore;
use auth_testkit::{
    postgres::execute,
    samples::{at, decoy_hash, email_addition, key_pair, limited, restraint, right_guess, sign_in, wrong_guess},
};
use tokio::task::JoinSet;

use crate::{Port, account, connect, database, held::Held, owner, replicas_on};

/// Much of everything, and the usual failures.
pub(crate) fn limits() -> Limits {
    let plenty = Rate::new(100_000, Duration::from_hours(24)).unwrap();
    Limits {
        mails_per_address: plenty,
        mails_per_network: plenty,
        sign_ups_per_network: plenty,
        requests_per_network: plenty,
        ..Limits::default()
    }
}

pub(crate) fn times(times: u32) -> Rate {
    Rate::new(times, Duration::from_hours(1)).unwrap()
}

pub(crate) fn restrained(pending: PendingSignIn, limits: Limits, network: u8) -> PendingSignIn {
    let restraint = restraint(limits, network, pending.code.created_at);
    PendingSignIn { restraint: Some(restraint), ..pending }
}

/// A stranger's request for a code that goes to `to`, which nobody has.
fn asked(to: &str, limits: Limits, network: u8) -> PendingSignIn {
    restrained(sign_in(to, network, at(1)), limits, network)
}

/// Runs `facts` on two replicas at once, and returns what each came to.
async fn at_once<T, F>(
    replicas: &[Arc<PostgresStore>; 2],
    facts: usize,
    fact: impl Fn(Arc<PostgresStore>, usize) -> F,
) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let mut running = JoinSet::new();
    for (n, store) in replicas.iter().cycle().take(facts).enumerate() {
        running.spawn(fact(Arc::clone(store), n));
    }
    running.join_all().await
}

async fn assert_rows(url: &str, rows: &str) {
    let found = format!("DO $$ BEGIN ASSERT (SELECT {rows}); END $$");
    execute(url, &found).await.unwrap_or_else(|error| panic!("not: {rows}: {error:?}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn guesses_at_several_codes_of_one_address_share_one_budget_across_replicas() {
    let url = database().await;
    let replicas = replicas_on(&url);
    account(&*replicas[0], "ada").await;
    let mut codes = Vec::new();
    for network in 2..7 {
        let pending = sign_in("ada@example.org", network, at(1));
        assert_eq!(replicas[0].port().open_session(&pending, &decoy_hash()).await.unwrap(), Outcome::Done(()));
        codes.push(pending.code);
    }
    let few = Limits { failures_per_day: 4, ..limits() };
    let outcomes = at_once(&replicas, 30, |store, n| {
        let guess = limited(wrong_guess(&codes[n % codes.len()], at(2)), few, u8::try_from(n).unwrap() + 10);
        async move { store.port().redeem_code(&guess).await.unwrap() }
    })
    .await;
    let wrong = outcomes.iter().filter(|redeemed| matches!(redeemed, Redeemed::Wrong { .. })).count();
    let shut = outcomes.iter().filter(|redeemed| matches!(redeemed, Redeemed::Shut(_))).count();
    assert_eq!((wrong, shut), (4, 26));
    assert_rows(&url, "count(*) = 1 FROM events WHERE kind = 'throttled'").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn as_many_requests_as_fit_are_let_through_across_replicas_and_the_others_refused() {
    let url = database().await;
    let replicas = replicas_on(&url);
    let few = Limits { requests_per_network: times(7), ..limits() };
    let outcomes = at_once(&replicas, 40, |store, n| {
        let asked = asked(&format!("nobody{n}@example.org"), few, 3);
        async move { store.port().open_session(&asked, &decoy_hash()).await.unwrap() }
    })
    .await;
    let through = outcomes.iter().filter(|outcome| **outcome == Outcome::Done(())).count();
    let by =
        |limit| move |outcome: &&Outcome| matches!(outcome, Outcome::RateLimited(refusal) if refusal.limit == limit);
    let refused = outcomes.iter().filter(by(Limit::Throttle(ThrottleKind::Requests))).count();
    assert_eq!((through, refused), (7, 33));
    assert_rows(&url, "count(*) = 7 FROM sessions").await;
    assert_rows(&url, "count(*) = 1 FROM events WHERE kind = 'throttled'").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn as_many_mails_as_fit_go_to_an_address_across_replicas() {
    let url = database().await;
    let replicas = replicas_on(&url);
    let few = Limits { mails_per_address: times(5), ..limits() };
    let outcomes = at_once(&replicas, 30, |store, n| {
        let asked = asked("nobody@example.org", few, u8::try_from(n).unwrap());
        async move { store.port().open_session(&asked, &decoy_hash()).await.unwrap() }
    })
    .await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::Done(())).count(), 5);
    assert_rows(&url, "count(*) = 5 FROM outbox").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn guesses_of_one_network_are_requests_however_many_are_made_at_once() {
    let url = database().await;
    let replicas = replicas_on(&url);
    let code = asked("nobody@example.org", limits(), 9).code;
    let few = Limits { requests_per_network: times(6), ..limits() };
    let outcomes = at_once(&replicas, 30, |store, _| {
        let guess = limited(wrong_guess(&code, at(2)), few, 3);
        async move { store.port().redeem_code(&guess).await.unwrap() }
    })
    .await;
    let looked_at = outcomes.iter().filter(|redeemed| **redeemed == Redeemed::Refused).count();
    let throttled = outcomes.iter().filter(|redeemed| matches!(redeemed, Redeemed::Throttled(_))).count();
    assert_eq!((looked_at, throttled), (6, 24));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_request_that_is_refused_again_waits_for_nobody() {
    let url = database().await;
    let store = connect(&url, 4);
    let none = Limits { requests_per_network: times(1), mails_per_address: times(1), ..limits() };
    assert_eq!(
        store.port().open_session(&asked("nobody@example.org", none, 3), &decoy_hash()).await.unwrap(),
        Outcome::Done(())
    );
    let guess = limited(wrong_guess(&asked("nobody@example.org", none, 3).code, at(2)), none, 3);
    // The audit log is told of the first ones.
    for network in [3, 4] {
        let asked = asked("nobody@example.org", none, network);
        let refused = store.port().open_session(&asked, &decoy_hash()).await.unwrap();
        assert!(matches!(refused, Outcome::RateLimited(_)), "{refused:?}");
    }
    let _told = store.port().redeem_code(&guess).await.unwrap();
    // Somebody holds everything that could be waited for, until all have been answered.
    let held = Held::by(
        &url,
        "SELECT pg_advisory_xact_lock(hashtextextended(name, kind)) FROM (VALUES ('nobody@example.org', 1), \
         ('192.0.3.0', 4), ('192.0.4.0', 4)) AS lock (name, kind); SELECT FROM throttles FOR UPDATE",
    )
    .await;
    for network in [3, 4] {
        let asked = asked("nobody@example.org", none, network);
        let refused = store.port().open_session(&asked, &decoy_hash()).await.unwrap();
        assert!(matches!(refused, Outcome::RateLimited(refusal) if !refusal.told), "{refused:?}");
    }
    let refused = store.port().redeem_code(&guess).await.unwrap();
    assert!(matches!(refused, Redeemed::Throttled(_)));
    held.commit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_limits_nothing_is_remembered_but_the_network_of_a_sign_in() {
    let url = database().await;
    let store = connect(&url, 2);
    let ada = account(&*store, "ada").await;
    let pending = sign_in("ada@example.org", 2, at(1));
    assert_eq!(store.port().open_session(&pending, &decoy_hash()).await.unwrap(), Outcome::Done(()));
    let _wrong = store.port().redeem_code(&wrong_guess(&pending.code, at(1))).await.unwrap();
    let _right = store.port().redeem_code(&right_guess(&pending.code, at(1))).await.unwrap();
    let seen = store.port().list_emails(ada.user_id).await.unwrap();
    let addition = email_addition(ada.user_id, &seen, "second@example.org", at(1));
    assert_eq!(store.port().add_email(&addition).await.unwrap(), Outcome::Done(()));
    let pair = key_pair(owner(&ada), "ada@example.org", at(1));
    assert_eq!(store.port().create_key_pair(&pair).await.unwrap(), Outcome::Done(()));
    assert_rows(&url, "count(*) = 0 FROM failures").await;
    assert_rows(&url, "count(*) = 0 FROM throttles").await;
    assert_rows(&url, "count(*) = 1 FROM known_networks").await;
}
