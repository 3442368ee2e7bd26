use std::{sync::Arc, time::Duration};

use auth_domain::{
    Conflict, EmailId, EventKind, Limit, Limits, Outcome, PendingSignIn, Purge, Rate, Refusal, Registration,
    SessionOwner, Store, ThrottleKind,
};

use super::{
    Subject, account, found,
    guessing::{code, limits, right, wrong},
    owner,
};
use crate::samples::{
    at, client, decoy_hash, email_addition, email_renewal, key_pair, limited, registration, restraint, right_guess,
    sign_in,
};

const HOUR: u64 = 60 * 60;
const DAY: u64 = 24 * HOUR;

fn an_hour(times: u32) -> Rate {
    Rate::new(times, Duration::from_hours(1)).unwrap()
}

fn plenty() -> Limits {
    limits(10, 100)
}

fn asked(to: &str, limits: Limits, network: u8, second: u64) -> PendingSignIn {
    let restraint = Some(restraint(limits, network, at(second)));
    PendingSignIn { restraint, ..sign_in(to, network, at(second)) }
}

/// Asks for a code, and tells what held it back.
async fn asks(store: &dyn Store, to: &str, limits: Limits, network: u8, second: u64) -> Option<Refusal> {
    refusal_of(store.open_session(&asked(to, limits, network, second), &decoy_hash()).await.unwrap())
}

fn refusal_of(asked: Outcome) -> Option<Refusal> {
    match asked {
        Outcome::Done(()) => None,
        Outcome::RateLimited(refusal) => Some(refusal),
        other => panic!("nothing stands against it: {other:?}"),
    }
}

fn registering(alias: &str, to: &str, limits: Limits, network: u8, second: u64) -> Registration {
    let registration = registration(alias, to, at(second));
    let sign_in = asked(to, limits, network, second);
    Registration { sign_in, ..registration }
}

pub async fn mails_to_an_address_are_limited_whoever_asks(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let limits = Limits { mails_per_address: an_hour(2), ..plenty() };
    for (to, whose) in [("ada@example.org", Some(owner(&ada))), ("nobody@example.org", None)] {
        for network in 5..7 {
            let let_through = asked(to, limits, network, 10);
            assert_eq!(store.open_session(&let_through, &decoy_hash()).await.unwrap(), Outcome::Done(()));
        }
        let before = store.backlog(at(10)).await.unwrap();
        let held_back = asked(to, limits, 7, 10);
        let refusal = Refusal {
            limit: Limit::Throttle(ThrottleKind::MailsToAddress),
            until: at(10 + 1800),
            owner: whose.map(|owner| owner.user_id),
            told: true,
        };
        assert_eq!(store.open_session(&held_back, &decoy_hash()).await.unwrap(), Outcome::RateLimited(refusal));
        assert!(found(&*store, &held_back).await.is_none());
        assert_eq!(store.backlog(at(10)).await.unwrap(), before, "nothing is mailed");
        let early = store.open_session(&asked(to, limits, 7, 1809), &decoy_hash()).await.unwrap();
        assert_eq!(refusal_of(early).map(|refusal| refusal.until), Some(at(1810)));
        assert_eq!(store.open_session(&asked(to, limits, 7, 1810), &decoy_hash()).await.unwrap(), Outcome::Done(()));
    }
}

pub async fn a_network_that_is_known_has_an_allowance_of_mails_of_its_own(subject: &impl Subject) {
    let store = subject.store();
    account(&*store, "ada", "ada@example.org").await;
    let limits = Limits { mails_per_address: an_hour(1), ..plenty() };
    let ask = |network| asked("ada@example.org", limits, network, 10);
    assert_eq!(store.open_session(&ask(5), &decoy_hash()).await.unwrap(), Outcome::Done(()));
    assert!(refusal_of(store.open_session(&ask(6), &decoy_hash()).await.unwrap()).is_some());
    let owners = ask(1);
    assert_eq!(store.open_session(&owners, &decoy_hash()).await.unwrap(), Outcome::Done(()));
    assert!(refusal_of(store.open_session(&ask(1), &decoy_hash()).await.unwrap()).is_some());
    assert_eq!(right(&*store, &owners.code, limits, 1, 11).await, "yes");
}

