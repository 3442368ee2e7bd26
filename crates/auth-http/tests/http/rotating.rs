//! The server keys are rotated while people are signed in, sign in and ask: nobody notices, until a key is removed.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::Output,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

use auth_testkit::postgres::Cluster;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{Running, command, mailed_code, read_code, within_patience};

const OLD: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const NEW: &str = "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100";

/// Something that is asked about again and again.
#[derive(Clone)]
enum Credential {
    Session(Value),
    KeyPair(Value),
}

impl Credential {
    fn request(&self) -> String {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let (path, headers) = match self {
            Self::Session(session) => ("session", format!("Authorization: Bearer {}", text(&session["bearer"]))),
            Self::KeyPair(pair) => {
                let (key, secret) = (text(&pair["apiKey"]), text(&pair["apiSecret"]));
                ("keypair", format!("Api-Key: {key}\r\nApi-Secret: {secret}"))
            }
        };
        format!("GET /api/auth/v2/{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n\r\n")
    }

    /// The status of its check at `address`; an error while nobody is there.
    fn check(&self, address: SocketAddr) -> io::Result<u16> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        stream.write_all(self.request().as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let status = answer.get(9..12).ok_or(io::ErrorKind::UnexpectedEof)?;
        status.parse().map_err(io::Error::other)
    }
}

/// Clients who ask about their credentials wherever a service is, as fast as they are answered.
#[derive(Default)]
struct Clients {
    services: Mutex<Vec<SocketAddr>>,
    stop: AtomicBool,
    accepted: AtomicU32,
    refused: Mutex<Vec<u16>>,
}

impl Clients {
    fn ask(&self, credential: &Credential) {
        while !self.stop.load(Ordering::SeqCst) {
            let services = self.services.lock().unwrap().clone();
            for service in services {
                match credential.check(service) {
                    Ok(200) => drop(self.accepted.fetch_add(1, Ordering::SeqCst)),
                    Ok(refused) => self.refused.lock().unwrap().push(refused),
                    // Restarting: a balancer asks another one.
                    Err(_away) => {}
                }
                // The machine has the restarts to do as well.
                thread::sleep(Duration::from_millis(5));
            }
        }
    }

    /// Runs `rotate` while the clients ask, and fails if one of them is refused.
    fn while_they_ask(&self, credentials: &[Credential], rotate: impl FnOnce()) {
        thread::scope(|scope| {
            for credential in credentials {
                scope.spawn(|| self.ask(credential));
            }
            // Ends the clients whatever happens, so that a failure is told.
            let _stop = StopAtEnd(&self.stop);
            rotate();
        });
        assert_eq!(*self.refused.lock().unwrap(), [0; 0], "nobody is refused");
        assert!(self.accepted.load(Ordering::SeqCst) > 100, "they did ask");
    }
}

struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn signed_in(service: &Running, folder: &Path, alias: &str) -> Value {
    let session = service.sign_up(alias);
    assert_eq!(service.verify(&session, &read_code(folder, alias)), 202);
    session
}

fn with_key_pair(service: &Running, folder: &Path, alias: &str, session: &Value) -> Value {
    let bearer = session["bearer"].as_str();
    // The code of the sign-up has been read; the next mail is another one.
    let before = read_code(folder, alias);
    let (status, pair) = service.call("POST", "/keypair", bearer, Some(&json!({"name": "nightly", "days": 7})));
    assert_eq!(status, 202, "{pair}");
    let code = within_patience(|| Some(read_code(folder, alias)).filter(|code| *code != before));
    let body = json!({"verificationCodeID": pair["verificationCodeID"], "code": code});
    assert_eq!(service.call("PUT", "/keypair/verification", bearer, Some(&body)).0, 202);
    pair
}

fn secrets(folder: &Path, settings: &[(&str, &str)], arguments: &[&str]) -> Output {
    command(folder).envs(settings.iter().copied()).arg("secrets").args(arguments).output().unwrap()
}

