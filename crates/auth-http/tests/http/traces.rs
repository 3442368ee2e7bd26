//! Spans, as a collector receives them.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use crate::process::{Running, read_code, within_patience};

/// Head and body of a request.
type Received = (String, Vec<u8>);

/// A collector that keeps what it is sent.
struct Sink {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Sink {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&received);
        // Ends with the test's process: nobody else connects to it.
        thread::spawn(move || {
            for stream in listener.incoming() {
                kept.lock().unwrap().push(take(stream.unwrap()));
            }
        });
        Self { address, received }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Whether any body holds `text`, as protobuf has it: octet for octet.
    fn holds(&self, text: &str) -> bool {
        let received = self.received.lock().unwrap();
        received.iter().any(|(_, body)| body.windows(text.len()).any(|octets| octets == text.as_bytes()))
    }
}

/// Takes a request and answers it.
fn take(mut stream: TcpStream) -> Received {
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut octet = [0];
        stream.read_exact(&mut octet).unwrap();
        head.extend(octet);
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n").unwrap();
    (head, body)
}

#[test]
fn spans_reach_a_collector_and_hold_no_secret() {
    let (sink, folder) = (Sink::start(), tempfile::tempdir().unwrap());
    let settings = [("AUTH__TELEMETRY__OTLP", &*sink.url()), ("AUTH__TELEMETRY__SERVICE_NAME", "auth-under-test")];
    let mut running = Running::start_with(folder.path(), &settings);
    let session = running.sign_up("ada");
    let code = read_code(folder.path(), "ada");
    assert_eq!(running.verify(&session, &code), 202);
    assert_eq!(running.check(&session), 200);
    let bearer = session["bearer"].as_str();
    assert_eq!(running.call("DELETE", "/sessions", bearer, None).0, 202);
    running.signal("TERM");
    assert!(running.wait().success());

    let received = sink.received.lock().unwrap().clone();
    assert!(!received.is_empty());
    for (head, _) in &received {
        assert!(head.starts_with("post /v1/traces http/1.1\r\n"), "{head}");
        assert!(head.contains("content-type: application/x-protobuf\r\n"), "{head}");
    }
    let spans = ["request", "sign_up", "redeem", "store.read", "store.fact", "deliver_mail", "hand_over"];
    let documented = include_str!("../../../../docs/operations.md");
    for span in spans {
        assert!(sink.holds(span), "{span}");
        assert!(documented.contains(&format!("`{span}`")), "{span}");
    }
    for attribute in ["auth-under-test", "service.version", "/api/auth/v2/session/verification", "sign-in"] {
        assert!(sink.holds(attribute), "{attribute}");
    }
    for secret in ["ada@example.org", bearer.unwrap(), &format!("\"{code}\"")] {
        assert!(!sink.holds(secret), "{secret}");
    }
    // The check has no span.
    assert!(!sink.holds("GET"));
}

#[test]
fn a_collector_that_is_away_is_told_of_once_and_holds_nothing_up() {
    let folder = tempfile::tempdir().unwrap();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{nobody}");
    let mut running = Running::start_with(folder.path(), &[("AUTH__TELEMETRY__OTLP", &url)]);
    running.sign_up("ada");
    let told = "spans cannot be sent: they are dropped";
    within_patience(|| running.log().contains(told).then_some(()));
    running.sign_up("bob");
    running.signal("TERM");
    assert!(running.wait().success());
    assert_eq!(running.log().matches(told).count(), 1, "{}", running.log());
}
