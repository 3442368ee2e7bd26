//! The network to PostgreSQL is cut, and nobody closes a connection.

use std::{cell::RefCell, thread::sleep, time::Duration};

use serde_json::json;
use tokio::time::Instant;

use crate::{
    client::Request,
    crowd::Crowd,
    doors::{Asked, Counts},
    fleet::{BACK_WITHIN, Fleet},
    network::Network,
    random::Random,
    running::Reference,
};

/// Longer than any time limit on the way to the database.
const CUT_FOR: Duration = Duration::from_secs(4);

/// Two replicas, each with a network of its own between itself and the database.
fn start() -> (Fleet, Vec<Network>) {
    let networks = RefCell::new(Vec::new());
    let fleet = Fleet::start_through(&[], |_replica, cluster| {
        let network = Network::before(&cluster.address());
        let url = format!("postgres://postgres@{}/postgres", network.address);
        networks.borrow_mut().push(network);
        url
    });
    (fleet, networks.into_inner())
}

#[test]
fn a_replica_whose_network_swallows_everything_says_that_it_cannot_tell_and_comes_back_with_it() {
    let test = "network cut";
    let (mut random, reference) = (Random::for_test(test), Reference::start());
    let (fleet, networks) = start();
    let doors = &fleet.doors;
    let mut crowd = Crowd::new(12, &mut random);
    let mut latest = Duration::ZERO;
    crowd.goes_on(doors, |let_in| {
        // One is cut off while the other one goes on, revoking what the first one remembers; then both are.
        for cut_off in [&networks[..1], &networks[1..], &networks[..]] {
            let_in(5);
            sleep(Duration::from_secs(1));
            let before = doors.counted();
            cut_off.iter().for_each(Network::cut);
            sleep(CUT_FOR);
            let after = doors.counted();
            cut_off.iter().for_each(Network::mend);
            let mended = Instant::now();
            for (door, network) in networks.iter().enumerate() {
                let is_cut_off = cut_off.iter().any(|cut_off| std::ptr::eq(cut_off, network));
                let failures = |counts: &Counts| counts.unavailable + counts.unknown_checks;
                let has_failed = failures(&after[door]) > failures(&before[door]);
                assert_eq!(has_failed, is_cut_off, "replica {door}: {before:?} {after:?}");
            }
            sleep(reference.allows(BACK_WITHIN) + Duration::from_secs(3));
            let unavailable = doors.unavailable_after(mended);
            println!(
                "{test}: the last request that was answered 503 was sent {} ms after it was mended",
                unavailable.as_millis()
            );
            latest = latest.max(unavailable);
        }
    });
    doors.report(test);
    assert!(latest < reference.allows(BACK_WITHIN), "{latest:?}");
    assert!(doors.counted().iter().all(|counts| counts.unknown_checks > 0 && counts.unanswered == 0));
    crowd.has_what_was_acknowledged(doors, test);
    println!("{test}: {} mails came twice", doors.postbox.copied().len());
}

#[test]
fn a_network_that_was_cut_while_nobody_asked_costs_nobody_an_answer_once_it_is_mended() {
    let test = "network cut while idle";
    let (mut random, reference) = (Random::for_test(test), Reference::start());
    let (fleet, networks) = start();
    let doors = &fleet.doors;
    let mut crowd = Crowd::new(20, &mut random);
    for round in 0..2 {
        // So many at once that there are connections which are not needed afterwards.
        crowd.goes_on(doors, |let_in| {
            let_in(3);
            sleep(Duration::from_secs(1));
        });
        networks.iter().for_each(Network::cut);
        sleep(reference.allows(BACK_WITHIN));
        networks.iter().for_each(Network::mend);
        sleep(reference.allows(BACK_WITHIN));
        for door in 0..doors.count() {
            for number in 0..15 {
                let wish = json!({"email": format!("nobody{number}@example.org")});
                let answer = doors.ask(door, Asked::Act, &Request::new("POST", "/session").json(&wish));
                assert!(answer.is_some(), "{test}: round {round}, replica {door}, request {number}");
            }
        }
        crowd.has_what_was_acknowledged(doors, test);
        let unknown: usize = doors.counted().iter().map(|counts| counts.unknown_checks).sum();
        assert_eq!(unknown, 0, "{test}: round {round}");
    }
    doors.report(test);
}
