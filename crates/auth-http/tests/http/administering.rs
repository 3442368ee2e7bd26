//! The binary administers accounts from the command line, on either store, while the service runs.

use std::{
    fs,
    process::{Command, Output, Stdio},
    thread,
    time::Duration,
};

use auth_testkit::postgres::{Cluster, execute};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{Running, command, read_code, within_patience};

const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// Where an installation is, or will be: nothing has been made yet.
struct Place {
    folder: TempDir,
    /// On a server, if there is one.
    cluster: Option<Cluster>,
}

fn both() -> [Place; 2] {
    [None, Some(Cluster::start())].map(|cluster| Place { folder: tempfile::tempdir().unwrap(), cluster })
}

fn embedded() -> Place {
    Place { folder: tempfile::tempdir().unwrap(), cluster: None }
}

impl Place {
    fn database(&self) -> String {
        self.cluster.as_ref().map_or_else(|| "sqlite:data/auth.db".to_owned(), |cluster| cluster.url("postgres"))
    }

    fn serve(&self) -> Running {
        self.serve_with(&[])
    }

    fn serve_with(&self, further: &[(&str, &str)]) -> Running {
        // A file keeps its key beside it.
        let key = if self.cluster.is_some() { KEY } else { "" };
        let database = self.database();
        let settings = [&[("AUTH__DATABASE__URL", &*database), ("AUTH__SECRETS__KEY", key)], further].concat();
        let service = Running::start_with(self.folder.path(), &settings);
        within_patience(|| (service.status("/readyz") == 200).then_some(()));
        service
    }

    /// `auth-http admin` with these words. On a server it is given no key: it needs none.
    fn admin(&self, words: &str) -> Command {
        let mut admin = command(self.folder.path());
        admin.arg("admin").args(words.split(' ')).env("AUTH__DATABASE__URL", self.database());
        admin
    }

    fn succeeds(&self, words: &str) -> String {
        let Output { status, stdout, stderr } = self.admin(words).output().unwrap();
        assert!(status.success(), "{words}: {}", String::from_utf8_lossy(&stderr));
        String::from_utf8(stdout).unwrap()
    }

    fn json(&self, words: &str) -> Value {
        let told = self.succeeds(&format!("{words} --json"));
        assert_eq!(told.lines().count(), 1, "{told}");
        serde_json::from_str(&told).unwrap()
    }

    fn fails(&self, words: &str) -> String {
        is_one_clear_line(&self.admin(words).output().unwrap())
    }

    fn create(&self, alias: &str, role: &str) -> Value {
        let words = format!("create --email {alias}@example.org --alias {alias} --name {alias} --role {role}");
        self.json(&words)["userID"].clone()
    }

    fn sign_in(&self, service: &Running, alias: &str) -> Value {
        // The newest mail is the one that this brings about.
        let outbox = self.folder.path().join("data/outbox");
        for mail in fs::read_dir(outbox).unwrap() {
            fs::remove_file(mail.unwrap().path()).unwrap();
        }
        let email = json!({"email": format!("{alias}@example.org")});
        let (status, session) = service.call("POST", "/session", None, Some(&email));
        assert_eq!(status, 202, "{session}");
        let code = read_code(self.folder.path(), alias);
        assert_eq!(service.verify(&session, &code), 202);
        session
    }
}

fn is_one_clear_line(output: &Output) -> String {
    let line = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(1), "{line}");
    assert!(output.stdout.is_empty(), "{output:?}");
    assert!(line.starts_with("auth-http: ") && line.lines().count() == 1, "{line}");
    line
}

/// Asks for `path` as whoever holds the session.
fn get(service: &Running, path: &str, session: &Value) -> (u16, Value) {
    service.call("GET", path, session["bearer"].as_str(), None)
}

