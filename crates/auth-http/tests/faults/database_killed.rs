//! PostgreSQL is killed and comes back.

use std::{
    thread::{self, sleep},
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    crowd::Crowd,
    fleet::{BACK_WITHIN, Fleet, run},
    random::Random,
    running::{Reference, within_patience},
    trials::short_or_long,
};

/// How often it is killed, and how often in trials that may take long.
const KILLS: [usize; 2] = [2, 6];

#[test]
fn a_database_that_is_killed_and_comes_back_signs_nobody_out_and_brings_nothing_back() {
    let test = "PostgreSQL killed";
    let (mut random, reference) = (Random::for_test(test), Reference::start());
    let fleet = Fleet::start(&[]);
    let (cluster, doors) = (&fleet.cluster, &fleet.doors);
    let mut crowd = Crowd::new(4, &mut random);
    let mut latest = Duration::ZERO;
    crowd.goes_on(doors, |let_in| {
        for kill in 0..short_or_long(KILLS) {
            let_in(4);
            sleep(Duration::from_millis(800));
            if kill % 2 == 0 {
                cluster.kill();
            } else {
                cluster.crash();
            }
            // What is remembered counts for a second after the database was last heard of; then nobody can tell.
            sleep(Duration::from_millis(1500));
            let accepting = thread::scope(|scope| {
                scope.spawn(|| cluster.resume());
                within_patience(|| run(cluster, "SELECT 1").then(Instant::now))
            });
            let granted: Vec<_> = doors.counted().iter().map(|counts| counts.granted).collect();
            sleep(reference.allows(BACK_WITHIN) + Duration::from_millis(500));
            for (door, before) in granted.iter().enumerate() {
                // It serves again.
                within_patience(|| (doors.counted()[door].granted > *before).then_some(()));
            }
            let unavailable = doors.unavailable_after(accepting);
            println!(
                "{test}: the last request that was answered 503 was sent {} ms after its return",
                unavailable.as_millis()
            );
            latest = latest.max(unavailable);
        }
    });
    doors.report(test);
    assert!(latest < reference.allows(BACK_WITHIN), "{latest:?}");
    for counts in doors.counted() {
        assert!(counts.unknown_checks > 0 && counts.unavailable > 0 && counts.unanswered == 0, "{counts:?}");
    }
    crowd.has_what_was_acknowledged(doors, test);
    println!("{test}: {} mails came twice", doors.postbox.copied().len());
}
