//! What goes over a real socket, octet for octet.

use std::{
    io::{Read, Write},
    thread,
};

use serde_json::{Value, json};

use crate::process::{Running, read_code};

/// The status of an answer that keeps the common rules.
fn status_of(answer: &str) -> u16 {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
    let status: u16 = head[9..12].parse().unwrap();
    assert!(head.contains("cache-control: no-store") && head.contains("x-content-type-options: nosniff"), "{head}");
    assert!(!head.to_ascii_lowercase().contains("\r\nserver:") && !head.contains(env!("CARGO_PKG_VERSION")), "{head}");
    if !matches!(status, 200 | 202) {
        let error = head.lines().find_map(|line| line.strip_prefix("x-error: ")).expect("x-error");
        let id = head.lines().find_map(|line| line.strip_prefix("x-error-id: ")).expect("x-error-id");
        for told in ["content-security-policy: default-src 'none'", "referrer-policy: no-referrer"] {
            assert!(head.contains(told), "{head}");
        }
        let problem: Value = serde_json::from_str(body).unwrap();
        assert_eq!(problem["status"], status);
        assert_eq!(problem["detail"], error);
        assert_eq!(problem["instance"], format!("urn:uuid:{id}"));
    }
    status
}

#[test]
fn heads_that_are_no_http_get_an_answer_that_keeps_the_common_rules() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(folder.path());
    let large = format!("GET / HTTP/1.1\r\nHost: x\r\nx: {}\r\n\r\n", "y".repeat(300_000));
    for (octets, expected) in [
        ("GARBAGE\r\n\r\n", 400),
        ("GET / HTTP/9.9\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n", 400),
        ("\0\0\0\0\r\n\r\n", 400),
        (&large, 431),
    ] {
        assert_eq!(status_of(&running.exchange(octets.as_bytes())), expected, "{}", &octets[..octets.len().min(40)]);
    }
}

#[test]
fn a_head_that_never_ends_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(folder.path());
    assert_eq!(status_of(&running.exchange(b"GET /healthz HTTP/1.1\r\nHos")), 408);
}

#[test]
fn a_body_that_never_ends_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(folder.path());
    let head = "POST /api/auth/v2/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
    assert_eq!(status_of(&running.exchange(format!("{head}Content-Length: 100\r\n\r\n{{").as_bytes())), 408);
}

#[test]
fn a_client_still_sending_a_large_body_can_read_its_413() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(folder.path());
    let head = "POST /api/auth/v2/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
    for framing in [Framing::Length, Framing::Chunked] {
        let mut stream = running.connect();
        let body = vec![b' '; 3_000_000];
        let octets = match framing {
            Framing::Length => [format!("{head}Content-Length: {}\r\n\r\n", body.len()).as_bytes(), &body].concat(),
            Framing::Chunked => {
                let chunk = format!("{head}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n", body.len());
                [chunk.as_bytes(), &body, b"\r\n0\r\n\r\n"].concat()
            }
        };
        // All of it is sent before anything is read, as simple clients do.
        stream.write_all(&octets).unwrap();
        let mut answer = vec![0; 4096];
        let count = stream.read(&mut answer).unwrap();
        assert_eq!(status_of(std::str::from_utf8(&answer[..count]).unwrap()), 413);
    }
}

enum Framing {
    Length,
    Chunked,
}

#[test]
fn a_body_that_breaks_off_harms_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(folder.path());
    for _ in 0..20 {
        let mut stream = running.connect();
        let head = "POST /api/auth/v2/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
        stream.write_all(format!("{head}Content-Length: 1000\r\n\r\n{{\"email\"").as_bytes()).unwrap();
    }
    running.sign_up("ada");
}

#[test]
fn requests_in_one_go_are_answered_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(folder.path());
    let two = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n";
    let garbage = "GARBAGE\r\n\r\n";
    let answers = running.exchange(format!("{two}{garbage}").as_bytes());
    let statuses: Vec<_> = answers.match_indices("HTTP/1.1 ").map(|(at, _)| &answers[at + 9..at + 12]).collect();
    assert_eq!(statuses, ["200", "404", "400"]);
    assert_eq!(answers.matches("x-error: ").count(), 2);
}

#[test]
fn head_is_get_without_its_body() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(folder.path());
    let answer = running.exchange(b"HEAD /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\n"), "{answer}");
    let refused = running.exchange(b"HEAD /api/auth/v2/session HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert!(refused.starts_with("HTTP/1.1 401 ") && refused.contains("x-error: ") && refused.ends_with("\r\n\r\n"));
}

#[test]
fn twenty_clients_with_one_code_get_one_session() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(folder.path());
    let session = running.sign_up("ada");
    let code = read_code(folder.path(), "ada");
    let accepted = thread::scope(|scope| {
        let tries: Vec<_> = (0..20).map(|_| scope.spawn(|| running.verify(&session, &code))).collect();
        tries.into_iter().filter_map(|one| (one.join().unwrap() == 202).then_some(())).count()
    });
    assert_eq!(accepted, 1);
    assert_eq!(running.check(&session), 200);
}

#[test]
fn of_twenty_who_register_one_alias_one_gets_it() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(folder.path());
    let statuses = thread::scope(|scope| {
        let tries: Vec<_> = (0..20)
            .map(|n| {
                let body = json!({"email": format!("ada{n}@example.org"), "fullName": "Ada", "alias": "ada"});
                let running = &running;
                scope.spawn(move || running.call("POST", "/user", None, Some(&body)).0)
            })
            .collect();
        tries.into_iter().map(|one| one.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 202).count(), 1);
    assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 19);
}
