//! The binary on a PostgreSQL server that comes and goes.

use std::{path::Path, process::Stdio, time::Duration};

use auth_testkit::postgres::{Cluster, execute};
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::Instant;

use crate::process::{Reference, Running, command, read_code, within_patience};

/// How long the service takes to answer while the server is away, at most.
const ANSWERED_WITHIN: Duration = Duration::from_secs(3);
/// How long it takes to serve again once the server is back, at most.
const BACK_WITHIN: Duration = Duration::from_secs(2);

const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

fn start(folder: &Path, url: &str) -> Running {
    Running::start_with(folder, &[("AUTH__DATABASE__URL", url), ("AUTH__SECRETS__KEY", KEY)])
}

fn signed_in(service: &Running, folder: &Path, alias: &str) -> Value {
    let session = service.sign_up(alias);
    let code = read_code(folder, alias);
    assert_eq!(service.verify(&session, &code), 202);
    session
}

fn timed<T>(action: impl FnOnce() -> T) -> (T, Duration) {
    let begun = Instant::now();
    (action(), begun.elapsed())
}

#[test]
fn a_server_that_is_away_at_the_start_is_waited_for() {
    let (cluster, folder) = (Cluster::start(), TempDir::new().unwrap());
    cluster.kill();
    let (service, reference) = (start(folder.path(), &cluster.url("postgres")), Reference::start());
    assert_eq!((service.status("/healthz"), service.status("/readyz")), (200, 503));
    let (status, took) =
        timed(|| service.call("POST", "/session", None, Some(&serde_json::json!({"email": "a@b.org"}))).0);
    assert!(status == 503 && took < reference.allows(ANSWERED_WITHIN), "{status} after {took:?}");
    let address = service.address.to_string();
    let asked = command(folder.path()).arg("health").env("AUTH__HTTP__BIND", &address).output().unwrap();
    let complaint = String::from_utf8(asked.stderr).unwrap();
    assert!(!asked.status.success() && complaint == "auth-http: not ready: the store is not ready\n", "{complaint}");
    let complaint = "the database is out of reach: not ready until it is there";
    let log = within_patience(|| Some(service.log()).filter(|log| log.contains(complaint)));
    assert_eq!(log.matches(complaint).count(), 1, "{log}");

    cluster.resume();
    let ((), took) = timed(|| within_patience(|| (service.status("/readyz") == 200).then_some(())));
    assert!(took < reference.allows(BACK_WITHIN), "{took:?}");
    let session = signed_in(&service, folder.path(), "ada");
    assert_eq!(service.check(&session), 200);
}

#[test]
fn a_server_that_is_killed_makes_answers_503_and_none_401_until_it_is_back() {
    let (cluster, folder) = (Cluster::start(), TempDir::new().unwrap());
    let (service, reference) = (start(folder.path(), &cluster.url("postgres")), Reference::start());
    within_patience(|| (service.status("/readyz") == 200).then_some(()));
    let session = signed_in(&service, folder.path(), "ada");
    for _ in 0..2 {
        cluster.kill();
        // What is remembered counts for a second after the database was last heard of.
        within_patience(|| match service.check(&session) {
            200 => None,
            503 => Some(()),
            other => panic!("{other}"),
        });
        for _ in 0..5 {
            let (status, took) = timed(|| service.check(&session));
            assert!(status == 503 && took < reference.allows(ANSWERED_WITHIN), "{status} after {took:?}");
        }
        assert_eq!((service.status("/healthz"), service.status("/readyz")), (200, 503));
        cluster.resume();
        let ((), took) = timed(|| {
            within_patience(|| match service.check(&session) {
                200 => Some(()),
                503 => None,
                other => panic!("{other}"),
            });
        });
        assert!(took < reference.allows(BACK_WITHIN), "{took:?}");
    }
    signed_in(&service, folder.path(), "bob");
}

#[test]
fn replicas_that_start_together_on_an_empty_database_share_it() {
    let (cluster, folder) = (Cluster::start(), TempDir::new().unwrap());
    let url = cluster.url("postgres");
    let replicas: Vec<Running> = std::thread::scope(|scope| {
        let starting: Vec<_> = (0..3).map(|_| scope.spawn(|| start(folder.path(), &url))).collect();
        starting.into_iter().map(|replica| replica.join().unwrap()).collect()
    });
    for replica in &replicas {
        within_patience(|| (replica.status("/readyz") == 200).then_some(()));
    }
    let session = replicas[0].sign_up("ada");
    let code = read_code(folder.path(), "ada");
    assert_eq!(replicas[1].verify(&session, &code), 202);
    assert_eq!(replicas[2].check(&session), 200);
    let migrated = replicas.iter().map(|replica| replica.log().matches("migration applied").count()).sum::<usize>();
    assert_eq!(
        migrated,
        std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations/postgres")).unwrap().count()
    );
}

#[test]
fn what_is_wrong_with_the_server_is_one_clear_line() {
    let cluster = Cluster::start_with(|folder| {
        let file = folder.join("pg_hba.conf");
        std::fs::write(&file, "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n").unwrap();
        format!("hba_file = '{}'", file.display())
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for statement in ["ALTER ROLE postgres PASSWORD 'right'", "CREATE DATABASE other"] {
        runtime.block_on(execute(&cluster.url("postgres"), statement)).unwrap();
    }

    let folder = TempDir::new().unwrap();
    let migrate = |url: &str, key: &str| {
        let mut migrating = command(folder.path());
        migrating.arg("migrate").env("AUTH__DATABASE__URL", url).env("AUTH__SECRETS__KEY", key);
        let output = migrating.stdout(Stdio::piped()).output().unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    let address = cluster.address();
    for (url, expected) in [
        (format!("postgres://postgres:wrong@{address}/other"), "password authentication failed"),
        (format!("postgres://postgres:right@{address}/nowhere"), "database \"nowhere\" does not exist"),
        (format!("postgres://postgres:right@{address}/other?sslmode=require"), "server does not support TLS"),
        (format!("postgres://postgres:right@{address}/other?sslmode=verify-ca"), "unknown sslmode"),
        (format!("postgres://postgres:right@{address}/other?sslmode=verify-full&sslrootcert=/no.pem"), "/no.pem"),
        ("postgres://postgres:right@127.0.0.1:1/other".to_owned(), "Connection refused"),
    ] {
        let (succeeded, line, _) = migrate(&url, KEY);
        let last = line.lines().last().unwrap_or_default();
        assert!(!succeeded && last.starts_with("auth-http: ") && last.contains(expected), "{url}: {line}");
        assert!(!line.contains("right") && !line.contains("wrong"), "{line}");
    }
    let (succeeded, _, told) = migrate(&format!("postgres://postgres:right@{address}/other"), KEY);
    assert!(succeeded && told.starts_with("applied "), "{told}");

    let mut serving = command(folder.path());
    serving.env("AUTH__DATABASE__URL", cluster.url("postgres"));
    let output = serving.stderr(Stdio::piped()).output().unwrap();
    let line = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && line.contains("PostgreSQL needs a server key"), "{line}");
}