/// What `secrets list` says: role and number of sessions, key pairs and codes of each key.
fn listed(folder: &Path, settings: &[(&str, &str)]) -> Vec<(String, [u64; 3])> {
    let output = secrets(folder, settings, &["list", "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let keys = document["keys"].as_array().unwrap();
    let count = |key: &Value, of: &str| key[of].as_u64().unwrap();
    keys.iter()
        .map(|key| {
            let counts = ["sessions", "keyPairs", "codes"].map(|of| count(key, of));
            (key["role"].as_str().unwrap().to_owned(), counts)
        })
        .collect()
}

/// Two replicas on one database that are restarted one after the other.
struct Fleet {
    cluster: Cluster,
    folder: TempDir,
    replicas: Mutex<[Running; 2]>,
    clients: Clients,
}

impl Fleet {
    fn start(keys: &str, mail: &str) -> Self {
        let (cluster, folder) = (Cluster::start(), TempDir::new().unwrap());
        let replica = || Self::replica(&cluster, folder.path(), keys, mail);
        let replicas = [replica(), replica()];
        let clients = Clients::default();
        *clients.services.lock().unwrap() = replicas.iter().map(|replica| replica.address).collect();
        Self { replicas: Mutex::new(replicas), cluster, folder, clients }
    }

    fn replica(cluster: &Cluster, folder: &Path, keys: &str, mail: &str) -> Running {
        let url = cluster.url("postgres");
        let settings = [
            ("AUTH__DATABASE__URL", url.as_str()),
            ("AUTH__SECRETS__KEY", keys),
            ("AUTH__MAIL__URL", mail),
            ("AUTH__LIMITS__ENABLED", "false"),
        ];
        let replica = Running::start_with(folder, &settings);
        within_patience(|| (replica.status("/readyz") == 200).then_some(()));
        replica
    }

    /// Restarts one replica with these keys, while the other one serves.
    fn restart(&self, number: usize, keys: &str) {
        let mut replicas = self.replicas.lock().unwrap();
        replicas[number].signal("TERM");
        assert!(replicas[number].wait().success());
        replicas[number] = Self::replica(&self.cluster, self.folder.path(), keys, "file:data/outbox");
        self.clients.services.lock().unwrap()[number] = replicas[number].address;
    }

    fn check(&self, number: usize, session: &Value) -> u16 {
        self.replicas.lock().unwrap()[number].check(session)
    }

    fn listed(&self, keys: &str) -> Vec<(String, [u64; 3])> {
        let url = self.cluster.url("postgres");
        listed(self.folder.path(), &[("AUTH__DATABASE__URL", &url), ("AUTH__SECRETS__KEY", keys)])
    }
}

#[test]
fn two_replicas_are_rotated_in_two_steps_and_nobody_notices_until_the_old_key_is_removed() {
    let fleet = Fleet::start(OLD, "file:data/outbox");
    let folder = fleet.folder.path();
    let (ada, pair, under_way) = {
        let replicas = fleet.replicas.lock().unwrap();
        let ada = signed_in(&replicas[0], folder, "ada");
        let pair = with_key_pair(&replicas[0], folder, "ada", &ada);
        (ada, pair, replicas[1].sign_up("bob"))
    };
    let code_under_way = read_code(folder, "bob");
    // A mail that nobody takes: what is queued is sealed under the old key.
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let deaf = Fleet::replica(&fleet.cluster, folder, OLD, &format!("smtp://{nobody}?tls=none"));
    // The others would deliver it: they stand still until it was claimed, and deferred, by the one that cannot.
    let owed = {
        let replicas = fleet.replicas.lock().unwrap();
        replicas.iter().for_each(|replica| replica.signal("STOP"));
        let owed = deaf.sign_up("carol");
        within_patience(|| deaf.log().contains("mail to be tried again").then_some(()));
        drop(deaf);
        replicas.iter().for_each(|replica| replica.signal("CONT"));
        owed
    };

    let credentials = [Credential::Session(ada.clone()), Credential::KeyPair(pair.clone())];
    let (both, forward) = (format!("{OLD},{NEW}"), format!("{NEW},{OLD}"));
    let mut dave = Value::Null;
    fleet.clients.while_they_ask(&credentials, || {
        for number in [0, 1] {
            fleet.restart(number, &both);
        }
        fleet.restart(0, &forward);
        // Signed by the new key at one replica, verified by the other, which still signs with the old one.
        dave = signed_in(&fleet.replicas.lock().unwrap()[0], folder, "dave");
        assert_eq!(fleet.check(1, &dave), 200);
        fleet.restart(1, &forward);
        let replicas = fleet.replicas.lock().unwrap();
        assert_eq!(replicas[0].verify(&under_way, &code_under_way), 202, "a code under way");
        assert_eq!(replicas[1].check(&under_way), 200);
        let code = within_patience(|| mailed_code(folder, "carol"));
        assert_eq!(replicas[1].verify(&owed, &code), 202, "a mail that was owed");
    });

    let counted = fleet.listed(&forward);
    assert_eq!(counted, [("signs".to_owned(), [1, 0, 0]), ("verifies".to_owned(), [3, 1, 0])]);
    for number in [0, 1] {
        fleet.restart(number, NEW);
        for session in [&ada, &under_way, &owed] {
            assert_eq!(fleet.check(number, session), 401, "it hung on the key that was removed");
        }
        assert_eq!(fleet.check(number, &dave), 200, "it hangs on the other");
        let address = fleet.replicas.lock().unwrap()[number].address;
        assert_eq!(Credential::KeyPair(pair.clone()).check(address).unwrap(), 401);
    }
    assert_eq!(fleet.listed(NEW), [("signs".to_owned(), [1, 0, 0]), ("gone".to_owned(), [3, 1, 0])]);
}

#[test]
fn an_embedded_key_file_is_rotated_under_services_that_run_and_a_removed_key_ends_what_hung_on_it() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let settings = [("AUTH__LIMITS__ENABLED", "false")];
    // Two, since that works: neither may meet a credential of the other's that it does not know.
    let services = [Running::start_with(folder, &settings), Running::start_with(folder, &settings)];
    let ada = signed_in(&services[0], folder, "ada");
    let pair = with_key_pair(&services[0], folder, "ada", &ada);
    let under_way = services[1].sign_up("bob");
    let code = read_code(folder, "bob");

    let clients = Clients::default();
    *clients.services.lock().unwrap() = services.iter().map(|service| service.address).collect();
    let credentials = [Credential::Session(ada.clone()), Credential::KeyPair(pair.clone())];
    clients.while_they_ask(&credentials, || {
        let output = secrets(folder, &[], &["rotate"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let told = String::from_utf8(output.stdout).unwrap();
        assert!(told.ends_with(" signs from now on; what hangs on older keys stays as it is\n"), "{told}");
        within_patience(|| {
            services.iter().all(|service| service.log().matches("server keys replaced").count() == 2).then_some(())
        });
    });
    assert_eq!(services[0].verify(&under_way, &code), 202, "a code under way");
    let carol = signed_in(&services[0], folder, "carol");
    assert_eq!(services[1].check(&carol), 200);
    assert_eq!(listed(folder, &[]), [("signs".to_owned(), [1, 0, 0]), ("verifies".to_owned(), [2, 1, 0])]);

    let list = String::from_utf8(secrets(folder, &[], &["list"]).stdout).unwrap();
    let id = |role: &str| {
        let line = list.lines().find(|line| line.contains(role)).unwrap();
        line.split_whitespace().next().unwrap().to_owned()
    };
    let refused = |arguments: &[&str], because: &str| {
        let output = secrets(folder, &[], arguments);
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && told.contains(because), "{told}");
        assert_eq!(told.lines().count(), 1, "{told}");
    };
    refused(&["remove", &id("signs"), "--yes"], "this key signs: rotate first");
    refused(&["remove", "00000000", "--yes"], "there is no such key");
    refused(&["remove", "old"], "no id of a key");
    refused(&["remove", &id("verifies")], "add --yes");
    assert_eq!(services[0].check(&ada), 200);

    assert!(secrets(folder, &[], &["remove", &id("verifies"), "--yes"]).status.success());
    for service in &services {
        within_patience(|| (service.check(&ada) == 401).then_some(()));
        assert_eq!(service.check(&under_way), 401);
        assert_eq!(Credential::KeyPair(pair.clone()).check(service.address).unwrap(), 401);
        assert_eq!(service.check(&carol), 200);
    }
    assert_eq!(listed(folder, &[]), [("signs".to_owned(), [1, 0, 0]), ("gone".to_owned(), [2, 1, 0])]);
}

#[test]
fn a_key_file_that_cannot_be_read_again_changes_nothing_and_is_told() {
    let folder = TempDir::new().unwrap();
    let service = Running::start(folder.path());
    let ada = signed_in(&service, folder.path(), "ada");
    let file = folder.path().join("data/auth.db.key");
    let keys = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, "broken").unwrap();
    service.signal("HUP");
    within_patience(|| service.log().contains("what was there before stays").then_some(()));
    assert_eq!(service.check(&ada), 200);
    std::fs::write(&file, format!("{NEW}\n{keys}")).unwrap();
    within_patience(|| service.log().contains("server keys replaced").then_some(()));
    assert_eq!(service.check(&ada), 200);
    assert!(!service.log().contains("broken") && !service.log().contains(keys.trim()));
}

#[test]
fn keys_that_are_configured_are_not_changed_and_how_to_is_told() {
    let folder = TempDir::new().unwrap();
    let (one, two) = ([("AUTH__SECRETS__KEY", OLD)], format!("{NEW},{OLD}"));
    assert!(command(folder.path()).envs(one).arg("migrate").output().unwrap().status.success());
    let rotate = secrets(folder.path(), &one, &["rotate"]);
    let told = String::from_utf8(rotate.stdout).unwrap();
    assert!(!rotate.status.success() && told.contains("two steps") && !told.contains(OLD), "{told}");

    let both = [("AUTH__SECRETS__KEY", two.as_str())];
    let list = String::from_utf8(secrets(folder.path(), &both, &["list"]).stdout).unwrap();
    let old = list.lines().nth(2).unwrap().split_whitespace().next().unwrap().to_owned();
    let remove = secrets(folder.path(), &both, &["remove", &old, "--yes"]);
    assert!(!remove.status.success());
    assert!(String::from_utf8(remove.stdout).unwrap().contains("removed where AUTH__SECRETS__KEY is set"));

    let generated = String::from_utf8(secrets(folder.path(), &[], &["generate"]).stdout).unwrap();
    assert!(generated.len() == 65 && generated.trim().bytes().all(|octet| octet.is_ascii_hexdigit()));
}
