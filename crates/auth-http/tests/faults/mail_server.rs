//! The mail server is away, refuses, hangs, and breaks off when it has taken a mail.

use std::{thread::sleep, time::Duration};

use auth_testkit::smtp::{Step, Whim};

use crate::{
    crowd::Crowd,
    fleet::{Fleet, run},
    random::Random,
    running::within_patience,
};

/// How many times it breaks off.
const BREAKS: usize = 10;

#[test]
fn a_mail_server_that_misbehaves_costs_nobody_an_answer_or_a_mail() {
    let test = "mail server";
    let mut random = Random::for_test(test);
    let mut fleet = Fleet::start(&[]);
    let mut crowd = Crowd::new(4, &mut random);
    for fault in ["away", "refusing", "hanging", "breaking off"] {
        let server = &mut fleet.doors.postbox.server;
        match fault {
            "away" => server.stop(),
            "refusing" => server.always(Step::Recipient, Whim::reply("451 4.3.0 not now")),
            "hanging" => server.always(Step::Message, Whim::Hang),
            _ => (0..BREAKS).for_each(|_| server.once(Step::Message, Whim::Drop)),
        }
        crowd.goes_on(&fleet.doors, |let_in| {
            let_in(5);
            sleep(Duration::from_secs(3));
        });
        let server = &mut fleet.doors.postbox.server;
        if fault == "away" {
            server.resume();
        }
        if fault != "breaking off" {
            server.behave();
        }
        println!("{test}: {fault} for 3 s");
    }
    let doors = &fleet.doors;
    doors.report(test);
    for counts in doors.counted() {
        assert_eq!((counts.unknown_checks, counts.unavailable, counts.unanswered), (0, 0, 0), "nobody has noticed");
    }
    crowd.has_what_was_acknowledged(doors, test);
    let is = |condition: &str| run(&fleet.cluster, &format!("DO $$ BEGIN ASSERT ({condition}); END $$"));
    within_patience(|| is("NOT EXISTS (SELECT FROM outbox WHERE settled_at IS NULL)").then_some(()));
    // A mail on which it broke off was taken, and nobody but the server can know: it comes again, as the same mail, unless
    // its code has been used by then.
    let copies: usize = doors.postbox.copied().iter().map(|copied| copied.taken.len() - 1).sum();
    let used =
        (0..=BREAKS).find(|count| is(&format!("SELECT count(*) = {count} FROM outbox WHERE outcome = 'abandoned'")));
    assert_eq!(used.map(|used| copies + used), Some(BREAKS), "{copies} came again");
    println!("{test}: of {BREAKS} mails on which it had broken off {copies} came again; no other one did");
}
