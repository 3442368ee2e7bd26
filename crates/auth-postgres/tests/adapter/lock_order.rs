//! Facts that meet take their locks in one order: none of them waits for another in a circle, and none overlooks another.

use std::sync::Arc;

use auth_domain::{
    Conflict, CredentialId, EmailAddition, EventKind, Limits, Lockout, Lockouts, Outbox, Outcome, PendingKeyPair,
    Registration, Sessions, Settlement, ToldLockout, Upkeep, UserChange,
};
use auth_postgres::PostgresStore;
use auth_testkit::{
    postgres::execute,
    samples::{
        account as sample_account, at, decoy_hash, decoy_registration, email_addition, event, key_pair, limited, purge,
        registration, restraint, right_guess, sign_in, wrong_guess,
    },
};
use tokio::task::JoinSet;

use crate::{
    Port, account, connect, database, delete_user,
    held::{Held, until_alone, until_waiting},
    limits::{limits, restrained, times},
    owner, replicas_on,
};

/// Two replicas on a database that looks for deadlocks at once, and not after the second in which most pass.
async fn watched_replicas() -> (String, [Arc<PostgresStore>; 2]) {
    let url = database().await;
    let at_once =
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET deadlock_timeout = 5', current_database()); END $$";
    execute(&url, at_once).await.unwrap();
    let replicas = replicas_on(&url);
    (url, replicas)
}

/// Ends the replicas, and asserts that no two of their transactions waited for each other.
async fn assert_no_deadlock(url: &str, replicas: [Arc<PostgresStore>; 2]) {
    // A connection tells what it met with when it ends.
    drop(replicas);
    until_alone(url).await;
    let none = "DO $$ BEGIN ASSERT (SELECT deadlocks = 0 FROM pg_stat_database WHERE datname = current_database()), \
                (SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()) || ' deadlocks'; END $$";
    if let Err(some) = execute(url, none).await {
        panic!("{some}: {}", told_of_deadlocks(url));
    }
}

