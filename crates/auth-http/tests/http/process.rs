//! The binary as an operator meets it: started, stopped, killed, misconfigured.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread,
};

use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) use crate::running::{Reference, Running, command, within_patience};

impl Running {
    pub(crate) fn start(folder: &Path) -> Self {
        Self::start_with(folder, &[])
    }

    /// Sends a request to the API and reads the whole answer.
    pub(crate) fn call(&self, method: &str, path: &str, bearer: Option<&str>, body: Option<&Value>) -> (u16, Value) {
        let credential = bearer.map(|bearer| format!("Authorization: Bearer {bearer}\r\n")).unwrap_or_default();
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = format!(
            "{method} /api/auth/v2{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{credential}\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = self.exchange(request.as_bytes());
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head[9..12].parse().unwrap(), serde_json::from_str(body).unwrap_or_default())
    }

    pub(crate) fn sign_up(&self, alias: &str) -> Value {
        let body = json!({"email": format!("{alias}@example.org"), "fullName": "Ada", "alias": alias});
        let (status, session) = self.call("POST", "/user", None, Some(&body));
        assert_eq!(status, 202, "{session}");
        session
    }

    pub(crate) fn verify(&self, session: &Value, code: &str) -> u16 {
        let body = json!({"verificationCodeID": session["verificationCodeID"], "code": code});
        self.call("PUT", "/session/verification", None, Some(&body)).0
    }

    pub(crate) fn check(&self, session: &Value) -> u16 {
        self.call("GET", "/session", session["bearer"].as_str(), None).0
    }
}

/// The code in the newest mail to `alias` at example.org.
pub(crate) fn read_code(folder: &Path, alias: &str) -> String {
    within_patience(|| mailed_code(folder, alias))
}

pub(crate) fn mailed_code(folder: &Path, alias: &str) -> Option<String> {
    let entries = std::fs::read_dir(folder.join("data/outbox")).ok()?;
    let mut mails: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    mails.retain(|path| path.extension().is_some_and(|extension| extension == "eml"));
    mails.sort();
    let to = format!("To: {alias}@example.org\r\n");
    let texts = mails.iter().rev().map(|path| std::fs::read_to_string(path).unwrap());
    let mail = texts.into_iter().find(|mail| mail.contains(&to))?;
    let subject = mail.lines().find(|line| line.starts_with("Subject: "))?;
    Some(subject.chars().filter(char::is_ascii_digit).collect())
}

fn fails_to_start(configure: impl FnOnce(&mut Command)) -> String {
    let folder = tempfile::tempdir().unwrap();
    fails_to_start_in(&folder, configure)
}

pub(crate) fn fails_to_start_in(folder: &TempDir, configure: impl FnOnce(&mut Command)) -> String {
    let mut command = command(folder.path());
    command.env("AUTH__LOG__FILTER", "off");
    configure(&mut command);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    within_patience(|| child.try_wait().unwrap());
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    assert!(!status.success());
    assert!(stdout.is_empty());
    let told = String::from_utf8(stderr).unwrap();
    assert_eq!(told.lines().count(), 1, "one clear line: {told}");
    told
}

#[test]
fn a_port_that_is_taken_stops_the_start() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let told = fails_to_start(|command| {
        command.env("AUTH__HTTP__BIND", &address);
    });
    assert!(told.contains(&format!("setting http.bind: cannot listen on {address}: ")), "{told}");
}

