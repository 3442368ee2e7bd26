//! What is revoked in one process is refused by every other within a second, whatever fails.

use std::{
    thread,
    time::{Duration, Instant},
};

use auth_testkit::postgres::{Cluster, execute};
use serde_json::Value;
use tempfile::TempDir;

use crate::process::{Running, command, read_code, within_patience};

/// How long a revocation may take to be heard of.
const WITHIN: Duration = Duration::from_secs(1);
/// How much longer it is asked.
const GRACE: Duration = Duration::from_millis(300);

const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "a bound on time is what is tested")]
    Instant::now()
}

struct Fleet {
    cluster: Cluster,
    folder: TempDir,
    replicas: [Running; 2],
}

impl Fleet {
    fn start() -> Self {
        let (cluster, folder) = (Cluster::start(), TempDir::new().unwrap());
        let replica = || {
            let url = cluster.url("postgres");
            let settings = [("AUTH__DATABASE__URL", url.as_str()), ("AUTH__SECRETS__KEY", KEY)];
            let replica = Running::start_with(folder.path(), &settings);
            within_patience(|| (replica.status("/readyz") == 200).then_some(()));
            replica
        };
        let replicas = [replica(), replica()];
        Self { cluster, folder, replicas }
    }

    /// A session that was signed in at the first replica and that the second one remembers.
    fn remembered(&self, alias: &str) -> Value {
        let session = self.replicas[0].sign_up(alias);
        assert_eq!(self.replicas[0].verify(&session, &read_code(self.folder.path(), alias)), 202);
        for _ in 0..3 {
            assert_eq!(self.replicas[1].check(&session), 200);
            thread::sleep(Duration::from_millis(50));
        }
        session
    }

    /// Closes it at the first replica; returns when that was acknowledged.
    fn revoke(&self, session: &Value) -> Instant {
        let path = format!("/session/{}", session["sessionID"].as_str().unwrap());
        let (status, body) = self.replicas[0].call("DELETE", &path, session["bearer"].as_str(), None);
        assert_eq!(status, 202, "{body}");
        let revoked = now();
        assert_eq!(self.replicas[0].check(session), 401, "at once where it was revoked");
        revoked
    }

    /// Fails if the second replica accepts the session in a request that is begun later than a second after its revocation.
    fn refuses_in_time(&self, session: &Value, revoked: Instant) {
        loop {
            let asked = revoked.elapsed();
            let status = self.replicas[1].check(session);
            assert!(status != 200 || asked < WITHIN, "accepted {asked:?} after it was revoked");
            if asked > WITHIN + GRACE {
                assert!(status == 401 || status == 503, "{status}");
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn sql(&self, statement: &str) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(execute(&self.cluster.url("postgres"), statement)).unwrap();
    }
}

/// Ends the connections on which replicas listen, and those that they make instead, for a while.
const CUT: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() \
                   AND (query ILIKE '%LISTEN%' OR query ILIKE '%pg_notify%')";

#[test]
fn a_replica_refuses_what_another_one_has_revoked() {
    let fleet = Fleet::start();
    for n in 0..5 {
        let session = fleet.remembered(&format!("user{n}"));
        let revoked = fleet.revoke(&session);
        fleet.refuses_in_time(&session, revoked);
    }
}

#[test]
fn a_replica_whose_listening_connection_is_cut_refuses_it_all_the_same() {
    let fleet = Fleet::start();
    for n in 0..3 {
        let session = fleet.remembered(&format!("user{n}"));
        fleet.sql(CUT);
        let revoked = fleet.revoke(&session);
        fleet.sql(CUT);
        fleet.refuses_in_time(&session, revoked);
        within_patience(|| (fleet.replicas[1].status("/readyz") == 200).then_some(()));
    }
}

#[test]
fn a_replica_that_was_stopped_meanwhile_does_not_believe_what_it_remembers() {
    let fleet = Fleet::start();
    let session = fleet.remembered("ada");
    fleet.replicas[1].signal("STOP");
    let revoked = fleet.revoke(&session);
    thread::sleep(WITHIN + GRACE);
    fleet.replicas[1].signal("CONT");
    fleet.refuses_in_time(&session, revoked);
}

#[test]
fn a_database_that_is_restarted_brings_nothing_back() {
    let fleet = Fleet::start();
    let (revoked_before, kept) = (fleet.remembered("ada"), fleet.remembered("bob"));
    let revoked = fleet.revoke(&revoked_before);
    fleet.cluster.kill();
    fleet.refuses_in_time(&revoked_before, revoked);
    fleet.cluster.resume();
    for replica in &fleet.replicas {
        within_patience(|| match replica.check(&kept) {
            200 => Some(()),
            503 => None,
            other => panic!("{other}"),
        });
        within_patience(|| match replica.check(&revoked_before) {
            401 => Some(()),
            503 => None,
            other => panic!("{other}"),
        });
    }
    let revoked = fleet.revoke(&kept);
    fleet.refuses_in_time(&kept, revoked);
}

#[test]
fn what_the_command_line_does_to_an_embedded_database_is_heard_by_the_service_that_remembers() {
    let folder = TempDir::new().unwrap();
    let service = Running::start(folder.path());
    let session = service.sign_up("ada");
    assert_eq!(service.verify(&session, &read_code(folder.path(), "ada")), 202);
    for _ in 0..3 {
        assert_eq!(service.check(&session), 200);
        thread::sleep(Duration::from_millis(150));
    }
    let disabled = command(folder.path()).args(["admin", "disable", "ada@example.org"]).output().unwrap();
    assert!(disabled.status.success(), "{}", String::from_utf8_lossy(&disabled.stderr));
    let revoked = now();
    loop {
        let asked = revoked.elapsed();
        if service.check(&session) == 401 {
            break;
        }
        assert!(asked < WITHIN, "accepted {asked:?} after it was revoked");
        thread::sleep(Duration::from_millis(20));
    }
}