/// What another process changed before this holds for every request that is begun a second later.
fn within_a_second(mut holds: impl FnMut() -> bool) {
    let changed = tokio::time::Instant::now();
    loop {
        let asked = changed.elapsed();
        if holds() {
            break;
        }
        assert!(asked < Duration::from_secs(1), "it did not hold {asked:?} later");
        thread::sleep(Duration::from_millis(20));
    }
}

fn roles(service: &Running, session: &Value) -> Value {
    get(service, "/session", session).1["roles"].clone()
}

#[test]
fn the_first_administrator_is_made_before_the_service_ever_ran() {
    for place in both() {
        let words = "create --email ada@example.org --alias ada --name Ada --role users_admin --role user";
        let told = place.succeeds(words);
        let service = place.serve();
        let ada = place.sign_in(&service, "ada");
        let (status, users) = get(&service, "/admin/users", &ada);
        assert_eq!((status, &users["users"][0]["roles"]), (200, &json!(["user", "users_admin"])), "{users}");
        let id = users["users"][0]["id"].as_str().unwrap();
        assert_eq!(told, format!("user {id} made: they can sign in with their address\n"));

        let (_, events) = get(&service, "/admin/events", &ada);
        let made = events["events"].as_array().unwrap().iter().find(|event| event["kind"] == "user.created").unwrap();
        assert_eq!((&made["actorID"], &made["ip"], &made["subjectID"]), (&Value::Null, &Value::Null, &json!(id)));
        let grants = |event: &&Value| event["kind"] == "role.granted" && event["detail"] == "users_admin";
        let granted = events["events"].as_array().unwrap().iter().find(grants).unwrap();
        assert_eq!(granted["subjectID"], json!(id), "who administers is found by looking for who was let to");
    }
}

#[test]
fn an_account_without_a_wish_for_roles_gets_those_of_new_users() {
    let place = embedded();
    place.succeeds("create --email ada@example.org --alias ada --name Ada");
    assert_eq!(place.json("list")["users"][0]["roles"], json!(["user"]));
}

#[test]
fn a_role_that_is_given_or_taken_counts_within_a_second() {
    for place in both() {
        place.create("ada", "users_admin");
        let bob = place.create("bob", "user");
        let service = place.serve();
        let session = place.sign_in(&service, "bob");
        assert_eq!(get(&service, "/admin/users", &session).0, 403);

        let granted = json!({"userID": bob, "role": "users_admin"});
        for _already in 0..2 {
            assert_eq!(place.json("grant BOB@example.org users_admin"), granted);
        }
        within_a_second(|| roles(&service, &session) == json!(["user", "users_admin"]));
        assert_eq!(get(&service, "/admin/users", &session).0, 200);

        let bob = bob.as_str().unwrap();
        let told = place.succeeds("revoke bob@example.org users_admin");
        assert_eq!(told, format!("role users_admin taken from user {bob}\n"));
        within_a_second(|| roles(&service, &session) == json!(["user"]));
        assert_eq!(get(&service, "/admin/users", &session).0, 403);
        let line = place.fails("revoke bob@example.org users_admin");
        assert_eq!(line, "auth-http: the account does not have this role\n");
    }
}

#[test]
fn disabling_ends_what_runs_at_once_and_enabling_restores_nothing_but_the_right_to_sign_in() {
    for place in both() {
        place.create("ada", "users_admin");
        let bob = place.create("bob", "user");
        let service = place.serve();
        let session = place.sign_in(&service, "bob");
        assert_eq!(place.json("disable bob@example.org"), json!({"userID": bob, "enabled": false}));
        within_a_second(|| service.check(&session) == 401);
        assert_eq!(place.json("list --role user")["users"][0]["enabled"], json!(false));
        assert_eq!(place.json("enable bob@example.org"), json!({"userID": bob, "enabled": true}));
        assert_eq!(service.check(&session), 401);
        let again = place.sign_in(&service, "bob");
        assert_eq!(service.check(&again), 200);
    }
}