pub async fn a_network_is_limited_in_mails_and_requests_whatever_it_asks_about(subject: &impl Subject) {
    let store = subject.store();
    for (limits, kind, network) in [
        (Limits { mails_per_network: an_hour(2), ..plenty() }, ThrottleKind::MailsFromNetwork, 5),
        (Limits { requests_per_network: an_hour(2), ..plenty() }, ThrottleKind::Requests, 15),
    ] {
        for n in 0..2 {
            assert_eq!(asks(&*store, &format!("{kind:?}{n}@example.org"), limits, network, 10).await, None);
        }
        let refusal = asks(&*store, &format!("{kind:?}@example.org"), limits, network, 10).await.unwrap();
        assert_eq!((refusal.limit, refusal.owner, refusal.told), (Limit::Throttle(kind), None, true));
        assert_eq!(asks(&*store, &format!("{kind:?}@example.org"), limits, network + 1, 10).await, None, "elsewhere");
    }
}

pub async fn look_ups_of_a_network_are_limited_apart_from_its_other_requests(subject: &impl Subject) {
    let store = subject.store();
    let limits = Limits { requests_per_network: an_hour(2), ..plenty() };
    let looks_up = async |network: u8, second: u64| {
        let asked = asked("nobody@example.org", limits, network, second);
        store.charge_look_up(asked.code.network, &asked.restraint.unwrap()).await.unwrap()
    };
    for _ in 0..2 {
        assert_eq!(looks_up(5, 10).await, Outcome::Done(()));
    }
    for told in [true, false] {
        let refusal = refusal_of(looks_up(5, 10).await).unwrap();
        assert_eq!((refusal.limit, refusal.until), (Limit::Throttle(ThrottleKind::LookUps), at(HOUR / 2 + 10)));
        assert_eq!((refusal.owner, refusal.told), (None, told));
    }
    for to in ["one@example.org", "two@example.org"] {
        assert_eq!(asks(&*store, to, limits, 5, 10).await, None);
    }
    assert_eq!(looks_up(6, 10).await, Outcome::Done(()), "elsewhere");
    assert_eq!(looks_up(5, HOUR / 2 + 10).await, Outcome::Done(()));
}

pub async fn what_is_held_back_by_one_limit_is_charged_by_none(subject: &impl Subject) {
    let store = subject.store();
    let limits = Limits {
        mails_per_address: an_hour(1),
        mails_per_network: an_hour(3),
        requests_per_network: an_hour(3),
        ..plenty()
    };
    assert_eq!(asks(&*store, "one@example.org", limits, 5, 10).await, None);
    for _ in 0..5 {
        let refusal = asks(&*store, "one@example.org", limits, 5, 10).await.unwrap();
        assert_eq!(refusal.limit, Limit::Throttle(ThrottleKind::MailsToAddress));
    }
    for to in ["two@example.org", "three@example.org"] {
        assert_eq!(asks(&*store, to, limits, 5, 10).await, None, "there is room for three");
    }
    assert!(asks(&*store, "four@example.org", limits, 5, 10).await.is_some());
}

pub async fn what_holds_back_longest_says_until_when(subject: &impl Subject) {
    let store = subject.store();
    let a_day = Rate::new(1, Duration::from_hours(24)).unwrap();
    let limits = Limits { mails_per_address: a_day, mails_per_network: an_hour(1), ..plenty() };
    assert_eq!(asks(&*store, "one@example.org", limits, 5, 10).await, None);
    let refusal = asks(&*store, "one@example.org", limits, 5, 10).await.unwrap();
    assert_eq!((refusal.limit, refusal.until), (Limit::Throttle(ThrottleKind::MailsToAddress), at(DAY + 10)));
    let refusal = asks(&*store, "two@example.org", limits, 5, 10).await.unwrap();
    assert_eq!((refusal.limit, refusal.until), (Limit::Throttle(ThrottleKind::MailsFromNetwork), at(HOUR + 10)));
}

