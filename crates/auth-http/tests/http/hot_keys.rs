//! Many who ask for the same, over and over, and people who ask for something else meanwhile.
#![expect(clippy::print_stdout, reason = "it says how long people waited: that is up to the machine, and not asserted")]

use std::{
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    thread,
    time::Duration,
};

use auth_testkit::postgres::{Cluster, execute};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::Instant;

use crate::process::{Running, read_code, within_patience};

const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const ATTACKERS: usize = 128;
/// Each of them asks as often: together they wait for each other, and leave the machine to others.
const PAUSE: Duration = Duration::from_millis(500);
const PEOPLE: usize = 16;

/// What is asked for, again and again, on all connections at once.
#[derive(Debug, Clone, Copy)]
enum Attack {
    /// A code of one's own that has ended, with one's own bearer.
    OwnCode,
    /// The same code, without a bearer.
    Code,
    /// That one session lives longer.
    Extend,
}

/// How people who sign in are answered: whether any was turned away, and how long the one in the middle took.
fn signing_in(service: &Running, name: &str) -> (Vec<u16>, Duration) {
    let mut statuses = Vec::new();
    let mut times: Vec<_> = (0..PEOPLE)
        .map(|number| {
            let begun = Instant::now();
            let body = json!({"email": format!("{name}{number}@example.org")});
            statuses.push(service.call("POST", "/session", None, Some(&body)).0);
            begun.elapsed()
        })
        .collect();
    times.sort_unstable();
    statuses.retain(|status| *status != 202);
    (statuses, times[PEOPLE / 2])
}

fn attack(service: &Running, attack: Attack, session: &Value) -> u16 {
    let bearer = session["bearer"].as_str();
    let guess = json!({"verificationCodeID": session["verificationCodeID"], "code": "000000"});
    match attack {
        Attack::OwnCode => service.call("PUT", "/session/verification", bearer, Some(&guess)).0,
        Attack::Code => service.call("PUT", "/session/verification", None, Some(&guess)).0,
        Attack::Extend => service.call("PUT", "/session/extend", bearer, None).0,
    }
}

/// Whether at most one of the service's connections waits for a lock, on the database of `cluster`. Of those who ask for the same, nobody
/// does: they wait for each other before they take a connection. A job may have to wait for a row.
fn few_wait_for_locks(cluster: &Cluster) -> bool {
    let counted =
        "DO $$ BEGIN ASSERT (SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock') <= 1; END $$";
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(execute(&cluster.url("postgres"), counted)).is_ok()
}

fn nobody_is_turned_away(place: &str, service: &Running, folder: &TempDir, is_free: impl Fn() -> bool) {
    let session = service.sign_up("eve");
    assert_eq!(service.verify(&session, &read_code(folder.path(), "eve")), 202);
    for kind in [Attack::OwnCode, Attack::Code, Attack::Extend] {
        let (turned_away, alone) = signing_in(service, "before");
        assert!(turned_away.is_empty(), "{turned_away:?}");
        let (is_over, asked) = (AtomicBool::new(false), AtomicU32::new(0));
        thread::scope(|scope| {
            for _ in 0..ATTACKERS {
                scope.spawn(|| {
                    while !is_over.load(Ordering::SeqCst) {
                        let status = attack(service, kind, &session);
                        assert!(matches!(status, 202 | 401 | 503), "{status}");
                        asked.fetch_add(1, Ordering::SeqCst);
                        thread::sleep(PAUSE);
                    }
                });
            }
            within_patience(|| (asked.load(Ordering::SeqCst) > 200).then_some(()));
            let stays_free = (0..20).all(|_| is_free());
            let (turned_away, beside) = signing_in(service, "beside");
            is_over.store(true, Ordering::SeqCst);
            let asked = asked.load(Ordering::SeqCst);
            println!("{place}, {kind:?}: a sign-in takes {alone:.0?} alone, {beside:.0?} beside {asked} requests");
            assert!(turned_away.is_empty(), "{kind:?}: {turned_away:?}");
            assert!(stays_free, "{kind:?}: connections wait for locks");
        });
    }
}

#[test]
fn many_who_ask_for_the_same_turn_nobody_else_away_on_postgres() {
    let (cluster, folder) = (Cluster::start(), TempDir::new().unwrap());
    let url = cluster.url("postgres");
    let service = Running::start_with(folder.path(), &[("AUTH__DATABASE__URL", &url), ("AUTH__SECRETS__KEY", KEY)]);
    within_patience(|| (service.status("/readyz") == 200).then_some(()));
    nobody_is_turned_away("PostgreSQL", &service, &folder, || few_wait_for_locks(&cluster));
}

#[test]
fn many_who_ask_for_the_same_turn_nobody_else_away_on_sqlite() {
    let folder = TempDir::new().unwrap();
    let service = Running::start(folder.path());
    nobody_is_turned_away("SQLite", &service, &folder, || true);
}
