//! HTTPS without a proxy: what a client sees that asks over TLS, while certificates come and go.

use std::{
    fs,
    io::{self, Read, Write},
    net::TcpStream,
    path::Path,
    process::Command,
    sync::Arc,
};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{
    ClientConfig, ClientConnection, ProtocolVersion, RootCertStore, StreamOwned, SupportedProtocolVersion,
    crypto::ring::default_provider,
    version::{TLS12, TLS13},
};
use serde_json::Value;
use tempfile::TempDir;

use crate::process::{Running, command, fails_to_start_in, within_patience};

const SETTINGS: [(&str, &str); 2] = [("AUTH__HTTP__TLS__CERT", "cert.pem"), ("AUTH__HTTP__TLS__KEY", "key.pem")];

type Connection = StreamOwned<ClientConnection, TcpStream>;

/// A certificate that vouches for itself.
struct Identity(CertifiedKey<rcgen::KeyPair>);

impl Identity {
    fn new() -> Self {
        Self(generate_simple_self_signed(["auth.example.org".to_owned()]).unwrap())
    }

    /// Writes both files, each under a new name that then takes the place of the old one.
    fn install(&self, folder: &Path) {
        for (name, text) in [("cert.pem", self.0.cert.pem()), ("key.pem", self.0.signing_key.serialize_pem())] {
            fs::write(folder.join("new"), text).unwrap();
            fs::rename(folder.join("new"), folder.join(name)).unwrap();
        }
    }

    /// A connection of a client that trusts this certificate alone.
    fn connect(&self, service: &Running, version: &'static SupportedProtocolVersion) -> Connection {
        let mut trusted = RootCertStore::empty();
        trusted.add(self.0.cert.der().clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[version])
            .unwrap();
        let mut config = config.with_root_certificates(trusted).with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let name = "auth.example.org".try_into().unwrap();
        StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), service.connect())
    }
}

fn started(identity: &Identity) -> (TempDir, Running) {
    let folder = TempDir::new().unwrap();
    identity.install(folder.path());
    let service = Running::start_with(folder.path(), &SETTINGS);
    (folder, service)
}

/// Sends octets and reads until the connection is closed, which the service must say.
fn exchange(mut connection: Connection, octets: &[u8]) -> io::Result<String> {
    connection.write_all(octets)?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    Ok(answer)
}

const HEALTH: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

/// Asks on a connection that stays open.
fn asks_again(connection: &mut Connection) {
    connection.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = [0; 4096];
    let count = connection.read(&mut answer).unwrap();
    assert!(answer[..count].starts_with(b"HTTP/1.1 200 OK\r\n"), "{}", String::from_utf8_lossy(&answer[..count]));
}

#[test]
fn both_versions_are_spoken_and_http_1_is_agreed_on() {
    let identity = Identity::new();
    let (_folder, service) = started(&identity);
    for (version, expected) in [(&TLS12, ProtocolVersion::TLSv1_2), (&TLS13, ProtocolVersion::TLSv1_3)] {
        let mut connection = identity.connect(&service, version);
        asks_again(&mut connection);
        assert_eq!(connection.conn.protocol_version(), Some(expected));
        assert_eq!(connection.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
        assert!(exchange(connection, HEALTH).unwrap().starts_with("HTTP/1.1 200 OK\r\n"));
    }
}

#[test]
fn what_is_refused_before_it_is_a_request_is_refused_over_tls_in_the_same_way() {
    let identity = Identity::new();
    let (_folder, service) = started(&identity);
    let large = format!("GET / HTTP/1.1\r\nHost: x\r\nx: {}\r\n\r\n", "y".repeat(300_000));
    for (octets, expected) in
        [("GARBAGE\r\n\r\n", "400"), (large.as_str(), "431"), ("GET /healthz HTTP/1.1\r\nHos", "408")]
    {
        let answer = exchange(identity.connect(&service, &TLS13), octets.as_bytes()).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with(&format!("HTTP/1.1 {expected} ")), "{head}");
        assert!(head.contains("x-error-id: ") && head.contains("cache-control: no-store"), "{head}");
        let problem: Value = serde_json::from_str(body).unwrap();
        assert_eq!(problem["status"].to_string(), expected);
    }
}