pub async fn what_turns_out_stale_is_charged_nothing(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let limits = Limits { mails_per_address: an_hour(1), sign_ups_per_network: an_hour(1), ..plenty() };
    let mut addition = email_addition(ada.user_id, &[], "second@example.org", at(10));
    addition.restraint = Some(restraint(limits, 5, at(10)));
    for _ in 0..3 {
        assert_eq!(store.add_email(&addition).await.unwrap(), Outcome::Stale, "she has an address");
        let stale = registering("new", "ada@example.org", limits, 5, 10);
        assert_eq!(store.register_user(&stale).await.unwrap(), Outcome::Stale, "its address has an owner");
    }
    for to in ["ada@example.org", "second@example.org"] {
        assert_eq!(asks(&*store, to, limits, 5, 10).await, None);
    }
    let fresh = registering("new", "new@example.org", limits, 5, 10);
    assert_eq!(store.register_user(&fresh).await.unwrap(), Outcome::Done(()));
}

pub async fn what_is_stale_and_over_a_limit_is_held_back_by_the_limit(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let limits = Limits { mails_per_network: an_hour(1), ..plenty() };
    assert_eq!(asks(&*store, "nobody@example.org", limits, 1, 10).await, None);
    let restrained = || Some(restraint(limits, 1, at(10)));
    let held_back = Some(Limit::Throttle(ThrottleKind::MailsFromNetwork));

    let mut addition = email_addition(ada.user_id, &[], "second@example.org", at(10));
    addition.restraint = restrained();
    assert_eq!(refusal_of(store.add_email(&addition).await.unwrap()).map(|refusal| refusal.limit), held_back);
    let seen = store.list_emails(ada.user_id).await.unwrap();
    let mut renewal = email_renewal(ada.user_id, &seen[0], at(10));
    renewal.restraint = restrained();
    assert_eq!(refusal_of(store.renew_email_code(&renewal).await.unwrap()).map(|refusal| refusal.limit), held_back);
    let stranger = SessionOwner { email_id: EmailId::from(uuid::Uuid::nil()), ..owner(&ada) };
    let mut pair = key_pair(stranger, "ada@example.org", at(10));
    pair.restraint = restrained();
    assert_eq!(refusal_of(store.create_key_pair(&pair).await.unwrap()).map(|refusal| refusal.limit), held_back);
}

pub async fn sign_ups_from_a_network_are_limited_and_a_taken_alias_counts_as_one(subject: &impl Subject) {
    let store = subject.store();
    account(&*store, "ada", "ada@example.org").await;
    let limits = Limits { sign_ups_per_network: an_hour(2), mails_per_network: an_hour(1), ..plenty() };
    let taken = registering("ADA", "one@example.org", limits, 5, 10);
    assert_eq!(store.register_user(&taken).await.unwrap(), Outcome::Conflict(Conflict::AliasTaken));
    let new = registering("new", "one@example.org", limits, 5, 10);
    assert_eq!(store.register_user(&new).await.unwrap(), Outcome::Done(()), "a taken alias has cost no mail");
    for alias in ["newer", "ada"] {
        let limits = Limits { mails_per_network: an_hour(100), ..limits };
        let held_back = registering(alias, "two@example.org", limits, 5, 10);
        let Outcome::RateLimited(refusal) = store.register_user(&held_back).await.unwrap() else {
            panic!("it was let through");
        };
        assert_eq!((refusal.limit, refusal.until), (Limit::Throttle(ThrottleKind::SignUps), at(10 + HOUR / 2)));
        assert!(found(&*store, &held_back.sign_in).await.is_none());
    }
    let elsewhere = registering("newer", "two@example.org", limits, 6, 10);
    assert_eq!(store.register_user(&elsewhere).await.unwrap(), Outcome::Done(()));
}

