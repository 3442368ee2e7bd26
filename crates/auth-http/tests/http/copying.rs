//! The binary moves an installation from its file to a server.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Output, Stdio},
    thread,
    time::Duration,
};

use auth_testkit::postgres::{Cluster, execute};
use diesel::{Connection, SqliteConnection, connection::SimpleConnection};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{Running, command, read_code, within_patience};

const TABLES: [&str; 7] = ["users", "emails", "sessions", "key_pairs", "codes", "outbox", "mail_attempts"];

/// The command, with the target where others on the machine do not see it.
fn copy(folder: &Path, to: &str) -> Command {
    let mut copying = command(folder);
    copying.args(["copy", "--from", "sqlite:data/auth.db"]).env("AUTH_COPY_TO", to).env("AUTH__LOG__FILTER", "off");
    copying
}

fn told(output: Output) -> (bool, String, String) {
    let text = |octets| String::from_utf8(octets).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

fn succeeds(mut copying: Command) -> String {
    let (succeeded, out, err) = told(copying.output().unwrap());
    assert!(succeeded && err.is_empty(), "{out}{err}");
    assert!(out.contains("\ncompared, nothing differs\n"), "{out}");
    out
}

fn fails(mut copying: Command) -> String {
    let (succeeded, out, err) = told(copying.output().unwrap());
    assert!(!succeeded && out.is_empty(), "{out}{err}");
    assert!(err.starts_with("auth-http: ") && err.lines().count() == 1, "one clear line: {err}");
    assert!(!err.contains("hunter2"), "{err}");
    err
}

fn run(url: &str, statements: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(execute(url, statements)).unwrap_or_else(|error| panic!("{statements}: {error:?}"));
}

/// Creates a database on `cluster` in which nothing is yet, and returns its URL.
fn database(cluster: &Cluster, name: &str) -> String {
    run(&cluster.url("postgres"), &format!("CREATE DATABASE {name}"));
    cluster.url(name)
}

fn holds(url: &str, condition: &str) {
    run(url, &format!("DO $$ BEGIN ASSERT ({condition}); END $$"));
}

/// Fails unless the database has the layout, and nothing in it.
fn is_empty(url: &str) {
    for table in TABLES {
        holds(url, &format!("SELECT count(*) = 0 FROM {table}"));
    }
}

fn damage(folder: &Path, statements: &str) {
    let mut database = SqliteConnection::establish(folder.join("data/auth.db").to_str().unwrap()).unwrap();
    database.batch_execute(statements).unwrap();
}

/// An installation in which Ada has signed in, and the session. It is not running.
fn installation() -> (TempDir, Value) {
    let folder = TempDir::new().unwrap();
    let mut service = Running::start(folder.path());
    let session = service.sign_up("ada");
    let code = read_code(folder.path(), "ada");
    assert_eq!(service.verify(&session, &code), 202);
    service.signal("TERM");
    assert!(service.wait().success());
    (folder, session)
}

/// Gives Ada `count` more sessions.
fn with_sessions(folder: &Path, count: u32) {
    let more = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
         INSERT INTO sessions SELECT randomblob(16), user_id, randomblob(32), key_id, kind, verified_at, created_at,
             expires_at, last_used_at, ip, user_agent FROM n, (SELECT * FROM sessions LIMIT 1)"
    );
    damage(folder, &more);
}

fn keys_of(folder: &Path) -> String {
    fs::read_to_string(folder.join("data/auth.db.key")).unwrap()
}

fn start_on(folder: &Path, url: &str) -> Running {
    let keys = keys_of(folder);
    let service = Running::start_with(folder, &[("AUTH__DATABASE__URL", url), ("AUTH__SECRETS__KEY", keys.trim())]);
    within_patience(|| (service.status("/readyz") == 200).then_some(()));
    service
}

fn status_of_key_pair(service: &Running, pair: &Value) -> u16 {
    let (key, secret) = (pair["apiKey"].as_str().unwrap(), pair["apiSecret"].as_str().unwrap());
    let request = format!(
        "GET /api/auth/v2/keypair HTTP/1.1\r\nHost: x\r\nConnection: close\r\napi-key: {key}\r\napi-secret: {secret}\r\n\r\n"
    );
    service.exchange(request.as_bytes())[9..12].parse().unwrap()
}