#[test]
fn revoking_sessions_closes_all_of_them_and_says_how_many_there_were() {
    for place in both() {
        let ada = place.create("ada", "users_admin");
        let service = place.serve();
        let sessions = [(); 2].map(|()| place.sign_in(&service, "ada"));
        assert_eq!(place.json("revoke-sessions ada@example.org"), json!({"userID": ada, "closed": 2}));
        assert_eq!(sessions.each_ref().map(|session| service.check(session)), [401, 401]);
        let told = place.succeeds("revoke-sessions ada@example.org");
        assert_eq!(told, format!("0 sessions of user {} closed\n", ada.as_str().unwrap()));
    }
}

#[test]
fn an_owner_whose_address_is_locked_gets_a_mail_and_an_operator_unlocks_it() {
    for place in both() {
        place.create("ada", "user");
        let service = place.serve_with(&[("AUTH__LIMITS__ENABLED", "true"), ("AUTH__LIMITS__FAILURES_IN_A_ROW", "3")]);
        let ask = |email: &str| service.call("POST", "/session", None, Some(&json!({"email": email})));
        for email in ["ada@example.org", "nobody@example.org"] {
            let (_, session) = ask(email);
            for _ in 0..3 {
                assert_eq!(service.verify(&session, "wrong"), 401);
            }
            assert_eq!(ask(email).0, 429);
        }
        let outbox = place.folder.path().join("data/outbox");
        let mails = || {
            let files = fs::read_dir(&outbox).unwrap().map(|file| file.unwrap().path());
            let mails = files.filter(|file| file.extension().is_some_and(|extension| extension == "eml"));
            mails.map(|file| fs::read_to_string(file).unwrap()).collect::<Vec<_>>()
        };
        within_patience(|| {
            mails().iter().any(|mail| mail.contains("Subject: Sign-in to your address was locked")).then_some(())
        });
        assert!(mails().iter().all(|mail| mail.contains("\r\nTo: ada@example.org\r\n")), "nobody else is told");

        let told = place.succeeds("unlock ADA@example.org");
        assert_eq!(told, "unlocked: what was guessed wrong at the address's codes is forgotten\n");
        let told = place.succeeds("unlock ada@example.org");
        assert_eq!(told, "nothing was guessed wrong at the address's codes: it is not locked\n");
        assert_eq!(ask("ada@example.org").0, 202);
        for unlocked in [true, false] {
            assert_eq!(place.json("unlock nobody@example.org"), json!({"unlocked": unlocked}));
        }
        assert_eq!(ask("nobody@example.org").0, 202);
        let line = place.fails("unlock nobody");
        assert!(line.starts_with("auth-http: not a valid e-mail address"), "{line}");
    }
}

#[test]
fn the_last_administrator_is_kept() {
    for place in both() {
        place.create("ada", "users_admin");
        place.create("bob", "users_admin");
        let service = place.serve();
        let ada = place.sign_in(&service, "ada");
        place.succeeds("disable bob@example.org");
        for words in ["revoke ada@example.org users_admin", "disable ada@example.org"] {
            assert_eq!(place.fails(words), "auth-http: the last administrator cannot be removed\n");
        }
        assert_eq!(get(&service, "/admin/users", &ada).0, 200);
        place.succeeds("enable bob@example.org");
        place.succeeds("revoke ada@example.org users_admin");
        assert_eq!(get(&service, "/admin/users", &ada).0, 403);
    }
}