pub async fn codes_for_addresses_and_key_pairs_are_limited_as_mails(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let (mails_per_address, mails_per_network, requests_per_network) = (an_hour(1), an_hour(2), an_hour(1));
    let limits = Limits { mails_per_address, mails_per_network, requests_per_network, ..plenty() };
    let restrained = || Some(restraint(limits, 1, at(10)));
    let held_back = Limit::Throttle(ThrottleKind::MailsToAddress);

    let seen = store.list_emails(ada.user_id).await.unwrap();
    let mut addition = email_addition(ada.user_id, &seen, "second@example.org", at(10));
    addition.restraint = restrained();
    assert_eq!(store.add_email(&addition).await.unwrap(), Outcome::Done(()));
    let seen = store.list_emails(ada.user_id).await.unwrap();
    let mut renewal = email_renewal(ada.user_id, &seen[1], at(10));
    renewal.restraint = restrained();
    assert_eq!(
        refusal_of(store.renew_email_code(&renewal).await.unwrap()).map(|refusal| refusal.limit),
        Some(held_back)
    );
    let still_living = right_guess(&addition.code, at(11));
    assert!(matches!(store.redeem_code(&still_living).await.unwrap(), auth_domain::Redeemed::Yes { .. }));

    let mut pair = key_pair(owner(&ada), "ada@example.org", at(10));
    pair.restraint = restrained();
    assert_eq!(store.create_key_pair(&pair).await.unwrap(), Outcome::Done(()));
    let mut another = key_pair(owner(&ada), "ada@example.org", at(10));
    another.restraint = restrained();
    let refusal = refusal_of(store.create_key_pair(&another).await.unwrap()).unwrap();
    assert_eq!((refusal.limit, refusal.owner), (held_back, Some(ada.user_id)));
    assert!(store.find_key_pair(&another.key_pair.digest).await.unwrap().is_none());

    let seen = store.list_emails(ada.user_id).await.unwrap();
    let mut late = email_addition(ada.user_id, &seen, "third@example.org", at(10));
    late.restraint = restrained();
    let refusal = refusal_of(store.add_email(&late).await.unwrap()).unwrap();
    assert_eq!(
        refusal.limit,
        Limit::Throttle(ThrottleKind::MailsFromNetwork),
        "two were mailed, and no request counted"
    );
    assert_eq!(store.list_emails(ada.user_id).await.unwrap(), seen);
}

pub async fn of_racing_requests_no_more_than_fit_are_let_through(subject: &impl Subject) {
    let store = subject.store();
    let limits = Limits { mails_per_network: an_hour(3), ..plenty() };
    let tasks: Vec<_> = (0..20)
        .map(|n| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { asks(&*store, &format!("nobody{n}@example.org"), limits, 5, 10).await })
        })
        .collect();
    let (mut let_through, mut told) = (0, 0);
    for task in tasks {
        match task.await.unwrap() {
            None => let_through += 1,
            Some(refusal) => told += u32::from(refusal.told),
        }
    }
    assert_eq!((let_through, told), (3, 1));
}

pub async fn of_racing_requests_about_one_address_no_more_than_fit_are_let_through(subject: &impl Subject) {
    let store = subject.store();
    account(&*store, "ada", "ada@example.org").await;
    let limits = Limits { mails_per_address: an_hour(3), ..plenty() };
    let tasks: Vec<_> = (0..20)
        .map(|n| {
            let (store, network) = (Arc::clone(&store), 10 + u8::try_from(n).unwrap());
            tokio::spawn(async move {
                let asked = asked("ada@example.org", limits, network, 10);
                refusal_of(store.open_session(&asked, &decoy_hash()).await.unwrap())
            })
        })
        .collect();
    let mut let_through = 0;
    for task in tasks {
        let_through += u32::from(task.await.unwrap().is_none());
    }
    assert_eq!(let_through, 3);
}

pub async fn a_clock_that_is_set_back_holds_nobody_back_until_it_gets_there_again(subject: &impl Subject) {
    let store = subject.store();
    let limits = Limits { mails_per_network: an_hour(2), ..plenty() };
    for _ in 0..2 {
        assert_eq!(asks(&*store, "nobody@example.org", limits, 5, 1000 * DAY).await, None);
    }
    let a_little = asks(&*store, "nobody@example.org", limits, 5, 1000 * DAY - 10).await.unwrap();
    assert_eq!(a_little.until, at(1000 * DAY + HOUR / 2), "a little is no way around it");
    for expected in [None, None, Some(at(10 + HOUR / 2))] {
        let refusal = asks(&*store, "nobody@example.org", limits, 5, 10).await;
        assert_eq!(refusal.map(|refusal| refusal.until), expected);
    }
}