#[test]
fn an_installation_moves_with_everything_that_its_users_have_and_are_owed() {
    let (cluster, folder) = (Cluster::start(), TempDir::new().unwrap());
    let path = folder.path();
    let mut service = Running::start(path);
    let session = service.sign_up("ada");
    let first_code = read_code(path, "ada");
    assert_eq!(service.verify(&session, &first_code), 202);
    let bearer = session["bearer"].as_str();
    let (status, pair) = service.call("POST", "/keypair", bearer, Some(&json!({"name": "nightly", "days": 7})));
    assert_eq!(status, 202, "{pair}");
    let code = within_patience(|| Some(read_code(path, "ada")).filter(|code| *code != first_code));
    let proof = json!({"verificationCodeID": pair["verificationCodeID"], "code": code});
    assert_eq!(service.call("PUT", "/keypair/verification", bearer, Some(&proof)).0, 202);
    let (status, second) = service.call("POST", "/email", bearer, Some(&json!({"address": "second@example.org"})));
    assert_eq!(status, 202, "{second}");
    let code_for_second = read_code(path, "second");
    let pending = service.sign_up("bob");
    let code_for_bob = read_code(path, "bob");
    // From now on no mail can be written.
    let (outbox, away) = (path.join("data/outbox"), path.join("data/away"));
    fs::rename(&outbox, &away).unwrap();
    fs::write(&outbox, "not a folder").unwrap();
    let unmailed = service.sign_up("eve");
    service.signal("TERM");
    assert!(service.wait().success());
    fs::remove_file(&outbox).unwrap();
    fs::rename(&away, &outbox).unwrap();

    let url = database(&cluster, "moved");
    let out = succeeds(copy(path, &url));
    let mut lines = out.lines();
    for (table, count) in [("users", 3), ("emails", 4), ("sessions", 3), ("key_pairs", 1), ("codes", 5)] {
        assert_eq!(lines.next(), Some(format!("{table}: {count}").as_str()), "{out}");
    }
    assert_eq!(
        lines.last(),
        Some("set AUTH__SECRETS__KEY to the content of data/auth.db.key: everything hangs on it"),
        "{out}"
    );
    assert!(!out.contains(keys_of(path).trim()));

    let service = start_on(path, &url);
    assert_eq!(service.check(&session), 200);
    assert_eq!(status_of_key_pair(&service, &pair), 200);
    assert_eq!(service.check(&pending), 401);
    assert_eq!(service.verify(&pending, &code_for_bob), 202);
    assert_eq!(service.check(&pending), 200);
    let proof = json!({"verificationCodeID": second["verificationCodeID"], "code": code_for_second});
    assert_eq!(service.call("PUT", "/email/verification", bearer, Some(&proof)).0, 202);
    let code_for_eve = read_code(path, "eve");
    assert_eq!(service.verify(&unmailed, &code_for_eve), 202);
}

#[test]
fn a_copy_that_cannot_be_right_is_refused_in_one_line() {
    let cluster = Cluster::start();
    let (folder, _) = installation();
    let path = folder.path();
    let url = database(&cluster, "target");
    let from = |from: &str, to: &str| {
        let mut copying = command(path);
        copying.args(["copy", "--from", from, "--to", to]).env("AUTH__LOG__FILTER", "off");
        copying
    };
    let (file, server) = ("sqlite:data/auth.db", "postgres://auth:hunter2@127.0.0.1:1/auth");
    for (copying, expected) in [
        (from(file, "sqlite:data/other.db"), "a copy goes from sqlite:PATH to postgres://…, and no other way"),
        (from(server, server), "a copy goes from sqlite:PATH to postgres://…, and no other way"),
        (from(server, file), "a copy goes from sqlite:PATH to postgres://…, and no other way"),
        (from("mysql://root:hunter2@db/auth", server), "--from: unknown scheme \"mysql\""),
        (from(file, "postgres://auth:hunter2@db/auth?sslmode=maybe"), "--to: unknown sslmode"),
        (from("sqlite:data/nowhere.db", &url), "nowhere.db: cannot be opened"),
        (from(file, server), "database 127.0.0.1:1/auth: the database cannot be connected to"),
    ] {
        let line = fails(copying);
        assert!(line.contains(expected), "{expected}: {line}");
    }
    assert!(!path.join("data/nowhere.db").exists() && !path.join("data/nowhere.db.key").exists());

    let mut with_another_key = copy(path, &url);
    with_another_key.env("AUTH__SECRETS__KEY", "11".repeat(32));
    let line = fails(with_another_key);
    assert!(line.contains("nothing was copied: server key ") && line.contains(" is missing: "), "{line}");
    is_empty(&url);

    let mut with_both_keys = copy(path, &url);
    with_both_keys.env("AUTH__SECRETS__KEY", format!("{},{}", "11".repeat(32), keys_of(path).trim()));
    assert!(succeeds(with_both_keys).ends_with("compared, nothing differs\n"), "nothing is left to set");
    let line = fails(copy(path, &url));
    assert!(
        line.contains("nothing was copied: the target is not empty: there are records in its table users"),
        "{line}"
    );

    fs::remove_file(path.join("data/auth.db.key")).unwrap();
    let line = fails(copy(path, &database(&cluster, "keyless")));
    assert!(line.contains("data/auth.db.key does not: restore it, or set AUTH__SECRETS__KEY"), "{line}");
}