/// What the server has logged of who waited for whom, and where.
fn told_of_deadlocks(url: &str) -> String {
    let folder = url.split(['=', '&']).nth(1).unwrap();
    let log = std::fs::read_to_string(format!("{folder}/log")).unwrap();
    let told = log.split("ERROR:").filter(|told| told.trim_start().starts_with("deadlock detected"));
    told.map(|told| told.chars().take(3000).collect::<String>()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn mails_are_settled_while_their_sessions_are_closed_and_nobody_waits_in_a_circle() {
    let (url, replicas) = watched_replicas().await;
    for round in 0..24_u8 {
        let ada = account(&*replicas[0], &format!("ada{round}")).await;
        let mut opened = Vec::new();
        for network in 2..7 {
            let pending = sign_in(ada.address.as_str(), network, at(1));
            assert_eq!(replicas[0].port().open_session(&pending, &decoy_hash()).await.unwrap(), Outcome::Done(()));
            opened.push(pending.session.id);
        }
        let claimed = replicas[0].claim_codes(at(2), at(30), 100).await.unwrap();
        assert!(claimed.len() >= opened.len());

        let mut facts = JoinSet::new();
        for mail in claimed {
            let store = Arc::clone(&replicas[0]);
            facts.spawn(async move {
                // Stale if the mail went with its code.
                let _settled =
                    store.settle_mail(mail.id, mail.attempt, Settlement::Delivered, "250 ok", at(3)).await.unwrap();
            });
        }
        let (store, user) = (Arc::clone(&replicas[1]), ada.user_id);
        match round % 4 {
            0 => {
                for session in opened {
                    let store = Arc::clone(&store);
                    let closing = event(EventKind::SessionClosed, at(3));
                    facts.spawn(async move {
                        assert_eq!(
                            store.port().close_session(session, Some(user), &closing).await.unwrap(),
                            Some(user)
                        );
                    });
                }
            }
            1 => {
                let closing = event(EventKind::OtherSessionsClosed, at(3));
                facts.spawn(
                    async move { assert_eq!(store.port().close_sessions(user, None, &closing).await.unwrap(), 1) },
                );
            }
            2 => {
                let disabling = event(EventKind::UserDisabled, at(3));
                facts.spawn(async move {
                    let changed = store.port().change_user(user, &UserChange::Disable, &disabling).await.unwrap();
                    assert_eq!(changed, Outcome::Done(()));
                });
            }
            _ => {
                facts.spawn(async move { assert_eq!(delete_user(&*store, user).await.unwrap(), Outcome::Done(())) });
            }
        }
        facts.join_all().await;
    }
    assert_no_deadlock(&url, replicas).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_takes_hold_of_its_owner_before_anything_of_theirs() {
    let (url, replicas) = watched_replicas().await;
    let ada = account(&*replicas[0], "ada").await;
    let held = Held::by(&url, "SELECT FROM users FOR UPDATE").await;
    let signing_in = tokio::spawn({
        let (store, pending) = (Arc::clone(&replicas[0]), sign_in(ada.address.as_str(), 2, at(1)));
        async move { store.port().open_session(&pending, &decoy_hash()).await }
    });
    let making_a_pair = tokio::spawn({
        let (store, pending) = (Arc::clone(&replicas[1]), key_pair(owner(&ada), ada.address.as_str(), at(1)));
        async move { store.port().create_key_pair(&pending).await }
    });
    until_waiting(&url, 2, "Lock").await;
    // Were any of it held by those who wait, this would wait for them.
    held.run("SELECT FROM emails FOR UPDATE").await;
    held.commit().await;
    assert_eq!(signing_in.await.unwrap().unwrap(), Outcome::Done(()));
    assert_eq!(making_a_pair.await.unwrap().unwrap(), Outcome::Done(()));
    assert_no_deadlock(&url, replicas).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn people_sign_in_while_they_are_disabled_or_deleted_and_nobody_waits_in_a_circle() {
    let (url, replicas) = watched_replicas().await;
    for round in 0..12_u8 {
        let ada = account(&*replicas[0], &format!("ada{round}")).await;
        let mut opened = Vec::new();
        for network in 2..7 {
            let pending = sign_in(ada.address.as_str(), network, at(1));
            assert_eq!(replicas[0].port().open_session(&pending, &decoy_hash()).await.unwrap(), Outcome::Done(()));
            opened.push((CredentialId::Session(pending.session.id), at(2)));
        }
        let (ada, opened) = (Arc::new(ada), Arc::new(opened));
        let mut facts = JoinSet::new();
        for n in 0..16_u8 {
            let (store, ada, opened) =
                (Arc::clone(&replicas[usize::from(n / 8)]), Arc::clone(&ada), Arc::clone(&opened));
            facts.spawn(async move {
                let (user, to) = (ada.user_id, ada.address.as_str());
                // What each of them comes to depends on who was first.
                let answered = match n % 8 {
                    0 | 1 => store.port().open_session(&sign_in(to, n, at(2)), &decoy_hash()).await.map(drop),
                    2 => store
                        .port()
                        .register_user(&decoy_registration(&format!("eve{round}-{n}"), to, at(2)))
                        .await
                        .map(drop),
                    3 => {
                        let change = if n > 8 { UserChange::Disable } else { UserChange::Unverify };
                        store.port().change_user(user, &change, &event(EventKind::UserDisabled, at(2))).await.map(drop)
                    }
                    4 => store
                        .port()
                        .close_sessions(user, None, &event(EventKind::OtherSessionsClosed, at(2)))
                        .await
                        .map(drop),
                    5 => store.record_usage(&opened).await,
                    6 => store.port().create_key_pair(&key_pair(owner(&ada), to, at(2))).await.map(drop),
                    _ if n > 8 && round % 2 == 1 => delete_user(&*store, user).await.map(drop),
                    _ => store.purge(&purge(at(2), at(0), 10)).await.map(drop),
                };
                answered.unwrap();
            });
        }
        facts.join_all().await;
    }
    assert_no_deadlock(&url, replicas).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn people_of_two_networks_ask_and_guess_within_limits_and_nobody_waits_in_a_circle() {
    let (url, replicas) = watched_replicas().await;
    // Few enough that many are refused, and that those who race for the last are begun again.
    let limits = Limits { requests_per_network: times(40), failures_per_day: 6, ..limits() };
    for round in 0..10_u8 {
        let now = at(u64::from(round) * 2 * 24 * 60 * 60 + 2);
        let ada = account(&*replicas[0], &format!("ada{round}")).await;
        let eve = account(&*replicas[0], &format!("eve{round}")).await;
        let people = Arc::new([ada, eve]);
        let mut codes = Vec::new();
        for person in &*people {
            for network in 2..7 {
                let pending = sign_in(person.address.as_str(), network, now);
                assert_eq!(replicas[0].port().open_session(&pending, &decoy_hash()).await.unwrap(), Outcome::Done(()));
                codes.push(pending.code);
            }
        }
        let codes = Arc::new(codes);
        let mut facts = JoinSet::new();
        for n in 0..32_u8 {
            let store = Arc::clone(&replicas[usize::from(n % 2)]);
            let (people, codes) = (Arc::clone(&people), Arc::clone(&codes));
            facts.spawn(async move {
                let (network, person) = (n % 4 / 2, &people[usize::from(n / 4 % 2)]);
                let (user, to) = (person.user_id, person.address.as_str());
                let code = &codes[usize::from(n) % codes.len()];
                let restraint = || Some(restraint(limits, network, now));
                // What each of them comes to depends on who was first.
                let answered = match n % 11 {
                    0 | 1 => {
                        let pending = sign_in(to, network, now);
                        store.port().open_session(&restrained(pending, limits, network), &decoy_hash()).await.map(drop)
                    }
                    2 => {
                        let decoy = decoy_registration(&format!("new{round}-{n}"), to, now);
                        let sign_in = restrained(decoy.sign_in.clone(), limits, network);
                        store.port().register_user(&Registration { sign_in, ..decoy }).await.map(drop)
                    }
                    3 => store.port().redeem_code(&limited(wrong_guess(code, now), limits, network)).await.map(drop),
                    4 => store.port().redeem_code(&limited(right_guess(code, now), limits, network)).await.map(drop),
                    5 => {
                        let pair = PendingKeyPair { restraint: restraint(), ..key_pair(owner(person), to, now) };
                        store.port().create_key_pair(&pair).await.map(drop)
                    }
                    6 => {
                        let seen = store.port().list_emails(user).await.unwrap();
                        let second = email_addition(user, &seen, &format!("second{n}-{to}"), now);
                        let added = EmailAddition { restraint: restraint(), ..second };
                        store.port().add_email(&added).await.map(drop)
                    }
                    7 => {
                        let unlocking = event(EventKind::UserUnlocked, now);
                        store.port().unlock_address(&person.address.key(), &unlocking).await.map(drop)
                    }
                    8 => {
                        let tell = async |lockout: Lockout| {
                            let told = ToldLockout { lockout, failures_in_a_row: 1, mail: None, told_at: now };
                            store.port().tell_lockout(&told).await.map(drop)
                        };
                        let mut told = Ok(());
                        for lockout in store.list_untold_lockouts(1, 10).await.unwrap() {
                            told = told.and(tell(lockout).await);
                        }
                        told
                    }
                    9 if round % 2 == 1 => delete_user(&*store, user).await.map(drop),
                    _ => store.purge(&purge(now, at(0), 10)).await.map(drop),
                };
                answered.unwrap();
            });
        }
        facts.join_all().await;
    }
    assert_no_deadlock(&url, replicas).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_registration_that_is_completed_just_before_its_alias_is_taken_stays_an_account() {
    let url = database().await;
    let store = connect(&url, 4);
    let later = at(2 * 24 * 60 * 60);
    for (alias, by_administrator) in [("ada", false), ("bob", true)] {
        // Its code has expired: the alias is free.
        let first = registration(alias, &format!("{alias}@example.org"), at(0));
        assert_eq!(store.port().register_user(&first).await.unwrap(), Outcome::Done(()));
        let completing = format!(
            "UPDATE users SET verified = true, registration = NULL WHERE alias = '{alias}'; \
             UPDATE emails SET verified = true WHERE address = '{alias}@example.org'"
        );
        let completing = Held::by(&url, &completing).await;
        let to = format!("{alias}@example.net");
        let taking = tokio::spawn({
            let store = Arc::clone(&store);
            async move {
                if by_administrator {
                    let created = store.port().create_account(&sample_account(alias, &to, later)).await.unwrap();
                    assert_eq!(created, Outcome::Conflict(Conflict::AliasTaken));
                } else {
                    let registered = store.port().register_user(&registration(alias, &to, later)).await.unwrap();
                    assert_eq!(registered, Outcome::Conflict(Conflict::AliasTaken));
                }
            }
        });
        until_waiting(&url, 1, "Lock").await;
        completing.commit().await;
        taking.await.unwrap();
        assert!(store.port().find_account(first.user_id).await.unwrap().is_some(), "{alias}");
    }
}