pub async fn no_code_is_mailed_to_an_address_whose_guesses_are_used_up(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let limits = limits(2, 4);
    let nobody = sign_in("nobody@example.org", 5, at(1));
    assert_eq!(store.open_session(&nobody, &decoy_hash()).await.unwrap(), Outcome::Done(()));
    let hers = code(&*store, &ada, 5, 1).await;
    for code in [&hers.code, &nobody.code, &hers.code, &nobody.code] {
        assert_eq!(wrong(&*store, code, limits, 5, 1).await, "wrong");
    }
    for (to, whose) in [("ada@example.org", Some(owner(&ada))), ("nobody@example.org", None)] {
        let owner = whose.map(|owner| owner.user_id);
        let until_tomorrow = Refusal { limit: Limit::Guesses, until: at(DAY + 1), owner, told: true };
        let asked_today = asked(to, limits, 6, 10);
        assert_eq!(
            store.open_session(&asked_today, &decoy_hash()).await.unwrap(),
            Outcome::RateLimited(until_tomorrow)
        );
    }
    let at_home = asked("ada@example.org", limits, 1, 10);
    assert_eq!(store.open_session(&at_home, &decoy_hash()).await.unwrap(), Outcome::Done(()));
    for to in ["ada@example.org", "nobody@example.org"] {
        let tomorrow = asked(to, limits, 6, DAY + 1);
        assert_eq!(store.open_session(&tomorrow, &decoy_hash()).await.unwrap(), Outcome::Done(()));
        for _ in 0..2 {
            assert_eq!(wrong(&*store, &tomorrow.code, limits, 6, DAY + 1).await, "wrong");
        }
        let for_good = asked(to, limits, 6, 10 * DAY);
        let refusal = refusal_of(store.open_session(&for_good, &decoy_hash()).await.unwrap()).unwrap();
        assert_eq!((refusal.limit, refusal.until), (Limit::Guesses, at(11 * DAY)), "four in a row");
    }
}

pub async fn refused_requests_are_told_once_in_a_while(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let limits = Limits { mails_per_address: an_hour(1), ..plenty() };
    let mut told = Vec::new();
    for second in [10, 20, 30, HOUR + 10, HOUR + 20, HOUR + 30] {
        let asked = asked("ada@example.org", limits, 5, second);
        told.push(refusal_of(store.open_session(&asked, &decoy_hash()).await.unwrap()).map(|refusal| refusal.told));
    }
    assert_eq!(told, [None, Some(true), Some(false), None, Some(true), Some(false)]);
    let events = store.list_events(Some(ada.user_id), None, 100).await.unwrap();
    let throttled: Vec<_> = events.iter().filter(|event| event.kind == EventKind::Throttled).collect();
    assert_eq!(throttled.len(), 2);
    assert_eq!((throttled[1].at, throttled[1].outcome.as_str()), (at(20), "failure"));
    assert_eq!((throttled[1].detail.as_str(), throttled[1].ip), ("mails-to-address", Some(client(5).ip)));
}

pub async fn throttles_and_networks_are_purged_once_they_make_no_difference(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let code_of_hers = code(&*store, &ada, 2, 10).await.code;
    let guess = limited(right_guess(&code_of_hers, at(10)), plenty(), 2);
    assert!(matches!(store.redeem_code(&guess).await.unwrap(), auth_domain::Redeemed::Yes { .. }));
    let networks_until =
        |second| Purge { now: at(50 * DAY), events_until: at(0), networks_until: at(second), limit: 100 };
    while store.purge(&networks_until(0)).await.unwrap() > 1 {}
    assert_eq!(store.purge(&networks_until(9)).await.unwrap(), 0, "network 1 went with second 0");
    assert_eq!(store.purge(&networks_until(10)).await.unwrap(), 1, "and network 2 with second 10");

    let limits = Limits { mails_per_address: an_hour(1), mails_per_network: an_hour(2), ..plenty() };
    assert_eq!(asks(&*store, "nobody@example.org", limits, 5, 50 * DAY).await, None);
    let now = |now| Purge { now: at(now), events_until: at(0), networks_until: at(10), limit: 100 };
    assert_eq!(
        store.purge(&now(50 * DAY + 1800)).await.unwrap(),
        2,
        "what was full again: requests and mails from the network"
    );
    assert!(asks(&*store, "nobody@example.org", limits, 5, 50 * DAY + 1800).await.is_some());
    assert!(store.purge(&now(50 * DAY + HOUR)).await.unwrap() >= 1);
    assert_eq!(asks(&*store, "nobody@example.org", limits, 5, 50 * DAY + HOUR).await, None);
}