#[test]
fn administrators_who_are_removed_crosswise_at_once_leave_one() {
    for place in both() {
        place.create("ada", "users_admin");
        place.create("bob", "users_admin");
        let _service = place.serve();
        for round in 0..5 {
            let removing = ["revoke ada@example.org users_admin", "revoke bob@example.org users_admin"];
            let removing =
                removing.map(|words| place.admin(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
            let removed = removing.map(|process| process.wait_with_output().unwrap());
            let (kept, gone): (Vec<_>, Vec<_>) = removed.iter().partition(|output| !output.status.success());
            assert_eq!((kept.len(), gone.len()), (1, 1), "round {round}: {removed:?}");
            assert_eq!(is_one_clear_line(kept[0]), "auth-http: the last administrator cannot be removed\n");
            let left = place.json("list --role users_admin");
            assert_eq!(left["users"].as_array().unwrap().len(), 1, "round {round}: {left}");
            for name in ["ada", "bob"] {
                place.succeeds(&format!("grant {name}@example.org users_admin"));
            }
        }
    }
}

#[test]
fn lists_are_tables_for_people_and_the_fields_of_the_rest_api_for_programs() {
    for place in both() {
        place.create("ada", "users_admin");
        place.create("bob", "user");
        let service = place.serve();
        let session = place.sign_in(&service, "ada");
        let bearer = session["bearer"].as_str();
        let wish = json!({"name": "nightly backup", "days": 30});
        let (status, pair) = service.call("POST", "/keypair", bearer, Some(&wish));
        assert_eq!(status, 202, "{pair}");

        let users = get(&service, "/admin/users", &session).1["users"].clone();
        assert_eq!(place.json("list")["users"], users);
        assert_eq!(place.json("list --role user")["users"], json!([users[1]]));
        assert_eq!(place.json("list --role auditor"), json!({"users": []}));
        is_table(
            &place.succeeds("list"),
            &["USER ID", "ALIAS", "FULL NAME", "PREFERRED ADDRESS", "ROLES", "ENABLED", "VERIFIED"],
            &[
                &[users[0]["id"].as_str().unwrap(), "ada", "ada", "ada@example.org", "users_admin", "yes", "yes"],
                &[users[1]["id"].as_str().unwrap(), "bob", "bob", "bob@example.org", "user", "yes", "yes"],
            ],
        );

        let mut sessions = place.json("sessions ada@example.org");
        let mut listed = get(&service, "/admin/sessions", &session).1;
        // It moves on with every request.
        for sessions in [&mut sessions, &mut listed] {
            sessions["sessions"][0]["lastUsedAt"] = Value::Null;
        }
        assert_eq!(sessions["sessions"], listed["sessions"]);
        let (created, expires) = (rfc3339(&listed["sessions"][0]["createdAt"]), rfc3339(&session["expireAt"]));
        let table = place.succeeds("sessions ada@example.org");
        let used = table.lines().nth(1).unwrap().split("  ").filter(|cell| !cell.is_empty()).nth(3).unwrap().trim();
        is_table(
            &table,
            &["SESSION ID", "IP", "USER AGENT", "CREATED", "LAST USED", "EXPIRES", "VERIFIED"],
            &[&[session["sessionID"].as_str().unwrap(), "127.0.0.1", "", &created, used, &expires, "yes"]],
        );

        let keys = get(&service, "/admin/keypairs", &session).1["keyPairs"].clone();
        assert_eq!(place.json("keys ada@example.org"), json!({"keyPairs": keys}));
        let (created, expires) = (rfc3339(&keys[0]["createdAt"]), rfc3339(&pair["expireAt"]));
        let table = place.succeeds("keys ada@example.org");
        let (id, api_key) = (pair["keyID"].as_str().unwrap(), pair["apiKey"].as_str().unwrap());
        is_table(
            &table,
            &["KEY ID", "NAME", "API KEY", "ROLES", "CREATED", "EXPIRES", "VERIFIED"],
            &[&[id, "nightly backup", api_key, "*", &created, &expires, "no"]],
        );
        assert_eq!(place.succeeds("keys bob@example.org").lines().count(), 1, "a header");
    }
}

/// Whether `told` is a table with these cells, each column as wide as its widest cell and two spaces from the next.
fn is_table(told: &str, header: &[&str], rows: &[&[&str]]) {
    let lines: Vec<&[&str]> = [header].into_iter().chain(rows.iter().copied()).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap();
    let expected: Vec<String> = lines
        .iter()
        .map(|line| {
            let cells = line.iter().enumerate().map(|(column, cell)| format!("{cell:width$}  ", width = width(column)));
            cells.collect::<String>().trim_end().to_owned()
        })
        .collect();
    assert_eq!(told.lines().collect::<Vec<_>>(), expected);
}

fn rfc3339(unix_seconds: &Value) -> String {
    let since = std::time::Duration::from_secs(unix_seconds.as_u64().unwrap());
    humantime::format_rfc3339_seconds(std::time::UNIX_EPOCH + since).to_string()
}

#[test]
fn what_cannot_be_done_is_one_clear_line() {
    for place in both() {
        place.create("ada", "users_admin");
        let _service = place.serve();
        for (words, expected) in [
            ("grant eve@example.org auditor", "no account has this address"),
            ("revoke eve@example.org auditor", "no account has this address"),
            ("disable eve@example.org", "no account has this address"),
            ("enable eve@example.org", "no account has this address"),
            ("sessions eve@example.org", "no account has this address"),
            ("revoke-sessions eve@example.org", "no account has this address"),
            ("keys eve@example.org", "no account has this address"),
            ("keys eve", "not a valid e-mail address of at most 254 characters"),
            ("grant ada@example.org Auditor", "a role is 1 to 64 of a-z, 0-9, '_', '.' and '-'"),
            ("list --role Auditor", "a role is 1 to 64 of a-z, 0-9, '_', '.' and '-'"),
            (
                "create --email eve@example.org --alias eve --name Eve --role a,b",
                "a role is 1 to 64 of a-z, 0-9, '_', '.' and '-'",
            ),
            (
                "create --email eve@example.org --alias e/e --name Eve",
                "an alias is 1 to 32 ASCII letters, digits, '.', '_' or '-'",
            ),
            (
                "create --email eve@example.org --alias eve --name \n",
                "a full name is 1 to 128 characters, with something to see and no control characters",
            ),
            ("create --email eve@example.org --alias ADA --name Eve", "the alias is taken"),
            ("create --email ADA@example.org --alias eve --name Eve", "the address belongs to another account"),
        ] {
            assert_eq!(place.fails(words), format!("auth-http: {expected}\n"), "{words}");
        }
        assert_eq!(place.json("list")["users"].as_array().unwrap().len(), 1);
        let misused = place.admin("grant ada@example.org").output().unwrap();
        assert_eq!(misused.status.code(), Some(2));
    }
}

#[test]
fn an_installation_that_is_not_there_is_not_made_by_asking_about_it() {
    let place = embedded();
    for words in ["list", "grant ada@example.org users_admin", "sessions ada@example.org"] {
        let line = place.fails(words);
        assert!(line.contains("data/auth.db: cannot be opened") && line.contains("No such file"), "{line}");
        assert!(!place.folder.path().join("data").exists());
    }

    let place = Place { folder: tempfile::tempdir().unwrap(), cluster: Some(Cluster::start()) };
    let line = place.fails("list");
    assert!(line.contains("not brought up to date by auth-http migrate: "), "{line}");
    let made = "DO $$ BEGIN ASSERT (SELECT count(*) = 0 FROM pg_tables WHERE schemaname = 'public'); END $$";
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(execute(&place.database(), made)).unwrap();
}

#[test]
fn a_database_server_that_is_away_is_not_waited_for() {
    let place = Place { folder: tempfile::tempdir().unwrap(), cluster: Some(Cluster::start()) };
    place.cluster.as_ref().unwrap().kill();
    for words in ["list", "create --email ada@example.org --alias ada --name Ada"] {
        let mut child = place.admin(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        within_patience(|| child.try_wait().unwrap());
        let line = is_one_clear_line(&child.wait_with_output().unwrap());
        assert!(line.matches("error connecting to server").count() == 1, "{line}");
    }
}
