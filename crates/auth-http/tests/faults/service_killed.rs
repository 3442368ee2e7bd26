//! The service is killed at random moments.

use std::{thread::sleep, time::Duration};

use auth_testkit::{
    postgres::Cluster,
    smtp::{Step, Whim},
};
use diesel::{Connection, QueryableByName, RunQueryDsl, SqliteConnection, sql_query, sql_types::BigInt};
use tempfile::TempDir;
use uuid::Uuid;

use crate::{
    crowd::Crowd,
    doors::Doors,
    fleet::{Fleet, Replica, run},
    postbox::{Copied, Postbox},
    random::Random,
    trials::short_or_long,
};

/// How often it is killed, and how often in trials that may take long.
const KILLS: [usize; 2] = [6, 20];

/// Kills some of the replicas and starts them again, time after time. Returns how many mails had been taken after each time.
fn kill_time_after_time(
    replicas: &mut [Replica],
    doors: &Doors,
    random: &mut Random,
    let_in: &dyn Fn(usize),
) -> Vec<usize> {
    // As real ones do, the mail server takes a moment between taking a mail and saying so.
    doors.postbox.server.always(Step::Message, Whim::Delay(Duration::from_millis(30)));
    let mut kill = |_| {
        let_in(3);
        sleep(Duration::from_millis(20 + u64::try_from(random.below(500)).unwrap()));
        let victim = random.below(replicas.len());
        let all = random.happens(25);
        let mut victims: Vec<_> = replicas
            .iter_mut()
            .enumerate()
            .filter_map(|(number, replica)| (all || number == victim).then_some(replica))
            .collect();
        for replica in &mut victims {
            replica.kill();
        }
        for replica in victims {
            replica.resume();
        }
        doors.postbox.count()
    };
    (0..short_or_long(KILLS)).map(&mut kill).collect()
}

/// Fails unless each mail that came twice was delivered by somebody who was killed before they had stored that: the copies are
/// one mail by their Message-ID, a kill lies between them, and of so many attempts it is not stored how they ended.
fn only_kills_made_copies(test: &str, copied: &[Copied], killed_after: &[usize], unsettled: impl Fn(Uuid) -> usize) {
    for Copied { mail_id, taken } in copied {
        for pair in taken.windows(2) {
            assert!(killed_after.iter().any(|count| pair[0] < *count && *count <= pair[1]), "{mail_id}: {taken:?}");
        }
        assert!(unsettled(*mail_id) >= taken.len() - 1, "{mail_id}: {taken:?}");
    }
    println!("{test}: {} mails came twice, with a kill between delivery and commit", copied.len());
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    unsettled: i64,
}

#[test]
fn a_service_on_an_embedded_database_that_is_killed_loses_nothing_that_it_acknowledged() {
    let test = "SQLite, killed";
    let mut random = Random::for_test(test);
    let (folder, postbox) = (TempDir::new().unwrap(), Postbox::start());
    let mut replicas = [Replica::start(folder.path().to_owned(), &postbox, &[])];
    let doors = Doors::at(vec![replicas[0].running.address], postbox);
    let mut crowd = Crowd::new(4, &mut random);
    let killed_after = crowd.goes_on(&doors, |let_in| kill_time_after_time(&mut replicas, &doors, &mut random, let_in));
    doors.report(test);
    crowd.has_what_was_acknowledged(&doors, test);

    let file = folder.path().join("data/auth.db");
    only_kills_made_copies(test, &doors.postbox.copied(), &killed_after, |mail| {
        let query = format!(
            "SELECT attempts - (SELECT count(*) FROM mail_attempts WHERE mail_id = outbox.id) AS unsettled \
             FROM outbox WHERE id = x'{}'",
            mail.simple()
        );
        let mut database = SqliteConnection::establish(file.to_str().unwrap()).unwrap();
        let counted: Count = sql_query(query).get_result(&mut database).unwrap();
        counted.unsettled.try_into().unwrap()
    });
}

#[test]
fn replicas_on_one_database_that_are_killed_lose_nothing_that_they_acknowledged() {
    let test = "PostgreSQL, replicas killed";
    let mut random = Random::for_test(test);
    let mut fleet = Fleet::start(&[]);
    let (replicas, doors) = (&mut fleet.replicas, &fleet.doors);
    let mut crowd = Crowd::new(4, &mut random);
    let killed_after = crowd.goes_on(doors, |let_in| kill_time_after_time(replicas, doors, &mut random, let_in));
    doors.report(test);
    crowd.has_what_was_acknowledged(doors, test);
    only_kills_made_copies(test, &doors.postbox.copied(), &killed_after, |mail| unsettled(&fleet.cluster, mail));
}

/// Of how many attempts at a mail it is not stored how they ended.
fn unsettled(cluster: &Cluster, mail: Uuid) -> usize {
    let is = |count: &usize| {
        let condition = format!(
            "SELECT attempts - (SELECT count(*) FROM mail_attempts WHERE mail_id = outbox.id) = {count} \
             FROM outbox WHERE id = '{mail}'"
        );
        run(cluster, &format!("DO $$ BEGIN ASSERT ({condition}); END $$"))
    };
    (0..=short_or_long(KILLS)).find(is).expect("no more attempts than kills are left without an end")
}
