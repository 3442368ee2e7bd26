//! Every connection of the pool waits for a lock.

use std::{
    thread::{self, sleep},
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    crowd::Crowd,
    fleet::{Fleet, run},
    random::Random,
    running::Reference,
    trials::short_or_long,
};

/// How long the lock is held, in seconds.
const HELD_FOR: u64 = 4;
/// By when nothing is refused any more once it is let go.
const BACK_WITHIN: Duration = Duration::from_secs(1);

#[test]
fn while_every_connection_waits_for_a_lock_checks_are_answered_and_the_rest_is_told_to_come_back() {
    let test = "pool exhausted";
    let (mut random, reference) = (Random::for_test(test), Reference::start());
    // Nobody is refused for waiting half of a second behind others, which takes no lock where a machine is busy; everybody
    // who waits for all of the time that the lock is held is.
    let fleet = Fleet::start(&[("AUTH__DATABASE__POOL_SIZE", "2"), ("AUTH__DATABASE__POOL_WAIT", "2s")]);
    let (cluster, doors) = (&fleet.cluster, &fleet.doors);
    let mut crowd = Crowd::new(10, &mut random);
    crowd.goes_on(doors, |let_in| {
        for _ in 0..short_or_long([1, 3]) {
            let_in(3);
            sleep(Duration::from_secs(1));
            let before = doors.counted();
            // Nobody can be owed a mail, so nobody can sign up, sign in or get a key pair. Should somebody have locked one of
            // these and wait for another, it is them whom the server gives up, not this.
            let held = format!(
                "BEGIN; SET LOCAL deadlock_timeout = '1min'; LOCK TABLE outbox, sessions, key_pairs IN SHARE ROW EXCLUSIVE MODE; \
                 SELECT pg_sleep({HELD_FOR}); COMMIT"
            );
            let_in(3);
            thread::scope(|scope| {
                assert!(scope.spawn(|| run(cluster, &held)).join().unwrap());
            });
            let released = Instant::now();
            for (before, after) in before.iter().zip(doors.counted()) {
                assert!(after.unavailable > before.unavailable, "{before:?} {after:?}");
            }
            sleep(reference.allows(BACK_WITHIN) * 2);
            let unavailable = doors.unavailable_after(released);
            println!(
                "{test}: the last request that was answered 503 was sent {} ms after it was let go",
                unavailable.as_millis()
            );
            assert!(unavailable < reference.allows(BACK_WITHIN), "{unavailable:?}");
        }
    });
    doors.report(test);
    for (replica, counts) in fleet.replicas.iter().zip(doors.counted()) {
        assert_eq!((counts.unknown_checks, counts.unanswered), (0, 0), "checks have connections of their own");
        assert!(replica.running.log().contains("waiting for a slot"), "the pool was exhausted");
    }
    crowd.has_what_was_acknowledged(doors, test);
    assert!(doors.postbox.copied().is_empty());
}