#[test]
fn settings_that_make_no_sense_stop_the_start_and_are_named() {
    for (variable, value, expected) in [
        ("AUTH__HTTP__BOND", "127.0.0.1:0", "bond"),
        ("AUTH__NONSENSE", "1", "nonsense"),
        ("AUTH__HTTP__BIND", "nowhere", "http.bind"),
        ("AUTH__DATABASE__URL", "mysql://root:hunter2@db/auth", "setting database.url: unknown scheme \"mysql\""),
        ("AUTH__MAIL__URL", "pigeon:coop", "setting mail.url: unknown scheme \"pigeon\""),
        ("AUTH__MAIL__URL", "smtp://auth:hunter2@mail?tls=no", "setting mail.url: unknown tls"),
        ("AUTH__MAIL__URL", "smtp://auth:hunter2@mail:smtp", "setting mail.url: not a URL such as smtp://"),
        ("AUTH__MAIL__URL", "smtp://auth:pass?hunter2@mail", "setting mail.url: not a URL such as smtp://"),
        ("AUTH__MAIL__URL", "smtps://auth:hunter2@mail?ca=nowhere.pem", "setting mail.url: ca nowhere.pem: "),
        ("AUTH__MAIL__SENDERS", "0", "mail.senders"),
        ("AUTH__MAIL__TEMPLATES", "nowhere", "setting mail.templates: nowhere cannot be read: "),
        ("AUTH__MAIL__FROM", "nobody", "setting mail.from: "),
        ("AUTH__SECRETS__KEY", "hunter2", "setting secrets.key: key number 1 is not 64 hex digits"),
        ("AUTH__REGISTRATION__OPEN", "perhaps", "registration.open"),
        ("AUTH__SESSIONS__KINDS__STANDARD__LIFETIME", "soon", "no span of time"),
        ("AUTH__SESSIONS__KINDS__STANDARD__LIFETIME", "31d", "setting sessions.kinds: "),
        ("AUTH__HTTP__TRUSTED_PROXIES", "10.0.0.0/8,everyone", "everyone"),
        ("AUTH__HTTP__CORS_ORIGINS", "https://app.example.org/", "setting http.cors_origins: "),
        ("AUTH__LIMITS__ENABLED", "never", "limits.enabled"),
        ("AUTH__LIMITS__FAILURES_PER_DAY", "0", "limits.failures_per_day"),
        ("AUTH__LIMITS__FAILURES_IN_A_ROW", "-1", "limits.failures_in_a_row"),
        ("AUTH__LIMITS__FIRST_WAIT", "a while", "no span of time"),
        ("AUTH__LIMITS__MAILS_PER_ADDRESS", "6", "\"6\" is no rate such as 6/1h: there is no slash in it"),
        ("AUTH__LIMITS__MAILS_PER_NETWORK", "100/h", "\"100/h\" is no rate such as 6/1h: "),
        ("AUTH__LIMITS__SIGN_UPS_PER_NETWORK", "0/1h", "\"0/1h\" is no rate such as 6/1h: a rate is at least once"),
        ("AUTH__LIMITS__REQUESTS_PER_NETWORK", "many/1m", "\"many/1m\" is no rate such as 6/1h: a whole number"),
        ("AUTH__LIMITS__REQUESTS_PER_NETWORK", "2/1ms", "limits.requests_per_network"),
        ("AUTH__LIMITS__NETWORKS_KNOWN_FOR", "ever", "limits.networks_known_for"),
        ("AUTH__LOG__FILTER", "a=b=c", "setting log.filter: "),
        ("AUTH__TELEMETRY__OTLP", "https://collector:4318", "setting telemetry.otlp: only http:// is spoken"),
        ("AUTH__TELEMETRY__OTLP", "http://auth:hunter2@collector", "setting telemetry.otlp: a collector takes neither"),
    ] {
        let told = fails_to_start(|command| {
            command.env(variable, value);
        });
        assert!(told.starts_with("auth-http: ") && told.contains(expected), "{variable}={value}: {told}");
        assert!(!told.contains("hunter2"), "{told}");
    }
    let told = fails_to_start(|command| {
        command.args(["--config", "nowhere.toml"]);
    });
    assert!(told.contains("nowhere.toml"), "{told}");
}

#[test]
fn a_database_that_cannot_be_written_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "not a folder").unwrap();
    let told = fails_to_start_in(&folder, |command| {
        command.env("AUTH__DATABASE__URL", "sqlite:file/auth.db").env("AUTH__SECRETS__KEY", "11".repeat(32));
    });
    assert!(told.contains("file/auth.db"), "{told}");
}

#[test]
fn a_database_whose_keys_are_lost_is_not_opened_with_new_ones() {
    let folder = tempfile::tempdir().unwrap();
    drop(Running::start(folder.path()));
    std::fs::remove_file(folder.path().join("data/auth.db.key")).unwrap();
    let told = fails_to_start_in(&folder, |_| {});
    assert!(told.contains("data/auth.db.key") && told.contains("restore it"), "{told}");
}