#[test]
fn a_new_certificate_is_shown_to_new_connections_and_old_ones_go_on() {
    let first = Identity::new();
    let (folder, service) = started(&first);
    let mut open = first.connect(&service, &TLS13);
    asks_again(&mut open);

    let second = Identity::new();
    second.install(folder.path());
    within_patience(|| exchange(second.connect(&service, &TLS13), HEALTH).ok());
    assert!(exchange(first.connect(&service, &TLS13), HEALTH).is_err(), "the old one is not shown any more");
    asks_again(&mut open);

    fs::write(folder.path().join("key.pem"), "hunter2").unwrap();
    within_patience(|| service.log().contains("what was there before stays").then_some(()));
    assert!(exchange(second.connect(&service, &TLS12), HEALTH).unwrap().starts_with("HTTP/1.1 200 OK\r\n"));
    asks_again(&mut open);
    assert!(!service.log().contains("hunter2"));

    let third = Identity::new();
    third.install(folder.path());
    service.signal("HUP");
    within_patience(|| exchange(third.connect(&service, &TLS13), HEALTH).ok());
    asks_again(&mut open);
}

#[test]
fn plain_http_and_silence_are_closed_and_harm_nobody() {
    let identity = Identity::new();
    let (_folder, service) = started(&identity);
    let mut plain = service.connect();
    plain.write_all(HEALTH).unwrap();
    let mut answer = Vec::new();
    plain.read_to_end(&mut answer).unwrap();
    // An alert, as TLS has it, and nothing that is HTTP.
    assert!(answer.len() == 7 && answer[0] == 21, "{answer:?}");

    let mut silent = service.connect();
    assert_eq!(silent.read(&mut [0; 16]).unwrap(), 0, "a client that does not begin is closed");
    let aborted = service.connect();
    drop(aborted);
    assert!(exchange(identity.connect(&service, &TLS13), HEALTH).unwrap().starts_with("HTTP/1.1 200 OK\r\n"));
}

#[test]
fn a_service_that_speaks_tls_is_asked_for_its_health_over_tls() {
    let (folder, service) = started(&Identity::new());
    let address = service.address.to_string();
    let health = within_patience(|| {
        let mut health = command(folder.path());
        let output = health.envs(SETTINGS).env("AUTH__HTTP__BIND", &address).arg("health").output().unwrap();
        output.status.success().then_some(output)
    });
    assert_eq!(health.stdout, b"ready\n");
}

#[test]
fn a_certificate_that_cannot_be_shown_stops_the_start() {
    let folder = TempDir::new().unwrap();
    Identity::new().install(folder.path());
    fs::rename(folder.path().join("key.pem"), folder.path().join("other.pem")).unwrap();
    Identity::new().install(folder.path());
    fs::write(folder.path().join("hunter2.pem"), "hunter2").unwrap();
    let told = |cert: &str, key: &str| {
        fails_to_start_in(&folder, |command: &mut Command| {
            command.env("AUTH__HTTP__TLS__CERT", cert).env("AUTH__HTTP__TLS__KEY", key);
        })
    };
    for (cert, key, expected) in [
        ("cert.pem", "", "only one of them is set"),
        ("", "key.pem", "only one of them is set"),
        ("nowhere.pem", "key.pem", "setting http.tls.cert: nowhere.pem: "),
        ("cert.pem", "nowhere.pem", "setting http.tls.key: nowhere.pem: "),
        ("hunter2.pem", "key.pem", "setting http.tls.cert: hunter2.pem holds no certificates in PEM"),
        ("key.pem", "key.pem", "setting http.tls.cert: key.pem holds no certificates in PEM"),
        ("cert.pem", "cert.pem", "setting http.tls.key: cert.pem holds no private key in PEM"),
        ("cert.pem", "other.pem", "setting http.tls.key: other.pem does not belong to the certificate in cert.pem"),
    ] {
        let told = told(cert, key);
        assert!(told.contains(expected), "{cert} {key}: {told}");
    }
}