#[test]
fn a_row_that_does_not_make_sense_stops_the_copy_and_is_named() {
    let cluster = Cluster::start();
    let (folder, _) = installation();
    let url = database(&cluster, "target");
    damage(folder.path(), "UPDATE codes SET purpose = 'sign-out', session_id = NULL");
    let line = fails(copy(folder.path(), &url));
    assert!(line.contains("the source cannot be read: corrupt row in codes, id "), "{line}");
    is_empty(&url);
}

#[test]
fn a_copy_that_is_killed_leaves_nothing_and_the_next_one_succeeds() {
    let cluster = Cluster::start();
    let (folder, session) = installation();
    with_sessions(folder.path(), 100_000);
    let mut url = String::new();
    // Begun to write, in the middle of it, at its end, while it is compared.
    for (number, (line, millis)) in [
        ("\"copied\",\"table\":\"emails\"", 20),
        ("\"copied\",\"table\":\"emails\"", 400),
        ("\"copying\"", 0),
        ("differs\",\"table\":\"emails\"", 20),
    ]
    .into_iter()
    .enumerate()
    {
        // A machine that is busy may hear of the moment when the copy is done: it is tried again then.
        let killed = (0..20).find_map(|again| {
            url = database(&cluster, &format!("target_{number}_{again}"));
            let mut copying = copy(folder.path(), &url);
            copying.env("AUTH__LOG__FILTER", "info").stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut child = copying.spawn().unwrap();
            let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
            let reached = log.find(|told| told.as_ref().unwrap().contains(line));
            assert!(reached.is_some(), "{line}");
            thread::sleep(Duration::from_millis(millis >> again));
            child.kill().unwrap();
            Some(child.wait_with_output().unwrap()).filter(|killed| !killed.status.success())
        });
        assert!(killed.expect("it is killed before it is done").stdout.is_empty(), "{line}");
        is_empty(&url);
    }
    let out = succeeds(copy(folder.path(), &url));
    assert!(out.contains("\nsessions: 100001\n"), "{out}");
    holds(&url, "SELECT count(*) = 100001 FROM sessions");
    assert_eq!(start_on(folder.path(), &url).check(&session), 200);
}

#[test]
fn a_service_that_still_runs_on_the_file_answers_503_and_loses_nothing_that_it_acknowledged() {
    let cluster = Cluster::start();
    let (folder, session) = installation();
    let url = database(&cluster, "target");
    let mut migrating = command(folder.path());
    assert!(migrating.arg("migrate").env("AUTH__DATABASE__URL", &url).output().unwrap().status.success());
    // Longer than a write waits for the file.
    let slow = "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS \
                $$ BEGIN PERFORM pg_sleep(6); RETURN NULL; END $$; \
                CREATE TRIGGER wait AFTER INSERT ON users FOR EACH STATEMENT EXECUTE FUNCTION wait()";
    run(&url, slow);

    let service = Running::start(folder.path());
    let mut copying = copy(folder.path(), &url).stdout(Stdio::piped()).spawn().unwrap();
    let (mut acknowledged, mut refused) = (Vec::new(), Vec::new());
    while copying.try_wait().unwrap().is_none() {
        let alias = format!("user{}", acknowledged.len() + refused.len());
        let body = json!({"email": format!("{alias}@example.org"), "fullName": "Ada", "alias": alias});
        match service.call("POST", "/user", None, Some(&body)).0 {
            202 if refused.is_empty() => acknowledged.push(alias),
            503 => refused.push(alias),
            // The copy has ended: what comes now is the file's alone.
            202 => break,
            other => panic!("{other}"),
        }
        assert_eq!(service.check(&session), 200, "reading goes on");
    }
    assert!(!refused.is_empty());
    assert!(within_patience(|| copying.try_wait().unwrap()).success());
    for alias in acknowledged {
        holds(&url, &format!("SELECT count(*) = 1 FROM users WHERE alias = '{alias}'"));
    }
    for alias in refused {
        holds(&url, &format!("SELECT count(*) = 0 FROM users WHERE alias = '{alias}'"));
    }
}