#[test]
fn a_file_is_overridden_by_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("auth.toml"), "[registration]\nopen = false\n[log]\nfilter = 'a=b=c'\n").unwrap();
    let told = fails_to_start_in(&folder, |command| {
        command.env_remove("AUTH__LOG__FILTER").args(["--config", "auth.toml"]);
    });
    assert!(told.contains("log.filter"), "{told}");
    let mut migrate = command(folder.path());
    migrate.env("AUTH__LOG__FILTER", "off").args(["migrate", "--config", "auth.toml"]);
    assert!(migrate.output().unwrap().status.success());
}

#[test]
fn migrate_says_what_it_applied_and_then_that_nothing_is_left() {
    let folder = tempfile::tempdir().unwrap();
    for expected in ["applied 2026-12-01-000000_", "up to date\n"] {
        let output = command(folder.path()).arg("migrate").output().unwrap();
        assert!(output.status.success());
        let told = String::from_utf8(output.stdout).unwrap();
        assert!(told.starts_with(expected), "{told}");
    }
    Running::start(folder.path()).sign_up("ada");
}

#[test]
fn health_tells_by_its_status_whether_the_running_service_is_ready() {
    let folder = tempfile::tempdir().unwrap();
    let mut running = Running::start(folder.path());
    let ask = |address: &str| {
        let output = command(folder.path()).arg("health").env("AUTH__HTTP__BIND", address).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let everywhere = format!("0.0.0.0:{}", running.address.port());
    assert_eq!(ask(&everywhere), (Some(0), "ready\n".to_owned(), String::new()));

    running.signal("TERM");
    running.wait();
    let (code, told, complaint) = ask(&everywhere);
    assert_eq!((code, told.as_str()), (Some(1), ""));
    assert!(complaint.starts_with(&format!("auth-http: no answer from {}: ", running.address)), "{complaint}");
    assert_eq!(complaint.lines().count(), 1);
}

#[test]
fn processes_that_start_at_once_migrate_once() {
    let folder = tempfile::tempdir().unwrap();
    let migrate = || {
        let output = command(folder.path()).arg("migrate").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let told = thread::scope(|scope| {
        let processes: Vec<_> = (0..6).map(|_| scope.spawn(migrate)).collect();
        processes.into_iter().map(|process| process.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(told.iter().filter(|told| told.starts_with("applied ")).count(), 1, "{told:?}");
    assert_eq!(told.iter().filter(|told| *told == "up to date\n").count(), 5, "{told:?}");
}

#[test]
fn a_signal_lets_what_runs_finish_and_ends_well() {
    for signal in ["TERM", "INT"] {
        let folder = tempfile::tempdir().unwrap();
        let mut running = Running::start(folder.path());
        let body = json!({"email": "ada@example.org", "fullName": "Ada", "alias": "ada"}).to_string();
        let head = "POST /api/auth/v2/user HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
        let mut stream = running.connect();
        let waits = format!("{head}Expect: 100-continue\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all(waits.as_bytes()).unwrap();
        let mut goes_on = [0; 25];
        stream.read_exact(&mut goes_on).unwrap();
        assert_eq!(&goes_on, b"HTTP/1.1 100 Continue\r\n\r\n");

        running.signal(signal);
        within_patience(|| running.log().contains("\"stopping\"").then_some(()));
        stream.write_all(body.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");

        assert!(running.wait().success());
        assert!(TcpStream::connect(running.address).is_err());
        assert!(running.log().contains("\"stopped\""));
    }
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let mut running = Running::start(folder.path());
    let verified = running.sign_up("ada");
    let code = read_code(folder.path(), "ada");
    assert_eq!(running.verify(&verified, &code), 202);
    let pending: Vec<_> = (0..20).map(|n| (format!("user{n}"), running.sign_up(&format!("user{n}")))).collect();

    running.signal("KILL");
    running.wait();
    let running = Running::start(folder.path());

    assert_eq!(running.check(&verified), 200);
    for (alias, session) in pending {
        // Mails that a dead worker held come with the end of its lease; these were queued, most of them unsent.
        let code = within_patience(|| mailed_code(folder.path(), &alias));
        assert_eq!(running.verify(&session, &code), 202, "{alias}");
        assert_eq!(running.check(&session), 200);
    }
}

#[test]
fn neither_the_log_nor_the_database_tells_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let mut running = Running::start(folder.path());
    let session = running.sign_up("ada");
    let code = read_code(folder.path(), "ada");
    assert_eq!(running.verify(&session, "000000"), 401);
    assert_eq!(running.verify(&session, &code), 202);
    assert_eq!(running.check(&session), 200);
    running.signal("TERM");
    running.wait();

    let bearer = session["bearer"].as_str().unwrap();
    let log = running.log();
    for secret in [bearer, "ada@example.org", &format!("\"{code}\"")] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
    let database = std::fs::read(folder.path().join("data/auth.db")).unwrap();
    let holds = |text: &str| database.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("ada@example.org"), "this is the right file");
    assert!(!holds(bearer) && !holds(&bearer[4..42]));
}

#[test]
fn the_id_of_an_error_is_on_its_log_line() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(folder.path());
    let answer = running.exchange(b"GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let id = answer.lines().find_map(|line| line.strip_prefix("x-error-id: ")).unwrap().to_owned();
    within_patience(|| {
        running.log().lines().any(|line| line.contains(&id) && line.contains("no such endpoint")).then_some(())
    });
}

#[test]
fn the_line_of_a_refused_request_says_where_it_came_from_and_that_of_a_check_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start_with(folder.path(), &[("AUTH__HTTP__TRUSTED_PROXIES", "127.0.0.1/32")]);
    let refused = |path: &str| {
        let head =
            format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Forwarded-For: 203.0.113.5\r\n\r\n");
        let answer = running.exchange(head.as_bytes());
        let id = answer.lines().find_map(|line| line.strip_prefix("x-error-id: ")).unwrap().to_owned();
        let line = || running.log().lines().find(|line| line.contains(&id)).map(str::to_owned);
        serde_json::from_str::<Value>(&within_patience(line)).unwrap()
    };
    let of = |line: &Value| line["ip"].as_str().map(str::to_owned);
    for path in ["/nowhere", "/api/auth/v2/sessions", "/api/auth/v2/admin/users"] {
        let line = refused(path);
        assert_eq!(of(&line).as_deref(), Some("203.0.113.5"), "{line}");
    }
    let line = refused("/api/auth/v2/session");
    assert_eq!(of(&line), None, "{line}");
}

/// The status and `Retry-After` of what is answered to a request for a code at an address.
fn ask_for_code(running: &Running, email: &str) -> (u16, Option<u64>) {
    let body = json!({"email": email}).to_string();
    let head =
        "POST /api/auth/v2/session HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n";
    let answer = running.exchange(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
    let wait = answer.lines().find_map(|line| line.strip_prefix("retry-after: ")).map(|wait| wait.parse().unwrap());
    (answer[9..12].parse().unwrap(), wait)
}

#[test]
fn limits_are_on_unless_they_are_switched_off_and_outlive_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let on = [("AUTH__LIMITS__ENABLED", "true"), ("AUTH__LIMITS__MAILS_PER_ADDRESS", "2/1h")];
    for expected in [[202, 202, 429], [429, 429, 429]] {
        let mut running = Running::start_with(folder.path(), &on);
        let answers = expected.map(|_| ask_for_code(&running, "ada@example.org"));
        assert_eq!(answers.map(|(status, _)| status), expected);
        let (_, wait) = answers[2];
        assert!(wait.is_some_and(|wait| (1700..=1800).contains(&wait)), "{wait:?}");
        assert!(!running.log().contains("limits.enabled is false"));
        running.signal("KILL");
        running.wait();
    }
    let running = Running::start(folder.path());
    for _ in 0..5 {
        assert_eq!(ask_for_code(&running, "ada@example.org"), (202, None));
    }
    within_patience(|| running.log().contains("limits.enabled is false: ").then_some(()));
}
